/* verify_output: what `verify` says.
 *
 * Model: PURE. A check becomes lines of text, of which the last is the verdict (Verified,
 * VerifiedWithoutNonce, or Rejected: REASON: MESSAGE), or the same as data. Facts of the document are shown
 * only where its signature is good. Threads: none.   Ownership: the buf is the caller's.   Limits: the buf's
 * ceiling. Errors: sticky in the buf. */
#ifndef TEE_KUBECTL_VERIFY_OUTPUT_H
#define TEE_KUBECTL_VERIFY_OUTPUT_H

#include "check.h"

struct verify_report {
    const char *source; /* a phrase: where the document is from */
    const struct check_input *input;
    const struct check *check;
};

void verify_put_text(const struct verify_report *report, struct buf *out);
/* One JSON object. */
void verify_put_data(const struct verify_report *report, struct buf *out);

#endif
