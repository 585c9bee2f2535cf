/* Sift up, sift down; every move goes through put(). */
#include "base/heap.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

void heap_init(struct heap *heap, bool (*before)(const void *, const void *), void (*place)(void *, size_t))
{
    *heap = (struct heap){.before = before, .place = place};
}

void heap_done(struct heap *heap)
{
    free(heap->items);
    heap_init(heap, heap->before, heap->place);
}

static void put(struct heap *heap, size_t index, void *item)
{
    heap->items[index] = item;
    heap->place(item, index);
}

static void sift_up(struct heap *heap, size_t index)
{
    void *item = heap->items[index];
    while (index > 0 && heap->before(item, heap->items[(index - 1) / 2])) {
        put(heap, index, heap->items[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    put(heap, index, item);
}

static void sift_down(struct heap *heap, size_t index)
{
    void *item = heap->items[index];
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && heap->before(heap->items[child + 1], heap->items[child]))
            child++;
        if (!heap->before(heap->items[child], item))
            break;
        put(heap, index, heap->items[child]);
        index = child;
    }
    put(heap, index, item);
}

void heap_push(struct heap *heap, void *item)
{
    if (heap->count == heap->cap) {
        heap->cap = heap->cap ? heap->cap * 2 : 16;
        heap->items = mem_realloc(heap->items, heap->cap, sizeof(void *));
    }
    heap->items[heap->count++] = item;
    sift_up(heap, heap->count - 1);
}

void *heap_peek(const struct heap *heap)
{
    return heap->count ? heap->items[0] : NULL;
}

void heap_update(struct heap *heap, size_t index)
{
    assert(index < heap->count);
    sift_up(heap, index);
    sift_down(heap, index);
}

void heap_remove(struct heap *heap, size_t index)
{
    assert(index < heap->count);
    void *last = heap->items[--heap->count];
    if (index == heap->count)
        return;
    heap->items[index] = last;
    heap_update(heap, index);
}
