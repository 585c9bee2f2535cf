/* One request, one answer; the retry with a new nonce is the caller's, as it knows when. */
#include "nitro/attest_fetch.h"

#include "base/encoding.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <openssl/rand.h>
#include <string.h>

enum { URL_SIZE = 256 };

void attest_evidence_done(struct attest_evidence *evidence)
{
    buf_done(&evidence->document);
}

void attest_evidence_apply(const struct attest_evidence *evidence, struct attest_policy *policy)
{
    policy->nonce = evidence->nonce_len > 0 ? evidence->nonce : NULL;
    policy->nonce_len = evidence->nonce_len;
    policy->tls_cert_sha256 = evidence->has_tls_cert ? evidence->tls_cert_sha256 : NULL;
}

static int decode_base64(const char *body, size_t len, struct buf *ret_document)
{
    CLEANUP(freep) uint8_t *data = NULL;
    size_t data_len = 0;
    while (len > 0 && memchr(" \t\r\n", body[len - 1], 4))
        len--;
    if (base64_decode(body, len, &data, &data_len) < 0)
        return -1;
    return buf_append(ret_document, data, data_len);
}

static void jsonp(json_t **json)
{
    json_decref(*json);
}

static int decode_json_hex(const char *body, size_t len, struct buf *ret_document)
{
    CLEANUP(jsonp) json_t *json = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
    const char *hex = json_string_value(json_object_get(json, "attestation"));
    size_t hex_len = hex ? strlen(hex) : 0;
    if (!hex || hex_len % 2 != 0)
        return -1;
    CLEANUP(freep) uint8_t *data = mem_alloc(hex_len / 2 + 1);
    if (hex_decode(hex, data, hex_len / 2) < 0)
        return -1;
    return buf_append(ret_document, data, hex_len / 2);
}

int attest_decode_body(const struct attest_protocol *protocol, const char *body, size_t len,
                       struct buf *ret_document)
{
    switch (protocol->encoding) {
    case ATTEST_ENCODING_BASE64: return decode_base64(body, len, ret_document);
    case ATTEST_ENCODING_JSON_HEX: return decode_json_hex(body, len, ret_document);
    case ATTEST_ENCODING_RAW: break;
    }
    return buf_append(ret_document, body, len);
}

static int make_url(const struct attest_fetch *fetch, const struct attest_evidence *evidence,
                    char ret_url[URL_SIZE], struct error *err)
{
    const struct attest_protocol *protocol = fetch->protocol;
    struct in_addr address;
    char nonce[2 * ATTEST_NONCE_MAX + 1];
    if (inet_pton(AF_INET, fetch->address, &address) != 1)
        return error_set(err, ERROR_INVALID, "Invalid", "'%.40s' is not an IPv4 address", fetch->address);
    hex_encode(evidence->nonce, evidence->nonce_len, nonce);
    snprintf(ret_url, URL_SIZE, "%s://%s:%u%s%s%s", protocol->scheme, fetch->address,
             fetch->port ? fetch->port : protocol->port, protocol->path, evidence->nonce_len ? "?nonce=" : "",
             nonce);
    return 0;
}

/* Whatever keeps an answer from us is "not reachable" to a user; only a stop and an endless body are not. */
static int report(const struct error *cause, struct error *err)
{
    if (cause->kind == ERROR_STOPPED)
        return error_set(err, ERROR_STOPPED, cause->reason, "%s", cause->text);
    if (strcmp(cause->reason, "BodyTooLarge") == 0)
        return error_set(err, ERROR_INVALID, "MalformedDocument", "the answer is longer than %d bytes",
                         ATTEST_BODY_MAX);
    return error_set(err, ERROR_UNAVAILABLE, "Unreachable", "%s", cause->text);
}

static void read_answer(const struct attest_protocol *protocol, const struct http_response *response,
                        struct attest_evidence *evidence)
{
    const char *body = buf_text(&response->body);
    size_t len = response->body.len;
    evidence->status = response->status;
    evidence->retry_after_ms = response->retry_after_ms;
    evidence->answer = ATTEST_ANSWER_REFUSED;
    buf_init(&evidence->document, ATTEST_BODY_MAX);
    if (response->status == 503 && native_boot_decode(body, len, &evidence->boot) == 0)
        evidence->answer = ATTEST_ANSWER_BOOTING;
    if (response->status != 200)
        return;
    evidence->answer = ATTEST_ANSWER_DOCUMENT;
    if (attest_decode_body(protocol, body, len, &evidence->document) < 0)
        buf_append(&evidence->document, body, len);
    evidence->has_tls_cert = protocol->binds_tls_cert;
    if (response->has_peer_cert)
        memcpy(evidence->tls_cert_sha256, response->peer_cert_sha256, sizeof(evidence->tls_cert_sha256));
}

int attest_fetch(struct http_client *client, const struct attest_fetch *fetch,
                 struct attest_evidence *ret_evidence, struct error *err)
{
    const struct attest_protocol *protocol = fetch->protocol;
    struct attest_evidence evidence = {.nonce_len = protocol->nonce_bytes};
    struct error cause = {.kind = ERROR_NONE};
    char url[URL_SIZE];
    if (protocol->nonce_bytes > 0 && RAND_bytes(evidence.nonce, (int)protocol->nonce_bytes) != 1)
        return error_set(err, ERROR_UNAVAILABLE, "Unreachable", "no random bytes for a nonce");
    if (make_url(fetch, &evidence, url, err) < 0)
        return -1;
    /* The document itself vouches for the certificate; a PKI has no say. */
    struct http_tls tls = {.insecure_skip_verify = true};
    struct http_request request = {
        .method = "GET",
        .url = url,
        .tls = protocol->binds_tls_cert ? &tls : NULL,
        .connect_timeout_ms =
            fetch->connect_timeout_ms ? fetch->connect_timeout_ms : ATTEST_CONNECT_TIMEOUT_MS,
        .total_timeout_ms = fetch->total_timeout_ms ? fetch->total_timeout_ms : ATTEST_TOTAL_TIMEOUT_MS,
        .max_body_bytes = ATTEST_BODY_MAX,
        .direct = true,
        .stop = fetch->stop,
    };
    struct http_response response;
    if (http_perform(client, &request, &response, &cause) < 0)
        return report(&cause, err);
    read_answer(protocol, &response, &evidence);
    http_response_done(&response);
    *ret_evidence = evidence;
    return 0;
}
