/* cbor: a pull decoder for hostile CBOR (RFC 8949).
 *
 * Model: cbor_next() yields one item at a time as spans into the input; a container is entered with
 * cbor_enter() and walked with cbor_has_member() before each member (for a map: before each key). Nothing is
 * allocated and nothing recurses with the input. What a genuine attestation document never has is refused:
 * strings in chunks, and lengths or numbers that are not in their shortest form, so that a value has one
 * encoding. Definite and indefinite maps and arrays are both read. Threads: any.   Ownership: spans borrow
 * the input. Limits: containers 4 deep; a count above the bytes that are left is refused before use. Errors:
 * -1 = malformed; the reader must then not be used further. */
#ifndef TEE_NITRO_CBOR_H
#define TEE_NITRO_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CBOR_DEPTH_MAX = 4 };

enum cbor_type {
    CBOR_UINT,     /* value */
    CBOR_NEGATIVE, /* -1 - value */
    CBOR_BYTES,    /* data, len */
    CBOR_TEXT,     /* data, len; any bytes, UTF-8 is not checked */
    CBOR_ARRAY,    /* value members, unless indefinite */
    CBOR_MAP,      /* value pairs, unless indefinite */
    CBOR_TAG,      /* value; the tagged item follows */
    CBOR_NULL,
    CBOR_SIMPLE, /* other simple values and floats; nothing of them is kept */
    CBOR_BREAK   /* seen by cbor_has_member() alone */
};

struct cbor_item {
    enum cbor_type type;
    bool is_indefinite;
    uint64_t value;
    const uint8_t *data;
    size_t len;
};

struct cbor_reader {
    const uint8_t *at;
    const uint8_t *end;
    int depth;
};

struct cbor_container {
    bool is_indefinite;
    uint64_t left; /* members still to come, of a map: pairs */
};

void cbor_init(struct cbor_reader *reader, const void *data, size_t len);
bool cbor_is_at_end(const struct cbor_reader *reader);
int cbor_next(struct cbor_reader *reader, struct cbor_item *ret_item);
/* cbor_next() that fails unless the item is of this type. */
int cbor_expect(struct cbor_reader *reader, enum cbor_type type, struct cbor_item *ret_item);
/* item is the array or map just read. */
int cbor_enter(struct cbor_reader *reader, const struct cbor_item *item, struct cbor_container *ret);
/* 1: a member follows; 0: the container ended, its break consumed; -1: malformed. */
int cbor_has_member(struct cbor_reader *reader, struct cbor_container *container);
/* Reads over one whole item, containers included. */
int cbor_skip(struct cbor_reader *reader);

#endif
