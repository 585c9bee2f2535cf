/* Connections are small state machines over non-blocking sockets: read the head, write the answer, then wait
 * for the peer to close, so that data still in flight is not lost to a reset. */
#include "sim/enclave_host.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "sim/enclave_answer.h"
#include "sim/enclave_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

enum {
    MAX_CONNECTIONS = 512,
    LIFE_MS = 30 * 1000,
    LINGER_MS = 2 * 1000,
    SLOW_MS = 1000,
    TICK_MS = 200,
    OUT_MAX = 512 * 1024,
    PIECE = 16 * 1024,
    FIXED_FDS = 3
};

enum phase { PHASE_READ, PHASE_WRITE, PHASE_LINGER, PHASE_DEAD };

struct connection {
    int fd;
    SSL *tls; /* NULL on the plain port */
    uint32_t address;
    enum phase phase;
    enum enclave_pace pace;
    char head[NATIVE_HEAD_MAX];
    size_t head_len;
    struct buf out;
    size_t sent;
    int64_t deadline_ms;
    int64_t next_ms; /* of a slow answer */
    bool wants_write;
};

struct enclave_host {
    struct enclave_answerer answerers[2]; /* plain, TLS */
    SSL_CTX *tls;
    int listeners[2];
    int wake;
    bool checks_peer;
    struct connection *connections[MAX_CONNECTIONS];
    size_t count;
    atomic_bool stopping;
    bool is_running;
    pthread_t thread;
};

static int64_t mono_ms(void)
{
    return clock_mono_ms(clock_real());
}

static int open_listener(struct enclave_host *host, int port, struct error *err)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) < 0)
        host->checks_peer = true;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 128) < 0) {
        error_set(err, ERROR_UNAVAILABLE, "ListenFailed", "could not listen on attestation port %d: %s", port,
                  strerror(errno));
        closep(&fd);
        return -1;
    }
    return fd;
}

static void reset_and_close(int fd)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}

static bool is_loopback(const struct sockaddr_in *address)
{
    return ntohl(address->sin_addr.s_addr) >> 24 == 127;
}

static void connection_free(struct connection *connection)
{
    SSL_free(connection->tls);
    close(connection->fd);
    buf_done(&connection->out);
    free(connection);
}

static void accept_one(struct enclave_host *host, int fd, bool is_tls)
{
    struct sockaddr_in peer;
    struct sockaddr_in own;
    socklen_t peer_len = sizeof(peer);
    socklen_t own_len = sizeof(own);
    struct sim_view view;
    bool is_ours = getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 &&
                   getsockname(fd, (struct sockaddr *)&own, &own_len) == 0;
    if (!is_ours || (host->checks_peer && !is_loopback(&peer)) || host->count == MAX_CONNECTIONS) {
        reset_and_close(fd);
        return;
    }
    sim_service_view(host->answerers[0].service, ntohl(own.sin_addr.s_addr), NULL, &view);
    if (view.host == SIM_HOST_NONE) {
        reset_and_close(fd);
        return;
    }
    struct connection *connection = mem_calloc(1, sizeof(*connection));
    connection->fd = fd;
    connection->address = ntohl(own.sin_addr.s_addr);
    connection->deadline_ms = mono_ms() + LIFE_MS;
    buf_init(&connection->out, OUT_MAX);
    if (is_tls) {
        connection->tls = SSL_new(host->tls);
        SSL_set_fd(connection->tls, fd);
        SSL_set_accept_state(connection->tls);
    }
    host->connections[host->count++] = connection;
}

static void accept_all(struct enclave_host *host, bool is_tls)
{
    int fd = -1;
    while ((fd = accept4(host->listeners[is_tls], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
        accept_one(host, fd, is_tls);
}

/* More than 0: bytes; 0: later; -1: the connection is over. */
static ssize_t transfer(struct connection *connection, void *into, const void *from, size_t len)
{
    connection->wants_write = false;
    if (!connection->tls) {
        ssize_t got =
            into ? recv(connection->fd, into, len, 0) : send(connection->fd, from, len, MSG_NOSIGNAL);
        if (got > 0)
            return got;
        bool is_later = got < 0 && (errno == EAGAIN || errno == EINTR);
        connection->wants_write = is_later && !into;
        return is_later ? 0 : -1;
    }
    int got = into ? SSL_read(connection->tls, into, (int)len) : SSL_write(connection->tls, from, (int)len);
    int reason = got > 0 ? SSL_ERROR_NONE : SSL_get_error(connection->tls, got);
    connection->wants_write = reason == SSL_ERROR_WANT_WRITE;
    if (got > 0)
        return got;
    ERR_clear_error();
    return reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static void read_head(struct enclave_host *host, struct connection *connection)
{
    ssize_t got = transfer(connection, connection->head + connection->head_len, NULL,
                           sizeof(connection->head) - connection->head_len);
    if (got < 0)
        connection->phase = PHASE_DEAD;
    if (got <= 0)
        return;
    connection->head_len += (size_t)got;
    if (!enclave_request_is_whole(connection->head, connection->head_len))
        return;
    connection->pace = enclave_answer(&host->answerers[connection->tls != NULL], connection->address,
                                      connection->head, connection->head_len, &connection->out);
    connection->phase = PHASE_WRITE;
}

static void finish(struct connection *connection)
{
    if (connection->tls)
        SSL_shutdown(connection->tls);
    shutdown(connection->fd, SHUT_WR);
    connection->phase = PHASE_LINGER;
    connection->deadline_ms = mono_ms() + LINGER_MS;
}

static void write_some(struct connection *connection)
{
    static const char filler[PIECE] = {0};
    size_t left = connection->out.len - connection->sent;
    const char *from = connection->out.data + connection->sent;
    if (connection->pace == ENCLAVE_PACE_SLOW) {
        if (mono_ms() < connection->next_ms)
            return;
        connection->next_ms = mono_ms() + SLOW_MS;
        left = left > 1 ? 1 : left;
    }
    if (left == 0 && connection->pace == ENCLAVE_PACE_ENDLESS) {
        from = filler;
        left = sizeof(filler);
    }
    if (left == 0) {
        finish(connection);
        return;
    }
    ssize_t put = transfer(connection, NULL, from, left);
    if (put < 0)
        connection->phase = PHASE_DEAD;
    else if (from != filler)
        connection->sent += (size_t)put;
}

static void drain(struct connection *connection)
{
    char ignored[1024];
    ssize_t got = recv(connection->fd, ignored, sizeof(ignored), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        connection->phase = PHASE_DEAD;
}

static void serve_one(struct enclave_host *host, struct connection *connection)
{
    if (mono_ms() >= connection->deadline_ms)
        connection->phase = PHASE_DEAD;
    if (connection->phase == PHASE_READ)
        read_head(host, connection);
    if (connection->phase == PHASE_WRITE)
        write_some(connection);
    else if (connection->phase == PHASE_LINGER)
        drain(connection);
}

static short events_of(const struct connection *connection)
{
    if (connection->phase == PHASE_WRITE && connection->pace != ENCLAVE_PACE_SLOW)
        return POLLOUT;
    return connection->wants_write ? POLLOUT : POLLIN;
}

static void serve_connections(struct enclave_host *host)
{
    size_t kept = 0;
    size_t count = host->count;
    for (size_t i = 0; i < count; i++) {
        struct connection *connection = host->connections[i];
        serve_one(host, connection);
        if (connection->phase == PHASE_DEAD)
            connection_free(connection);
        else
            host->connections[kept++] = connection;
    }
    host->count = kept;
}

static void *run(void *ctx)
{
    struct enclave_host *host = ctx;
    struct pollfd fds[FIXED_FDS + MAX_CONNECTIONS];
    while (!atomic_load(&host->stopping)) {
        fds[0] = (struct pollfd){.fd = host->wake, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = host->listeners[0], .events = POLLIN};
        fds[2] = (struct pollfd){.fd = host->listeners[1], .events = POLLIN};
        for (size_t i = 0; i < host->count; i++)
            fds[FIXED_FDS + i] =
                (struct pollfd){.fd = host->connections[i]->fd, .events = events_of(host->connections[i])};
        poll(fds, FIXED_FDS + host->count, TICK_MS);
        serve_connections(host);
        accept_all(host, false);
        accept_all(host, true);
    }
    return NULL;
}

static int start(struct enclave_host *host, const char *state_dir, int port, struct error *err)
{
    struct enclave_answerer *plain = &host->answerers[0];
    plain->pki = pki_new(state_dir, err);
    plain->foreign = plain->pki ? pki_new(NULL, err) : NULL;
    if (!plain->foreign)
        return -1;
    host->tls = enclave_tls_new(plain->cert_sha256);
    host->answerers[1] = *plain;
    host->answerers[1].is_tls = true;
    host->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    host->listeners[0] = open_listener(host, port, err);
    host->listeners[1] = host->listeners[0] < 0 ? -1 : open_listener(host, 0, err);
    if (host->wake < 0 || host->listeners[1] < 0)
        return -1;
    host->is_running = true;
    host->thread = thread_start("enclaves", run, host);
    return 0;
}

struct enclave_host *enclave_host_new(struct sim_service *service, const char *state_dir, int port,
                                      struct error *err)
{
    struct enclave_host *host = mem_calloc(1, sizeof(*host));
    host->wake = host->listeners[0] = host->listeners[1] = -1;
    host->answerers[0].service = service;
    return start(host, state_dir, port, err) < 0 ? enclave_host_free(host) : host;
}

int enclave_host_get_port(const struct enclave_host *host, bool is_tls)
{
    struct sockaddr_in address = {0};
    socklen_t len = sizeof(address);
    getsockname(host->listeners[is_tls], (struct sockaddr *)&address, &len);
    return ntohs(address.sin_port);
}

struct enclave_host *enclave_host_free(struct enclave_host *host)
{
    if (!host)
        return NULL;
    atomic_store(&host->stopping, true);
    if (host->is_running) {
        eventfd_write(host->wake, 1);
        thread_join(host->thread);
    }
    for (size_t i = 0; i < host->count; i++)
        connection_free(host->connections[i]);
    SSL_CTX_free(host->tls);
    closep(&host->wake);
    closep(&host->listeners[0]);
    closep(&host->listeners[1]);
    pki_free(host->answerers[0].pki);
    pki_free(host->answerers[0].foreign);
    free(host);
    return NULL;
}
