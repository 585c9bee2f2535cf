/* The buckets of each action on a clock of our own: what is let through, when the rest may come, and how the
 * rate falls and rises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "nitro/ec2_limit.h"

static int64_t take(struct ec2_limit *limit, enum ec2_lane_id lane, int resources, int64_t now_ms)
{
    return ec2_limit_take(limit, lane, &(struct ec2_limit_ask){.resource_count = resources}, now_ms);
}

static int take_all(struct ec2_limit *limit, enum ec2_lane_id lane, int resources, int64_t now_ms)
{
    int count = 0;
    while (take(limit, lane, resources, now_ms) == 0)
        count++;
    return count;
}

static void test_published_sizes(void **state)
{
    static const struct {
        const char *action;
        int burst, in_ten_seconds;
    } cases[] = {
        {"RunInstances", 5, 5},          {"StartInstances", 5, 5},       {"StopInstances", 50, 50},
        {"TerminateInstances", 100, 50}, {"CreateTags", 100, 100},       {"DescribeInstances", 100, 100},
        {"DescribeImages", 100, 100},    {"GetConsoleOutput", 100, 100}, {"ModifySomething", 50, 50}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ec2_limit limit;
        enum ec2_lane_id lane = ec2_limit_lane(cases[i].action);
        ec2_limit_init(&limit, 100, 1000);
        assert_int_equal(take_all(&limit, lane, 1, 1000), cases[i].burst);
        assert_int_equal(take_all(&limit, lane, 1, 11000), cases[i].in_ten_seconds);
    }
}

/* What one batch names is counted too: 1000 instances at once, then 20 a second. */
static void test_resources(void **state)
{
    struct ec2_limit limit;
    (void)state;
    ec2_limit_init(&limit, 100, 0);
    assert_int_equal(take(&limit, EC2_LANE_TERMINATE, 500, 0), 0);
    assert_int_equal(take(&limit, EC2_LANE_TERMINATE, 500, 0), 0);
    assert_int_equal(take(&limit, EC2_LANE_TERMINATE, 20, 0), 1000);
    assert_int_equal(take(&limit, EC2_LANE_TERMINATE, 20, 1000), 0);
    assert_int_equal(take(&limit, EC2_LANE_DESCRIBE, 100000, 0), 0);
}

static void test_share(void **state)
{
    struct ec2_limit limit;
    (void)state;
    ec2_limit_init(&limit, 50, 0);
    assert_int_equal(take_all(&limit, EC2_LANE_DESCRIBE, 0, 0), 50);
    assert_int_equal(take_all(&limit, EC2_LANE_DESCRIBE, 0, 1000), 10);
    ec2_limit_init(&limit, 1, 0);
    assert_int_equal(take_all(&limit, EC2_LANE_RUN, 1, 0), 1); /* never none */
    ec2_limit_init(&limit, 300, 0);
    assert_int_equal(take_all(&limit, EC2_LANE_RUN, 1, 0), 15);
}

/* A lane that is empty takes nothing from another. */
static void test_lanes_are_apart(void **state)
{
    struct ec2_limit limit;
    (void)state;
    ec2_limit_init(&limit, 100, 0);
    take_all(&limit, EC2_LANE_DESCRIBE, 0, 0);
    take_all(&limit, EC2_LANE_RUN, 1, 0);
    ec2_limit_note_throttle(&limit, EC2_LANE_RUN, 0);
    assert_int_equal(take(&limit, EC2_LANE_TERMINATE, 1, 0), 0);
    assert_int_equal(take(&limit, EC2_LANE_STOP, 1, 0), 0);
}

/* Whoever is refused gets a time of his own, and finds a token then. */
static void test_turns(void **state)
{
    struct ec2_limit limit;
    int64_t turns[20];
    (void)state;
    ec2_limit_init(&limit, 100, 0);
    take_all(&limit, EC2_LANE_STOP, 1, 0); /* whose last refusal has the turn at 200 ms */
    for (size_t i = 0; i < ARRAY_LEN(turns); i++) {
        turns[i] = take(&limit, EC2_LANE_STOP, 1, 0);
        assert_int_equal(turns[i], 400 + 200 * (int64_t)i);
    }
    for (size_t i = 0; i < ARRAY_LEN(turns); i++)
        assert_int_equal(take(&limit, EC2_LANE_STOP, 1, turns[i]), 0);
    for (int i = 0; i < 10000; i++)
        assert_true(take(&limit, EC2_LANE_RUN, 1, turns[19]) <= 10 * 60 * 1000);
}

/* The inventory's look at everything does not wait until all of those had their turn. */
static void test_patience(void **state)
{
    struct ec2_limit limit;
    const struct ec2_limit_ask patient = {.is_patient = true};
    (void)state;
    ec2_limit_init(&limit, 100, 0);
    take_all(&limit, EC2_LANE_DESCRIBE, 0, 0);
    for (int i = 0; i < 600; i++)
        assert_int_not_equal(take(&limit, EC2_LANE_DESCRIBE, 0, 0), 0);
    assert_int_equal(ec2_limit_take(&limit, EC2_LANE_DESCRIBE, &patient, 0), 50);
    assert_int_equal(take(&limit, EC2_LANE_DESCRIBE, 0, 50), 0); /* somebody else was first */
    assert_int_equal(ec2_limit_take(&limit, EC2_LANE_DESCRIBE, &patient, 50), 50);
    assert_int_equal(ec2_limit_take(&limit, EC2_LANE_DESCRIBE, &patient, 100), 0);
    /* Nor has it put anybody back. */
    assert_int_equal(take(&limit, EC2_LANE_DESCRIBE, 0, 100), 602 * 50 - 100);
}

static void test_throttle_halves_and_recovers(void **state)
{
    struct ec2_limit limit;
    (void)state;
    ec2_limit_init(&limit, 100, 0);
    ec2_limit_note_throttle(&limit, EC2_LANE_DESCRIBE, 0);
    ec2_limit_note_throttle(&limit, EC2_LANE_DESCRIBE, 999); /* under way together */
    assert_true(ec2_limit_rate(&limit, EC2_LANE_DESCRIBE, 999) == 10);
    assert_int_equal(take_all(&limit, EC2_LANE_DESCRIBE, 0, 999), 0); /* emptied */
    assert_int_equal(take_all(&limit, EC2_LANE_DESCRIBE, 0, 1999), 10);
    ec2_limit_note_throttle(&limit, EC2_LANE_DESCRIBE, 2000);
    assert_true(ec2_limit_rate(&limit, EC2_LANE_DESCRIBE, 2000) == 5);
    assert_true(ec2_limit_rate(&limit, EC2_LANE_DESCRIBE, 11999) == 5);
    assert_true(ec2_limit_rate(&limit, EC2_LANE_DESCRIBE, 12000) == 6);
    assert_true(ec2_limit_rate(&limit, EC2_LANE_DESCRIBE, 151999) < 20);
    assert_true(ec2_limit_rate(&limit, EC2_LANE_DESCRIBE, 152000) == 20);
    assert_true(ec2_limit_rate(&limit, EC2_LANE_DESCRIBE, 9000000) == 20);
    for (int i = 0; i < 20; i++)
        ec2_limit_note_throttle(&limit, EC2_LANE_DESCRIBE, 9000000 + i * 1000);
    assert_true(ec2_limit_rate(&limit, EC2_LANE_DESCRIBE, 9020000) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_published_sizes),
                                       cmocka_unit_test(test_resources),
                                       cmocka_unit_test(test_share),
                                       cmocka_unit_test(test_lanes_are_apart),
                                       cmocka_unit_test(test_turns),
                                       cmocka_unit_test(test_patience),
                                       cmocka_unit_test(test_throttle_halves_and_recovers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
