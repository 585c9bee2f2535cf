/* The outgoing side of pkg/http against a scripted server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/clock.h"
#include "base/mem.h"
#include "fake_api.h"
#include "http/client.h"

static struct fake_reply play(void *ctx, const char *request)
{
    struct fake_reply reply = *(const struct fake_reply *)ctx;
    (void)request;
    reply.body = mem_strdup(reply.body);
    return reply;
}

/* One request to a server that answers with `reply`; yields what http_perform() does. */
static int fetch(const struct fake_reply *reply, struct http_request request,
                 struct http_response *ret_response, struct error *err)
{
    struct fake_api *api = fake_api_start(play, (void *)reply);
    struct http_client *client = http_client_new();
    CLEANUP(freep) char *url = mem_printf("http://127.0.0.1:%d/x", fake_api_get_port(api));
    request.method = "GET";
    request.url = url;
    request.direct = true;
    if (request.max_body_bytes == 0)
        request.max_body_bytes = 1000;
    int result = http_perform(client, &request, ret_response, err);
    if (result == 0 && reply->headers && strstr(reply->headers, "X-Test:"))
        assert_string_equal(http_client_get_header(client, "x-TEST"), "a  b");
    assert_null(http_client_get_header(client, "Absent"));
    http_client_free(client);
    fake_api_stop(api);
    return result;
}

static void test_answers(void **state)
{
    (void)state;
    static const struct fake_reply ok = {
        200, (char *)"body", "X-Test:  a  b \r\nRetry-After: 5\r\nDate: Fri, 02 Jan 2026 03:04:05 GMT\r\n",
        FAKE_WHOLE};
    struct http_response response;
    struct error err = {0};
    assert_int_equal(fetch(&ok, (struct http_request){.total_timeout_ms = 5000}, &response, &err), 0);
    assert_int_equal(response.status, 200);
    assert_string_equal(buf_text(&response.body), "body");
    assert_string_equal(response.content_type, "application/json");
    assert_int_equal(response.retry_after_ms, 5000);
    assert_int_equal(response.date_ms, 1767323045000);
    assert_false(response.has_peer_cert);
    http_response_done(&response);
    static const struct fake_reply moved = {302, NULL, "X-Test: a  b\r\nLocation: /elsewhere\r\n",
                                            FAKE_WHOLE};
    assert_int_equal(fetch(&moved, (struct http_request){.total_timeout_ms = 5000}, &response, &err), 0);
    assert_int_equal(response.status, 302);
    http_response_done(&response);
}

static int refuse(void *ctx, const char *data, size_t len, struct error *err)
{
    (void)ctx;
    (void)data;
    (void)len;
    return error_set(err, ERROR_INVALID, "Refused", "not this");
}

static int swallow(void *ctx, const char *data, size_t len, struct error *err)
{
    (void)ctx;
    (void)data;
    (void)len;
    (void)err;
    return 0;
}

static void test_failures(void **state)
{
    (void)state;
    struct stop stopped;
    stop_init(&stopped);
    stop_request(&stopped);
    const struct {
        const char *name;
        struct fake_reply reply;
        struct http_request request;
        enum error_kind kind;
        const char *reason;
    } cases[] = {
        {"too large",
         {200, (char *)"12345", NULL, FAKE_WHOLE},
         {.max_body_bytes = 4},
         ERROR_INVALID,
         "BodyTooLarge"},
        {"cut", {200, (char *)"12345", NULL, FAKE_CUT}, {.max_body_bytes = 0}, ERROR_UNAVAILABLE, "Network"},
        {"endless",
         {200, (char *)"12345", NULL, FAKE_HANG},
         {.max_body_bytes = 4},
         ERROR_INVALID,
         "BodyTooLarge"},
        {"too large for a sink",
         {200, (char *)"12345", NULL, FAKE_BYTES},
         {.max_body_bytes = 4, .sink = swallow},
         ERROR_INVALID,
         "BodyTooLarge"},
        {"silent",
         {200, (char *)"12345", NULL, FAKE_HANG},
         {.idle_timeout_ms = 100},
         ERROR_UNAVAILABLE,
         "Timeout"},
        {"slow",
         {200, (char *)"12345", NULL, FAKE_HANG},
         {.total_timeout_ms = 100},
         ERROR_UNAVAILABLE,
         "Timeout"},
        {"sink", {200, (char *)"12345", NULL, FAKE_BYTES}, {.sink = refuse}, ERROR_INVALID, "Refused"},
        {"stopped", {200, (char *)"12345", NULL, FAKE_HANG}, {.stop = &stopped}, ERROR_STOPPED, "Stopped"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_response response = {.status = 0};
        struct error err = {0};
        int result = fetch(&cases[i].reply, cases[i].request, &response, &err);
        if (result == 0 || err.kind != cases[i].kind || strcmp(err.reason, cases[i].reason) != 0)
            fail_msg("%s: %s: %s", cases[i].name, err.reason, err.text);
    }
    stop_done(&stopped);
}

static void test_an_error_body_is_cut(void **state)
{
    (void)state;
    CLEANUP(freep) char *text = mem_alloc(100001);
    memset(text, 'e', 100000);
    text[100000] = '\0';
    const struct fake_reply reply = {503, text, NULL, FAKE_WHOLE};
    struct http_response response;
    struct error err = {0};
    assert_int_equal(fetch(&reply, (struct http_request){.sink = refuse}, &response, &err), 0);
    assert_int_equal(response.body.len, 64 * 1024);
    http_response_done(&response);
}

static void test_bad_urls(void **state)
{
    (void)state;
    static const char *const urls[] = {"file:///etc/passwd", "gopher://x/", "http://", "https://h:99999/"};
    struct http_client *client = http_client_new();
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        const struct http_request request = {
            .method = "GET", .url = urls[i], .max_body_bytes = 10, .total_timeout_ms = 1000, .direct = true};
        struct http_response response;
        struct error err = {0};
        assert_int_equal(http_perform(client, &request, &response, &err), -1);
        assert_string_equal(err.reason, "BadUrl");
    }
    http_client_free(client);
}

/* As a date. */
static void format_wait(int seconds, char *ret_header, size_t size)
{
    time_t at = time(NULL) + seconds;
    struct tm parts;
    gmtime_r(&at, &parts);
    strftime(ret_header, size, "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
}

/* None is believed to be longer than a minute. */
static void test_waits_that_the_peer_names(void **state)
{
    (void)state;
    char soon[128];
    char late[128];
    format_wait(20, soon, sizeof(soon));
    format_wait(3000, late, sizeof(late));
    const struct {
        const char *headers;
        int64_t min_ms, max_ms;
    } cases[] = {
        {"Retry-After: 7\r\n", 7000, 7000},
        {"retry-after: 0\r\n", 0, 0},
        {"Retry-After: -3\r\n", 0, 0},
        {"Retry-After: 7x\r\n", 0, 0},
        {"Retry-After: 60\r\n", 60000, 60000},
        {"Retry-After: 61\r\n", 60000, 60000},
        {"Retry-After: 86399\r\n", 60000, 60000},
        {"Retry-After: 99999999999999999999\r\n", 60000, 60000},
        {"Retry-After: Fri, 02 Jan 1998 03:04:05 GMT\r\n", 0, 0},
        {soon, 18000, 20000},
        {late, 60000, 60000},
        {"x-amz-retry-after: 1500\r\n", 1500, 1500},
        {"x-amz-retry-after: 60001\r\n", 60000, 60000},
        {"X-Amz-Retry-After: soon\r\n", 0, 0},
        {"x-amz-retry-after: 1500\r\nRetry-After: 2\r\n", 2000, 2000},
        {"X-Other: 5\r\n", 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct fake_reply reply = {503, NULL, cases[i].headers, FAKE_WHOLE};
        struct http_response response;
        struct error err = {0};
        if (fetch(&reply, (struct http_request){.total_timeout_ms = 5000}, &response, &err) < 0)
            fail_msg("%s%s", cases[i].headers, err.text);
        if (response.retry_after_ms < cases[i].min_ms || response.retry_after_ms > cases[i].max_ms)
            fail_msg("%s%lld", cases[i].headers, (long long)response.retry_after_ms);
        http_response_done(&response);
    }
}

static void test_chunks_make_one_body(void **state)
{
    (void)state;
    static const struct fake_reply reply = {200, (char *)"piece by piece", NULL, FAKE_BYTES};
    struct http_response response;
    struct error err = {0};
    assert_int_equal(fetch(&reply, (struct http_request){.total_timeout_ms = 5000}, &response, &err), 0);
    assert_string_equal(buf_text(&response.body), "piece by piece");
    http_response_done(&response);
}

/* Our own sockets are found by the port of their peer. */
static void test_a_vanished_peer_is_noticed_by_the_kernel(void **state)
{
    (void)state;
    static const struct fake_reply reply = {200, (char *)"{}", NULL, FAKE_WHOLE};
    struct fake_api *api = fake_api_start(play, (void *)&reply);
    struct http_client *client = http_client_new();
    CLEANUP(freep) char *url = mem_printf("http://127.0.0.1:%d/x", fake_api_get_port(api));
    const struct http_request request = {
        .method = "GET", .url = url, .max_body_bytes = 10, .total_timeout_ms = 5000, .direct = true};
    struct http_response response;
    struct error err = {0};
    assert_int_equal(http_perform(client, &request, &response, &err), 0);
    http_response_done(&response);
    int found = 0;
    for (int fd = 0; fd < 1024; fd++) {
        struct sockaddr_in peer;
        unsigned int timeout_ms = 0;
        socklen_t peer_len = sizeof(peer);
        socklen_t len = sizeof(timeout_ms);
        if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) < 0 ||
            ntohs(peer.sin_port) != fake_api_get_port(api))
            continue;
        found++;
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, &len), 0);
        assert_int_equal(timeout_ms, 30000);
    }
    assert_int_equal(found, 1);
    http_client_free(client);
    fake_api_stop(api);
}

struct stopper {
    struct fake_api *api;
    struct stop *stop;
};

static void *stop_soon(void *ctx)
{
    const struct stopper *stopper = ctx;
    fake_api_wait(stopper->api, 1);
    stop_request(stopper->stop);
    return NULL;
}

/* The stop comes while the answer is under way. */
static void test_a_stop_ends_a_transfer(void **state)
{
    (void)state;
    static const struct fake_reply reply = {200, (char *)"some", NULL, FAKE_HANG};
    struct stop stop;
    stop_init(&stop);
    struct fake_api *api = fake_api_start(play, (void *)&reply);
    struct stopper stopper = {api, &stop};
    struct http_client *client = http_client_new();
    CLEANUP(freep) char *url = mem_printf("http://127.0.0.1:%d/x", fake_api_get_port(api));
    const struct http_request request = {.method = "GET",
                                         .url = url,
                                         .max_body_bytes = 10,
                                         .idle_timeout_ms = 60000,
                                         .direct = true,
                                         .stop = &stop};
    struct http_response response;
    struct error err = {0};
    pthread_t thread = thread_start("stopper", stop_soon, &stopper);
    int64_t start_ms = clock_mono_ms(clock_real());
    assert_int_equal(http_perform(client, &request, &response, &err), -1);
    assert_string_equal(err.reason, "Stopped");
    assert_true(clock_mono_ms(clock_real()) - start_ms < 20000);
    thread_join(thread);
    http_client_free(client);
    fake_api_stop(api);
    stop_done(&stop);
}

/* The port was free a moment ago. */
static void test_nobody_listens(void **state)
{
    (void)state;
    static const struct fake_reply unused = {200, NULL, NULL, FAKE_WHOLE};
    struct fake_api *api = fake_api_start(play, (void *)&unused);
    CLEANUP(freep) char *url = mem_printf("http://127.0.0.1:%d/x", fake_api_get_port(api));
    fake_api_stop(api);
    struct http_client *client = http_client_new();
    const struct http_request request = {
        .method = "GET", .url = url, .max_body_bytes = 10, .total_timeout_ms = 5000, .direct = true};
    struct http_response response;
    struct error err = {0};
    assert_int_equal(http_perform(client, &request, &response, &err), -1);
    assert_int_equal(err.kind, ERROR_UNAVAILABLE);
    assert_string_equal(err.reason, "ConnectFailed");
    http_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_an_error_body_is_cut),
        cmocka_unit_test(test_bad_urls),
        cmocka_unit_test(test_waits_that_the_peer_names),
        cmocka_unit_test(test_chunks_make_one_body),
        cmocka_unit_test(test_a_vanished_peer_is_noticed_by_the_kernel),
        cmocka_unit_test(test_a_stop_ends_a_transfer),
        cmocka_unit_test(test_nobody_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
