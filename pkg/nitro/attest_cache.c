/* Sets of WAYS entries; a digest's first bytes name the set, and within it the least recently used entry
 * goes. */
#include "nitro/attest_cache.h"

#include "base/mem.h"
#include "base/thread.h"

#include <stdlib.h>
#include <string.h>

enum { WAYS = 8 };

struct entry {
    uint64_t used; /* 0 = empty; else the count of uses when it was used last */
    uint8_t path[ATTEST_PATH_BYTES];
    struct attest_cert cert;
};

struct attest_cache {
    pthread_mutex_t mutex;
    uint64_t uses;
    size_t set_count;
    struct entry entries[]; /* set_count * WAYS */
};

struct attest_cache *attest_cache_new(size_t max_entries)
{
    size_t set_count = max_entries < WAYS ? 1 : (max_entries + WAYS - 1) / WAYS;
    struct attest_cache *cache = mem_calloc(1, sizeof(*cache) + set_count * WAYS * sizeof(struct entry));
    mutex_init(&cache->mutex);
    cache->set_count = set_count;
    return cache;
}

struct attest_cache *attest_cache_free(struct attest_cache *cache)
{
    if (cache)
        pthread_mutex_destroy(&cache->mutex);
    free(cache);
    return NULL;
}

static bool is_of(const struct entry *entry, const uint8_t *path)
{
    return entry->used && memcmp(entry->path, path, ATTEST_PATH_BYTES) == 0;
}

/* The entry of that path, or else the one that a new entry is to replace. */
static struct entry *find(struct attest_cache *cache, const uint8_t *path)
{
    uint32_t number;
    memcpy(&number, path, sizeof(number));
    struct entry *set = cache->entries + number % cache->set_count * WAYS, *oldest = set;
    for (struct entry *entry = set; entry < set + WAYS; entry++) {
        if (is_of(entry, path))
            return entry;
        if (entry->used < oldest->used)
            oldest = entry;
    }
    return oldest;
}

bool attest_cache_get(struct attest_cache *cache, const uint8_t path[ATTEST_PATH_BYTES],
                      struct attest_cert *ret_cert)
{
    LOCK_SCOPE(&cache->mutex);
    struct entry *entry = find(cache, path);
    if (!is_of(entry, path))
        return false;
    entry->used = ++cache->uses;
    *ret_cert = entry->cert;
    return true;
}

void attest_cache_put(struct attest_cache *cache, const uint8_t path[ATTEST_PATH_BYTES],
                      const struct attest_cert *cert)
{
    LOCK_SCOPE(&cache->mutex);
    struct entry *entry = find(cache, path);
    entry->used = ++cache->uses;
    memcpy(entry->path, path, ATTEST_PATH_BYTES);
    entry->cert = *cert;
}
