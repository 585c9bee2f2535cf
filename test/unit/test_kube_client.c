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

#if defined(__aarch64__)
#define ARCHITECTURE "arm64"
#else
#define ARCHITECTURE "amd64"
#endif

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
    bed.config.token = secret_new("secret");
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
        "\r\nUser-Agent: tee-controller/" TEE_VERSION " (linux/" ARCHITECTURE ") me\r\n",
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
    assert_non_null(
        strstr(request, "\r\nUser-Agent: kubectl-tee/" TEE_VERSION " (linux/" ARCHITECTURE ")\r\n"));
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

/* The requests so far, by the token of each. */
static void assert_tokens(struct fake_api *api, const char *const *tokens, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CLEANUP(freep) char *header = mem_printf("Authorization: Bearer %s\r\n", tokens[i]);
        assert_non_null(strstr(fake_api_get_request(api, i), header));
    }
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
    assert_tokens(bed.api, tokens, ARRAY_LEN(tokens));
    assert_null(fake_api_get_request(bed.api, 5));
    bed_done(&bed);
}

/* What one client learned of a 401 the other does not ask for. */
static void test_two_clients_share_their_credentials(void **state)
{
    (void)state;
    const struct fake_reply replies[] = {{200, "{}", NULL, FAKE_WHOLE},
                                         {200, "{}", NULL, FAKE_WHOLE},
                                         {401, "", NULL, FAKE_WHOLE},
                                         {200, "{}", NULL, FAKE_WHOLE},
                                         {200, "{}", NULL, FAKE_WHOLE}};
    char path[] = "/tmp/test-kube-token-XXXXXX";
    close(mkstemp(path));
    put_token(path, "first\n");
    struct bed bed;
    struct error err = {0};
    bed_init(&bed, replies, ARRAY_LEN(replies));
    bed.config.token_file = mem_strdup(path);
    struct kube_client *other = kube_client_new(
        &(struct kube_client_options){.config = &bed.config,
                                      .clock = clock_real(),
                                      .credentials = kube_client_get_credentials(bed.client)});
    assert_int_equal(kube_get(bed.client, "/x", 0, NULL, &err), 0);
    assert_int_equal(kube_get(other, "/x", 0, NULL, &err), 0);
    put_token(path, "second\n");
    assert_int_equal(kube_get(other, "/x", 0, NULL, &err), 0);
    assert_int_equal(kube_get(bed.client, "/x", 0, NULL, &err), 0);
    remove(path);
    static const char *const tokens[] = {"first", "first", "first", "second", "second"};
    assert_tokens(bed.api, tokens, ARRAY_LEN(tokens));
    kube_client_free(other);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_sent),
        cmocka_unit_test(test_what_is_observed),
        cmocka_unit_test(test_another_program_as_another_user),
        cmocka_unit_test(test_each_warning_is_told_once),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_401_reads_the_token_anew_once),
        cmocka_unit_test(test_two_clients_share_their_credentials),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_events_are_created_then_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
