/* The watcher against a scripted server: the requests it makes and the trace of what its owner is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fake_api.h"
#include "kube/watcher.h"
#include "trace.h"

#define ITEM(name) "{\"metadata\":{\"name\":\"" name "\"}}"
#define LIST(version, items)                                                                                 \
    "{\"kind\":\"L\",\"items\":[" items "],\"metadata\":{\"resourceVersion\":\"" version "\"}}"
#define PAGE(version, token, items)                                                                          \
    "{\"metadata\":{\"resourceVersion\":\"" version "\",\"continue\":\"" token "\"},\"items\":[" items "]}"
#define EVENT(type, name, version)                                                                           \
    "{\"type\":\"" type "\",\"object\":{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" version  \
    "\"}}}\n"
#define NAMED "\"name\":\"h\",\"namespace\":\"ns\""
#define GONE  "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}}\n"

struct exchange {
    const char *query; /* how the query must begin */
    struct fake_reply reply;
};

struct script {
    const struct exchange *exchanges;
    size_t count;
    size_t next;
    struct trace *trace;
};

static struct fake_reply play(void *ctx, const char *request)
{
    struct script *script = ctx;
    if (script->next >= script->count)
        return (struct fake_reply){.status = 200, .how = FAKE_HANG};
    const struct exchange *exchange = &script->exchanges[script->next++];
    const char *query = strchr(request, '?');
    if (!query || strncmp(query + 1, exchange->query, strlen(exchange->query)) != 0)
        trace_add(script->trace, "UNEXPECTED[%.*s]", (int)strcspn(request, "\r"), request);
    struct fake_reply reply = exchange->reply;
    reply.body = mem_strdup(reply.body);
    return reply;
}

static void begin_list(void *ctx)
{
    trace_add(ctx, "begin");
}

/* What no name is found in is nobody's. */
static bool on_object(void *ctx, enum watch_event_type type, const char *json, size_t len)
{
    static const char marks[] = {[WATCH_ADDED] = '+', [WATCH_MODIFIED] = '~', [WATCH_DELETED] = '-'};
    char name[64];
    json_span_copy(json_find((struct json_span){json, len}, (const char *[]){"metadata", "name", NULL}), name,
                   sizeof(name));
    trace_add(ctx, "%c%s", marks[type], name);
    return *name;
}

static void on_oversized(void *ctx, enum watch_event_type type, const struct object_identity *identity,
                         size_t len)
{
    trace_add(ctx, "%c*%s%s", type == WATCH_DELETED ? '-' : '+', identity ? identity->key : "",
              len > SCAN_MAX_ITEM_BYTES ? "" : "(short)");
}

static void end_list(void *ctx, const char *resource_version, bool is_complete)
{
    trace_add(ctx, "end:%s%s", resource_version, is_complete ? "" : "?");
}

static void on_bookmark(void *ctx, const char *resource_version)
{
    trace_add(ctx, "mark:%s", resource_version);
}

static void on_fresh(void *ctx, int64_t mono_ms)
{
    (void)ctx;
    assert_true(mono_ms > 0);
}

static void on_failed(void *ctx, const struct error *err)
{
    trace_add(ctx, "!%s", err->reason);
}

static void run_watcher(const struct exchange *exchanges, size_t count, bool streams, const char *expected,
                        struct watcher_counts *ret_counts)
{
    struct trace trace;
    trace_init(&trace);
    struct script script = {exchanges, count, 0, &trace};
    struct fake_api *api = fake_api_start(play, &script);
    struct kube_config config = {.server = mem_printf("http://127.0.0.1:%d", fake_api_get_port(api))};
    struct kube_client *client =
        kube_client_new(&(struct kube_client_options){.config = &config, .clock = clock_real()});
    const struct watcher_options options = {
        .client = client,
        .path = "/apis/tee.dev/v1alpha1/teedeployments",
        .streams = streams,
        .owner = {&trace, begin_list, on_object, on_oversized, end_list, on_bookmark, on_fresh, on_failed},
        .idle_timeout_ms = 500,
        .backoff_ms = 20,
        .seed = 1};
    struct watcher *watcher = watcher_start(&options);
    assert_true(fake_api_wait(api, count + 1));
    *ret_counts = watcher_get_counts(watcher);
    watcher_free(watcher);
    assert_string_equal(buf_text(&trace.text), expected);
    kube_client_free(client);
    kube_config_done(&config);
    fake_api_stop(api);
    trace_done(&trace);
}

static void run_script(const struct exchange *exchanges, size_t count, const char *expected,
                       struct watcher_counts *ret_counts)
{
    run_watcher(exchanges, count, false, expected, ret_counts);
}

#define WATCH_AT(version) "watch=true&allowWatchBookmarks=true&timeoutSeconds="

static void test_a_day_of_trouble(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"limit=500 ", {200, (char *)PAGE("10", "t", ITEM("a")), NULL, FAKE_BYTES}},
        {"limit=500&continue=t ", {410, (char *)"{}", NULL, FAKE_WHOLE}},
        {" ", {200, (char *)LIST("11", ITEM("a") "," ITEM("b")), NULL, FAKE_BYTES}},
        {WATCH_AT("11"),
         {200, (char *)EVENT("MODIFIED", "a", "12") EVENT("BOOKMARK", "", "15"), NULL, FAKE_BYTES}},
        {WATCH_AT("15"),
         {200, (char *)EVENT("ADDED", "c", "16") "{\"type\":\"ADDED\",\"obj", NULL, FAKE_CUT}},
        {WATCH_AT("16"), {200, (char *)GONE, NULL, FAKE_BYTES}},
        {"limit=500 ", {200, (char *)LIST("20", ITEM("a") "," ITEM("c")), NULL, FAKE_WHOLE}},
        {WATCH_AT("20"), {410, (char *)"{}", NULL, FAKE_WHOLE}},
        {"limit=500 ", {200, (char *)LIST("30", ITEM("a")), NULL, FAKE_WHOLE}},
        {WATCH_AT("30"), {200, (char *)EVENT("DELETED", "a", "31"), NULL, FAKE_HANG}},
    };
    struct watcher_counts counts;
    run_script(
        exchanges, ARRAY_LEN(exchanges),
        "begin +a !HTTP410 begin +a +b end:11 ~a mark:15 +c !Network !Expired begin +a +c end:20 !HTTP410 "
        "begin +a end:30 -a !Timeout ",
        &counts);
    assert_int_equal(counts.lists, 4);
    assert_int_equal(counts.watches, 6);
    assert_int_equal(counts.failures, 5);
}

static void test_refused_and_malformed(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"limit=500 ", {200, (char *)"{\"items\":[" ITEM("a") "]", NULL, FAKE_WHOLE}},
        {"limit=500 ", {200, (char *)LIST("5", ""), NULL, FAKE_WHOLE}},
        {WATCH_AT("5"), {429, (char *)"", "Retry-After: 1\r\n", FAKE_WHOLE}},
        {WATCH_AT("5"), {200, (char *)EVENT("ADDED", "x", "6") "nonsense\n", NULL, FAKE_WHOLE}},
        {"resourceVersionMatch=NotOlderThan&resourceVersion=6 ",
         {200, (char *)LIST("7", ITEM("x")), NULL, FAKE_WHOLE}},
    };
    struct watcher_counts counts;
    run_script(exchanges, ARRAY_LEN(exchanges),
               "begin +a !MalformedList begin end:5 !HTTP429 +x !MalformedEvent begin +x end:7 ", &counts);
    assert_int_equal(counts.lists, 3);
}

#define STREAM "watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
#define MARK(version)                                                                                        \
    "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"" version                        \
    "\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n"

static char *make_filler(size_t len)
{
    char *filler = mem_alloc(len + 1);
    memset(filler, 'x', len);
    filler[len] = '\0';
    return filler;
}

/* One that has a name is as good as listed, wherever the name stands; of what has none, nobody knows what is
 * missing. */
static void test_a_list_with_a_huge_item(void **state)
{
    (void)state;
    static const struct {
        const char *item, *expected;
    } cases[] = {
        {"{\"metadata\":{" NAMED "},\"x\":\"%s\"}", "begin +a +*ns/h +b end:5 "},
        {"{\"metadata\":{" NAMED ",\"x\":\"%s\"}}", "begin +a +*ns/h +b end:5 "},
        {"{\"metadata\":{\"annotations\":{\"x\":\"%s\"}," NAMED "}}", "begin +a +*ns/h +b end:5 "},
        {"{\"spec\":{\"metadata\":[\"%s\"]},\"metadata\":{" NAMED "}}", "begin +a +*ns/h +b end:5 "},
        {"{\"x\":\"%s\"}", "begin +a +* +b end:5? "},
    };
    CLEANUP(freep) char *filler = make_filler((size_t)3 * SCAN_MAX_ITEM_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_done) struct buf list;
        buf_init(&list, 4 * SCAN_MAX_ITEM_BYTES);
        const char *hole = strstr(cases[i].item, "%s");
        buf_printf(
            &list,
            "{\"items\":[" ITEM("a") ",%.*s%s%s," ITEM("b") "],\"metadata\":{\"resourceVersion\":\"5\"}}",
            (int)(hole - cases[i].item), cases[i].item, filler, hole + 2);
        const struct exchange exchanges[] = {{"limit=500 ", {200, list.data, NULL, FAKE_WHOLE}}};
        struct watcher_counts counts;
        run_script(exchanges, 1, cases[i].expected, &counts);
        assert_int_equal(counts.oversized, 1);
    }
}

/* Two in one list are told apart; what no decoder takes and nobody can name keeps the list from being whole.
 */
static void test_a_list_with_more_of_them(void **state)
{
    (void)state;
    CLEANUP(freep) char *filler = make_filler(SCAN_MAX_ITEM_BYTES);
    CLEANUP(freep)
    char *two = mem_printf("{\"items\":[{\"x\":\"%s\",\"metadata\":{" NAMED
                           "}},{\"x\":\"%s\",\"metadata\":{\"name\":\"i\","
                           "\"namespace\":\"ns\"}}],\"metadata\":{\"resourceVersion\":\"5\"}}",
                           filler, filler);
    const struct exchange known[] = {{"limit=500 ", {200, two, NULL, FAKE_WHOLE}}};
    static const struct exchange unknown[] = {
        {"limit=500 ", {200, (char *)LIST("5", ITEM("a") ",{\"x\":1}"), NULL, FAKE_WHOLE}}};
    struct watcher_counts counts;
    run_script(known, 1, "begin +*ns/h +*ns/i end:5 ", &counts);
    assert_int_equal(counts.oversized, 2);
    run_script(unknown, 1, "begin +a + end:5? ", &counts);
}

/* A line of 20 MB in a watch and in a list that is streamed, with and without a name: the others go on. */
static void test_a_huge_line(void **state)
{
    (void)state;
    CLEANUP(freep) char *filler = make_filler((size_t)20 * 1000 * 1000);
    CLEANUP(freep)
    char *named =
        mem_printf(EVENT("ADDED", "a", "6") "{\"object\":{\"x\":\"%s\",\"metadata\":{" NAMED
                                            "}},\"type\":\"DELETED\"}\n" EVENT("ADDED", "b", "8") MARK("9"),
                   filler);
    CLEANUP(freep)
    char *nameless = mem_printf("{\"x\":\"%s\"}\n" EVENT("ADDED", "b", "8") MARK("9"), filler);
    const struct exchange exchanges[] = {
        {"limit=500 ", {200, (char *)LIST("5", ""), NULL, FAKE_WHOLE}},
        {WATCH_AT("5"), {200, named, NULL, FAKE_WHOLE}},
    };
    const struct exchange known[] = {{STREAM, {200, named, NULL, FAKE_WHOLE}}};
    const struct exchange unknown[] = {{STREAM, {200, nameless, NULL, FAKE_WHOLE}}};
    struct watcher_counts counts;
    run_script(exchanges, ARRAY_LEN(exchanges), "begin end:5 +a -*ns/h +b mark:9 ", &counts);
    assert_int_equal(counts.oversized, 1);
    run_watcher(known, 1, true, "begin +a -*ns/h +b end:9 ", &counts);
    run_watcher(unknown, 1, true, "begin +* +b end:9? ", &counts);
    assert_int_equal(counts.failures, 0);
}

/* Only a marked stream or a whole list is an end_list, after which the owner drops what it did not hear of.
 */
static void test_streamed_lists(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {STREAM, {200, (char *)EVENT("ADDED", "a", "3"), NULL, FAKE_CUT}},
        {STREAM,
         {200, (char *)EVENT("ADDED", "a", "3") EVENT("DELETED", "b", "4") MARK("5") EVENT("ADDED", "c", "6"),
          NULL, FAKE_BYTES}},
        {WATCH_AT("6"), {200, (char *)GONE, NULL, FAKE_WHOLE}},
        {STREAM,
         {422, (char *)"{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"no\"}", NULL, FAKE_WHOLE}},
        {"limit=500 ", {200, (char *)LIST("20", ITEM("a") "," ITEM("c")), NULL, FAKE_WHOLE}},
        {WATCH_AT("20"), {410, (char *)"{}", NULL, FAKE_WHOLE}},
        {"limit=500 ", {200, (char *)LIST("30", ITEM("a")), NULL, FAKE_WHOLE}},
    };
    struct watcher_counts counts;
    run_watcher(exchanges, ARRAY_LEN(exchanges), true,
                "begin +a !Network begin +a -b end:5 +c !Expired begin !Invalid begin +a +c end:20 !HTTP410 "
                "begin +a end:30 ",
                &counts);
    assert_int_equal(counts.lists, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_day_of_trouble), cmocka_unit_test(test_refused_and_malformed),
        cmocka_unit_test(test_streamed_lists),   cmocka_unit_test(test_a_list_with_a_huge_item),
        cmocka_unit_test(test_a_huge_line),      cmocka_unit_test(test_a_list_with_more_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
