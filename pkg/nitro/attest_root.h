/* attest_root: the certificates that an attestation chain may end in.
 *
 * Model: a short list of DER certificates, by default the one root of AWS's commercial partition (G1), which
 * is compiled in. Other partitions have other roots, and tests their own; those replace the list. A root is
 * trusted because it is in this list and for no other reason. Threads: read-only after it is filled.
 * Ownership: the list owns its DER.   Limits: ATTEST_ROOTS_MAX roots.   Errors: Invalid, text names what. */
#ifndef TEE_NITRO_ATTEST_ROOT_H
#define TEE_NITRO_ATTEST_ROOT_H

#include "base/cleanup.h"
#include "base/error.h"
#include "nitro/attest_cert.h"

#include <stddef.h>
#include <stdint.h>

enum { ATTEST_ROOTS_MAX = 8 };

struct attest_roots {
    struct {
        uint8_t *der;
        size_t len;
        struct attest_cert cert;
        EVP_PKEY *key;
    } items[ATTEST_ROOTS_MAX];
    size_t count;
};

/* Starts empty: nothing is trusted. */
void attest_roots_init(struct attest_roots *roots);
void attest_roots_done(struct attest_roots *roots);
void attest_roots_add_g1(struct attest_roots *roots);
MUST_CHECK int attest_roots_add_der(struct attest_roots *roots, const void *der, size_t len,
                                    struct error *err);
/* Adds every certificate of a PEM text; a text without one, or with one that cannot be the root of an
 * attestation chain (a P-384 CA), is an error. */
MUST_CHECK int attest_roots_add_pem(struct attest_roots *roots, const char *pem, struct error *err);
/* -1 if no root equals these bytes. */
int attest_roots_find(const struct attest_roots *roots, const void *der, size_t len);

#endif
