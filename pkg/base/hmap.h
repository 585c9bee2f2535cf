/* hmap: string key -> pointer.
 *
 * Model: a chained hash table that copies its keys and borrows its values. Iterate with hmap_next(); during
 * an iteration the only change allowed is the removal of the entry just returned. Threads: none.   Ownership:
 * keys are owned, values are the caller's.   Limits: memory.   Errors: cannot fail. */
#ifndef TEE_BASE_HMAP_H
#define TEE_BASE_HMAP_H

#include <stddef.h>
#include <stdint.h>

struct hmap_entry;
struct hmap {
    struct hmap_entry **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
};

struct hmap_iter {
    size_t bucket;
    struct hmap_entry *next;
    const char *key; /* borrowed */
    void *value;
};

void hmap_init(struct hmap *map);
/* free_value may be NULL. */
void hmap_done(struct hmap *map, void (*free_value)(void *));
/* NULL if absent. */
void *hmap_get(const struct hmap *map, const char *key);
/* Returns the value that was there, or NULL. */
void *hmap_set(struct hmap *map, const char *key, void *value);
void *hmap_remove(struct hmap *map, const char *key);
/* Start with a zeroed iter; returns 0 at the end. */
int hmap_next(const struct hmap *map, struct hmap_iter *iter);

#endif
