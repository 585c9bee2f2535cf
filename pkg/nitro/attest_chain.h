/* attest_chain: from a pinned root to the key that signed the document.
 *
 * Model: the bundle's first certificate must be one of the given roots byte for byte, and that root alone is
 * trusted. The rest of the bundle and the leaf must be, in their order, the one path down from it: each is
 * named and signed by the one before. attest_cert.h fixes algorithms and form; here are the checks that
 * depend on the place: CA flag, keyCertSign and a path length that reaches for every CA below the root, and a
 * leaf that is no CA and may sign. No path is searched for, nothing is skipped, and CRLs are not fetched: AWS
 * says so. A cache spares the signatures of CAs that were verified before, and nothing else: every place,
 * name of the path and validity is checked each time. Threads: any.   Ownership: attest_chain_done() frees
 * the key.   Limits: bundle of 8. Errors: UntrustedRoot, BadChain, CertificateExpired, in this order. See RFC
 * 5280, 6.1. */
#ifndef TEE_NITRO_ATTEST_CHAIN_H
#define TEE_NITRO_ATTEST_CHAIN_H

#include "base/cleanup.h"
#include "base/error.h"
#include "nitro/attest_cache.h"
#include "nitro/attest_doc.h"
#include "nitro/attest_root.h"

#include <openssl/types.h>

enum { ATTEST_SKEW_MS = 300 * 1000 };

struct attest_trust {
    const struct attest_roots *roots;
    struct attest_cache *cache; /* NULL = none */
    int64_t now_ms;             /* 0 = only the document's own time counts */
};

struct attest_chain {
    EVP_PKEY *leaf_key;
    char instance_cn[ATTEST_CN_SIZE]; /* of the last CA, which speaks for one EC2 instance */
    char leaf_cn[ATTEST_CN_SIZE];
    int64_t leaf_not_after_ms;
    uint8_t root_sha256[32];
};

/* Every certificate must be valid at the document's own timestamp; with trust->now_ms none may have expired
 * more than ATTEST_SKEW_MS before that either. */
MUST_CHECK int attest_chain_verify(const struct attest_doc *doc, const struct attest_trust *trust,
                                   struct attest_chain *ret_chain, struct error *err);
void attest_chain_done(struct attest_chain *chain);

#endif
