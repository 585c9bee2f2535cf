/* The bodies that we send: patches, status applies and Events; and when an Event is sent at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "kube/event.h"
#include "kube/patch.h"

static void test_patches(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 4096);
    patch_add_finalizer(&out, "12", "tee.dev/instance", 0);
    assert_string_equal(
        buf_text(&out),
        "[{\"op\":\"replace\",\"path\":\"/metadata/resourceVersion\",\"value\":\"12\"},"
        "{\"op\":\"add\",\"path\":\"/metadata/finalizers\",\"value\":[\"tee.dev/instance\"]}]");
    buf_reset(&out);
    patch_add_finalizer(&out, "12", "tee.dev/instance", 2);
    assert_string_equal(
        buf_text(&out),
        "[{\"op\":\"replace\",\"path\":\"/metadata/resourceVersion\",\"value\":\"12\"},"
        "{\"op\":\"add\",\"path\":\"/metadata/finalizers/-\",\"value\":\"tee.dev/instance\"}]");
    buf_reset(&out);
    patch_remove_finalizer(&out, "12", "tee.dev/instance", 1);
    assert_string_equal(
        buf_text(&out),
        "[{\"op\":\"replace\",\"path\":\"/metadata/resourceVersion\",\"value\":\"12\"},"
        "{\"op\":\"test\",\"path\":\"/metadata/finalizers/1\",\"value\":\"tee.dev/instance\"},"
        "{\"op\":\"remove\",\"path\":\"/metadata/finalizers/1\"}]");
    buf_reset(&out);
    const struct patch_target target = {"tee.dev/v1alpha1", "TeeDeployment", "ns", "a", "12"};
    patch_apply_status(&out, &target, "{\"phase\":\"Running\"}");
    assert_string_equal(buf_text(&out),
                        "{\"apiVersion\":\"tee.dev/v1alpha1\",\"kind\":\"TeeDeployment\",\"metadata\":{"
                        "\"name\":\"a\",\"namespace\":\"ns\",\"resourceVersion\":\"12\"},"
                        "\"status\":{\"phase\":\"Running\"}}");
}

static const struct event launched = {.api_version = "tee.dev/v1alpha1",
                                      .kind = "TeeDeployment",
                                      .name_space = "ns",
                                      .name = "a",
                                      .uid = "u",
                                      .reason = "Launched",
                                      .action = "Launch",
                                      .note = "Instance i-1"};

static void test_event_text(void **state)
{
    (void)state;
    static const struct event_source source = {"tee.dev/controller", "host_1"};
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 4096);
    event_encode(&launched, &source, "a.1", 1767323045678, &out);
    assert_string_equal(
        buf_text(&out),
        "{\"apiVersion\":\"events.k8s.io/"
        "v1\",\"kind\":\"Event\",\"metadata\":{\"name\":\"a.1\",\"namespace\":\"ns\"},"
        "\"eventTime\":\"2026-01-02T03:04:05.678000Z\",\"reportingController\":\"tee.dev/controller\","
        "\"reportingInstance\":\"host_1\",\"action\":\"Launch\",\"reason\":\"Launched\",\"regarding\":{"
        "\"apiVersion\":\"tee.dev/v1alpha1\",\"kind\":\"TeeDeployment\",\"namespace\":\"ns\",\"name\":\"a\","
        "\"uid\":\"u\"},\"note\":\"Instance i-1\",\"type\":\"Normal\"}");
    buf_reset(&out);
    struct event clustered = launched;
    clustered.name_space = NULL;
    clustered.is_warning = true;
    event_encode(&clustered, &source, "a.1", 0, &out);
    assert_non_null(strstr(buf_text(&out), "\"namespace\":\"default\""));
    assert_non_null(strstr(buf_text(&out), "\"type\":\"Warning\""));
    buf_reset(&out);
    event_encode_series(&(struct event_series){.count = 3, .last_ms = 1767323045678}, &out);
    assert_string_equal(buf_text(&out),
                        "{\"series\":{\"count\":3,\"lastObservedTime\":\"2026-01-02T03:04:05.678000Z\"}}");
}

static void test_cut(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t max, expected;
    } cases[] = {{"", 4, 0},
                 {"abcd", 4, 4},
                 {"abcde", 4, 4},
                 {"abc\xc3\xa4", 4, 3},
                 {"ab\xc3\xa4", 4, 4},
                 {"a\xf0\x9f\x98\x80", 4, 1},
                 {"\x80\x80\x80", 2, 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(utf8_cut(cases[i].text, cases[i].max), cases[i].expected);
}

static void test_book_series(void **state)
{
    (void)state;
    CLEANUP(event_book_done) struct event_book book;
    event_book_init(&book);
    const struct event_series *series = NULL;
    char name[64];
    assert_int_equal(event_book_decide(&book, &launched, 1000, &series), EVENT_CREATE);
    snprintf(name, sizeof(name), "%s", series->name);
    struct event other_note = launched;
    other_note.note = "Instance i-2";
    assert_int_equal(event_book_decide(&book, &other_note, 2000, &series), EVENT_REPEAT);
    assert_string_equal(series->name, name);
    assert_int_equal(series->count, 2);
    struct event other_reason = launched;
    other_reason.reason = "Terminated";
    assert_int_equal(event_book_decide(&book, &other_reason, 2000, &series), EVENT_CREATE);
    assert_string_not_equal(series->name, name);
    assert_int_equal(event_book_decide(&book, &launched, 2000 + 360000, &series), EVENT_CREATE);
    assert_string_not_equal(series->name, name);
    assert_int_equal(series->count, 1);
}

static void test_book_rate(void **state)
{
    (void)state;
    CLEANUP(event_book_done) struct event_book book;
    event_book_init(&book);
    const struct event_series *series = NULL;
    for (int i = 0; i < 25; i++)
        assert_int_not_equal(event_book_decide(&book, &launched, 1000, &series), EVENT_DROP);
    assert_int_equal(event_book_decide(&book, &launched, 1000, &series), EVENT_DROP);
    struct event other_object = launched;
    other_object.uid = "v";
    assert_int_equal(event_book_decide(&book, &other_object, 1000, &series), EVENT_CREATE);
    assert_int_equal(event_book_decide(&book, &launched, 1000 + 299000, &series), EVENT_DROP);
    assert_int_equal(event_book_decide(&book, &launched, 1000 + 300000, &series), EVENT_REPEAT);
    assert_int_equal(event_book_decide(&book, &launched, 1000 + 300000, &series), EVENT_DROP);
}

/* What the bucket has no room for is in the count of what comes after it, also where it was the first of all.
 */
static void test_book_counts_what_it_drops(void **state)
{
    (void)state;
    CLEANUP(event_book_done) struct event_book book;
    event_book_init(&book);
    const struct event_series *series = NULL;
    struct event first = launched;
    first.reason = "Refused";
    for (int i = 0; i < 25; i++)
        assert_int_not_equal(event_book_decide(&book, &launched, 1000, &series), EVENT_DROP);
    for (int i = 0; i < 10; i++)
        assert_int_equal(event_book_decide(&book, &launched, 2000 + i, &series), EVENT_DROP);
    assert_int_equal(event_book_decide(&book, &first, 3000, &series), EVENT_DROP);
    assert_int_equal(event_book_decide(&book, &launched, 1000 + 300000, &series), EVENT_REPEAT);
    assert_int_equal(series->count, 36);
    assert_int_equal(event_book_decide(&book, &first, 2000 + 300000, &series), EVENT_DROP);
    assert_int_equal(event_book_decide(&book, &first, 1000 + 600000, &series), EVENT_CREATE);
    assert_int_equal(series->count, 3);
    assert_int_equal(event_book_decide(&book, &first, 1000 + 900000, &series), EVENT_REPEAT);
    assert_int_equal(series->count, 4);
}

/* Of more objects than it holds, the book forgets those that were silent the longest, and no others. */
static void test_book_forgets_the_oldest(void **state)
{
    (void)state;
    CLEANUP(event_book_done) struct event_book book;
    event_book_init(&book);
    const struct event_series *series = NULL;
    for (int i = 0; i < 25; i++)
        assert_int_not_equal(event_book_decide(&book, &launched, 1000, &series), EVENT_DROP);
    for (int i = 0; i < 5000; i++) {
        char uid[16];
        struct event other = launched;
        snprintf(uid, sizeof(uid), "%d", i);
        other.uid = uid;
        assert_int_equal(event_book_decide(&book, &other, 2000 + i, &series), EVENT_CREATE);
        if (i % 1000 == 0)
            assert_int_equal(event_book_decide(&book, &launched, 2000 + i, &series), EVENT_DROP);
    }
    assert_int_equal(book.series.count, 4096);
    assert_int_equal(book.buckets.count, 4096);
    assert_int_equal(event_book_decide(&book, &launched, 10000, &series), EVENT_DROP);
    struct event other = launched;
    other.uid = "4999";
    assert_int_equal(event_book_decide(&book, &other, 10000, &series), EVENT_REPEAT);
    other.uid = "0";
    assert_int_equal(event_book_decide(&book, &other, 10000, &series), EVENT_CREATE);
}

static void test_retry(void **state)
{
    (void)state;
    static const struct {
        int64_t retry_after_ms, wall_ms, expected_ms;
    } cases[] = {{0, 0, 10000},    {0, 2499, 12499},  {0, 2500, 10000},
                 {9000, 1, 10001}, {32000, 0, 32000}, {32000, 4999, 34499}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(event_get_retry_ms(cases[i].retry_after_ms, cases[i].wall_ms), cases[i].expected_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_patches),
                                       cmocka_unit_test(test_event_text),
                                       cmocka_unit_test(test_cut),
                                       cmocka_unit_test(test_book_series),
                                       cmocka_unit_test(test_book_rate),
                                       cmocka_unit_test(test_book_counts_what_it_drops),
                                       cmocka_unit_test(test_book_forgets_the_oldest),
                                       cmocka_unit_test(test_retry)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
