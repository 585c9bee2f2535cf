/* What an object says about itself, whatever is seen: the invariants of its conditions, over a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan_scene.h"
#include "reconcile/status.h"

#include <stdio.h>
#include <string.h>

struct status_case {
    const char *name;
    struct scene_input input;
    void (*tune)(struct plan_scene *scene);
    const char *phase;
    const char *ready;   /* status/reason */
    const char *summary; /* Reconciling, Stalled or NULL */
};

static void allow_disabled(struct plan_scene *scene)
{
    scene->config.allow_unmeasured = true;
}

static void not_owner(struct plan_scene *scene)
{
    scene->seen.is_owner = false;
    scene->seen.owner = "ns/older";
}

static void lapsed(struct plan_scene *scene)
{
    scene->in.now.wall_ms += 20 * 60 * 1000;
}

static void overdue(struct plan_scene *scene)
{
    scene->in.now.wall_ms += 301 * 1000;
}

static void drifted(struct plan_scene *scene)
{
    snprintf(scene->seen.hosts[0].launch_hash, sizeof(scene->seen.hosts[0].launch_hash), "v1-00");
}

static void unreachable(struct plan_scene *scene)
{
    scene->memory.fetch_failures = 3;
    snprintf(scene->memory.fetch_error, sizeof(scene->memory.fetch_error), "connection refused");
}

static void no_budget(struct plan_scene *scene)
{
    scene->config.max_launches_per_hour = 0;
}

static void short_everywhere(struct plan_scene *scene)
{
    scene->seen.capacity = (struct capacity_view){.is_all_short = true, .free_ms = SCENE_MONO_MS + 70 * 1000};
}

static void fleet_full(struct plan_scene *scene)
{
    scene->seen.fleet = (struct fleet_view){.is_full = true, .instances = 7};
}

static void preflight_is(struct plan_scene *scene, enum preflight_state state, const char *reason)
{
    scene->seen.preflight = (struct preflight){.state = state, .reason = reason, .text = "EC2 said so"};
}

static void unasked(struct plan_scene *scene)
{
    preflight_is(scene, PREFLIGHT_NONE, NULL);
}

static void refused(struct plan_scene *scene)
{
    preflight_is(scene, PREFLIGHT_REFUSED, "Invalid");
}

static void refused_drifted(struct plan_scene *scene)
{
    drifted(scene);
    refused(scene);
}

static void blocked(struct plan_scene *scene)
{
    preflight_is(scene, PREFLIGHT_BLOCKED, "Unauthorized");
}

static void blocked_drifted(struct plan_scene *scene)
{
    drifted(scene);
    blocked(scene);
}

static void inconclusive(struct plan_scene *scene)
{
    preflight_is(scene, PREFLIGHT_INCONCLUSIVE, "Inconclusive");
}

#define ENDED(result)                                                                                        \
    "\"launch\":{\"attempt\":1,\"hash\":\"@HASH\",\"history\":[{\"attempt\":1,\"result\":\"" result          \
    "\",\"reason\":\"EC2 said so\",\"endedAt\":\"2026-01-01T11:59:58Z\"}]}"

#define REFUSED                                                                                              \
    "\"launch\":{\"attempt\":1,\"history\":[{\"attempt\":1,\"result\":\"Invalid\","                          \
    "\"reason\":\"EC2 said so\",\"endedAt\":\"2026-01-01T11:59:58Z\",\"generation\":3}]}"

static const struct status_case cases[] = {
    {"new", {.attempt = ATTEMPT_NONE}, NULL, "Provisioning", "False/Pending", "Reconciling"},
    {"invalid", {.spec = "\"ports\":7"}, NULL, "Failed", "False/Invalid", "Stalled"},
    {"id taken",
     {.spec = "\"deploymentID\":\"d\""},
     not_owner,
     "Failed",
     "False/DeploymentIDTaken",
     "Stalled"},
    {"launch refused before it", {.attempt = ATTEMPT_NONE}, refused, "Failed", "False/Invalid", "Stalled"},
    {"launch blocked before it",
     {.attempt = ATTEMPT_NONE},
     blocked,
     "Provisioning",
     "False/Unauthorized",
     "Reconciling"},
    {"launch unsure",
     {.attempt = ATTEMPT_NONE},
     inconclusive,
     "Provisioning",
     "False/Pending",
     "Reconciling"},
    {"refused, and wanted stopped", {.spec = STOPPED}, refused, "Stopped", "True/Stopped", NULL},
    {"refused, and being deleted",
     {.metadata = DELETING},
     refused,
     "Terminating",
     "False/Terminating",
     "Reconciling"},
    {"successor refused", {VERIFIED}, refused_drifted, "Failed", "False/Invalid", "Stalled"},
    {"successor blocked", {VERIFIED}, blocked_drifted, "Running", "False/Unauthorized", "Reconciling"},
    {"verified, whatever a launch would be told", {VERIFIED}, refused, "Running", "True/Verified", NULL},
    {"paused", {.metadata = PAUSED}, NULL, "Provisioning", "Unknown/Paused", "Reconciling"},
    {"open attempt",
     {.status = LEDGER_OPEN, .attempt = ATTEMPT_OPEN},
     NULL,
     "Provisioning",
     "Unknown/Launching",
     "Reconciling"},
    {"missing",
     {.status = LEDGER_LIVE, .attempt = ATTEMPT_MISSING},
     NULL,
     "Provisioning",
     "Unknown/Missing",
     "Reconciling"},
    {"ending",
     {.status = LEDGER_LIVE, .attempt = ATTEMPT_ENDING},
     NULL,
     "Provisioning",
     "False/HostLost",
     "Reconciling"},
    {"lost, and no budget",
     {.status = LEDGER_LIVE, .attempt = ATTEMPT_DEAD},
     no_budget,
     "Provisioning",
     "False/LaunchBudgetExhausted",
     "Reconciling"},
    {"lost",
     {.status = LEDGER_LIVE, .attempt = ATTEMPT_DEAD},
     NULL,
     "Provisioning",
     "False/HostLost",
     "Reconciling"},
    {"no capacity",
     {.status = ENDED("InsufficientCapacity"), .attempt = ATTEMPT_DEAD},
     NULL,
     "Provisioning",
     "False/InsufficientCapacity",
     "Reconciling"},
    {"refused", {.status = REFUSED, .attempt = ATTEMPT_DEAD}, NULL, "Failed", "False/Invalid", "Stalled"},
    {"no budget",
     {.attempt = ATTEMPT_NONE},
     no_budget,
     "Provisioning",
     "False/LaunchBudgetExhausted",
     "Reconciling"},
    {"others were refused everywhere",
     {.attempt = ATTEMPT_NONE},
     short_everywhere,
     "Provisioning",
     "False/InsufficientCapacity",
     "Reconciling"},
    {"as many instances as may be",
     {.attempt = ATTEMPT_NONE},
     fleet_full,
     "Provisioning",
     "False/QuotaExceeded",
     "Reconciling"},
    {"pending",
     {.status = LEDGER_LIVE, ALIVE(HOST_PENDING)},
     NULL,
     "Provisioning",
     "False/Pending",
     "Reconciling"},
    {"booting",
     {.status = LEDGER_LIVE, ALIVE(HOST_RUNNING)},
     NULL,
     "Provisioning",
     "False/Booting",
     "Reconciling"},
    {"boot overdue",
     {.status = LEDGER_LIVE, ALIVE(HOST_RUNNING)},
     overdue,
     "Failed",
     "False/BootTimeout",
     "Stalled"},
    {"verified", {VERIFIED}, NULL, "Running", "True/Verified", NULL},
    {"verified, not reached since", {VERIFIED}, unreachable, "Running", "True/Verified", NULL},
    {"lapsed", {VERIFIED}, lapsed, "Running", "False/Lapsed", "Reconciling"},
    {"drifted", {VERIFIED}, drifted, "Running", "False/SpecChanged", "Reconciling"},
    {"rejected",
     {.status = LEDGER_LIVE ",\"attestation\":{\"verdict\":\"Rejected\",\"reason\":\"PCRMismatch\","
                            "\"message\":\"PCR0 differs\",\"nextAt\":\"2026-01-01T12:05:00Z\"}",
      ALIVE(HOST_RUNNING)},
     NULL,
     "Failed",
     "False/PCRMismatch",
     "Stalled"},
    {"measured only",
     {.status = LEDGER_LIVE "," VERDICT("MeasuredOnly"), ALIVE(HOST_RUNNING)},
     NULL,
     "Failed",
     "False/MeasuredOnly",
     "Stalled"},
    {"debug, accepted by nobody",
     {.status = LEDGER_LIVE "," VERDICT("Debug"), ALIVE(HOST_RUNNING)},
     allow_disabled,
     "Failed",
     "False/Debug",
     "Stalled"},
    {"no nonce, not asked for",
     {.spec = "\"attestation\":{\"requireNonce\":false}",
      .status = LEDGER_LIVE "," VERDICT("VerifiedWithoutNonce"),
      ALIVE(HOST_RUNNING)},
     NULL,
     "Running",
     "True/VerifiedWithoutNonce",
     NULL},
    {"no nonce, asked for",
     {.status = LEDGER_LIVE "," VERDICT("VerifiedWithoutNonce"), ALIVE(HOST_RUNNING)},
     NULL,
     "Failed",
     "False/VerifiedWithoutNonce",
     "Stalled"},
    {"disabled",
     {.spec = "\"attestation\":{\"protocol\":\"Disabled\"}", .status = LEDGER_LIVE, ALIVE(HOST_RUNNING)},
     allow_disabled,
     "Running",
     "True/Disabled",
     NULL},
    {"halted, stopped",
     {.status = HALTED("3"), ALIVE(HOST_STOPPED)},
     NULL,
     "Failed",
     "False/AttestationRejected",
     "Stalled"},
    {"stopped as wanted",
     {.spec = STOPPED, .status = LEDGER_LIVE, ALIVE(HOST_STOPPED)},
     NULL,
     "Stopped",
     "True/Stopped",
     NULL},
    {"never launched as wanted", {.spec = STOPPED}, NULL, "Stopped", "True/Stopped", NULL},
    {"stopping as wanted",
     {.spec = STOPPED, ALIVE(HOST_STOPPING)},
     NULL,
     "Stopping",
     "False/Stopping",
     "Reconciling"},
    {"deleting", {.metadata = DELETING, VERIFIED}, NULL, "Terminating", "False/Terminating", "Reconciling"},
    {"deleting what was stopped as wanted",
     {.metadata = DELETING, .spec = STOPPED, ALIVE(HOST_STOPPED)},
     NULL,
     "Terminating",
     "False/Terminating",
     "Reconciling"},
};

static void check_summary(const struct status_case *c, const struct conditions *set)
{
    const struct condition *ready = condition_find(set, "Ready");
    const struct condition *reconciling = condition_find(set, "Reconciling");
    const struct condition *stalled = condition_find(set, "Stalled");
    char text[128];
    if (!ready)
        fail_msg("%s: no Ready", c->name);
    snprintf(text, sizeof(text), "%s/%s", ready->status, ready->reason);
    if (strcmp(text, c->ready) != 0)
        fail_msg("%s: Ready is %s", c->name, text);
    bool is_true = strcmp(ready->status, "True") == 0;
    if ((reconciling ? 1 : 0) + (stalled ? 1 : 0) != (is_true ? 0 : 1))
        fail_msg("%s: Reconciling and Stalled do not go with Ready", c->name);
    const char *summary = reconciling ? "Reconciling" : stalled ? "Stalled" : "";
    if (strcmp(summary, c->summary ? c->summary : "") != 0)
        fail_msg("%s: %s", c->name, summary);
}

static void check_each(const struct status_case *c, const struct tee_status *status)
{
    static const char *const always[] = {"Ready",          "PreflightSucceeded", "HostLaunched", "HostBooted",
                                         "EnclaveRunning", "Attested",           "Drifted"};
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        if (!condition_find(&status->conditions, always[i]))
            fail_msg("%s: no %s", c->name, always[i]);
    for (size_t i = 0; i < status->conditions.count; i++) {
        const struct condition *condition = &status->conditions.items[i];
        if (condition->observed_generation != 3 || condition->transition_ms <= 0 || !condition->reason[0])
            fail_msg("%s: %s has no generation, time or reason", c->name, condition->type);
    }
    assert_int_equal(status->observed_generation, 3);
    if (strcmp(status->phase, c->phase) != 0)
        fail_msg("%s: phase %s", c->name, status->phase);
}

static void test_invariants(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct plan_scene scene;
        struct tee_status status;
        plan_scene_init(&scene, &cases[i].input);
        if (cases[i].tune)
            cases[i].tune(&scene);
        status_compute(&scene.in, &scene.arena, &status);
        check_summary(&cases[i], &status.conditions);
        check_each(&cases[i], &status);
        plan_scene_done(&scene);
    }
}

/* The second status is computed from the first, a minute later. */
static void test_transition_times(void **state)
{
    (void)state;
    struct scene_input input = {VERIFIED};
    struct plan_scene scene;
    struct tee_status first;
    struct tee_status second;
    plan_scene_init(&scene, &input);
    status_compute(&scene.in, &scene.arena, &first);
    scene.want->status.conditions = first.conditions;
    scene.in.now.wall_ms += 60 * 1000;
    status_compute(&scene.in, &scene.arena, &second);
    for (size_t i = 0; i < second.conditions.count; i++)
        assert_int_equal(second.conditions.items[i].transition_ms, SCENE_WALL_MS);
    drifted(&scene);
    status_compute(&scene.in, &scene.arena, &second);
    assert_int_equal(condition_find(&second.conditions, "Drifted")->transition_ms, SCENE_WALL_MS + 60 * 1000);
    assert_int_equal(condition_find(&second.conditions, "Ready")->transition_ms, SCENE_WALL_MS + 60 * 1000);
    assert_int_equal(condition_find(&second.conditions, "Attested")->transition_ms, SCENE_WALL_MS);
    plan_scene_done(&scene);
}

static void check_preflight(const struct scene_input *input, void (*tune)(struct plan_scene *),
                            const char *status, const char *reason, const char *text)
{
    struct plan_scene scene;
    struct tee_status computed;
    plan_scene_init(&scene, input);
    tune(&scene);
    status_compute(&scene.in, &scene.arena, &computed);
    const struct condition *condition = condition_find(&computed.conditions, "PreflightSucceeded");
    assert_string_equal(condition->status, status);
    assert_string_equal(condition->reason, reason);
    assert_non_null(strstr(condition->message, text));
    plan_scene_done(&scene);
}

static void test_preflight(void **state)
{
    (void)state;
    const struct scene_input none = {.attempt = ATTEMPT_NONE};
    const struct scene_input denied = {.status = ENDED("Unauthorized"), .attempt = ATTEMPT_DEAD};
    const struct scene_input live = {VERIFIED};
    check_preflight(&none, unasked, "Unknown", "Pending", "before the next launch");
    check_preflight(&denied, unasked, "False", "Unauthorized", "EC2 said so");
    check_preflight(&none, refused, "False", "Invalid", "EC2 said so");
    check_preflight(&none, blocked, "False", "Unauthorized", "EC2 said so");
    check_preflight(&none, inconclusive, "Unknown", "Inconclusive", "EC2 said so");
    check_preflight(&live, refused, "True", "SpecAccepted", "launched from this spec");
    check_preflight(&live, blocked_drifted, "False", "Unauthorized", "EC2 said so");
}

/* A verdict of another boot is not shown; one that has lapsed says so. */
static void test_shown_verdict(void **state)
{
    (void)state;
    struct scene_input input = {VERIFIED};
    struct plan_scene scene;
    struct tee_status status;
    plan_scene_init(&scene, &input);
    status_compute(&scene.in, &scene.arena, &status);
    assert_string_equal(status.attestation.verdict, "Verified");
    assert_string_equal(status.instance.id, "i-1");
    lapsed(&scene);
    status_compute(&scene.in, &scene.arena, &status);
    assert_string_equal(status.attestation.verdict, "Expired");
    scene.seen.hosts[0].launch_ms += 5000;
    status_compute(&scene.in, &scene.arena, &status);
    assert_null(status.attestation.verdict);
    assert_string_equal(condition_find(&status.conditions, "Attested")->status, "Unknown");
    plan_scene_done(&scene);
}

/* Reason and message. */
static const char *ready_text(struct plan_scene *scene)
{
    struct tee_status status;
    status_compute(&scene->in, &scene->arena, &status);
    const struct condition *ready = condition_find(&status.conditions, "Ready");
    return arena_printf(&scene->arena, "%s: %s", ready->reason, ready->message);
}

/* What EC2 will not do with the host that is there; of another one nothing is said. */
static void test_refused_change(void **state)
{
    (void)state;
    const struct {
        struct scene_input input;
        const char *reason;
    } rows[] = {
        {{.metadata = DELETING, VERIFIED}, "Terminating"},
        {{.spec = STOPPED, VERIFIED}, "Invalid"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct plan_scene scene;
        plan_scene_init(&scene, &rows[i].input);
        assert_null(strstr(ready_text(&scene), "refuses"));
        scene.memory.change = (struct host_change){.id = "i-1",
                                                   .action = "stop",
                                                   .refusal = ERROR_INVALID,
                                                   .error = "its root is an instance store"};
        assert_non_null(strstr(ready_text(&scene), "EC2 refuses to stop instance i-1; it is tried again"));
        assert_non_null(strstr(ready_text(&scene), "EC2's answer: its root is an instance store"));
        assert_non_null(strstr(ready_text(&scene), rows[i].reason));
        snprintf(scene.memory.change.id, sizeof(scene.memory.change.id), "i-0");
        assert_null(strstr(ready_text(&scene), "refuses"));
        plan_scene_done(&scene);
    }
}

/* What keeps a launch or an end from being known, once it lasts. */
static void test_what_is_waited_for(void **state)
{
    (void)state;
    static const struct {
        struct scene_input input;
        const char *launch_error;
        int64_t later_ms;
        const char *text;
    } rows[] = {
        {{.status = LEDGER_OPEN, .attempt = ATTEMPT_OPEN}, "", 600 * 1000, "no answer is known yet"},
        {{.status = LEDGER_OPEN, .attempt = ATTEMPT_OPEN}, "slow down", 59 * 1000, "no answer is known yet"},
        {{.status = LEDGER_OPEN, .attempt = ATTEMPT_OPEN},
         "slow down",
         60 * 1000,
         "the last answer: slow down"},
        {{.metadata = DELETING, .status = LEDGER_OPEN, .attempt = ATTEMPT_OPEN},
         "",
         0,
         "No answer to the launch"},
        {{.metadata = DELETING, .status = LEDGER_LIVE, .attempt = ATTEMPT_MISSING},
         "",
         0,
         "does not list instance i-1"},
        {{.metadata = DELETING, .status = LEDGER_LIVE, .attempt = ATTEMPT_ENDING}, "", 0, "is shutting down"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct plan_scene scene;
        plan_scene_init(&scene, &rows[i].input);
        snprintf(scene.memory.launch_error, sizeof(scene.memory.launch_error), "%s", rows[i].launch_error);
        scene.in.now.wall_ms += rows[i].later_ms;
        if (!strstr(ready_text(&scene), rows[i].text))
            fail_msg("row %zu: %s", i, ready_text(&scene));
        plan_scene_done(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_invariants),     cmocka_unit_test(test_transition_times),
        cmocka_unit_test(test_shown_verdict),  cmocka_unit_test(test_preflight),
        cmocka_unit_test(test_refused_change), cmocka_unit_test(test_what_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
