/* Eight bytes at a time: table[k][b] is what byte b does to the sum when k more bytes follow it, so that the
 * eight look-ups do not wait for each other. Bits are reflected: the lowest bit of a byte comes first. */
#include "base/crc32.h"

static const uint32_t polynomial = 0xedb88320;

void crc32_init(struct crc32 *crc)
{
    crc->state = UINT32_MAX;
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t sum = byte;
        for (int bit = 0; bit < 8; bit++)
            sum = sum >> 1 ^ (sum & 1 ? polynomial : 0);
        crc->table[0][byte] = sum;
    }
    for (int k = 1; k < 8; k++)
        for (int byte = 0; byte < 256; byte++) {
            uint32_t sum = crc->table[k - 1][byte];
            crc->table[k][byte] = sum >> 8 ^ crc->table[0][sum & 0xff];
        }
}

static uint32_t read_le32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

void crc32_update(struct crc32 *crc, const void *data, size_t len)
{
    const uint8_t *at = data;
    uint32_t sum = crc->state;
    for (; len >= 8; at += 8, len -= 8) {
        uint32_t low = sum ^ read_le32(at), high = read_le32(at + 4);
        sum = crc->table[7][low & 0xff] ^ crc->table[6][low >> 8 & 0xff] ^ crc->table[5][low >> 16 & 0xff] ^
              crc->table[4][low >> 24] ^ crc->table[3][high & 0xff] ^ crc->table[2][high >> 8 & 0xff] ^
              crc->table[1][high >> 16 & 0xff] ^ crc->table[0][high >> 24];
    }
    for (; len > 0; at++, len--)
        sum = sum >> 8 ^ crc->table[0][(sum ^ *at) & 0xff];
    crc->state = sum;
}

uint32_t crc32_value(const struct crc32 *crc)
{
    return ~crc->state;
}
