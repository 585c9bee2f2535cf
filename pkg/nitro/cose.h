/* cose: the COSE_Sign1 envelope (RFC 9052) of attestation documents and of image signatures.
 *
 * Model: cose_parse() takes the envelope apart and refuses everything but the one form that is signed in
 * practice: protected header exactly {1: algorithm}, unprotected header empty, a signature of the algorithm's
 * length, nothing after it; tag 18 in front is allowed. cose_verify() rebuilds the signed bytes and checks
 * the signature with a key that the caller has verified. The caller says which algorithm it is, never the
 * header: for an attestation document it is ES384. Threads: any.   Ownership: spans borrow the input.
 * Limits: payload 1 to 16384 bytes. Errors: MalformedDocument, UnsupportedAlgorithm, BadSignature. */
#ifndef TEE_NITRO_COSE_H
#define TEE_NITRO_COSE_H

#include "base/cleanup.h"
#include "base/error.h"

#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>

enum { COSE_SIGNATURE_BYTES = 96, COSE_SIGNATURE_MAX = 132, COSE_PAYLOAD_MAX = 16384 };

enum cose_algorithm { COSE_ES384, COSE_ES256, COSE_ES512 };

struct cose {
    enum cose_algorithm algorithm;
    const uint8_t *protected_header;
    size_t protected_len;
    const uint8_t *payload;
    size_t payload_len;
    const uint8_t *signature; /* r then s: 96 bytes with ES384, 64 with ES256, 132 with ES512 */
};

/* The envelope of an attestation document: ES384. */
MUST_CHECK int cose_parse(const void *data, size_t len, struct cose *ret_cose, struct error *err);
MUST_CHECK int cose_parse_as(const void *data, size_t len, enum cose_algorithm algorithm,
                             struct cose *ret_cose, struct error *err);
/* key must be on the algorithm's curve: P-384, P-256 or P-521. */
MUST_CHECK int cose_verify(const struct cose *cose, EVP_PKEY *key, struct error *err);

#endif
