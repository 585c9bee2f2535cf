/* Which hosts a sweep hands out, guard by guard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reconcile/sweep.h"

#include <stdio.h>
#include <string.h>

#define WALL_MS INT64_C(1800000000000)
#define OLD     (WALL_MS - 3600 * 1000)

static struct host make(const char *id, const char *deployment_id)
{
    struct host host = {.state = HOST_RUNNING, .launch_ms = OLD};
    snprintf(host.id, sizeof(host.id), "%s", id);
    snprintf(host.deployment_id, sizeof(host.deployment_id), "%s", deployment_id);
    snprintf(host.token, sizeof(host.token), "token-of-%s", id);
    return host;
}

static void add_known(struct sweep *sweep, int count)
{
    char id[HOST_ID_SIZE];
    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof(id), "i-known-%d", i);
        struct host host = make(id, "nitro-known");
        sweep_add(sweep, &host, true, WALL_MS);
    }
}

/* A whole sweep of one host beside `known` others, claimed by `object` if there is one. */
static struct sweep_result once(struct sweep *sweep, const struct host *host,
                                const struct teedeployment *object, int known, int64_t mono_ms)
{
    struct sweep_result result;
    sweep_begin(sweep);
    add_known(sweep, known);
    sweep_add(sweep, host, false, WALL_MS);
    if (object)
        sweep_claim(sweep, object);
    sweep_end(sweep, mono_ms, &result);
    return result;
}

static void test_seen_twice(void **state)
{
    (void)state;
    struct sweep *sweep = sweep_new();
    struct host host = make("i-1", "nitro-1");
    struct sweep_result result = once(sweep, &host, NULL, 20, 1000);
    assert_int_equal(result.orphans, 1);
    assert_int_equal(result.live, 21);
    assert_int_equal(result.id_count, 0);
    result = once(sweep, &host, NULL, 20, 1000 + SWEEP_APART_MS - 1);
    assert_int_equal(result.id_count, 0);
    result = once(sweep, &host, NULL, 20, 1000 + SWEEP_APART_MS);
    assert_int_equal(result.id_count, 1);
    assert_string_equal(result.ids[0], "i-1");
    assert_false(result.is_refused);
    sweep_free(sweep);
}

/* A sweep between the two that did not see it, or saw it claimed, or could not look, begins the count anew.
 */
static void test_in_a_row(void **state)
{
    (void)state;
    const struct host host = make("i-1", "nitro-1"), other = make("i-2", "nitro-2");
    const struct teedeployment object = {.deployment_id = "nitro-1"};
    for (int way = 0; way < 3; way++) {
        struct sweep *sweep = sweep_new();
        once(sweep, &host, NULL, 20, 1000);
        if (way == 0)
            once(sweep, &other, NULL, 20, 61000);
        if (way == 1)
            once(sweep, &host, &object, 20, 61000);
        if (way == 2)
            sweep_abandon(sweep);
        assert_int_equal(once(sweep, &host, NULL, 20, 121000).id_count, 0);
        assert_int_equal(once(sweep, &host, NULL, 20, 181000).id_count, 1);
        sweep_free(sweep);
    }
}

static void test_never_orphans(void **state)
{
    (void)state;
    struct host rows[] = {make("i-young", "nitro-1"), make("i-ending", "nitro-1"),
                          make("i-ended", "nitro-1"), make("i-kept", "nitro-1"),
                          make("i-untagged", ""),     make("i-unborn", "nitro-1")};
    rows[0].launch_ms = WALL_MS - SWEEP_AGE_MS;
    rows[1].state = HOST_SHUTTING_DOWN;
    rows[2].state = HOST_TERMINATED;
    rows[3].is_retained = true;
    rows[5].launch_ms = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sweep *sweep = sweep_new();
        sweep_begin(sweep);
        sweep_add(sweep, &rows[i], false, WALL_MS);
        assert_int_equal(sweep_count_candidates(sweep), 0);
        sweep_free(sweep);
    }
    struct sweep *sweep = sweep_new();
    sweep_begin(sweep);
    rows[0].launch_ms--;
    sweep_add(sweep, &rows[0], true, WALL_MS);
    assert_int_equal(sweep_count_candidates(sweep), 0);
    sweep_add(sweep, &rows[0], false, WALL_MS);
    assert_int_equal(sweep_count_candidates(sweep), 1);
    sweep_free(sweep);
}

/* The list of objects knows more than the store, and more ways than the tag. */
static void test_claims(void **state)
{
    (void)state;
    const struct host host = make("i-1", "nitro-1");
    const struct teedeployment rows[] = {
        {.deployment_id = "nitro-1"},
        {.deployment_id = "nitro-2", .status.launch.instance_id = "i-1"},
        {.deployment_id = "nitro-2", .status.launch.token = "token-of-i-1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sweep *sweep = sweep_new();
        assert_int_equal(once(sweep, &host, &rows[i], 20, 1000).orphans, 0);
        assert_int_equal(once(sweep, &host, &rows[i], 20, 90000).id_count, 0);
        sweep_free(sweep);
    }
    struct sweep *sweep = sweep_new();
    const struct teedeployment another = {.deployment_id = "nitro-2",
                                          .status.launch = {.instance_id = "i-2", .token = "token-of-i-2"}};
    assert_int_equal(once(sweep, &host, &another, 20, 1000).orphans, 1);
    sweep_free(sweep);
}

static struct sweep_result many(int orphans, int known)
{
    struct sweep *sweep = sweep_new();
    struct sweep_result result = {0};
    for (int turn = 0; turn < 2; turn++) {
        sweep_begin(sweep);
        add_known(sweep, known);
        for (int i = 0; i < orphans; i++) {
            char id[HOST_ID_SIZE];
            snprintf(id, sizeof(id), "i-orphan-%d", i);
            struct host host = make(id, id);
            sweep_add(sweep, &host, false, WALL_MS);
        }
        sweep_end(sweep, 1000 + turn * SWEEP_APART_MS, &result);
    }
    sweep_free(sweep);
    return result;
}

static void test_too_many(void **state)
{
    (void)state;
    static const struct {
        int orphans, known;
        bool is_refused;
    } rows[] = {
        {1, 0, true},   /* all there is */
        {1, 1, false},  /* one of two */
        {2, 8, true},   /* a fifth */
        {2, 18, false}, /* a tenth */
        {2, 17, true},  {20, 180, false}, {20, 179, true}, {21, 100000, true},
        {3, 0, true},   {0, 0, false},    {0, 5, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sweep_result result = many(rows[i].orphans, rows[i].known);
        if (result.is_refused != rows[i].is_refused)
            fail_msg("%d of %d", rows[i].orphans, rows[i].orphans + rows[i].known);
        assert_int_equal(result.orphans, rows[i].orphans);
        if (!result.is_refused)
            assert_int_equal(result.id_count, rows[i].orphans);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seen_twice),    cmocka_unit_test(test_in_a_row),
        cmocka_unit_test(test_never_orphans), cmocka_unit_test(test_claims),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
