/* plan: the decision. Rows of behaviour.md section 3, first match wins, at most one effect.
 *
 * Model: PURE: no I/O, lock, global or clock; `now` is an argument. Each row is a small function that either
 * has an answer or passes on. Threads: none.   Ownership: the plan borrows from want and seen.   Limits:
 * none.   Errors: cannot fail. */
#ifndef TEE_RECONCILE_PLAN_H
#define TEE_RECONCILE_PLAN_H

#include "base/encoding.h"
#include "reconcile/effective.h"
#include "reconcile/observed.h"

enum plan_action {
    PLAN_NONE,
    PLAN_ADD_FINALIZER,
    PLAN_REMOVE_FINALIZER,
    PLAN_PREFLIGHT,      /* is the launch that comes next possible? */
    PLAN_RECORD_ATTEMPT, /* ledger entry, before the call */
    PLAN_RUN,
    PLAN_LOOK_UP, /* by token, tag or id: what the inventory does not show */
    PLAN_FIND_ADOPTABLE,
    PLAN_RECORD_HALT,
    PLAN_TAG_RETAINED,
    PLAN_RESTORE_IDENTITY,
    PLAN_START,
    PLAN_STOP,
    PLAN_TERMINATE,
    PLAN_ATTEST,
    PLAN_ACTION_COUNT
};

extern const char *const plan_action_names[PLAN_ACTION_COUNT];

struct moment {
    int64_t wall_ms;
    int64_t mono_ms;
};

struct plan {
    enum plan_action action;
    int row;                 /* of the state table; for traces */
    const struct host *host; /* of START, STOP, TERMINATE, ATTEST and the two that tag */
    const char *why;         /* constant; Event reason for STOP and TERMINATE */
    int64_t look_again_ms;   /* delay; -1 = when something happens */
    bool is_blind;           /* row 0: too little is known to say anything in the status */
    bool is_replacement;     /* TERMINATE for a new host: fleet.h has to have room for it */
    bool is_repair;          /* and because the host fails: fleet.h has to admit that too */
};

struct plan_input {
    const struct teedeployment *want;
    const struct tee_spec *effective;
    const struct reconcile_config *config;
    const struct observed *seen;
    struct moment now;
    char hash[SHA256_HEX_SIZE];        /* ledger_hash() of want's spec */
    char policy_hash[SHA256_HEX_SIZE]; /* ledger_policy_hash() of the same */
};

struct plan plan_next(const struct plan_input *in);

/* Shared with status.c, so that what is shown is what was decided. */
bool plan_wants_running(const struct plan_input *in);
/* A reconcile was requested and not yet answered. */
bool plan_is_requested(const struct plan_input *in);
/* There is no host and never was one, and the user wants one adopted. */
bool plan_adopts(const struct plan_input *in);
/* The deployment id is that of an older object, or of another's host. */
bool plan_id_is_taken(const struct plan_input *in);
bool plan_is_halted(const struct plan_input *in);
/* What makes the spec impossible, or NULL. */
const char *plan_problem(const struct plan_input *in);
/* The host was launched from another spec. */
bool plan_is_drifted(const struct plan_input *in);
bool plan_subnet_differs(const struct plan_input *in, const struct host *host);
/* The verdict in status still counts for the host that is seen, whatever it says. */
bool plan_has_verdict(const struct plan_input *in);
bool plan_is_lapsed(const struct plan_input *in);
/* Verified, or what the object's policy takes for it. */
bool plan_accepts_verdict(const struct plan_input *in, const char *verdict);
/* The verdict in status counts, has not lapsed and is accepted. */
bool plan_is_accepted(const struct plan_input *in);
/* EC2 had no capacity to start the host, or another of its type there, and the next try is not due. */
bool plan_start_is_held(const struct plan_input *in);
bool plan_is_boot_overdue(const struct plan_input *in);
/* The object's launches of the last hour, or those of all objects. */
bool plan_own_budget_is_spent(const struct plan_input *in);
bool plan_budget_is_spent(const struct plan_input *in);
/* Until when the host stays that is to be replaced, as the end of a sentence; NULL: it need not wait. */
const char *plan_replacement_is_held(const struct plan_input *in);
/* There is no host, or one that is to be replaced: what is known of the next launch matters. */
bool plan_needs_preflight(const struct plan_input *in);
/* That launch cannot work, and nothing but another spec helps. */
bool plan_launch_is_refused(const struct plan_input *in);
bool plan_launch_is_blocked(const struct plan_input *in);

#endif
