/* crc32: the CRC-32 of ISO 3309, as in gzip, PNG and Nitro image files.
 *
 * Model: a sum over spans that are given one after the other: crc32_init(), crc32_update() for each, and
 * crc32_value() at any time. It finds accidents, not attackers. Threads: one struct, one thread.
 * Ownership: caller's memory, 8 KiB of it a table that crc32_init() computes.   Limits: none.   Errors:
 * cannot fail. */
#ifndef TEE_BASE_CRC32_H
#define TEE_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

struct crc32 {
    uint32_t state;
    uint32_t table[8][256];
};

void crc32_init(struct crc32 *crc);
void crc32_update(struct crc32 *crc, const void *data, size_t len);
uint32_t crc32_value(const struct crc32 *crc);

#endif
