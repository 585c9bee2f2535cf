/* The head is copied when it is complete, because libwebsockets may drop it while the body arrives. A reply
 * that has to wait sits in its exchange; a timer or a change of the service's release number sends it. */
#include "sim/front.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"

#include <libwebsockets.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum { MAX_FDS = 1024, MAX_HEAD = 16 * 1024, PIECE_BYTES = 16 * 1024, TICK_US = 50 * 1000 };

/* Headers that a client may sign or that we read. */
static const struct {
    const char *name;
    enum lws_token_indexes token; /* WSI_TOKEN_COUNT: not one that libwebsockets knows */
} header_names[] = {
    {"host", WSI_TOKEN_HOST},
    {"content-type", WSI_TOKEN_HTTP_CONTENT_TYPE},
    {"content-length", WSI_TOKEN_HTTP_CONTENT_LENGTH},
    {"authorization", WSI_TOKEN_HTTP_AUTHORIZATION},
    {"user-agent", WSI_TOKEN_HTTP_USER_AGENT},
    {"accept", WSI_TOKEN_HTTP_ACCEPT},
    {"x-amz-date", WSI_TOKEN_COUNT},
    {"x-amz-security-token", WSI_TOKEN_COUNT},
    {"x-amz-content-sha256", WSI_TOKEN_COUNT},
    {"x-aws-ec2-metadata-token", WSI_TOKEN_COUNT},
    {"x-aws-ec2-metadata-token-ttl-seconds", WSI_TOKEN_COUNT},
};
enum { HEADER_COUNT = sizeof(header_names) / sizeof(header_names[0]) };

/* One request on one connection; zeroed by libwebsockets at the connection's start. */
struct exchange {
    const char *method;
    char *path;
    char *query;
    char *headers[HEADER_COUNT];
    struct buf body;
    struct sim_reply reply;
    uint64_t held_at; /* the release number */
    size_t sent;
    bool has_reply;
    bool is_last;    /* of its connection */
    bool is_waiting; /* for the timer */
    bool is_held;
};

struct front {
    struct sim_service *service;
    struct lws_context *context;
    struct lws_vhost *vhost;
    atomic_bool stopping;
};

static void exchange_reset(struct exchange *exchange)
{
    free(exchange->path);
    free(exchange->query);
    for (size_t i = 0; i < HEADER_COUNT; i++)
        free(exchange->headers[i]);
    buf_done(&exchange->body);
    sim_reply_done(&exchange->reply);
    *exchange = (struct exchange){0};
}

static struct front *front_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

static int get_header(void *ctx, const char *name, char *ret_value, size_t size)
{
    const struct exchange *exchange = ctx;
    for (size_t i = 0; i < HEADER_COUNT; i++) {
        if (strcmp(header_names[i].name, name) != 0)
            continue;
        if (!exchange->headers[i] || strlen(exchange->headers[i]) >= size)
            return -1;
        memcpy(ret_value, exchange->headers[i], strlen(exchange->headers[i]) + 1);
        return 0;
    }
    return -1;
}

static char *copy_custom(struct lws *wsi, const char *name)
{
    CLEANUP(freep) char *with_colon = mem_printf("%s:", name);
    int name_len = (int)strlen(with_colon);
    int len = lws_hdr_custom_length(wsi, with_colon, name_len);
    if (len < 0)
        return NULL;
    char *value = mem_calloc((size_t)len + 1, 1);
    if (len > 0)
        lws_hdr_custom_copy(wsi, value, len + 1, with_colon, name_len);
    return value;
}

static char *copy_known(struct lws *wsi, enum lws_token_indexes token)
{
    int len = lws_hdr_total_length(wsi, token);
    if (len <= 0)
        return NULL;
    char *value = mem_calloc((size_t)len + 1, 1);
    lws_hdr_copy(wsi, value, len + 1, token);
    return value;
}

static void copy_head(struct lws *wsi, struct exchange *exchange, const char *path)
{
    static const struct {
        enum lws_token_indexes token;
        const char *name;
    } methods[] = {{WSI_TOKEN_POST_URI, "POST"},
                   {WSI_TOKEN_PUT_URI, "PUT"},
                   {WSI_TOKEN_DELETE_URI, "DELETE"},
                   {WSI_TOKEN_GET_URI, "GET"}};
    exchange->method = "OTHER";
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (lws_hdr_total_length(wsi, methods[i].token) > 0)
            exchange->method = methods[i].name;
    exchange->path = mem_strdup(path);
    exchange->query = copy_known(wsi, WSI_TOKEN_HTTP_URI_ARGS);
    for (size_t i = 0; i < HEADER_COUNT; i++)
        exchange->headers[i] = header_names[i].token == WSI_TOKEN_COUNT
                                   ? copy_custom(wsi, header_names[i].name)
                                   : copy_known(wsi, header_names[i].token);
    buf_init(&exchange->body, SIM_BODY_MAX);
}

static int finish(struct lws *wsi, struct exchange *exchange)
{
    bool is_last = exchange->is_last;
    exchange_reset(exchange);
    return is_last || lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* By the machine's clock, which signatures are held against too. */
static int add_date(struct lws *wsi, unsigned char **at, unsigned char *end)
{
    char text[64];
    time_t now = time(NULL);
    struct tm tm = {0};
    size_t len = strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    return lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_DATE, (const unsigned char *)text, (int)len, at,
                                        end);
}

static int write_head(struct lws *wsi, const struct exchange *exchange)
{
    const struct sim_reply *reply = &exchange->reply;
    unsigned char head[LWS_PRE + 1024];
    unsigned char *at = head + LWS_PRE;
    unsigned char *end = head + sizeof(head) - 1;
    if (lws_add_http_common_headers(wsi, (unsigned)reply->status, reply->content_type, reply->body.len, &at,
                                    end) ||
        add_date(wsi, &at, end))
        return -1;
    if (*reply->ttl &&
        lws_add_http_header_by_name(wsi, (const unsigned char *)"x-aws-ec2-metadata-token-ttl-seconds:",
                                    (const unsigned char *)reply->ttl, (int)strlen(reply->ttl), &at, end))
        return -1;
    if (exchange->is_last &&
        lws_add_http_header_by_token(wsi, WSI_TOKEN_CONNECTION, (const unsigned char *)"close", 5, &at, end))
        return -1;
    return lws_finalize_write_http_header(wsi, head + LWS_PRE, &at, end) ? -1 : 0;
}

static int send_head(struct lws *wsi, struct exchange *exchange)
{
    if (write_head(wsi, exchange) < 0)
        return -1;
    if (exchange->reply.body.len > 0) {
        lws_callback_on_writable(wsi);
        return 0;
    }
    return finish(wsi, exchange);
}

/* A connection that is closed before the first byte of an answer makes many a client ask again by itself,
 * and the cut would not be seen. So the head goes out, and the body it promises does not. */
static int cut(struct lws *wsi, struct exchange *exchange)
{
    exchange->reply.status = 200;
    write_head(wsi, exchange);
    return -1;
}

static int send_piece(struct lws *wsi, struct exchange *exchange)
{
    unsigned char piece[LWS_PRE + PIECE_BYTES];
    const struct buf *body = &exchange->reply.body;
    size_t len = body->len - exchange->sent;
    bool is_last = len <= PIECE_BYTES;
    if (!is_last)
        len = PIECE_BYTES;
    memcpy(piece + LWS_PRE, body->data + exchange->sent, len);
    if (lws_write(wsi, piece + LWS_PRE, len, is_last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < (int)len)
        return -1;
    exchange->sent += len;
    if (!is_last) {
        lws_callback_on_writable(wsi);
        return 0;
    }
    return finish(wsi, exchange);
}

/* Plays the reply, or arranges for a later look. */
static int play(struct lws *wsi, struct exchange *exchange)
{
    if (exchange->reply.delay_ms > 0) {
        int64_t delay_ms = exchange->reply.delay_ms;
        exchange->reply.delay_ms = 0;
        exchange->is_waiting = true;
        lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
        lws_set_timer_usecs(wsi, (lws_usec_t)delay_ms * 1000);
        return 0;
    }
    exchange->is_waiting = false;
    if (exchange->reply.cut)
        return cut(wsi, exchange);
    if (exchange->reply.hold) {
        exchange->is_held = sim_service_get_release(front_of(wsi)->service) == exchange->held_at;
        exchange->reply.hold = exchange->is_held;
    }
    if (exchange->is_held) {
        lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
        lws_set_timer_usecs(wsi, TICK_US);
        return 0;
    }
    return send_head(wsi, exchange);
}

static int on_complete(struct lws *wsi, struct exchange *exchange)
{
    struct sim_service *service = front_of(wsi)->service;
    if (!exchange->path || exchange->has_reply)
        return 0;
    const struct sim_request request = {
        .method = exchange->method,
        .path = exchange->path,
        .query = exchange->query ? exchange->query : "",
        .body = buf_text(&exchange->body),
        .body_len = exchange->body.len,
        .get_header = get_header,
        .headers = exchange,
    };
    exchange->held_at = sim_service_get_release(service);
    exchange->has_reply = true;
    sim_service_handle(service, &request, &exchange->reply);
    return play(wsi, exchange);
}

static int on_head(struct lws *wsi, struct exchange *exchange, const char *path)
{
    exchange_reset(exchange);
    copy_head(wsi, exchange, path);
    char length[32] = "";
    get_header(exchange, "content-length", length, sizeof(length));
    bool has_body = *length && strcmp(length, "0") != 0;
    /* libwebsockets takes what follows a PUT or POST without a length for its body. */
    exchange->is_last =
        !*length && (strcmp(exchange->method, "PUT") == 0 || strcmp(exchange->method, "POST") == 0);
    return has_body ? 0 : on_complete(wsi, exchange);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct exchange *exchange = user;
    switch (reason) {
    case LWS_CALLBACK_HTTP: return on_head(wsi, exchange, in);
    case LWS_CALLBACK_HTTP_BODY: return buf_append(&exchange->body, in, len);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION: return on_complete(wsi, exchange);
    case LWS_CALLBACK_TIMER: return exchange && exchange->has_reply ? play(wsi, exchange) : 0;
    case LWS_CALLBACK_HTTP_WRITEABLE:
        if (!exchange->has_reply || exchange->is_waiting || exchange->is_held)
            return 0;
        return send_piece(wsi, exchange);
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
    log_debug(NULL, "HTTP server reported", STR("text", line));
}

struct front *front_new(struct sim_service *service, const char *host, int port, struct error *err)
{
    struct front *front = mem_calloc(1, sizeof(*front));
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .fd_limit_per_thread = MAX_FDS,
        .max_http_header_data = MAX_HEAD,
        .max_http_header_pool = 256,
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DISABLE_IPV6,
        .user = front,
    };
    front->service = service;
    lws_set_log_level(LLL_ERR | LLL_WARN, log_line);
    front->context = lws_create_context(&info);
    if (front->context) {
        info.port = port;
        info.iface = host;
        info.protocols = protocols;
        info.keepalive_timeout = 90;
        info.timeout_secs = 30;
        info.options |= LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND;
        front->vhost = lws_create_vhost(front->context, &info);
    }
    if (!front->vhost || front_get_port(front) <= 0) {
        error_set(err, ERROR_UNAVAILABLE, "ListenFailed", "could not listen on %s:%d", host, port);
        return front_free(front);
    }
    return front;
}

int front_get_port(const struct front *front)
{
    return lws_get_vhost_listen_port(front->vhost);
}

void front_run(struct front *front)
{
    while (!atomic_load(&front->stopping))
        if (lws_service(front->context, 0) < 0)
            break;
}

void front_stop(struct front *front)
{
    atomic_store(&front->stopping, true);
    lws_cancel_service(front->context);
}

struct front *front_free(struct front *front)
{
    if (!front)
        return NULL;
    if (front->context)
        lws_context_destroy(front->context);
    free(front);
    return NULL;
}
