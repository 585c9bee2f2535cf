/* plan_scene: one object and what is seen of it, by hand, for the pure functions that decide and report.
 *
 * Model: the object is decoded from JSON: a usual one, to which the scene's members are added (the last of
 * two equal members counts). "@HASH" and "@POLICY" in the status stand for the hashes of that very spec, and
 * "=" as a host's launch hash for its tag. Threads: none.   Ownership: init/done in the caller's memory; the
 * scene's input points into it.   Limits: HOSTS_MAX hosts.   Errors: a failed assertion of cmocka. */
#ifndef TEE_TEST_PLAN_SCENE_H
#define TEE_TEST_PLAN_SCENE_H

#include "reconcile/plan.h"

/* 2026-01-01T12:00:00Z */
#define SCENE_WALL_MS INT64_C(1767268800000)
#define SCENE_MONO_MS INT64_C(10000000)

/* Ledgers. The open one was begun a minute ago; the live one's host was launched ten minutes ago. */
#define LEDGER_OPEN                                                                                          \
    "\"launch\":{\"attempt\":1,\"token\":\"t1\",\"hash\":\"@HASH\",\"hashVersion\":1,"                       \
    "\"startedAt\":\"2026-01-01T11:59:00Z\"}"
#define LEDGER_LIVE                                                                                          \
    "\"launch\":{\"attempt\":1,\"token\":\"t1\",\"hash\":\"@HASH\",\"hashVersion\":1,"                       \
    "\"startedAt\":\"2026-01-01T10:00:00Z\",\"result\":\"Launched\",\"instanceID\":\"i-1\","                 \
    "\"instanceLaunchTime\":\"2026-01-01T11:50:00Z\",\"policyHash\":\"@POLICY\"}"
/* Valid for another 20 minutes, the next look in 5. */
#define VERDICT(word)                                                                                        \
    "\"attestation\":{\"verdict\":\"" word "\",\"reason\":\"\",\"validUntil\":\"2026-01-01T12:20:00Z\","     \
    "\"nextAt\":\"2026-01-01T12:05:00Z\"}"

struct scene_input {
    const char *metadata; /* members, or NULL */
    const char *spec;
    const char *status;
    struct host hosts[4]; /* best first; an empty id ends them */
    enum attempt_state attempt;
};

struct plan_scene {
    struct arena arena;
    struct teedeployment *want;
    struct tee_spec effective;
    struct reconcile_config config;
    struct observed seen;
    struct memory memory;
    struct plan_input in;
};

void plan_scene_init(struct plan_scene *scene, const struct scene_input *input);
void plan_scene_done(struct plan_scene *scene);
/* A decoded object; a failed decode ends the test. */
struct teedeployment *scene_object(const char *metadata, const char *spec, const char *status);
/* A host of ours, launched ten minutes ago from the present spec, with an address. */
#define SCENE_HOST(name, word)                                                                               \
    .id = name, .state = word, .launch_hash = "=", .private_ip = "10.0.0.1", .cluster_id = "cluster",        \
    .deployment_id = "nitro-u1", .launch_ms = SCENE_WALL_MS - 600 * 1000,                                    \
    .state_since_ms = SCENE_MONO_MS - 1000

/* Members of the object, by what they say. */
#define DELETING          "\"deletionTimestamp\":\"2026-01-01T11:59:59Z\""
#define PAUSED            "\"annotations\":{\"tee.dev/paused\":\"true\"}"
#define REQUESTED         "\"annotations\":{\"tee.dev/reconcile-requested-at\":\"now\"}"
#define ADOPTING          "\"annotations\":{\"tee.dev/adopt\":\"by-tag\"}"
#define BARE              "\"finalizers\":[]"
#define RETAIN            "\"deletionPolicy\":\"Retain\""
#define STOPPED           "\"desiredState\":\"Stopped\""
#define REJECTION(policy) "\"attestation\":{\"onRejected\":\"" policy "\"}"
#define HALTED(generation)                                                                                   \
    "\"launch\":{\"attempt\":1,\"token\":\"t1\",\"hash\":\"@HASH\",\"hashVersion\":1,\"instanceID\":\"i-"    \
    "1\","                                                                                                   \
    "\"result\":\"Launched\",\"instanceLaunchTime\":\"2026-01-01T11:50:00Z\",\"policyHash\":\"@POLICY\","    \
    "\"halted\":{\"reason\":\"PCRMismatch\",\"generation\":" generation "}}"
#define ALIVE(word) .hosts = {{SCENE_HOST("i-1", word)}}, .attempt = ATTEMPT_LIVE
#define VERIFIED    .status = LEDGER_LIVE "," VERDICT("Verified"), ALIVE(HOST_RUNNING)

/* One row of a table: what plan_next() must answer. */
struct plan_case {
    const char *name;
    struct scene_input input;
    void (*tune)(struct plan_scene *scene);
    int row;
    enum plan_action action;
    const char *why;  /* NULL: not compared */
    const char *host; /* the same */
    int64_t look_ms;  /* 0: not compared */
};

void plan_case_run(const struct plan_case *c);
#define RUN_ALL(cases)                                                                                       \
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)                                                            \
    plan_case_run(&cases[i])

#endif
