/* attest_cert: one certificate of an attestation chain, read as strictly as its maker writes it.
 *
 * Model: attest_cert_parse() takes DER apart and refuses what no certificate of Nitro has: another version,
 * key or signature algorithm, an extension twice, a critical extension that is not understood, anything that
 * is BER but not DER. What it yields is plain bytes: what the certificate says (struct attest_cert, which may
 * be kept), and the spans that tie it to its issuer (struct attest_cert_link, which borrow the DER). Nothing
 * is verified here; attest_chain.h does that. Threads: any.   Ownership: none.   Limits: 16 extensions, CN of
 * 159 bytes. Errors: -1 with a text that says what is wrong. See RFC 5280, 4.1. */
#ifndef TEE_NITRO_ATTEST_CERT_H
#define TEE_NITRO_ATTEST_CERT_H

#include "base/cleanup.h"
#include "nitro/attest_doc.h"
#include "nitro/p384.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ATTEST_CN_SIZE = 160, ATTEST_KEY_ID_MAX = 32, ATTEST_EXTENSIONS_MAX = 16 };

struct attest_cert {
    int64_t not_before_ms;
    int64_t not_after_ms;
    bool is_ca;
    int path_len; /* -1 = not given */
    bool may_sign_certificates;
    bool may_sign_data;
    uint8_t key[P384_POINT_BYTES]; /* not yet known to be on the curve */
    uint8_t subject_sha256[32];    /* of the whole Name */
    uint8_t key_id[ATTEST_KEY_ID_MAX];
    size_t key_id_len;       /* 0 = not given */
    char cn[ATTEST_CN_SIZE]; /* printable ASCII; "" = none */
};

struct attest_cert_link {
    struct attest_span issuer;        /* the whole Name */
    struct attest_span issuer_key_id; /* data NULL = not given */
    struct attest_span signed_part;
    struct attest_span signature; /* DER of an ECDSA-Sig-Value */
};

/* *ret_problem is a constant text, set on failure alone. */
MUST_CHECK int attest_cert_parse(const struct attest_span *der, struct attest_cert *ret_cert,
                                 struct attest_cert_link *ret_link, const char **ret_problem);
/* Whether the link's issuer is this certificate, by name and, where both have one, by key identifier. */
bool attest_cert_names_issuer(const struct attest_cert_link *link, const struct attest_cert *issuer);

#endif
