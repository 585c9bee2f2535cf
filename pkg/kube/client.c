/* The pool is a stack, so that light load stays on few connections. */
#include "kube/client.h"

#include "base/bucket.h"
#include "base/mem.h"
#include "base/url.h"
#include "kube/warnings.h"

#include <string.h>

/* As Go names them, and so all other clients. */
#if defined(__x86_64__)
#define ARCHITECTURE "amd64"
#elif defined(__aarch64__)
#define ARCHITECTURE "arm64"
#else
#define ARCHITECTURE "unknown"
#endif

enum {
    POOL_SIZE = 16,
    MAX_HEADERS = 4 + 64, /* ours, and those of impersonation.h */
    DEFAULT_TIMEOUT_MS = 30000,
    CONNECT_TIMEOUT_MS = 10000,
    DEFAULT_MAX_BYTES = 4 * 1024 * 1024
};

struct kube_client {
    struct kube_client_options options;
    struct kube_credentials *credentials;
    struct kube_credentials *own_credentials; /* NULL: they are another client's */
    char *agent_header;
    pthread_mutex_t mutex;
    pthread_cond_t turn; /* never signalled: time brings the turn */
    struct bucket bucket;
    struct warnings warnings;
    int64_t not_before_ms; /* a server that is busy asked for a pause until then */
    struct http_client *pool[POOL_SIZE];
    size_t pool_count;
};

struct kube_client *kube_client_new(const struct kube_client_options *options)
{
    struct kube_client *client = mem_calloc(1, sizeof(*client));
    const char *program = options->program ? options->program : "tee-controller";
    const char *suffix = options->agent_suffix;
    client->options = *options;
    client->options.program = client->options.agent_suffix = NULL;
    if (!options->credentials)
        client->own_credentials =
            kube_credentials_new(&(struct kube_credentials_options){.config = options->config,
                                                                    .clock = options->clock,
                                                                    .changed = options->credentials_changed,
                                                                    .ctx = options->ctx});
    client->credentials = options->credentials ? options->credentials : client->own_credentials;
    client->agent_header = mem_printf("User-Agent: %s/%s (linux/" ARCHITECTURE ")%s%s", program, TEE_VERSION,
                                      suffix ? " " : "", suffix ? suffix : "");
    mutex_init(&client->mutex);
    cond_init(&client->turn);
    if (options->per_second > 0)
        bucket_init(&client->bucket, options->per_second, options->burst, clock_mono_ms(options->clock));
    warnings_init(&client->warnings);
    return client;
}

struct kube_client *kube_client_free(struct kube_client *client)
{
    if (!client)
        return NULL;
    for (size_t i = 0; i < client->pool_count; i++)
        http_client_free(client->pool[i]);
    kube_credentials_free(client->own_credentials);
    warnings_done(&client->warnings);
    pthread_cond_destroy(&client->turn);
    pthread_mutex_destroy(&client->mutex);
    free(client->agent_header);
    free(client);
    return NULL;
}

struct kube_credentials *kube_client_get_credentials(const struct kube_client *client)
{
    return client->credentials;
}

static struct http_client *take(struct kube_client *client)
{
    LOCK_SCOPE(&client->mutex);
    return client->pool_count > 0 ? client->pool[--client->pool_count] : NULL;
}

static void give_back(struct kube_client *client, struct http_client *http)
{
    {
        LOCK_SCOPE(&client->mutex);
        if (client->pool_count < POOL_SIZE) {
            client->pool[client->pool_count++] = http;
            return;
        }
    }
    http_client_free(http);
}

struct exchange {
    struct kube_client *client;
    struct http_client *http;
    const struct kube_request *request;
    int64_t deadline_ms;           /* of all attempts */
    struct http_response response; /* valid when send_once() succeeds */
    int last_code;                 /* of the attempt before; 0 = this is the first */
};

/* What is left for an attempt that has all it needs but the answer. */
static int get_time_left(const struct exchange *exchange, int64_t *ret_left_ms, struct error *err)
{
    int64_t now_ms = clock_mono_ms(exchange->client->options.clock);
    int64_t bound_ms = exchange->request->deadline_ms;
    *ret_left_ms = exchange->deadline_ms - now_ms;
    if (*ret_left_ms > 0)
        return 0;
    if (bound_ms != 0 && now_ms >= bound_ms)
        return error_set(err, ERROR_STOPPED, "DeadlinePassed", "the time in which it may be sent is over");
    return error_set(err, ERROR_UNAVAILABLE, "Timeout", "all of the time passed before it could be sent");
}

static int send_as(struct exchange *exchange, const struct kube_auth *auth, int64_t timeout_ms,
                   struct error *err)
{
    const struct kube_request *request = exchange->request;
    const struct kube_config *config = exchange->client->options.config;
    CLEANUP(freep) char *url = mem_printf("%s%s", config->server, request->path);
    CLEANUP(freep)
    char *content_type = request->content_type ? mem_printf("Content-Type: %s", request->content_type) : NULL;
    CLEANUP(secret_freep) struct secret *token = secret_prefixed("Authorization: Bearer ", auth->token);
    const char *headers[MAX_HEADERS + 1] = {
        "Accept: application/json;drop=metadata.managedFields, application/json",
        exchange->client->agent_header};
    size_t count = 2;
    if (content_type)
        headers[count++] = content_type;
    if (token)
        headers[count++] = secret_reveal(token);
    for (char **line = config->impersonation; line && *line && count < MAX_HEADERS; line++)
        headers[count++] = *line;
    const struct http_tls tls = {.ca_pem = auth->ca_pem,
                                 .cert_pem = auth->cert_pem,
                                 .key_pem = auth->key_pem,
                                 .server_name = config->tls_server_name,
                                 .insecure_skip_verify = config->insecure_skip_verify};
    const struct http_request http_request = {
        .method = request->method,
        .url = url,
        .headers = headers,
        .body = request->body,
        .body_len = request->body_len,
        .tls = &tls,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .total_timeout_ms = timeout_ms,
        .idle_timeout_ms = request->idle_timeout_ms,
        .max_body_bytes = request->max_body_bytes ? request->max_body_bytes : DEFAULT_MAX_BYTES,
        .proxy_url = config->proxy_url,
        .accept_gzip = request->accept_gzip && !config->disable_compression,
        .sink = request->sink,
        .sink_ctx = request->sink_ctx,
        .stop = request->stop,
    };
    return http_perform(exchange->http, &http_request, &exchange->response, err);
}

/* Credentials may take a program's while: the time is looked at when they are there. */
static int send_once(struct exchange *exchange, struct error *err)
{
    CLEANUP(kube_auth_unrefp) struct kube_auth *auth = NULL;
    int64_t left_ms = 0;
    if (kube_credentials_get(exchange->client->credentials, exchange->deadline_ms, &auth, err) < 0 ||
        get_time_left(exchange, &left_ms, err) < 0)
        return -1;
    return send_as(exchange, auth, left_ms, err);
}

static int send_observed(struct exchange *exchange, struct error *err)
{
    const struct kube_client_options *options = &exchange->client->options;
    int64_t start_ms = clock_mono_ms(options->clock);
    int result = send_once(exchange, err);
    const struct kube_request *request = exchange->request;
    const struct kube_exchange seen = {
        .method = request->method,
        .code = result == 0 ? (int)exchange->response.status : 0,
        .repeated_code = exchange->last_code,
        .is_watch = strstr(request->path, "watch=true") != NULL,
        .duration_ms = clock_mono_ms(options->clock) - start_ms,
        .request_bytes = request->body_len,
        .response_bytes = request->sink || result < 0 ? -1 : (int64_t)exchange->response.body.len};
    if (options->observe)
        options->observe(options->ctx, &seen);
    exchange->last_code = seen.code;
    return result;
}

static bool is_new_warning(struct kube_client *client, const char *header, char ret_text[WARNING_SIZE])
{
    LOCK_SCOPE(&client->mutex);
    return warnings_take(&client->warnings, header, ret_text);
}

static void tell_warnings(const struct exchange *exchange)
{
    struct kube_client *client = exchange->client;
    const char *header = NULL;
    for (size_t i = 0; (header = http_client_get_nth_header(exchange->http, "Warning", i)); i++) {
        char text[WARNING_SIZE];
        if (client->options.warn && is_new_warning(client, header, text))
            client->options.warn(client->options.ctx, text);
    }
}

static void note_pause(struct kube_client *client, const struct kube_status *status)
{
    if (client->options.is_urgent || (status->code != 429 && status->code != 503))
        return;
    LOCK_SCOPE(&client->mutex);
    int64_t not_before_ms = clock_mono_ms(client->options.clock) + status->retry_after_ms;
    if (not_before_ms > client->not_before_ms)
        client->not_before_ms = not_before_ms;
}

static int finish(struct exchange *exchange, struct buf *ret_body, struct kube_status *status,
                  struct error *err)
{
    const struct http_response *response = &exchange->response;
    const struct buf *body = &response->body;
    tell_warnings(exchange);
    if (response->status >= 200 && response->status < 300) {
        if (ret_body && buf_append(ret_body, buf_text(body), body->len) < 0)
            return error_set(err, ERROR_INVALID, "BodyTooLarge", "the answer is larger than %zu bytes",
                             ret_body->max);
        return 0;
    }
    kube_status_decode((int)response->status, buf_text(body), body->len, status);
    if (response->retry_after_ms > status->retry_after_ms)
        status->retry_after_ms = response->retry_after_ms;
    note_pause(exchange->client, status);
    return kube_status_to_error(status, err);
}

/* One request, and a second one with fresh credentials if the first was answered 401. */
static int send_both(struct exchange *exchange, struct error *err)
{
    if (send_observed(exchange, err) < 0)
        return -1;
    if (exchange->response.status != 401)
        return 0;
    http_response_done(&exchange->response);
    kube_credentials_expire(exchange->client->credentials);
    return send_observed(exchange, err);
}

static int perform(struct exchange *exchange, struct buf *ret_body, struct kube_status *status,
                   struct error *err)
{
    struct kube_client *client = exchange->client;
    exchange->http = take(client);
    if (!exchange->http)
        exchange->http = http_client_new();
    int result = send_both(exchange, err);
    if (result == 0) {
        result = finish(exchange, ret_body, status, err);
        http_response_done(&exchange->response);
    }
    give_back(client, exchange->http);
    return result;
}

/* Waits some time for a token, not for all of a second, so that a stop is seen. */
static bool has_turn(struct kube_client *client, int64_t deadline_ms, int64_t *ret_wait_ms)
{
    enum { SLICE_MS = 250 };
    LOCK_SCOPE(&client->mutex);
    int64_t now_ms = clock_mono_ms(client->options.clock);
    *ret_wait_ms = 0;
    if (bucket_take(&client->bucket, now_ms))
        return true;
    *ret_wait_ms = bucket_wait_ms(&client->bucket, 1, now_ms);
    if (now_ms + *ret_wait_ms < deadline_ms)
        cond_wait_until(&client->turn, &client->mutex,
                        now_ms + (*ret_wait_ms < SLICE_MS ? *ret_wait_ms : SLICE_MS));
    return false;
}

/* As if the server had said so once more: each of many requests learns it without a request. */
static int check_pause(struct kube_client *client, struct kube_status *status, struct error *err)
{
    LOCK_SCOPE(&client->mutex);
    int64_t left_ms = client->not_before_ms - clock_mono_ms(client->options.clock);
    if (left_ms <= 0)
        return 0;
    *status = (struct kube_status){.code = 429,
                                   .reason = "TooManyRequests",
                                   .message = "the API server asked for a pause",
                                   .retry_after_ms = left_ms};
    return kube_status_to_error(status, err);
}

static int await_turn(const struct exchange *exchange, struct kube_status *status, struct error *err)
{
    struct kube_client *client = exchange->client;
    struct stop *stop = exchange->request->stop;
    int64_t wait_ms = 0;
    for (;;) {
        if (check_pause(client, status, err) < 0)
            return -1;
        if (client->options.per_second == 0 || has_turn(client, exchange->deadline_ms, &wait_ms))
            return 0;
        if (stop && stop_is_requested(stop))
            return error_set(err, ERROR_STOPPED, "Stopped", "stopped while waiting for a turn");
        if (clock_mono_ms(client->options.clock) + wait_ms < exchange->deadline_ms)
            continue;
        error_set(err, ERROR_THROTTLED, "RateLimit", "our own rate of requests leaves no room");
        if (err)
            err->retry_after_ms = wait_ms;
        return -1;
    }
}

static int64_t get_deadline(const struct kube_client *client, const struct kube_request *request)
{
    int64_t timeout_ms = request->timeout_ms ? request->timeout_ms : DEFAULT_TIMEOUT_MS;
    int64_t deadline_ms = clock_mono_ms(client->options.clock) + timeout_ms;
    return request->deadline_ms != 0 && request->deadline_ms < deadline_ms ? request->deadline_ms
                                                                           : deadline_ms;
}

int kube_perform(struct kube_client *client, const struct kube_request *request, struct buf *ret_body,
                 struct error *err)
{
    struct kube_status status = {0};
    struct exchange exchange = {
        .client = client, .request = request, .deadline_ms = get_deadline(client, request)};
    if (await_turn(&exchange, &status, err) == 0 && perform(&exchange, ret_body, &status, err) == 0)
        return 0;
    if (request->ret_status)
        *request->ret_status = status;
    return error_wrap(err, "%s %.*s", request->method, (int)strcspn(request->path, "?"), request->path);
}

int kube_get(struct kube_client *client, const char *path, int64_t timeout_ms, struct buf *ret_body,
             struct error *err)
{
    const struct kube_request request = {.method = "GET", .path = path, .timeout_ms = timeout_ms};
    return kube_perform(client, &request, ret_body, err);
}

int kube_patch(struct kube_client *client, const struct kube_patch *patch, struct buf *ret_body,
               struct error *err)
{
    static const struct {
        const char *content_type, *query;
    } forms[] = {
        [KUBE_PATCH_APPLY] = {"application/apply-patch+yaml", "&force=true"},
        [KUBE_PATCH_JSON] = {"application/json-patch+json", ""},
        [KUBE_PATCH_MERGE] = {"application/merge-patch+json", ""},
    };
    CLEANUP(freep)
    char *path =
        mem_printf("%s?fieldManager=%s%s", patch->path, patch->field_manager, forms[patch->type].query);
    const struct kube_request request = {.method = "PATCH",
                                         .path = path,
                                         .content_type = forms[patch->type].content_type,
                                         .body = patch->body,
                                         .body_len = patch->body_len,
                                         .deadline_ms = patch->deadline_ms};
    return kube_perform(client, &request, ret_body, err);
}

/* Names come from objects and flags: what is not plain in a path is encoded. */
static void put_segment(struct buf *out, const char *text)
{
    buf_putc(out, '/');
    url_put_encoded(out, text);
}

char *kube_path(const struct kube_resource *resource, const char *name_space, const char *name)
{
    struct buf out;
    buf_init(&out, 4096);
    buf_puts(&out, *resource->group ? "/apis" : "/api");
    if (*resource->group)
        put_segment(&out, resource->group);
    put_segment(&out, resource->version);
    if (name_space) {
        buf_puts(&out, "/namespaces");
        put_segment(&out, name_space);
    }
    put_segment(&out, resource->plural);
    if (name)
        put_segment(&out, name);
    return buf_steal(&out);
}
