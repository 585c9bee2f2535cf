/* pack: one walk over the fields of a struct that writes them into few bytes, and reads them back.
 *
 * Model: the same function names each field once, in order; whether it writes or reads, the pack knows, so
 * that the two cannot come apart. Numbers take as many bytes as they need, absent texts one, hex digits half,
 * and words of a known list one. The bytes are read by the program that wrote them: they are no format.
 * Threads: none. A walk that writes changes nothing in the struct.   Ownership: texts that were read point
 * into the packed bytes or the arena, both of which must outlive them.   Limits: the buffer's ceiling.
 * Errors: bytes that were not written by the same walk abort. */
#ifndef TEE_BASE_PACK_H
#define TEE_BASE_PACK_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/ref.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What was written, kept; immutable and reference-counted. */
struct packed {
    struct ref ref;
    uint32_t len;
    unsigned char bytes[];
};

struct pack {
    struct buf *out;         /* NULL: this walk reads */
    const unsigned char *at; /* of what is read */
    const unsigned char *end;
    struct arena *arena; /* for lists, and for texts that are packed as something else */
};

struct pack pack_writer(struct buf *out);
/* arena: NULL where the walk has neither lists nor hex. */
struct pack pack_reader(const struct packed *packed, struct arena *arena);
static inline bool pack_reads(const struct pack *pack)
{
    return !pack->out;
}

/* Writing: notes the value and returns it. Reading: returns the one that was noted. */
int64_t pack_number(struct pack *pack, int64_t value);
/* For a field of any integer type, enum or bool. */
#define PACK(pack, field)                                                                                    \
    do {                                                                                                     \
        int64_t packed_ = pack_number(pack, (int64_t)(field));                                               \
        if (pack_reads(pack))                                                                                \
            (field) = (__typeof__(field))packed_;                                                            \
    } while (0)
/* NULL stays NULL. */
void pack_text(struct pack *pack, const char **text);
/* A text that mostly is lower-case hex; any other is kept as well. */
void pack_hex(struct pack *pack, const char **text);
/* A text that mostly is one of the words. NULLs in the list are skipped. */
void pack_word(struct pack *pack, const char **text, const char *const *words, size_t count);
void pack_bytes(struct pack *pack, void *data, size_t len);
/* A text in the struct itself, hex or any other. */
void pack_chars(struct pack *pack, char *text, size_t size);
/* The elements to walk over: the list itself, or, reading, a zeroed one of the number that was noted. */
void *pack_list(struct pack *pack, const void *list, size_t *count, size_t size);

/* Of a walk's whole output; aborts if that did not fit. */
struct packed *packed_new(const struct buf *bytes);
struct packed *packed_ref(struct packed *packed);
/* NULL in, NULL out; returns NULL. */
struct packed *packed_unref(struct packed *packed);
/* Memory that it takes. */
size_t packed_bytes(const struct packed *packed);

#endif
