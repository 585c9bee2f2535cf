/* sweep: hosts that belong to no object, and how few of them may be ended at once.
 *
 * Model: PURE. One sweep is begin, add for each host of a complete look at EC2, claim for each object of a
 * consistent list that was asked for AFTER that look (an object that is older than the list has its host
 * protected, whatever the watch knows), end. An object claims its hosts by the deployment id, by the instance
 * id of its ledger and by the token of its open attempt, so that a tag that was edited by hand orphans
 * nothing. What no object claims in two sweeps in a row, at least SWEEP_APART_MS from each other, is handed
 * out to be terminated. Nothing is handed out when the hosts without an object are more than SWEEP_MAX, or
 * more than a tenth of those that live (one is always within that tenth), or all of them: then it is more
 * likely that the list of objects is wrong (another cluster, a lost CRD, a restore) than that so many were
 * orphaned. Karpenter killed live machines by such a sweep (karpenter#3943, #3951). Threads: none. Ownership:
 * copies all.   Limits: SWEEP_MAX handed out.   Errors: none; sweep_abandon() forgets what was seen before,
 * so that the two in a row begin anew. */
#ifndef TEE_RECONCILE_SWEEP_H
#define TEE_RECONCILE_SWEEP_H

#include "reconcile/observed.h"

enum { SWEEP_MAX = 20, SWEEP_AGE_MS = 60 * 1000, SWEEP_APART_MS = 60 * 1000 };

struct sweep;

struct sweep_result {
    size_t live;
    size_t orphans; /* of these: without an object, seen for the first time or again */
    bool is_refused;
    char ids[SWEEP_MAX][HOST_ID_SIZE]; /* to be terminated; when refused, the first ones for the log */
    size_t id_count;
};

struct sweep *sweep_new(void);
struct sweep *sweep_free(struct sweep *sweep);
void sweep_begin(struct sweep *sweep);
/* is_known: the store has an object with its deployment id; such a host is counted and not asked about.
 * Younger than a minute, ended, retained or without a deployment id: never an orphan. */
void sweep_add(struct sweep *sweep, const struct host *host, bool is_known, int64_t wall_ms);
/* Hosts that want a claim. Zero: the list of objects need not be asked for. */
size_t sweep_count_candidates(const struct sweep *sweep);
void sweep_claim(struct sweep *sweep, const struct teedeployment *object);
void sweep_end(struct sweep *sweep, int64_t mono_ms, struct sweep_result *ret_result);
void sweep_abandon(struct sweep *sweep);

#endif
