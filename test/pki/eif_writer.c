/* The CRC goes bit by bit: slow, and obviously the definition. */
#include "pki/eif_writer.h"

#include "pki/pki_cert.h"

#include <string.h>

void eif_add_part(struct eif_image *image, enum eif_part_type type, const void *data, size_t len)
{
    pki_check(image->part_count < EIF_PARTS_MAX, "eif_add_part");
    image->parts[image->part_count++] = (struct eif_part){type, data, len};
}

size_t eif_part_offset(const struct eif_image *image, size_t i)
{
    size_t offset = EIF_HEADER_BYTES;
    for (size_t k = 0; k < i; k++)
        offset += EIF_PART_HEADER_BYTES + image->parts[k].len;
    return offset;
}

static void put_be(struct buf *out, uint64_t value, int bytes)
{
    while (bytes-- > 0)
        buf_putc(out, (char)(value >> 8 * bytes));
}

static void write_header(const struct eif_image *image, struct buf *out)
{
    buf_puts(out, ".eif");
    put_be(out, image->version, 2);
    put_be(out, image->is_arm64, 2);
    put_be(out, image->memory_bytes, 8);
    put_be(out, image->cpus, 8);
    put_be(out, 0, 2);
    put_be(out, image->part_count, 2);
    for (size_t i = 0; i < EIF_TABLE_ENTRIES; i++)
        put_be(out, i < image->part_count ? eif_part_offset(image, i) : 0, 8);
    for (size_t i = 0; i < EIF_TABLE_ENTRIES; i++)
        put_be(out, i < image->part_count ? image->parts[i].len : 0, 8);
    put_be(out, 0, 4);
    put_be(out, 0, 4);
}

void eif_write(const struct eif_image *image, struct buf *out)
{
    write_header(image, out);
    for (size_t i = 0; i < image->part_count; i++) {
        put_be(out, image->parts[i].type, 2);
        put_be(out, 0, 2);
        put_be(out, image->parts[i].len, 8);
        buf_append(out, image->parts[i].data, image->parts[i].len);
    }
    pki_check(buf_is_ok(out), "eif_write");
    eif_sum(out->data, out->len);
}

static uint32_t sum_bytes(uint32_t sum, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        sum ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            sum = sum >> 1 ^ (sum & 1 ? 0xedb88320 : 0);
    }
    return sum;
}

/* The header's last four bytes are the sum itself and are left out of it. */
void eif_sum(void *file, size_t len)
{
    uint8_t *bytes = file;
    uint32_t sum = sum_bytes(UINT32_MAX, bytes, EIF_HEADER_BYTES - 4);
    sum = ~sum_bytes(sum, bytes + EIF_HEADER_BYTES, len - EIF_HEADER_BYTES);
    for (int i = 0; i < 4; i++)
        bytes[EIF_HEADER_BYTES - 4 + i] = (uint8_t)(sum >> (24 - 8 * i));
}
