/* What is kept of a place is how many it holds in all, so that nothing has to be counted up and down. */
#include "sim/capacity.h"

#include <string.h>

static bool is_same(const struct sim_place *place, const char *type, const char *subnet_id)
{
    return strcmp(place->type, type) == 0 && strcmp(place->subnet_id, subnet_id ? subnet_id : "") == 0;
}

static size_t count_taken(const struct world *world, const struct sim_place *place)
{
    size_t count = 0;
    const struct sim_instance *at = world_next(world, 0);
    for (; at; at = world_next(world, at->sequence))
        if (at->state != SIM_STOPPED && at->state != SIM_TERMINATED &&
            is_same(place, at->launch.type, at->launch.subnet_id))
            count++;
    return count;
}

static struct sim_place *find(struct sim_capacity *capacity, const char *type, const char *subnet_id)
{
    for (size_t i = 0; i < capacity->count; i++)
        if (is_same(&capacity->places[i], type, subnet_id))
            return &capacity->places[i];
    return NULL;
}

int sim_capacity_set(struct sim_capacity *capacity, const struct world *world, const struct sim_place *place)
{
    struct sim_place *kept = find(capacity, place->type, place->subnet_id);
    if (!kept && capacity->count == SIM_MAX_PLACES)
        return -1;
    if (!kept)
        kept = &capacity->places[capacity->count++];
    *kept = *place;
    kept->total += count_taken(world, place);
    return 0;
}

void sim_capacity_unset(struct sim_capacity *capacity, const struct sim_place *place)
{
    struct sim_place *kept = find(capacity, place->type, place->subnet_id);
    if (kept)
        *kept = capacity->places[--capacity->count];
}

int sim_capacity_check(struct sim_call *call, const struct sim_launch *launch, size_t count)
{
    const struct sim_place *place =
        call->capacity ? find(call->capacity, launch->type, launch->subnet_id) : NULL;
    if (!place || count_taken(call->world, place) + count <= place->total)
        return 0;
    return sim_fail_set(&call->fail, 500, "InsufficientInstanceCapacity",
                        "We currently do not have sufficient %s capacity in the Availability Zone you "
                        "requested (%s). Our system will be working on provisioning additional capacity.",
                        launch->type, launch->zone);
}
