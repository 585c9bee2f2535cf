/* heap: a binary min-heap of pointers that know their place.
 *
 * Model: `before` orders two items; `place` is told an item's index each time it moves, so that an item can
 * be taken out or moved from the middle in O(log n). Threads: none.   Ownership: items are the caller's.
 * Limits: memory.   Errors: cannot fail. */
#ifndef TEE_BASE_HEAP_H
#define TEE_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

struct heap {
    void **items;
    size_t count;
    size_t cap;
    bool (*before)(const void *a, const void *b);
    void (*place)(void *item, size_t index);
};

void heap_init(struct heap *heap, bool (*before)(const void *, const void *), void (*place)(void *, size_t));
void heap_done(struct heap *heap);
void heap_push(struct heap *heap, void *item);
/* NULL if empty. */
void *heap_peek(const struct heap *heap);
void heap_remove(struct heap *heap, size_t index);
/* After the item's order changed. */
void heap_update(struct heap *heap, size_t index);

#endif
