/* Decoding by the lengths of RFC 3629; overlong forms, surrogates and what is past U+10FFFF are no text. */
#include "printable.h"

#include <string.h>

enum { REPLACEMENT = 0xfffd };

uint32_t utf8_next(const char *text, size_t len, size_t *ret_len)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)text;
    size_t need = bytes[0] < 0x80 ? 1 : bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    uint32_t c = need == 1 ? bytes[0] : bytes[0] & (0x7fU >> need);
    *ret_len = 1;
    if (bytes[0] >= 0xf8 || (bytes[0] & 0xc0) == 0x80 || need > len)
        return REPLACEMENT;
    for (size_t i = 1; i < need; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return REPLACEMENT;
        c = c << 6 | (bytes[i] & 0x3f);
    }
    if (c < smallest[need] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return REPLACEMENT;
    *ret_len = need;
    return c;
}

bool printable_is_control(uint32_t c)
{
    bool is_c0_c1 = c < 0x20 || (c >= 0x7f && c <= 0x9f);
    bool is_separator = c == 0x2028 || c == 0x2029;
    bool is_bidi = c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
                   (c >= 0x2066 && c <= 0x2069);
    return is_c0_c1 || is_separator || is_bidi;
}

static void put_control(struct buf *out, uint32_t c)
{
    if (c == '\n')
        buf_puts(out, "\\n");
    else if (c == '\t')
        buf_puts(out, "\\t");
    else
        buf_printf(out, c < 0x80 ? "\\x%02x" : "\\u%04x", (unsigned)c);
}

void printable_put(struct buf *out, const char *text)
{
    size_t left = text ? strlen(text) : 0;
    while (left > 0) {
        size_t len = 0;
        uint32_t c = utf8_next(text, left, &len);
        if (printable_is_control(c))
            put_control(out, c);
        else if (c == REPLACEMENT && len == 1)
            buf_puts(out, "\xef\xbf\xbd");
        else
            buf_append(out, text, len);
        text += len;
        left -= len;
    }
}
