/* status: what the object says about itself after a pass.
 *
 * Model: PURE. Computed from the same input as the plan (with the ledger and verdict as the pass left them),
 * never from our own phase or conditions but for their transition times. Ready=False or Unknown always has
 * exactly one of Reconciling and Stalled (behaviour.md section 3). Threads: none.   Ownership: the result
 * points into the input and the arena.   Limits: the CRD's, kept by the encoder.   Errors: cannot fail. */
#ifndef TEE_RECONCILE_STATUS_H
#define TEE_RECONCILE_STATUS_H

#include "reconcile/plan.h"

void status_compute(const struct plan_input *in, struct arena *arena, struct tee_status *ret_status);

#endif
