/* attest_fetch: asks one enclave for its attestation document.
 *
 * Model: attest_fetch() sends one request of a preset to an address, with a new random nonce where the preset
 * has one, and says what came back: a document, a host that still boots, or a refusal. It judges nothing: a
 * body that cannot be unwrapped is handed on as it is, so that verification calls it malformed. The nonce
 * lives in the evidence alone; attest_evidence_apply() puts it, and the TLS certificate where the preset
 * binds one, into the policy the document is verified with. Threads: as the http_client.   Ownership:
 * attest_evidence_done() frees the document. Limits: connect 2 s, total 10 s, body 64 KiB, no proxy, no
 * redirect. Errors: ERROR_UNAVAILABLE (reason Unreachable) when nothing answers, ERROR_INVALID
 * (MalformedDocument) for a body without end, ERROR_STOPPED; from decoding, -1 alone. */
#ifndef TEE_NITRO_ATTEST_FETCH_H
#define TEE_NITRO_ATTEST_FETCH_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "http/client.h"
#include "nitro/attest_policy.h"
#include "nitro/attest_protocol.h"
#include "nitro/native.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ATTEST_CONNECT_TIMEOUT_MS = 2 * 1000,
    ATTEST_TOTAL_TIMEOUT_MS = 10 * 1000,
    ATTEST_BODY_MAX = 64 * 1024
};

struct attest_fetch {
    const struct attest_protocol *protocol;
    const char *address;        /* IPv4, from the cloud's answer and never from the object */
    uint16_t port;              /* 0 = the preset's */
    int64_t connect_timeout_ms; /* 0 = ATTEST_CONNECT_TIMEOUT_MS */
    int64_t total_timeout_ms;   /* 0 = ATTEST_TOTAL_TIMEOUT_MS */
    struct stop *stop;          /* or NULL */
};

enum attest_answer {
    ATTEST_ANSWER_DOCUMENT, /* 200, whatever it holds */
    ATTEST_ANSWER_BOOTING,  /* 503 with a boot report */
    ATTEST_ANSWER_REFUSED   /* any other status */
};

struct attest_evidence {
    enum attest_answer answer;
    long status;
    int64_t retry_after_ms;  /* 0 = not named */
    struct native_boot boot; /* of BOOTING; untrusted */
    struct buf document;     /* of DOCUMENT, unwrapped */
    size_t nonce_len;        /* 0 = the preset has none */
    uint8_t nonce[ATTEST_NONCE_MAX];
    bool has_tls_cert; /* the preset binds it */
    uint8_t tls_cert_sha256[32];
};

MUST_CHECK int attest_fetch(struct http_client *client, const struct attest_fetch *fetch,
                            struct attest_evidence *ret_evidence, struct error *err);
void attest_evidence_done(struct attest_evidence *evidence);
/* The policy borrows the evidence. */
void attest_evidence_apply(const struct attest_evidence *evidence, struct attest_policy *policy);
/* Unwraps a body; -1 = not in the preset's form, and ret_document is as it was. */
MUST_CHECK int attest_decode_body(const struct attest_protocol *protocol, const char *body, size_t len,
                                  struct buf *ret_document);

#endif
