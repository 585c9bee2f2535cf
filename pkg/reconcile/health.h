/* health: a host that EC2 says is failing, and when another takes its place.
 *
 * Model: PURE. EC2 is asked each minute for the hosts whose status checks fail or that it will stop or
 * retire. What it says of a running host counts after HEALTH_PATIENCE_MS of saying so, and only while the
 * looks succeed; then the host is replaced as after a change of the spec: the launch of the next one is found
 * possible first, and fleet.h admits so many a quarter of an hour, so that an outage of many hosts at once is
 * not answered by ending them all. updateStrategy OnDelete leaves it at telling. A restart of the controller
 * starts the patience anew. Threads: any.   Ownership: texts live in the given arena. Limits: none. Errors:
 * none. */
#ifndef TEE_RECONCILE_HEALTH_H
#define TEE_RECONCILE_HEALTH_H

#include "reconcile/plan.h"

enum { HEALTH_PATIENCE_MS = 5 * 60 * 1000, HEALTH_AGE_MAX_MS = 3 * 60 * 1000 };

/* The reason that a running host's condition carries, "Impaired" or "RetirementScheduled"; NULL: nothing is
 * known against it. */
const char *health_problem(const struct plan_input *in);
/* The same, once the host is to be replaced for it. */
const char *health_repair(const struct plan_input *in);
/* Until health_repair() has an answer; -1: time alone brings none. */
int64_t health_patience_ms(const struct plan_input *in);
/* For a host with a health_problem(). */
const char *health_text(const struct plan_input *in, struct arena *arena);

#endif
