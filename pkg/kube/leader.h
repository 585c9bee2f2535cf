/* leader: holds the lease, or waits for it, on a thread of its own.
 *
 * Model: drives lease.h over an HTTP client of its own, so that no other traffic delays a renewal. The right
 * to act is one number, the monotonic time until which we may: leader_ms_left() says how much is left and any
 * mutation keeps its timeout within that. When renewals fail until nothing is left, the process becomes a
 * standby and tries again; it does not exit. On stop the lease is released, so that another takes over at
 * once. Threads: start and free from one, the getters from any. gained and lost are called from the leader's
 * thread, in turns; leader_ms_left() is already right when they are. Ownership: options' texts and config are
 * borrowed.   Limits: a call takes at most half the renew deadline. Errors: leader_start: ERROR_INVALID
 * (BadLeaseTimes); later ones are logged at debug, counted and retried. */
#ifndef TEE_KUBE_LEADER_H
#define TEE_KUBE_LEADER_H

#include "base/heartbeat.h"
#include "kube/client.h"
#include "kube/lease.h"

struct leader_options {
    const struct kube_config *config;
    struct kube_credentials *credentials; /* as in client.h */
    const char *name_space;
    const char *name;     /* of the Lease */
    const char *identity; /* unique to this process, leader_identity_new() */
    struct lease_times times;
    void *ctx;
    void (*gained)(void *ctx, int64_t transitions);
    void (*lost)(void *ctx);
    void (*observe)(void *ctx, const struct kube_exchange *exchange); /* as in client.h, or NULL */
    struct heartbeats *heartbeats;                                    /* may be NULL */
};

struct leader;

MUST_CHECK int leader_start(const struct leader_options *options, struct leader **ret_leader,
                            struct error *err);
/* Releases the lease if it is ours (two tries, both within the retry period) and joins. `lost` is called
 * before. */
struct leader *leader_free(struct leader *leader);
/* 0 = may not act. */
int64_t leader_ms_left(const struct leader *leader);
/* Of the lease, as last written by us; stamps what this leader creates. */
int64_t leader_get_transitions(const struct leader *leader);
/* hostname_uuid; the caller frees. */
char *leader_identity_new(void);

#endif
