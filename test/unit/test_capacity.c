/* What one object was told of a place, the others know for three minutes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reconcile/capacity.h"

static const char *subnets[] = {"subnet-a", "subnet-b"};

static struct capacity_view look(struct capacity *capacity, const char *type, size_t subnet_count,
                                 int64_t mono_ms)
{
    struct tee_instance_spec instance = {
        .instance_type = type, .subnet_ids = subnets, .subnet_count = subnet_count};
    struct capacity_view view;
    capacity_look(capacity, &instance, mono_ms, &view);
    return view;
}

static void test_places(void **state)
{
    struct capacity *capacity = capacity_new();
    (void)state;
    assert_false(look(capacity, "m5.xlarge", 2, 0).is_all_short);
    capacity_note(capacity, "m5.xlarge", "subnet-a", 1000);
    struct capacity_view view = look(capacity, "m5.xlarge", 2, 2000);
    assert_int_equal(view.short_mask, 1);
    assert_false(view.is_all_short);
    assert_int_equal(look(capacity, "m5.2xlarge", 2, 2000).short_mask, 0);
    /* EC2's own choice is a place of its own. */
    assert_false(look(capacity, "m5.xlarge", 0, 2000).is_all_short);
    capacity_note(capacity, "m5.xlarge", "subnet-b", 5000);
    view = look(capacity, "m5.xlarge", 2, 6000);
    assert_int_equal(view.short_mask, 3);
    assert_true(view.is_all_short);
    assert_int_equal(view.free_ms, 1000 + CAPACITY_SHORT_MS);
    capacity_note(capacity, "m5.xlarge", NULL, 6000);
    assert_true(look(capacity, "m5.xlarge", 0, 6000).is_all_short);
    capacity_free(capacity);
}

/* A host that is there has a type and a subnet of its own, whatever the spec says by now. */
static void test_start(void **state)
{
    struct capacity *capacity = capacity_new();
    const struct host here = {.type = "m5.xlarge", .subnet_id = "subnet-a"};
    const struct host there = {.type = "m5.xlarge", .subnet_id = "subnet-b"};
    (void)state;
    assert_int_equal(capacity_free_ms(capacity, &here, 0), 0);
    capacity_note(capacity, "m5.xlarge", "subnet-a", 1000);
    assert_int_equal(capacity_free_ms(capacity, &here, 2000), 1000 + CAPACITY_SHORT_MS);
    assert_int_equal(capacity_free_ms(capacity, &there, 2000), 0);
    assert_int_equal(capacity_free_ms(capacity, &here, 1000 + CAPACITY_SHORT_MS), 0);
    capacity_free(capacity);
}

static void test_three_minutes(void **state)
{
    struct capacity *capacity = capacity_new();
    (void)state;
    capacity_note(capacity, "m5.xlarge", "subnet-a", 1000);
    assert_int_equal(look(capacity, "m5.xlarge", 2, 999 + CAPACITY_SHORT_MS).short_mask, 1);
    assert_int_equal(look(capacity, "m5.xlarge", 2, 1000 + CAPACITY_SHORT_MS).short_mask, 0);
    /* Told again: from then on. */
    capacity_note(capacity, "m5.xlarge", "subnet-a", 100000);
    assert_int_equal(look(capacity, "m5.xlarge", 2, 99999 + CAPACITY_SHORT_MS).short_mask, 1);
    capacity_free(capacity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_three_minutes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
