/* cose: the COSE_Sign1 envelope of an attestation document (RFC 9052), ES384 only.
 *
 * Model: cose_parse() takes the envelope apart and refuses everything but the one form that the hypervisor
 * signs: protected header exactly {1: -35}, unprotected header empty, signature 96 bytes, nothing after it;
 * tag 18 in front is allowed. cose_verify() rebuilds the signed bytes and checks the signature with a key
 * that the caller has verified. Neither the header nor the key chooses the algorithm. Threads: any.
 * Ownership: spans borrow the input. Limits: payload 1 to 16384 bytes. Errors: MalformedDocument,
 * UnsupportedAlgorithm, BadSignature. */
#ifndef TEE_NITRO_COSE_H
#define TEE_NITRO_COSE_H

#include "base/cleanup.h"
#include "base/error.h"

#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>

enum { COSE_SIGNATURE_BYTES = 96, COSE_PAYLOAD_MAX = 16384 };

struct cose {
    const uint8_t *protected_header;
    size_t protected_len;
    const uint8_t *payload;
    size_t payload_len;
    const uint8_t *signature; /* COSE_SIGNATURE_BYTES: r then s */
};

MUST_CHECK int cose_parse(const void *data, size_t len, struct cose *ret_cose, struct error *err);
/* key must be a P-384 key. */
MUST_CHECK int cose_verify(const struct cose *cose, EVP_PKEY *key, struct error *err);

#endif
