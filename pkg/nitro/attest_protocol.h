/* attest_protocol: how each preset of `spec.attestation.protocol` is asked for its document.
 *
 * Model: a constant table. A preset says scheme, default port, path, how long a nonce it takes (0 = none) and
 * how the document is wrapped in the answer; attest_fetch.h does the asking. `Disabled` is not a preset.
 * Threads: any.   Ownership: constants.   Limits: none.   Errors: a lookup that finds nothing yields NULL. */
#ifndef TEE_NITRO_ATTEST_PROTOCOL_H
#define TEE_NITRO_ATTEST_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ATTEST_NONCE_MAX = 32 };

enum attest_encoding {
    ATTEST_ENCODING_RAW,
    ATTEST_ENCODING_BASE64,
    ATTEST_ENCODING_JSON_HEX /* a JSON object, the document in hex in the member `attestation` */
};

struct attest_protocol {
    const char *name;
    const char *scheme; /* "http" or "https" */
    uint16_t port;
    const char *path;
    size_t nonce_bytes; /* sent as ?nonce=<lower-case hex>; 0 = the protocol has none */
    enum attest_encoding encoding;
    bool binds_tls_cert; /* user_data names the TLS certificate; TLS is verified by that and not by PKI */
};

/* NULL if no preset has that name. */
const struct attest_protocol *attest_protocol_find(const char *name);

#endif
