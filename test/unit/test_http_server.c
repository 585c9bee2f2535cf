/* The HTTP server over loopback, with a client of plain sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/server.h"

enum { BIG_BYTES = 300000 };

static void serve_ok(void *ctx, const char *query, struct buf *out, int *ret_status)
{
    (void)ret_status;
    buf_printf(out, "%s[%s]", (const char *)ctx, query);
}

static void serve_unready(void *ctx, const char *query, struct buf *out, int *ret_status)
{
    (void)ctx;
    (void)query;
    *ret_status = 503;
    buf_puts(out, "lease: not seen");
}

static void serve_big(void *ctx, const char *query, struct buf *out, int *ret_status)
{
    (void)ctx;
    (void)query;
    (void)ret_status;
    for (int i = 0; i < BIG_BYTES; i++)
        buf_putc(out, (char)('a' + i % 26));
}

static int dial(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval limit = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* Sends text and reads until the server closes; the caller frees. */
static char *exchange(int port, const char *text)
{
    int fd = dial(port);
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    struct buf got;
    buf_init(&got, 1 << 20);
    char piece[4096];
    for (ssize_t len = 0; (len = recv(fd, piece, sizeof(piece), 0)) > 0;)
        buf_append(&got, piece, (size_t)len);
    close(fd);
    return buf_steal(&got);
}

static struct http_server *start(void)
{
    static const struct http_route health[] = {{"/healthz", "text/plain", serve_ok, (void *)"ok"},
                                               {"/readyz", "text/plain", serve_unready, NULL}};
    static const struct http_route metrics[] = {{"/metrics", "text/plain; version=0.0.4", serve_big, NULL}};
    const struct http_listener listeners[] = {
        {"127.0.0.1:0", health, 2}, {"0", metrics, 1}, {"127.0.0.1:0", metrics, 1}};
    struct http_server *server = NULL;
    struct error err = {0};
    assert_int_equal(http_server_start(listeners, 3, &server, &err), 0);
    return server;
}

static void test_routes(void **state)
{
    (void)state;
    static const struct {
        const char *name, *request, *status, *body;
    } cases[] = {
        {"found", "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200", "ok[]"},
        {"query", "GET /healthz?a=1&b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200",
         "ok[a=1&b]"},
        {"handler's status", "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 503",
         "lease: not seen"},
        {"absent", "GET /secret HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 404", "404"},
        {"other listener's", "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 404",
         "404"},
        {"method", "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
         "HTTP/1.1 405", "405"},
        {"HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.", "ok[]"},
    };
    struct http_server *server = start();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *got = exchange(http_server_get_port(server, 0), cases[i].request);
        if (strncmp(got, cases[i].status, strlen(cases[i].status)) != 0 || !strstr(got, cases[i].body))
            fail_msg("%s: %s", cases[i].name, got);
        free(got);
    }
    assert_int_equal(http_server_get_port(server, 1), 0);
    http_server_free(server);
}

static void test_large_answer_is_whole(void **state)
{
    (void)state;
    struct http_server *server = start();
    char *got = exchange(http_server_get_port(server, 2),
                         "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const char *body = strstr(got, "\r\n\r\n");
    assert_non_null(body);
    assert_int_equal(strlen(body + 4), BIG_BYTES);
    assert_non_null(strstr(got, "content-type: text/plain; version=0.0.4"));
    free(got);
    http_server_free(server);
}

static void test_keep_alive_and_idle_connections(void **state)
{
    (void)state;
    struct http_server *server = start();
    int idle = dial(http_server_get_port(server, 0));
    char *got = exchange(http_server_get_port(server, 0),
                         "GET /healthz?1 HTTP/1.1\r\nHost: x\r\n\r\n"
                         "GET /healthz?2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(got, "ok[1]"));
    assert_non_null(strstr(got, "ok[2]"));
    free(got);
    http_server_free(server);
    close(idle);
}

/* More than the server takes: those that wait are served when others go. */
static void test_idle_crowd(void **state)
{
    (void)state;
    struct http_server *server = start();
    int crowd[100];
    for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
        crowd[i] = dial(http_server_get_port(server, 0));
    for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
        close(crowd[i]);
    char *got =
        exchange(http_server_get_port(server, 0), "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(got, "ok[]"));
    free(got);
    http_server_free(server);
}

static void test_address_in_use(void **state)
{
    (void)state;
    struct http_server *server = start();
    CLEANUP(freep) char *address = mem_printf("127.0.0.1:%d", http_server_get_port(server, 0));
    const struct http_listener listener = {address, NULL, 0};
    struct http_server *second = NULL;
    struct error err = {0};
    assert_int_equal(http_server_start(&listener, 1, &second, &err), -1);
    assert_int_equal(err.kind, ERROR_UNAVAILABLE);
    assert_non_null(strstr(err.text, address));
    http_server_free(server);
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *address, *host;
        int port; /* -2 = refused */
    } cases[] = {
        {"", "", -1},        {"0", "", -1},         {NULL, "", -1},
        {":8080", "", 8080}, {"[::1]:1", "::1", 1}, {"a.b:65535", "a.b", 65535},
        {"8080", NULL, -2},  {":65536", NULL, -2},  {"::1:80", NULL, -2},
        {"x:", NULL, -2},    {"x:1y", NULL, -2},    {"x:-1", NULL, -2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(freep) char *host = NULL;
        int port = -2;
        struct error err = {0};
        int result = http_address_parse(cases[i].address, &host, &port, &err);
        assert_int_equal(result, cases[i].port == -2 ? -1 : 0);
        assert_int_equal(port, cases[i].port);
        if (result == 0)
            assert_string_equal(host, cases[i].host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes),         cmocka_unit_test(test_large_answer_is_whole),
        cmocka_unit_test(test_address_in_use), cmocka_unit_test(test_keep_alive_and_idle_connections),
        cmocka_unit_test(test_addresses),      cmocka_unit_test(test_idle_crowd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
