/* "type subnet" -> until when. Expired entries go when a new one comes. */
#include "reconcile/capacity.h"

#include "base/hmap.h"
#include "base/mem.h"
#include "base/thread.h"

#include <stdlib.h>

struct capacity {
    pthread_mutex_t mutex;
    struct hmap short_until; /* -> int64_t, monotonic ms */
};

struct capacity *capacity_new(void)
{
    struct capacity *capacity = mem_calloc(1, sizeof(*capacity));
    mutex_init(&capacity->mutex);
    hmap_init(&capacity->short_until);
    return capacity;
}

struct capacity *capacity_free(struct capacity *capacity)
{
    if (!capacity)
        return NULL;
    hmap_done(&capacity->short_until, free);
    pthread_mutex_destroy(&capacity->mutex);
    free(capacity);
    return NULL;
}

static char *place_of(const char *type, const char *subnet_id)
{
    return mem_printf("%s %s", type ? type : "", subnet_id ? subnet_id : "");
}

static void forget_old(struct capacity *capacity, int64_t mono_ms)
{
    struct hmap_iter iter = {0};
    while (hmap_next(&capacity->short_until, &iter)) {
        const int64_t *until_ms = iter.value;
        if (*until_ms <= mono_ms)
            free(hmap_remove(&capacity->short_until, iter.key));
    }
}

void capacity_note(struct capacity *capacity, const char *type, const char *subnet_id, int64_t mono_ms)
{
    CLEANUP(freep) char *place = place_of(type, subnet_id);
    int64_t *until_ms = mem_alloc(sizeof(*until_ms));
    LOCK_SCOPE(&capacity->mutex);
    forget_old(capacity, mono_ms);
    *until_ms = mono_ms + CAPACITY_SHORT_MS;
    free(hmap_set(&capacity->short_until, place, until_ms));
}

static int64_t short_until_ms(const struct capacity *capacity, const char *type, const char *subnet_id,
                              int64_t mono_ms)
{
    CLEANUP(freep) char *place = place_of(type, subnet_id);
    const int64_t *until_ms = hmap_get(&capacity->short_until, place);
    return until_ms && *until_ms > mono_ms ? *until_ms : 0;
}

int64_t capacity_free_ms(struct capacity *capacity, const struct host *host, int64_t mono_ms)
{
    LOCK_SCOPE(&capacity->mutex);
    return short_until_ms(capacity, host->type, host->subnet_id, mono_ms);
}

void capacity_look(struct capacity *capacity, const struct tee_instance_spec *instance, int64_t mono_ms,
                   struct capacity_view *ret_view)
{
    size_t count = instance->subnet_count > 0 ? instance->subnet_count : 1;
    struct capacity_view view = {.is_all_short = true, .free_ms = INT64_MAX};
    LOCK_SCOPE(&capacity->mutex);
    for (size_t i = 0; i < count && i < 32; i++) {
        int64_t until_ms =
            short_until_ms(capacity, instance->instance_type,
                           instance->subnet_count > 0 ? instance->subnet_ids[i] : NULL, mono_ms);
        if (until_ms == 0) {
            view.is_all_short = false;
            continue;
        }
        view.short_mask |= UINT32_C(1) << i;
        if (until_ms < view.free_ms)
            view.free_ms = until_ms;
    }
    *ret_view = view;
}
