/* preflight: may this launch be made? What is known of it before the first instance costs money.
 *
 * Model: PURE. The facts (type, image, subnets, and EC2's answer to a dry run of the very request) come from
 * ports.h; judging them makes a struct preflight, which the cache keeps for all objects with the same request
 * and which the plan reads. A launch that cannot work is Refused until the spec changes or a reconcile is
 * requested; one that EC2 or IAM does not allow now is Blocked and asked again, slowly, and at once with
 * other credentials. What could not be found out is Inconclusive and holds a first launch up for a few tries
 * only, because RunInstances itself has the last word; a host that runs is not given up for it. What IAM does
 * not let us look at is left to the dry run. Threads: none.   Ownership: texts are constants or in the given
 * arena, and the cache's own copies. Limits: SUBNETS_MAX subnets. Errors: cannot fail. */
#ifndef TEE_RECONCILE_PREFLIGHT_H
#define TEE_RECONCILE_PREFLIGHT_H

#include "base/encoding.h"
#include "base/error.h"
#include "reconcile/effective.h"

enum preflight_state {
    PREFLIGHT_NONE, /* never asked */
    PREFLIGHT_PASSED,
    PREFLIGHT_REFUSED,
    PREFLIGHT_BLOCKED,
    PREFLIGHT_INCONCLUSIVE
};

struct preflight {
    enum preflight_state state;
    const char *reason; /* of the condition; constant */
    const char *text;
    int64_t checked_ms; /* monotonic */
    int64_t next_ms;    /* monotonic; of Blocked and Inconclusive */
    int tries;          /* in a row with this outcome */
    uint64_t keys;      /* whose credentials asked */
    bool has_new_keys;  /* others are in use by now */
};

enum { SUBNETS_MAX = 16 };

/* What EC2 says; err.kind ERROR_NONE = it is known, ERROR_INVALID = there is no such thing. */
struct type_facts {
    struct error err;
    bool has_enclave_support;
    bool is_bare_metal;
    bool is_arm64;
    int vcpu_count;
    int threads_per_core; /* 0 = not said */
    int64_t memory_mib;
};

struct image_facts {
    struct error err;
    char state[24]; /* EC2's word; "available" is the good one */
    bool is_arm64;
    char root_device[32];
};

struct subnet_facts {
    char id[64];
    char zone[32];
    int64_t free_addresses;
};

struct launch_facts {
    struct type_facts type;
    struct image_facts image;
    struct error subnets_err;
    struct subnet_facts subnets[SUBNETS_MAX]; /* in the order of the spec */
    size_t subnet_count;
};

struct preflight_subject {
    const struct tee_spec *written; /* to tell the user's own words from defaults */
    const struct tee_spec *effective;
    struct arena *arena;
};

/* What a launch request consists of, but for what only names the object: equal keys, equal answers. The
 * namespace counts, because permissions may hang on its tag. */
void preflight_key(const struct tee_spec *effective, const char *name_space, char ret_key[SHA256_HEX_SIZE]);
/* Passed means: worth a dry run. */
void preflight_judge_facts(const struct preflight_subject *subject, const struct launch_facts *facts,
                           struct preflight *ret_result);
/* err->kind ERROR_NONE = EC2 would launch. `detail`: the refusal in full, or "". */
void preflight_judge_dry_run(const struct preflight_subject *subject, const struct error *err,
                             const char *detail, struct preflight *ret_result);
/* Fills tries, checked_ms and next_ms from what was known before. */
void preflight_schedule(const struct preflight *before, int64_t mono_ms, struct preflight *result);

enum preflight_gate { GATE_OPEN, GATE_ASK, GATE_SHUT };
enum preflight_purpose {
    PURPOSE_TELL,   /* nothing is to be launched now: the user wants to know */
    PURPOSE_LAUNCH, /* nothing runs */
    PURPOSE_REPLACE /* a host that runs would be given up */
};

struct preflight_question {
    enum preflight_purpose purpose;
    bool is_requested;
    int64_t mono_ms;
};

/* With GATE_SHUT, *ret_wait_ms is when to look again; -1 = not before something changes. */
enum preflight_gate preflight_gate(const struct preflight *known, const struct preflight_question *question,
                                   int64_t *ret_wait_ms);

#endif
