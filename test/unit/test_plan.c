/* The state table of behaviour.md section 3, row by row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan_scene.h"

#include <stdio.h>
#include <string.h>

static void incomplete(struct plan_scene *scene)
{
    scene->seen.is_inventory_complete = false;
}

static void old_inventory(struct plan_scene *scene)
{
    scene->seen.is_inventory_fresh = false;
}

static void old_store(struct plan_scene *scene)
{
    scene->seen.is_store_fresh = false;
}

static void silent_watch(struct plan_scene *scene)
{
    scene->seen.is_store_stale = true;
}

static void not_owner(struct plan_scene *scene)
{
    scene->seen.is_owner = false;
    scene->seen.owner = "ns/older";
}

static void no_ami(struct plan_scene *scene)
{
    scene->effective.instance.ami_id = NULL;
}

static void token_spent(struct plan_scene *scene)
{
    scene->memory.is_token_spent = true;
}

static void day_later(struct plan_scene *scene)
{
    scene->in.now.wall_ms += INT64_C(24) * 3600 * 1000;
}

static void looked_up_just_now(struct plan_scene *scene)
{
    scene->memory.lookups = (struct lookups){
        .empty_count = 1, .first_empty_ms = SCENE_MONO_MS - 20000, .last_ms = SCENE_MONO_MS - 20000};
}

static void budget_of_none(struct plan_scene *scene)
{
    scene->config.max_launches_per_hour = 0;
}

static void fleet_spent(struct plan_scene *scene)
{
    scene->seen.fleet.is_spent = true;
}

static void fleet_full(struct plan_scene *scene)
{
    scene->seen.fleet.is_full = true;
}

static void short_everywhere(struct plan_scene *scene)
{
    scene->seen.capacity = (struct capacity_view){.is_all_short = true, .free_ms = SCENE_MONO_MS + 70 * 1000};
}

static void may_adopt(struct plan_scene *scene)
{
    scene->config.allow_adoption = true;
}

static void adoption_tried_once(struct plan_scene *scene)
{
    scene->config.allow_adoption = true;
    scene->memory.lookups =
        (struct lookups){ADOPTION_SUBJECT, 1, SCENE_MONO_MS - 10 * 1000, SCENE_MONO_MS - 10 * 1000};
}

static void foreign_host(struct plan_scene *scene)
{
    scene->seen.foreign_host = "i-9";
}

static void foreign_host_to_adopt(struct plan_scene *scene)
{
    scene->config.allow_adoption = true;
    scene->seen.foreign_host = "i-9";
}

static void adoption_tried(struct plan_scene *scene)
{
    scene->config.allow_adoption = true;
    scene->memory.lookups = (struct lookups){ADOPTION_SUBJECT, 2, 1000, 61000};
}

static void test_blind_and_paused(void **state)
{
    (void)state;
    static const struct plan_case cases[] = {
        {"inventory incomplete",
         {.attempt = ATTEMPT_NONE},
         incomplete,
         .row = 0,
         .action = PLAN_NONE,
         .look_ms = 1000},
        {"inventory older than our effect",
         {.status = LEDGER_OPEN},
         old_inventory,
         .row = 0,
         .action = PLAN_NONE},
        {"store behind our write", {.status = LEDGER_OPEN}, old_store, .row = 0, .action = PLAN_NONE},
        {"silent watch, deleting",
         {.metadata = DELETING, ALIVE(HOST_RUNNING)},
         silent_watch,
         .row = 0,
         .action = PLAN_NONE},
        {"paused", {.metadata = PAUSED}, NULL, .row = 1, .action = PLAN_NONE, .look_ms = -1},
        {"paused while deleting",
         {.metadata = DELETING "," PAUSED, ALIVE(HOST_RUNNING)},
         NULL,
         .row = 1,
         .action = PLAN_NONE},
        {"paused, a lapse is shown",
         {.metadata = PAUSED, .status = LEDGER_LIVE "," VERDICT("Verified"), ALIVE(HOST_RUNNING)},
         NULL,
         .row = 1,
         .action = PLAN_NONE,
         .look_ms = 20 * 60 * 1000},
    };
    RUN_ALL(cases);
}

static void test_deleting(void **state)
{
    (void)state;
    static const struct plan_case cases[] = {
        {"never launched", {.metadata = DELETING}, NULL, .row = 2, .action = PLAN_REMOVE_FINALIZER},
        {"no finalizer of ours",
         {.metadata = DELETING "," BARE, ALIVE(HOST_RUNNING)},
         NULL,
         .row = 2,
         .action = PLAN_NONE},
        {"running",
         {.metadata = DELETING, .status = LEDGER_LIVE, ALIVE(HOST_RUNNING)},
         NULL,
         .row = 2,
         .action = PLAN_TERMINATE,
         .why = "Deleted",
         .host = "i-1"},
        {"stopped",
         {.metadata = DELETING, .status = LEDGER_LIVE, ALIVE(HOST_STOPPED)},
         NULL,
         .row = 2,
         .action = PLAN_TERMINATE},
        {"shutting down",
         {.metadata = DELETING,
          .status = LEDGER_LIVE,
          .hosts = {{SCENE_HOST("i-1", HOST_SHUTTING_DOWN)}},
          .attempt = ATTEMPT_ENDING},
         NULL,
         .row = 2,
         .action = PLAN_NONE,
         .look_ms = 3000},
        {"terminated",
         {.metadata = DELETING,
          .status = LEDGER_LIVE,
          .hosts = {{SCENE_HOST("i-1", HOST_TERMINATED)}},
          .attempt = ATTEMPT_DEAD},
         NULL,
         .row = 2,
         .action = PLAN_REMOVE_FINALIZER},
        {"open attempt: looked up, never repeated",
         {.metadata = DELETING, .status = LEDGER_OPEN, .attempt = ATTEMPT_OPEN},
         NULL,
         .row = 2,
         .action = PLAN_LOOK_UP},
        {"missing instance",
         {.metadata = DELETING, .status = LEDGER_LIVE, .attempt = ATTEMPT_MISSING},
         NULL,
         .row = 2,
         .action = PLAN_LOOK_UP},
        {"missing, looked up 20 s ago",
         {.metadata = DELETING, .status = LEDGER_LIVE, .attempt = ATTEMPT_MISSING},
         looked_up_just_now,
         .row = 2,
         .action = PLAN_NONE,
         .look_ms = 40 * 1000},
        {"Retain: tag first",
         {.metadata = DELETING, .spec = RETAIN, .status = LEDGER_LIVE, ALIVE(HOST_RUNNING)},
         NULL,
         .row = 2,
         .action = PLAN_TAG_RETAINED,
         .host = "i-1"},
        {"Retain: tag seen",
         {.metadata = DELETING,
          .spec = RETAIN,
          .status = LEDGER_LIVE,
          .hosts = {{SCENE_HOST("i-1", HOST_RUNNING), .is_retained = true}},
          .attempt = ATTEMPT_LIVE},
         NULL,
         .row = 2,
         .action = PLAN_REMOVE_FINALIZER},
        {"the id is another object's",
         {.metadata = DELETING, ALIVE(HOST_RUNNING)},
         not_owner,
         .row = 2,
         .action = PLAN_REMOVE_FINALIZER},
        {"deletion passes a halt by",
         {.metadata = DELETING, .status = HALTED("3"), ALIVE(HOST_STOPPED)},
         NULL,
         .row = 2,
         .action = PLAN_TERMINATE,
         .why = "Deleted"},
        {"deletion of an invalid object",
         {.metadata = DELETING, .spec = "\"enclave\":{\"cpuCount\":0}", ALIVE(HOST_RUNNING)},
         NULL,
         .row = 2,
         .action = PLAN_TERMINATE},
    };
    RUN_ALL(cases);
}

static void test_stalled(void **state)
{
    (void)state;
    static const struct plan_case cases[] = {
        {"invalid spec",
         {.spec = "\"enclave\":{\"cpuCount\":\"two\"}"},
         NULL,
         .row = 3,
         .action = PLAN_NONE,
         .look_ms = -1},
        {"no AMI anywhere", {.attempt = ATTEMPT_NONE}, no_ami, .row = 3, .action = PLAN_NONE},
        {"debug mode not allowed",
         {.spec = "\"enclave\":{\"debugMode\":true}"},
         NULL,
         .row = 3,
         .action = PLAN_NONE},
        {"Disabled not allowed",
         {.spec = "\"attestation\":{\"protocol\":\"Disabled\"}"},
         NULL,
         .row = 3,
         .action = PLAN_NONE},
        {"deployment id taken", {.spec = "\"deploymentID\":\"d\""}, not_owner, .row = 3, .action = PLAN_NONE},
        {"halted, Stop: running",
         {.spec = REJECTION("Stop"), .status = HALTED("3"), ALIVE(HOST_RUNNING)},
         NULL,
         .row = 3,
         .action = PLAN_STOP,
         .why = "AttestationRejected",
         .host = "i-1"},
        {"halted, Stop: stopped is not started",
         {.spec = REJECTION("Stop"), .status = HALTED("3"), ALIVE(HOST_STOPPED)},
         NULL,
         .row = 3,
         .action = PLAN_NONE},
        {"halted, Terminate",
         {.spec = REJECTION("Terminate"), .status = HALTED("3"), ALIVE(HOST_RUNNING)},
         NULL,
         .row = 3,
         .action = PLAN_TERMINATE,
         .why = "AttestationRejected"},
        {"halted, but the id and the host are another object's",
         {.spec = REJECTION("Terminate"), .status = HALTED("3"), ALIVE(HOST_RUNNING)},
         not_owner,
         .row = 3,
         .action = PLAN_NONE},
        {"halted, terminated: not launched",
         {.spec = REJECTION("Terminate"), .status = HALTED("3"), .attempt = ATTEMPT_DEAD},
         NULL,
         .row = 3,
         .action = PLAN_NONE},
        {"halted under another generation",
         {.spec = REJECTION("Terminate"), .status = HALTED("2"), .attempt = ATTEMPT_DEAD},
         NULL,
         .row = 9,
         .action = PLAN_RECORD_ATTEMPT},
        {"halted, and a reconcile was requested",
         {.metadata = REQUESTED, .spec = REJECTION("Stop"), .status = HALTED("3"), ALIVE(HOST_STOPPED)},
         NULL,
         .row = 11,
         .action = PLAN_START},
        {"halted, the request was answered before",
         {.metadata = REQUESTED,
          .status = HALTED("3") ",\"lastHandledReconcileAt\":\"now\"",
          ALIVE(HOST_STOPPED)},
         NULL,
         .row = 3,
         .action = PLAN_NONE},
    };
    RUN_ALL(cases);
}

#define REFUSED(generation)                                                                                  \
    "\"launch\":{\"attempt\":1,\"hash\":\"@HASH\",\"history\":[{\"attempt\":1,\"result\":\"Invalid\","       \
    "\"reason\":\"InvalidParameterValue\",\"generation\":" generation                                        \
    ",\"endedAt\":\"2026-01-01T09:00:00Z\"}]}"
#define NO_CAPACITY                                                                                          \
    "\"launch\":{\"attempt\":1,\"hash\":\"@HASH\",\"history\":[{\"attempt\":1,"                              \
    "\"result\":\"InsufficientCapacity\",\"endedAt\":\"2026-01-01T11:59:58Z\"}]}"

static void test_launching(void **state)
{
    (void)state;
    static const struct plan_case cases[] = {
        {"no finalizer", {.metadata = BARE}, NULL, .row = 4, .action = PLAN_ADD_FINALIZER},
        {"open attempt is repeated",
         {.status = LEDGER_OPEN, .attempt = ATTEMPT_OPEN},
         NULL,
         .row = 6,
         .action = PLAN_RUN},
        {"open, the token is spent",
         {.status = LEDGER_OPEN, .attempt = ATTEMPT_OPEN},
         token_spent,
         .row = 6,
         .action = PLAN_LOOK_UP},
        {"open for a day",
         {.status = LEDGER_OPEN, .attempt = ATTEMPT_OPEN},
         day_later,
         .row = 6,
         .action = PLAN_LOOK_UP},
        {"open, wants Stopped now",
         {.spec = STOPPED, .status = LEDGER_OPEN, .attempt = ATTEMPT_OPEN},
         NULL,
         .row = 6,
         .action = PLAN_LOOK_UP},
        {"open under another spec",
         {.status = "\"launch\":{\"attempt\":1,\"token\":\"t1\",\"hash\":\"00\",\"hashVersion\":1,"
                    "\"startedAt\":\"2026-01-01T11:59:00Z\"}",
          .attempt = ATTEMPT_OPEN},
         NULL,
         .row = 6,
         .action = PLAN_LOOK_UP},
        {"missing instance is looked up",
         {.status = LEDGER_LIVE, .attempt = ATTEMPT_MISSING},
         NULL,
         .row = 6,
         .action = PLAN_LOOK_UP},
        {"adoption", {.metadata = ADOPTING}, may_adopt, .row = 8, .action = PLAN_FIND_ADOPTABLE},
        {"adoption not allowed", {.metadata = ADOPTING}, NULL, .row = 3, .action = PLAN_NONE},
        {"adoption found nothing once",
         {.metadata = ADOPTING},
         adoption_tried_once,
         .row = 8,
         .action = PLAN_NONE,
         .look_ms = 50 * 1000},
        {"another's host has the id", {.attempt = ATTEMPT_NONE}, foreign_host, .row = 3, .action = PLAN_NONE},
        {"another's host has the id, and is to be adopted",
         {.metadata = ADOPTING},
         foreign_host_to_adopt,
         .row = 8,
         .action = PLAN_FIND_ADOPTABLE},
        {"adoption found nothing",
         {.metadata = ADOPTING},
         adoption_tried,
         .row = 9,
         .action = PLAN_RECORD_ATTEMPT},
        {"adoption only before any attempt",
         {.metadata = ADOPTING, .status = LEDGER_LIVE, .attempt = ATTEMPT_DEAD},
         may_adopt,
         .row = 9,
         .action = PLAN_RECORD_ATTEMPT},
        {"first launch", {.attempt = ATTEMPT_NONE}, NULL, .row = 9, .action = PLAN_RECORD_ATTEMPT},
        {"after its end",
         {.status = LEDGER_LIVE, .attempt = ATTEMPT_DEAD},
         NULL,
         .row = 9,
         .action = PLAN_RECORD_ATTEMPT},
        {"the old one is ending",
         {.status = LEDGER_LIVE, .attempt = ATTEMPT_ENDING},
         NULL,
         .row = 9,
         .action = PLAN_NONE},
        {"budget spent",
         {.attempt = ATTEMPT_NONE},
         budget_of_none,
         .row = 9,
         .action = PLAN_NONE,
         .look_ms = 60 * 1000},
        {"budget of all spent",
         {.attempt = ATTEMPT_NONE},
         fleet_spent,
         .row = 9,
         .action = PLAN_NONE,
         .look_ms = 60 * 1000},
        {"as many instances as may be",
         {.attempt = ATTEMPT_NONE},
         fleet_full,
         .row = 9,
         .action = PLAN_NONE,
         .look_ms = 60 * 1000},
        {"others were refused everywhere",
         {.attempt = ATTEMPT_NONE},
         short_everywhere,
         .row = 9,
         .action = PLAN_NONE,
         .look_ms = 70 * 1000},
        {"others were refused everywhere, but a reconcile was requested",
         {.metadata = REQUESTED, .attempt = ATTEMPT_NONE},
         short_everywhere,
         .row = 9,
         .action = PLAN_RECORD_ATTEMPT},
        {"back-off after no capacity",
         {.status = NO_CAPACITY, .attempt = ATTEMPT_DEAD},
         NULL,
         .row = 9,
         .action = PLAN_NONE,
         .look_ms = 8000},
        {"a request cuts the back-off short",
         {.metadata = REQUESTED, .status = NO_CAPACITY, .attempt = ATTEMPT_DEAD},
         NULL,
         .row = 9,
         .action = PLAN_RECORD_ATTEMPT},
        {"refused as wrong",
         {.status = REFUSED("3"), .attempt = ATTEMPT_DEAD},
         NULL,
         .row = 3,
         .action = PLAN_NONE},
        {"refused, and a reconcile was requested",
         {.metadata = REQUESTED, .status = REFUSED("3"), .attempt = ATTEMPT_DEAD},
         NULL,
         .row = 9,
         .action = PLAN_RECORD_ATTEMPT},
        {"refused, and the spec was changed since, of whatever field",
         {.status = REFUSED("2"), .attempt = ATTEMPT_DEAD},
         NULL,
         .row = 9,
         .action = PLAN_RECORD_ATTEMPT},
    };
    RUN_ALL(cases);
}

#define TWO(...)                                                                                             \
    .hosts = {{SCENE_HOST("i-1", HOST_RUNNING)}, {SCENE_HOST("i-2", HOST_RUNNING), __VA_ARGS__}},            \
    .attempt = ATTEMPT_LIVE, .status = LEDGER_LIVE "," VERDICT("Verified")

static void make_second_young(struct plan_scene *scene)
{
    scene->seen.hosts[1].launch_ms = SCENE_WALL_MS - 60 * 1000;
}

static void make_second_foreign(struct plan_scene *scene)
{
    snprintf(scene->seen.hosts[1].cluster_id, sizeof(scene->seen.hosts[1].cluster_id), "other");
}

static void test_duplicates(void **state)
{
    (void)state;
    static const struct plan_case cases[] = {
        {"our token, our cluster, old",
         {TWO(.token = "t1")},
         NULL,
         .row = 5,
         .action = PLAN_TERMINATE,
         .why = "DuplicateInstance",
         .host = "i-2"},
        {"no token", {TWO(.token = "")}, NULL, .row = 16, .action = PLAN_NONE},
        {"somebody's token", {TWO(.token = "t9")}, NULL, .row = 16, .action = PLAN_NONE},
        {"another cluster's", {TWO(.token = "t1")}, make_second_foreign, .row = 16, .action = PLAN_NONE},
        {"not older than 60 s", {TWO(.token = "t1")}, make_second_young, .row = 16, .action = PLAN_NONE},
        {"a token of the history",
         {.hosts = {{SCENE_HOST("i-1", HOST_RUNNING)}, {SCENE_HOST("i-2", HOST_STOPPED), .token = "t0"}},
          .attempt = ATTEMPT_LIVE,
          .status = "\"launch\":{\"attempt\":2,\"token\":\"t1\",\"instanceID\":\"i-1\","
                    "\"history\":[{\"attempt\":1,\"token\":\"t0\"}]}"},
         NULL,
         .row = 5,
         .action = PLAN_TERMINATE,
         .host = "i-2"},
        {"a duplicate that has ended",
         {.hosts = {{SCENE_HOST("i-1", HOST_RUNNING)}, {SCENE_HOST("i-2", HOST_TERMINATED), .token = "t1"}},
          .attempt = ATTEMPT_LIVE,
          .status = LEDGER_LIVE "," VERDICT("Verified")},
         NULL,
         .row = 16,
         .action = PLAN_NONE},
    };
    RUN_ALL(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blind_and_paused), cmocka_unit_test(test_deleting),
        cmocka_unit_test(test_stalled),          cmocka_unit_test(test_launching),
        cmocka_unit_test(test_duplicates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
