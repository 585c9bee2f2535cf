/* `turn` counts uses; the entry with the lowest is the one to go. The scan for it is short beside the calls
 * that a new entry stands for. */
#include "reconcile/preflight_cache.h"

#include "base/hmap.h"
#include "base/mem.h"
#include "base/thread.h"

#include <stdlib.h>

struct entry {
    struct preflight known;
    char *text; /* of known */
    bool is_asking;
    uint64_t turn;
};

struct preflight_cache {
    pthread_mutex_t mutex;
    struct hmap entries;
    uint64_t turn;
};

static void entry_free(void *value)
{
    struct entry *entry = value;
    if (!entry)
        return;
    free(entry->text);
    free(entry);
}

struct preflight_cache *preflight_cache_new(void)
{
    struct preflight_cache *cache = mem_calloc(1, sizeof(*cache));
    mutex_init(&cache->mutex);
    hmap_init(&cache->entries);
    return cache;
}

struct preflight_cache *preflight_cache_free(struct preflight_cache *cache)
{
    if (!cache)
        return NULL;
    hmap_done(&cache->entries, entry_free);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
    return NULL;
}

void preflight_cache_get(struct preflight_cache *cache, const char *key, struct arena *arena,
                         struct preflight *ret_known)
{
    LOCK_SCOPE(&cache->mutex);
    struct entry *entry = hmap_get(&cache->entries, key);
    *ret_known = (struct preflight){0};
    if (!entry)
        return;
    entry->turn = ++cache->turn;
    *ret_known = entry->known;
    ret_known->text = arena_strdup(arena, entry->known.text);
}

static void make_room(struct preflight_cache *cache)
{
    struct hmap_iter iter = {0};
    const char *oldest = NULL;
    uint64_t turn = UINT64_MAX;
    if (cache->entries.count < PREFLIGHT_CACHE_MAX)
        return;
    while (hmap_next(&cache->entries, &iter)) {
        const struct entry *entry = iter.value;
        if (!entry->is_asking && entry->turn < turn) {
            turn = entry->turn;
            oldest = iter.key;
        }
    }
    if (oldest)
        entry_free(hmap_remove(&cache->entries, oldest));
}

bool preflight_cache_begin(struct preflight_cache *cache, const char *key)
{
    LOCK_SCOPE(&cache->mutex);
    struct entry *entry = hmap_get(&cache->entries, key);
    if (!entry) {
        make_room(cache);
        entry = mem_calloc(1, sizeof(*entry));
        hmap_set(&cache->entries, key, entry);
    }
    if (entry->is_asking)
        return false;
    entry->is_asking = true;
    entry->turn = ++cache->turn;
    return true;
}

void preflight_cache_end(struct preflight_cache *cache, const char *key, const struct preflight *result)
{
    LOCK_SCOPE(&cache->mutex);
    struct entry *entry = hmap_get(&cache->entries, key);
    entry->is_asking = false;
    if (!result)
        return;
    free(entry->text);
    entry->text = mem_strdup(result->text);
    entry->known = *result;
    entry->known.text = entry->text;
}

void preflight_cache_forget(struct preflight_cache *cache, const char *key)
{
    LOCK_SCOPE(&cache->mutex);
    struct entry *entry = hmap_get(&cache->entries, key);
    if (entry && !entry->is_asking)
        entry_free(hmap_remove(&cache->entries, key));
}
