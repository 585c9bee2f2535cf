/* When the client asks a scripted server and when not: its rate, deadlines, pauses; and what may come
 * compressed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fake_api.h"
#include "kube/client.h"
#include "kube/list.h"
#include "kube/watcher.h"

struct script {
    const struct fake_reply *replies; /* bodies are copied */
    size_t count;
    atomic_size_t next;
};

static struct fake_reply play(void *ctx, const char *request)
{
    struct script *script = ctx;
    size_t next = atomic_load(&script->next);
    struct fake_reply reply = {.status = 500};
    (void)request;
    if (next < script->count) {
        reply = script->replies[next];
        atomic_store(&script->next, next + 1);
    }
    reply.body = mem_strdup(reply.body);
    return reply;
}

struct bed {
    struct script script;
    struct fake_api *api;
    struct kube_config config;
    struct kube_client *client;
};

static void bed_init(struct bed *bed, const struct fake_reply *replies, size_t count)
{
    *bed = (struct bed){.script = {.replies = replies, .count = count}};
    bed->api = fake_api_start(play, &bed->script);
    bed->config.server = mem_printf("http://127.0.0.1:%d", fake_api_get_port(bed->api));
    bed->client =
        kube_client_new(&(struct kube_client_options){.config = &bed->config, .clock = clock_real()});
}

static void bed_done(struct bed *bed)
{
    kube_client_free(bed->client);
    kube_config_done(&bed->config);
    fake_api_stop(bed->api);
}

/* Six requests at 20 a second and 2 at once: the last one waits for four tokens. Where the turn would come
 * after the timeout, nothing is sent. With await_turn() taken out both fail. */
static void test_own_rate(void **state)
{
    (void)state;
    struct fake_reply replies[8];
    for (size_t i = 0; i < ARRAY_LEN(replies); i++)
        replies[i] = (struct fake_reply){200, (char *)"{}", NULL, FAKE_WHOLE};
    struct bed bed;
    bed_init(&bed, replies, ARRAY_LEN(replies));
    struct kube_client_options options = {
        .config = &bed.config, .clock = clock_real(), .per_second = 20, .burst = 2};
    struct kube_client *fast = kube_client_new(&options);
    struct error err = {0};
    int64_t start_ms = clock_mono_ms(clock_real());
    for (int i = 0; i < 6; i++)
        assert_int_equal(kube_get(fast, "/a", 5000, NULL, &err), 0);
    assert_true(clock_mono_ms(clock_real()) - start_ms >= 195);
    kube_client_free(fast);
    options.per_second = options.burst = 1;
    struct kube_client *slow = kube_client_new(&options);
    struct kube_status status = {.code = 7};
    struct kube_request request = {.method = "GET", .path = "/b?c", .timeout_ms = 200, .ret_status = &status};
    assert_int_equal(kube_perform(slow, &request, NULL, &err), 0);
    assert_int_equal(kube_perform(slow, &request, NULL, &err), -1);
    assert_int_equal(err.kind, ERROR_THROTTLED);
    assert_string_equal(err.reason, "RateLimit");
    assert_string_equal(err.text, "GET /b: our own rate of requests leaves no room");
    assert_true(err.retry_after_ms > 0 && err.retry_after_ms <= 1000);
    assert_int_equal(status.code, 0);
    assert_int_equal(atomic_load(&bed.script.next), 7);
    struct stop stop;
    stop_init(&stop);
    stop_request(&stop);
    request.timeout_ms = 5000;
    request.stop = &stop;
    assert_int_equal(kube_perform(slow, &request, NULL, &err), -1);
    assert_int_equal(err.kind, ERROR_STOPPED);
    stop_done(&stop);
    kube_client_free(slow);
    bed_done(&bed);
}

/* A clock that stands still, but for what the server's answers make of it. */
struct slow_server {
    atomic_int_least64_t now_ms;
    int64_t step_ms;
    int status;
    const char *headers;
};

static int64_t read_clock(void *ctx)
{
    return atomic_load((atomic_int_least64_t *)ctx);
}

static struct fake_reply answer_late(void *ctx, const char *request)
{
    struct slow_server *server = ctx;
    (void)request;
    atomic_fetch_add(&server->now_ms, server->step_ms);
    return (struct fake_reply){.status = server->status, .headers = server->headers};
}

/* However the time went, nothing is sent when it is over. */
static void test_nothing_is_sent_past_the_deadline(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t timeout_ms, deadline_ms, step_ms;
        int status;
        enum error_kind kind;
        size_t sent;
    } cases[] = {
        {"in time", 1000, 6000, 0, 200, ERROR_NONE, 1},
        {"now is past", 1000, 5000, 0, 200, ERROR_STOPPED, 0},
        {"long past", 1000, 1, 0, 200, ERROR_STOPPED, 0},
        {"a 401 in time", 1000, 6000, 100, 401, ERROR_DENIED, 2},
        {"a 401 at the deadline", 2000, 6000, 1000, 401, ERROR_STOPPED, 1},
        {"a 401 when the timeout is over", 1000, 7000, 1000, 401, ERROR_UNAVAILABLE, 1},
        {"the same without a deadline", 1000, 0, 1000, 401, ERROR_UNAVAILABLE, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slow_server server = {.now_ms = 5000, .step_ms = cases[i].step_ms, .status = cases[i].status};
        const struct clock clock = {read_clock, read_clock, &server.now_ms};
        struct fake_api *api = fake_api_start(answer_late, &server);
        struct kube_config config = {.server = mem_printf("http://127.0.0.1:%d", fake_api_get_port(api))};
        struct kube_client *client =
            kube_client_new(&(struct kube_client_options){.config = &config, .clock = &clock});
        const struct kube_request request = {.method = "GET",
                                             .path = "/x",
                                             .timeout_ms = cases[i].timeout_ms,
                                             .deadline_ms = cases[i].deadline_ms};
        struct error err = {0};
        int result = kube_perform(client, &request, NULL, &err);
        bool is_right = cases[i].sent == 0 || fake_api_get_request(api, cases[i].sent - 1);
        if ((result == 0 ? ERROR_NONE : err.kind) != cases[i].kind || !is_right ||
            fake_api_get_request(api, cases[i].sent))
            fail_msg("%s: %s", cases[i].name, err.text);
        kube_client_free(client);
        kube_config_done(&config);
        fake_api_stop(api);
    }
}

/* One answer is enough for all that would be asked: of a hundred requests that follow, each is told what is
 * left of the pause, and none is sent before that is over. */
static void test_a_pause_is_everybodys(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int status;
        const char *headers;
        bool is_urgent;
        int64_t pause_ms;
    } cases[] = {
        {"429", 429, "Retry-After: 30\r\n", false, 30000},
        {"503", 503, "Retry-After: 5\r\n", false, 5000},
        {"an hour", 429, "Retry-After: 3600\r\n", false, 60000},
        {"no time named", 429, NULL, false, 0},
        {"503, no time named", 503, NULL, false, 0},
        {"another failure", 500, "Retry-After: 5\r\n", false, 0},
        {"the lease", 429, "Retry-After: 30\r\n", true, 0},
    };
    enum { MANY = 100 };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slow_server server = {.now_ms = 5000, .status = cases[i].status, .headers = cases[i].headers};
        const struct clock clock = {read_clock, read_clock, &server.now_ms};
        struct fake_api *api = fake_api_start(answer_late, &server);
        struct kube_config config = {.server = mem_printf("http://127.0.0.1:%d", fake_api_get_port(api))};
        struct kube_client *client = kube_client_new(&(struct kube_client_options){
            .config = &config, .clock = &clock, .is_urgent = cases[i].is_urgent});
        struct kube_status status = {0};
        const struct kube_request request = {.method = "GET", .path = "/x", .ret_status = &status};
        struct error err = {0};
        bool is_right = kube_perform(client, &request, NULL, &err) < 0;
        for (int k = 1; k <= MANY && is_right && cases[i].pause_ms > 0; k++) {
            int64_t left_ms = cases[i].pause_ms * (MANY - k + 1) / MANY;
            atomic_store(&server.now_ms, 5000 + cases[i].pause_ms - left_ms);
            is_right = kube_perform(client, &request, NULL, &err) < 0 && err.kind == ERROR_THROTTLED &&
                       err.retry_after_ms == left_ms && status.code == 429 &&
                       status.retry_after_ms == left_ms;
        }
        is_right = is_right && !fake_api_get_request(api, 1);
        atomic_store(&server.now_ms, 5000 + cases[i].pause_ms);
        is_right = is_right && kube_perform(client, &request, NULL, &err) < 0 && fake_api_get_request(api, 1);
        if (!is_right)
            fail_msg("%s: %s", cases[i].name, err.text);
        kube_client_free(client);
        kube_config_done(&config);
        fake_api_stop(api);
    }
}

static void begin_list(void *ctx)
{
    (void)ctx;
}

static bool take_object(void *ctx, enum watch_event_type type, const char *json, size_t len)
{
    (void)ctx;
    (void)type;
    (void)json;
    (void)len;
    return true;
}

static void take_oversized(void *ctx, enum watch_event_type type, const struct object_identity *identity,
                           size_t len)
{
    (void)identity;
    (void)take_object(ctx, type, NULL, len);
}

static void take_version(void *ctx, const char *resource_version)
{
    (void)ctx;
    (void)resource_version;
}

static void end_list(void *ctx, const char *resource_version, bool is_complete)
{
    (void)is_complete;
    take_version(ctx, resource_version);
}

static void note_fresh(void *ctx, int64_t mono_ms)
{
    (void)ctx;
    (void)mono_ms;
}

static void note_failure(void *ctx, const struct error *err)
{
    (void)ctx;
    (void)err;
}

static struct watcher *start_watcher(struct kube_client *client, bool streams)
{
    const struct watcher_owner owner = {.begin_list = begin_list,
                                        .object = take_object,
                                        .oversized = take_oversized,
                                        .end_list = end_list,
                                        .bookmark = take_version,
                                        .fresh = note_fresh,
                                        .failed = note_failure};
    return watcher_start(&(struct watcher_options){
        .client = client, .path = "/w", .streams = streams, .owner = owner, .backoff_ms = 10, .seed = 1});
}

static int ignore_item(void *ctx, const char *text, size_t len, struct error *err)
{
    (void)ctx;
    (void)text;
    (void)len;
    (void)err;
    return 0;
}

/* A list may come compressed. A watch must not: libcurl reads no more than the first part of a stream that is
 * compressed in parts, as servers from 1.37 on send it. */
static void test_what_may_be_compressed(void **state)
{
    (void)state;
    static const char list[] = "{\"items\":[],\"metadata\":{\"resourceVersion\":\"1\"}}";
    const struct fake_reply replies[] = {{200, "{}", NULL, FAKE_WHOLE},
                                         {200, (char *)list, NULL, FAKE_WHOLE},
                                         {422, "", NULL, FAKE_WHOLE},
                                         {200, (char *)list, NULL, FAKE_WHOLE},
                                         {200, "", NULL, FAKE_HANG}};
    static const struct {
        const char *start;
        bool is_compressed;
    } expected[] = {{"GET /x HTTP", false},
                    {"GET /l?limit=", true},
                    {"GET /w?watch=true&allowWatchBookmarks=true&sendInitialEvents=true&", false},
                    {"GET /w?limit=", true},
                    {"GET /w?watch=true&", false}};
    for (int is_disabled = 0; is_disabled <= 1; is_disabled++) {
        struct bed bed;
        struct error err = {0};
        bed_init(&bed, replies, ARRAY_LEN(replies));
        bed.config.disable_compression = is_disabled;
        assert_int_equal(kube_get(bed.client, "/x", 0, NULL, &err), 0);
        assert_int_equal(kube_list(bed.client, "/l", NULL, ignore_item, NULL, &err), 0);
        struct watcher *watcher = start_watcher(bed.client, true);
        assert_true(fake_api_wait(bed.api, ARRAY_LEN(expected)));
        for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
            const char *request = fake_api_get_request(bed.api, i);
            assert_memory_equal(request, expected[i].start, strlen(expected[i].start));
            bool is_compressed = strcasestr(request, "\r\nAccept-Encoding: gzip\r\n") != NULL;
            assert_int_equal(is_compressed, expected[i].is_compressed && !is_disabled);
            assert_int_equal(strcasestr(request, "\r\nAccept-Encoding:") != NULL, is_compressed);
        }
        watcher_free(watcher);
        bed_done(&bed);
    }
}

/* It asks when the pause is over, and not all the time. */
static void test_a_watcher_waits_for_the_end_of_a_pause(void **state)
{
    (void)state;
    const struct fake_reply replies[] = {{429, "", "Retry-After: 1\r\n", FAKE_WHOLE},
                                         {200, "", NULL, FAKE_HANG}};
    struct bed bed;
    struct error err = {0};
    bed_init(&bed, replies, ARRAY_LEN(replies));
    int64_t start_ms = clock_mono_ms(clock_real());
    assert_int_equal(kube_get(bed.client, "/x", 0, NULL, &err), -1);
    struct watcher *watcher = start_watcher(bed.client, true);
    assert_true(fake_api_wait(bed.api, 2));
    assert_true(clock_mono_ms(clock_real()) - start_ms >= 1000);
    assert_int_equal(watcher_get_counts(watcher).failures, 1);
    watcher_free(watcher);
    bed_done(&bed);
}

static const char *no_env(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return NULL;
}

/* A credential plugin that hangs: the request fails in its time, and nothing of it is sent later. */
static void test_the_wait_for_credentials_counts(void **state)
{
    (void)state;
    struct bed bed;
    struct error err = {0};
    struct kube_config config;
    char path[] = "/tmp/test-kube-client-XXXXXX";
    close(mkstemp(path));
    bed_init(&bed, NULL, 0);
    CLEANUP(freep)
    char *text = mem_printf("current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
                            "clusters: [{name: k, cluster: {server: '%s'}}]\n"
                            "users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1,\n"
                            "  interactiveMode: Never, command: sleep, args: ['100']}}}]\n",
                            bed.config.server);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    const struct kube_config_source source = {.kubeconfig = path, .get_env = no_env};
    assert_int_equal(kube_config_load(&source, &config, &err), 0);
    struct kube_client *client =
        kube_client_new(&(struct kube_client_options){.config = &config, .clock = clock_real()});
    int64_t start_ms = clock_mono_ms(clock_real());
    const struct kube_request requests[] = {
        {.method = "GET", .path = "/x", .timeout_ms = 100},
        {.method = "GET", .path = "/x", .timeout_ms = 5000, .deadline_ms = start_ms + 200}};
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        assert_int_equal(kube_perform(client, &requests[i], NULL, &err), -1);
        assert_string_equal(err.reason, "Timeout");
    }
    assert_in_range(clock_mono_ms(clock_real()) - start_ms, 200, 4000);
    assert_null(fake_api_get_request(bed.api, 0));
    kube_client_free(client);
    kube_config_done(&config);
    remove(path);
    bed_done(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_rate),
        cmocka_unit_test(test_nothing_is_sent_past_the_deadline),
        cmocka_unit_test(test_a_pause_is_everybodys),
        cmocka_unit_test(test_what_may_be_compressed),
        cmocka_unit_test(test_a_watcher_waits_for_the_end_of_a_pause),
        cmocka_unit_test(test_the_wait_for_credentials_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
