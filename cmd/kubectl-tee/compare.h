/* compare: does a status say what its evidence says?
 *
 * Model: PURE. The status is what anybody with the right to write it wrote; the evidence is signed. Every
 * fact that the status states of the document is computed anew from the evidence, in the same way as the
 * controller does it (pkg/evidence), and compared. The verdict is compared where the same question was asked:
 * not where flags changed the policy, and not where the controller's answer rests on a nonce, a time or a
 * connection that the stored document does not hold. Threads: none.   Ownership: texts in the arena.
 * Limits: CHECK_DIFFERENCES_MAX.   Errors: cannot fail. */
#ifndef TEE_KUBECTL_COMPARE_H
#define TEE_KUBECTL_COMPARE_H

#include "check.h"

/* Yields the number of differences; each is a text that names the field and both values. */
size_t compare_status(const struct check_input *input, const struct attest_result *result,
                      struct arena *arena, const char *ret_differences[CHECK_DIFFERENCES_MAX]);
/* Rejected for a reason that the stored document cannot show. */
bool compare_is_beyond_evidence(const struct tee_attestation_status *status);

#endif
