/* Candidates by instance id; those of the sweep before, with the time of their first sighting, beside them.
 */
#include "reconcile/sweep.h"

#include "base/hmap.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct candidate {
    char deployment_id[64];
    char token[65];
    int64_t first_ms; /* monotonic, of the first sweep that saw it; 0 = this one */
    bool is_claimed;
};

struct sweep {
    struct hmap candidates; /* instance id -> struct candidate */
    struct hmap before;     /* the same, of the last sweep */
    size_t live_count;
};

struct sweep *sweep_new(void)
{
    struct sweep *sweep = mem_calloc(1, sizeof(*sweep));
    hmap_init(&sweep->candidates);
    hmap_init(&sweep->before);
    return sweep;
}

struct sweep *sweep_free(struct sweep *sweep)
{
    if (!sweep)
        return NULL;
    hmap_done(&sweep->candidates, free);
    hmap_done(&sweep->before, free);
    free(sweep);
    return NULL;
}

static void empty(struct hmap *map)
{
    hmap_done(map, free);
    hmap_init(map);
}

void sweep_begin(struct sweep *sweep)
{
    empty(&sweep->candidates);
    sweep->live_count = 0;
}

void sweep_abandon(struct sweep *sweep)
{
    sweep_begin(sweep);
    empty(&sweep->before);
}

void sweep_add(struct sweep *sweep, const struct host *host, bool is_known, int64_t wall_ms)
{
    if (!host_is_live(host))
        return;
    sweep->live_count++;
    bool is_young = host->launch_ms == 0 || wall_ms - host->launch_ms <= SWEEP_AGE_MS;
    if (is_known || is_young || host->is_retained || !host->deployment_id[0])
        return;
    const struct candidate *before = hmap_get(&sweep->before, host->id);
    struct candidate *candidate = mem_calloc(1, sizeof(*candidate));
    memcpy(candidate->deployment_id, host->deployment_id, sizeof(candidate->deployment_id));
    memcpy(candidate->token, host->token, sizeof(candidate->token));
    candidate->first_ms = before ? before->first_ms : 0;
    free(hmap_set(&sweep->candidates, host->id, candidate));
}

size_t sweep_count_candidates(const struct sweep *sweep)
{
    return sweep->candidates.count;
}

static bool is_same(const char *a, const char *b)
{
    return a && a[0] && strcmp(a, b) == 0;
}

void sweep_claim(struct sweep *sweep, const struct teedeployment *object)
{
    const struct ledger *ledger = &object->status.launch;
    struct hmap_iter iter = {0};
    while (hmap_next(&sweep->candidates, &iter)) {
        struct candidate *candidate = iter.value;
        if (is_same(object->deployment_id, candidate->deployment_id) ||
            is_same(ledger->instance_id, iter.key) || is_same(ledger->token, candidate->token))
            candidate->is_claimed = true;
    }
}

/* True: so many that the list of objects is doubted. */
static bool is_too_much(size_t orphans, size_t live)
{
    bool is_one_of_several = orphans == 1 && live > 1;
    return orphans > SWEEP_MAX || (orphans * 10 > live && !is_one_of_several);
}

static void hand_out(struct sweep *sweep, int64_t mono_ms, struct sweep_result *result)
{
    struct hmap_iter iter = {0};
    while (hmap_next(&sweep->candidates, &iter)) {
        const struct candidate *candidate = iter.value;
        bool is_ripe = candidate->first_ms > 0 && mono_ms - candidate->first_ms >= SWEEP_APART_MS;
        if (!candidate->is_claimed && (is_ripe || result->is_refused) && result->id_count < SWEEP_MAX)
            snprintf(result->ids[result->id_count++], sizeof(result->ids[0]), "%s", iter.key);
    }
}

/* The unclaimed ones become those that were seen before; the others are forgotten. */
static void keep_unclaimed(struct sweep *sweep, int64_t mono_ms)
{
    struct hmap_iter iter = {0};
    empty(&sweep->before);
    while (hmap_next(&sweep->candidates, &iter)) {
        const struct candidate *candidate = iter.value;
        if (candidate->is_claimed)
            continue;
        struct candidate *copy = mem_alloc(sizeof(*copy));
        *copy = *candidate;
        copy->first_ms = candidate->first_ms > 0 ? candidate->first_ms : mono_ms;
        hmap_set(&sweep->before, iter.key, copy);
    }
}

void sweep_end(struct sweep *sweep, int64_t mono_ms, struct sweep_result *ret_result)
{
    struct hmap_iter iter = {0};
    *ret_result = (struct sweep_result){.live = sweep->live_count};
    while (hmap_next(&sweep->candidates, &iter))
        ret_result->orphans += !((const struct candidate *)iter.value)->is_claimed;
    ret_result->is_refused = is_too_much(ret_result->orphans, sweep->live_count);
    hand_out(sweep, mono_ms, ret_result);
    keep_unclaimed(sweep, mono_ms);
    sweep_begin(sweep);
}
