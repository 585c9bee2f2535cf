/* evidence_status: from the verdict over a document to status.attestation.
 *
 * Model: PURE. What the check found, as the API writes it: text, hex and base64. Facts of the document are in
 * it only where its signature is good. Of the PCRs, 0 to 4 and 8 are shown always and the others where they
 * are not zero. The times of our own (verifiedAt, validUntil, nextAt) are the caller's to set. Threads: any.
 * Ownership: texts live in the given arena. Limits: attest.h's.   Errors: cannot fail. */
#ifndef TEE_EVIDENCE_EVIDENCE_STATUS_H
#define TEE_EVIDENCE_EVIDENCE_STATUS_H

#include "api/status.h"
#include "nitro/attest.h"

/* `effective` gives the size of the enclave for the claims. */
void evidence_status_fill(const struct attest_result *result, const struct tee_spec *effective,
                          struct arena *arena, struct tee_attestation_status *ret_status);

#endif
