/* Invariant 9: a launch is called off when the live object is not the one that the pass was planned from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan_scene.h"
#include "reconcile/pass.h"

#include <string.h>

struct world {
    const char *live_metadata;
    const char *live_status; /* NULL: the object is gone */
    int64_t lease_ms;
    int runs;
    bool is_lease_short_after; /* too little of it is left when the object was read */
};

static int get_object(void *ctx, const char *name_space, const char *name, struct teedeployment **ret_object,
                      struct error *err)
{
    struct world *world = ctx;
    (void)name_space;
    (void)name;
    (void)err;
    if (world->is_lease_short_after)
        world->lease_ms = 2999;
    *ret_object = world->live_status ? scene_object(world->live_metadata, NULL, world->live_status) : NULL;
    return 0;
}

static int run_host(void *ctx, const struct launch_request *request, struct host *ret_host, struct error *err)
{
    (void)request;
    (void)ret_host;
    ((struct world *)ctx)->runs++;
    return error_set(err, ERROR_UNAVAILABLE, "Timeout", "no answer");
}

static int64_t lease_left_ms(void *ctx)
{
    return ((struct world *)ctx)->lease_ms;
}

static void want_look(void *ctx)
{
    (void)ctx;
}

#define ENTRY(attempt, token) "\"launch\":{\"attempt\":" attempt ",\"token\":\"" token "\",\"hash\":\"h\"}"

#define FOREIGN                                                                                              \
    ",\"conditions\":[{\"type\":\"Audited\",\"status\":\"True\",\"reason\":\"Yes\",\"message\":\"\"}]"
#define VERDICT_OF_ANOTHER                                                                                   \
    ",\"attestation\":{\"verdict\":\"Verified\",\"verifiedAt\":\"2026-01-01T12:00:00Z\"}"

static void test_fence(void **state)
{
    (void)state;
    static const struct {
        struct world world;
        int runs;
    } cases[] = {
        {{NULL, ENTRY("1", "t1"), 3000, 0, false}, 1},
        {{NULL, ENTRY("1", "t1") FOREIGN, 3000, 0, false}, 1},
        {{NULL, ENTRY("1", "t1") VERDICT_OF_ANOTHER, 3000, 0, false}, 0},
        {{NULL, ENTRY("1", "t1"), 3000, 0, true}, 0},
        {{NULL, ENTRY("1", "t1"), 2999, 0, false}, 0},
        {{NULL, NULL, 3000, 0, false}, 0},
        {{NULL, "", 3000, 0, false}, 0},
        {{NULL, ENTRY("1", "t2"), 3000, 0, false}, 0},
        {{NULL, ENTRY("2", "t1"), 3000, 0, false}, 0},
        {{"\"generation\":4", ENTRY("1", "t1"), 3000, 0, false}, 0},
        {{"\"uid\":\"u2\"", ENTRY("1", "t1"), 3000, 0, false}, 0},
        {{"\"deletionTimestamp\":\"2026-01-01T12:00:00Z\"", ENTRY("1", "t1"), 3000, 0, false}, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world world = cases[i].world;
        struct ports ports = {.ctx = &world,
                              .get_object = get_object,
                              .run_host = run_host,
                              .lease_left_ms = lease_left_ms,
                              .want_look = want_look};
        struct reconcile_config config = {.lease_min_ms = 3000};
        struct reconciler_options options = {
            .ports = &ports, .config = &config, .clock = clock_real(), .store = store_new()};
        struct memory memory = {0};
        struct pass pass = {.options = &options, .memory = &memory, .plan = {.action = PLAN_RUN}};
        struct error err = {0};
        pass.want = scene_object(NULL, NULL, ENTRY("1", "t1"));
        pass.next = *pass.want;
        assert_int_equal(effect_run(&pass, &err), -1);
        if (world.runs != cases[i].runs)
            fail_msg("case %zu: %d launches", i, world.runs);
        assert_int_equal(pass.wait_ms > 0, !cases[i].runs);
        teedeployment_unref(pass.live);
        teedeployment_unref(pass.want);
        store_free(options.store);
    }
}

/* What the fence read is the store's as well: its watch may be silent for a minute and more. */
static void test_stale_is_learned(void **state)
{
    (void)state;
    struct world world = {"\"resourceVersion\":\"6\"", ENTRY("2", "t2"), 3000, 0, false};
    struct ports ports = {.ctx = &world, .get_object = get_object, .lease_left_ms = lease_left_ms};
    struct reconcile_config config = {.lease_min_ms = 3000};
    struct reconciler_options options = {
        .ports = &ports, .config = &config, .clock = clock_real(), .store = store_new()};
    struct memory memory = {0};
    struct pass pass = {.options = &options, .memory = &memory, .plan = {.action = PLAN_RUN}};
    pass.want = scene_object(NULL, NULL, ENTRY("1", "t1"));
    pass.next = *pass.want;
    store_put(options.store, pass.want);
    assert_int_equal(effect_run(&pass, NULL), -1);
    CLEANUP(teedeployment_unrefp) struct teedeployment *held = store_get(options.store, pass.want->key);
    assert_string_equal(held->resource_version, "6");
    assert_string_equal(held->status.launch.token, "t2");
    teedeployment_unref(pass.live);
    teedeployment_unref(pass.want);
    store_free(options.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fence), cmocka_unit_test(test_stale_is_learned)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
