/* Batches on a virtual clock and a fake EC2 that knows which ids are bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "nitro/ec2_batch.h"

struct fake {
    struct clock clock;
    int64_t now_ms;
    struct ec2_batch *batch;
    const char *bad;      /* substring of ids that fail a call */
    bool is_naming;       /* the message names them */
    enum error_kind kind; /* of a call that holds one; of all calls while bad is "" */
    const char *reason;
    int64_t retry_after_ms;
    bool is_following; /* the lease is gone */
    int calls;
    size_t sent;
    size_t changed;
    size_t to_look;
    enum ec2_verb verbs[32];
};

static int64_t fake_mono(void *ctx)
{
    return ((struct fake *)ctx)->now_ms;
}

static int refuse(const struct fake *fake, const char *id, struct error *err)
{
    error_set(err, fake->kind, fake->reason ? fake->reason : "Bad", "the id '%s' is bad",
              fake->is_naming ? id : "?");
    err->retry_after_ms = fake->retry_after_ms;
    return -1;
}

static int send_ids(void *ctx, enum ec2_verb verb, const struct ec2_query *ids, struct error *err)
{
    struct fake *fake = ctx;
    assert_true(ids->id_count <= EC2_BATCH_MAX);
    if (fake->calls < 32)
        fake->verbs[fake->calls] = verb;
    fake->calls++;
    for (size_t i = 0; fake->bad && i < ids->id_count; i++)
        if (strstr(ids->ids[i], fake->bad))
            return refuse(fake, ids->ids[i], err);
    fake->sent += ids->id_count;
    return 0;
}

static bool may_act(void *ctx)
{
    return !((struct fake *)ctx)->is_following;
}

static void settled(void *ctx, const char *id, bool is_changed)
{
    struct fake *fake = ctx;
    assert_true(id[0] == 'i');
    if (is_changed)
        fake->changed++;
    else
        fake->to_look++;
}

static int open_fake(void **state)
{
    struct fake *fake = calloc(1, sizeof(*fake));
    fake->clock = (struct clock){.ctx = fake, .mono_ms = fake_mono, .wall_ms = fake_mono};
    fake->now_ms = 1000;
    struct ec2_batch_options options = {&fake->clock, send_ids, may_act, settled, fake, NULL};
    fake->batch = ec2_batch_new(&options);
    *state = fake;
    return 0;
}

static int close_fake(void **state)
{
    struct fake *fake = *state;
    ec2_batch_free(fake->batch);
    free(fake);
    return 0;
}

static int ask(struct fake *fake, enum ec2_verb verb, const char *id, struct error *err)
{
    const struct ec2_batch_item item = {.id = id};
    return ec2_batch_ask(fake->batch, verb, &item, err);
}

static void ask_many(struct fake *fake, enum ec2_verb verb, int count)
{
    for (int i = 0; i < count; i++) {
        char id[32];
        snprintf(id, sizeof(id), "i-%05d", i);
        assert_int_equal(ask(fake, verb, id, NULL), 0);
    }
}

/* Steps until nothing is due at this moment. */
static void step_all(struct fake *fake)
{
    while (ec2_batch_step(fake->batch) == 0)
        continue;
}

static void test_gathers(void **state)
{
    struct fake *fake = *state;
    ask_many(fake, EC2_TERMINATE, 3);
    assert_int_equal(ec2_batch_step(fake->batch), 100);
    assert_int_equal(fake->calls, 0);
    fake->now_ms += 100;
    step_all(fake);
    assert_int_equal(fake->calls, 1);
    assert_int_equal(fake->changed, 3);
    assert_int_equal(ec2_batch_step(fake->batch), -1);
}

/* Somebody comes each so many ms: the time at which the second call goes out, after the first, and its ids.
 */
static void test_gathers_for_a_time(void **state)
{
    static const struct {
        int pause_ms;
        int at_ms;
    } cases[] = {{150, 1000}, {90, 3000}};
    struct fake *fake = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char id[32];
        fake->now_ms += 10000;
        fake->calls = 0;
        int64_t sent_ms = 0;
        for (int k = 0; fake->calls < 2; k++) {
            snprintf(id, sizeof(id), "i-%zu-%d", i, k);
            assert_int_equal(ask(fake, EC2_TERMINATE, id, NULL), 0);
            for (int ms = 0; ms < cases[i].pause_ms && fake->calls < 2; ms++) {
                fake->now_ms++;
                step_all(fake);
                sent_ms = sent_ms == 0 && fake->calls == 1 ? fake->now_ms : sent_ms;
            }
        }
        assert_in_range(fake->now_ms - sent_ms, cases[i].at_ms, cases[i].at_ms + 100);
    }
}

/* A thousand in 26 s, with a pause of more than 100 ms after each seven: a call each three seconds all the
 * same. */
static void test_a_thousand_in_a_while(void **state)
{
    struct fake *fake = *state;
    for (int i = 0; i < 1000; i++) {
        char id[16];
        snprintf(id, sizeof(id), "i-%d", i);
        assert_int_equal(ask(fake, EC2_TERMINATE, id, NULL), 0);
        for (int k = i % 7 ? 3 : 43; k > 0; k--) {
            step_all(fake);
            fake->now_ms += 3;
        }
    }
    fake->now_ms += 3000;
    step_all(fake);
    assert_int_equal(fake->changed, 1000);
    assert_in_range(fake->calls, 8, 11);
}

static void test_thousand_in_two_calls(void **state)
{
    struct fake *fake = *state;
    ask_many(fake, EC2_TERMINATE, 1000);
    fake->now_ms += 100;
    step_all(fake);
    assert_int_equal(fake->calls, 2);
    assert_int_equal(fake->changed, 1000);
}

static void test_terminations_first(void **state)
{
    struct fake *fake = *state;
    ask_many(fake, EC2_START, 1);
    ask_many(fake, EC2_STOP, 1);
    ask_many(fake, EC2_TERMINATE, 1);
    fake->now_ms += 100;
    step_all(fake);
    assert_int_equal(fake->calls, 3);
    assert_int_equal(fake->verbs[0], EC2_TERMINATE);
    assert_int_equal(fake->verbs[1], EC2_STOP);
    assert_int_equal(fake->verbs[2], EC2_START);
}

/* An id in flight is not asked for twice, and its key comes back. */
static void test_asked_twice(void **state)
{
    struct fake *fake = *state;
    struct error err = {0};
    ask_many(fake, EC2_STOP, 1);
    assert_int_equal(ask(fake, EC2_STOP, "i-00000", &err), -1);
    assert_int_equal(err.kind, ERROR_THROTTLED);
    assert_string_equal(err.reason, "Batched");
    assert_true(err.retry_after_ms > 0);
    fake->now_ms += 100;
    step_all(fake);
    assert_int_equal(fake->sent, 1);
}

static void poison(struct fake *fake, bool is_naming, int calls_max)
{
    struct error err = {0};
    fake->bad = "00007";
    fake->is_naming = is_naming;
    fake->kind = ERROR_ABSENT;
    ask_many(fake, EC2_TERMINATE, 500);
    fake->now_ms += 100;
    step_all(fake);
    assert_int_equal(fake->changed, 499);
    assert_int_equal(fake->to_look, 1);
    assert_true(fake->calls <= calls_max);
    assert_int_equal(ask(fake, EC2_TERMINATE, "i-00007", &err), -1);
    assert_int_equal(err.kind, ERROR_ABSENT); /* told once, then asked anew */
    assert_int_equal(ask(fake, EC2_TERMINATE, "i-00007", &err), 0);
}

static void test_poison_named(void **state)
{
    poison(*state, true, 2);
}

static void test_poison_unnamed(void **state)
{
    poison(*state, false, 20);
}

/* An outcome that is unknown is everybody's: nothing is sent again without a look. */
static void test_unknown_outcome(void **state)
{
    struct fake *fake = *state;
    fake->bad = "i-";
    fake->kind = ERROR_UNAVAILABLE;
    ask_many(fake, EC2_TERMINATE, 10);
    fake->now_ms += 100;
    step_all(fake);
    assert_int_equal(fake->calls, 1);
    assert_int_equal(fake->to_look, 10);
}

static void test_no_lease_no_call(void **state)
{
    struct fake *fake = *state;
    struct error err = {0};
    fake->is_following = true;
    ask_many(fake, EC2_TERMINATE, 10);
    fake->now_ms += 100;
    step_all(fake);
    assert_int_equal(fake->calls, 0);
    assert_int_equal(fake->to_look, 10);
    assert_int_equal(ask(fake, EC2_TERMINATE, "i-00000", &err), -1);
    assert_int_equal(err.kind, ERROR_STOPPED);
}

/* A throttle keeps the batch together; what waits longer than its GET is good for is dropped and not sent. */
static void test_throttled_then_too_old(void **state)
{
    struct fake *fake = *state;
    fake->bad = "i-";
    fake->kind = ERROR_THROTTLED;
    ask_many(fake, EC2_TERMINATE, 10);
    fake->now_ms += 100;
    step_all(fake);
    assert_int_equal(fake->calls, 1);
    fake->now_ms += 100;
    step_all(fake);
    assert_int_equal(fake->calls, 2);
    fake->bad = NULL;
    fake->now_ms += 4801; /* 5001 since they were asked for */
    step_all(fake);
    assert_int_equal(fake->calls, 2);
    assert_int_equal(fake->to_look, 10);
    ask_many(fake, EC2_TERMINATE, 10);
    fake->now_ms += 100;
    step_all(fake);
    assert_int_equal(fake->changed, 10);
}

/* The right to stop is missing: 500 ids are not 999 calls, and none of them waits for the end of that. */
static void refuse_all(struct fake *fake, bool is_naming)
{
    struct error err = {0};
    fake->bad = "i-";
    fake->kind = ERROR_DENIED;
    fake->reason = "UnauthorizedOperation";
    fake->is_naming = is_naming;
    ask_many(fake, EC2_STOP, 500);
    fake->now_ms += 100;
    step_all(fake);
    assert_in_range(fake->calls, 1, 15);
    assert_int_equal(fake->to_look, 500);
    assert_int_equal(ask(fake, EC2_STOP, "i-00499", &err), -1);
    assert_string_equal(err.reason, "UnauthorizedOperation");
}

static void test_no_permission(void **state)
{
    refuse_all(*state, false);
}

static void test_no_permission_for_a_named_one(void **state)
{
    refuse_all(*state, true);
}

/* Those that are refused, among many that are not, are found one by one; a hundred only where it is the host
 * that is protected. */
static void test_some_without_permission(void **state)
{
    struct fake *fake = *state;
    static const struct {
        const char *bad;
        const char *reason;
        size_t refused;
    } cases[] = {{"7", "OperationNotPermitted", 95}, {"99", "UnauthorizedOperation", 5}};
    fake->kind = ERROR_DENIED;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fake->bad = cases[i].bad;
        fake->reason = cases[i].reason;
        fake->changed = fake->to_look = 0;
        ask_many(fake, i == 0 ? EC2_TERMINATE : EC2_STOP, 500);
        fake->now_ms += 1000;
        step_all(fake);
        assert_int_equal(fake->changed, 500 - cases[i].refused);
        assert_int_equal(fake->to_look, cases[i].refused);
    }
}

/* One place has no capacity: the others start, and it is found out by a dozen calls. */
static void test_no_capacity_in_a_place(void **state)
{
    struct fake *fake = *state;
    struct error err = {0};
    static const char *const places[] = {"ax", "bx", "cx"};
    fake->kind = ERROR_CAPACITY;
    fake->reason = "InsufficientInstanceCapacity";
    for (int round = 0; round < 3; round++) {
        char id[32];
        fake->bad = places[round];
        fake->calls = 0;
        for (int i = 0; i < 300; i++) {
            snprintf(id, sizeof(id), "i-%d-%s%03d", round, places[i % 3], i);
            const struct ec2_batch_item item = {id, (uint32_t)(i % 3)};
            assert_int_equal(ec2_batch_ask(fake->batch, EC2_START, &item, NULL), 0);
        }
        fake->now_ms += 3000;
        step_all(fake);
        assert_int_equal(fake->changed, (round + 1) * 200);
        assert_int_equal(fake->to_look, (round + 1) * 100);
        assert_in_range(fake->calls, 1, 15);
        snprintf(id, sizeof(id), "i-%d-%s%03d", round, places[round], round);
        assert_int_equal(ask(fake, EC2_START, id, &err), -1);
        assert_int_equal(err.kind, ERROR_CAPACITY);
    }
}

/* What a peer asks for is not a day. */
static void test_throttled_for_long(void **state)
{
    struct fake *fake = *state;
    fake->bad = "i-";
    fake->kind = ERROR_THROTTLED;
    fake->retry_after_ms = INT64_C(86400) * 1000;
    ask_many(fake, EC2_TERMINATE, 1);
    fake->now_ms += 100;
    step_all(fake);
    assert_int_equal(fake->calls, 1);
    fake->bad = NULL;
    fake->now_ms += 60 * 1000;
    step_all(fake); /* dropped as too old */
    ask_many(fake, EC2_TERMINATE, 1);
    fake->now_ms += 100;
    step_all(fake);
    assert_int_equal(fake->changed, 1);
}

#define FAKE_TEST(function) cmocka_unit_test_setup_teardown(function, open_fake, close_fake)

int main(void)
{
    const struct CMUnitTest tests[] = {FAKE_TEST(test_gathers),
                                       FAKE_TEST(test_gathers_for_a_time),
                                       FAKE_TEST(test_a_thousand_in_a_while),
                                       FAKE_TEST(test_thousand_in_two_calls),
                                       FAKE_TEST(test_terminations_first),
                                       FAKE_TEST(test_asked_twice),
                                       FAKE_TEST(test_poison_named),
                                       FAKE_TEST(test_poison_unnamed),
                                       FAKE_TEST(test_unknown_outcome),
                                       FAKE_TEST(test_no_lease_no_call),
                                       FAKE_TEST(test_throttled_then_too_old),
                                       FAKE_TEST(test_no_permission),
                                       FAKE_TEST(test_no_permission_for_a_named_one),
                                       FAKE_TEST(test_some_without_permission),
                                       FAKE_TEST(test_no_capacity_in_a_place),
                                       FAKE_TEST(test_throttled_for_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
