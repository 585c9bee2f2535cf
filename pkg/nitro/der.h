/* der: a pull reader for DER (ITU-T X.690), as far as certificates need it.
 *
 * Model: der_next() yields one element at a time as spans into the input; der_enter() reads the members of a
 * constructed one. Only DER is read, not the wider BER: tags of one byte, definite lengths in their shortest
 * form, booleans that are 00 or FF, integers without a needless byte. Nothing is allocated and nothing
 * recurses. Threads: any.   Ownership: spans borrow the input.   Limits: lengths up to 65535 bytes. Errors:
 * -1 = malformed; the reader must then not be used further. */
#ifndef TEE_NITRO_DER_H
#define TEE_NITRO_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Identifier octets, class and constructed bit included. */
enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OID = 0x06,
    DER_UTF8_STRING = 0x0c,
    DER_PRINTABLE_STRING = 0x13,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT_0 = 0x80 /* | number; | 0x20 if constructed */
};

struct der_reader {
    const uint8_t *at;
    const uint8_t *end;
};

struct der_item {
    unsigned tag;
    const uint8_t *data; /* the contents */
    size_t len;
    const uint8_t *whole; /* with tag and length */
    size_t whole_len;
};

void der_init(struct der_reader *reader, const void *data, size_t len);
void der_enter(struct der_reader *reader, const struct der_item *item);
bool der_is_at_end(const struct der_reader *reader);
/* Whether another element follows and has this tag. */
bool der_has(const struct der_reader *reader, unsigned tag);
int der_next(struct der_reader *reader, struct der_item *ret_item);
/* der_next() that fails unless the element has this tag. */
int der_expect(struct der_reader *reader, unsigned tag, struct der_item *ret_item);
bool der_equals(const struct der_item *item, const void *data, size_t len);

/* Whether the contents are a well-formed object identifier (X.690, 8.19.2). */
bool der_is_oid(const struct der_item *item);
int der_get_bool(const struct der_item *item, bool *ret_value);
/* An INTEGER of 0 to 2^31 - 1. */
int der_get_int(const struct der_item *item, int *ret_value);
/* UTCTime or GeneralizedTime in the one form of RFC 5280, 4.1.2.5: seconds, Z, no fraction; UTCTime up to
 * 2049. */
int der_get_time(const struct der_item *item, int64_t *ret_ms);

#endif
