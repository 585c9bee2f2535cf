/* p384: ECDSA over P-384 with SHA-384, the one algorithm of attestation (RFC 9053 ES384, RFC 5758).
 *
 * Model: a key is made from its uncompressed point, on this curve and no other, so that nothing a peer sends
 * chooses an algorithm. Threads: any; a key may be shared for verifying.   Ownership: p384_key_new()'s result
 * is freed with EVP_PKEY_free(). Limits: none.   Errors: NULL = not a point of the curve; false = not signed.
 */
#ifndef TEE_NITRO_P384_H
#define TEE_NITRO_P384_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { P384_POINT_BYTES = 97 }; /* 04, x, y (SEC 1, 2.3.3) */

EVP_PKEY *p384_key_new(const uint8_t point[P384_POINT_BYTES]);
/* The same, at a quarter of the cost, where some other key of p384_key_new() is at hand. */
EVP_PKEY *p384_key_like(EVP_PKEY *other, const uint8_t point[P384_POINT_BYTES]);
/* signature: DER of an ECDSA-Sig-Value. */
bool p384_verify(EVP_PKEY *key, const void *message, size_t len, const uint8_t *signature,
                 size_t signature_len);

#endif
