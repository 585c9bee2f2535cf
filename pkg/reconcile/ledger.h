/* ledger: what must be remembered of launches, and the rules of when an attempt is over.
 *
 * Model: PURE. status.launch is the only part of status that is read back to decide. An attempt is one
 * intended RunInstances under one token; it is written before the call, and the next attempt number is used
 * only when the one before is proven dead (behaviour.md section 2, invariants 6 to 8). Threads: none.
 * Ownership: strings point into the given arena or the old ledger, whose object must outlive it. Limits: a
 * history of 8.   Errors: cannot fail. */
#ifndef TEE_RECONCILE_LEDGER_H
#define TEE_RECONCILE_LEDGER_H

#include "base/encoding.h"
#include "reconcile/effective.h"
#include "reconcile/observed.h"

enum { LAUNCH_HASH_VERSION = 1 };

/* Of the launch-relevant spec as written: absent stays absent, so that no default ever replaces a host. */
void ledger_hash(const struct tee_spec *spec, char ret_hash[SHA256_HEX_SIZE]);
/* Of what a verdict was given under: spec.attestation, debugMode and the trusted roots. */
void ledger_policy_hash(const struct tee_spec *spec, const char *roots_digest,
                        char ret_hash[SHA256_HEX_SIZE]);
/* What a client token stands for. */
struct ledger_call {
    const char *cluster_id; /* two clusters of one account may use one deployment id */
    const char *deployment_id;
    const char *hash;
    const char *type;
    const char *subnet; /* or NULL */
    int attempt;
};

/* ClientToken: first 64 hex digits of SHA-256 over all of it. */
void ledger_token(const struct ledger_call *call, char ret_token[SHA256_HEX_SIZE]);
/* Written, and neither an instance nor an end is known. */
bool ledger_is_open(const struct ledger *ledger);
/* Moves the present attempt into the history. No-op without one. What makes room in a full history is the
 * oldest attempt, or, where that one still counts against the launches of an hour, the oldest without an
 * instance. */
void ledger_close(struct ledger *ledger, const char *result, const char *reason, int64_t wall_ms);
/* What an attempt is begun with. */
struct ledger_launch {
    const struct teedeployment *want;
    const struct tee_spec *effective;
    const char *cluster_id;
    uint32_t short_mask; /* of subnets that are passed over while another is left */
    int64_t wall_ms;
};

/* Begins the next attempt; the one before must be closed. */
void ledger_begin(struct ledger *ledger, const struct ledger_launch *launch, struct arena *arena);
/* Attempts of the last hour that returned an instance id. */
int ledger_launches_in_hour(const struct ledger *ledger, int64_t wall_ms);
/* Wall time at which the oldest of those is an hour old. */
int64_t ledger_budget_frees_ms(const struct ledger *ledger, int64_t wall_ms);
/* Attempts in a row, the newest back, that ended without an instance. */
int ledger_failures(const struct ledger *ledger);
/* Wall time before which no next attempt is begun; 0 = at once. */
int64_t ledger_not_before_ms(const struct ledger *ledger);
/* EC2 refused the last attempt as wrong, for the very spec of that generation: nothing but a change helps, of
 * whatever field. */
bool ledger_is_refused(const struct ledger *ledger, int64_t generation);

#endif
