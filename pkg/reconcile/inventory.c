/* Hosts by id, and per deployment id a list. A pass marks what it brings; the end of the pass sweeps the
 * rest. */
#include "reconcile/inventory.h"

#include "base/hmap.h"
#include "base/mem.h"
#include "base/thread.h"
#include "reconcile/observed_pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Beside the packed host is what a walk over all entries asks for. */
struct entry {
    struct entry *next; /* of the same deployment id */
    struct packed *packed;
    uint64_t mark;
    uint64_t health_mark;
    bool is_changed;
    bool is_live;
    bool is_counted; /* in live_count */
    bool is_moving;
    bool is_ailing;
};

struct changes {
    char (*ids)[64];
    size_t count;
};

static void changes_add(struct changes *changes, const char *deployment_id)
{
    changes->ids = mem_realloc(changes->ids, changes->count + 1, sizeof(changes->ids[0]));
    snprintf(changes->ids[changes->count++], sizeof(changes->ids[0]), "%s", deployment_id);
}

struct inventory {
    pthread_mutex_t mutex;
    struct hmap by_id;
    struct hmap by_deployment;
    struct hmap awaited; /* id -> int64_t, monotonic: when the change was asked for */
    uint64_t mark;
    int64_t begin_ms; /* of the pass or part under way */
    int64_t completed_ms;
    uint64_t health_mark;
    int64_t health_begin_ms;
    int64_t health_ms;
    size_t live_count;   /* of the last complete pass, less those that ended since */
    struct changes left; /* deployment ids that a host no longer carries, until they are told */
};

const char *const host_state_names[6] = {"pending", "running",       "stopping",
                                         "stopped", "shutting-down", "terminated"};

struct inventory *inventory_new(void)
{
    struct inventory *inventory = mem_calloc(1, sizeof(*inventory));
    mutex_init(&inventory->mutex);
    hmap_init(&inventory->by_id);
    hmap_init(&inventory->by_deployment);
    hmap_init(&inventory->awaited);
    return inventory;
}

static void entry_free(void *value)
{
    struct entry *entry = value;
    packed_unref(entry->packed);
    free(entry);
}

struct inventory *inventory_free(struct inventory *inventory)
{
    if (!inventory)
        return NULL;
    hmap_done(&inventory->by_id, entry_free);
    hmap_done(&inventory->by_deployment, NULL);
    hmap_done(&inventory->awaited, free);
    free(inventory->left.ids);
    pthread_mutex_destroy(&inventory->mutex);
    free(inventory);
    return NULL;
}

void inventory_begin(struct inventory *inventory, int64_t mono_ms)
{
    LOCK_SCOPE(&inventory->mutex);
    inventory->mark++;
    inventory->begin_ms = mono_ms;
}

void inventory_begin_part(struct inventory *inventory, int64_t mono_ms)
{
    LOCK_SCOPE(&inventory->mutex);
    inventory->begin_ms = mono_ms;
}

void inventory_await(struct inventory *inventory, const char *id, int64_t mono_ms)
{
    int64_t *since_ms = mem_alloc(sizeof(*since_ms));
    *since_ms = mono_ms;
    LOCK_SCOPE(&inventory->mutex);
    free(hmap_set(&inventory->awaited, id, since_ms));
}

void inventory_await_no_more(struct inventory *inventory, const char *id)
{
    LOCK_SCOPE(&inventory->mutex);
    free(hmap_remove(&inventory->awaited, id));
}

bool inventory_is_awaited(struct inventory *inventory, const char *id)
{
    LOCK_SCOPE(&inventory->mutex);
    return hmap_get(&inventory->awaited, id) != NULL;
}

/* A look that began at the very moment of the change may show what was before it. */
static void note_seen(struct inventory *inventory, const char *id)
{
    const int64_t *since_ms = hmap_get(&inventory->awaited, id);
    if (since_ms && *since_ms < inventory->begin_ms)
        free(hmap_remove(&inventory->awaited, id));
}

/* A whole look is the last word on whom it did not bring as well. */
static void forget_awaited(struct inventory *inventory)
{
    struct hmap_iter iter = {0};
    while (hmap_next(&inventory->awaited, &iter))
        if (*(const int64_t *)iter.value < inventory->begin_ms)
            free(hmap_remove(&inventory->awaited, iter.key));
}

static void link_entry(struct inventory *inventory, struct entry *entry, const char *deployment_id)
{
    entry->next = hmap_get(&inventory->by_deployment, deployment_id);
    hmap_set(&inventory->by_deployment, deployment_id, entry);
}

static void unlink_entry(struct inventory *inventory, struct entry *entry, const char *deployment_id)
{
    struct entry *head = hmap_get(&inventory->by_deployment, deployment_id);
    struct entry **link = &head;
    while (*link && *link != entry)
        link = &(*link)->next;
    if (*link)
        *link = entry->next;
    if (head)
        hmap_set(&inventory->by_deployment, deployment_id, head);
    else
        hmap_remove(&inventory->by_deployment, deployment_id);
}

static bool is_moving(const struct host *host)
{
    return host->state == HOST_PENDING || host->state == HOST_STOPPING || host->state == HOST_SHUTTING_DOWN;
}

static void keep_host(struct entry *entry, const struct host *host)
{
    packed_unref(entry->packed);
    entry->packed = host_pack(host);
    entry->is_live = host_is_live(host);
    entry->is_moving = is_moving(host);
    entry->is_ailing = host->health.ailment != HOST_WELL;
}

static struct host host_of(const struct entry *entry)
{
    struct host host;
    host_unpack(entry->packed, &host);
    return host;
}

static bool tags_equal(const struct host *a, const struct host *b)
{
    return strcmp(a->deployment_id, b->deployment_id) == 0 && strcmp(a->launch_hash, b->launch_hash) == 0 &&
           strcmp(a->cluster_id, b->cluster_id) == 0 && a->name_digest == b->name_digest &&
           a->namespace_digest == b->namespace_digest && a->title_digest == b->title_digest &&
           a->is_retained == b->is_retained && a->are_tags_told == b->are_tags_told &&
           a->tag_count == b->tag_count &&
           memcmp(a->tag_digests, b->tag_digests, sizeof(a->tag_digests)) == 0;
}

static bool hosts_equal(const struct host *a, const struct host *b)
{
    return a->state == b->state && strcmp(a->private_ip, b->private_ip) == 0 &&
           strcmp(a->public_ip, b->public_ip) == 0 && a->launch_ms == b->launch_ms &&
           a->group_digest == b->group_digest && a->lacks_enclave == b->lacks_enclave &&
           strcmp(a->state_reason, b->state_reason) == 0 && tags_equal(a, b);
}

static struct entry *add(struct inventory *inventory, const struct host *host, int64_t mono_ms)
{
    struct entry *entry = mem_calloc(1, sizeof(*entry));
    struct host now = *host;
    now.state_since_ms = mono_ms;
    entry->is_changed = true;
    keep_host(entry, &now);
    hmap_set(&inventory->by_id, host->id, entry);
    link_entry(inventory, entry, host->deployment_id);
    return entry;
}

static void update(struct inventory *inventory, struct entry *entry, const struct host *host, int64_t mono_ms)
{
    struct host before = host_of(entry);
    struct host now = *host;
    now.state_since_ms = before.state == host->state ? before.state_since_ms : mono_ms;
    now.health = before.health;
    entry->is_changed = entry->is_changed || !hosts_equal(&before, host);
    if (strcmp(before.deployment_id, host->deployment_id) != 0) {
        changes_add(&inventory->left, before.deployment_id);
        unlink_entry(inventory, entry, before.deployment_id);
        link_entry(inventory, entry, host->deployment_id);
    }
    keep_host(entry, &now);
    if (entry->is_counted && !entry->is_live) {
        entry->is_counted = false;
        inventory->live_count--;
    }
}

void inventory_put(struct inventory *inventory, const struct host *host, int64_t mono_ms)
{
    LOCK_SCOPE(&inventory->mutex);
    struct entry *entry = hmap_get(&inventory->by_id, host->id);
    if (entry)
        update(inventory, entry, host, mono_ms);
    else
        entry = add(inventory, host, mono_ms);
    entry->mark = inventory->mark;
    note_seen(inventory, host->id);
}

/* What was put stays: it is what EC2 said. Only the sweep needs a whole pass, and the next one marks anew. */
void inventory_abandon(struct inventory *inventory)
{
    LOCK_SCOPE(&inventory->mutex);
    inventory->begin_ms = 0;
}

static struct changes take_left(struct inventory *inventory)
{
    struct changes left = inventory->left;
    inventory->left = (struct changes){0};
    return left;
}

static void drop(struct inventory *inventory, struct entry *entry, const struct host *host)
{
    unlink_entry(inventory, entry, host->deployment_id);
    hmap_remove(&inventory->by_id, host->id);
    entry_free(entry);
}

static struct changes sweep(struct inventory *inventory)
{
    LOCK_SCOPE(&inventory->mutex);
    struct changes changes = take_left(inventory);
    struct hmap_iter iter = {0};
    inventory->live_count = 0;
    while (hmap_next(&inventory->by_id, &iter)) {
        struct entry *entry = iter.value;
        bool is_gone = entry->mark != inventory->mark;
        entry->is_counted = !is_gone && entry->is_live;
        inventory->live_count += entry->is_counted;
        if (!is_gone && !entry->is_changed)
            continue;
        struct host host = host_of(entry);
        changes_add(&changes, host.deployment_id);
        entry->is_changed = false;
        if (is_gone)
            drop(inventory, entry, &host);
    }
    forget_awaited(inventory);
    inventory->completed_ms = inventory->begin_ms;
    return changes;
}

void inventory_end(struct inventory *inventory, void (*changed)(void *ctx, const char *deployment_id),
                   void *ctx)
{
    struct changes changes = sweep(inventory);
    for (size_t i = 0; i < changes.count; i++)
        changed(ctx, changes.ids[i]);
    free(changes.ids);
}

static struct changes take_changes(struct inventory *inventory)
{
    LOCK_SCOPE(&inventory->mutex);
    struct changes changes = take_left(inventory);
    struct hmap_iter iter = {0};
    while (hmap_next(&inventory->by_id, &iter)) {
        struct entry *entry = iter.value;
        if (!entry->is_changed)
            continue;
        struct host host = host_of(entry);
        changes_add(&changes, host.deployment_id);
        entry->is_changed = false;
    }
    return changes;
}

void inventory_end_part(struct inventory *inventory, void (*changed)(void *ctx, const char *deployment_id),
                        void *ctx)
{
    struct changes changes = take_changes(inventory);
    for (size_t i = 0; i < changes.count; i++)
        changed(ctx, changes.ids[i]);
    free(changes.ids);
}

void inventory_begin_health(struct inventory *inventory, int64_t mono_ms)
{
    LOCK_SCOPE(&inventory->mutex);
    inventory->health_mark++;
    inventory->health_begin_ms = mono_ms;
}

/* EC2 may name a host more than once in a look: as impaired and as one to retire. The latter counts. */
void inventory_put_health(struct inventory *inventory, const char *id, const struct host_health *health)
{
    LOCK_SCOPE(&inventory->mutex);
    struct entry *entry = hmap_get(&inventory->by_id, id);
    if (!entry)
        return;
    struct host host = host_of(entry);
    const struct host_health known = host.health;
    bool is_lesser = entry->health_mark == inventory->health_mark && health->ailment < known.ailment;
    entry->health_mark = inventory->health_mark;
    if (is_lesser || (known.ailment == health->ailment && known.event_ms == health->event_ms))
        return;
    host.health = *health;
    if (known.ailment != HOST_WELL) { /* it ails since then, in whatever way */
        host.health.since_ms = known.since_ms;
        host.health.since_wall_ms = known.since_wall_ms;
    }
    keep_host(entry, &host);
    entry->is_changed = true;
}

static void forget_recovered(struct inventory *inventory)
{
    LOCK_SCOPE(&inventory->mutex);
    struct hmap_iter iter = {0};
    while (hmap_next(&inventory->by_id, &iter)) {
        struct entry *entry = iter.value;
        if (!entry->is_ailing || entry->health_mark == inventory->health_mark)
            continue;
        struct host host = host_of(entry);
        host.health = (struct host_health){0};
        keep_host(entry, &host);
        entry->is_changed = true;
    }
    inventory->health_ms = inventory->health_begin_ms;
}

void inventory_end_health(struct inventory *inventory, void (*changed)(void *ctx, const char *deployment_id),
                          void *ctx)
{
    forget_recovered(inventory);
    inventory_end_part(inventory, changed, ctx);
}

int64_t inventory_health_ms(struct inventory *inventory)
{
    LOCK_SCOPE(&inventory->mutex);
    return inventory->health_ms;
}

static void list_add(char (**ids)[HOST_ID_SIZE], size_t *count, const char *id)
{
    *ids = mem_realloc(*ids, *count + 1, sizeof((*ids)[0]));
    snprintf((*ids)[(*count)++], sizeof((*ids)[0]), "%s", id);
}

size_t inventory_list_moving(struct inventory *inventory, char (**ret_ids)[HOST_ID_SIZE])
{
    LOCK_SCOPE(&inventory->mutex);
    size_t count = 0;
    *ret_ids = NULL;
    struct hmap_iter iter = {0};
    while (hmap_next(&inventory->by_id, &iter)) {
        const struct entry *entry = iter.value;
        if (entry->is_moving)
            list_add(ret_ids, &count, iter.key);
    }
    iter = (struct hmap_iter){0};
    while (hmap_next(&inventory->awaited, &iter)) {
        const struct entry *entry = hmap_get(&inventory->by_id, iter.key);
        if (!entry || !entry->is_moving)
            list_add(ret_ids, &count, iter.key);
    }
    return count;
}

bool inventory_has_moving(struct inventory *inventory)
{
    LOCK_SCOPE(&inventory->mutex);
    struct hmap_iter iter = {0};
    while (hmap_next(&inventory->by_id, &iter))
        if (((const struct entry *)iter.value)->is_moving)
            return true;
    return inventory->awaited.count > 0;
}

int64_t inventory_completed_ms(struct inventory *inventory)
{
    LOCK_SCOPE(&inventory->mutex);
    return inventory->completed_ms;
}

size_t inventory_count(struct inventory *inventory)
{
    LOCK_SCOPE(&inventory->mutex);
    return inventory->by_id.count;
}

size_t inventory_count_live(struct inventory *inventory)
{
    LOCK_SCOPE(&inventory->mutex);
    return inventory->live_count;
}

size_t inventory_find(struct inventory *inventory, const char *deployment_id, struct host *ret_hosts,
                      size_t max)
{
    LOCK_SCOPE(&inventory->mutex);
    size_t count = 0;
    const struct entry *first = hmap_get(&inventory->by_deployment, deployment_id);
    for (int is_live = 1; is_live >= 0; is_live--)
        for (const struct entry *entry = first; entry && count < max; entry = entry->next)
            if (entry->is_live == (is_live == 1))
                host_unpack(entry->packed, &ret_hosts[count++]);
    return count;
}

bool inventory_get(struct inventory *inventory, const char *id, struct host *ret_host)
{
    LOCK_SCOPE(&inventory->mutex);
    const struct entry *entry = hmap_get(&inventory->by_id, id);
    if (entry)
        host_unpack(entry->packed, ret_host);
    return entry != NULL;
}

void inventory_each(struct inventory *inventory, void (*each)(void *ctx, const struct host *host), void *ctx)
{
    LOCK_SCOPE(&inventory->mutex);
    struct hmap_iter iter = {0};
    while (hmap_next(&inventory->by_id, &iter)) {
        const struct host host = host_of(iter.value);
        each(ctx, &host);
    }
}
