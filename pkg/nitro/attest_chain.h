/* attest_chain: from a pinned root to the key that signed the document.
 *
 * Model: the bundle's first certificate must be one of the given roots byte for byte, and that root alone is
 * trusted; the rest of the bundle is untrusted and must be, in its order, exactly the path that OpenSSL
 * builds. OpenSSL checks names, signatures, validity and path lengths at a given time; what it leaves open is
 * checked here: every key P-384, every signature ECDSA with SHA-384, CA flag, keyCertSign and a path length
 * on every CA below the root, and a leaf that is no CA and may sign. CRLs are not fetched: AWS says so.
 * Threads: any.   Ownership: attest_chain_done() frees the key.   Limits: bundle of 8.   Errors:
 * UntrustedRoot, BadChain, CertificateExpired. */
#ifndef TEE_NITRO_ATTEST_CHAIN_H
#define TEE_NITRO_ATTEST_CHAIN_H

#include "base/cleanup.h"
#include "base/error.h"
#include "nitro/attest_doc.h"
#include "nitro/attest_root.h"

#include <openssl/types.h>

enum { ATTEST_CN_SIZE = 160, ATTEST_SKEW_MS = 300 * 1000 };

struct attest_chain {
    EVP_PKEY *leaf_key;
    char instance_cn[ATTEST_CN_SIZE]; /* of the last CA, which speaks for one EC2 instance */
    char leaf_cn[ATTEST_CN_SIZE];
    int64_t leaf_not_after_ms;
    uint8_t root_sha256[32];
};

/* Every certificate must be valid at the document's own timestamp; with now_ms > 0 none may have expired more
 * than ATTEST_SKEW_MS before now_ms either. */
MUST_CHECK int attest_chain_verify(const struct attest_doc *doc, const struct attest_roots *roots,
                                   int64_t now_ms, struct attest_chain *ret_chain, struct error *err);
void attest_chain_done(struct attest_chain *chain);

#endif
