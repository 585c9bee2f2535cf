/* Permits: their number, the share of hosts that fail, the order, and the outage of a thousand hosts in a
 * world of virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "reconcile/permits.h"

static bool take(struct permits *permits, const char *key, int64_t lapse_ms, int64_t now_ms)
{
    struct permits_ask ask = {key, lapse_ms, now_ms};
    int64_t retry_ms = 0;
    bool taken = permits_take(permits, &ask, &retry_ms);
    assert_int_equal(taken, retry_ms == 0);
    return taken;
}

static void test_number(void **state)
{
    struct permits *permits = permits_new(2, 1);
    (void)state;
    assert_true(take(permits, "a", 100, 0));
    assert_true(take(permits, "b", 100, 0));
    assert_false(take(permits, "c", 100, 0));
    permits_return(permits, "a", false, 0);
    assert_true(take(permits, "c", 100, 0));
    permits_free(permits);
}

static void test_failing_share(void **state)
{
    struct permits *permits = permits_new(3, 1);
    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *key = i == 0 ? "dead" : "gone";
        assert_true(take(permits, key, 100, 0));
        permits_return(permits, key, true, 0);
    }
    assert_true(take(permits, "dead", 100, 1));
    assert_false(take(permits, "gone", 100, 1));
    assert_true(take(permits, "well", 100, 1));
    /* One that answers again is like all others. */
    permits_return(permits, "dead", false, 2);
    assert_true(take(permits, "gone", 100, 2));
    assert_true(take(permits, "dead", 100, 2));
    permits_return(permits, "gone", true, 3);
    permits_return(permits, "dead", false, 3);
    permits_return(permits, "well", false, 3);
    /* Forgotten after two hours. */
    int64_t later_ms = 3 * 3600 * 1000;
    assert_true(take(permits, "well", 100, later_ms));
    permits_return(permits, "well", false, later_ms);
    assert_true(take(permits, "a", 100, later_ms));
    assert_true(take(permits, "b", 100, later_ms));
    assert_true(take(permits, "gone", 100, later_ms));
    permits_free(permits);
}

/* A free permit goes to the one whose verdict lapses first, if that one was here a moment ago. */
static void test_order(void **state)
{
    struct permits *permits = permits_new(1, 1);
    (void)state;
    assert_true(take(permits, "held", 5000, 0));
    assert_false(take(permits, "late", 9000, 0));
    assert_false(take(permits, "early", 6000, 0));
    permits_return(permits, "held", false, 100);
    assert_false(take(permits, "late", 9000, 200));
    assert_false(take(permits, "other", 7000, 200));
    assert_true(take(permits, "early", 6000, 300));
    permits_return(permits, "early", false, 400);
    assert_false(take(permits, "late", 9000, 500));
    assert_true(take(permits, "other", 7000, 500));
    permits_return(permits, "other", false, 600);
    /* Nobody waits for one that does not come back. */
    assert_true(take(permits, "held", 5000, 600));
    assert_false(take(permits, "early", 6000, 600));
    permits_return(permits, "held", false, 700);
    assert_false(take(permits, "late", 9000, 800));
    assert_true(take(permits, "late", 9000, 600 + 3000));
    permits_free(permits);
}

/* Sixteen are remembered; a seventeenth takes the place of the least urgent, and only then. */
static void test_waiting_list_is_bounded(void **state)
{
    struct permits *permits = permits_new(1, 1);
    struct permits_ask ask = {"held", 0, 0};
    int64_t retry_ms = 0;
    (void)state;
    assert_true(permits_take(permits, &ask, &retry_ms));
    for (int i = 0; i < 40; i++) {
        char key[16];
        snprintf(key, sizeof(key), "w%d", i);
        ask = (struct permits_ask){key, i < 20 ? 1000 + i : 500 + i, 10};
        assert_false(permits_take(permits, &ask, &retry_ms));
        bool is_remembered = i < 16 || (i >= 20 && i < 36);
        assert_int_equal(retry_ms, is_remembered ? PERMITS_SOON_MS : PERMITS_LATER_MS);
    }
    permits_free(permits);
}

enum { HOSTS_MAX = 2000, PERMITS = 12, PERMITS_FAILING = 4, STEP_MS = 100, HORIZON_MS = 3600 * 1000 };

struct host {
    char key[16];
    bool is_dead;
    int64_t next_ms; /* when it comes to the permits */
    int64_t done_ms; /* 0 = not being asked */
    int64_t lapse_ms;
    int failures;
};

struct outage {
    int host_count;
    int dead_count;
    int64_t interval_ms;
    int64_t valid_ms;
};

/* 1 if a verdict had lapsed by then. */
static int finish(struct permits *permits, struct host *host, const struct outage *outage, int64_t now_ms)
{
    int has_lapsed = !host->is_dead && now_ms >= host->lapse_ms;
    permits_return(permits, host->key, host->is_dead, now_ms);
    host->done_ms = 0;
    if (!host->is_dead) {
        host->lapse_ms = now_ms + outage->valid_ms;
        host->next_ms = now_ms + outage->interval_ms;
        return has_lapsed;
    }
    int64_t wait_ms = (int64_t)2000 << (host->failures < 12 ? host->failures : 12);
    host->failures++;
    host->next_ms = now_ms + (wait_ms < outage->interval_ms ? wait_ms : outage->interval_ms);
    return 0;
}

static void ask(struct permits *permits, struct host *host, int64_t now_ms)
{
    struct permits_ask ask = {host->key, host->lapse_ms, now_ms};
    int64_t retry_ms = 0;
    if (permits_take(permits, &ask, &retry_ms))
        host->done_ms = now_ms + (host->is_dead ? 2000 : STEP_MS);
    else
        host->next_ms = now_ms + retry_ms;
}

/* Counts the healthy hosts that lapsed within the hour after the others died, all at once. */
static int run_outage(const struct outage *outage)
{
    struct permits *permits = permits_new(PERMITS, PERMITS_FAILING);
    struct host *hosts = mem_calloc(HOSTS_MAX, sizeof(*hosts));
    int lapsed = 0;
    for (int i = 0; i < outage->host_count; i++) {
        snprintf(hosts[i].key, sizeof(hosts[i].key), "h%d", i);
        hosts[i].is_dead = i < outage->dead_count;
        /* The last check was within one interval; they are spread over it. */
        hosts[i].next_ms = outage->interval_ms * ((i * 7919) % outage->host_count) / outage->host_count;
        hosts[i].lapse_ms = hosts[i].next_ms - outage->interval_ms + outage->valid_ms;
    }
    for (int64_t now_ms = 0; now_ms < HORIZON_MS; now_ms += STEP_MS) {
        for (int i = 0; i < outage->host_count; i++) {
            struct host *host = &hosts[i];
            if (host->done_ms && host->done_ms <= now_ms)
                lapsed += finish(permits, host, outage, now_ms);
            if (!host->done_ms && host->next_ms <= now_ms)
                ask(permits, host, now_ms);
        }
    }
    for (int i = 0; i < outage->host_count; i++)
        lapsed += !hosts[i].is_dead && hosts[i].lapse_ms < HORIZON_MS;
    free(hosts);
    permits_free(permits);
    return lapsed;
}

static void test_a_thousand_dead_hosts(void **state)
{
    static const struct outage outages[] = {
        {2000, 1000, 600 * 1000, 1800 * 1000}, /* the defaults */
        {2000, 1000, 120 * 1000, 360 * 1000},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(outages); i++)
        assert_int_equal(run_outage(&outages[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number),
        cmocka_unit_test(test_failing_share),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_waiting_list_is_bounded),
        cmocka_unit_test(test_a_thousand_dead_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
