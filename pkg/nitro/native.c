/* The request line is cut at its spaces and compared piece by piece; nothing is unescaped, because the one
 * valid request needs no escapes. Hex is decoded here and not by base/encoding.h, as that one brings
 * OpenSSL's digests along, which the in-enclave attester does not link. */
#include "nitro/native.h"

#include "base/cleanup.h"

#include <stdbool.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

void native_request_path(const uint8_t nonce[NATIVE_NONCE_BYTES], char ret_path[NATIVE_PATH_SIZE])
{
    static const char prefix[] = NATIVE_PATH "?nonce=";
    _Static_assert(sizeof(prefix) + 2 * NATIVE_NONCE_BYTES <= NATIVE_PATH_SIZE, "path fits");
    memcpy(ret_path, prefix, sizeof(prefix) - 1);
    char *at = ret_path + sizeof(prefix) - 1;
    for (size_t i = 0; i < NATIVE_NONCE_BYTES; i++) {
        *at++ = hex_digits[nonce[i] >> 4];
        *at++ = hex_digits[nonce[i] & 15];
    }
    *at = '\0';
}

struct piece {
    const char *at;
    size_t len;
};

static bool piece_equals(struct piece piece, const char *text)
{
    return piece.len == strlen(text) && memcmp(piece.at, text, piece.len) == 0;
}

/* The piece before the first `stop` byte; *rest becomes what follows it. False if there is none. */
static bool piece_cut(struct piece *rest, char stop, struct piece *ret_piece)
{
    const char *end = rest->len ? memchr(rest->at, stop, rest->len) : NULL;
    if (!end)
        return false;
    *ret_piece = (struct piece){rest->at, (size_t)(end - rest->at)};
    *rest = (struct piece){end + 1, rest->len - ret_piece->len - 1};
    return true;
}

static int hex_value(char c)
{
    const char *at = c ? strchr(hex_digits, c) : NULL;
    return at ? (int)(at - hex_digits) : -1;
}

static bool parse_nonce(struct piece hex, uint8_t ret_nonce[NATIVE_NONCE_BYTES])
{
    uint8_t nonce[NATIVE_NONCE_BYTES];
    if (hex.len != 2 * NATIVE_NONCE_BYTES)
        return false;
    for (size_t i = 0; i < NATIVE_NONCE_BYTES; i++) {
        int high = hex_value(hex.at[2 * i]), low = hex_value(hex.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        nonce[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(ret_nonce, nonce, sizeof(nonce));
    return true;
}

/* Control bytes other than line ends and tabs mean that the peer does not speak HTTP. */
static bool is_text(const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)data[i] < 0x20 && !strchr("\r\n\t", data[i])) || data[i] == 0x7f || !data[i])
            return false;
    return true;
}

static enum native_status judge_line(struct piece line, uint8_t ret_nonce[NATIVE_NONCE_BYTES])
{
    static const char query_prefix[] = "nonce=";
    struct piece method, target, path;
    if (!piece_cut(&line, ' ', &method) || !piece_cut(&line, ' ', &target) || method.len == 0)
        return NATIVE_BAD_NONCE;
    if (!piece_equals(line, "HTTP/1.1") && !piece_equals(line, "HTTP/1.0"))
        return NATIVE_BAD_NONCE;
    struct piece query = target;
    if (!piece_cut(&query, '?', &path)) {
        path = target;
        query.len = 0;
    }
    if (!piece_equals(path, NATIVE_PATH))
        return NATIVE_BAD_PATH;
    if (!piece_equals(method, "GET"))
        return NATIVE_BAD_METHOD;
    size_t skip = sizeof(query_prefix) - 1;
    if (query.len < skip || memcmp(query.at, query_prefix, skip) != 0)
        return NATIVE_BAD_NONCE;
    struct piece hex = {query.at + skip, query.len - skip};
    return parse_nonce(hex, ret_nonce) ? NATIVE_OK : NATIVE_BAD_NONCE;
}

enum native_status native_request_parse(const char *data, size_t len, uint8_t ret_nonce[NATIVE_NONCE_BYTES])
{
    size_t seen = len < NATIVE_HEAD_MAX ? len : NATIVE_HEAD_MAX;
    const char *end = seen ? memmem(data, seen, "\r\n\r\n", 4) : NULL;
    size_t head_len = end ? (size_t)(end - data) : seen;
    if (!is_text(data, head_len))
        return NATIVE_BAD_NONCE;
    if (!end)
        return len < NATIVE_HEAD_MAX ? NATIVE_NEED_MORE : NATIVE_BAD_NONCE;
    const char *line_end = memmem(data, head_len + 2, "\r\n", 2);
    return judge_line((struct piece){data, (size_t)(line_end - data)}, ret_nonce);
}

void native_answer_head(struct buf *out, size_t body_len)
{
    buf_printf(out,
               "HTTP/1.1 200 OK\r\nContent-Type: application/cbor\r\nContent-Length: %zu\r\n"
               "Connection: close\r\n\r\n",
               body_len);
}

static const char *status_text(enum native_status status)
{
    static const struct {
        enum native_status status;
        const char *text;
    } texts[] = {
        {NATIVE_BAD_NONCE, "400 Bad Request\r\n"},
        {NATIVE_BAD_PATH, "404 Not Found\r\n"},
        {NATIVE_BAD_METHOD, "405 Method Not Allowed\r\nAllow: GET\r\n"},
        {NATIVE_TOO_MANY, "429 Too Many Requests\r\nRetry-After: 1\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "503 Service Unavailable\r\nRetry-After: 5\r\n";
}

static void answer(struct buf *out, enum native_status status, const char *type, struct piece body)
{
    buf_printf(out, "HTTP/1.1 %sContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
               status_text(status), type, body.len);
    buf_append(out, body.at, body.len);
}

void native_answer_refusal(struct buf *out, enum native_status status, const char *reason)
{
    answer(out, status, "text/plain", (struct piece){reason, strnlen(reason, NATIVE_REASON_MAX)});
}

void native_answer_boot(struct buf *out, const struct native_boot *boot)
{
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, NATIVE_BOOT_MAX);
    native_boot_encode(&body, boot);
    answer(out, NATIVE_UNAVAILABLE, "application/json", (struct piece){buf_text(&body), body.len});
}

static const char *const phase_names[] = {
    [NATIVE_PHASE_PACKAGES] = "packages", [NATIVE_PHASE_ALLOCATOR] = "allocator",
    [NATIVE_PHASE_IMAGE] = "image",       [NATIVE_PHASE_EIF] = "eif",
    [NATIVE_PHASE_ENCLAVE] = "enclave",   [NATIVE_PHASE_FAILED] = "failed",
};

const char *native_phase_name(enum native_phase phase)
{
    return phase_names[phase];
}

void native_boot_encode(struct buf *out, const struct native_boot *boot)
{
    buf_printf(out, "{\"teeBoot\":{\"phase\":\"%s\",\"seconds\":%lld}}", phase_names[boot->phase],
               (long long)boot->seconds);
}

static bool skip_literal(struct piece *rest, const char *literal)
{
    size_t len = strlen(literal);
    if (rest->len < len || memcmp(rest->at, literal, len) != 0)
        return false;
    *rest = (struct piece){rest->at + len, rest->len - len};
    return true;
}

static bool parse_seconds(struct piece *rest, int64_t *ret_seconds)
{
    int64_t seconds = 0;
    size_t digits = 0;
    while (digits < rest->len && rest->at[digits] >= '0' && rest->at[digits] <= '9') {
        seconds = seconds * 10 + (rest->at[digits++] - '0');
        if (seconds > NATIVE_BOOT_SECONDS_MAX)
            return false;
    }
    *rest = (struct piece){rest->at + digits, rest->len - digits};
    *ret_seconds = seconds;
    return digits > 0;
}

int native_boot_decode(const char *body, size_t len, struct native_boot *ret_boot)
{
    struct native_boot boot = {.phase = NATIVE_PHASE_COUNT};
    struct piece rest = {body, len}, phase;
    if (len > NATIVE_BOOT_MAX)
        return -1;
    while (rest.len > 0 && strchr(" \t\r\n", rest.at[rest.len - 1]) && rest.at[rest.len - 1])
        rest.len--;
    if (!skip_literal(&rest, "{\"teeBoot\":{\"phase\":\"") || !piece_cut(&rest, '"', &phase))
        return -1;
    for (int i = 0; i < NATIVE_PHASE_COUNT; i++)
        if (piece_equals(phase, phase_names[i]))
            boot.phase = (enum native_phase)i;
    if (boot.phase == NATIVE_PHASE_COUNT || !skip_literal(&rest, ",\"seconds\":"))
        return -1;
    if (!parse_seconds(&rest, &boot.seconds) || !piece_equals(rest, "}}"))
        return -1;
    *ret_boot = boot;
    return 0;
}
