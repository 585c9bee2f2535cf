/* The end of a piece of work bounds its calls, and a pass is such a piece. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "reconcile/reconciler.h"

#include <string.h>

enum { HOUR_MS = 3600 * 1000 };

static int64_t read_ms(void *ctx)
{
    return *(const int64_t *)ctx;
}

static void test_caps(void **state)
{
    (void)state;
    int64_t now_ms = 5000;
    const struct clock clock = {read_ms, read_ms, &now_ms};
    assert_int_equal(deadline_cap_ms(HOUR_MS), HOUR_MS);
    deadline_begin(&clock, 60000);
    assert_int_equal(deadline_cap_ms(HOUR_MS), 60000);
    assert_int_equal(deadline_cap_ms(8000), 8000);
    now_ms += 55000;
    assert_int_equal(deadline_cap_ms(8000), 5000);
    assert_int_equal(deadline_cap_ms(5000), 5000);
    now_ms += 5000;
    assert_int_equal(deadline_cap_ms(8000), 1);
    now_ms += HOUR_MS;
    assert_int_equal(deadline_cap_ms(8000), 1);
    deadline_end();
    assert_int_equal(deadline_cap_ms(8000), 8000);
}

/* The bound of a call that a pass makes. */
struct world {
    int64_t now_ms;
    int64_t cap_ms;
};

static int get_object(void *ctx, const char *name_space, const char *name, struct teedeployment **ret_object,
                      struct error *err)
{
    struct world *world = ctx;
    (void)name_space;
    (void)name;
    *ret_object = NULL;
    world->now_ms += 59000;
    world->cap_ms = deadline_cap_ms(HOUR_MS);
    return error_set(err, ERROR_UNAVAILABLE, "Timeout", "slow");
}

/* An object that the store has no room for is read: the shortest pass with a call. */
static void test_a_pass_has_a_minute(void **state)
{
    (void)state;
    static const char text[] = "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"a\",\"uid\":\"u\","
                               "\"resourceVersion\":\"7\",\"generation\":1},\"spec\":{}}";
    struct world world = {.now_ms = 1000};
    struct error err = {0};
    CLEANUP(teedeployment_unrefp) struct teedeployment *object = NULL;
    assert_int_equal(teedeployment_decode(text, strlen(text), &object, &err), 0);
    const struct clock clock = {read_ms, read_ms, &world.now_ms};
    const struct reconcile_config config = {.max_launches_per_hour = 1};
    const struct ports ports = {.ctx = &world, .get_object = get_object};
    struct store *store = store_new();
    struct inventory *inventory = inventory_new();
    store_set_limit(store, 1);
    store_put(store, object);
    assert_true(store_is_refused(store, object->key));
    const struct reconciler_options options = {
        .config = &config, .ports = &ports, .store = store, .inventory = inventory, .clock = &clock};
    struct reconciler *reconciler = reconciler_new(&options);
    for (int i = 0; i < 2; i++) {
        world.cap_ms = 0;
        struct outcome outcome = reconciler_pass(reconciler, "ns/a");
        assert_int_equal(outcome.kind, OUTCOME_BACK_OFF);
        assert_int_equal(world.cap_ms, RECONCILER_PASS_MS - 59000);
        assert_int_equal(deadline_cap_ms(HOUR_MS), HOUR_MS);
    }
    reconciler_free(reconciler);
    inventory_free(inventory);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_caps),
                                       cmocka_unit_test(test_a_pass_has_a_minute)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
