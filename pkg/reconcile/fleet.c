/* See fleet.h. Nothing is called under the mutex but store and inventory, which call nobody. */
#include "reconcile/fleet.h"

#include "base/hmap.h"
#include "base/mem.h"
#include "base/thread.h"
#include "reconcile/ledger.h"

#include <stdlib.h>

enum { HOUR_MS = 3600 * 1000, SCAN_MS = 60 * 1000, REPAIR_MS = 15 * 60 * 1000, REPAIR_SHARE = 20 };

#define NOT_ANSWERED INT64_MAX

struct launch {
    int64_t started_ms;  /* wall */
    int64_t answered_ms; /* monotonic; NOT_ANSWERED; 0 = a ledger names the instance */
    bool is_read;        /* a place that an open ledger has, as the last scan found it */
};

struct fleet {
    const struct reconcile_config *config;
    struct store *store;
    struct inventory *inventory;
    pthread_mutex_t mutex;
    struct hmap launches; /* token, or the deployment id of one that is ahead -> struct launch */
    struct hmap repairs;  /* deployment id -> int64_t, monotonic */
    int64_t scanned_ms;   /* monotonic; 0 = never */
};

struct fleet *fleet_new(const struct reconcile_config *config, struct store *store,
                        struct inventory *inventory)
{
    struct fleet *fleet = mem_calloc(1, sizeof(*fleet));
    *fleet = (struct fleet){.config = config, .store = store, .inventory = inventory};
    mutex_init(&fleet->mutex);
    hmap_init(&fleet->launches);
    hmap_init(&fleet->repairs);
    return fleet;
}

struct fleet *fleet_free(struct fleet *fleet)
{
    if (!fleet)
        return NULL;
    hmap_done(&fleet->launches, free);
    hmap_done(&fleet->repairs, free);
    pthread_mutex_destroy(&fleet->mutex);
    free(fleet);
    return NULL;
}

static void note(struct fleet *fleet, const char *key, const struct launch *launch)
{
    struct launch *known = hmap_get(&fleet->launches, key);
    if (known) {
        known->is_read = known->is_read && launch->is_read;
        return;
    }
    struct launch *copy = mem_alloc(sizeof(*copy));
    *copy = *launch;
    hmap_set(&fleet->launches, key, copy);
}

static void note_object(struct fleet *fleet, const struct teedeployment *object, int64_t since_ms)
{
    const struct ledger *ledger = &object->status.launch;
    bool is_answered = ledger->token && hmap_get(&fleet->launches, ledger->token);
    if (ledger_is_open(ledger) && !is_answered && ledger->started_ms > since_ms)
        note(
            fleet, object->deployment_id,
            &(struct launch){.started_ms = ledger->started_ms, .answered_ms = NOT_ANSWERED, .is_read = true});
    if (ledger->instance_id && ledger->token && ledger->started_ms > since_ms)
        note(fleet, ledger->token, &(struct launch){.started_ms = ledger->started_ms});
    for (size_t i = 0; i < ledger->history_count; i++) {
        const struct ledger_past *past = &ledger->history[i];
        if (past->instance_id && past->token && past->started_ms > since_ms)
            note(fleet, past->token, &(struct launch){.started_ms = past->started_ms});
    }
}

struct scan {
    struct fleet *fleet;
    int64_t since_ms;
};

static void scan_key(void *ctx, const char *key)
{
    const struct scan *scan = ctx;
    struct teedeployment *object = store_get(scan->fleet->store, key);
    if (object)
        note_object(scan->fleet, object, scan->since_ms);
    teedeployment_unref(object);
}

static void forget_old(struct fleet *fleet, struct moment now)
{
    struct hmap_iter iter = {0};
    while (hmap_next(&fleet->launches, &iter)) {
        const struct launch *launch = iter.value;
        if (launch->started_ms <= now.wall_ms - HOUR_MS)
            free(hmap_remove(&fleet->launches, iter.key));
    }
}

/* The store may have been behind when they were read: the next scan finds those that are still open. */
static void forget_read(struct fleet *fleet)
{
    struct hmap_iter iter = {0};
    while (hmap_next(&fleet->launches, &iter)) {
        const struct launch *launch = iter.value;
        if (launch->is_read)
            free(hmap_remove(&fleet->launches, iter.key));
    }
}

/* Old launches stay until it matters: every pass asks, and few are near a limit. */
static void refresh(struct fleet *fleet, struct moment now)
{
    bool is_scan_due = fleet->scanned_ms == 0 || now.mono_ms - fleet->scanned_ms >= SCAN_MS;
    if (is_scan_due || (int)fleet->launches.count >= fleet->config->max_launches_per_hour_total)
        forget_old(fleet, now);
    if (!is_scan_due)
        return;
    struct scan scan = {fleet, now.wall_ms - HOUR_MS};
    fleet->scanned_ms = now.mono_ms;
    forget_read(fleet);
    store_each_key(fleet->store, scan_key, &scan);
}

/* Not answered, or after the last complete look at EC2 was begun: perhaps not in it. */
static int count_unseen(struct fleet *fleet)
{
    int64_t completed_ms = inventory_completed_ms(fleet->inventory);
    struct hmap_iter iter = {0};
    int count = 0;
    while (hmap_next(&fleet->launches, &iter)) {
        const struct launch *launch = iter.value;
        count += launch->answered_ms > 0 && launch->answered_ms >= completed_ms;
    }
    return count;
}

static int64_t oldest_ms(const struct fleet *fleet)
{
    struct hmap_iter iter = {0};
    int64_t oldest_ms = INT64_MAX;
    while (hmap_next(&fleet->launches, &iter)) {
        const struct launch *launch = iter.value;
        if (launch->started_ms < oldest_ms)
            oldest_ms = launch->started_ms;
    }
    return oldest_ms;
}

static bool is_repair_spent(struct fleet *fleet, const char *deployment_id, struct moment now)
{
    struct hmap_iter iter = {0};
    size_t allowed = inventory_count_live(fleet->inventory) / REPAIR_SHARE;
    while (fleet->repairs.count > 0 && hmap_next(&fleet->repairs, &iter))
        if (now.mono_ms - *(const int64_t *)iter.value >= REPAIR_MS)
            free(hmap_remove(&fleet->repairs, iter.key));
    size_t own_count = hmap_get(&fleet->repairs, deployment_id) ? 1 : 0;
    return fleet->repairs.count - own_count >= (allowed > 0 ? allowed : 1);
}

static struct fleet_view look(struct fleet *fleet, const char *deployment_id, struct moment now)
{
    const struct reconcile_config *config = fleet->config;
    refresh(fleet, now);
    int own_count = hmap_get(&fleet->launches, deployment_id) ? 1 : 0;
    struct fleet_view view = {.launches_in_hour = (int)fleet->launches.count - own_count,
                              .is_repair_spent = is_repair_spent(fleet, deployment_id, now)};
    view.is_spent = view.launches_in_hour >= config->max_launches_per_hour_total;
    if (view.is_spent)
        view.next_launch_ms = oldest_ms(fleet) + HOUR_MS;
    if (config->max_instances == 0)
        return view;
    view.instances = (int)inventory_count_live(fleet->inventory) + count_unseen(fleet) - own_count;
    view.is_full = view.instances >= config->max_instances;
    return view;
}

void fleet_look(struct fleet *fleet, const char *deployment_id, struct moment now,
                struct fleet_view *ret_view)
{
    LOCK_SCOPE(&fleet->mutex);
    *ret_view = look(fleet, deployment_id, now);
}

static bool admit(struct fleet *fleet, const char *deployment_id, bool is_successor, struct moment now)
{
    LOCK_SCOPE(&fleet->mutex);
    struct fleet_view view = look(fleet, deployment_id, now);
    if (view.is_spent || (view.is_full && !is_successor))
        return false;
    note(fleet, deployment_id, &(struct launch){.started_ms = now.wall_ms, .answered_ms = NOT_ANSWERED});
    return true;
}

bool fleet_admit(struct fleet *fleet, const char *deployment_id, struct moment now)
{
    return admit(fleet, deployment_id, false, now);
}

bool fleet_admit_successor(struct fleet *fleet, const char *deployment_id, struct moment now)
{
    return admit(fleet, deployment_id, true, now);
}

void fleet_note_launched(struct fleet *fleet, const char *deployment_id, const char *token, struct moment now)
{
    LOCK_SCOPE(&fleet->mutex);
    free(hmap_remove(&fleet->launches, deployment_id));
    if (token)
        note(fleet, token, &(struct launch){.started_ms = now.wall_ms, .answered_ms = now.mono_ms});
}

void fleet_release(struct fleet *fleet, const char *deployment_id)
{
    LOCK_SCOPE(&fleet->mutex);
    free(hmap_remove(&fleet->launches, deployment_id));
}

bool fleet_admit_repair(struct fleet *fleet, const char *deployment_id, struct moment now)
{
    LOCK_SCOPE(&fleet->mutex);
    if (is_repair_spent(fleet, deployment_id, now))
        return false;
    int64_t *at_ms = mem_alloc(sizeof(*at_ms));
    *at_ms = now.mono_ms;
    free(hmap_set(&fleet->repairs, deployment_id, at_ms));
    return true;
}

void fleet_release_repair(struct fleet *fleet, const char *deployment_id)
{
    LOCK_SCOPE(&fleet->mutex);
    free(hmap_remove(&fleet->repairs, deployment_id));
}
