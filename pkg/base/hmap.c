/* FNV-1a over the key; doubles at load 1. Keys are object names and instance ids that the API server and EC2
 * have admitted, so a keyed hash is not needed. */
#include "base/hmap.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct hmap_entry {
    struct hmap_entry *next;
    void *value;
    uint64_t hash;
    char key[];
};

static uint64_t hash_key(const char *key)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * UINT64_C(1099511628211);
    return hash;
}

void hmap_init(struct hmap *map)
{
    *map = (struct hmap){0};
}

void hmap_done(struct hmap *map, void (*free_value)(void *))
{
    for (size_t i = 0; i < map->bucket_count; i++)
        while (map->buckets[i]) {
            struct hmap_entry *entry = map->buckets[i];
            map->buckets[i] = entry->next;
            if (free_value)
                free_value(entry->value);
            free(entry);
        }
    free(map->buckets);
    hmap_init(map);
}

/* The link that points at the entry, or at the NULL where it would be. */
static struct hmap_entry **find(const struct hmap *map, const char *key, uint64_t hash)
{
    struct hmap_entry **link = &map->buckets[hash & (map->bucket_count - 1)];
    while (*link && ((*link)->hash != hash || strcmp((*link)->key, key) != 0))
        link = &(*link)->next;
    return link;
}

static void grow(struct hmap *map)
{
    size_t count = map->bucket_count ? map->bucket_count * 2 : 16;
    struct hmap_entry **buckets = mem_calloc(count, sizeof(struct hmap_entry *));
    for (size_t i = 0; i < map->bucket_count; i++)
        while (map->buckets[i]) {
            struct hmap_entry *entry = map->buckets[i];
            map->buckets[i] = entry->next;
            entry->next = buckets[entry->hash & (count - 1)];
            buckets[entry->hash & (count - 1)] = entry;
        }
    free(map->buckets);
    map->buckets = buckets;
    map->bucket_count = count;
}

void *hmap_get(const struct hmap *map, const char *key)
{
    if (map->count == 0)
        return NULL;
    struct hmap_entry *entry = *find(map, key, hash_key(key));
    return entry ? entry->value : NULL;
}

void *hmap_set(struct hmap *map, const char *key, void *value)
{
    if (map->count >= map->bucket_count)
        grow(map);
    uint64_t hash = hash_key(key);
    struct hmap_entry **link = find(map, key, hash);
    if (*link) {
        void *old = (*link)->value;
        (*link)->value = value;
        return old;
    }
    size_t size = strlen(key) + 1;
    struct hmap_entry *entry = mem_alloc(sizeof(*entry) + size);
    *entry = (struct hmap_entry){.value = value, .hash = hash};
    memcpy(entry->key, key, size);
    *link = entry;
    map->count++;
    return NULL;
}

void *hmap_remove(struct hmap *map, const char *key)
{
    if (map->count == 0)
        return NULL;
    struct hmap_entry **link = find(map, key, hash_key(key));
    struct hmap_entry *entry = *link;
    if (!entry)
        return NULL;
    void *value = entry->value;
    *link = entry->next;
    free(entry);
    map->count--;
    return value;
}

int hmap_next(const struct hmap *map, struct hmap_iter *iter)
{
    while (!iter->next) {
        if (iter->bucket >= map->bucket_count)
            return 0;
        iter->next = map->buckets[iter->bucket++];
    }
    iter->key = iter->next->key;
    iter->value = iter->next->value;
    iter->next = iter->next->next;
    return 1;
}
