/* base64url becomes base64, then JSON. */
#include "sim/identity_token.h"

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/mem.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

enum { MAX_LEN = 20000 };

static json_t *decode_part(const char *part, size_t len)
{
    CLEANUP(freep) char *text = mem_calloc(len + 4, 1);
    CLEANUP(freep) uint8_t *data = NULL;
    size_t data_len = 0;
    memcpy(text, part, len);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)(text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
    while (len % 4 != 0)
        text[len++] = '=';
    if (base64_decode(text, len, &data, &data_len) < 0)
        return NULL;
    return json_loadb((const char *)data, data_len, JSON_REJECT_DUPLICATES, NULL);
}

static bool has_audience(const json_t *claims, const char *audience)
{
    const json_t *given = json_object_get(claims, "aud");
    size_t index = 0;
    json_t *one = NULL;
    if (json_is_string(given))
        return strcmp(json_string_value(given), audience) == 0;
    json_array_foreach(given, index, one)
    {
        if (json_is_string(one) && strcmp(json_string_value(one), audience) == 0)
            return true;
    }
    return false;
}

static enum sim_token_state check_claims(const json_t *claims, const char *audience, int64_t now_ms)
{
    const json_t *end = json_object_get(claims, "exp");
    const json_t *begin = json_object_get(claims, "nbf");
    if (!json_is_string(json_object_get(claims, "sub")) || !json_is_integer(end) ||
        !has_audience(claims, audience) ||
        (json_is_integer(begin) && json_integer_value(begin) * 1000 > now_ms))
        return SIM_TOKEN_BAD;
    return json_integer_value(end) * 1000 <= now_ms ? SIM_TOKEN_EXPIRED : SIM_TOKEN_GOOD;
}

enum sim_token_state sim_identity_token_check(const char *token, const char *audience, int64_t now_ms)
{
    const char *first = strchr(token, '.');
    const char *second = first ? strchr(first + 1, '.') : NULL;
    if (!second || !second[1] || strchr(second + 1, '.') || strlen(token) > MAX_LEN)
        return SIM_TOKEN_BAD;
    json_t *claims = decode_part(first + 1, (size_t)(second - first - 1));
    enum sim_token_state state = check_claims(claims, audience, now_ms);
    json_decref(claims);
    return state;
}
