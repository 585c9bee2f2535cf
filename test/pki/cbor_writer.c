/* RFC 8949 section 3: three bits of type, then the value in 0, 1, 2, 4 or 8 further bytes. */
#include "pki/cbor_writer.h"

#include <string.h>

void cbor_write_head(struct buf *out, enum cbor_major major, uint64_t value)
{
    int extra = value < 24 ? 0 : value <= 0xff ? 1 : value <= 0xffff ? 2 : value <= 0xffffffff ? 4 : 8;
    static const uint8_t codes[] = {[1] = 24, [2] = 25, [4] = 26, [8] = 27};
    buf_putc(out, (char)((unsigned)major << 5 | (extra == 0 ? (unsigned)value : codes[extra])));
    for (int i = extra - 1; i >= 0; i--)
        buf_putc(out, (char)(value >> (8 * i) & 0xff));
}

void cbor_write_bytes(struct buf *out, const void *data, size_t len)
{
    cbor_write_head(out, CBOR_MAJOR_BYTES, len);
    buf_append(out, data, len);
}

void cbor_write_text(struct buf *out, const char *text)
{
    cbor_write_head(out, CBOR_MAJOR_TEXT, strlen(text));
    buf_puts(out, text);
}

void cbor_write_null(struct buf *out)
{
    buf_putc(out, (char)0xf6);
}

void cbor_write_indefinite(struct buf *out, enum cbor_major major)
{
    buf_putc(out, (char)((unsigned)major << 5 | 31));
}

void cbor_write_break(struct buf *out)
{
    buf_putc(out, (char)0xff);
}
