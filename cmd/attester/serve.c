/* A connection reads its request, writes its answer, and then waits for the peer's end: closing at once would
 * let unread bytes of the peer turn into a reset that takes the answer with it. */
#include "serve.h"

#include "nitro/native.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MAX = 32 * 1024, IDLE_POLL_MS = 60 * 1000, SIGNAL = 0, LISTENER = 1, FIRST = 2 };

enum stage { STAGE_FREE, STAGE_READ, STAGE_WRITE, STAGE_DRAIN };

struct connection {
    enum stage stage;
    int fd;
    int64_t deadline_ms;
    char head[NATIVE_HEAD_MAX];
    size_t head_len;
    struct buf answer;
    size_t sent;
};

struct server {
    struct attester *attester;
    struct connection connections[SERVE_CONNECTIONS_MAX];
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void drop(struct connection *connection)
{
    close(connection->fd);
    buf_done(&connection->answer);
    connection->stage = STAGE_FREE;
}

/* A free place, or that of whoever has been reading for longest. */
static struct connection *find_place(struct server *server)
{
    struct connection *slowest = NULL;
    for (int i = 0; i < SERVE_CONNECTIONS_MAX; i++) {
        struct connection *one = &server->connections[i];
        if (one->stage == STAGE_FREE)
            return one;
        if (one->stage != STAGE_WRITE && (!slowest || one->deadline_ms < slowest->deadline_ms))
            slowest = one;
    }
    if (slowest)
        drop(slowest);
    return slowest;
}

static void accept_one(struct server *server, int listen_fd)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct connection *connection = find_place(server);
    if (!connection) {
        close(fd);
        return;
    }
    connection->stage = STAGE_READ;
    connection->fd = fd;
    connection->deadline_ms = now_ms() + SERVE_DEADLINE_MS;
    connection->head_len = 0;
    connection->sent = 0;
    buf_init(&connection->answer, ANSWER_MAX);
}

static void write_some(struct connection *connection)
{
    struct buf *answer = &connection->answer;
    ssize_t len =
        send(connection->fd, answer->data + connection->sent, answer->len - connection->sent, MSG_NOSIGNAL);
    if (len < 0 && errno != EAGAIN) {
        drop(connection);
        return;
    }
    connection->sent += len > 0 ? (size_t)len : 0;
    if (connection->sent < answer->len)
        return;
    shutdown(connection->fd, SHUT_WR);
    connection->stage = STAGE_DRAIN;
}

static void read_some(struct server *server, struct connection *connection)
{
    size_t room = sizeof(connection->head) - connection->head_len;
    ssize_t len = read(connection->fd, connection->head + connection->head_len, room);
    if (len < 0 && errno == EAGAIN)
        return;
    if (len <= 0) {
        drop(connection);
        return;
    }
    connection->head_len += (size_t)len;
    if (!attester_answer(server->attester, connection->head, connection->head_len, now_ms(),
                         &connection->answer))
        return;
    connection->stage = STAGE_WRITE;
    connection->deadline_ms = now_ms() + SERVE_DEADLINE_MS;
    write_some(connection);
}

static void drain(struct connection *connection)
{
    char rest[1024];
    ssize_t len = read(connection->fd, rest, sizeof(rest));
    if (len == 0 || (len < 0 && errno != EAGAIN))
        drop(connection);
}

static void advance(struct server *server, struct connection *connection)
{
    switch (connection->stage) {
    case STAGE_READ: read_some(server, connection); break;
    case STAGE_WRITE: write_some(connection); break;
    case STAGE_DRAIN: drain(connection); break;
    case STAGE_FREE: break;
    }
}

/* What to wait for; returns how long at most. */
static int fill_polls(const struct server *server, struct pollfd *polls)
{
    int64_t wait_ms = IDLE_POLL_MS, now = now_ms();
    for (int i = 0; i < SERVE_CONNECTIONS_MAX; i++) {
        const struct connection *one = &server->connections[i];
        bool is_free = one->stage == STAGE_FREE;
        short events = one->stage == STAGE_WRITE ? POLLOUT : POLLIN;
        polls[FIRST + i] = (struct pollfd){.fd = is_free ? -1 : one->fd, .events = events};
        if (!is_free && one->deadline_ms - now < wait_ms)
            wait_ms = one->deadline_ms - now;
    }
    return wait_ms > 0 ? (int)wait_ms : 0;
}

static void advance_all(struct server *server, const struct pollfd *polls)
{
    int64_t now = now_ms();
    for (int i = 0; i < SERVE_CONNECTIONS_MAX; i++) {
        struct connection *one = &server->connections[i];
        if (one->stage != STAGE_FREE && polls[FIRST + i].revents)
            advance(server, one);
        if (one->stage != STAGE_FREE && now >= one->deadline_ms)
            drop(one);
    }
}

int serve(int listen_fd, struct attester *attester, struct child *child)
{
    struct server server = {.attester = attester};
    struct pollfd polls[FIRST + SERVE_CONNECTIONS_MAX];
    int exit_code = 0;
    bool is_over = false;
    while (!is_over) {
        polls[SIGNAL] = (struct pollfd){.fd = child->signal_fd, .events = POLLIN};
        polls[LISTENER] = (struct pollfd){.fd = listen_fd, .events = POLLIN};
        if (poll(polls, ARRAY_LEN(polls), fill_polls(&server, polls)) < 0)
            continue;
        advance_all(&server, polls);
        if (polls[LISTENER].revents)
            accept_one(&server, listen_fd);
        if (polls[SIGNAL].revents)
            is_over = child_handle(child, &exit_code);
    }
    for (int i = 0; i < SERVE_CONNECTIONS_MAX; i++)
        if (server.connections[i].stage != STAGE_FREE)
            drop(&server.connections[i]);
    return exit_code;
}
