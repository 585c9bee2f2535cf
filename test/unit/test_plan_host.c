/* The state table of behaviour.md section 3: the rows for a host that is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan_scene.h"
#include "reconcile/ledger.h"

#include <stdio.h>
#include <string.h>

static void budget_of_none(struct plan_scene *scene)
{
    scene->config.max_launches_per_hour = 0;
}

static void pending_for_long(struct plan_scene *scene)
{
    scene->seen.hosts[0].state_since_ms = SCENE_MONO_MS - 300 * 1000 - 1;
}

static void fetch_later(struct plan_scene *scene)
{
    scene->memory.fetch_not_before_ms = SCENE_MONO_MS + 7000;
    scene->memory.fetch_launch_ms = scene->seen.hosts[0].launch_ms;
}

static void fetch_later_of_another_boot(struct plan_scene *scene)
{
    fetch_later(scene);
    scene->memory.fetch_launch_ms -= 1000;
}

static void overdue_and_later(struct plan_scene *scene)
{
    scene->in.now.wall_ms += 301 * 1000;
    fetch_later(scene);
}

static void next_is_due(struct plan_scene *scene)
{
    scene->in.now.wall_ms += 5 * 60 * 1000;
}

static void allow_disabled(struct plan_scene *scene)
{
    scene->config.allow_unmeasured = true;
}

#define SUBNETS "\"instance\":{\"subnetIDs\":[\"subnet-a\",\"subnet-b\"]}"

static void other_hash(struct plan_scene *scene)
{
    snprintf(scene->seen.hosts[0].launch_hash, sizeof(scene->seen.hosts[0].launch_hash), "v1-00");
}

static void other_version(struct plan_scene *scene)
{
    snprintf(scene->seen.hosts[0].launch_hash, sizeof(scene->seen.hosts[0].launch_hash), "v2-00");
}

static void no_hash(struct plan_scene *scene)
{
    scene->seen.hosts[0].launch_hash[0] = '\0';
}

static void other_hash_no_budget(struct plan_scene *scene)
{
    other_hash(scene);
    budget_of_none(scene);
}

static void other_hash_fleet_spent(struct plan_scene *scene)
{
    other_hash(scene);
    scene->seen.fleet.is_spent = true;
}

static void other_hash_fleet_full(struct plan_scene *scene)
{
    other_hash(scene);
    scene->seen.fleet.is_full = true;
}

static void subnet_b(struct plan_scene *scene)
{
    snprintf(scene->seen.hosts[0].subnet_id, sizeof(scene->seen.hosts[0].subnet_id), "subnet-b");
}

static void subnet_c(struct plan_scene *scene)
{
    snprintf(scene->seen.hosts[0].subnet_id, sizeof(scene->seen.hosts[0].subnet_id), "subnet-c");
}

#define OLD_LEDGER(version)                                                                                  \
    "\"launch\":{\"instanceID\":\"i-1\",\"hash\":\"00\",\"hashVersion\":" version ",\"result\":\"Adopted\"}"

static void test_drift(void **state)
{
    (void)state;
    static const struct plan_case cases[] = {
        {"other hash: replaced",
         {VERIFIED},
         other_hash,
         .row = 10,
         .action = PLAN_TERMINATE,
         .why = "Replaced",
         .host = "i-1"},
        {"another hash version says nothing", {VERIFIED}, other_version, .row = 16, .action = PLAN_NONE},
        {"OnDelete",
         {.spec = "\"updateStrategy\":\"OnDelete\"", VERIFIED},
         other_hash,
         .row = 16,
         .action = PLAN_NONE},
        {"no budget of all for the successor",
         {VERIFIED},
         other_hash_fleet_spent,
         .row = 16,
         .action = PLAN_NONE},
        {"a successor is no instance more",
         {VERIFIED},
         other_hash_fleet_full,
         .row = 10,
         .action = PLAN_TERMINATE},
        {"no budget for the successor", {VERIFIED}, other_hash_no_budget, .row = 16, .action = PLAN_NONE},
        {"a stopped host that should stay stopped",
         {.spec = STOPPED, .status = LEDGER_LIVE, ALIVE(HOST_STOPPED)},
         other_hash,
         .row = 7,
         .action = PLAN_NONE},
        {"no tag: the ledger's hash",
         {.status = OLD_LEDGER("1"), ALIVE(HOST_RUNNING)},
         no_hash,
         .row = 10,
         .action = PLAN_TERMINATE},
        {"no tag: the ledger's version",
         {.status = OLD_LEDGER("2"), ALIVE(HOST_RUNNING)},
         no_hash,
         .row = 14,
         .action = PLAN_ATTEST},
        {"subnet still listed", {.spec = SUBNETS, VERIFIED}, subnet_b, .row = 16, .action = PLAN_NONE},
        {"subnet no longer listed",
         {.spec = SUBNETS, VERIFIED},
         subnet_c,
         .row = 10,
         .action = PLAN_TERMINATE,
         .why = "Replaced"},
        {"no subnets wanted", {VERIFIED}, subnet_c, .row = 16, .action = PLAN_NONE},
    };
    RUN_ALL(cases);
}

static void test_states(void **state)
{
    (void)state;
    static const struct plan_case cases[] = {
        {"wants Stopped, none", {.spec = STOPPED}, NULL, .row = 7, .action = PLAN_NONE, .look_ms = -1},
        {"wants Stopped, pending",
         {.spec = STOPPED, ALIVE(HOST_PENDING)},
         NULL,
         .row = 7,
         .action = PLAN_NONE,
         .look_ms = 3000},
        {"wants Stopped, running",
         {.spec = STOPPED, ALIVE(HOST_RUNNING)},
         NULL,
         .row = 7,
         .action = PLAN_STOP,
         .why = "Stopped"},
        {"wants Stopped, stopping",
         {.spec = STOPPED, ALIVE(HOST_STOPPING)},
         NULL,
         .row = 7,
         .action = PLAN_NONE},
        {"wants Stopped, stopped",
         {.spec = STOPPED, ALIVE(HOST_STOPPED)},
         NULL,
         .row = 7,
         .action = PLAN_NONE,
         .look_ms = -1},
        {"stopped",
         {.status = LEDGER_LIVE, ALIVE(HOST_STOPPED)},
         NULL,
         .row = 11,
         .action = PLAN_START,
         .host = "i-1"},
        {"pending",
         {.status = LEDGER_LIVE, ALIVE(HOST_PENDING)},
         NULL,
         .row = 12,
         .action = PLAN_NONE,
         .look_ms = 3000},
        {"stopping", {.status = LEDGER_LIVE, ALIVE(HOST_STOPPING)}, NULL, .row = 12, .action = PLAN_NONE},
        {"pending past launchSeconds",
         {.status = LEDGER_LIVE, ALIVE(HOST_PENDING)},
         pending_for_long,
         .row = 12,
         .action = PLAN_TERMINATE,
         .why = "LaunchTimeout"},
    };
    RUN_ALL(cases);
}

static void no_address(struct plan_scene *scene)
{
    scene->seen.hosts[0].private_ip[0] = '\0';
}

static void rebooted(struct plan_scene *scene)
{
    scene->seen.hosts[0].launch_ms += 60 * 1000;
}

static void other_roots(struct plan_scene *scene)
{
    ledger_policy_hash(&scene->want->spec, "other", scene->in.policy_hash);
}

static void test_attesting(void **state)
{
    (void)state;
    static const struct plan_case cases[] = {
        {"no verdict yet",
         {.status = LEDGER_LIVE, ALIVE(HOST_RUNNING)},
         NULL,
         .row = 14,
         .action = PLAN_ATTEST},
        {"no address yet",
         {.status = LEDGER_LIVE, ALIVE(HOST_RUNNING)},
         no_address,
         .row = 14,
         .action = PLAN_NONE},
        {"its turn is later",
         {.status = LEDGER_LIVE, ALIVE(HOST_RUNNING)},
         fetch_later,
         .row = 14,
         .action = PLAN_NONE,
         .look_ms = 7000},
        {"boot overdue: kept, and asked at its turn",
         {.status = LEDGER_LIVE, ALIVE(HOST_RUNNING)},
         overdue_and_later,
         .row = 13,
         .action = PLAN_NONE,
         .look_ms = 7000},
        {"verdict of another boot", {VERIFIED}, rebooted, .row = 14, .action = PLAN_ATTEST},
        {"verdict under other roots", {VERIFIED}, other_roots, .row = 14, .action = PLAN_ATTEST},
        {"next look is due", {VERIFIED}, next_is_due, .row = 14, .action = PLAN_ATTEST},
        {"a new boot is asked at once, however long the one before was silent",
         {.status = LEDGER_LIVE, ALIVE(HOST_RUNNING)},
         fetch_later_of_another_boot,
         .row = 14,
         .action = PLAN_ATTEST},
        {"a request attests now",
         {.metadata = REQUESTED, VERIFIED},
         fetch_later,
         .row = 14,
         .action = PLAN_ATTEST},
        {"Disabled",
         {.spec = "\"attestation\":{\"protocol\":\"Disabled\"}", .status = LEDGER_LIVE, ALIVE(HOST_RUNNING)},
         allow_disabled,
         .row = 16,
         .action = PLAN_NONE,
         .look_ms = -1},
        {"rejected, Report",
         {.status = LEDGER_LIVE "," VERDICT("Rejected"), ALIVE(HOST_RUNNING)},
         NULL,
         .row = 15,
         .action = PLAN_NONE,
         .look_ms = 5 * 60 * 1000},
        {"rejected, Stop: the halt is written first",
         {.spec = REJECTION("Stop"), .status = LEDGER_LIVE "," VERDICT("Rejected"), ALIVE(HOST_RUNNING)},
         NULL,
         .row = 15,
         .action = PLAN_RECORD_HALT},
        {"rejected, Terminate",
         {.spec = REJECTION("Terminate"), .status = LEDGER_LIVE "," VERDICT("Rejected"), ALIVE(HOST_RUNNING)},
         NULL,
         .row = 15,
         .action = PLAN_RECORD_HALT},
        {"verified: the next look",
         {VERIFIED},
         NULL,
         .row = 16,
         .action = PLAN_NONE,
         .look_ms = 5 * 60 * 1000},
        {"verified: the lapse comes first",
         {.status =
              LEDGER_LIVE ",\"attestation\":{\"verdict\":\"Verified\","
                          "\"validUntil\":\"2026-01-01T12:02:00Z\",\"nextAt\":\"2026-01-01T12:05:00Z\"}",
          ALIVE(HOST_RUNNING)},
         NULL,
         .row = 16,
         .action = PLAN_NONE,
         .look_ms = 2 * 60 * 1000},
    };
    RUN_ALL(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drift),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_attesting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
