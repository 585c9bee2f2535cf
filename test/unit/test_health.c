/* When a failing host is replaced, and what is said of it meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "plan_scene.h"
#include "reconcile/health.h"

#include <stdio.h>

enum { MINUTE_MS = 60 * 1000 };
#define ON_DELETE "\"updateStrategy\":\"OnDelete\""

static void ails(struct plan_scene *scene, enum host_ailment ailment, int64_t for_ms)
{
    scene->seen.is_health_fresh = true;
    scene->seen.hosts[0].health = (struct host_health){.ailment = ailment,
                                                       .event_ms = SCENE_WALL_MS + 60 * MINUTE_MS,
                                                       .since_ms = SCENE_MONO_MS - for_ms,
                                                       .since_wall_ms = SCENE_WALL_MS - for_ms};
}

static void impaired_now(struct plan_scene *scene)
{
    ails(scene, HOST_IMPAIRED, 3 * MINUTE_MS);
}

static void impaired_long(struct plan_scene *scene)
{
    ails(scene, HOST_IMPAIRED, HEALTH_PATIENCE_MS);
}

static void retiring(struct plan_scene *scene)
{
    ails(scene, HOST_RETIRING, HEALTH_PATIENCE_MS);
}

static void stale(struct plan_scene *scene)
{
    impaired_long(scene);
    scene->seen.is_health_fresh = false;
}

static void repairs_spent(struct plan_scene *scene)
{
    retiring(scene);
    scene->seen.fleet.is_repair_spent = true;
}

static void launches_spent(struct plan_scene *scene)
{
    retiring(scene);
    scene->config.max_launches_per_hour = 0;
}

static void preflight_unasked(struct plan_scene *scene)
{
    retiring(scene);
    scene->seen.preflight = (struct preflight){.state = PREFLIGHT_NONE};
}

static void preflight_refused(struct plan_scene *scene)
{
    retiring(scene);
    scene->seen.preflight =
        (struct preflight){.state = PREFLIGHT_REFUSED, .reason = "Invalid", .text = "no such image"};
}

static void test_rows(void **state)
{
    (void)state;
    static const struct plan_case cases[] = {
        {"failing for three minutes",
         {VERIFIED},
         impaired_now,
         .row = 16,
         .action = PLAN_NONE,
         .look_ms = 2 * MINUTE_MS},
        {"for five", {VERIFIED}, impaired_long, .row = 10, .action = PLAN_TERMINATE, .why = "Impaired"},
        {"to be retired",
         {VERIFIED},
         retiring,
         .row = 10,
         .action = PLAN_TERMINATE,
         .why = "RetirementScheduled"},
        {"failing and never attested",
         {.status = LEDGER_LIVE, ALIVE(HOST_RUNNING)},
         impaired_long,
         .row = 10,
         .action = PLAN_TERMINATE},
        {"heard too long ago", {VERIFIED}, stale, .row = 16, .action = PLAN_NONE},
        {"OnDelete", {.spec = ON_DELETE, VERIFIED}, retiring, .row = 16, .action = PLAN_NONE},
        {"others were replaced just now",
         {VERIFIED},
         repairs_spent,
         .row = 16,
         .action = PLAN_NONE,
         .look_ms = MINUTE_MS},
        {"no launch is left", {VERIFIED}, launches_spent, .row = 16, .action = PLAN_NONE},
        {"the next launch is unknown", {VERIFIED}, preflight_unasked, .row = 10, .action = PLAN_PREFLIGHT},
        {"and impossible: the host stays", {VERIFIED}, preflight_refused, .row = 16, .action = PLAN_NONE},
        {"stopped", {.status = LEDGER_LIVE, ALIVE(HOST_STOPPED)}, retiring, .row = 11, .action = PLAN_START},
        {"wanted stopped",
         {.spec = STOPPED, .status = LEDGER_LIVE, ALIVE(HOST_RUNNING)},
         retiring,
         .row = 7,
         .action = PLAN_STOP},
        {"deleted", {.metadata = DELETING, VERIFIED}, retiring, .row = 2, .action = PLAN_TERMINATE},
        {"paused", {.metadata = PAUSED, VERIFIED}, retiring, .row = 1, .action = PLAN_NONE},
    };
    RUN_ALL(cases);
}

/* The budget of repairs is not asked where the spec is the reason. */
static void test_is_repair(void **state)
{
    (void)state;
    struct plan_scene scene;
    plan_scene_init(&scene, &(struct scene_input){VERIFIED});
    retiring(&scene);
    assert_true(plan_next(&scene.in).is_repair);
    snprintf(scene.seen.hosts[0].launch_hash, sizeof(scene.seen.hosts[0].launch_hash), "v1-00");
    assert_false(plan_next(&scene.in).is_repair);
    assert_string_equal(plan_next(&scene.in).why, "Replaced");
    plan_scene_done(&scene);
}

/* A host that serves is not called stalled because another could not be launched. */
static void test_not_stalled(void **state)
{
    (void)state;
    struct plan_scene scene;
    plan_scene_init(&scene, &(struct scene_input){VERIFIED});
    preflight_refused(&scene);
    assert_false(plan_launch_is_refused(&scene.in));
    plan_scene_done(&scene);
}

static void test_text(void **state)
{
    static const struct {
        struct scene_input input;
        void (*tune)(struct plan_scene *scene);
        const char *text;
    } cases[] = {
        {{VERIFIED},
         impaired_now,
         "Instance i-1 is running, and EC2's status checks of it fail, seen since 2026-01-01T11:57:00Z; it "
         "is "
         "replaced if EC2 still says so at 2026-01-01T12:02:00Z"},
        {{VERIFIED},
         retiring,
         "Instance i-1 is running, and EC2 will stop or retire it from 2026-01-01T13:00:00Z on; it is "
         "replaced"},
        {{.spec = ON_DELETE, VERIFIED},
         retiring,
         "Instance i-1 is running, and EC2 will stop or retire it from 2026-01-01T13:00:00Z on; "
         "updateStrategy OnDelete leaves the replacement to you"},
        {{VERIFIED},
         repairs_spent,
         "Instance i-1 is running, and EC2 will stop or retire it from 2026-01-01T13:00:00Z on; it is "
         "replaced "
         "when fewer others were within the last 15 minutes"},
        {{VERIFIED},
         launches_spent,
         "Instance i-1 is running, and EC2 will stop or retire it from 2026-01-01T13:00:00Z on; it is "
         "replaced "
         "when the budget of launches allows"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct plan_scene scene;
        plan_scene_init(&scene, &cases[i].input);
        cases[i].tune(&scene);
        assert_string_equal(health_text(&scene.in, &scene.arena), cases[i].text);
        plan_scene_done(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_is_repair),
        cmocka_unit_test(test_not_stalled),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
