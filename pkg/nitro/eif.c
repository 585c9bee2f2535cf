/* The layout is checked first, from the headers alone; then one pass over the bytes feeds the CRC and the
 * digests, a piece at a time, so that memory is read once. PCR0 and PCR1 differ only from the second ramdisk
 * on, so that until then one digest stands for both. */
#include "nitro/eif.h"

#include "base/crc32.h"
#include "base/encoding.h"
#include "nitro/eif_signature.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the header's fields are. Everything is big-endian. */
enum {
    AT_VERSION = 4,
    AT_FLAGS = 6,
    AT_MEMORY = 8,
    AT_CPUS = 16,
    AT_RESERVED = 24,
    AT_COUNT = 26,
    AT_OFFSETS = 28,
    AT_SIZES = AT_OFFSETS + 8 * EIF_SECTIONS_MAX,
    AT_UNUSED = AT_SIZES + 8 * EIF_SECTIONS_MAX,
    AT_CRC = AT_UNUSED + 4,
    HEADER_BYTES = AT_CRC + 4
};

enum { FLAG_ARM64 = 1, VERSION_MIN = 2, VERSION_MAX = 4 };

/* A section's own header: type, flags, size. */
enum { AT_SECTION_FLAGS = 2, AT_SECTION_SIZE = 4, SECTION_HEADER_BYTES = 12 };

enum section_type { KERNEL = 1, CMDLINE, RAMDISK, SIGNATURE, METADATA, TYPE_COUNT };

static const char *const type_names[TYPE_COUNT] = {NULL,      "kernel",    "cmdline",
                                                   "ramdisk", "signature", "metadata"};

enum { PIECE_BYTES = 1 << 16 };

struct section {
    enum section_type type;
    const uint8_t *data;
    size_t len;
};

struct image {
    const uint8_t *data;
    size_t len;
    size_t count;
    struct section sections[EIF_SECTIONS_MAX];
    size_t counts[TYPE_COUNT];
};

static uint64_t read_be(const uint8_t *at, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++)
        value = value << 8 | at[i];
    return value;
}

static int malformed(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int malformed(struct error *err, const char *format, ...)
{
    char text[sizeof(err->text)];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return error_set(err, ERROR_INVALID, "MalformedImage", "%s", text);
}

static int check_header(const uint8_t *data, size_t len, struct error *err)
{
    if (len < HEADER_BYTES)
        return malformed(err, "%zu bytes are too few for the header of an EIF, which has %d", len,
                         HEADER_BYTES);
    if (memcmp(data, ".eif", AT_VERSION) != 0)
        return malformed(err, "not an EIF: it does not start with '.eif'");
    unsigned version = (unsigned)read_be(data + AT_VERSION, 2), flags = (unsigned)read_be(data + AT_FLAGS, 2);
    if (version < VERSION_MIN || version > VERSION_MAX)
        return malformed(err, "header: EIF version %u, but only %d to %d are known", version, VERSION_MIN,
                         VERSION_MAX);
    if (flags & ~(unsigned)FLAG_ARM64)
        return malformed(err, "header: flags 0x%04x, of which only 0x%04x (arm64) is known", flags,
                         FLAG_ARM64);
    if (read_be(data + AT_RESERVED, 2) != 0 || read_be(data + AT_UNUSED, 4) != 0)
        return malformed(err, "header: a reserved field (offset %d or %d) is not zero", AT_RESERVED,
                         AT_UNUSED);
    unsigned count = (unsigned)read_be(data + AT_COUNT, 2);
    if (count == 0 || count > EIF_SECTIONS_MAX)
        return malformed(err, "header: %u sections, but an EIF has 1 to %d", count, EIF_SECTIONS_MAX);
    return 0;
}

/* The header's table must say the same as the sections themselves, or two readers might see two images. The
 * one exception is a signature's size: nitro-cli forgets to write it anew when it replaces a signature. */
static int check_table(const struct image *image, size_t index, size_t offset, struct error *err)
{
    uint64_t table_offset = read_be(image->data + AT_OFFSETS + 8 * index, 8);
    uint64_t table_size = read_be(image->data + AT_SIZES + 8 * index, 8);
    const struct section *section = &image->sections[index];
    if (table_offset != offset)
        return malformed(err, "section %zu: the header puts it at offset %" PRIu64 ", but it starts at %zu",
                         index, table_offset, offset);
    if (table_size != section->len && section->type != SIGNATURE)
        return malformed(err,
                         "section %zu (%s): %" PRIu64
                         " bytes by the header's table, but %zu by its own header at %zu",
                         index, type_names[section->type], table_size, section->len, offset);
    return 0;
}

/* Sections touch, so that each starts where the one before it ends; *offset moves over this one. */
static int read_section(struct image *image, size_t index, size_t *offset, struct error *err)
{
    size_t at = *offset, left = image->len - at;
    if (left < SECTION_HEADER_BYTES)
        return malformed(err, "section %zu at offset %zu: the file ends within its header", index, at);
    const uint8_t *header = image->data + at;
    unsigned type = (unsigned)read_be(header, 2), flags = (unsigned)read_be(header + AT_SECTION_FLAGS, 2);
    uint64_t size = read_be(header + AT_SECTION_SIZE, 8);
    if (type == 0 || type >= TYPE_COUNT)
        return malformed(err, "section %zu at offset %zu: unknown type %u", index, at, type);
    if (flags != 0)
        return malformed(err, "section %zu (%s) at offset %zu: flags 0x%04x, but none is known", index,
                         type_names[type], at, flags);
    if (size > left - SECTION_HEADER_BYTES)
        return malformed(
            err, "section %zu (%s) at offset %zu: %" PRIu64 " bytes, but only %zu are left in the file",
            index, type_names[type], at, size, left - SECTION_HEADER_BYTES);
    image->sections[index] = (struct section){
        .type = (enum section_type)type, .data = header + SECTION_HEADER_BYTES, .len = (size_t)size};
    image->counts[type]++;
    *offset = at + SECTION_HEADER_BYTES + (size_t)size;
    return check_table(image, index, at, err);
}

static int check_counts(const struct image *image, struct error *err)
{
    static const struct {
        enum section_type type;
        size_t min, max;
    } rules[] = {
        {KERNEL, 1, 1}, {CMDLINE, 1, 1}, {RAMDISK, 1, EIF_SECTIONS_MAX}, {SIGNATURE, 0, 1}, {METADATA, 0, 1}};
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        size_t count = image->counts[rules[i].type];
        if (count < rules[i].min || count > rules[i].max)
            return malformed(err, "%zu sections of type %s, but an EIF has %s", count,
                             type_names[rules[i].type],
                             rules[i].max > 1 ? "at least one"
                             : rules[i].min   ? "exactly one"
                                              : "at most one");
    }
    return 0;
}

static int read_layout(struct image *image, struct error *err)
{
    size_t offset = HEADER_BYTES;
    image->count = (size_t)read_be(image->data + AT_COUNT, 2);
    for (size_t i = 0; i < image->count; i++)
        if (read_section(image, i, &offset, err) < 0)
            return -1;
    if (offset != image->len)
        return malformed(err, "%zu bytes after the last section, which ends at offset %zu",
                         image->len - offset, offset);
    for (size_t i = image->count; i < EIF_SECTIONS_MAX; i++)
        if (read_be(image->data + AT_OFFSETS + 8 * i, 8) != 0 ||
            read_be(image->data + AT_SIZES + 8 * i, 8) != 0)
            return malformed(err, "header: its table has an entry %zu, but there are %zu sections", i,
                             image->count);
    return check_counts(image, err);
}

/* What the bytes are fed to. Until is_split, bootstrap (PCR1) stands for whole (PCR0) too. */
struct digests {
    struct crc32 crc;
    EVP_MD_CTX *whole, *bootstrap, *application;
    size_t ramdisks_seen;
    bool is_split;
};

static void digests_init(struct digests *digests)
{
    *digests = (struct digests){
        .whole = EVP_MD_CTX_new(), .bootstrap = EVP_MD_CTX_new(), .application = EVP_MD_CTX_new()};
    crc32_init(&digests->crc);
    if (!digests->whole || !digests->bootstrap || !digests->application ||
        EVP_DigestInit_ex(digests->bootstrap, EVP_sha384(), NULL) != 1 ||
        EVP_DigestInit_ex(digests->application, EVP_sha384(), NULL) != 1)
        abort(); /* out of memory */
}

static void digests_done(struct digests *digests)
{
    EVP_MD_CTX_free(digests->whole);
    EVP_MD_CTX_free(digests->bootstrap);
    EVP_MD_CTX_free(digests->application);
}

static void split(struct digests *digests)
{
    if (!digests->is_split && EVP_MD_CTX_copy_ex(digests->whole, digests->bootstrap) != 1)
        abort(); /* out of memory */
    digests->is_split = true;
}

static void update(EVP_MD_CTX *ctx, const uint8_t *data, size_t len)
{
    if (EVP_DigestUpdate(ctx, data, len) != 1)
        abort(); /* an initialized SHA-384 takes any bytes */
}

static void digest_section(struct digests *digests, const struct section *section)
{
    bool is_measured = section->type == KERNEL || section->type == CMDLINE || section->type == RAMDISK;
    bool is_application = section->type == RAMDISK && digests->ramdisks_seen++ > 0;
    if (is_application)
        split(digests);
    crc32_update(&digests->crc, section->data - SECTION_HEADER_BYTES, SECTION_HEADER_BYTES);
    for (size_t at = 0, len; at < section->len; at += len) {
        len = section->len - at < PIECE_BYTES ? section->len - at : PIECE_BYTES;
        const uint8_t *piece = section->data + at;
        crc32_update(&digests->crc, piece, len);
        if (!is_measured)
            continue;
        update(is_application ? digests->application : digests->bootstrap, piece, len);
        if (digests->is_split)
            update(digests->whole, piece, len);
    }
}

/* A PCR starts as zeros and is extended once. */
static void extend(const uint8_t digest[SHA384_BYTES], uint8_t ret_pcr[EIF_PCR_BYTES])
{
    uint8_t input[EIF_PCR_BYTES + SHA384_BYTES] = {0};
    memcpy(input + EIF_PCR_BYTES, digest, SHA384_BYTES);
    sha384(input, sizeof(input), ret_pcr);
}

static void finish(EVP_MD_CTX *ctx, uint8_t ret_pcr[EIF_PCR_BYTES])
{
    uint8_t digest[SHA384_BYTES];
    if (EVP_DigestFinal_ex(ctx, digest, NULL) != 1)
        abort(); /* cannot fail either */
    extend(digest, ret_pcr);
}

static int measure(const struct image *image, struct eif_measurement *measurement, struct error *err)
{
    CLEANUP(digests_done) struct digests digests;
    digests_init(&digests);
    crc32_update(&digests.crc, image->data, AT_CRC);
    for (size_t i = 0; i < image->count; i++)
        digest_section(&digests, &image->sections[i]);
    uint32_t expected = (uint32_t)read_be(image->data + AT_CRC, 4), found = crc32_value(&digests.crc);
    if (found != expected)
        return error_set(err, ERROR_INVALID, "DamagedImage",
                         "the file's CRC-32 is %08x, but its header says %08x: fetch or build it anew", found,
                         expected);
    split(&digests);
    finish(digests.whole, measurement->pcr0);
    finish(digests.bootstrap, measurement->pcr1);
    finish(digests.application, measurement->pcr2);
    return 0;
}

static int measure_signature(const struct image *image, struct eif_measurement *measurement,
                             struct error *err)
{
    struct eif_signer signer;
    size_t i = 0;
    while (i < image->count && image->sections[i].type != SIGNATURE)
        i++;
    if (i == image->count)
        return 0;
    const struct section *section = &image->sections[i];
    if (eif_signature_verify(section->data, section->len, measurement->pcr0, &signer, err) < 0)
        return error_wrap(err, "section %zu (signature) at offset %zu", i,
                          (size_t)(section->data - image->data) - SECTION_HEADER_BYTES);
    extend(signer.sha384, measurement->pcr8);
    measurement->is_signed = true;
    measurement->signer_not_before_ms = signer.not_before_ms;
    measurement->signer_not_after_ms = signer.not_after_ms;
    return 0;
}

int eif_measure(const void *data, size_t len, struct eif_measurement *ret, struct error *err)
{
    struct image image = {.data = data, .len = len};
    if (check_header(data, len, err) < 0 || read_layout(&image, err) < 0)
        return -1;
    struct eif_measurement measurement = {
        .arch = read_be(image.data + AT_FLAGS, 2) & FLAG_ARM64 ? EIF_ARM64 : EIF_X86_64,
        .version = (uint16_t)read_be(image.data + AT_VERSION, 2),
        .default_memory_bytes = read_be(image.data + AT_MEMORY, 8),
        .default_cpus = read_be(image.data + AT_CPUS, 8),
        .section_count = image.count,
        .ramdisk_count = image.counts[RAMDISK],
        .has_metadata = image.counts[METADATA] > 0,
    };
    if (measure(&image, &measurement, err) < 0 || measure_signature(&image, &measurement, err) < 0)
        return -1;
    *ret = measurement;
    return 0;
}
