/* sts_assume() checks and makes the body; perform() repeats, try_once() sends; the answer is read whole,
 * because it is small. */
#include "nitro/sts.h"

#include "base/mem.h"
#include "base/url.h"
#include "http/client.h"
#include "nitro/credentials_source.h"
#include "nitro/ec2_error.h"
#include "nitro/ec2_response.h"
#include "nitro/imds.h"
#include "nitro/xml.h"

#include <openssl/rand.h>
#include <string.h>

enum { TRIES_MAX = 3, CONNECT_MS = 2000, TOTAL_MS = 5000, RETRY_DELAY_MS = 200, BODY_MAX = 128 * 1024 };

#define WORD "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-"

static const char content_type[] = "application/x-www-form-urlencoded; charset=utf-8";

struct call {
    const struct aws_credentials_options *options;
    const struct sts_role *role;
    const char *action;
    char *region;
    char *url;
    char *host; /* as signed */
    struct buf body;
    bool may_retry; /* the last failure may pass */
    bool is_skewed; /* the clock was corrected because of it */
};

static bool has_form(const char *text, const char *allowed, size_t min, size_t max)
{
    size_t len = strlen(text);
    return len >= min && len <= max && text[strspn(text, allowed)] == '\0';
}

static int check_role(const struct sts_role *role, struct error *err)
{
    const char *wrong = NULL;
    if (!has_form(role->arn, WORD ":/", 20, 2048) || strncmp(role->arn, "arn:", 4) != 0)
        wrong = "the role's ARN must be such as arn:aws:iam::123456789012:role/name";
    else if (role->session_name && !has_form(role->session_name, WORD, 2, 64))
        wrong = "the session's name must be 2 to 64 of letters, digits and _+=,.@-";
    else if (role->external_id && !has_form(role->external_id, WORD ":/", 2, 1224))
        wrong = "the external id must be 2 to 1224 of letters, digits and _+=,.@:/-";
    else if (role->token && strlen(secret_reveal(role->token)) < 4)
        wrong = "the web identity token must have at least 4 characters";
    else if (role->duration_s != 0 && (role->duration_s < 900 || role->duration_s > 43200))
        wrong = "the duration must be 900 to 43200 seconds";
    return wrong ? error_set(err, ERROR_INVALID, "BadRole", "%s", wrong) : 0;
}

static void put_field(struct buf *body, const char *name, const char *value)
{
    if (!value)
        return;
    buf_printf(body, "&%s=", name);
    url_put_encoded(body, value);
}

static void put_body(struct call *call)
{
    const struct sts_role *role = call->role;
    char name[64];
    char duration[16];
    snprintf(name, sizeof(name), "tee-controller-%lld", (long long)credentials_now_ms(call->options));
    snprintf(duration, sizeof(duration), "%d", role->duration_s);
    buf_printf(&call->body, "Action=%s&Version=2011-06-15", call->action);
    put_field(&call->body, "RoleArn", role->arn);
    put_field(&call->body, "RoleSessionName", role->session_name ? role->session_name : name);
    put_field(&call->body, "ExternalId", role->token ? NULL : role->external_id);
    put_field(&call->body, "WebIdentityToken", secret_reveal(role->token));
    put_field(&call->body, "DurationSeconds", role->duration_s ? duration : NULL);
}

static int find_endpoint(struct call *call, struct error *err)
{
    const struct aws_config *config = call->options->config;
    const char *known = config->region ? config->region : call->role->region;
    if (known)
        call->region = mem_strdup(known);
    else if (config->imds_disabled)
        return error_set(err, ERROR_INVALID, "NoRegion",
                         "%s needs a region: set AWS_REGION, or region in the profile", call->action);
    else if (imds_fetch_region(config->imds_endpoint, call->options->stop, &call->region, err) < 0)
        return error_wrap(err, "AWS_REGION is not set; asking the metadata service");
    if (!aws_region_is_valid(call->region))
        return error_set(err, ERROR_INVALID, "NoRegion", "the region must be such as eu-central-1");
    CLEANUP(freep) char *endpoint = aws_config_make_endpoint(config, "sts", call->region);
    const char *host = strstr(endpoint, "://") + 3;
    call->host = mem_strndup(host, strcspn(host, "/"));
    call->url = mem_printf("%.*s%s/", (int)(host - endpoint), endpoint, call->host);
    return 0;
}

/* The headers of a signed request. */
struct headers {
    char *date;
    struct secret *token;
    struct secret *authorization;
    const char *lines[6];
};

static void headers_done(struct headers *headers)
{
    secret_free(headers->token);
    secret_free(headers->authorization);
    free(headers->date);
}

static int sign(struct call *call, struct headers *headers, struct error *err)
{
    const struct aws_keys *keys = call->role->base;
    const struct sigv4_header signed_headers[] = {{"host", call->host}, {"content-type", content_type}};
    const struct sigv4_request request = {.method = "POST",
                                          .path = "/",
                                          .headers = signed_headers,
                                          .header_count = ARRAY_LEN(signed_headers),
                                          .body = call->body.data,
                                          .body_len = call->body.len};
    const struct sigv4_scope scope = {call->region, "sts", credentials_now_ms(call->options)};
    struct sigv4_signature signature;
    if (sigv4_sign(&request, keys, &scope, &signature, err) < 0)
        return -1;
    size_t count = 2; /* behind those that every request has */
    headers->date = mem_printf("X-Amz-Date: %s", signature.date);
    headers->authorization = secret_prefixed("Authorization: ", signature.authorization);
    sigv4_signature_done(&signature);
    headers->lines[count++] = headers->date;
    headers->lines[count++] = secret_reveal(headers->authorization);
    headers->token = secret_prefixed("X-Amz-Security-Token: ", keys->session_token);
    headers->lines[count] = secret_reveal(headers->token);
    return 0;
}

/* What an answer says of keys. */
struct answer {
    char *access;
    struct secret *secret;
    struct secret *token;
    char *expiration;
};

static void answer_done(struct answer *answer)
{
    free(answer->access);
    secret_free(answer->secret);
    secret_free(answer->token);
    free(answer->expiration);
}

static int on_end(void *ctx, const char *path, const char *text, struct error *err)
{
    struct answer *answer = ctx;
    static const char parent[] = "Result/Credentials/";
    const char *at = strstr(path, parent);
    const char *name = at ? at + sizeof(parent) - 1 : "";
    (void)err;
    if (strcmp(name, "AccessKeyId") == 0 && !answer->access)
        answer->access = mem_strdup(text);
    else if (strcmp(name, "SecretAccessKey") == 0 && !answer->secret)
        answer->secret = secret_new(text);
    else if (strcmp(name, "SessionToken") == 0 && !answer->token)
        answer->token = secret_new(text);
    else if (strcmp(name, "Expiration") == 0 && !answer->expiration)
        answer->expiration = mem_strdup(text);
    return 0;
}

static int parse_xml(const struct buf *body, struct answer *answer, struct error *err)
{
    const struct xml_handler handler = {.ctx = answer, .on_end = on_end};
    struct xml *xml = xml_new(&handler);
    int result = xml_feed(xml, buf_text(body), body->len, err);
    if (result == 0)
        result = xml_finish(xml, err);
    xml_free(xml);
    return result;
}

static int read_keys(struct call *call, const struct buf *body, struct aws_identity **ret_identity,
                     struct error *err)
{
    CLEANUP(answer_done) struct answer answer = {.access = NULL};
    if (parse_xml(body, &answer, err) < 0)
        return error_wrap(err, "%s", call->action);
    const struct identity_claim claim = {.keys = {answer.access, answer.secret, answer.token},
                                         .expiration = answer.expiration,
                                         .provider = call->role->provider,
                                         .reason = "StsFailed",
                                         .kind = ERROR_UNAVAILABLE};
    return identity_accept(call->options, &claim, ret_identity, err);
}

static int read_fault(struct call *call, const struct http_response *response, struct error *err)
{
    struct ec2_fault fault;
    ec2_response_read_fault(buf_text(&response->body), response->body.len, &fault);
    enum ec2_class class = ec2_error_class(&fault, response->status);
    call->may_retry = class == EC2_CLASS_THROTTLE || class == EC2_CLASS_TRANSIENT;
    return ec2_error_set(err, call->action, &fault, response->status);
}

static int read_response(struct call *call, struct http_response *response,
                         struct aws_identity **ret_identity, struct error *err)
{
    const struct aws_credentials_options *options = call->options;
    call->is_skewed = aws_skew_note(options->skew, response->date_ms, clock_wall_ms(options->clock));
    int result = response->status == 200 ? read_keys(call, &response->body, ret_identity, err)
                                         : read_fault(call, response, err);
    buf_wipe(&response->body);
    http_response_done(response);
    return result;
}

static int try_once(struct call *call, struct aws_identity **ret_identity, struct error *err)
{
    const struct aws_credentials_options *options = call->options;
    CLEANUP(headers_done)
    struct headers headers = {.lines = {"Content-Type: application/x-www-form-urlencoded; charset=utf-8",
                                        "User-Agent: tee-controller/" TEE_VERSION}};
    struct http_response response;
    const struct http_tls tls = {.ca_file = options->config->ca_bundle};
    const struct http_request request = {.method = "POST",
                                         .url = call->url,
                                         .headers = headers.lines,
                                         .body = call->body.data,
                                         .body_len = call->body.len,
                                         .tls = &tls,
                                         .connect_timeout_ms = CONNECT_MS,
                                         .total_timeout_ms = TOTAL_MS,
                                         .max_body_bytes = CREDENTIALS_ANSWER_MAX,
                                         .direct = http_host_is_loopback(call->host),
                                         .stop = options->stop};
    call->may_retry = false;
    call->is_skewed = false;
    if (!call->role->token && sign(call, &headers, err) < 0)
        return -1;
    struct error failure = {0};
    if (credentials_exchange(options, &request, &response, &failure) == 0)
        return read_response(call, &response, ret_identity, err);
    call->may_retry = failure.kind == ERROR_UNAVAILABLE;
    return error_set(err, failure.kind, failure.reason, "%s: %s", call->action, failure.text);
}

static int64_t delay_ms(int try)
{
    uint32_t random = 0;
    int64_t full_ms = (int64_t)RETRY_DELAY_MS << try;
    RAND_bytes((unsigned char *)&random, sizeof(random));
    return full_ms / 2 + random % (full_ms / 2 + 1);
}

static int perform(struct call *call, struct aws_identity **ret_identity, struct error *err)
{
    bool has_corrected = false;
    for (int try = 0;;) {
        if (try_once(call, ret_identity, err) == 0)
            return 0;
        if (call->is_skewed && !has_corrected) {
            has_corrected = true;
            continue;
        }
        if (++try == TRIES_MAX || !call->may_retry)
            return -1;
        if (credentials_wait(call->options, delay_ms(try)))
            return error_set(err, ERROR_STOPPED, "Stopped", "%s: stopped", call->action);
    }
}

int sts_assume(const struct aws_credentials_options *options, const struct sts_role *role,
               struct aws_identity **ret_identity, struct error *err)
{
    struct call call = {
        .options = options, .role = role, .action = role->token ? "AssumeRoleWithWebIdentity" : "AssumeRole"};
    if (check_role(role, err) < 0)
        return -1;
    buf_init(&call.body, BODY_MAX);
    int result = find_endpoint(&call, err);
    if (result == 0) {
        put_body(&call);
        result = perform(&call, ret_identity, err);
    }
    buf_wipe(&call.body);
    free(call.region);
    free(call.url);
    free(call.host);
    return result;
}
