/* ec2_call_perform() is one action until it succeeds or may not be tried again; send_once() is one request of
 * it.
 */
#include "nitro/ec2_call.h"

#include "base/mem.h"
#include "http/client.h"

#include <openssl/rand.h>
#include <string.h>

enum {
    POOL_SIZE = 8,
    TRIES_MAX = 3,
    CONNECT_TIMEOUT_MS = 3000,
    ANSWER_MAX_BYTES = 64 << 20,
    THROTTLE_DELAY_MS = 1000,
    RETRY_DELAY_MS = 100,
    HINT_SLACK_MS = 5000,
    REFUSE_INTERVAL_MS = 30 * 1000,
    PAGES_MAX_MS = 10 * 60 * 1000
};

struct ec2 {
    char *url;
    char *host; /* as signed */
    char *region;
    const char *service;
    char *ca_file;
    bool is_loopback;
    struct aws_credentials *credentials;
    const struct clock *clock;
    struct flight *flight;
    struct stop *stop;
    pthread_mutex_t mutex; /* guards what follows */
    struct ec2_limit limit;
    struct http_client *idle[POOL_SIZE];
    size_t idle_count;
    int64_t refused_ms; /* monotonic: when keys were last refused; 0 = never */
};

int ec2_new(const struct ec2_options *options, struct ec2 **ret_ec2, struct error *err)
{
    const char *scheme_end = strstr(options->endpoint, "://");
    size_t host_len = scheme_end ? strcspn(scheme_end + 3, "/?#") : 0;
    if (host_len == 0)
        return error_set(err, ERROR_INVALID, "BadUrl", "not an endpoint: %s", options->endpoint);
    struct ec2 *ec2 = mem_calloc(1, sizeof(*ec2));
    ec2->host = mem_strndup(scheme_end + 3, host_len);
    ec2->url = mem_printf("%.*s://%s/", (int)(scheme_end - options->endpoint), options->endpoint, ec2->host);
    ec2->region = mem_strdup(options->region);
    ec2->service = options->service ? options->service : "ec2";
    ec2->ca_file = mem_strdup(options->ca_file);
    ec2->is_loopback = http_host_is_loopback(ec2->host);
    ec2->credentials = options->credentials;
    ec2->clock = options->clock;
    ec2->stop = options->stop;
    ec2->flight = options->flight;
    ec2_limit_init(&ec2->limit, options->share_percent > 0 ? options->share_percent : 100,
                   clock_mono_ms(ec2->clock));
    mutex_init(&ec2->mutex);
    *ret_ec2 = ec2;
    return 0;
}

struct ec2 *ec2_free(struct ec2 *ec2)
{
    if (!ec2)
        return NULL;
    for (size_t i = 0; i < ec2->idle_count; i++)
        http_client_free(ec2->idle[i]);
    pthread_mutex_destroy(&ec2->mutex);
    free(ec2->url);
    free(ec2->host);
    free(ec2->region);
    free(ec2->ca_file);
    free(ec2);
    return NULL;
}

static struct http_client *take_client(struct ec2 *ec2)
{
    mutex_lock(&ec2->mutex);
    struct http_client *client = ec2->idle_count > 0 ? ec2->idle[--ec2->idle_count] : NULL;
    mutex_unlock(&ec2->mutex);
    return client ? client : http_client_new();
}

static void give_client(struct ec2 *ec2, struct http_client *client)
{
    mutex_lock(&ec2->mutex);
    bool has_room = ec2->idle_count < POOL_SIZE;
    if (has_room)
        ec2->idle[ec2->idle_count++] = client;
    mutex_unlock(&ec2->mutex);
    if (!has_room)
        http_client_free(client);
}

static int64_t signing_time_ms(struct ec2 *ec2)
{
    return clock_wall_ms(ec2->clock) + aws_skew_get(aws_credentials_get_skew(ec2->credentials));
}

/* The headers of a request. */
struct headers {
    char *host;
    char *date;
    struct secret *token;
    struct secret *authorization;
    const char *lines[8];
};

static const char content_type[] = "application/x-www-form-urlencoded; charset=utf-8";

static void headers_done(struct headers *headers)
{
    free(headers->host);
    free(headers->date);
    secret_free(headers->token);
    secret_free(headers->authorization);
}

static int sign(struct ec2_call *call, const struct aws_keys *keys, struct headers *ret_headers,
                struct error *err)
{
    struct sigv4_header signed_headers[] = {{"host", call->ec2->host}, {"content-type", content_type}};
    struct sigv4_request request = {.method = "POST",
                                    .path = "/",
                                    .headers = signed_headers,
                                    .header_count = ARRAY_LEN(signed_headers),
                                    .body = call->body,
                                    .body_len = strlen(call->body)};
    struct sigv4_scope scope = {call->ec2->region, call->ec2->service, signing_time_ms(call->ec2)};
    struct sigv4_signature signature;
    if (sigv4_sign(&request, keys, &scope, &signature, err) < 0)
        return -1;
    size_t count = 0;
    ret_headers->host = mem_printf("Host: %s", call->ec2->host);
    ret_headers->date = mem_printf("X-Amz-Date: %s", signature.date);
    ret_headers->authorization = secret_prefixed("Authorization: ", signature.authorization);
    sigv4_signature_done(&signature);
    ret_headers->lines[count++] = "Content-Type: application/x-www-form-urlencoded; charset=utf-8";
    ret_headers->lines[count++] = "User-Agent: tee-controller/" TEE_VERSION;
    ret_headers->lines[count++] = ret_headers->host;
    ret_headers->lines[count++] = ret_headers->date;
    ret_headers->lines[count++] = secret_reveal(ret_headers->authorization);
    ret_headers->token = secret_prefixed("X-Amz-Security-Token: ", keys->session_token);
    ret_headers->lines[count++] = secret_reveal(ret_headers->token);
    ret_headers->lines[count] = NULL;
    return 0;
}

void ec2_call_init(struct ec2_call *call, struct ec2 *ec2, const char *action, int64_t timeout_ms)
{
    *call = (struct ec2_call){
        .ec2 = ec2, .action = action, .lane = ec2_limit_lane(action), .begin_ms = clock_mono_ms(ec2->clock)};
    call->deadline_ms = call->begin_ms + timeout_ms;
}

void ec2_call_begin_page(struct ec2_call *call, int64_t timeout_ms)
{
    int64_t end_ms = call->begin_ms + PAGES_MAX_MS;
    call->deadline_ms = clock_mono_ms(call->ec2->clock) + timeout_ms;
    if (call->deadline_ms > end_ms)
        call->deadline_ms = end_ms;
}

void ec2_call_done(struct ec2_call *call)
{
    free(call->next_token);
}

static int hand_out_instance(void *ctx, struct ec2_instance *instance, struct error *err)
{
    struct ec2_call *call = ctx;
    if (!call->handler.on_instance)
        return 0;
    call->has_handed_out = true;
    return call->handler.on_instance(call->handler.ctx, instance, err);
}

static int hand_out_change(void *ctx, const struct ec2_change *change, struct error *err)
{
    struct ec2_call *call = ctx;
    if (!call->handler.on_change)
        return 0;
    call->has_handed_out = true;
    return call->handler.on_change(call->handler.ctx, change, err);
}

static int hand_out_type(void *ctx, const struct ec2_type *type, struct error *err)
{
    struct ec2_call *call = ctx;
    if (!call->handler.on_type)
        return 0;
    call->has_handed_out = true;
    return call->handler.on_type(call->handler.ctx, type, err);
}

static int hand_out_image(void *ctx, const struct ec2_image *image, struct error *err)
{
    struct ec2_call *call = ctx;
    if (!call->handler.on_image)
        return 0;
    call->has_handed_out = true;
    return call->handler.on_image(call->handler.ctx, image, err);
}

static int hand_out_subnet(void *ctx, const struct ec2_subnet *subnet, struct error *err)
{
    struct ec2_call *call = ctx;
    if (!call->handler.on_subnet)
        return 0;
    call->has_handed_out = true;
    return call->handler.on_subnet(call->handler.ctx, subnet, err);
}

static int hand_out_status(void *ctx, const struct ec2_status *status, struct error *err)
{
    struct ec2_call *call = ctx;
    if (!call->handler.on_status)
        return 0;
    call->has_handed_out = true;
    return call->handler.on_status(call->handler.ctx, status, err);
}

static int hand_out_output(void *ctx, const char *base64, struct error *err)
{
    struct ec2_call *call = ctx;
    if (!call->handler.on_output)
        return 0;
    call->has_handed_out = true;
    return call->handler.on_output(call->handler.ctx, base64, err);
}

static int hand_out_text(void *ctx, const char *text, struct error *err)
{
    struct ec2_call *call = ctx;
    return call->handler.on_text ? call->handler.on_text(call->handler.ctx, text, err) : 0;
}

/* What the failure of a request means for the next one, beside what err says to the caller. */
struct failure {
    struct aws_identity *identity;
    struct ec2_fault fault;
    int64_t date_ms; /* AWS's clock, 0 if it did not say */
};

static void note_throttle(struct ec2_call *call)
{
    LOCK_SCOPE(&call->ec2->mutex);
    ec2_limit_note_throttle(&call->ec2->limit, call->lane, clock_mono_ms(call->ec2->clock));
}

static int take_token(struct ec2_call *call, struct error *err)
{
    struct ec2 *ec2 = call->ec2;
    const struct ec2_limit_ask ask = {call->resource_count, call->is_patient};
    mutex_lock(&ec2->mutex);
    int64_t wait_ms = ec2_limit_take(&ec2->limit, call->lane, &ask, clock_mono_ms(ec2->clock));
    mutex_unlock(&ec2->mutex);
    if (wait_ms == 0)
        return 0;
    error_set(err, ERROR_THROTTLED, EC2_REASON_RATE, "%s: our share of EC2's request rate is used up",
              call->action);
    if (err)
        err->retry_after_ms = wait_ms;
    return -1;
}

static int read_answer(struct ec2_call *call, const struct http_response *answer, struct ec2_response *parser,
                       struct failure *failure, struct error *err)
{
    failure->date_ms = answer->date_ms;
    if (answer->status >= 200 && answer->status < 300) {
        call->last_class = EC2_CLASS_TRANSIENT;
        if (ec2_response_finish(parser, err) < 0)
            return -1;
        free(call->next_token);
        call->next_token = mem_strdup(ec2_response_next_token(parser));
        return 0;
    }
    ec2_response_read_fault(buf_text(&answer->body), answer->body.len, &failure->fault);
    call->fault = failure->fault;
    call->last_class = ec2_error_class(&failure->fault, answer->status);
    ec2_error_set(err, call->action, &failure->fault, answer->status);
    err->retry_after_ms = answer->retry_after_ms;
    if (call->last_class == EC2_CLASS_THROTTLE)
        note_throttle(call);
    return -1;
}

static int send_signed(struct ec2_call *call, const struct headers *headers, struct failure *failure,
                       struct error *err)
{
    struct ec2 *ec2 = call->ec2;
    int64_t left_ms = call->deadline_ms - clock_mono_ms(ec2->clock);
    if (left_ms <= 0)
        return error_set(err, ERROR_UNAVAILABLE, "Timeout", "%s: no time was left", call->action);
    struct ec2_handler handler = {.ctx = call,
                                  .on_instance = hand_out_instance,
                                  .on_change = hand_out_change,
                                  .on_type = hand_out_type,
                                  .on_image = hand_out_image,
                                  .on_subnet = hand_out_subnet,
                                  .on_status = hand_out_status,
                                  .on_output = hand_out_output,
                                  .on_text = hand_out_text};
    struct ec2_response *parser = ec2_response_new(call->action, &handler);
    struct http_tls tls = {.ca_file = ec2->ca_file};
    struct http_request request = {
        .method = "POST",
        .url = ec2->url,
        .headers = headers->lines,
        .body = call->body,
        .body_len = strlen(call->body),
        .tls = &tls,
        .connect_timeout_ms = left_ms < CONNECT_TIMEOUT_MS ? left_ms : CONNECT_TIMEOUT_MS,
        .total_timeout_ms = left_ms,
        .max_body_bytes = ANSWER_MAX_BYTES,
        .direct = ec2->is_loopback,
        .sink = ec2_response_sink,
        .sink_ctx = parser,
        .stop = ec2->stop,
    };
    struct http_client *client = take_client(ec2);
    struct http_response answer;
    call->last_class = EC2_CLASS_TRANSIENT; /* of a connection that failed, if the error allows it */
    int result = http_perform(client, &request, &answer, err);
    if (result == 0) {
        result = read_answer(call, &answer, parser, failure, err);
        http_response_done(&answer);
    } else {
        error_wrap(err, "%s", call->action);
    }
    give_client(ec2, client);
    ec2_response_free(parser);
    return result;
}

/* True if the next request is signed otherwise than this one was. */
static bool correct_signing(struct ec2_call *call, const struct failure *failure)
{
    struct ec2 *ec2 = call->ec2;
    int64_t now_ms = clock_mono_ms(ec2->clock);
    bool is_refresh_due = false;
    bool is_clock_off = aws_skew_note(aws_credentials_get_skew(ec2->credentials), failure->date_ms,
                                      clock_wall_ms(ec2->clock));
    mutex_lock(&ec2->mutex);
    if (!is_clock_off && (ec2->refused_ms == 0 || now_ms - ec2->refused_ms >= REFUSE_INTERVAL_MS))
        is_refresh_due = true;
    if (is_refresh_due)
        ec2->refused_ms = now_ms;
    mutex_unlock(&ec2->mutex);
    if (is_refresh_due)
        aws_credentials_refuse(ec2->credentials, failure->identity);
    return is_clock_off || is_refresh_due;
}

/* A token file that is not there or a profile that is wrong is a fault of this controller, and nothing of
 * what was asked for: as a kind that speaks of the request it would be held against the spec. */
static int get_identity(struct ec2_call *call, struct aws_identity **ret_identity, struct error *err)
{
    struct error failure = {0};
    if (aws_credentials_get(call->ec2->credentials, ret_identity, &failure) == 0)
        return 0;
    bool may_pass =
        failure.kind == ERROR_THROTTLED || failure.kind == ERROR_UNAVAILABLE || failure.kind == ERROR_STOPPED;
    if (!may_pass) {
        failure.kind = ERROR_DENIED;
        call->last_class = EC2_CLASS_CREDENTIAL;
    }
    if (err)
        *err = failure;
    return -1;
}

/* -1 with *ret_again: the keys or the clock were corrected, and the same call is worth another try. */
static int send_once(struct ec2_call *call, bool *ret_again, struct error *err)
{
    CLEANUP(aws_identity_unrefp) struct aws_identity *identity = NULL;
    CLEANUP(headers_done) struct headers headers = {0};
    struct failure failure = {0};
    *ret_again = false;
    call->last_class = EC2_CLASS_UNKNOWN;
    if (take_token(call, err) < 0) {
        call->last_class = EC2_CLASS_THROTTLE;
        return -1;
    }
    if (get_identity(call, &identity, err) < 0)
        return -1;
    failure.identity = identity;
    if (sign(call, &identity->keys, &headers, err) < 0)
        return -1;
    int result = send_signed(call, &headers, &failure, err);
    if (result < 0 && call->last_class == EC2_CLASS_CREDENTIAL && !call->has_refreshed) {
        call->has_refreshed = true;
        *ret_again = correct_signing(call, &failure);
    }
    return result;
}

static void record(const struct ec2_call *call, const char *reason, int64_t value)
{
    flight_record(call->ec2->flight, &(struct flight_note){.part = FLIGHT_EC2,
                                                           .what = call->action,
                                                           .key = call->subject,
                                                           .reason = reason,
                                                           .value = value});
}

/* Both ends are recorded, so that a call that hangs is seen as well. */
static int send_recorded(struct ec2_call *call, bool *ret_again, struct error *err)
{
    int64_t start_ms = clock_mono_ms(call->ec2->clock);
    record(call, "asked", 0);
    int result = send_once(call, ret_again, err);
    record(call, result == 0 ? "answered" : err->reason, clock_mono_ms(call->ec2->clock) - start_ms);
    return result;
}

/* Between half and all of the delay, which doubles; what AWS asks for is honoured within limits. */
static int64_t retry_delay_ms(const struct ec2_call *call, int try, int64_t hint_ms)
{
    uint32_t random = 0;
    int64_t delay_ms = call->last_class == EC2_CLASS_THROTTLE ? THROTTLE_DELAY_MS : RETRY_DELAY_MS;
    delay_ms <<= try;
    RAND_bytes((unsigned char *)&random, sizeof(random));
    delay_ms = delay_ms / 2 + random % (delay_ms / 2 + 1);
    if (hint_ms <= delay_ms)
        return delay_ms;
    return hint_ms < delay_ms + HINT_SLACK_MS ? hint_ms : delay_ms + HINT_SLACK_MS;
}

static bool may_retry(const struct ec2_call *call, const struct error *err)
{
    bool is_passing = (call->last_class == EC2_CLASS_THROTTLE && call->is_patient) ||
                      (call->last_class == EC2_CLASS_TRANSIENT && err->kind == ERROR_UNAVAILABLE);
    return is_passing && !call->has_handed_out && !call->is_single;
}

/* EC2 checks rights and parameters before it finds the token of an earlier try; where it looked for room, it
 * had found none. */
static void leave_open(struct error *err)
{
    bool is_definite = err && (err->kind == ERROR_INVALID || err->kind == ERROR_ABSENT ||
                               err->kind == ERROR_DENIED || err->kind == ERROR_QUOTA);
    if (is_definite)
        err->kind = ERROR_UNAVAILABLE;
}

int ec2_call_perform(struct ec2_call *call, struct error *err)
{
    struct ec2 *ec2 = call->ec2;
    bool was_open = false;
    call->has_handed_out = false;
    for (int try = 0;;) {
        struct error failure = {0};
        bool again = false;
        if (send_recorded(call, &again, &failure) == 0)
            return 0;
        if (err)
            *err = failure;
        if (again)
            continue;
        int64_t delay_ms = retry_delay_ms(call, try, failure.retry_after_ms);
        bool is_held = strcmp(failure.reason, EC2_REASON_RATE) == 0;
        if (is_held)
            delay_ms = failure.retry_after_ms;
        else
            try++;
        bool has_time = clock_mono_ms(ec2->clock) + delay_ms < call->deadline_ms;
        if (call->is_launch && was_open)
            leave_open(err);
        was_open = was_open || failure.kind == ERROR_UNAVAILABLE;
        if (try == TRIES_MAX || !has_time || !may_retry(call, &failure))
            return -1;
        if (stop_wait(ec2->stop, delay_ms))
            return error_set(err, ERROR_STOPPED, "Stopped", "%s: stopped", call->action);
    }
}

void ec2_get_rate(struct ec2 *ec2, enum ec2_lane_id lane, struct ec2_rate *ret_rate)
{
    LOCK_SCOPE(&ec2->mutex);
    const struct ec2_lane *it = &ec2->limit.lanes[lane];
    *ret_rate = (struct ec2_rate){.per_second = ec2_limit_rate(&ec2->limit, lane, clock_mono_ms(ec2->clock)),
                                  .sent_count = it->sent_count,
                                  .throttled_count = it->throttled_count,
                                  .held_count = it->held_count};
}
