/* What a provider says is untrusted until make_identity() has looked at it: the values end up in headers. */
#include "nitro/credentials_source.h"

#include "base/mem.h"
#include "nitro/imds.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <string.h>

enum { MAX_ACCESS_KEY = 128, MAX_SECRET = 256, MAX_TOKEN = 16384, MAX_ROLE = 64 };

static bool is_clean(const char *text, size_t max)
{
    size_t len = 0;
    for (; text[len]; len++)
        if (text[len] <= ' ' || text[len] > '~' || len >= max)
            return false;
    return len > 0;
}

static void wipe(const char *secret)
{
    char *text = (char *)secret;
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

void aws_identity_unref(struct aws_identity *identity)
{
    if (!identity || !ref_put(&identity->ref))
        return;
    wipe(identity->keys.access_key_id);
    wipe(identity->keys.secret_access_key);
    wipe(identity->keys.session_token);
    free(identity);
}

void aws_identity_unrefp(struct aws_identity **identity)
{
    aws_identity_unref(*identity);
}

/* NULL if the values are not usable. */
static struct aws_identity *make_identity(const struct aws_keys *keys, int64_t expires_ms,
                                          const char *provider)
{
    bool is_ok = keys->access_key_id && is_clean(keys->access_key_id, MAX_ACCESS_KEY) &&
                 keys->secret_access_key && is_clean(keys->secret_access_key, MAX_SECRET) &&
                 (!keys->session_token || is_clean(keys->session_token, MAX_TOKEN));
    if (!is_ok)
        return NULL;
    struct aws_identity *identity = mem_calloc(1, sizeof(*identity));
    ref_init(&identity->ref);
    identity->keys = (struct aws_keys){mem_strdup(keys->access_key_id), mem_strdup(keys->secret_access_key),
                                       mem_strdup(keys->session_token)};
    identity->expires_ms = expires_ms;
    identity->provider = provider;
    return identity;
}

/* A copy, because the environment lends a text only until the next look. */
static char *copy_variable(const struct aws_credentials_options *options, const char *name)
{
    return mem_strdup(environment_find(options->environment, name));
}

static int check_expiry(const struct aws_credentials_options *options, int64_t expires_ms, struct error *err)
{
    if (expires_ms == 0 || expires_ms > clock_wall_ms(options->clock))
        return 0;
    return error_set(err, ERROR_DENIED, "CredentialsExpired", "the AWS credentials have expired");
}

static int read_env(const struct aws_credentials_options *options, const struct aws_keys *keys,
                    struct aws_identity **ret_identity, struct error *err)
{
    int64_t expires_ms = 0;
    const char *expiration = environment_find(options->environment, "AWS_CREDENTIAL_EXPIRATION");
    if (expiration && time_parse(expiration, &expires_ms) < 0)
        return error_set(err, ERROR_INVALID, "BadEnvironment",
                         "AWS_CREDENTIAL_EXPIRATION must be a time such as 2026-01-02T03:04:05Z");
    if (check_expiry(options, expires_ms, err) < 0)
        return -1;
    *ret_identity = make_identity(keys, expires_ms, "env");
    return *ret_identity ? 0
                         : error_set(err, ERROR_INVALID, "BadEnvironment",
                                     "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN must be "
                                     "printable ASCII without spaces");
}

int credentials_from_env(const struct aws_credentials_options *options, struct aws_identity **ret_identity,
                         struct error *err)
{
    char *access = copy_variable(options, "AWS_ACCESS_KEY_ID");
    char *secret = copy_variable(options, "AWS_SECRET_ACCESS_KEY");
    char *token = copy_variable(options, "AWS_SESSION_TOKEN");
    const struct aws_keys keys = {access, secret, token};
    int result = 0;
    *ret_identity = NULL;
    if (access && secret)
        result = read_env(options, &keys, ret_identity, err);
    else if (access || secret)
        result = error_set(err, ERROR_INVALID, "BadEnvironment",
                           "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together");
    wipe(access);
    wipe(secret);
    wipe(token);
    return result;
}

static const char *get_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* The form that the metadata service uses: {"Code": "Success", "AccessKeyId": ..., "Expiration": ...}. */
static int decode(const struct aws_credentials_options *options, const json_t *answer,
                  struct aws_identity **ret_identity, struct error *err)
{
    const char *code = get_text(answer, "Code");
    const char *expiration = get_text(answer, "Expiration");
    const struct aws_keys keys = {get_text(answer, "AccessKeyId"), get_text(answer, "SecretAccessKey"),
                                  get_text(answer, "Token")};
    int64_t expires_ms = 0;
    if (code && strcmp(code, "Success") != 0)
        return error_set(err, ERROR_DENIED, "CredentialsRefused",
                         "the metadata service gave no credentials: %.64s",
                         is_clean(code, MAX_ROLE) ? code : "(unreadable)");
    if (!expiration || time_parse(expiration, &expires_ms) < 0)
        return error_set(err, ERROR_UNAVAILABLE, "MetadataFailed",
                         "the credentials have no usable Expiration");
    if (check_expiry(options, expires_ms, err) < 0)
        return -1;
    *ret_identity = make_identity(&keys, expires_ms, "imds");
    return *ret_identity ? 0
                         : error_set(err, ERROR_UNAVAILABLE, "MetadataFailed",
                                     "the credentials are incomplete or malformed");
}

/* A role's name becomes part of a path. */
static bool is_role(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-";
    size_t len = strspn(name, allowed);
    return len > 0 && len <= MAX_ROLE && name[len] == '\0' && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static int get_path(struct imds *imds, char **ret_path, struct error *err)
{
    static const char folder[] = "/latest/meta-data/iam/security-credentials/";
    struct buf roles;
    if (imds_get(imds, folder, &roles, err) < 0) {
        if (err && err->kind == ERROR_ABSENT)
            return error_set(err, ERROR_DENIED, "NoInstanceRole", "the instance has no role");
        return -1;
    }
    roles.data[strcspn(roles.data, "\r\n")] = '\0';
    int result = 0;
    if (is_role(roles.data))
        *ret_path = mem_printf("%s%s", folder, roles.data);
    else
        result = error_set(err, ERROR_UNAVAILABLE, "MetadataFailed",
                           "the name of the instance's role is malformed");
    imds_text_done(&roles);
    return result;
}

static int get_answer(struct imds *imds, struct buf *ret_text, struct error *err)
{
    CLEANUP(freep) char *path = NULL;
    if (get_path(imds, &path, err) < 0)
        return -1;
    return imds_get(imds, path, ret_text, err);
}

int credentials_from_imds(const struct aws_credentials_options *options, struct aws_identity **ret_identity,
                          struct error *err)
{
    struct imds imds;
    struct buf text;
    *ret_identity = NULL;
    if (options->config->imds_disabled)
        return 0;
    if (imds_open(options->config->imds_endpoint, options->stop, &imds, err) < 0)
        return -1;
    int result = get_answer(&imds, &text, err);
    imds_done(&imds);
    if (result < 0)
        return -1;
    json_t *answer = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(answer))
        result = decode(options, answer, ret_identity, err);
    else
        result = error_set(err, ERROR_UNAVAILABLE, "MetadataFailed", "the credentials are not a JSON object");
    json_decref(answer);
    imds_text_done(&text);
    return result;
}
