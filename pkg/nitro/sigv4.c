/* Canonical path and query come from sigv4_text.c; here are the headers and the three steps: canonical
 * request, string to sign, signature. */
#include "nitro/sigv4.h"

#include "base/buf.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "nitro/sigv4_text.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <time.h>

enum { MAX_HEADERS = 32, MAX_TEXT = 64 * 1024, DAY_LEN = 8 };

static const char algorithm[] = "AWS4-HMAC-SHA256";

struct header_list {
    struct sigv4_header items[MAX_HEADERS + 2];
    size_t count;
};

static bool has_header(const struct sigv4_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return true;
    return false;
}

/* Stable, so that a name given twice keeps the order of its values. */
static void insert_header(struct header_list *list, struct sigv4_header header)
{
    size_t at = list->count++;
    for (; at > 0 && strcasecmp(list->items[at - 1].name, header.name) > 0; at--)
        list->items[at] = list->items[at - 1];
    list->items[at] = header;
}

static void put_lower(struct buf *out, const char *name)
{
    for (; *name; name++)
        buf_putc(out, (char)tolower((unsigned char)*name));
}

/* White space at the ends goes, and each run within becomes one space. */
static void put_value(struct buf *out, const char *value)
{
    static const char blanks[] = " \t\r\n";
    for (value += strspn(value, blanks); *value; value += strspn(value, blanks)) {
        size_t len = strcspn(value, blanks);
        buf_append(out, value, len);
        value += len;
        if (value[strspn(value, blanks)])
            buf_putc(out, ' ');
    }
}

static void put_headers(struct buf *out, struct buf *names, const struct header_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct sigv4_header *header = &list->items[i];
        bool is_more = i > 0 && strcasecmp(header->name, list->items[i - 1].name) == 0;
        if (is_more) {
            out->len--; /* the line goes on */
            buf_putc(out, ',');
        } else {
            if (i > 0)
                buf_putc(names, ';');
            put_lower(names, header->name);
            put_lower(out, header->name);
            buf_putc(out, ':');
        }
        put_value(out, header->value);
        buf_putc(out, '\n');
    }
}

static void put_canonical(struct buf *out, struct buf *names, const struct sigv4_request *request,
                          const struct header_list *list)
{
    char hash[SHA256_HEX_SIZE];
    buf_printf(out, "%s\n", request->method);
    sigv4_put_path(out, request->path, request->keep_path);
    buf_putc(out, '\n');
    sigv4_put_query(out, request->query ? request->query : "");
    buf_putc(out, '\n');
    put_headers(out, names, list);
    sha256_hex(request->body, request->body_len, hash);
    buf_printf(out, "\n%s\n%s", buf_text(names), request->payload_hash ? request->payload_hash : hash);
}

struct key {
    uint8_t bytes[SHA256_BYTES];
};

static struct key hmac(const void *key, size_t len, const char *text)
{
    struct key result = {{0}};
    unsigned int result_len = sizeof(result.bytes);
    if (!HMAC(EVP_sha256(), key, (int)len, (const unsigned char *)text, strlen(text), result.bytes,
              &result_len))
        abort();
    return result;
}

static void put_signature(const struct secret *secret, const struct sigv4_scope *scope, const char *day,
                          struct sigv4_signature *signature)
{
    const char *const parts[] = {day, scope->region, scope->service, "aws4_request",
                                 signature->string_to_sign};
    CLEANUP(secret_freep) struct secret *first = secret_prefixed("AWS4", secret);
    struct key key = hmac(secret_reveal(first), strlen(secret_reveal(first)), parts[0]);
    for (size_t i = 1; i < ARRAY_LEN(parts); i++)
        key = hmac(key.bytes, sizeof(key.bytes), parts[i]);
    hex_encode(key.bytes, sizeof(key.bytes), signature->signature);
    OPENSSL_cleanse(&key, sizeof(key));
}

static int format_date(int64_t wall_ms, char ret_date[SIGV4_DATE_SIZE])
{
    time_t at = (time_t)(wall_ms / 1000);
    struct tm parts;
    if (wall_ms < 0 || !gmtime_r(&at, &parts))
        return -1;
    return strftime(ret_date, SIGV4_DATE_SIZE, "%Y%m%dT%H%M%SZ", &parts) == SIGV4_DATE_SIZE - 1 ? 0 : -1;
}

/* canonical and names are complete. */
static void sign_text(const struct aws_keys *keys, const struct sigv4_scope *scope,
                      const struct buf *canonical, const char *names, struct sigv4_signature *signature)
{
    char hash[SHA256_HEX_SIZE];
    char day[DAY_LEN + 1];
    snprintf(day, sizeof(day), "%.8s", signature->date);
    CLEANUP(freep) char *place = mem_printf("%s/%s/%s/aws4_request", day, scope->region, scope->service);
    sha256_hex(canonical->data, canonical->len, hash);
    signature->string_to_sign = mem_printf("%s\n%s\n%s\n%s", algorithm, signature->date, place, hash);
    put_signature(keys->secret_access_key, scope, day, signature);
    signature->authorization =
        secret_take(mem_printf("%s Credential=%s/%s, SignedHeaders=%s, Signature=%s", algorithm,
                               keys->access_key_id, place, names, signature->signature));
}

int sigv4_sign(const struct sigv4_request *request, const struct aws_keys *keys,
               const struct sigv4_scope *scope, struct sigv4_signature *ret_signature, struct error *err)
{
    struct sigv4_signature signature = {.authorization = NULL};
    struct header_list list = {.count = 0};
    CLEANUP(buf_done) struct buf names;
    struct buf canonical;
    buf_init(&names, MAX_TEXT);
    if (request->header_count > MAX_HEADERS || format_date(scope->wall_ms, signature.date) < 0)
        return error_set(err, ERROR_INVALID, "SignFailed", "too many headers, or a time that has no date");
    for (size_t i = 0; i < request->header_count; i++)
        insert_header(&list, request->headers[i]);
    if (!has_header(request, "x-amz-date"))
        insert_header(&list, (struct sigv4_header){"x-amz-date", signature.date});
    if (keys->session_token && !has_header(request, "x-amz-security-token"))
        insert_header(&list,
                      (struct sigv4_header){"x-amz-security-token", secret_reveal(keys->session_token)});
    buf_init(&canonical, MAX_TEXT);
    put_canonical(&canonical, &names, request, &list);
    bool is_ok = buf_is_ok(&canonical) && buf_is_ok(&names);
    if (is_ok)
        sign_text(keys, scope, &canonical, buf_text(&names), &signature);
    signature.canonical_request = secret_take(buf_steal(&canonical));
    if (!is_ok) {
        sigv4_signature_done(&signature);
        return error_set(err, ERROR_INVALID, "SignFailed", "the request is too large to be signed");
    }
    *ret_signature = signature;
    return 0;
}

void sigv4_signature_done(struct sigv4_signature *signature)
{
    secret_free(signature->canonical_request);
    secret_free(signature->authorization);
    free(signature->string_to_sign);
    *signature = (struct sigv4_signature){.authorization = NULL};
}
