/* drift: in which fields an instance differs from its spec, for people.
 *
 * Model: PURE. Whether it differs is for plan.h to say, by the hash that the instance carries as a tag. Which
 * fields those are is known where EC2 tells of them (image, type, subnet); the others are only covered by the
 * hash, and are named together. Threads: any. Ownership: the text lives in the given arena.   Limits: none.
 * Errors: none. */
#ifndef TEE_RECONCILE_DRIFT_H
#define TEE_RECONCILE_DRIFT_H

#include "reconcile/plan.h"

/* Of security groups, whatever their order. Never 0, which is "not told". */
uint32_t drift_group_digest(const char *const *ids, size_t count);
/* The spec names groups, and the instance has others. Nothing is done about it: behaviour.md section 2. */
bool drift_has_other_groups(const struct plan_input *in);
/* The spec has tags that the instance has not, or with other values; what others put on it is theirs. As
 * above. */
bool drift_has_other_tags(const struct plan_input *in);
/* One sentence for a host that plan_is_drifted(). */
const char *drift_text(const struct plan_input *in, struct arena *arena);

#endif
