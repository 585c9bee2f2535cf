/* status_oracle: what tools other than ours would make of a status that was just written. PURE.
 *
 * Model: an object as the API server has it right after a write of its status, and, if there is one, as it
 * was before. The rules are those that kubectl wait, kstatus (Helm, Flux, kpt) and Flux's own controllers
 * rely on: kstatus reads deletionTimestamp, observedGeneration, Reconciling, Stalled and Ready, in that order
 * (kubernetes-sigs/cli-utils pkg/kstatus); Flux's conditions.Checker tells which sets of conditions
 * contradict themselves (fluxcd/pkg runtime/conditions/check); metav1.Condition sets the forms. Plus ours:
 * not Ready has exactly one of Reconciling and Stalled, and the phase Failed is Stalled.
 * Threads: none.   Ownership: the objects are borrowed.   Limits: none.   Errors: the first broken
 * rule, as text. */
#ifndef TEE_TEST_STATUS_ORACLE_H
#define TEE_TEST_STATUS_ORACLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* true: no rule is broken. before may be NULL. */
bool status_oracle_accepts(const json_t *object, const json_t *before, char *ret_why, size_t size);
/* Is more than the evidence (which has a manager and writes of its own) another one than before? */
bool status_oracle_is_change(const json_t *object, const json_t *before);
/* kstatus: Terminating, InProgress, Failed or Current. */
const char *status_oracle_kstatus(const json_t *object);

#endif
