/* Candidates by instance id; a claim takes one away. What is left at the end is kept, with the time of its
 * first sighting, for the next sweep. */
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
        const struct candidate *candidate = iter.value;
        if (is_same(object->deployment_id, candidate->deployment_id) ||
            is_same(ledger->instance_id, iter.key) || is_same(ledger->token, candidate->token))
            free(hmap_remove(&sweep->candidates, iter.key));
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
        if ((is_ripe || result->is_refused) && result->id_count < SWEEP_MAX)
            snprintf(result->ids[result->id_count++], sizeof(result->ids[0]), "%s", iter.key);
    }
}

static void keep_for_next(struct sweep *sweep, int64_t mono_ms)
{
    struct hmap_iter iter = {0};
    while (hmap_next(&sweep->candidates, &iter)) {
        struct candidate *candidate = iter.value;
        if (candidate->first_ms == 0)
            candidate->first_ms = mono_ms;
    }
    hmap_done(&sweep->before, free);
    sweep->before = sweep->candidates;
    hmap_init(&sweep->candidates);
}

void sweep_end(struct sweep *sweep, int64_t mono_ms, struct sweep_result *ret_result)
{
    *ret_result = (struct sweep_result){.live = sweep->live_count, .orphans = sweep->candidates.count};
    ret_result->is_refused = is_too_much(ret_result->orphans, ret_result->live);
    hand_out(sweep, mono_ms, ret_result);
    keep_for_next(sweep, mono_ms);
}
