/* Which key is worked on next, on a virtual clock; and many threads on one queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/thread.h"
#include "reconcile/workqueue.h"

#include <string.h>

static int64_t virtual_ms(void *ctx)
{
    return *(int64_t *)ctx;
}

static struct clock virtual_clock(int64_t *now_ms)
{
    return (struct clock){.wall_ms = virtual_ms, .mono_ms = virtual_ms, .ctx = now_ms};
}

static void expect_next(struct workqueue *queue, const char *key)
{
    CLEANUP(freep) char *got = workqueue_try_get(queue);
    if (key)
        assert_non_null(got);
    if (got && (!key || strcmp(got, key) != 0))
        fail_msg("got %s, not %s", got, key ? key : "none");
}

static void expect_and_finish(struct workqueue *queue, const char *key)
{
    expect_next(queue, key);
    workqueue_done(queue, key);
}

static void test_one_entry_per_key(void **state)
{
    (void)state;
    int64_t now_ms = 1000;
    struct clock clock = virtual_clock(&now_ms);
    struct workqueue *queue = workqueue_new(&clock);
    expect_next(queue, NULL);
    for (int i = 0; i < 5; i++)
        workqueue_add(queue, "a", i % 2 ? WORK_URGENT : WORK_BACKGROUND);
    workqueue_add(queue, "b", WORK_BACKGROUND);
    assert_int_equal(workqueue_get_counts(queue).ready[WORK_URGENT], 1);
    assert_int_equal(workqueue_get_counts(queue).ready[WORK_BACKGROUND], 1);
    expect_and_finish(queue, "a");
    expect_and_finish(queue, "b");
    expect_next(queue, NULL);
    workqueue_free(queue);
}

static void test_dirty_while_processing(void **state)
{
    (void)state;
    int64_t now_ms = 1000;
    struct clock clock = virtual_clock(&now_ms);
    struct workqueue *queue = workqueue_new(&clock);
    workqueue_add(queue, "a", WORK_URGENT);
    expect_next(queue, "a");
    workqueue_add(queue, "a", WORK_URGENT);
    workqueue_add(queue, "a", WORK_URGENT);
    expect_next(queue, NULL); /* never with two workers */
    assert_int_equal(workqueue_get_counts(queue).processing, 1);
    workqueue_done(queue, "a");
    expect_next(queue, "a"); /* once more, and not twice */
    workqueue_done(queue, "a");
    expect_next(queue, NULL);
    workqueue_add(queue, "a", WORK_URGENT);
    expect_next(queue, "a");
    workqueue_add_at(queue, "a", 1500); /* due while a worker still has it */
    now_ms = 2000;
    expect_next(queue, NULL);
    workqueue_done(queue, "a");
    expect_and_finish(queue, "a");
    expect_next(queue, NULL);
    workqueue_free(queue);
}

static void test_delays(void **state)
{
    (void)state;
    int64_t now_ms = 1000;
    struct clock clock = virtual_clock(&now_ms);
    struct workqueue *queue = workqueue_new(&clock);
    assert_int_equal(workqueue_next_ms(queue), -1);
    workqueue_add_at(queue, "late", 9000);
    workqueue_add_at(queue, "soon", 3000);
    workqueue_add_at(queue, "soon", 5000); /* the earliest wish wins */
    workqueue_add_at(queue, "late", 8000);
    assert_int_equal(workqueue_next_ms(queue), 3000);
    assert_int_equal(workqueue_get_counts(queue).delayed, 2);
    now_ms = 2999;
    expect_next(queue, NULL);
    now_ms = 3000;
    expect_and_finish(queue, "soon");
    assert_int_equal(workqueue_next_ms(queue), 8000);
    workqueue_add(queue, "late", WORK_BACKGROUND); /* an event does not wait for the timer, and ends it */
    assert_int_equal(workqueue_next_ms(queue), -1);
    workqueue_add_at(queue, "late", 4000); /* it is ready already */
    assert_int_equal(workqueue_next_ms(queue), -1);
    expect_and_finish(queue, "late");
    now_ms = 10000;
    expect_next(queue, NULL);
    workqueue_free(queue);
}

static void test_classes(void **state)
{
    (void)state;
    int64_t now_ms = 1000;
    struct clock clock = virtual_clock(&now_ms);
    struct workqueue *queue = workqueue_new(&clock);
    workqueue_add(queue, "resync-1", WORK_BACKGROUND);
    workqueue_add(queue, "resync-2", WORK_BACKGROUND);
    workqueue_add(queue, "resync-3", WORK_BACKGROUND);
    workqueue_add(queue, "edit-1", WORK_URGENT);
    workqueue_add(queue, "edit-2", WORK_URGENT);
    workqueue_add(queue, "resync-2", WORK_URGENT); /* raised from the middle of its list */
    expect_and_finish(queue, "edit-1");
    expect_and_finish(queue, "edit-2");
    expect_and_finish(queue, "resync-2");
    now_ms = 1000 + 100 * 1000; /* exactly 100 s older: not yet */
    workqueue_add(queue, "edit-3", WORK_URGENT);
    expect_and_finish(queue, "edit-3");
    now_ms++;
    workqueue_add(queue, "edit-4", WORK_URGENT);
    expect_and_finish(queue, "resync-1");
    expect_and_finish(queue, "resync-3");
    expect_and_finish(queue, "edit-4");
    workqueue_add(queue, "edit-1", WORK_BACKGROUND); /* the class is of the event, not of the key */
    workqueue_add(queue, "other", WORK_URGENT);
    expect_and_finish(queue, "other");
    expect_and_finish(queue, "edit-1");
    workqueue_free(queue);
}

/* A worker takes the key at `now`, fails, and gives it back; then the key is due at `due`. */
struct failure {
    int64_t now_ms;
    int64_t generation;
    int64_t at_least_ms;
    int64_t due_ms;
};

static void expect_failures(const struct failure *failures, size_t count)
{
    int64_t now_ms = 0;
    struct clock clock = virtual_clock(&now_ms);
    struct workqueue *queue = workqueue_new(&clock);
    for (size_t i = 0; i < count; i++) {
        now_ms = failures[i].now_ms;
        workqueue_add(queue, "a", WORK_URGENT);
        expect_next(queue, "a");
        workqueue_back_off(queue, "a", failures[i].generation, failures[i].at_least_ms);
        workqueue_done(queue, "a");
        if (workqueue_next_ms(queue) != failures[i].due_ms)
            fail_msg("failure %zu: due at %d", i, (int)workqueue_next_ms(queue));
    }
    workqueue_free(queue);
}

static void test_back_off(void **state)
{
    (void)state;
    struct failure failures[40];
    int64_t now_ms = 1000;
    for (int i = 0; i < 40; i++) {
        int64_t delay_ms = i < 18 ? INT64_C(5) << i : 1000 * 1000;
        delay_ms = delay_ms < 1000 * 1000 ? delay_ms : 1000 * 1000;
        failures[i] = (struct failure){now_ms, 1, 0, now_ms + delay_ms};
        now_ms += delay_ms;
    }
    expect_failures(failures, ARRAY_LEN(failures));
}

/* Seen to fail with early passes counted, with another time for them, and with the generation not looked at.
 */
static void test_back_off_and_events(void **state)
{
    (void)state;
    static const struct failure failures[] = {
        {1000, 1, 0, 1005},      {1005, 1, 0, 1015},
        {1006, 1, 0, 1015},                          /* events: not counted, and the time stays */
        {1014, 1, 0, 1015},      {1015, 1, 0, 1035}, /* due */
        {1020, 1, 0, 1035},      {1100, 1, 0, 1140}, /* an event after it was due is the try that was due */
        {1110, 1, 0, 1140},      {1120, 2, 0, 1125}, /* another spec starts anew */
        {1126, 2, 0, 1136},      {1136, 2, 60000, 61136}, /* EC2 named a time */
        {1137, 2, 0, 61136},                              /* and it is not over */
        {1138, 2, 60000, 61138}, {61138, 2, 0, 61138 + 40},
    };
    expect_failures(failures, ARRAY_LEN(failures));
}

/* 20 failures within a second, by an event each 50 ms: the delay is what it would be without events. */
static void test_back_off_in_noise(void **state)
{
    (void)state;
    struct failure failures[20];
    static const int64_t due_ms[] = {1005, 1060, 1120, 1190, 1280, 1280, 1460, 1460, 1460, 1460,
                                     1820, 1820, 1820, 1820, 1820, 1820, 1820, 2490, 2490, 2490};
    for (int i = 0; i < 20; i++)
        failures[i] = (struct failure){1000 + 50 * i, 1, 0, due_ms[i]};
    expect_failures(failures, ARRAY_LEN(failures));
}

static void fail_after(struct workqueue *queue, int64_t *now_ms, int64_t ms)
{
    expect_next(queue, "a");
    *now_ms += ms;
    workqueue_back_off(queue, "a", 1, 0);
    workqueue_done(queue, "a");
}

/* A pass that began early and took longer than the time that was left waits as long as before; failures
 * outlive a pass, and can be forgotten. */
static void test_back_off_of_slow_passes(void **state)
{
    (void)state;
    int64_t now_ms = 1000;
    struct clock clock = virtual_clock(&now_ms);
    struct workqueue *queue = workqueue_new(&clock);
    workqueue_add(queue, "a", WORK_URGENT);
    fail_after(queue, &now_ms, 0);
    workqueue_add(queue, "a", WORK_URGENT);
    fail_after(queue, &now_ms, 8000);
    assert_int_equal(workqueue_next_ms(queue), 9000 + 5);
    now_ms = 9005;
    fail_after(queue, &now_ms, 8000);
    assert_int_equal(workqueue_next_ms(queue), 17005 + 10);
    workqueue_add(queue, "a", WORK_URGENT);
    expect_and_finish(queue, "a");
    now_ms = 20000;
    workqueue_add(queue, "a", WORK_URGENT);
    fail_after(queue, &now_ms, 0);
    assert_int_equal(workqueue_next_ms(queue), 20000 + 20);
    workqueue_forget(queue, "a");
    workqueue_forget(queue, "never seen");
    workqueue_add(queue, "a", WORK_URGENT);
    fail_after(queue, &now_ms, 0);
    assert_int_equal(workqueue_next_ms(queue), 20000 + 5);
    workqueue_free(queue);
}

static void expect_adds(struct workqueue *queue, int64_t adds, int64_t retries)
{
    struct workqueue_counts counts = workqueue_get_counts(queue);
    assert_int_equal(counts.adds, adds);
    assert_int_equal(counts.retries, retries);
}

/* As client-go counts: what coalesces is one add, and what was delayed is one when it is due. Seen to fail
 * with each call counted. */
static void test_adds(void **state)
{
    (void)state;
    int64_t now_ms = 1000;
    struct clock clock = virtual_clock(&now_ms);
    struct workqueue *queue = workqueue_new(&clock);
    workqueue_add(queue, "a", WORK_BACKGROUND);
    workqueue_add(queue, "a", WORK_URGENT);
    expect_adds(queue, 1, 0);
    expect_next(queue, "a");
    expect_adds(queue, 1, 0);
    workqueue_add(queue, "a", WORK_URGENT);
    workqueue_add(queue, "a", WORK_URGENT);
    workqueue_done(queue, "a");
    expect_adds(queue, 2, 0);
    expect_next(queue, "a");
    workqueue_add_at(queue, "a", 2000);
    workqueue_add_at(queue, "a", 1500);
    workqueue_done(queue, "a");
    expect_adds(queue, 2, 2);
    now_ms = 2000;
    expect_next(queue, "a");
    expect_adds(queue, 3, 2);
    workqueue_add_at(queue, "a", 2100);
    now_ms = 2200;
    expect_next(queue, NULL); /* due while a worker has it */
    expect_adds(queue, 4, 3);
    workqueue_free(queue);
}

enum { KEYS = 7, THREADS = 6, ROUNDS = 3000 };

struct crowd {
    struct workqueue *queue;
    atomic_int inside[KEYS]; /* workers that have the key */
    atomic_int wanted[KEYS]; /* written before each add, read by the worker */
    atomic_int seen[KEYS];
    atomic_int clashes;
};

static const char *const crowd_keys[KEYS] = {"0", "1", "2", "3", "4", "5", "6"};

static void *crowd_work(void *ctx)
{
    struct crowd *crowd = ctx;
    for (char *key = workqueue_get(crowd->queue); key; key = workqueue_get(crowd->queue)) {
        int index = key[0] - '0';
        if (atomic_fetch_add(&crowd->inside[index], 1) != 0)
            atomic_fetch_add(&crowd->clashes, 1);
        atomic_store(&crowd->seen[index], atomic_load(&crowd->wanted[index]));
        atomic_fetch_sub(&crowd->inside[index], 1);
        if (index == 0)
            workqueue_add_at(crowd->queue, key, clock_mono_ms(clock_real()) + 1);
        workqueue_done(crowd->queue, key);
        free(key);
    }
    return NULL;
}

static void *crowd_add(void *ctx)
{
    struct crowd *crowd = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        int index = i % KEYS;
        atomic_fetch_add(&crowd->wanted[index], 1);
        workqueue_add(crowd->queue, crowd_keys[index], i % 3 ? WORK_BACKGROUND : WORK_URGENT);
    }
    return NULL;
}

/* No update is lost: in the end each key was worked on after its last add. */
static bool is_settled(struct crowd *crowd)
{
    for (int i = 0; i < KEYS; i++)
        if (atomic_load(&crowd->seen[i]) != atomic_load(&crowd->wanted[i]))
            return false;
    return true;
}

static void test_many_threads(void **state)
{
    (void)state;
    struct crowd crowd = {.queue = workqueue_new(clock_real())};
    pthread_t workers[THREADS];
    pthread_t adders[2];
    for (size_t i = 0; i < THREADS; i++)
        workers[i] = thread_start("worker", crowd_work, &crowd);
    for (size_t i = 0; i < ARRAY_LEN(adders); i++)
        adders[i] = thread_start("adder", crowd_add, &crowd);
    for (size_t i = 0; i < ARRAY_LEN(adders); i++)
        thread_join(adders[i]);
    struct stop pause;
    stop_init(&pause);
    int64_t limit_ms = clock_mono_ms(clock_real()) + 60 * 1000;
    while (!is_settled(&crowd) && clock_mono_ms(clock_real()) < limit_ms)
        stop_wait(&pause, 1);
    stop_done(&pause);
    assert_true(is_settled(&crowd));
    workqueue_stop(crowd.queue);
    for (size_t i = 0; i < THREADS; i++)
        thread_join(workers[i]);
    assert_int_equal(atomic_load(&crowd.clashes), 0);
    assert_int_equal(workqueue_get_counts(crowd.queue).processing, 0);
    assert_null(workqueue_get(crowd.queue));
    workqueue_free(crowd.queue);
}

/* How long keys wait and work, for the metrics. */
static void test_times(void **state)
{
    (void)state;
    int64_t now_ms = 1000;
    struct clock clock = virtual_clock(&now_ms);
    struct workqueue *queue = workqueue_new(&clock);
    workqueue_add(queue, "a", WORK_URGENT);
    workqueue_add_at(queue, "b", 3000);
    now_ms = 1400;
    expect_next(queue, "a");
    assert_int_equal(workqueue_waited_ms(queue, "a"), 400);
    assert_int_equal(workqueue_waited_ms(queue, "b"), 0);
    now_ms = 3000;
    expect_next(queue, "b");
    now_ms = 3500;
    struct workqueue_counts counts = workqueue_get_counts(queue);
    assert_int_equal(counts.processing, 2);
    assert_int_equal(counts.unfinished_ms, 2100 + 500);
    assert_int_equal(counts.longest_ms, 2100);
    assert_int_equal(counts.ready[WORK_URGENT] + counts.ready[WORK_BACKGROUND], 0);
    workqueue_done(queue, "a");
    workqueue_done(queue, "b");
    assert_int_equal(workqueue_get_counts(queue).unfinished_ms, 0);
    workqueue_free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_entry_per_key),
        cmocka_unit_test(test_dirty_while_processing),
        cmocka_unit_test(test_delays),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_back_off),
        cmocka_unit_test(test_back_off_and_events),
        cmocka_unit_test(test_back_off_in_noise),
        cmocka_unit_test(test_back_off_of_slow_passes),
        cmocka_unit_test(test_adds),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
