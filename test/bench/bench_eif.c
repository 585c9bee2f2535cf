/* Prints how fast image files are measured: a generated image of 512 MiB, with the application in the first
 * and only ramdisk (digested once) and in a second one (digested for PCR0 and for PCR2). */
#include "base/clock.h"
#include "base/crc32.h"
#include "base/mem.h"
#include "nitro/eif.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_BYTES = 548, SECTION_HEADER_BYTES = 12, AT_CRC = 544, BOOT_BYTES = 8 << 20 };

static const size_t application_bytes = 512 << 20;

static void put_be(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

static size_t put_section(uint8_t *file, size_t index, unsigned type, size_t at, size_t len)
{
    put_be(file + 28 + 8 * index, at, 8);
    put_be(file + 284 + 8 * index, len, 8);
    put_be(file + at, (uint64_t)type << 16, 4); /* and no flags */
    put_be(file + at + 4, len, 8);
    memset(file + at + SECTION_HEADER_BYTES, (int)index + 1, len);
    return at + SECTION_HEADER_BYTES + len;
}

/* Kernel, command line, and the application behind none or one ramdisk more. */
static size_t make_file(uint8_t *file, size_t ramdisks)
{
    struct crc32 crc;
    size_t at = HEADER_BYTES;
    memset(file, 0, HEADER_BYTES);
    memcpy(file, ".eif\0\4", 6);
    put_be(file + 26, 2 + ramdisks, 2);
    at = put_section(file, 0, 1, at, BOOT_BYTES);
    at = put_section(file, 1, 2, at, 100);
    for (size_t i = 0; i < ramdisks; i++)
        at = put_section(file, 2 + i, 3, at, i + 1 < ramdisks ? BOOT_BYTES : application_bytes);
    crc32_init(&crc);
    crc32_update(&crc, file, AT_CRC);
    crc32_update(&crc, file + HEADER_BYTES, at - HEADER_BYTES);
    put_be(file + AT_CRC, crc32_value(&crc), 4);
    return at;
}

static void run(uint8_t *file, size_t ramdisks)
{
    struct eif_measurement found;
    struct error err;
    struct crc32 crc;
    size_t len = make_file(file, ramdisks);
    int64_t start_ms = clock_mono_ms(clock_real());
    if (eif_measure(file, len, &found, &err) < 0) {
        fprintf(stderr, "refused: %s\n", err.text);
        abort();
    }
    int64_t end_ms = clock_mono_ms(clock_real());
    crc32_init(&crc);
    crc32_update(&crc, file, len);
    int64_t summed_ms = clock_mono_ms(clock_real());
    printf("%zu ramdisk(s): %.0f MB/s (the CRC alone: %.0f MB/s)\n", ramdisks,
           (double)len / 1000 / (double)(end_ms - start_ms),
           (double)len / 1000 / (double)(summed_ms - end_ms));
}

int main(void)
{
    uint8_t *file = mem_alloc(application_bytes + (64 << 20));
    run(file, 1);
    run(file, 2);
    free(file);
    return 0;
}
