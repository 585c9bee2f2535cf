/* The clock, the process and the user; the effects are in world_ports.c. */
#include "world.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    START_WALL_S = 1800000000,
    INVENTORY_MS = 10 * 1000,
    PART_MS = 3 * 1000,
    QUIET_MS = 200 * 1000,
    SETTLE_MAX_MS = 3600 * 1000
};

static int64_t world_wall_ms(void *ctx)
{
    return (int64_t)START_WALL_S * 1000 + ((struct world *)ctx)->mono_ms;
}

static int64_t world_mono_ms(void *ctx)
{
    return ((struct world *)ctx)->mono_ms;
}

void world_line(struct world *world, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char text[512];
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    buf_printf(&world->trace, "%7.1f  %s\n", (double)(world->mono_ms - 1000) / 1000, text);
}

void world_say(struct world *world, const char *text)
{
    buf_printf(&world->trace, "# %s\n", text);
}

static void process_stop(struct world *world)
{
    world->reconciler = reconciler_free(world->reconciler);
    world->queue = workqueue_free(world->queue);
    world->inventory = inventory_free(world->inventory);
    world->store = store_free(world->store);
}

static void deliver(struct world *world, json_t *object)
{
    char *text = json_dumps(object, 0);
    CLEANUP(teedeployment_unrefp) struct teedeployment *decoded = NULL;
    struct error err = {0};
    if (teedeployment_decode(text, strlen(text), &decoded, &err) == 0) {
        workqueue_add(world->queue, decoded->key, WORK_URGENT);
        store_put(world->store, decoded);
    }
    free(text);
}

static void ignore_key(void *ctx, const char *key)
{
    workqueue_add(((struct world *)ctx)->queue, key, WORK_URGENT);
}

static void list_objects(struct world *world)
{
    store_begin_list(world->store, NULL);
    for (size_t i = 0; i < WORLD_OBJECTS; i++)
        if (world->objects[i])
            deliver(world, world->objects[i]);
    store_end_list(world->store, NULL, ignore_key, world);
}

static void process_start(struct world *world)
{
    world->is_dead = false;
    world->store = store_new();
    world->inventory = inventory_new();
    world->queue = workqueue_new(&world->clock);
    struct reconciler_options options = {.config = &world->config,
                                         .ports = &world->ports,
                                         .store = world->store,
                                         .inventory = world->inventory,
                                         .clock = &world->clock};
    world->reconciler = reconciler_new(&options);
    world->next_inventory_ms = world->mono_ms;
    world->next_part_ms = 0;
    list_objects(world);
}

void world_init(struct world *world)
{
    memset(world, 0, sizeof(*world));
    world->mono_ms = 1000;
    world->clock = (struct clock){.wall_ms = world_wall_ms, .mono_ms = world_mono_ms, .ctx = world};
    world->config = (struct reconcile_config){.ami_id = "ami-0123456789abcdef0",
                                              .instance_type = "m5.xlarge",
                                              .cpu_count = 2,
                                              .memory_mib = 512,
                                              .attestation_port = 1300,
                                              .cluster_id = "cluster-1",
                                              .roots_digest = "roots",
                                              .max_launches_per_hour = 6,
                                              .max_launches_per_hour_total = 60,
                                              .lease_min_ms = 3000};
    world->lease_ms = 15000;
    world->version = 100;
    buf_init(&world->trace, 1024 * 1024);
    world_fill_ports(world);
    process_start(world);
}

void world_done(struct world *world)
{
    process_stop(world);
    for (size_t i = 0; i < WORLD_OBJECTS; i++)
        json_decref(world->objects[i]);
    buf_done(&world->trace);
}

void world_restart(struct world *world)
{
    world_line(world, "-- the controller starts anew");
    process_stop(world);
    process_start(world);
}

/* The watch's event, or its silence while it is held. */
void world_bump(struct world *world, json_t *object)
{
    char version[32];
    snprintf(version, sizeof(version), "%lld", (long long)++world->version);
    json_object_set_new(json_object_get(object, "metadata"), "resourceVersion", json_string(version));
    if (!world->is_watch_held && !world->is_dead)
        deliver(world, object);
}

json_t *world_find_object(struct world *world, const char *name)
{
    for (size_t i = 0; i < WORLD_OBJECTS; i++) {
        json_t *metadata = json_object_get(world->objects[i], "metadata");
        if (metadata && strcmp(json_string_value(json_object_get(metadata, "name")), name) == 0)
            return world->objects[i];
    }
    return NULL;
}

static json_t *new_object(struct world *world, const char *name)
{
    char uid[32];
    snprintf(uid, sizeof(uid), "uid-%lld", (long long)++world->uid_count);
    char created[TIME_TEXT_SIZE];
    time_format(world_wall_ms(world), created);
    json_t *object = json_pack("{s:{s:s,s:s,s:s,s:i,s:s},s:{}}", "metadata", "namespace", "default", "name",
                               name, "uid", uid, "generation", 0, "creationTimestamp", created, "status");
    for (size_t i = 0; i < WORLD_OBJECTS; i++)
        if (!world->objects[i]) {
            world->objects[i] = object;
            return object;
        }
    abort();
}

static void next_generation(json_t *object)
{
    json_t *metadata = json_object_get(object, "metadata");
    json_int_t generation = json_integer_value(json_object_get(metadata, "generation"));
    json_object_set_new(metadata, "generation", json_integer(generation + 1));
}

void world_apply(struct world *world, const char *name, const char *spec)
{
    json_t *object = world_find_object(world, name);
    if (!object)
        object = new_object(world, name);
    json_t *value = json_loads(spec, 0, NULL);
    if (!json_equal(json_object_get(object, "spec"), value))
        next_generation(object);
    json_object_set_new(object, "spec", value);
    world_bump(world, object);
}

void world_annotate(struct world *world, const char *name, const char *key, const char *value)
{
    json_t *object = world_find_object(world, name);
    json_t *metadata = json_object_get(object, "metadata");
    if (!json_object_get(metadata, "annotations"))
        json_object_set_new(metadata, "annotations", json_object());
    json_object_set_new(json_object_get(metadata, "annotations"), key, json_string(value));
    world_bump(world, object);
}

void world_delete(struct world *world, const char *name)
{
    json_t *object = world_find_object(world, name);
    char now[TIME_TEXT_SIZE];
    time_format(world_wall_ms(world), now);
    json_object_set_new(json_object_get(object, "metadata"), "deletionTimestamp", json_string(now));
    next_generation(object);
    world_bump(world, object);
}

static void host_changed(void *ctx, const char *deployment_id)
{
    struct world *world = ctx;
    CLEANUP(freep) char *key = store_owner_of(world->store, deployment_id);
    if (key)
        workqueue_add(world->queue, key, WORK_URGENT);
}

static void wake(void *ctx, const char *key)
{
    workqueue_add(((struct world *)ctx)->queue, key, WORK_BACKGROUND);
}

static void health_pass(struct world *world)
{
    inventory_begin_health(world->inventory, world->mono_ms);
    for (size_t i = 0; i < world->host_count; i++) {
        const struct world_host *host = &world->hosts[i];
        int64_t wall_ms = world_wall_ms(world);
        const struct host_health health = {.ailment = host->ailment,
                                           .event_ms = wall_ms + 24 * 3600 * 1000 - wall_ms % (3600 * 1000),
                                           .since_ms = world->mono_ms,
                                           .since_wall_ms = wall_ms};
        if (host->ailment != HOST_WELL && host->host.state == HOST_RUNNING)
            inventory_put_health(world->inventory, host->host.id, &health);
    }
    inventory_end_health(world->inventory, host_changed, world);
}

static bool is_listed(const struct world *world, const struct world_host *host)
{
    return !host->is_hidden && !host->is_forgotten &&
           strcmp(host->host.cluster_id, world->config.cluster_id) == 0;
}

static void inventory_pass(struct world *world)
{
    world->next_inventory_ms = world->mono_ms + INVENTORY_MS;
    if (world->is_ec2_away)
        return;
    bool is_first = inventory_completed_ms(world->inventory) == 0;
    inventory_begin(world->inventory, world->mono_ms);
    for (size_t i = 0; i < world->host_count; i++)
        if (is_listed(world, &world->hosts[i]))
            inventory_put(world->inventory, &world->hosts[i].host, world->mono_ms);
    inventory_end(world->inventory, host_changed, world);
    if (is_first)
        store_each_key(world->store, wake, world);
    health_pass(world);
}

static void put_listed(struct world *world, const char *id)
{
    for (size_t i = 0; i < world->host_count; i++)
        if (is_listed(world, &world->hosts[i]) && strcmp(world->hosts[i].host.id, id) == 0)
            inventory_put(world->inventory, &world->hosts[i].host, world->mono_ms);
}

static void look_at_moving(struct world *world)
{
    char(*ids)[HOST_ID_SIZE] = NULL;
    size_t count = world->is_ec2_away ? 0 : inventory_list_moving(world->inventory, &ids);
    inventory_begin_part(world->inventory, world->mono_ms);
    for (size_t i = 0; i < count; i++)
        put_listed(world, ids[i]);
    free(ids);
    inventory_end_part(world->inventory, host_changed, world);
}

static void look(struct world *world)
{
    bool is_whole = world->mono_ms >= world->next_inventory_ms;
    bool is_part = world->next_part_ms > 0 && world->mono_ms >= world->next_part_ms;
    if (is_whole)
        inventory_pass(world);
    else if (is_part)
        look_at_moving(world);
    if (is_whole || is_part)
        world->next_part_ms = inventory_has_moving(world->inventory) ? world->mono_ms + PART_MS : 0;
}

static void work(struct world *world)
{
    for (;;) {
        CLEANUP(freep) char *key = workqueue_try_get(world->queue);
        if (!key)
            return;
        struct outcome outcome = reconciler_pass(world->reconciler, key);
        if (world->is_dead) {
            world_restart(world);
            continue;
        }
        workers_hand_back(world->queue, key, &outcome, world->mono_ms);
    }
}

static int64_t next_time(const struct world *world, int64_t limit_ms)
{
    int64_t next_ms = world->next_inventory_ms < limit_ms ? world->next_inventory_ms : limit_ms;
    if (world->next_part_ms > 0 && world->next_part_ms < next_ms)
        next_ms = world->next_part_ms;
    int64_t queued_ms = workqueue_next_ms(world->queue);
    if (queued_ms >= 0 && queued_ms < next_ms)
        next_ms = queued_ms;
    for (size_t i = 0; i < world->host_count; i++)
        if (world->hosts[i].due_ms > 0 && world->hosts[i].due_ms < next_ms)
            next_ms = world->hosts[i].due_ms;
    return next_ms > world->mono_ms ? next_ms : world->mono_ms + 1;
}

static void step(struct world *world, int64_t limit_ms)
{
    world_move_hosts(world);
    store_set_heard(world->store, NULL, world->mono_ms);
    look(world);
    work(world);
    world->mono_ms = next_time(world, limit_ms);
}

void world_run(struct world *world, int64_t ms)
{
    int64_t until_ms = world->mono_ms + ms;
    while (world->mono_ms < until_ms)
        step(world, until_ms);
}

void world_settle(struct world *world)
{
    int64_t until_ms = world->mono_ms + SETTLE_MAX_MS;
    int64_t quiet_since_ms = world->mono_ms;
    int effects = world->effect_count;
    while (world->mono_ms < until_ms && world->mono_ms - quiet_since_ms < QUIET_MS) {
        step(world, until_ms);
        if (world->effect_count != effects) {
            effects = world->effect_count;
            quiet_since_ms = world->mono_ms;
        }
    }
}

const char *world_condition(struct world *world, const char *name, const char *type, const char *field)
{
    json_t *status = json_object_get(world_find_object(world, name), "status");
    json_t *conditions = json_object_get(status, "conditions");
    size_t index;
    json_t *condition;
    json_array_foreach(conditions, index,
                       condition) if (strcmp(json_string_value(json_object_get(condition, "type")), type) ==
                                      0) return json_string_value(json_object_get(condition, field));
    return "-";
}

void world_describe(struct world *world, char *ret_text, size_t size)
{
    size_t used = (size_t)snprintf(ret_text, size, "hosts alive %zu", world_live_hosts(world));
    for (size_t i = 0; i < WORLD_OBJECTS && used < size; i++) {
        if (!world->objects[i])
            continue;
        const char *name =
            json_string_value(json_object_get(json_object_get(world->objects[i], "metadata"), "name"));
        const char *phase =
            json_string_value(json_object_get(json_object_get(world->objects[i], "status"), "phase"));
        used += (size_t)snprintf(ret_text + used, size - used, "; %s: %s Ready=%s %s", name,
                                 phase ? phase : "-", world_condition(world, name, "Ready", "status"),
                                 world_condition(world, name, "Ready", "reason"));
    }
}
