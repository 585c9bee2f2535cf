/* Plain blocking sockets; stopping shuts all of them down. */
#include "fake_api.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 32, MAX_REQUESTS = 256, MAX_REQUEST_BYTES = 1 << 20, WAIT_MS = 20000 };

struct connection {
    struct fake_api *api;
    int fd;
    bool is_used;
    bool is_over;
    pthread_t thread;
};

struct fake_api {
    fake_answer *answer;
    void *ctx;
    int fd;
    int port;
    bool is_stopping;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_mutex_t answer_mutex;
    pthread_cond_t cond;
    struct connection connections[MAX_CONNECTIONS];
    char *requests[MAX_REQUESTS];
    size_t count;
};

static bool send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        data += sent;
        len -= (size_t)sent;
    }
    return true;
}

static size_t body_length(const char *head)
{
    const char *header = strcasestr(head, "\r\nContent-Length:");
    return header ? (size_t)strtoul(header + 17, NULL, 10) : 0;
}

/* One whole request in a buffer; false when the peer is gone. */
static bool read_request(int fd, struct buf *in)
{
    for (;;) {
        const char *end = strstr(buf_text(in), "\r\n\r\n");
        if (end && in->len >= (size_t)(end + 4 - in->data) + body_length(in->data))
            return true;
        char piece[4096];
        ssize_t len = recv(fd, piece, sizeof(piece), 0);
        if (len <= 0 || buf_append(in, piece, (size_t)len) < 0)
            return false;
    }
}

static void keep_request(struct fake_api *api, const char *request)
{
    LOCK_SCOPE(&api->mutex);
    assert(api->count < MAX_REQUESTS);
    api->requests[api->count++] = mem_strdup(request);
    pthread_cond_broadcast(&api->cond);
}

static bool send_chunks(int fd, const char *body, size_t size)
{
    size_t len = strlen(body);
    for (size_t at = 0; at < len; at += size) {
        struct buf chunk;
        size_t now = len - at < size ? len - at : size;
        buf_init(&chunk, len + 64);
        buf_printf(&chunk, "%zx\r\n%.*s\r\n", now, (int)now, body + at);
        bool is_sent = send_all(fd, buf_text(&chunk), chunk.len);
        buf_done(&chunk);
        if (!is_sent)
            return false;
    }
    return true;
}

/* True if the connection may carry another request. */
static bool send_reply(int fd, const struct fake_reply *reply)
{
    char head[1024];
    const char *body = reply->body ? reply->body : "";
    bool is_chunked = reply->how == FAKE_BYTES || reply->how == FAKE_HANG;
    char length[64] = "Transfer-Encoding: chunked";
    if (!is_chunked)
        snprintf(length, sizeof(length), "Content-Length: %zu",
                 strlen(body) + (reply->how == FAKE_CUT ? 100 : 0));
    int len = snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%s\r\n%s\r\n",
                       reply->status, length, reply->headers ? reply->headers : "");
    if (!send_all(fd, head, (size_t)len))
        return false;
    if (!is_chunked)
        return send_all(fd, body, strlen(body)) && reply->how == FAKE_WHOLE;
    if (!send_chunks(fd, body, reply->how == FAKE_BYTES ? 1 : 4096))
        return false;
    if (reply->how == FAKE_BYTES)
        return send_all(fd, "0\r\n\r\n", 5);
    char drop[256];
    while (recv(fd, drop, sizeof(drop), 0) > 0) {
    }
    return false;
}

static void *serve(void *ctx)
{
    struct connection *connection = ctx;
    struct fake_api *api = connection->api;
    bool is_open = true;
    while (is_open) {
        struct buf in;
        buf_init(&in, MAX_REQUEST_BYTES);
        is_open = read_request(connection->fd, &in);
        if (is_open) {
            mutex_lock(&api->answer_mutex);
            struct fake_reply reply = api->answer(api->ctx, in.data);
            keep_request(api, in.data);
            mutex_unlock(&api->answer_mutex);
            is_open = send_reply(connection->fd, &reply);
            free(reply.body);
        }
        buf_done(&in);
    }
    LOCK_SCOPE(&api->mutex);
    close(connection->fd);
    connection->is_over = true;
    return NULL;
}

static void add_connection(struct fake_api *api, int fd)
{
    LOCK_SCOPE(&api->mutex);
    for (size_t i = 0; i < MAX_CONNECTIONS; i++) {
        struct connection *connection = &api->connections[i];
        if (connection->is_used && !connection->is_over)
            continue;
        if (connection->is_used)
            thread_join(connection->thread);
        *connection = (struct connection){.api = api, .fd = fd, .is_used = true};
        connection->thread = thread_start("fake-api-conn", serve, connection);
        return;
    }
    assert(!"too many connections");
}

static void *accept_all(void *ctx)
{
    struct fake_api *api = ctx;
    for (;;) {
        int fd = accept(api->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        add_connection(api, fd);
    }
}

struct fake_api *fake_api_start(fake_answer *answer, void *ctx)
{
    struct fake_api *api = mem_calloc(1, sizeof(*api));
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    api->answer = answer;
    api->ctx = ctx;
    api->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(api->fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(api->fd, 16) < 0 ||
        getsockname(api->fd, (struct sockaddr *)&at, &len) < 0)
        abort();
    api->port = ntohs(at.sin_port);
    mutex_init(&api->mutex);
    mutex_init(&api->answer_mutex);
    cond_init(&api->cond);
    api->thread = thread_start("fake-api", accept_all, api);
    return api;
}

void fake_api_stop(struct fake_api *api)
{
    shutdown(api->fd, SHUT_RDWR);
    thread_join(api->thread);
    close(api->fd);
    for (size_t i = 0; i < MAX_CONNECTIONS; i++) {
        struct connection *connection = &api->connections[i];
        if (!connection->is_used)
            continue;
        mutex_lock(&api->mutex);
        if (!connection->is_over)
            shutdown(connection->fd, SHUT_RDWR);
        mutex_unlock(&api->mutex);
        thread_join(connection->thread);
    }
    for (size_t i = 0; i < api->count; i++)
        free(api->requests[i]);
    pthread_cond_destroy(&api->cond);
    pthread_mutex_destroy(&api->answer_mutex);
    pthread_mutex_destroy(&api->mutex);
    free(api);
}

int fake_api_get_port(const struct fake_api *api)
{
    return api->port;
}

bool fake_api_wait(struct fake_api *api, size_t count)
{
    int64_t deadline_ms = clock_mono_ms(clock_real()) + WAIT_MS;
    LOCK_SCOPE(&api->mutex);
    while (api->count < count)
        if (!cond_wait_until(&api->cond, &api->mutex, deadline_ms))
            return api->count >= count;
    return true;
}

const char *fake_api_get_request(struct fake_api *api, size_t index)
{
    LOCK_SCOPE(&api->mutex);
    return index < api->count ? api->requests[index] : NULL;
}
