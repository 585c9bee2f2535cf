/* Who leads: one table of views, and the text form of the Lease. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kube/lease.h"

static const struct lease_times times = {15000, 10000, 2000};

static struct lease_record record_of(const char *holder, int64_t duration_ms, int64_t renew_ms)
{
    return (struct lease_record){.metadata = mem_strdup("{\"resourceVersion\":\"5\"}"),
                                 .holder = mem_strdup(holder),
                                 .duration_ms = duration_ms,
                                 .renew_ms = renew_ms,
                                 .transitions = 3};
}

static void test_decide(void **state)
{
    (void)state;
    static const struct {
        const char *name, *holder; /* NULL = no object */
        int64_t duration_ms, age_ms;
        enum lease_action action;
        int64_t wait_ms;
    } cases[] = {
        {"no object", NULL, 0, 0, LEASE_CREATE, 0},
        {"ours, also after a restart of the clock", "me", 15000, 0, LEASE_RENEW, 0},
        {"ours and old", "me", 15000, 60000, LEASE_RENEW, 0},
        {"released", "", 1000, 0, LEASE_ACQUIRE, 0},
        {"other's, just seen", "you", 15000, 0, LEASE_WAIT, 2000},
        {"other's, nearly over", "you", 15000, 14500, LEASE_WAIT, 500},
        {"other's, over", "you", 15000, 15000, LEASE_ACQUIRE, 0},
        {"the holder's duration counts, not ours", "you", 60000, 15000, LEASE_WAIT, 2000},
        {"no duration: ours", "you", 0, 14999, LEASE_WAIT, 1},
        {"no duration: ours, over", "you", 0, 15000, LEASE_ACQUIRE, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(lease_view_done) struct lease_view view = {0};
        int64_t wait_ms = 0;
        assert_int_equal(lease_decide(&view, "me", &times, 0, &wait_ms), LEASE_LOOK);
        struct lease_record record = {0};
        if (cases[i].holder)
            record = record_of(cases[i].holder, cases[i].duration_ms, 99);
        lease_view_observe(&view, cases[i].holder ? &record : NULL, 1000);
        enum lease_action action = lease_decide(&view, "me", &times, 1000 + cases[i].age_ms, &wait_ms);
        if (action != cases[i].action || wait_ms != cases[i].wait_ms)
            fail_msg("%s: action %d, wait %d", cases[i].name, (int)action, (int)wait_ms);
    }
}

/* The object is deleted by hand: what was seen of it before still counts. */
static void test_decide_once_it_is_gone(void **state)
{
    (void)state;
    static const struct {
        const char *name, *holder; /* NULL = never seen */
        int64_t duration_ms, age_ms;
        enum lease_action action;
        int64_t wait_ms, transitions;
    } cases[] = {
        {"never seen", NULL, 0, 0, LEASE_CREATE, 0, 0},
        {"other's, who may still act", "you", 15000, 1000, LEASE_WAIT, 2000, 4},
        {"other's, nearly over", "you", 15000, 14500, LEASE_WAIT, 500, 4},
        {"other's, over", "you", 15000, 15000, LEASE_CREATE, 0, 4},
        {"no duration: ours", "you", 0, 14999, LEASE_WAIT, 1, 4},
        {"ours", "me", 15000, 1000, LEASE_CREATE, 0, 3},
        {"released", "", 1000, 0, LEASE_CREATE, 0, 4},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(lease_view_done) struct lease_view view = {0};
        struct lease_record record = {0};
        int64_t wait_ms = 0;
        if (cases[i].holder) {
            record = record_of(cases[i].holder, cases[i].duration_ms, 99);
            lease_view_observe(&view, &record, 0);
        }
        lease_view_observe(&view, NULL, 1000);
        lease_view_observe(&view, NULL, 1000 + cases[i].age_ms); /* seeing that again is no change */
        enum lease_action action = lease_decide(&view, "me", &times, 1000 + cases[i].age_ms, &wait_ms);
        if (action != cases[i].action || wait_ms != cases[i].wait_ms)
            fail_msg("%s: action %d, wait %d", cases[i].name, (int)action, (int)wait_ms);
        CLEANUP(lease_record_done) struct lease_record created = lease_plan_hold(&view, "me", &times, 2000);
        assert_null(created.metadata);
        assert_int_equal(created.acquire_ms, 2000);
        assert_int_equal(created.transitions, cases[i].transitions);
    }
}

static void test_only_a_change_starts_the_count_anew(void **state)
{
    (void)state;
    CLEANUP(lease_view_done) struct lease_view view = {0};
    static const struct {
        int64_t now_ms, renew_ms, changed_ms;
    } steps[] = {{1000, 7, 1000}, {5000, 7, 1000}, {9000, 8, 9000}, {12000, 8, 9000}};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct lease_record record = record_of("you", 15000, steps[i].renew_ms);
        lease_view_observe(&view, &record, steps[i].now_ms);
        assert_int_equal(view.changed_ms, steps[i].changed_ms);
        view.is_known = false; /* asking again is no change */
    }
    lease_view_observe(&view, NULL, 13000);
    struct lease_record back = record_of("you", 15000, 8);
    lease_view_observe(&view, &back, 14000);
    assert_int_equal(view.changed_ms, 14000);
}

static char *encode(const struct lease_record *record)
{
    struct buf out;
    buf_init(&out, 4096);
    lease_encode(record, "ns", "lock", &out);
    return buf_steal(&out);
}

static void test_create_take_over_renew_release(void **state)
{
    (void)state;
    CLEANUP(lease_view_done) struct lease_view view = {0};
    lease_view_observe(&view, NULL, 0);
    CLEANUP(lease_record_done)
    struct lease_record created = lease_plan_hold(&view, "me", &times, 1767323045678);
    CLEANUP(freep) char *text = encode(&created);
    assert_string_equal(
        text, "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":"
              "\"lock\",\"namespace\":\"ns\"},\"spec\":{\"holderIdentity\":\"me\","
              "\"leaseDurationSeconds\":15,\"acquireTime\":\"2026-01-02T03:04:05.678000Z\","
              "\"renewTime\":\"2026-01-02T03:04:05.678000Z\",\"leaseTransitions\":0}}");
    struct lease_record other = record_of("you", 15000, 50);
    lease_view_observe(&view, &other, 0);
    CLEANUP(lease_record_done) struct lease_record taken = lease_plan_hold(&view, "me", &times, 2000);
    assert_int_equal(taken.transitions, 4);
    assert_int_equal(taken.acquire_ms, 2000);
    CLEANUP(lease_record_done) struct lease_record held = lease_plan_hold(&view, "you", &times, 3000);
    assert_int_equal(held.transitions, 3);
    assert_int_equal(held.acquire_ms, 0);
    assert_int_equal(held.renew_ms, 3000);
    CLEANUP(lease_record_done) struct lease_record released = lease_plan_release(&view, 4000);
    CLEANUP(freep) char *release_text = encode(&released);
    assert_non_null(strstr(release_text, "\"metadata\":{\"resourceVersion\":\"5\"}"));
    assert_non_null(strstr(release_text, "\"holderIdentity\":\"\",\"leaseDurationSeconds\":1,"));
}

static void test_decode(void **state)
{
    (void)state;
    static const char text[] =
        "{\"kind\":\"Lease\",\"metadata\":{\"name\":\"lock\",\"managedFields\":[],\"labels\":{\"a\":\"b\"},"
        "\"resourceVersion\":\"9\"},\"spec\":{\"holderIdentity\":\"you\",\"leaseDurationSeconds\":15,"
        "\"acquireTime\":\"2026-01-02T03:04:05.678901Z\",\"renewTime\":\"bad\",\"leaseTransitions\":-4}}";
    CLEANUP(lease_record_done) struct lease_record record = {0};
    struct error err = {0};
    assert_int_equal(lease_decode(text, sizeof(text) - 1, &record, &err), 0);
    assert_string_equal(record.holder, "you");
    assert_int_equal(record.duration_ms, 15000);
    assert_int_equal(record.acquire_ms, 1767323045678);
    assert_int_equal(record.renew_ms, 0);
    assert_int_equal(record.transitions, 0);
    assert_string_equal(record.metadata,
                        "{\"name\":\"lock\",\"labels\":{\"a\":\"b\"},\"resourceVersion\":\"9\"}");
    static const char *const refused[] = {"", "{", "[]", "{\"metadata\":{}}",
                                          "{\"metadata\":{\"resourceVersion\":5}}"};
    struct lease_record none = {0};
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        assert_int_equal(lease_decode(refused[i], strlen(refused[i]), &none, &err), -1);
    static const char empty[] = "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":null}";
    CLEANUP(lease_record_done) struct lease_record bare = {0};
    assert_int_equal(lease_decode(empty, sizeof(empty) - 1, &bare, &err), 0);
    assert_string_equal(bare.holder, "");
}

static void test_times(void **state)
{
    (void)state;
    static const struct {
        struct lease_times times;
        int result;
    } cases[] = {
        {{15000, 10000, 2000}, 0},  {{10000, 10000, 2000}, -1}, {{15000, 2400, 2000}, -1},
        {{15500, 10000, 2000}, -1}, {{15000, 10000, 0}, -1},    {{3000, 2000, 500}, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(lease_times_check(&cases[i].times, NULL), cases[i].result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_decide),
                                       cmocka_unit_test(test_decide_once_it_is_gone),
                                       cmocka_unit_test(test_only_a_change_starts_the_count_anew),
                                       cmocka_unit_test(test_create_take_over_renew_release),
                                       cmocka_unit_test(test_decode),
                                       cmocka_unit_test(test_times)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
