/* Keys are copied only after every value has been looked at. */
#include "nitro/credentials_source.h"

#include "base/file.h"
#include "base/mem.h"

#include <jansson.h>
#include <openssl/rand.h>
#include <string.h>

enum {
    MAX_ACCESS_KEY = 128,
    MAX_SECRET = 256,
    MAX_TOKEN = 16384,
    MAX_CODE = 64,
    EXTENSION_MS = 20 * 60 * 1000
};

static bool is_clean(const char *text, size_t max)
{
    size_t len = 0;
    for (; text[len]; len++)
        if (text[len] <= ' ' || text[len] > '~' || len >= max)
            return false;
    return len > 0;
}

void aws_identity_unref(struct aws_identity *identity)
{
    if (!identity || !ref_put(&identity->ref))
        return;
    free((char *)identity->keys.access_key_id);
    secret_free((struct secret *)identity->keys.secret_access_key);
    secret_free((struct secret *)identity->keys.session_token);
    free(identity);
}

void aws_identity_unrefp(struct aws_identity **identity)
{
    aws_identity_unref(*identity);
}

int64_t credentials_now_ms(const struct aws_credentials_options *options)
{
    return clock_wall_ms(options->clock) + aws_skew_get(options->skew);
}

static int read_expiration(const struct identity_claim *claim, int64_t *ret_expires_ms, struct error *err)
{
    *ret_expires_ms = 0;
    if (!claim->expiration && claim->may_last)
        return 0;
    if (claim->expiration && time_parse(claim->expiration, ret_expires_ms) == 0)
        return 0;
    return error_set(err, claim->kind, claim->reason,
                     "credentials of '%s': no usable expiration; it must be a time such as "
                     "2026-01-02T03:04:05Z",
                     claim->provider);
}

/* New ones are asked for after half of a life. */
static int64_t pick_extension_ms(void)
{
    uint32_t random = 0;
    RAND_bytes((unsigned char *)&random, sizeof(random));
    return EXTENSION_MS + (int64_t)(random % (EXTENSION_MS / 2));
}

int identity_accept(const struct aws_credentials_options *options, const struct identity_claim *claim,
                    struct aws_identity **ret_identity, struct error *err)
{
    const struct aws_keys *keys = &claim->keys;
    int64_t expires_ms = 0;
    bool is_ok = keys->access_key_id && is_clean(keys->access_key_id, MAX_ACCESS_KEY) &&
                 keys->secret_access_key && is_clean(secret_reveal(keys->secret_access_key), MAX_SECRET) &&
                 (!keys->session_token || is_clean(secret_reveal(keys->session_token), MAX_TOKEN));
    if (!is_ok)
        return error_set(err, claim->kind, claim->reason,
                         "credentials of '%s': access key, secret and token must be there, printable ASCII "
                         "without spaces",
                         claim->provider);
    if (read_expiration(claim, &expires_ms, err) < 0)
        return -1;
    int64_t now_ms = credentials_now_ms(options);
    if (expires_ms != 0 && expires_ms <= now_ms && claim->may_be_over)
        expires_ms = now_ms + pick_extension_ms();
    if (expires_ms != 0 && expires_ms <= now_ms)
        return error_set(err, ERROR_DENIED, "CredentialsExpired", "credentials of '%s': they have expired",
                         claim->provider);
    struct aws_identity *identity = mem_calloc(1, sizeof(*identity));
    ref_init(&identity->ref);
    identity->keys = (struct aws_keys){mem_strdup(keys->access_key_id), secret_copy(keys->secret_access_key),
                                       secret_copy(keys->session_token)};
    identity->expires_ms = expires_ms;
    identity->provider = claim->provider;
    *ret_identity = identity;
    return 0;
}

static const char *get_text(const json_t *object, const char *key, const char *other_key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : json_string_value(json_object_get(object, other_key));
}

static int accept_object(const struct aws_credentials_options *options, const json_t *answer,
                         const struct identity_claim *claim, struct aws_identity **ret_identity,
                         struct error *err)
{
    CLEANUP(secret_freep) struct secret *secret = secret_new(get_text(answer, "SecretAccessKey", ""));
    CLEANUP(secret_freep) struct secret *token = secret_new(get_text(answer, "Token", "SessionToken"));
    struct identity_claim full = *claim;
    const char *code = get_text(answer, "Code", "code");
    const json_t *expiration = json_object_get(answer, "Expiration");
    if (code && strcmp(code, "Success") != 0)
        return error_set(err, ERROR_DENIED, "CredentialsRefused", "credentials of '%s': none were given: %s",
                         claim->provider, is_clean(code, MAX_CODE) ? code : "(unreadable)");
    full.keys = (struct aws_keys){get_text(answer, "AccessKeyId", ""), secret, token};
    full.expiration = json_string_value(expiration);
    full.may_last = claim->may_last && !expiration;
    return identity_accept(options, &full, ret_identity, err);
}

int identity_decode(const struct aws_credentials_options *options, const struct buf *text,
                    const struct identity_claim *claim, struct aws_identity **ret_identity, struct error *err)
{
    json_t *answer = json_loadb(buf_text(text), text->len, JSON_REJECT_DUPLICATES, NULL);
    int result = json_is_object(answer)
                     ? accept_object(options, answer, claim, ret_identity, err)
                     : error_set(err, claim->kind, claim->reason, "credentials of '%s': not a JSON object",
                                 claim->provider);
    json_decref(answer);
    return result;
}

/* Where the text begins without the blanks at its ends, and its length; NULL if nothing is left. */
static const char *trim(const char *text, size_t *ret_len)
{
    static const char blanks[] = " \t\r\n";
    text += strspn(text, blanks);
    size_t len = strlen(text);
    while (len > 0 && strchr(blanks, text[len - 1]))
        len--;
    *ret_len = len;
    return len > 0 ? text : NULL;
}

static const char *find_variable(const struct aws_credentials_options *options, const char *name,
                                 size_t *ret_len)
{
    const char *value = environment_find(options->environment, name);
    return value ? trim(value, ret_len) : NULL;
}

char *credentials_copy_variable(const struct aws_credentials_options *options, const char *name)
{
    size_t len = 0;
    const char *text = find_variable(options, name, &len);
    return text ? mem_strndup(text, len) : NULL;
}

struct secret *credentials_copy_secret(const struct aws_credentials_options *options, const char *name)
{
    size_t len = 0;
    const char *text = find_variable(options, name, &len);
    return secret_new_len(text, len);
}

int credentials_read_token(const char *path, const char *variable, struct secret **ret_token,
                           struct error *err)
{
    struct buf text;
    size_t len = 0;
    buf_init(&text, CREDENTIALS_TOKEN_MAX + 2);
    int result = file_read(path, &text, err);
    const char *line = result == 0 ? trim(buf_text(&text), &len) : NULL;
    CLEANUP(secret_freep) struct secret *token = secret_new_len(line, len);
    bool is_whole = text.len == 0 || strlen(buf_text(&text)) == text.len;
    buf_wipe(&text);
    if (result < 0)
        return error_wrap(err, "%s", variable);
    if (!token || !is_whole || !is_clean(secret_reveal(token), CREDENTIALS_TOKEN_MAX))
        return error_set(err, ERROR_INVALID, "BadTokenFile",
                         "%s: '%s' must hold one line of at most 20000 printable characters", variable, path);
    *ret_token = STEAL(token);
    return 0;
}

bool credentials_wait(const struct aws_credentials_options *options, int64_t wait_ms)
{
    if (options->stop)
        return stop_wait(options->stop, wait_ms);
    struct stop stop;
    stop_init(&stop);
    stop_wait(&stop, wait_ms);
    stop_done(&stop);
    return false;
}

int credentials_exchange(const struct aws_credentials_options *options, const struct http_request *request,
                         struct http_response *ret_response, struct error *err)
{
    struct http_client *client = http_client_new();
    int result = options->exchange
                     ? options->exchange(options->exchange_ctx, client, request, ret_response, err)
                     : http_perform(client, request, ret_response, err);
    http_client_free(client);
    return result;
}
