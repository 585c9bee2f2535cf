/* Whole passes over EC2's list, and what differs between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "reconcile/inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct host make(const char *id, const char *deployment_id, enum host_state state)
{
    struct host host = {.state = state, .launch_ms = 5};
    snprintf(host.id, sizeof(host.id), "%s", id);
    snprintf(host.deployment_id, sizeof(host.deployment_id), "%s", deployment_id);
    return host;
}

static void put(struct inventory *inventory, const char *id, const char *deployment_id, int64_t mono_ms)
{
    struct host host = make(id, deployment_id, HOST_RUNNING);
    inventory_put(inventory, &host, mono_ms);
}

static void note(void *ctx, const char *deployment_id)
{
    buf_printf(ctx, "%s ", deployment_id);
}

static void end_expecting(struct inventory *inventory, const char *changed)
{
    CLEANUP(buf_done) struct buf got;
    buf_init(&got, 4096);
    inventory_end(inventory, note, &got);
    assert_string_equal(buf_text(&got), changed);
}

static void test_passes(void **state)
{
    (void)state;
    struct inventory *inventory = inventory_new();
    struct host host;
    assert_int_equal(inventory_completed_ms(inventory), 0);
    inventory_begin(inventory, 100);
    put(inventory, "i-1", "d1", 110);
    assert_int_equal(inventory_completed_ms(inventory), 0);
    end_expecting(inventory, "d1 ");
    assert_int_equal(inventory_completed_ms(inventory), 100); /* its begin, not its end */
    inventory_begin(inventory, 200);
    put(inventory, "i-1", "d1", 210);
    end_expecting(inventory, ""); /* nothing new */
    inventory_begin(inventory, 300);
    end_expecting(inventory, "d1 "); /* no longer listed */
    assert_int_equal(inventory_count(inventory), 0);
    assert_false(inventory_get(inventory, "i-1", &host));
    assert_int_equal(inventory_find(inventory, "d1", &host, 1), 0);
    inventory_free(inventory);
}

/* Whoever lost a host to an edited tag is told, as well as whoever it names now. */
static void test_another_id(void **state)
{
    (void)state;
    struct inventory *inventory = inventory_new();
    inventory_begin(inventory, 100);
    put(inventory, "i-1", "d1", 110);
    end_expecting(inventory, "d1 ");
    inventory_begin(inventory, 200);
    put(inventory, "i-1", "d2", 210);
    end_expecting(inventory, "d1 d2 ");
    inventory_begin(inventory, 300);
    put(inventory, "i-1", "d2", 310);
    end_expecting(inventory, "");
    inventory_free(inventory);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void expect_moving(struct inventory *inventory, const char *ids)
{
    char(*list)[HOST_ID_SIZE] = NULL;
    CLEANUP(buf_done) struct buf got;
    buf_init(&got, 4096);
    size_t count = inventory_list_moving(inventory, &list);
    if (count > 0)
        qsort(list, count, sizeof(list[0]), compare_ids);
    for (size_t i = 0; i < count; i++)
        note(&got, list[i]);
    free(list);
    assert_string_equal(buf_text(&got), ids);
    assert_int_equal(inventory_has_moving(inventory), count > 0);
}

/* Between passes only what moves is looked at: a change is told, and absence is concluded from nothing. */
static void test_part(void **state)
{
    (void)state;
    struct inventory *inventory = inventory_new();
    struct host pending = make("i-1", "d1", HOST_PENDING), ending = make("i-2", "d2", HOST_SHUTTING_DOWN);
    CLEANUP(buf_done) struct buf got;
    buf_init(&got, 4096);
    inventory_begin(inventory, 100);
    inventory_put(inventory, &pending, 110);
    inventory_put(inventory, &ending, 110);
    put(inventory, "i-3", "d3", 110);
    inventory_end(inventory, note, &got);
    buf_reset(&got);
    expect_moving(inventory, "i-1 i-2 ");
    inventory_begin_part(inventory, 190);
    put(inventory, "i-1", "d1", 200);
    inventory_end_part(inventory, note, &got);
    assert_string_equal(buf_text(&got), "d1 ");
    assert_int_equal(inventory_count(inventory), 3);
    assert_int_equal(inventory_completed_ms(inventory), 100);
    expect_moving(inventory, "i-2 ");
    inventory_free(inventory);
}

static bool is_awaited_after(struct inventory *inventory, bool is_whole, const char *id, int64_t begin_ms)
{
    CLEANUP(buf_done) struct buf got;
    buf_init(&got, 4096);
    if (is_whole)
        inventory_begin(inventory, begin_ms);
    else
        inventory_begin_part(inventory, begin_ms);
    if (id)
        put(inventory, id, "d1", begin_ms + 1);
    if (is_whole)
        inventory_end(inventory, note, &got);
    else
        inventory_end_part(inventory, note, &got);
    return inventory_is_awaited(inventory, "i-1");
}

/* What was changed at 100 is known again by a look that began later and brought it, or that was whole. */
static void test_awaited(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        bool is_whole;
        const char *id;
        int64_t begin_ms;
        bool is_awaited;
    } cases[] = {
        {"a part that began before", false, "i-1", 99, true},
        {"a part that began with it", false, "i-1", 100, true},
        {"a part that began later", false, "i-1", 101, false},
        {"a later part that did not bring it", false, NULL, 101, true},
        {"a later part that brought another", false, "i-2", 101, true},
        {"a pass that began before", true, "i-1", 99, true},
        {"an earlier pass that did not bring it", true, NULL, 99, true},
        {"a later pass", true, "i-1", 101, false},
        {"a later pass that did not bring it", true, NULL, 101, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct inventory *inventory = inventory_new();
        inventory_await(inventory, "i-1", 100);
        expect_moving(inventory, "i-1 ");
        if (is_awaited_after(inventory, cases[i].is_whole, cases[i].id, cases[i].begin_ms) !=
            cases[i].is_awaited)
            fail_msg("%s", cases[i].what);
        inventory_await_no_more(inventory, "i-1");
        assert_false(inventory_is_awaited(inventory, "i-1"));
        inventory_free(inventory);
    }
}

/* Asked for at 100, done at 200: a look in between shows what was before. */
static void test_awaited_anew(void **state)
{
    (void)state;
    struct inventory *inventory = inventory_new();
    inventory_await(inventory, "i-1", 100);
    inventory_await(inventory, "i-1", 200);
    assert_true(is_awaited_after(inventory, false, "i-1", 150));
    assert_false(is_awaited_after(inventory, false, "i-1", 250));
    inventory_free(inventory);
}

/* Hosts that ended since the last whole look make room at once; new ones are counted by the next. */
static void test_live_count(void **state)
{
    (void)state;
    struct inventory *inventory = inventory_new();
    CLEANUP(buf_done) struct buf got;
    buf_init(&got, 4096);
    struct host ending = make("i-1", "d1", HOST_SHUTTING_DOWN);
    inventory_begin(inventory, 100);
    put(inventory, "i-1", "d1", 101);
    put(inventory, "i-2", "d2", 101);
    inventory_end(inventory, note, &got);
    assert_int_equal(inventory_count_live(inventory), 2);
    for (int64_t at_ms = 200; at_ms <= 300; at_ms += 100) {
        inventory_begin_part(inventory, at_ms);
        inventory_put(inventory, &ending, at_ms);
        put(inventory, "i-3", "d3", at_ms);
        inventory_end_part(inventory, note, &got);
        assert_int_equal(inventory_count_live(inventory), 1);
    }
    inventory_begin(inventory, 400);
    inventory_put(inventory, &ending, 401);
    put(inventory, "i-2", "d2", 401);
    put(inventory, "i-3", "d3", 401);
    inventory_end(inventory, note, &got);
    assert_int_equal(inventory_count_live(inventory), 2);
    inventory_free(inventory);
}

/* Each field that the plan or the status reads. */
static void test_changes(void **state)
{
    (void)state;
    struct inventory *inventory = inventory_new();
    struct host host = make("i-1", "d1", HOST_PENDING);
    inventory_begin(inventory, 1);
    inventory_put(inventory, &host, 1);
    end_expecting(inventory, "d1 ");
    for (int i = 0; i < 9; i++) {
        switch (i) {
        case 0: host.state = HOST_RUNNING; break;
        case 1: snprintf(host.private_ip, sizeof(host.private_ip), "10.0.0.1"); break;
        case 2: snprintf(host.public_ip, sizeof(host.public_ip), "192.0.2.1"); break;
        case 3: host.launch_ms++; break;
        case 4: snprintf(host.launch_hash, sizeof(host.launch_hash), "v1-00"); break;
        case 5: snprintf(host.cluster_id, sizeof(host.cluster_id), "c"); break;
        case 6: host.lacks_enclave = true; break;
        case 7: snprintf(host.state_reason, sizeof(host.state_reason), "Server.InternalError"); break;
        default: host.is_retained = true;
        }
        inventory_begin(inventory, 10 + i);
        inventory_put(inventory, &host, 10 + i);
        end_expecting(inventory, "d1 ");
        inventory_begin(inventory, 10 + i);
        inventory_put(inventory, &host, 10 + i);
        end_expecting(inventory, "");
    }
    inventory_free(inventory);
}

static void test_state_since(void **state)
{
    (void)state;
    static const struct {
        enum host_state state;
        int64_t at_ms, since_ms;
    } steps[] = {
        {HOST_PENDING, 10, 10}, {HOST_PENDING, 20, 10}, {HOST_RUNNING, 30, 30}, {HOST_RUNNING, 40, 30}};
    struct inventory *inventory = inventory_new();
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct host host = make("i-1", "d1", steps[i].state);
        inventory_begin(inventory, steps[i].at_ms);
        inventory_put(inventory, &host, steps[i].at_ms);
        inventory_end(inventory, note, &(struct buf){.max = 64, .failed = true});
        assert_true(inventory_get(inventory, "i-1", &host));
        assert_int_equal(host.state_since_ms, steps[i].since_ms);
    }
    inventory_free(inventory);
}

/* A pass that broke off drops nobody, is no completed one, and what it brought is told by the next. */
static void test_abandon(void **state)
{
    (void)state;
    struct inventory *inventory = inventory_new();
    struct host host;
    inventory_begin(inventory, 100);
    put(inventory, "i-1", "d1", 100);
    put(inventory, "i-2", "d2", 100);
    inventory_end(inventory, note, &(struct buf){.max = 64, .failed = true});
    inventory_begin(inventory, 200);
    put(inventory, "i-3", "d3", 200);
    inventory_abandon(inventory);
    assert_int_equal(inventory_count(inventory), 3);
    assert_true(inventory_get(inventory, "i-1", &host));
    assert_true(inventory_get(inventory, "i-3", &host));
    assert_int_equal(inventory_completed_ms(inventory), 100);
    inventory_begin(inventory, 300);
    put(inventory, "i-1", "d1", 300);
    put(inventory, "i-2", "d2", 300);
    put(inventory, "i-3", "d3", 300);
    end_expecting(inventory, "d3 ");
    assert_int_equal(inventory_completed_ms(inventory), 300);
    inventory_free(inventory);
}

static void test_find(void **state)
{
    (void)state;
    struct inventory *inventory = inventory_new();
    struct host hosts[HOSTS_MAX];
    inventory_begin(inventory, 1);
    put(inventory, "i-1", "d", 1);
    put(inventory, "i-2", "d", 1);
    put(inventory, "i-3", "d", 1);
    put(inventory, "i-4", "e", 1);
    put(inventory, "i-2", "e", 1); /* its tag was rewritten */
    assert_int_equal(inventory_find(inventory, "d", hosts, HOSTS_MAX), 2);
    assert_int_equal(inventory_find(inventory, "e", hosts, HOSTS_MAX), 2);
    assert_int_equal(inventory_find(inventory, "e", hosts, 1), 1);
    assert_int_equal(inventory_find(inventory, "f", hosts, HOSTS_MAX), 0);
    assert_int_equal(inventory_count(inventory), 4);
    inventory_free(inventory);
}

static void put_health(struct inventory *inventory, const char *id, enum host_ailment ailment,
                       int64_t mono_ms)
{
    const struct host_health health = {.ailment = ailment, .since_ms = mono_ms, .since_wall_ms = mono_ms};
    inventory_put_health(inventory, id, &health);
}

static void end_health_expecting(struct inventory *inventory, const char *changed)
{
    CLEANUP(buf_done) struct buf got;
    buf_init(&got, 4096);
    inventory_end_health(inventory, note, &got);
    assert_string_equal(buf_text(&got), changed);
}

static struct host_health health_of(struct inventory *inventory, const char *id)
{
    struct host host;
    assert_true(inventory_get(inventory, id, &host));
    return host.health;
}

static void test_health(void **state)
{
    (void)state;
    struct inventory *inventory = inventory_new();
    inventory_begin(inventory, 1);
    put(inventory, "i-1", "d1", 1);
    end_expecting(inventory, "d1 ");
    assert_int_equal(inventory_health_ms(inventory), 0);
    inventory_begin_health(inventory, 100);
    put_health(inventory, "i-1", HOST_IMPAIRED, 100);
    put_health(inventory, "i-of-others", HOST_IMPAIRED, 100);
    end_health_expecting(inventory, "d1 ");
    assert_int_equal(inventory_health_ms(inventory), 100);
    inventory_begin(inventory, 110); /* a look at EC2 leaves it */
    put(inventory, "i-1", "d1", 110);
    end_expecting(inventory, "");
    inventory_begin_health(inventory, 200); /* one that fails says nothing */
    inventory_begin_health(inventory, 300);
    put_health(inventory, "i-1", HOST_RETIRING, 300);
    put_health(inventory, "i-1", HOST_IMPAIRED, 300);
    end_health_expecting(inventory, "d1 ");
    assert_int_equal(health_of(inventory, "i-1").ailment, HOST_RETIRING);
    assert_int_equal(health_of(inventory, "i-1").since_ms, 100);
    inventory_begin_health(inventory, 400);
    end_health_expecting(inventory, "d1 ");
    assert_int_equal(health_of(inventory, "i-1").ailment, HOST_WELL);
    inventory_free(inventory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes),      cmocka_unit_test(test_part),
        cmocka_unit_test(test_another_id),  cmocka_unit_test(test_changes),
        cmocka_unit_test(test_state_since), cmocka_unit_test(test_abandon),
        cmocka_unit_test(test_find),        cmocka_unit_test(test_health),
        cmocka_unit_test(test_awaited),     cmocka_unit_test(test_awaited_anew),
        cmocka_unit_test(test_live_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
