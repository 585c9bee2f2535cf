/* eif_signature: the signature section of an enclave image file.
 *
 * Model: the section is CBOR: an array of one map {signing_certificate, signature}. The certificate is PEM,
 * of which the first one counts; the signature is a COSE_Sign1 with that certificate's key over CBOR of
 * {register_index: 0, register_value: PCR0}. The algorithm follows from the key: ES256, ES384 or ES512. That
 * it verifies says that the holder of this certificate's key built this image; whether to trust the
 * certificate is the reader's to say, by PCR8. Threads: any.   Ownership: nothing is kept of the input.
 * Limits: certificate 32 KiB, signature 2 KiB. Errors: INVALID MalformedImage; UNTRUSTED with a reason of
 * cose.h. */
#ifndef TEE_NITRO_EIF_SIGNATURE_H
#define TEE_NITRO_EIF_SIGNATURE_H

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct eif_signer {
    uint8_t sha384[SHA384_BYTES]; /* of the certificate's DER; PCR8 is extended with it */
    int64_t not_before_ms;
    int64_t not_after_ms;
};

MUST_CHECK int eif_signature_verify(const void *section, size_t len, const uint8_t pcr0[SHA384_BYTES],
                                    struct eif_signer *ret_signer, struct error *err);

#endif
