/* skew: how far AWS's clock is ahead of ours.
 *
 * Model: what signs or judges an expiration adds aws_skew_get() to its own clock. The Date of an answer that
 * is more than four minutes off changes it; less is the way of the answer and is ignored. It is for requests
 * to AWS alone, never for leases or attestation.
 * Threads: any.   Ownership: the caller's memory, zero to begin with.   Limits: none.   Errors: cannot fail.
 */
#ifndef TEE_NITRO_SKEW_H
#define TEE_NITRO_SKEW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct aws_skew {
    atomic_llong ms;
};

/* 0 for NULL. */
int64_t aws_skew_get(struct aws_skew *skew);
/* date_ms: of an answer, 0 if it had none; now_ms: our clock, uncorrected. True if the correction changed. */
bool aws_skew_note(struct aws_skew *skew, int64_t date_ms, int64_t now_ms);

#endif
