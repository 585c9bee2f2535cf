/* drift: in which fields an instance differs from its spec, for people.
 *
 * Model: PURE. Whether it differs is for plan.h to say, by the hash that the instance carries as a tag. Which
 * fields those are is known where EC2 tells of them (image, type, subnet); the others are only covered by the
 * hash, and are named together. Threads: any. Ownership: the text lives in the given arena.   Limits: none.
 * Errors: none. */
#ifndef TEE_RECONCILE_DRIFT_H
#define TEE_RECONCILE_DRIFT_H

#include "reconcile/plan.h"

/* One sentence for a host that plan_is_drifted(). */
const char *drift_text(const struct plan_input *in, struct arena *arena);

#endif
