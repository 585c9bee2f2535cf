/* eif_writer: writes small Nitro image files (EIF), right ones and, by what a test does afterwards, wrong
 * ones.
 *
 * Model: an image is a list of parts, written in their order behind a header that describes them. Nothing is
 * checked: more parts than the header's table holds, unknown types and empty parts are all written. A test
 * that changes bytes afterwards calls eif_sum() to make the CRC right again. Nothing here uses pkg/nitro, so
 * that the two can be compared. Threads: any.   Ownership: parts are borrowed, bufs are the caller's.
 * Limits: EIF_PARTS_MAX parts, the buf's ceiling. Errors: abort, as this is test code. */
#ifndef TEE_TEST_PKI_EIF_WRITER_H
#define TEE_TEST_PKI_EIF_WRITER_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EIF_PARTS_MAX = 40, EIF_TABLE_ENTRIES = 32, EIF_HEADER_BYTES = 548, EIF_PART_HEADER_BYTES = 12 };

enum eif_part_type {
    EIF_PART_KERNEL = 1,
    EIF_PART_CMDLINE,
    EIF_PART_RAMDISK,
    EIF_PART_SIGNATURE,
    EIF_PART_METADATA
};

struct eif_part {
    enum eif_part_type type;
    const void *data;
    size_t len;
};

struct eif_image {
    uint16_t version;
    bool is_arm64;
    uint64_t memory_bytes;
    uint64_t cpus;
    struct eif_part parts[EIF_PARTS_MAX];
    size_t part_count;
};

void eif_add_part(struct eif_image *image, enum eif_part_type type, const void *data, size_t len);
/* Appends the file to out, which must be empty. */
void eif_write(const struct eif_image *image, struct buf *out);
/* Sets the CRC-32 in the header of a file of at least EIF_HEADER_BYTES. */
void eif_sum(void *file, size_t len);
/* Where part i begins with its header. */
size_t eif_part_offset(const struct eif_image *image, size_t i);

#endif
