/* show_facts: what `show` derives, the same for text and data.
 *
 * Model: PURE. The certificates of the stored document in the order root to leaf, and what the spec's sets
 * say of one PCR. Threads: none.   Ownership: by value; texts in the caller's buf. Limits: ATTEST_BUNDLE_MAX
 * certificates and the leaf. Errors: a document that cannot be read has no certificates. */
#ifndef TEE_KUBECTL_SHOW_FACTS_H
#define TEE_KUBECTL_SHOW_FACTS_H

#include "nitro/attest_cert.h"
#include "object.h"

enum { SHOW_CERTIFICATES_MAX = ATTEST_BUNDLE_MAX + 1 };

struct show_certificates {
    struct attest_cert items[SHOW_CERTIFICATES_MAX];
    size_t count;
};

void show_read_certificates(const struct object *object, struct show_certificates *ret_certificates);
/* Names of the sets that hold the value, with ", " between; "differs"; "" where no set names the PCR. */
void show_put_matches(const struct object *object, const struct tee_pcr_value *pcr, struct buf *out);
/* Bits: of what the document is bound to, as words with ", " between; "nothing". */
void show_put_bound(const struct tee_attestation_status *attestation, struct buf *out);
/* Why there is no verdict to show, as a sentence. */
void show_put_awaited(const struct object *object, struct buf *out);

#endif
