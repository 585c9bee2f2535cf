/* arena: many small pieces that live and die together.
 *
 * Model: an object decoded from JSON is a few dozen strings and short lists that are never changed and are
 * freed at once. They are packed into blocks, so that an object costs its bytes and not an allocation per
 * field, and so that no destructor has to know the fields. Threads: none while filling; read-only afterwards.
 * Ownership: the arena owns all it returns. Limits: the caller bounds its input.   Errors: cannot fail. */
#ifndef TEE_BASE_ARENA_H
#define TEE_BASE_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *blocks;
};

void arena_init(struct arena *arena);
void arena_done(struct arena *arena);
/* Zeroed and aligned for any type. */
void *arena_calloc(struct arena *arena, size_t count, size_t size);
/* NULL in, NULL out. */
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t len);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Bytes held, for figures. */
size_t arena_bytes(const struct arena *arena);

#endif
