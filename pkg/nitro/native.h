/* native: the bytes of the `Native` attestation protocol.
 *
 * Model: one HTTP/1.1 exchange, `GET /attestation?nonce=<64 lower-case hex digits>`, answered with the raw
 * attestation document, a refusal in plain text, or, while the host still boots, a small JSON body that names
 * the phase. This file is the only place that knows those bytes; the controller, the simulator and the
 * in-enclave attester all use it, so it does no I/O and needs neither OpenSSL nor a JSON library. A request
 * is judged as a whole head: path, then method, then nonce. Threads: any.   Ownership: the caller's buffers.
 * Limits: head 4 KiB, refusal reason 200 bytes, boot body 1 KiB. Errors: a request carries its own answer
 * status; -1 from the boot parser = not a boot report. */
#ifndef TEE_NITRO_NATIVE_H
#define TEE_NITRO_NATIVE_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

enum {
    NATIVE_PORT = 1300, /* TCP on the host and vsock in the enclave */
    NATIVE_ENCLAVE_CID = 16,
    NATIVE_NONCE_BYTES = 32,
    NATIVE_PUBLIC_KEY_BYTES = 32, /* raw X25519 */
    NATIVE_PATH_SIZE = 96,
    NATIVE_HEAD_MAX = 4096,
    NATIVE_REASON_MAX = 200,
    NATIVE_BOOT_MAX = 1024,
    NATIVE_BOOT_SECONDS_MAX = 1000000000,
    NATIVE_RATE_PER_SECOND = 2,
    NATIVE_RATE_BURST = 4
};

#define NATIVE_PATH "/attestation"

enum native_status {
    NATIVE_NEED_MORE = 0, /* the head is not complete yet: read on */
    NATIVE_OK = 200,
    NATIVE_BAD_NONCE = 400, /* also a head that is not HTTP/1 or is too long */
    NATIVE_BAD_PATH = 404,
    NATIVE_BAD_METHOD = 405,
    NATIVE_TOO_MANY = 429,
    NATIVE_UNAVAILABLE = 503
};

/* What the host says of its own boot: untrusted, only shown. */
enum native_phase {
    NATIVE_PHASE_PACKAGES,
    NATIVE_PHASE_ALLOCATOR,
    NATIVE_PHASE_IMAGE,
    NATIVE_PHASE_EIF,
    NATIVE_PHASE_ENCLAVE,
    NATIVE_PHASE_FAILED,
    NATIVE_PHASE_COUNT
};

struct native_boot {
    enum native_phase phase;
    int64_t seconds;
};

/* "/attestation?nonce=...", NUL-terminated. */
void native_request_path(const uint8_t nonce[NATIVE_NONCE_BYTES], char ret_path[NATIVE_PATH_SIZE]);
/* data is everything received so far; ret_nonce is written with NATIVE_OK alone. */
enum native_status native_request_parse(const char *data, size_t len, uint8_t ret_nonce[NATIVE_NONCE_BYTES]);

/* The head of a 200 answer; body_len bytes of document follow it. */
void native_answer_head(struct buf *out, size_t body_len);
/* A whole answer for 400, 404, 405, 429 and 503. reason is for people and is cut at NATIVE_REASON_MAX. */
void native_answer_refusal(struct buf *out, enum native_status status, const char *reason);
/* The whole 503 answer of a host that still boots. */
void native_answer_boot(struct buf *out, const struct native_boot *boot);

const char *native_phase_name(enum native_phase phase);
void native_boot_encode(struct buf *out, const struct native_boot *boot);
/* Only the exact form that native_boot_encode() writes, and white space after it. */
int native_boot_decode(const char *body, size_t len, struct native_boot *ret_boot);

#endif
