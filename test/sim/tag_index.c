/* The key of the map is "<length of key>:<key><value>", so that no two pairs meet. */
#include "sim/tag_index.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "sim/world.h"

#include <string.h>

struct list {
    struct sim_instance **items;
    size_t count;
    size_t cap;
};

static char *map_key(const char *key, const char *value)
{
    return mem_printf("%zu:%s%s", strlen(key), key, value);
}

static void list_free(void *pointer)
{
    struct list *list = pointer;
    if (list)
        free(list->items);
    free(list);
}

void tag_index_init(struct tag_index *index)
{
    hmap_init(&index->lists);
}

void tag_index_done(struct tag_index *index)
{
    hmap_done(&index->lists, list_free);
}

/* Where an instance with that sequence is or belongs. */
static size_t position(const struct list *list, uint64_t sequence)
{
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->items[middle]->sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void tag_index_add(struct tag_index *index, const char *key, const char *value, struct sim_instance *instance)
{
    CLEANUP(freep) char *name = map_key(key, value);
    struct list *list = hmap_get(&index->lists, name);
    if (!list) {
        list = mem_calloc(1, sizeof(*list));
        hmap_set(&index->lists, name, list);
    }
    if (list->count == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 4;
        list->items = mem_realloc(list->items, list->cap, sizeof(struct sim_instance *));
    }
    size_t at = position(list, instance->sequence);
    memmove(list->items + at + 1, list->items + at, (list->count - at) * sizeof(struct sim_instance *));
    list->items[at] = instance;
    list->count++;
}

void tag_index_remove(struct tag_index *index, const char *key, const char *value,
                      const struct sim_instance *instance)
{
    CLEANUP(freep) char *name = map_key(key, value);
    struct list *list = hmap_get(&index->lists, name);
    size_t at = list ? position(list, instance->sequence) : 0;
    if (!list || at == list->count || list->items[at] != instance)
        return;
    list->count--;
    memmove(list->items + at, list->items + at + 1, (list->count - at) * sizeof(struct sim_instance *));
    if (list->count == 0)
        list_free(hmap_remove(&index->lists, name));
}

size_t tag_index_find(const struct tag_index *index, const char *key, const char *value,
                      struct sim_instance *const **ret_list)
{
    CLEANUP(freep) char *name = map_key(key, value);
    const struct list *list = hmap_get(&index->lists, name);
    *ret_list = list ? list->items : NULL;
    return list ? list->count : 0;
}
