/* The client against a scripted server: what is sent, and what each answer becomes. */
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
#include "kube/event_queue.h"
#include "kube/watcher.h"

struct script {
    const struct fake_reply *replies; /* bodies are copied */
    size_t count;
    size_t next;
};

static struct fake_reply play(void *ctx, const char *request)
{
    struct script *script = ctx;
    struct fake_reply reply = {.status = 500};
    (void)request;
    if (script->next < script->count)
        reply = script->replies[script->next++];
    reply.body = mem_strdup(reply.body);
    return reply;
}

struct observed {
    int calls;
    int last_code;
    char text[512];
};

static void observe(void *ctx, const struct kube_exchange *exchange)
{
    struct observed *observed = ctx;
    size_t len = strlen(observed->text);
    assert_in_range(exchange->duration_ms, 0, 20000);
    snprintf(observed->text + len, sizeof(observed->text) - len, "%s %d after %d%s: %zu %lld\n",
             exchange->method, exchange->code, exchange->repeated_code, exchange->is_watch ? " watch" : "",
             exchange->request_bytes, (long long)exchange->response_bytes);
    observed->calls++;
    observed->last_code = exchange->code;
}

/* What was warned of, one text a line. */
static char warned[1024];

static void note_warning(void *ctx, const char *text)
{
    (void)ctx;
    size_t len = strlen(warned);
    snprintf(warned + len, sizeof(warned) - len, "%s\n", text);
}

struct bed {
    struct script script;
    struct fake_api *api;
    struct kube_config config;
    struct kube_client *client;
    struct observed observed;
};

static void bed_init(struct bed *bed, const struct fake_reply *replies, size_t count)
{
    *bed = (struct bed){.script = {replies, count, 0}};
    bed->api = fake_api_start(play, &bed->script);
    bed->config.server = mem_printf("http://127.0.0.1:%d", fake_api_get_port(bed->api));
    bed->client = kube_client_new(&(struct kube_client_options){.config = &bed->config,
                                                                .clock = clock_real(),
                                                                .agent_suffix = "me",
                                                                .warn = note_warning,
                                                                .observe = observe,
                                                                .ctx = &bed->observed});
}

static void bed_done(struct bed *bed)
{
    kube_client_free(bed->client);
    kube_config_done(&bed->config);
    fake_api_stop(bed->api);
}

static void test_what_is_sent(void **state)
{
    (void)state;
    const struct fake_reply replies[] = {{200, "{}", NULL, FAKE_WHOLE}, {200, "{\"a\":1}", NULL, FAKE_BYTES}};
    struct bed bed;
    bed_init(&bed, replies, ARRAY_LEN(replies));
    bed.config.token = mem_strdup("secret");
    struct error err = {0};
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, 100);
    const struct kube_patch patch = {.type = KUBE_PATCH_APPLY,
                                     .path = "/apis/x/status",
                                     .field_manager = "m",
                                     .body = "{}",
                                     .body_len = 2};
    assert_int_equal(kube_patch(bed.client, &patch, NULL, &err), 0);
    assert_int_equal(kube_get(bed.client, "/api/v1/x", 1000, &body, &err), 0);
    assert_string_equal(buf_text(&body), "{\"a\":1}");
    assert_true(fake_api_wait(bed.api, 2));
    const char *first = fake_api_get_request(bed.api, 0);
    static const char *const parts[] = {
        "PATCH /apis/x/status?fieldManager=m&force=true HTTP/1.1\r\n",
        "\r\nContent-Type: application/apply-patch+yaml\r\n",
        "\r\nAuthorization: Bearer secret\r\n",
        "\r\nAccept: application/json;drop=metadata.managedFields",
        "\r\nUser-Agent: tee-controller/" TEE_VERSION " (linux/amd64) me\r\n",
        "\r\n\r\n{}",
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        assert_non_null(strstr(first, parts[i]));
    assert_null(strstr(fake_api_get_request(bed.api, 1), "Content-Type"));
    assert_int_equal(bed.observed.calls, 2);
    bed_done(&bed);
}

static int ignore(void *ctx, const char *data, size_t len, struct error *err)
{
    (void)ctx;
    (void)data;
    (void)len;
    (void)err;
    return 0;
}

static void test_what_is_observed(void **state)
{
    (void)state;
    const struct fake_reply replies[] = {{401, "who", NULL, FAKE_WHOLE},
                                         {200, "{\"a\":1}", NULL, FAKE_WHOLE},
                                         {200, "{}", NULL, FAKE_WHOLE},
                                         {200, "half", NULL, FAKE_CUT}};
    struct bed bed;
    struct error err = {0};
    bed_init(&bed, replies, ARRAY_LEN(replies));
    const struct kube_request post = {.method = "POST", .path = "/x", .body = "123", .body_len = 3};
    const struct kube_request watch = {.method = "GET", .path = "/x?watch=true&a=b", .sink = ignore};
    assert_int_equal(kube_perform(bed.client, &post, NULL, &err), 0);
    assert_int_equal(kube_perform(bed.client, &watch, NULL, &err), 0);
    assert_int_equal(kube_get(bed.client, "/y", 5000, NULL, &err), -1);
    assert_string_equal(bed.observed.text, "POST 401 after 0: 3 3\n"
                                           "POST 200 after 401: 3 7\n"
                                           "GET 200 after 0 watch: 0 -1\n"
                                           "GET 0 after 0: 0 -1\n");
    bed_done(&bed);
}

static void test_another_program_as_another_user(void **state)
{
    (void)state;
    const struct fake_reply replies[] = {{200, "{}", NULL, FAKE_WHOLE}};
    char *lines[] = {(char *)"Impersonate-User: jane", (char *)"Impersonate-Group: a", NULL};
    struct bed bed;
    struct error err = {0};
    bed_init(&bed, replies, ARRAY_LEN(replies));
    const struct kube_config config = {.server = bed.config.server, .impersonation = lines};
    struct kube_client *client = kube_client_new(
        &(struct kube_client_options){.config = &config, .clock = clock_real(), .program = "kubectl-tee"});
    assert_int_equal(kube_get(client, "/x", 1000, NULL, &err), 0);
    const char *request = fake_api_get_request(bed.api, 0);
    assert_non_null(strstr(request, "\r\nUser-Agent: kubectl-tee/" TEE_VERSION " (linux/amd64)\r\n"));
    assert_non_null(strstr(request, "\r\nImpersonate-User: jane\r\n"));
    assert_non_null(strstr(request, "\r\nImpersonate-Group: a\r\n"));
    kube_client_free(client);
    bed_done(&bed);
}

static void test_each_warning_is_told_once(void **state)
{
    (void)state;
    static const char two[] = "Warning: 299 - \"old \\\"v1\\\"\"\r\nWarning: 299 - \"tab\there\"\r\n";
    static const char other[] = "Warning: 199 - \"another code\"\r\nWarning: 299 - \"cut\r\n"
                                "Warning: 299 - \"\"\r\nwarning: 299 x \"third\" \"date\"\r\n";
    const struct fake_reply replies[] = {{200, "{}", two, FAKE_WHOLE},
                                         {200, "{}", two, FAKE_WHOLE},
                                         {404, "", other, FAKE_WHOLE},
                                         {200, "{}", NULL, FAKE_WHOLE}};
    struct bed bed;
    struct error err = {0};
    bed_init(&bed, replies, ARRAY_LEN(replies));
    *warned = '\0';
    for (size_t i = 0; i < ARRAY_LEN(replies); i++)
        assert_int_equal(kube_get(bed.client, "/x", 1000, NULL, &err), i == 2 ? -1 : 0);
    assert_string_equal(warned, "old \"v1\"\ntab here\nthird\n");
    bed_done(&bed);
}

static void test_errors(void **state)
{
    (void)state;
    const struct fake_reply replies[] = {
        {409, "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"message\":\"changed\"}", NULL, FAKE_WHOLE},
        {500, "{\"kind\":\"Status\",\"message\":\"failed to create typed patch object (a): b\"}", NULL,
         FAKE_WHOLE},
        {200, "half", NULL, FAKE_CUT},
        {200, "0123456789", NULL, FAKE_WHOLE},
        {429, "busy", "Retry-After: 3\r\n", FAKE_WHOLE},
    };
    static const struct {
        enum error_kind kind;
        const char *reason;
        int code;
        int64_t retry_ms;
    } expected[] = {{ERROR_CONFLICT, "Conflict", 409, 0},
                    {ERROR_UNAVAILABLE, "CRDOutdated", 500, 60000},
                    {ERROR_UNAVAILABLE, "Network", 0, 0},
                    {ERROR_INVALID, "BodyTooLarge", 0, 0},
                    {ERROR_THROTTLED, "HTTP429", 429, 3000}};
    struct bed bed;
    bed_init(&bed, replies, ARRAY_LEN(replies));
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        struct kube_status status = {0};
        struct error err = {0};
        const struct kube_request request = {
            .method = "GET", .path = "/x?y=1", .max_body_bytes = 8, .ret_status = &status};
        CLEANUP(buf_done) struct buf body;
        buf_init(&body, 100);
        assert_int_equal(kube_perform(bed.client, &request, &body, &err), -1);
        assert_int_equal(err.kind, expected[i].kind);
        assert_string_equal(err.reason, expected[i].reason);
        assert_int_equal(status.code, expected[i].code);
        assert_int_equal(err.retry_after_ms, expected[i].retry_ms);
        assert_memory_equal(err.text, "GET /x: ", 8);
    }
    bed_done(&bed);
    struct error err = {0};
    bed_init(&bed, NULL, 0);
    free(bed.config.server);
    bed.config.server = mem_strdup("http://127.0.0.1:1");
    assert_int_equal(kube_get(bed.client, "/x", 1000, NULL, &err), -1);
    assert_int_equal(err.kind, ERROR_UNAVAILABLE);
    assert_string_equal(err.reason, "ConnectFailed");
    bed_done(&bed);
}

static void put_token(const char *path, const char *token)
{
    FILE *file = fopen(path, "w");
    fputs(token, file);
    fclose(file);
}

static void test_401_reads_the_token_anew_once(void **state)
{
    (void)state;
    const struct fake_reply replies[] = {{200, "{}", NULL, FAKE_WHOLE},
                                         {401, "", NULL, FAKE_WHOLE},
                                         {200, "{}", NULL, FAKE_WHOLE},
                                         {401, "", NULL, FAKE_WHOLE},
                                         {401, "", NULL, FAKE_WHOLE}};
    char path[] = "/tmp/test-kube-token-XXXXXX";
    close(mkstemp(path));
    put_token(path, "first\n");
    struct bed bed;
    struct error err = {0};
    bed_init(&bed, replies, ARRAY_LEN(replies));
    bed.config.token_file = mem_strdup(path);
    assert_int_equal(kube_get(bed.client, "/x", 0, NULL, &err), 0);
    put_token(path, "second\n");
    assert_int_equal(kube_get(bed.client, "/x", 0, NULL, &err), 0);
    remove(path);
    assert_int_equal(kube_get(bed.client, "/x", 0, NULL, &err), -1);
    assert_int_equal(err.kind, ERROR_DENIED);
    static const char *const tokens[] = {"first", "first", "second", "second", "second"};
    for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
        CLEANUP(freep) char *header = mem_printf("Authorization: Bearer %s\r\n", tokens[i]);
        assert_non_null(strstr(fake_api_get_request(bed.api, i), header));
    }
    assert_null(fake_api_get_request(bed.api, 5));
    bed_done(&bed);
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        struct kube_resource resource;
        const char *name_space, *name, *path;
    } cases[] = {
        {{"", "v1", "namespaces"}, NULL, "kube-system", "/api/v1/namespaces/kube-system"},
        {{"tee.dev", "v1alpha1", "teedeployments"}, NULL, NULL, "/apis/tee.dev/v1alpha1/teedeployments"},
        {{"tee.dev", "v1alpha1", "teedeployments"},
         "n",
         "a/../b?c",
         "/apis/tee.dev/v1alpha1/namespaces/n/teedeployments/a%2F..%2Fb%3Fc"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(freep) char *path = kube_path(&cases[i].resource, cases[i].name_space, cases[i].name);
        assert_string_equal(path, cases[i].path);
    }
}

static void test_events_are_created_then_counted(void **state)
{
    (void)state;
    const struct fake_reply replies[] = {{201, "{}", NULL, FAKE_WHOLE},
                                         {200, "{}", NULL, FAKE_WHOLE},
                                         {404, "", NULL, FAKE_WHOLE},
                                         {201, "{}", NULL, FAKE_WHOLE},
                                         {403, "", NULL, FAKE_WHOLE}};
    static const struct event_source source = {"tee.dev/controller", "host"};
    struct event event = {.api_version = "tee.dev/v1alpha1",
                          .kind = "TeeDeployment",
                          .name_space = "ns",
                          .name = "a",
                          .uid = "u",
                          .reason = "Launched",
                          .action = "Launch",
                          .note = "Instance i-1"};
    struct bed bed;
    bed_init(&bed, replies, ARRAY_LEN(replies));
    struct event_queue *queue = event_queue_start(bed.client, &source, NULL);
    for (int i = 0; i < 3; i++)
        event_queue_emit(queue, &event);
    event.reason = "Refused";
    event_queue_emit(queue, &event);
    assert_true(fake_api_wait(bed.api, 5));
    static const char *const starts[] = {"POST /apis/events.k8s.io/v1/namespaces/ns/events HTTP",
                                         "PATCH /apis/events.k8s.io/v1/namespaces/ns/events/a.",
                                         "PATCH /apis/events.k8s.io/v1/namespaces/ns/events/a.",
                                         "POST /apis/events.k8s.io/v1/namespaces/ns/events HTTP", "POST "};
    for (size_t i = 0; i < ARRAY_LEN(starts); i++)
        assert_memory_equal(fake_api_get_request(bed.api, i), starts[i], strlen(starts[i]));
    assert_non_null(strstr(fake_api_get_request(bed.api, 2), "{\"series\":{\"count\":3,"));
    event_queue_free(queue);
    bed_done(&bed);
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
    assert_int_equal(bed.script.next, 7);
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

static void take_object(void *ctx, enum watch_event_type type, const char *json, size_t len)
{
    (void)ctx;
    (void)type;
    (void)json;
    (void)len;
}

static bool take_oversized(void *ctx, enum watch_event_type type, const char *beginning, size_t len)
{
    take_object(ctx, type, beginning, len);
    return true;
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
    put_token(path, text);
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
        cmocka_unit_test(test_what_is_sent),
        cmocka_unit_test(test_what_is_observed),
        cmocka_unit_test(test_another_program_as_another_user),
        cmocka_unit_test(test_each_warning_is_told_once),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_401_reads_the_token_anew_once),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_events_are_created_then_counted),
        cmocka_unit_test(test_own_rate),
        cmocka_unit_test(test_nothing_is_sent_past_the_deadline),
        cmocka_unit_test(test_a_pause_is_everybodys),
        cmocka_unit_test(test_a_watcher_waits_for_the_end_of_a_pause),
        cmocka_unit_test(test_the_wait_for_credentials_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
