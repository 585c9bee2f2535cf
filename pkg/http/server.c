/* One libwebsockets context, one virtual host per listener, one protocol that finds its routes through the
 * virtual host's user pointer. The answer is computed whole when the request's head is complete and is then
 * sent in pieces as the socket takes them. */
#include "http/server.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const struct log logger = LOG_ROOT("http");

enum {
    MAX_LISTENERS = 4,
    MAX_FDS = 64,
    MAX_HEAD_BYTES = 4096,
    MAX_QUERY_BYTES = 1024,
    MAX_ANSWER_BYTES = 4 * 1024 * 1024,
    PIECE_BYTES = 16 * 1024,
    HEAD_TIMEOUT_S = 10,
    KEEPALIVE_S = 90
};

/* One request on one connection; zeroed by libwebsockets at the connection's start. */
struct exchange {
    char *body;
    size_t len;
    size_t sent;
};

struct http_server {
    struct http_listener listeners[MAX_LISTENERS];
    int ports[MAX_LISTENERS];
    size_t count;
    struct lws_context *context;
    atomic_bool stopping;
    bool is_running;
    pthread_t thread;
};

static void exchange_reset(struct exchange *exchange)
{
    free(exchange->body);
    *exchange = (struct exchange){0};
}

static const struct http_route *find_route(const struct http_listener *listener, const char *path)
{
    for (size_t i = 0; i < listener->route_count; i++)
        if (strcmp(listener->routes[i].path, path) == 0)
            return &listener->routes[i];
    return NULL;
}

/* The arguments come as fragments; joining them again with '&' is ours to do. -1 if they are too long. */
static int copy_query(struct lws *wsi, char *ret_query, size_t size)
{
    size_t len = 0;
    for (int i = 0;; i++) {
        int fragment = lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, i);
        if (fragment <= 0)
            break;
        if (len + (size_t)fragment + 2 > size)
            return -1;
        if (i > 0)
            ret_query[len++] = '&';
        if (lws_hdr_copy_fragment(wsi, ret_query + len, (int)(size - len), WSI_TOKEN_HTTP_URI_ARGS, i) < 0)
            return -1;
        len += (size_t)fragment;
    }
    ret_query[len] = '\0';
    return 0;
}

/* Fills the exchange's body; yields the status. */
static int answer(struct lws *wsi, const char *path, struct exchange *exchange, const char **ret_type)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, MAX_ANSWER_BYTES);
    int status = 200;
    const struct http_route *route = find_route(lws_get_vhost_user(lws_get_vhost(wsi)), path);
    char query[MAX_QUERY_BYTES] = "";
    *ret_type = "text/plain; charset=utf-8";
    if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) <= 0) {
        status = 405;
    } else if (!route) {
        status = 404;
    } else if (copy_query(wsi, query, sizeof(query)) < 0) {
        status = 414;
    } else {
        *ret_type = route->content_type;
        route->handle(route->ctx, query, &out, &status);
    }
    if (!buf_is_ok(&out)) {
        buf_reset(&out);
        status = 500;
    }
    if (status >= 400 && out.len == 0)
        buf_printf(&out, "%d\n", status);
    exchange->len = out.len;
    exchange->body = buf_steal(&out);
    return status;
}

static int put_header(struct lws *wsi, const char *name, const char *value, unsigned char **at)
{
    unsigned char *end = *at + 256;
    return lws_add_http_header_by_name(wsi, (const unsigned char *)name, (const unsigned char *)value,
                                       (int)strlen(value), at, end);
}

static int on_request(struct lws *wsi, struct exchange *exchange, const char *path)
{
    unsigned char head[LWS_PRE + 1024];
    unsigned char *start = head + LWS_PRE;
    unsigned char *at = start;
    unsigned char *end = head + sizeof(head) - 1;
    const char *type = NULL;
    exchange_reset(exchange);
    int status = answer(wsi, path, exchange, &type);
    if (lws_add_http_common_headers(wsi, (unsigned)status, type, exchange->len, &at, end) ||
        put_header(wsi, "cache-control:", "no-store", &at) ||
        put_header(wsi, "x-content-type-options:", "nosniff", &at) ||
        lws_finalize_write_http_header(wsi, start, &at, end))
        return 1;
    if (exchange->len == 0)
        return lws_http_transaction_completed(wsi) ? -1 : 0;
    lws_callback_on_writable(wsi);
    return 0;
}

static int on_writable(struct lws *wsi, struct exchange *exchange)
{
    unsigned char piece[LWS_PRE + PIECE_BYTES];
    if (!exchange->body)
        return 0;
    size_t len = exchange->len - exchange->sent;
    bool is_last = len <= PIECE_BYTES;
    if (!is_last)
        len = PIECE_BYTES;
    memcpy(piece + LWS_PRE, exchange->body + exchange->sent, len);
    if (lws_write(wsi, piece + LWS_PRE, len, is_last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < (int)len)
        return 1;
    exchange->sent += len;
    if (!is_last) {
        lws_callback_on_writable(wsi);
        return 0;
    }
    exchange_reset(exchange);
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct exchange *exchange = user;
    switch (reason) {
    case LWS_CALLBACK_HTTP: return on_request(wsi, exchange, in);
    case LWS_CALLBACK_HTTP_WRITEABLE: return on_writable(wsi, exchange);
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
        if (exchange)
            exchange_reset(exchange);
        return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: return 1;
    default: return lws_callback_http_dummy(wsi, reason, user, in, len);
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "http", .callback = on_event, .per_session_data_size = sizeof(struct exchange)},
    {.name = NULL},
};

static void log_line(int level, const char *line)
{
    (void)level;
    char text[256];
    snprintf(text, sizeof(text), "%s", line);
    text[strcspn(text, "\n")] = '\0';
    log_debug(&logger, "HTTP server reported", STR("text", text));
}

static void *run(void *ctx)
{
    struct http_server *server = ctx;
    while (!atomic_load(&server->stopping))
        if (lws_service(server->context, 0) < 0)
            break;
    return NULL;
}

static int parse_port(const char *text)
{
    char *end = NULL;
    if (*text < '0' || *text > '9')
        return -1;
    long port = strtol(text, &end, 10);
    return *end != '\0' || port > 65535 ? -1 : (int)port;
}

int http_address_parse(const char *address, char **ret_host, int *ret_port, struct error *err)
{
    if (!address || !*address || strcmp(address, "0") == 0) {
        *ret_host = mem_strdup("");
        *ret_port = -1;
        return 0;
    }
    const char *colon = strrchr(address, ':');
    size_t len = colon ? (size_t)(colon - address) : 0;
    int port = colon ? parse_port(colon + 1) : -1;
    bool is_bracketed = len >= 2 && address[0] == '[' && address[len - 1] == ']';
    if (port < 0 || (!is_bracketed && memchr(address, ':', len)))
        return error_set(err, ERROR_INVALID, "BadAddress",
                         "address '%s' is not host:port, :port or [v6 address]:port", address);
    *ret_host = is_bracketed ? mem_strndup(address + 1, len - 2) : mem_strndup(address, len);
    *ret_port = port;
    return 0;
}

/* A kernel without IPv6 cannot listen on "::". */
static bool has_ipv6(void)
{
    CLEANUP(closep) int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0;
}

static int listen_on(struct http_server *server, size_t index, struct error *err)
{
    struct http_listener *listener = &server->listeners[index];
    CLEANUP(freep) char *host = NULL;
    int port = 0;
    if (http_address_parse(listener->address, &host, &port, err) < 0)
        return -1;
    if (port < 0)
        return 0;
    struct lws_context_creation_info info = {
        .port = port,
        .iface = *host ? host : NULL,
        .protocols = protocols,
        .user = listener,
        .vhost_name = listener->address,
        .keepalive_timeout = KEEPALIVE_S,
        .timeout_secs = HEAD_TIMEOUT_S,
        .options = LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND,
    };
    if (!has_ipv6())
        info.options |= LWS_SERVER_OPTION_DISABLE_IPV6;
    struct lws_vhost *vhost = lws_create_vhost(server->context, &info);
    if (!vhost || lws_get_vhost_listen_port(vhost) <= 0)
        return error_set(err, ERROR_UNAVAILABLE, "ListenFailed", "could not listen on '%s'",
                         listener->address);
    server->ports[index] = lws_get_vhost_listen_port(vhost);
    return 0;
}

static int open_listeners(struct http_server *server, struct error *err)
{
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .fd_limit_per_thread = MAX_FDS,
        .max_http_header_data = MAX_HEAD_BYTES,
        .max_http_header_pool = 16,
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
    };
    lws_set_log_level(LLL_ERR | LLL_WARN, log_line);
    server->context = lws_create_context(&info);
    if (!server->context)
        return error_set(err, ERROR_UNAVAILABLE, "ListenFailed", "could not create the HTTP server");
    for (size_t i = 0; i < server->count; i++)
        if (listen_on(server, i, err) < 0)
            return -1;
    return 0;
}

int http_server_start(const struct http_listener *listeners, size_t count, struct http_server **ret_server,
                      struct error *err)
{
    if (count > MAX_LISTENERS)
        return error_set(err, ERROR_INVALID, "BadAddress", "more than %d listeners", MAX_LISTENERS);
    struct http_server *server = mem_calloc(1, sizeof(*server));
    server->count = count;
    memcpy(server->listeners, listeners, count * sizeof(*listeners));
    if (open_listeners(server, err) < 0) {
        http_server_free(server);
        return -1;
    }
    server->is_running = true;
    server->thread = thread_start("http-server", run, server);
    *ret_server = server;
    return 0;
}

int http_server_get_port(const struct http_server *server, size_t index)
{
    return index < server->count ? server->ports[index] : 0;
}

struct http_server *http_server_free(struct http_server *server)
{
    if (!server)
        return NULL;
    atomic_store(&server->stopping, true);
    if (server->is_running) {
        lws_cancel_service(server->context);
        thread_join(server->thread);
    }
    if (server->context)
        lws_context_destroy(server->context);
    free(server);
    return NULL;
}
