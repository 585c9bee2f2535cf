/* What the plan makes of what is known of the next launch: rows 7, 9 and 10 of the state table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan_scene.h"

#include <stdio.h>
#include <string.h>

enum { MINUTE_MS = 60 * 1000 };

static void known(struct plan_scene *scene, enum preflight_state state, int64_t age_ms)
{
    scene->seen.preflight = (struct preflight){.state = state,
                                               .reason = "R",
                                               .text = "t",
                                               .checked_ms = SCENE_MONO_MS - age_ms,
                                               .next_ms = SCENE_MONO_MS - age_ms + 5 * MINUTE_MS,
                                               .tries = 1};
}

static void unasked(struct plan_scene *scene)
{
    known(scene, PREFLIGHT_NONE, 0);
}

static void passed_long_ago(struct plan_scene *scene)
{
    known(scene, PREFLIGHT_PASSED, 15 * MINUTE_MS);
}

static void refused(struct plan_scene *scene)
{
    known(scene, PREFLIGHT_REFUSED, 60 * MINUTE_MS);
}

static void blocked(struct plan_scene *scene)
{
    known(scene, PREFLIGHT_BLOCKED, MINUTE_MS);
}

static void blocked_soon(struct plan_scene *scene)
{
    known(scene, PREFLIGHT_BLOCKED, 5 * MINUTE_MS - 2000);
}

static void blocked_due(struct plan_scene *scene)
{
    known(scene, PREFLIGHT_BLOCKED, 5 * MINUTE_MS);
}

static void blocked_new_keys(struct plan_scene *scene)
{
    blocked(scene);
    scene->seen.preflight.has_new_keys = true;
}

static void unsure(struct plan_scene *scene)
{
    known(scene, PREFLIGHT_INCONCLUSIVE, MINUTE_MS);
}

static void unsure_often(struct plan_scene *scene)
{
    unsure(scene);
    scene->seen.preflight.tries = 3;
}

static void unsure_long_ago(struct plan_scene *scene)
{
    known(scene, PREFLIGHT_INCONCLUSIVE, 15 * MINUTE_MS);
    scene->seen.preflight.tries = 3;
}

static void drift(struct plan_scene *scene)
{
    snprintf(scene->seen.hosts[0].launch_hash, sizeof(scene->seen.hosts[0].launch_hash), "v1-00");
}

static void drift_passed_long_ago(struct plan_scene *scene)
{
    drift(scene);
    passed_long_ago(scene);
}

static void drift_unasked(struct plan_scene *scene)
{
    drift(scene);
    unasked(scene);
}

static void drift_refused(struct plan_scene *scene)
{
    drift(scene);
    refused(scene);
}

static void drift_blocked(struct plan_scene *scene)
{
    drift(scene);
    blocked(scene);
}

static void drift_unsure_often(struct plan_scene *scene)
{
    drift(scene);
    unsure_often(scene);
}

static void test_launch(void **state)
{
    (void)state;
    static const struct plan_case cases[] = {
        {"first sight", {.attempt = ATTEMPT_NONE}, unasked, .row = 9, .action = PLAN_PREFLIGHT},
        {"passed", {.attempt = ATTEMPT_NONE}, NULL, .row = 9, .action = PLAN_RECORD_ATTEMPT},
        {"passed long ago", {.attempt = ATTEMPT_NONE}, passed_long_ago, .row = 9, .action = PLAN_PREFLIGHT},
        {"refused", {.attempt = ATTEMPT_NONE}, refused, .row = 9, .action = PLAN_NONE, .look_ms = -1},
        {"refused, asked again",
         {.metadata = REQUESTED, .attempt = ATTEMPT_NONE},
         refused,
         .row = 9,
         .action = PLAN_PREFLIGHT},
        {"blocked: other keys are looked for",
         {.attempt = ATTEMPT_NONE},
         blocked,
         .row = 9,
         .look_ms = 30000},
        {"blocked, due soon", {.attempt = ATTEMPT_NONE}, blocked_soon, .row = 9, .look_ms = 2000},
        {"blocked, due", {.attempt = ATTEMPT_NONE}, blocked_due, .row = 9, .action = PLAN_PREFLIGHT},
        {"blocked, other keys",
         {.attempt = ATTEMPT_NONE},
         blocked_new_keys,
         .row = 9,
         .action = PLAN_PREFLIGHT},
        {"blocked, asked again",
         {.metadata = REQUESTED, .attempt = ATTEMPT_NONE},
         blocked,
         .row = 9,
         .action = PLAN_PREFLIGHT},
        {"unsure",
         {.attempt = ATTEMPT_NONE},
         unsure,
         .row = 9,
         .action = PLAN_NONE,
         .look_ms = 4 * MINUTE_MS},
        {"unsure often enough",
         {.attempt = ATTEMPT_NONE},
         unsure_often,
         .row = 9,
         .action = PLAN_RECORD_ATTEMPT},
        {"unsure long ago", {.attempt = ATTEMPT_NONE}, unsure_long_ago, .row = 9, .action = PLAN_PREFLIGHT},
        {"an open attempt is not judged again",
         {.status = LEDGER_OPEN, .attempt = ATTEMPT_OPEN},
         refused,
         .row = 6,
         .action = PLAN_RUN},
        {"deleting asks nothing", {.metadata = DELETING}, unasked, .row = 2, .action = PLAN_REMOVE_FINALIZER},
        {"paused asks nothing", {.metadata = PAUSED}, unasked, .row = 1, .action = PLAN_NONE},
    };
    RUN_ALL(cases);
}

static void test_stopped(void **state)
{
    (void)state;
    static const struct plan_case cases[] = {
        {"first sight", {.spec = STOPPED}, unasked, .row = 7, .action = PLAN_PREFLIGHT},
        {"passed long ago", {.spec = STOPPED}, passed_long_ago, .row = 7, .action = PLAN_NONE, .look_ms = -1},
        {"refused", {.spec = STOPPED}, refused, .row = 7, .action = PLAN_NONE, .look_ms = -1},
        {"a host that stops",
         {.spec = STOPPED, .status = LEDGER_LIVE, ALIVE(HOST_STOPPING)},
         drift_unasked,
         .row = 7,
         .action = PLAN_NONE},
        {"a host to stop",
         {.spec = STOPPED, .status = LEDGER_LIVE, ALIVE(HOST_RUNNING)},
         drift_unasked,
         .row = 7,
         .action = PLAN_STOP},
        {"one that ends",
         {.spec = STOPPED, .status = LEDGER_LIVE, .attempt = ATTEMPT_ENDING},
         unasked,
         .row = 7,
         .action = PLAN_NONE},
    };
    RUN_ALL(cases);
}

static void test_replacement(void **state)
{
    (void)state;
    static const struct plan_case cases[] = {
        {"unasked", {VERIFIED}, drift_unasked, .row = 10, .action = PLAN_PREFLIGHT},
        {"passed", {VERIFIED}, drift, .row = 10, .action = PLAN_TERMINATE, .why = "Replaced"},
        {"passed long ago", {VERIFIED}, drift_passed_long_ago, .row = 10, .action = PLAN_PREFLIGHT},
        {"refused: the host stays", {VERIFIED}, drift_refused, .row = 16, .action = PLAN_NONE},
        {"blocked: the host stays",
         {VERIFIED},
         drift_blocked,
         .row = 16,
         .action = PLAN_NONE,
         .look_ms = 30000},
        {"blocked: the host is asked as before",
         {.status = LEDGER_LIVE, ALIVE(HOST_RUNNING)},
         drift_blocked,
         .row = 14,
         .action = PLAN_ATTEST},
        {"unsure, however often: the host stays",
         {VERIFIED},
         drift_unsure_often,
         .row = 16,
         .action = PLAN_NONE,
         .look_ms = 4 * MINUTE_MS},
        {"OnDelete: told once",
         {.spec = "\"updateStrategy\":\"OnDelete\"", VERIFIED},
         drift_unasked,
         .row = 10,
         .action = PLAN_PREFLIGHT},
        {"OnDelete: told long ago",
         {.spec = "\"updateStrategy\":\"OnDelete\"", VERIFIED},
         drift_passed_long_ago,
         .row = 16,
         .action = PLAN_NONE},
        {"no drift asks nothing", {VERIFIED}, unasked, .row = 16, .action = PLAN_NONE},
    };
    RUN_ALL(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_launch),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_replacement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
