/* Any bytes as an image file, with the CRC made right first, so that mutations get past it. What is accepted
 * must look the same to a reader that believes the header's table and never walks the sections. */
#include "base/crc32.h"
#include "base/encoding.h"
#include "nitro/eif.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    HEADER_BYTES = 548,
    AT_COUNT = 26,
    AT_OFFSETS = 28,
    AT_SIZES = 284,
    AT_CRC = 544,
    SECTION_HEADER = 12
};

static uint64_t read_be64(const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | at[i];
    return value;
}

static void make_sum_right(uint8_t *file, size_t size)
{
    struct crc32 crc;
    crc32_init(&crc);
    crc32_update(&crc, file, AT_CRC);
    crc32_update(&crc, file + HEADER_BYTES, size - HEADER_BYTES);
    for (int i = 0; i < 4; i++)
        file[AT_CRC + i] = (uint8_t)(crc32_value(&crc) >> (24 - 8 * i));
}

static void measure_by_table(const uint8_t *file, uint8_t ret_pcr0[EIF_PCR_BYTES])
{
    uint8_t input[2 * SHA384_BYTES] = {0};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_DigestInit_ex(ctx, EVP_sha384(), NULL);
    for (size_t i = 0; i < file[AT_COUNT + 1]; i++) {
        const uint8_t *section = file + read_be64(file + AT_OFFSETS + 8 * i);
        if (section[1] >= 1 && section[1] <= 3)
            EVP_DigestUpdate(ctx, section + SECTION_HEADER, read_be64(file + AT_SIZES + 8 * i));
    }
    EVP_DigestFinal_ex(ctx, input + SHA384_BYTES, NULL);
    EVP_MD_CTX_free(ctx);
    sha384(input, sizeof(input), ret_pcr0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eif_measurement found;
    struct error err;
    uint8_t pcr0[EIF_PCR_BYTES];
    if (size < HEADER_BYTES) {
        if (eif_measure(data, size, &found, &err) == 0)
            abort();
        return 0;
    }
    uint8_t *file = malloc(size);
    if (!file)
        return 0;
    memcpy(file, data, size);
    make_sum_right(file, size);
    if (eif_measure(file, size, &found, &err) == 0) {
        measure_by_table(file, pcr0);
        if (memcmp(found.pcr0, pcr0, EIF_PCR_BYTES) != 0)
            abort();
    }
    free(file);
    return 0;
}
