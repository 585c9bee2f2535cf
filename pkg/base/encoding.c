/* Table-free loops; the digests are OpenSSL's. */
#include "base/encoding.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <openssl/evp.h>
#include <string.h>

void hex_encode(const void *data, size_t len, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_text[2 * len] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int hex_decode(const char *text, uint8_t *ret_data, size_t len)
{
    if (strnlen(text, 2 * len + 1) != 2 * len)
        return -1;
    for (size_t i = 0; i < 2 * len; i++)
        if (hex_value(text[i]) < 0)
            return -1;
    for (size_t i = 0; i < len; i++)
        ret_data[i] = (uint8_t)(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
    return 0;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t len)
{
    const uint8_t *bytes = data;
    char *text = mem_alloc((len + 2) / 3 * 4 + 1);
    char *out = text;
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= left > 2 ? bytes[i + 2] : 0;
        *out++ = base64_digits[group >> 18];
        *out++ = base64_digits[group >> 12 & 63];
        *out++ = left > 1 ? base64_digits[group >> 6 & 63] : '=';
        *out++ = left > 2 ? base64_digits[group & 63] : '=';
    }
    *out = '\0';
    return text;
}

static int base64_value(char c)
{
    const char *at = c ? strchr(base64_digits, c) : NULL;
    return at ? (int)(at - base64_digits) : -1;
}

/* One group of four digits, of which the last `pad` are '='. Bits behind the last byte must be zero. */
static int base64_group(const char *text, int pad, uint8_t ret[3])
{
    uint32_t group = 0;
    for (int i = 0; i < 4; i++) {
        int value = i < 4 - pad ? base64_value(text[i]) : 0;
        if (value < 0)
            return -1;
        group = group << 6 | (uint32_t)value;
    }
    if ((pad == 1 && (group & 0xff)) || (pad == 2 && (group & 0xffff)))
        return -1;
    ret[0] = (uint8_t)(group >> 16);
    ret[1] = (uint8_t)(group >> 8);
    ret[2] = (uint8_t)group;
    return 0;
}

int base64_decode(const char *text, size_t text_len, uint8_t **ret_data, size_t *ret_len)
{
    if (text_len % 4 != 0)
        return -1;
    int pad = 0;
    while (pad < 2 && text_len > 0 && text[text_len - 1 - (size_t)pad] == '=')
        pad++;
    CLEANUP(freep) uint8_t *data = mem_alloc(text_len / 4 * 3 + 1);
    for (size_t i = 0; i < text_len; i += 4)
        if (base64_group(text + i, i + 4 == text_len ? pad : 0, data + i / 4 * 3) < 0)
            return -1;
    *ret_len = text_len / 4 * 3 - (size_t)pad;
    *ret_data = STEAL(data);
    return 0;
}

static void digest(const EVP_MD *type, const void *data, size_t len, uint8_t *ret_digest)
{
    unsigned int size = 0;
    int ok = EVP_Digest(data, len, ret_digest, &size, type, NULL);
    if (ok != 1)
        abort();
}

void sha256(const void *data, size_t len, uint8_t ret_digest[SHA256_BYTES])
{
    digest(EVP_sha256(), data, len, ret_digest);
}

void sha384(const void *data, size_t len, uint8_t ret_digest[SHA384_BYTES])
{
    digest(EVP_sha384(), data, len, ret_digest);
}

void sha256_hex(const void *data, size_t len, char ret_text[SHA256_HEX_SIZE])
{
    uint8_t value[SHA256_BYTES];
    sha256(data, len, value);
    hex_encode(value, sizeof(value), ret_text);
}
