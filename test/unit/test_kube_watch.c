/* The list-watch machine: a script of what the server did, and the requests that must follow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kube/watch.h"

/* The late ones come a minute after the step before. */
enum kind { END_OF_SCRIPT, PAGE, LINE, LATE_LINE, BAD_LINE, END, SHORT_END, FAIL, LATE_FAIL, TOO_LARGE };
enum wait { AT_ONCE, WAITS };

struct step {
    enum kind kind;
    int code;         /* FAIL */
    const char *text; /* PAGE: version; LINE: the line */
    const char *more; /* PAGE: continue */
    const char *next; /* the query that follows, up to its random part */
    enum wait wait;
};

#define STATUS(code, reason)                                                                                 \
    "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":" #code ",\"reason\":\"" reason "\"}}"
#define EVENT(type, version)                                                                                 \
    "{\"type\":\"" type "\",\"object\":{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"" version "\"}}}"
#define WATCH_AT(version) "watch at " version
#define LISTED_AT_7                                                                                          \
    {                                                                                                        \
        PAGE, 0, "7", "", WATCH_AT("7"), AT_ONCE                                                             \
    }

struct script {
    const char *name;
    struct step steps[8];
};

static const struct script scripts[] = {
    {"cold start in pages",
     {{PAGE, 0, "7", "t/1=", "limit=500&continue=t%2F1%3D", AT_ONCE},
      {PAGE, 0, "7", "t2", "limit=500&continue=t2", AT_ONCE},
      LISTED_AT_7,
      {LINE, 0, EVENT("MODIFIED", "9"), NULL, WATCH_AT("9"), AT_ONCE},
      {LINE, 0, EVENT("BOOKMARK", "12"), NULL, WATCH_AT("12"), AT_ONCE},
      {LINE, 0, EVENT("DELETED", "15"), NULL, WATCH_AT("15"), AT_ONCE},
      {END, 0, NULL, NULL, WATCH_AT("15"), AT_ONCE}}},
    {"first list refused",
     {{FAIL, 0, NULL, NULL, "limit=500", WAITS},
      {FAIL, 403, NULL, NULL, "limit=500", WAITS},
      {FAIL, 404, NULL, NULL, "limit=500", WAITS},
      LISTED_AT_7}},
    {"410 as an event",
     {LISTED_AT_7,
      {LINE, 0, STATUS(410, "Expired"), NULL, "limit=500", AT_ONCE},
      {PAGE, 0, "20", "", WATCH_AT("20"), AT_ONCE}}},
    {"410 as an event, reason Gone",
     {LISTED_AT_7, {LINE, 0, STATUS(410, "Gone"), NULL, "limit=500", AT_ONCE}}},
    {"410 as HTTP status",
     {LISTED_AT_7,
      {FAIL, 410, NULL, NULL, "limit=500", AT_ONCE},
      {PAGE, 0, "20", "", WATCH_AT("20"), AT_ONCE}}},
    {"410 again and again is not answered with lists at full speed",
     {LISTED_AT_7,
      {FAIL, 410, NULL, NULL, "limit=500", AT_ONCE},
      {PAGE, 0, "20", "", WATCH_AT("20"), AT_ONCE},
      {FAIL, 410, NULL, NULL, "limit=500", WAITS},
      {PAGE, 0, "21", "", WATCH_AT("21"), AT_ONCE},
      {LINE, 0, EVENT("MODIFIED", "22"), NULL, WATCH_AT("22"), AT_ONCE},
      {FAIL, 410, NULL, NULL, "limit=500", AT_ONCE}}},
    {"continue token expired: one list without pages",
     {{PAGE, 0, "7", "t", "limit=500&continue=t", AT_ONCE},
      {FAIL, 410, NULL, NULL, "", AT_ONCE},
      {FAIL, 503, NULL, NULL, "", WAITS},
      LISTED_AT_7,
      {FAIL, 410, NULL, NULL, "limit=500", WAITS}}},
    {"a page that fails is asked for again",
     {{PAGE, 0, "7", "t", "limit=500&continue=t", AT_ONCE},
      {FAIL, 500, NULL, NULL, "limit=500&continue=t", WAITS},
      {FAIL, 400, NULL, NULL, "limit=500", WAITS}}},
    {"busy or unreachable: no list",
     {LISTED_AT_7,
      {FAIL, 429, NULL, NULL, WATCH_AT("7"), WAITS},
      {FAIL, 503, NULL, NULL, WATCH_AT("7"), WAITS},
      {FAIL, 0, NULL, NULL, WATCH_AT("7"), WAITS},
      {FAIL, 401, NULL, NULL, WATCH_AT("7"), WAITS},
      {LINE, 0, STATUS(429, "TooManyRequests"), NULL, WATCH_AT("7"), WAITS},
      {LINE, 0, STATUS(500, "InternalError"), NULL, WATCH_AT("7"), WAITS}}},
    {"any other error: list from the last version",
     {LISTED_AT_7,
      {LINE, 0, STATUS(400, "BadRequest"), NULL, "resourceVersionMatch=NotOlderThan&resourceVersion=7",
       WAITS},
      {FAIL, 410, NULL, NULL, "limit=500", AT_ONCE}}},
    {"server behind the asked version",
     {LISTED_AT_7,
      {FAIL, 404, NULL, NULL, "resourceVersionMatch=NotOlderThan&resourceVersion=7", WAITS},
      {TOO_LARGE, 504, NULL, NULL, "limit=500", AT_ONCE}}},
    {"watch from nothing: ADDED has no order",
     {{PAGE, 0, "0", "", WATCH_AT("0"), AT_ONCE},
      {LINE, 0, EVENT("ADDED", "90"), NULL, WATCH_AT("0"), AT_ONCE},
      {LINE, 0, EVENT("BOOKMARK", "95"), NULL, WATCH_AT("95"), AT_ONCE},
      {LINE, 0, EVENT("ADDED", "96"), NULL, WATCH_AT("96"), AT_ONCE}}},
    {"very short watch",
     {LISTED_AT_7,
      {SHORT_END, 0, NULL, NULL, WATCH_AT("7"), WAITS},
      {END, 0, NULL, NULL, WATCH_AT("7"), AT_ONCE}}},
    {"lines that are no events",
     {LISTED_AT_7,
      {BAD_LINE, 0, "{\"type\":\"ADDED\",\"obj", NULL, "resourceVersionMatch=NotOlderThan&resourceVersion=7",
       WAITS},
      LISTED_AT_7,
      {BAD_LINE, 0, "{\"type\":\"NEW\",\"object\":{}}", NULL,
       "resourceVersionMatch=NotOlderThan&resourceVersion=7", WAITS},
      LISTED_AT_7,
      {BAD_LINE, 0, "{\"type\":\"ADDED\",\"object\":{\"metadata\":{}}}", NULL,
       "resourceVersionMatch=NotOlderThan&resourceVersion=7", WAITS}}},
    {"an ERROR event that is no Status",
     {LISTED_AT_7,
      {LINE, 0, "{\"type\":\"ERROR\",\"object\":{}}", NULL,
       "resourceVersionMatch=NotOlderThan&resourceVersion=7", WAITS}}},
};

#define MARK(version)                                                                                        \
    "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"" version                        \
    "\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}"
#define LAGGING                                                                                              \
    "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":504,\"reason\":\"Timeout\",\"details\":"   \
    "{\"causes\":[{\"reason\":\"ResourceVersionTooLarge\"}]}}}"
#define MARKED_AT_7                                                                                          \
    {                                                                                                        \
        LINE, 0, MARK("7"), NULL, WATCH_AT("7"), AT_ONCE                                                     \
    }

/* Nothing but a stream that has its mark, or a list, leads to a watch. */
static const struct script stream_scripts[] = {
    {"cold start",
     {{LINE, 0, EVENT("ADDED", "3"), NULL, "stream at ", AT_ONCE},
      {LINE, 0, EVENT("MODIFIED", "9"), NULL, "stream at ", AT_ONCE},
      {LINE, 0, MARK("8"), NULL, WATCH_AT("8"), AT_ONCE},
      {LINE, 0, EVENT("ADDED", "11"), NULL, WATCH_AT("11"), AT_ONCE},
      {END, 0, NULL, NULL, WATCH_AT("11"), AT_ONCE},
      {FAIL, 410, NULL, NULL, "stream at ", AT_ONCE},
      MARKED_AT_7}},
    {"any other error on the watch: a stream from the last version",
     {MARKED_AT_7,
      {LINE, 0, STATUS(400, "BadRequest"), NULL, "stream at 7", WAITS},
      {TOO_LARGE, 504, NULL, NULL, "stream at ", AT_ONCE}}},
    {"the gate is off: pages at once and for ever",
     {{FAIL, 422, NULL, NULL, "limit=500", AT_ONCE},
      LISTED_AT_7,
      {FAIL, 410, NULL, NULL, "limit=500", AT_ONCE}}},
    {"old etcd: pages at once, and another try at the next list",
     {{LINE, 0, STATUS(500, "InternalError"), NULL, "limit=500", AT_ONCE},
      LISTED_AT_7,
      {FAIL, 410, NULL, NULL, "stream at ", AT_ONCE}}},
    {"the server lags behind: pages at once, and another try at the next list",
     {{LINE, 0, LAGGING, NULL, "limit=500", AT_ONCE},
      {FAIL, 503, NULL, NULL, "limit=500", WAITS},
      LISTED_AT_7,
      {LINE, 0, EVENT("MODIFIED", "9"), NULL, WATCH_AT("9"), AT_ONCE},
      {FAIL, 410, NULL, NULL, "stream at ", AT_ONCE},
      {TOO_LARGE, 504, NULL, NULL, "limit=500", WAITS}}},
    {"cut before the mark: pages the third time",
     {{LINE, 0, EVENT("ADDED", "3"), NULL, "stream at ", AT_ONCE},
      {FAIL, 0, NULL, NULL, "stream at ", WAITS},
      {END, 0, NULL, NULL, "stream at ", WAITS},
      {FAIL, 0, NULL, NULL, "limit=500", AT_ONCE},
      {FAIL, 503, NULL, NULL, "limit=500", WAITS},
      LISTED_AT_7,
      {FAIL, 410, NULL, NULL, "stream at ", AT_ONCE}}},
    {"busy: the stream is asked for again",
     {{FAIL, 429, NULL, NULL, "stream at ", WAITS},
      {FAIL, 403, NULL, NULL, "stream at ", WAITS},
      MARKED_AT_7}},
    {"no such resource yet",
     {{FAIL, 404, NULL, NULL, "stream at ", WAITS},
      {FAIL, 404, NULL, NULL, "stream at ", WAITS},
      MARKED_AT_7}},
    {"a mark that never comes, told by bookmarks",
     {{LINE, 0, EVENT("ADDED", "3"), NULL, "stream at ", AT_ONCE},
      {LINE, 0, EVENT("BOOKMARK", "4"), NULL, "stream at ", AT_ONCE},
      {LATE_LINE, 0, EVENT("BOOKMARK", "5"), NULL, "limit=500", AT_ONCE},
      LISTED_AT_7,
      {FAIL, 410, NULL, NULL, "limit=500", AT_ONCE}}},
    {"a mark that never comes, told by silence", {{LATE_FAIL, 0, NULL, NULL, "limit=500", AT_ONCE}}},
    {"nonsense before the mark",
     {{BAD_LINE, 0, "{", NULL, "stream at ", WAITS},
      {BAD_LINE, 0, "{", NULL, "stream at ", WAITS},
      {BAD_LINE, 0, "{", NULL, "limit=500", WAITS}}},
    {"expired before the mark",
     {{LINE, 0, STATUS(410, "Expired"), NULL, "stream at ", AT_ONCE}, MARKED_AT_7}},
};

static void apply(struct watch *watch, const struct step *step, int64_t now_ms)
{
    struct watch_event event;
    struct kube_status status = {.code = step->code, .is_version_too_large = step->kind == TOO_LARGE};
    struct json_span line = {step->text, step->text ? strlen(step->text) : 0};
    switch (step->kind) {
    case PAGE: watch_on_page(watch, step->text, step->more); break;
    case LINE: assert_int_equal(watch_on_line(watch, line, now_ms, &event), 0); break;
    case LATE_LINE:
    case BAD_LINE: assert_int_equal(watch_on_line(watch, line, now_ms, &event), -1); break;
    case END: watch_on_end(watch, now_ms, 400000, 0); break;
    case SHORT_END: watch_on_end(watch, now_ms, 10, 0); break;
    default: watch_on_failure(watch, now_ms, &status);
    }
}

static void check_next(struct watch *watch, const char *name, int64_t now_ms, const struct step *step)
{
    CLEANUP(buf_done) struct buf query;
    CLEANUP(buf_done) struct buf shown;
    buf_init(&query, 1000);
    buf_init(&shown, 1000);
    struct watch_request request;
    watch_next(watch, now_ms, &query, &request);
    if (request.is_watch) {
        const char *version = strstr(buf_text(&query), "resourceVersion=");
        assert_non_null(version);
        assert_non_null(strstr(buf_text(&query), "allowWatchBookmarks=true"));
        assert_in_range(request.timeout_s, 300, 599);
        bool is_stream =
            strstr(buf_text(&query), "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&") != NULL;
        assert_int_equal(is_stream, request.is_new_list);
        buf_printf(&shown, "%s at %s", is_stream ? "stream" : "watch", version + strlen("resourceVersion="));
    } else {
        buf_puts(&shown, buf_text(&query));
    }
    if (strcmp(buf_text(&shown), step->next) != 0 || (request.delay_ms > 0) != (step->wait == WAITS))
        fail_msg("%s: got '%s' after %d ms, wanted '%s'", name, buf_text(&shown), (int)request.delay_ms,
                 step->next);
}

static void run(const struct script *script, uint64_t seed, bool streams, const char *first)
{
    CLEANUP(watch_done) struct watch watch;
    int64_t now_ms = 1000000;
    watch_init(&watch, seed);
    watch.streams = streams;
    check_next(&watch, script->name, now_ms, &(struct step){.next = first, .wait = AT_ONCE});
    for (const struct step *step = script->steps; step->kind != END_OF_SCRIPT; step++) {
        now_ms += step->kind == LATE_LINE || step->kind == LATE_FAIL ? 61000 : 1000;
        apply(&watch, step, now_ms);
        check_next(&watch, script->name, now_ms, step);
    }
}

static void test_scripts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
        run(&scripts[i], i, false, "limit=500");
}

static void test_streams(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(stream_scripts); i++)
        run(&stream_scripts[i], i, true, "stream at ");
}

static int64_t fail_once(struct watch *watch, int64_t now_ms, int64_t retry_after_ms)
{
    CLEANUP(buf_done) struct buf query;
    buf_init(&query, 1000);
    struct watch_request request;
    struct kube_status status = {.code = 503, .retry_after_ms = retry_after_ms};
    watch_on_failure(watch, now_ms, &status);
    watch_next(watch, 0, &query, &request);
    return request.delay_ms;
}

static void test_back_off(void **state)
{
    (void)state;
    CLEANUP(watch_done) struct watch watch;
    watch_init(&watch, 1);
    int64_t now_ms = 1000000;
    for (int64_t floor_ms = 800; floor_ms < 100000; floor_ms *= 2) {
        int64_t low_ms = floor_ms < 30000 ? floor_ms : 30000;
        int64_t delay_ms = fail_once(&watch, now_ms, 0);
        assert_in_range(delay_ms, low_ms, 2 * low_ms);
        now_ms += delay_ms;
    }
    assert_int_equal(fail_once(&watch, now_ms, 90000), 90000);
    assert_in_range(fail_once(&watch, now_ms + 121000, 0), 800, 1600);
    assert_int_equal(fail_once(&watch, now_ms + 121000, 5000), 5000);
}

/* As long as it says, however often it says so. */
static void test_a_busy_server_says_how_long(void **state)
{
    (void)state;
    CLEANUP(watch_done) struct watch watch;
    watch_init(&watch, 1);
    for (int i = 0; i < 60; i++) {
        CLEANUP(buf_done) struct buf query;
        buf_init(&query, 1000);
        struct watch_request request;
        const struct kube_status status = {.code = 429, .retry_after_ms = 1000};
        watch_on_failure(&watch, 1000000, &status);
        watch_next(&watch, 0, &query, &request);
        assert_in_range(request.delay_ms, 1000, 1800);
    }
    assert_in_range(fail_once(&watch, 1000000, 0), 800, 1600);
}

static void test_broken_watch_is_not_resumed_for_ever(void **state)
{
    (void)state;
    static const char text[] = STATUS(500, "InternalError");
    const struct json_span line = {text, sizeof(text) - 1};
    CLEANUP(watch_done) struct watch watch;
    watch_init(&watch, 1);
    watch_on_page(&watch, "7", "");
    struct watch_event event;
    for (int64_t now_ms = 1000; now_ms <= 31000; now_ms += 10000) {
        assert_int_equal(watch_on_line(&watch, line, now_ms, &event), 0);
        assert_int_equal(watch.state, WATCH_LISTED);
    }
    assert_int_equal(watch_on_line(&watch, line, 32000, &event), 0);
    assert_int_equal(watch.state, WATCH_EMPTY);
}

static void test_status(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *body;
        enum error_kind kind;
        const char *reason, *text;
    } cases[] = {
        {409, "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"message\":\"changed\"}", ERROR_CONFLICT,
         "Conflict", "changed"},
        {404, "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"a \\\"b\\\"\"}", ERROR_ABSENT,
         "NotFound", "a \"b\""},
        {403, "", ERROR_DENIED, "HTTP403", "HTTP status 403"},
        {401, "<html>", ERROR_DENIED, "HTTP401", "HTTP status 401"},
        {422, "{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"spec.x: bad\"}", ERROR_INVALID,
         "Invalid", "spec.x: bad"},
        {422,
         "{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"the server rejected our request due to "
         "an "
         "error in our request\"}",
         ERROR_CONFLICT, "Invalid", "the server rejected our request due to an error in our request"},
        {400, "{\"kind\":\"Status\",\"message\":\"m\",\"reason\":\"BadRequest\"", ERROR_INVALID, "BadRequest",
         "m"},
        {429, "{\"kind\":\"Status\",\"message\":\"m\",\"details\":{\"retryAfterSeconds\":7}}",
         ERROR_THROTTLED, "HTTP429", "m"},
        {500, "{\"kind\":\"Status\",\"message\":\"failed to create typed patch object (x): y\"}",
         ERROR_UNAVAILABLE, "CRDOutdated", "failed to create typed patch object (x): y"},
        {500, "{\"kind\":\"Status\",\"message\":\"boom\"}", ERROR_UNAVAILABLE, "HTTP500", "boom"},
        {503, "", ERROR_UNAVAILABLE, "HTTP503", "HTTP status 503"},
        {410, "{\"kind\":\"Status\",\"reason\":\"Expired\",\"message\":\"old\"}", ERROR_CONFLICT, "Expired",
         "old"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kube_status status;
        struct error err = {0};
        kube_status_decode(cases[i].code, cases[i].body, strlen(cases[i].body), &status);
        assert_int_equal(kube_status_to_error(&status, &err), -1);
        assert_int_equal(err.kind, cases[i].kind);
        assert_string_equal(err.reason, cases[i].reason);
        assert_string_equal(err.text, cases[i].text);
        int64_t retry_ms = strcmp(err.reason, "CRDOutdated") == 0 ? 60000 : 0;
        assert_int_equal(err.retry_after_ms, cases[i].code == 429 ? 7000 : retry_ms);
    }
    static const char lagging[] =
        "{\"kind\":\"Status\",\"code\":504,\"reason\":\"Timeout\",\"details\":{\"causes\":["
        "{\"reason\":\"ResourceVersionTooLarge\",\"message\":\"x\"}]}}";
    struct kube_status status;
    kube_status_decode(0, lagging, sizeof(lagging) - 1, &status);
    assert_int_equal(status.code, 504);
    assert_true(status.is_version_too_large);
    static const struct {
        const char *details;
        int64_t retry_after_ms;
    } waits[] = {{"{\"retryAfterSeconds\":0}", 0},
                 {"{\"retryAfterSeconds\":-1}", 0},
                 {"{\"retryAfterSeconds\":60}", 60000},
                 {"{\"retryAfterSeconds\":7200}", 60000}};
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        CLEANUP(freep) char *body = mem_printf("{\"kind\":\"Status\",\"details\":%s}", waits[i].details);
        kube_status_decode(429, body, strlen(body), &status);
        assert_int_equal(status.retry_after_ms, waits[i].retry_after_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_back_off),
        cmocka_unit_test(test_a_busy_server_says_how_long),
        cmocka_unit_test(test_broken_watch_is_not_resumed_for_ever),
        cmocka_unit_test(test_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
