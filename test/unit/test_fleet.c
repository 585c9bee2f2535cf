/* The limits over all objects: what counts, once each, for an hour. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "reconcile/fleet.h"

enum { HOUR_MS = 3600 * 1000 };

/* 2026-01-01T12:00:00Z */
static const int64_t noon_ms = INT64_C(1767268800000);

struct scene {
    struct reconcile_config config;
    struct store *store;
    struct inventory *inventory;
    struct fleet *fleet;
    struct moment now;
};

static void init(struct scene *scene, int launches, int instances)
{
    *scene = (struct scene){
        .config = {.max_launches_per_hour_total = launches, .max_instances = instances},
        .store = store_new(),
        .inventory = inventory_new(),
        .now = {.wall_ms = noon_ms, .mono_ms = 1000000},
    };
    scene->fleet = fleet_new(&scene->config, scene->store, scene->inventory);
}

static void done(struct scene *scene)
{
    fleet_free(scene->fleet);
    inventory_free(scene->inventory);
    store_free(scene->store);
}

static void later(struct scene *scene, int64_t ms)
{
    scene->now.wall_ms += ms;
    scene->now.mono_ms += ms;
}

static bool admit(struct scene *scene, const char *deployment_id)
{
    return fleet_admit(scene->fleet, deployment_id, scene->now);
}

static struct fleet_view look(struct scene *scene)
{
    struct fleet_view view;
    fleet_look(scene->fleet, "nitro-x", scene->now, &view);
    return view;
}

/* An object whose ledger holds this. */
static void put(struct scene *scene, const char *name, const char *launch)
{
    CLEANUP(buf_done) struct buf json;
    CLEANUP(teedeployment_unrefp) struct teedeployment *object = NULL;
    buf_init(&json, 4096);
    buf_printf(
        &json,
        "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"%s\",\"uid\":\"u-%s\",\"resourceVersion\":\"1\"},"
        "\"spec\":{\"image\":\"a\"},\"status\":{\"launch\":%s}}",
        name, name, launch);
    assert_int_equal(teedeployment_decode(buf_text(&json), json.len, &object, NULL), 0);
    store_put(scene->store, object);
}

static void ignore(void *ctx, const char *deployment_id)
{
    (void)ctx;
    (void)deployment_id;
}

static void list_hosts(struct scene *scene, const enum host_state *states, size_t count)
{
    inventory_begin(scene->inventory, scene->now.mono_ms);
    for (size_t i = 0; i < count; i++) {
        struct host host = {.state = states[i]};
        snprintf(host.id, sizeof(host.id), "i-%zu", i);
        snprintf(host.deployment_id, sizeof(host.deployment_id), "d%zu", i);
        inventory_put(scene->inventory, &host, scene->now.mono_ms);
    }
    inventory_end(scene->inventory, ignore, NULL);
}

static void test_launches_of_an_hour(void **state)
{
    struct scene scene;
    (void)state;
    init(&scene, 2, 0);
    assert_true(admit(&scene, "d1"));
    fleet_note_launched(scene.fleet, "d1", "t1", scene.now);
    later(&scene, 60 * 1000);
    assert_true(admit(&scene, "d1"));
    assert_false(admit(&scene, "d3"));
    struct fleet_view view = look(&scene);
    assert_true(view.is_spent);
    assert_false(view.is_full);
    assert_int_equal(view.launches_in_hour, 2);
    assert_int_equal(view.next_launch_ms, noon_ms + HOUR_MS);
    later(&scene, HOUR_MS - 60 * 1000 - 1);
    assert_false(admit(&scene, "d3"));
    later(&scene, 1);
    assert_true(admit(&scene, "d3"));
    assert_false(admit(&scene, "d4"));
    /* One that EC2 refused costs nothing. */
    fleet_release(scene.fleet, "d3");
    assert_true(admit(&scene, "d4"));
    fleet_release(scene.fleet, "never admitted");
    done(&scene);
}

/* After a restart the ledgers tell; an open attempt may become a launch at any time. What failed without an
 * instance, and what is older, does not count. */
static void test_ledgers_are_read(void **state)
{
    struct scene scene;
    (void)state;
    init(&scene, 4, 50);
    put(&scene, "a",
        "{\"attempt\":1,\"token\":\"t1\",\"startedAt\":\"2026-01-01T11:30:00Z\",\"instanceID\":\"i-1\"}");
    put(&scene, "b",
        "{\"attempt\":4,\"token\":\"t5\",\"startedAt\":\"2026-01-01T11:50:00Z\",\"history\":["
        "{\"attempt\":1,\"token\":\"t2\",\"startedAt\":\"2026-01-01T10:59:00Z\",\"instanceID\":\"i-2\"},"
        "{\"attempt\":2,\"token\":\"t3\",\"startedAt\":\"2026-01-01T11:20:00Z\",\"result\":"
        "\"InsufficientCapacity\"},"
        "{\"attempt\":3,\"token\":\"t4\",\"startedAt\":\"2026-01-01T11:40:00Z\",\"instanceID\":\"i-4\"}]}");
    struct fleet_view view = look(&scene);
    assert_int_equal(view.launches_in_hour, 3);
    assert_false(view.is_spent);
    assert_int_equal(view.instances, 1); /* the one without an answer */
    done(&scene);
}

/* A launch is admitted, and its ledger entry shows it later: one launch. */
static void test_nothing_counts_twice(void **state)
{
    struct scene scene;
    (void)state;
    init(&scene, 10, 0);
    assert_true(admit(&scene, "nitro-u-a"));
    put(&scene, "a", "{\"attempt\":1,\"token\":\"t1\",\"startedAt\":\"2026-01-01T12:00:00Z\"}");
    put(&scene, "b",
        "{\"attempt\":1,\"token\":\"t2\",\"startedAt\":\"2026-01-01T12:00:00Z\",\"instanceID\":\"i-2\"}");
    assert_int_equal(look(&scene).launches_in_hour, 1); /* read at most each minute */
    later(&scene, 60 * 1000);
    assert_int_equal(look(&scene).launches_in_hour, 2);
    fleet_note_launched(scene.fleet, "nitro-u-a", "t1", scene.now);
    put(&scene, "a",
        "{\"attempt\":1,\"token\":\"t1\",\"startedAt\":\"2026-01-01T12:00:00Z\",\"instanceID\":\"i-1\"}");
    later(&scene, 60 * 1000);
    assert_int_equal(look(&scene).launches_in_hour, 2);
    done(&scene);
}

/* The store is behind: it shows an attempt as open that EC2 has answered, or refused for certain. */
static void test_what_the_store_has_late(void **state)
{
    struct scene scene;
    (void)state;
    init(&scene, 10, 0);
    put(&scene, "a", "{\"attempt\":1,\"token\":\"t1\",\"startedAt\":\"2026-01-01T12:00:00Z\"}");
    put(&scene, "b", "{\"attempt\":1,\"token\":\"t2\",\"startedAt\":\"2026-01-01T12:00:00Z\"}");
    assert_true(admit(&scene, "nitro-u-a") && admit(&scene, "nitro-u-b"));
    fleet_note_launched(scene.fleet, "nitro-u-a", "t1", scene.now);
    fleet_release(scene.fleet, "nitro-u-b");
    later(&scene, 60 * 1000);
    assert_int_equal(look(&scene).launches_in_hour, 2); /* the second is not known to be refused */
    put(&scene, "a",
        "{\"attempt\":1,\"token\":\"t1\",\"startedAt\":\"2026-01-01T12:00:00Z\",\"instanceID\":\"i-1\"}");
    put(&scene, "b",
        "{\"attempt\":1,\"token\":\"t2\",\"startedAt\":\"2026-01-01T12:00:00Z\",\"result\":\"Refused\"}");
    later(&scene, 60 * 1000);
    assert_int_equal(look(&scene).launches_in_hour, 1);
    done(&scene);
}

/* What a scan found was admitted since: it stays, whatever the next one finds. */
static void test_admitted_after_it_was_read(void **state)
{
    struct scene scene;
    (void)state;
    init(&scene, 10, 0);
    put(&scene, "a", "{\"attempt\":1,\"token\":\"t1\",\"startedAt\":\"2026-01-01T12:00:00Z\"}");
    assert_int_equal(look(&scene).launches_in_hour, 1);
    assert_true(admit(&scene, "nitro-u-a"));
    put(&scene, "a",
        "{\"attempt\":1,\"token\":\"t1\",\"startedAt\":\"2026-01-01T12:00:00Z\",\"result\":\"Refused\"}");
    later(&scene, 60 * 1000);
    assert_int_equal(look(&scene).launches_in_hour, 1);
    done(&scene);
}

/* The status that was to hold the entry could not be written: its own place is in nobody's way but others'.
 */
static void test_own_place(void **state)
{
    struct scene scene;
    struct fleet_view own;
    (void)state;
    init(&scene, 1, 1);
    assert_true(admit(&scene, "d1"));
    fleet_look(scene.fleet, "d1", scene.now, &own);
    assert_true(!own.is_spent && !own.is_full && look(&scene).is_spent && look(&scene).is_full);
    assert_true(admit(&scene, "d1"));
    assert_false(admit(&scene, "d2"));
    done(&scene);
}

/* A launch may go out long after it was admitted: it counts until EC2 answered and a later look can show it.
 */
static void test_launches_under_way(void **state)
{
    static const enum host_state states[] = {HOST_RUNNING};
    struct scene scene;
    (void)state;
    init(&scene, 100, 2);
    assert_true(admit(&scene, "d1"));
    assert_true(admit(&scene, "d2"));
    later(&scene, 10 * 60 * 1000);
    list_hosts(&scene, NULL, 0);
    assert_int_equal(look(&scene).instances, 2);
    assert_false(admit(&scene, "d3"));
    later(&scene, 10);
    fleet_note_launched(scene.fleet, "d1", "t1", scene.now);
    assert_int_equal(look(&scene).instances, 2);
    later(&scene, 10);
    list_hosts(&scene, states, 1);
    assert_int_equal(look(&scene).instances, 2);
    fleet_release(scene.fleet, "d2");
    assert_int_equal(look(&scene).instances, 1);
    assert_true(admit(&scene, "d3"));
    done(&scene);
}

/* No more hosts are ended for new ones than may be launched; the place of a successor is its own. */
static void test_successors(void **state)
{
    static const enum host_state states[] = {HOST_RUNNING, HOST_RUNNING};
    struct scene scene;
    (void)state;
    init(&scene, 2, 2);
    list_hosts(&scene, states, 2);
    later(&scene, 10);
    assert_true(fleet_admit_successor(scene.fleet, "d0", scene.now));
    assert_true(fleet_admit_successor(scene.fleet, "d0", scene.now));
    assert_true(fleet_admit_successor(scene.fleet, "d1", scene.now));
    assert_false(fleet_admit_successor(scene.fleet, "d2", scene.now));
    assert_false(admit(&scene, "d0")); /* its host is there yet */
    fleet_release(scene.fleet, "d1");
    list_hosts(&scene, states, 1);
    assert_false(admit(&scene, "d9"));
    assert_true(admit(&scene, "d0"));
    assert_int_equal(look(&scene).launches_in_hour, 1);
    done(&scene);
}

static void test_instances(void **state)
{
    static const enum host_state states[] = {HOST_PENDING, HOST_RUNNING, HOST_STOPPED, HOST_SHUTTING_DOWN,
                                             HOST_TERMINATED};
    struct scene scene;
    (void)state;
    init(&scene, 100, 4);
    list_hosts(&scene, states, ARRAY_LEN(states));
    assert_int_equal(look(&scene).instances, 3);
    later(&scene, 10);
    assert_true(admit(&scene, "d8"));
    fleet_note_launched(scene.fleet, "d8", "t8", scene.now);
    struct fleet_view view = look(&scene);
    assert_int_equal(view.instances, 4); /* no look at EC2 has shown it yet */
    assert_true(view.is_full);
    assert_false(view.is_spent);
    assert_false(admit(&scene, "d9"));
    later(&scene, 10);
    list_hosts(&scene, states, 2);
    assert_int_equal(look(&scene).instances, 2);
    assert_true(admit(&scene, "d9"));
    done(&scene);
}

/* One of few, a twentieth of many, in a quarter of an hour. */
static void test_repairs(void **state)
{
    enum { HOSTS = 45 };
    enum host_state states[HOSTS];
    struct scene scene;
    (void)state;
    init(&scene, 100, 0);
    assert_true(fleet_admit_repair(scene.fleet, "d1", scene.now));
    assert_true(look(&scene).is_repair_spent);
    assert_true(fleet_admit_repair(scene.fleet, "d1", scene.now)); /* what was asked for was dropped */
    assert_false(fleet_admit_repair(scene.fleet, "d2", scene.now));
    fleet_release_repair(scene.fleet, "d1");
    assert_true(fleet_admit_repair(scene.fleet, "d2", scene.now));
    for (size_t i = 0; i < HOSTS; i++)
        states[i] = HOST_RUNNING;
    list_hosts(&scene, states, HOSTS);
    assert_false(look(&scene).is_repair_spent);
    assert_true(fleet_admit_repair(scene.fleet, "d3", scene.now));
    assert_false(fleet_admit_repair(scene.fleet, "d4", scene.now));
    later(&scene, 15 * 60 * 1000);
    assert_false(look(&scene).is_repair_spent);
    done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_launches_of_an_hour),
        cmocka_unit_test(test_ledgers_are_read),
        cmocka_unit_test(test_nothing_counts_twice),
        cmocka_unit_test(test_what_the_store_has_late),
        cmocka_unit_test(test_admitted_after_it_was_read),
        cmocka_unit_test(test_own_place),
        cmocka_unit_test(test_launches_under_way),
        cmocka_unit_test(test_successors),
        cmocka_unit_test(test_instances),
        cmocka_unit_test(test_repairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
