/* Authorization header -> canonical request -> string to sign -> HMAC chain, each compared at the end only.
 */
#include "sim/signature.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "sim/world.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

enum { WINDOW_MS = 15 * 60 * 1000, VALUE_SIZE = 4096, DATE_SIZE = 17 };

struct authorization {
    char key_id[128];
    char date[9];
    char region[64];
    char service[32];
    char signed_headers[1024];
    char signature[SHA256_HEX_SIZE];
};

static int bad_form(struct sim_fail *fail, const char *what)
{
    return sim_fail_set(fail, 400, "IncompleteSignature", "The Authorization header is not complete: %s",
                        what);
}

/* Copies what follows `name` up to one of `stops`. */
static int copy_part(const char *text, const char *name, char *ret_part, size_t size)
{
    const char *at = strstr(text, name);
    if (!at)
        return -1;
    at += strlen(name);
    size_t len = strcspn(at, ", ");
    if (len == 0 || len >= size)
        return -1;
    memcpy(ret_part, at, len);
    ret_part[len] = '\0';
    return 0;
}

static int parse_authorization(const char *text, struct authorization *ret_auth, struct sim_fail *fail)
{
    char credential[256];
    int used = 0;
    if (strncmp(text, "AWS4-HMAC-SHA256 ", 17) != 0)
        return bad_form(fail, "algorithm");
    if (copy_part(text, "Credential=", credential, sizeof(credential)) < 0)
        return bad_form(fail, "Credential");
    if (copy_part(text, "SignedHeaders=", ret_auth->signed_headers, sizeof(ret_auth->signed_headers)) < 0)
        return bad_form(fail, "SignedHeaders");
    if (copy_part(text, "Signature=", ret_auth->signature, sizeof(ret_auth->signature)) < 0)
        return bad_form(fail, "Signature");
    int parts = sscanf(credential, "%127[^/]/%8[0-9]/%63[^/]/%31[^/]/aws4_request%n", ret_auth->key_id,
                       ret_auth->date, ret_auth->region, ret_auth->service, &used);
    if (parts != 4 || used == 0 || credential[used] != '\0')
        return bad_form(fail, "credential scope");
    return 0;
}

/* One header line of the canonical request: trimmed, runs of spaces made one. */
static void append_header(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s:", name);
    bool is_gap = false;
    while (*value == ' ' || *value == '\t')
        value++;
    for (; *value; value++) {
        bool is_space = *value == ' ' || *value == '\t';
        if (!is_space && is_gap)
            buf_putc(out, ' ');
        if (!is_space)
            buf_putc(out, *value);
        is_gap = is_space;
    }
    buf_putc(out, '\n');
}

static int append_headers(struct buf *out, const struct sim_request *request, const char *names)
{
    char before[128] = "";
    while (*names) {
        char name[128];
        char value[VALUE_SIZE];
        size_t len = strcspn(names, ";");
        if (len == 0 || len >= sizeof(name))
            return -1;
        memcpy(name, names, len);
        name[len] = '\0';
        if (strcmp(before, name) >= 0 ||
            request->get_header(request->headers, name, value, sizeof(value)) < 0)
            return -1;
        append_header(out, name, value);
        snprintf(before, sizeof(before), "%s", name);
        names += len + (names[len] == ';');
    }
    return 0;
}

static bool is_signed(const char *names, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = strstr(names, name); at; at = strstr(at + 1, name))
        if ((at == names || at[-1] == ';') && (at[len] == ';' || at[len] == '\0'))
            return true;
    return false;
}

static void hmac(const void *key, size_t key_len, const char *text, uint8_t ret_digest[SHA256_BYTES])
{
    unsigned int len = SHA256_BYTES;
    HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text), ret_digest, &len);
}

static void sign(const struct authorization *auth, const char *secret, const char *text,
                 char ret_signature[SHA256_HEX_SIZE])
{
    CLEANUP(freep) char *first = mem_printf("AWS4%s", secret);
    uint8_t key[SHA256_BYTES];
    uint8_t next[SHA256_BYTES];
    hmac(first, strlen(first), auth->date, key);
    hmac(key, sizeof(key), auth->region, next);
    hmac(next, sizeof(next), auth->service, key);
    hmac(key, sizeof(key), "aws4_request", next);
    hmac(next, sizeof(next), text, key);
    hex_encode(key, sizeof(key), ret_signature);
}

static int check_signature(const struct sim_request *request, const struct authorization *auth,
                           const struct sim_key *key, const char *date, struct sim_fail *fail)
{
    CLEANUP(buf_done) struct buf canonical;
    char digest[SHA256_HEX_SIZE];
    char expected[SHA256_HEX_SIZE];
    buf_init(&canonical, (size_t)1 << 20);
    buf_printf(&canonical, "%s\n%s\n%s\n", request->method, request->path, request->query);
    if (append_headers(&canonical, request, auth->signed_headers) < 0)
        return bad_form(fail, "a signed header is missing or out of order");
    sha256_hex(request->body, request->body_len, digest);
    buf_printf(&canonical, "\n%s\n%s", auth->signed_headers, digest);
    sha256_hex(buf_text(&canonical), canonical.len, digest);
    CLEANUP(freep)
    char *text = mem_printf("AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s", date, auth->date, auth->region,
                            auth->service, digest);
    sign(auth, key->secret, text, expected);
    if (strlen(auth->signature) != strlen(expected) ||
        CRYPTO_memcmp(auth->signature, expected, strlen(expected)) != 0)
        return sim_fail_set(fail, 403, "SignatureDoesNotMatch",
                            "The request signature we calculated does not match the signature you provided.");
    return 0;
}

/* 20260102T030405Z */
static int parse_date(const char *text, int64_t *ret_ms)
{
    if (strlen(text) != DATE_SIZE - 1)
        return -1;
    CLEANUP(freep)
    char *rfc = mem_printf("%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", text, text + 4, text + 6, text + 9, text + 11,
                           text + 13);
    return text[8] == 'T' && text[15] == 'Z' ? time_parse(rfc, ret_ms) : -1;
}

static int check_scope(const struct authorization *auth, const char *service, struct sim_fail *fail)
{
    if (strcmp(auth->region, SIM_REGION) != 0 || strcmp(auth->service, service) != 0)
        return sim_fail_set(fail, 403, "SignatureDoesNotMatch",
                            "Credential should be scoped to region '%s' and service '%s'", SIM_REGION,
                            service);
    return 0;
}

static int check_time(const struct authorization *auth, const char *date, int64_t now_ms,
                      struct sim_fail *fail)
{
    int64_t signed_ms = 0;
    if (parse_date(date, &signed_ms) < 0)
        return bad_form(fail, "X-Amz-Date");
    if (signed_ms < now_ms - WINDOW_MS || signed_ms > now_ms + WINDOW_MS)
        return sim_fail_set(fail, 400, "RequestExpired", "Request has expired.");
    if (strncmp(auth->date, date, 8) != 0)
        return sim_fail_set(fail, 403, "SignatureDoesNotMatch",
                            "The date of the credential scope is not that of "
                            "X-Amz-Date");
    return 0;
}

static int check_key(const struct sim_request *request, const struct authorization *auth,
                     const struct sim_key *key, int64_t now_ms, struct sim_fail *fail)
{
    char token[VALUE_SIZE] = "";
    if (!key)
        return sim_fail_set(fail, 401, "AuthFailure",
                            "AWS was not able to validate the provided access "
                            "credentials");
    request->get_header(request->headers, "x-amz-security-token", token, sizeof(token));
    if (strcmp(token, key->token) != 0 ||
        (*token && !is_signed(auth->signed_headers, "x-amz-security-token")))
        return sim_fail_set(fail, 401, "AuthFailure", "The session token is not that of the access key");
    if (key->expires_ms > 0 && key->expires_ms <= now_ms)
        return sim_fail_set(fail, 400, "RequestExpired", "Request has expired: the session has ended.");
    return 0;
}

int sim_signature_check(const struct sim_request *request, const struct sim_keys *keys, int64_t now_ms,
                        const struct sim_key **ret_key, struct sim_fail *fail)
{
    char text[VALUE_SIZE] = "";
    char date[64] = "";
    struct authorization auth = {0};
    request->get_header(request->headers, "x-amz-date", date, sizeof(date));
    if (request->get_header(request->headers, "authorization", text, sizeof(text)) < 0)
        return sim_fail_set(fail, 403, "MissingAuthenticationToken",
                            "Request is missing Authentication Token");
    if (parse_authorization(text, &auth, fail) < 0)
        return -1;
    const struct sim_key *key = keys->find(keys->ctx, auth.key_id);
    *ret_key = key;
    if (check_key(request, &auth, key, now_ms, fail) < 0 || check_time(&auth, date, now_ms, fail) < 0 ||
        check_scope(&auth, keys->service, fail) < 0)
        return -1;
    if (!is_signed(auth.signed_headers, "host") || !is_signed(auth.signed_headers, "x-amz-date"))
        return bad_form(fail, "'host' and 'x-amz-date' must be signed");
    return check_signature(request, &auth, key, date, fail);
}
