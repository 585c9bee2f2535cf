/* The lines' base64 is joined, decoded once and read with jansson. */
#include "sim/enclave_config.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/encoding.h"

#include <ctype.h>
#include <jansson.h>
#include <stdint.h>
#include <string.h>

enum { MAX_BLOCK = 64 * 1024 };

int enclave_digest_parse(const char *text, char ret_digest[ENCLAVE_DIGEST_SIZE])
{
    const char *at = strrchr(text, '@');
    text = at ? at + 1 : text;
    if (strncmp(text, "sha256:", 7) == 0 || strncmp(text, "sha384:", 7) == 0)
        text += 7;
    size_t len = strlen(text);
    if ((len != 64 && len != 96) || strspn(text, "0123456789abcdefABCDEF") != len)
        return -1;
    for (size_t i = 0; i <= len; i++)
        ret_digest[i] = (char)tolower((unsigned char)text[i]);
    return 0;
}

/* Joins the block's lines; -1 if there is no whole block. */
static int join_block(const char *text, size_t len, struct buf *out)
{
    static const char begin[] = "#tee-config-v1-begin";
    static const char finish[] = "#tee-config-v1-end";
    bool is_inside = false;
    const char *end = text + len;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t line = (size_t)((stop ? stop : end) - text);
        if (!is_inside)
            is_inside = line == sizeof(begin) - 1 && memcmp(text, begin, line) == 0;
        else if (line == sizeof(finish) - 1 && memcmp(text, finish, line) == 0)
            return 0;
        else if (line < 1 || *text != '#' || buf_append(out, text + 1, line - 1) < 0)
            return -1;
        text += line + 1;
    }
    return -1;
}

void enclave_config_read(const char *user_data, size_t len, struct enclave_config *ret_config)
{
    *ret_config = (struct enclave_config){0};
    CLEANUP(buf_done) struct buf joined;
    buf_init(&joined, MAX_BLOCK);
    CLEANUP(freep) uint8_t *text = NULL;
    size_t text_len = 0;
    if (!user_data || join_block(user_data, len, &joined) < 0 ||
        base64_decode(buf_text(&joined), joined.len, &text, &text_len) < 0)
        return;
    CLEANUP(json_decrefp) json_t *root = json_loadb((const char *)text, text_len, 0, NULL);
    const char *image = json_string_value(json_object_get(root, "image"));
    if (!image)
        image = json_string_value(json_object_get(json_object_get(root, "image"), "digest"));
    if (!image)
        image = json_string_value(json_object_get(json_object_get(root, "image"), "reference"));
    if (!image)
        image = json_string_value(json_object_get(json_object_get(root, "eif"), "sha256"));
    if (!image || json_integer_value(json_object_get(root, "version")) != 1 ||
        enclave_digest_parse(image, ret_config->digest) < 0)
        return;
    ret_config->debug = json_is_true(json_object_get(json_object_get(root, "enclave"), "debugMode"));
    ret_config->is_valid = true;
}
