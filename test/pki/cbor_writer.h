/* cbor_writer: appends CBOR items to a buffer; what the test documents are made of.
 *
 * Model: one call, one item or one head, always in the shortest form. Containers are a head followed by their
 * members; the caller counts. Threads: none.   Ownership: the buf is the caller's.   Limits: the buf's
 * ceiling. Errors: sticky in the buf. */
#ifndef TEE_TEST_PKI_CBOR_WRITER_H
#define TEE_TEST_PKI_CBOR_WRITER_H

#include "base/buf.h"

#include <stdint.h>

enum cbor_major {
    CBOR_MAJOR_UINT = 0,
    CBOR_MAJOR_NEGATIVE = 1,
    CBOR_MAJOR_BYTES = 2,
    CBOR_MAJOR_TEXT = 3,
    CBOR_MAJOR_ARRAY = 4,
    CBOR_MAJOR_MAP = 5,
    CBOR_MAJOR_TAG = 6
};

void cbor_write_head(struct buf *out, enum cbor_major major, uint64_t value);
void cbor_write_bytes(struct buf *out, const void *data, size_t len);
void cbor_write_text(struct buf *out, const char *text);
void cbor_write_null(struct buf *out);
void cbor_write_indefinite(struct buf *out, enum cbor_major major);
void cbor_write_break(struct buf *out);

#endif
