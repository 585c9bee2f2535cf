/* The block is found by the code that wrote it; its JSON is read with jansson. */
#include "sim/enclave_config.h"

#include "base/cleanup.h"
#include "nitro/userdata.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

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

void enclave_config_read(const char *user_data, size_t len, struct enclave_config *ret_config)
{
    *ret_config = (struct enclave_config){0};
    CLEANUP(freep) char *text = user_data ? userdata_find_config(user_data, len) : NULL;
    if (!text)
        return;
    CLEANUP(json_decrefp) json_t *root = json_loads(text, 0, NULL);
    const char *image = json_string_value(json_object_get(root, "image"));
    if (!image)
        image = json_string_value(json_object_get(json_object_get(root, "eif"), "sha256"));
    if (!image || json_integer_value(json_object_get(root, "version")) != 1 ||
        enclave_digest_parse(image, ret_config->digest) < 0)
        return;
    ret_config->debug = json_is_true(json_object_get(json_object_get(root, "enclave"), "debugMode"));
    ret_config->is_valid = true;
}
