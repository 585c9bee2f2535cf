/* The mutex guards what is kept; `generation` counts finished fetches, so that a waiter knows that the one it
 * waited for is over, whatever came of it. */
#include "nitro/credentials.h"

#include "base/mem.h"
#include "nitro/credentials_source.h"

#include <openssl/rand.h>
#include <string.h>

enum {
    EARLY_MS = 15 * 60 * 1000,
    REREAD_MS = 15 * 60 * 1000,
    JITTER_MS = 60 * 1000,
    RETRY_FIRST_MS = 5 * 1000,
    RETRY_MAX_MS = 60 * 1000
};

#define DUE_NOW INT64_MIN

struct aws_credentials {
    struct aws_credentials_options options;
    struct aws_skew skew;
    const char *told; /* the provider that on_provider heard of; only the thread that fetches looks */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct aws_identity *identity; /* NULL before the first success */
    int64_t refresh_ms;            /* Unix time at which the next fetch is due */
    int64_t retry_ms;              /* monotonic: after a failed fetch none is made before this */
    int64_t retry_wait_ms;         /* of the last failed fetch; 0 = the last one succeeded */
    bool is_refused;
    bool is_fetching;
    uint64_t generation;
    struct error failure; /* of the last fetch, if it failed */
};

struct aws_credentials *aws_credentials_new(const struct aws_credentials_options *options)
{
    struct aws_credentials *credentials = mem_calloc(1, sizeof(*credentials));
    credentials->options = *options;
    credentials->refresh_ms = DUE_NOW;
    credentials->retry_ms = INT64_MIN;
    if (!options->skew)
        credentials->options.skew = &credentials->skew;
    mutex_init(&credentials->mutex);
    cond_init(&credentials->changed);
    return credentials;
}

struct aws_credentials *aws_credentials_free(struct aws_credentials *credentials)
{
    if (!credentials)
        return NULL;
    aws_identity_unref(credentials->identity);
    pthread_cond_destroy(&credentials->changed);
    pthread_mutex_destroy(&credentials->mutex);
    free(credentials);
    return NULL;
}

static int fetch(const struct aws_credentials_options *options, struct aws_identity **ret_identity,
                 struct error *err)
{
    static credentials_source *const sources[] = {credentials_from_env, credentials_from_web,
                                                  credentials_from_container, credentials_from_profile,
                                                  credentials_from_imds};
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        if (sources[i](options, ret_identity, err) < 0)
            return -1;
        if (*ret_identity)
            return 0;
    }
    return error_set(
        err, ERROR_DENIED, "NoCredentials",
        "no AWS credentials: give the service account or the instance a role, or set AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY");
}

/* So that many controllers that started together do not fetch together. */
static int64_t pick_jitter(int64_t max_ms)
{
    uint32_t random = 0;
    RAND_bytes((unsigned char *)&random, sizeof(random));
    return (int64_t)(random % (uint32_t)max_ms);
}

static int64_t plan_refresh(const struct aws_identity *identity, int64_t now_ms)
{
    int64_t expires_ms = identity->expires_ms;
    int64_t early_ms = EARLY_MS + pick_jitter(JITTER_MS);
    int64_t half_ms = (expires_ms - now_ms) / 2;
    if (expires_ms == 0)
        return strcmp(identity->provider, "env") == 0 ? INT64_MAX : now_ms + REREAD_MS;
    return expires_ms - (early_ms < half_ms ? early_ms : half_ms);
}

static bool is_usable(const struct aws_credentials *credentials)
{
    const struct aws_identity *identity = credentials->identity;
    return identity &&
           (identity->expires_ms == 0 || credentials_now_ms(&credentials->options) < identity->expires_ms);
}

static bool is_due(const struct aws_credentials *credentials)
{
    return (!is_usable(credentials) || credentials->is_refused ||
            credentials_now_ms(&credentials->options) >= credentials->refresh_ms) &&
           clock_mono_ms(credentials->options.clock) >= credentials->retry_ms;
}

static void note_success(struct aws_credentials *credentials, struct aws_identity *fresh)
{
    aws_identity_unref(credentials->identity);
    credentials->identity = fresh;
    credentials->refresh_ms = plan_refresh(fresh, credentials_now_ms(&credentials->options));
    credentials->retry_wait_ms = 0;
}

/* By the monotonic clock, so that a jump of the other one holds nothing up. */
static void note_failure(struct aws_credentials *credentials)
{
    int64_t wait_ms = credentials->retry_wait_ms > 0 ? credentials->retry_wait_ms * 2 : RETRY_FIRST_MS;
    credentials->retry_wait_ms = wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS;
    credentials->retry_ms = clock_mono_ms(credentials->options.clock) + credentials->retry_wait_ms +
                            pick_jitter(credentials->retry_wait_ms / 4);
    credentials->refresh_ms = DUE_NOW;
}

static void tell_provider(struct aws_credentials *credentials, const char *provider)
{
    if (credentials->options.on_provider && (!credentials->told || strcmp(credentials->told, provider) != 0))
        credentials->options.on_provider(credentials->options.callback_ctx, provider);
    credentials->told = provider;
}

/* Called and left with the lock held; fetches without it. */
static void refresh(struct aws_credentials *credentials)
{
    struct aws_identity *fresh = NULL;
    struct error failure = {.kind = ERROR_NONE};
    credentials->is_fetching = true;
    mutex_unlock(&credentials->mutex);
    int result = fetch(&credentials->options, &fresh, &failure);
    if (result == 0)
        tell_provider(credentials, fresh->provider);
    else if (credentials->options.on_failure)
        credentials->options.on_failure(credentials->options.callback_ctx, &failure);
    mutex_lock(&credentials->mutex);
    if (result == 0)
        note_success(credentials, fresh);
    else
        note_failure(credentials);
    credentials->is_refused = false; /* if nothing better is to be had, the old ones are tried on */
    credentials->failure = failure;
    credentials->is_fetching = false;
    credentials->generation++;
    pthread_cond_broadcast(&credentials->changed);
}

/* The lock is held. Waits for somebody else's fetch, or does it. */
static void renew(struct aws_credentials *credentials, bool can_go_on)
{
    uint64_t generation = credentials->generation;
    if (!credentials->is_fetching) {
        refresh(credentials);
        return;
    }
    while (!can_go_on && credentials->is_fetching && credentials->generation == generation)
        cond_wait(&credentials->changed, &credentials->mutex);
}

int aws_credentials_get(struct aws_credentials *credentials, struct aws_identity **ret_identity,
                        struct error *err)
{
    LOCK_SCOPE(&credentials->mutex);
    if (is_due(credentials))
        renew(credentials, is_usable(credentials) && !credentials->is_refused);
    if (is_usable(credentials)) {
        ref_get(&credentials->identity->ref);
        *ret_identity = credentials->identity;
        return 0;
    }
    if (credentials->failure.kind == ERROR_NONE)
        return error_set(err, ERROR_UNAVAILABLE, "CredentialsExpired", "the AWS credentials ended just now");
    if (err)
        *err = credentials->failure;
    return -1;
}

struct aws_identity *aws_credentials_peek(struct aws_credentials *credentials)
{
    LOCK_SCOPE(&credentials->mutex);
    if (credentials->identity)
        ref_get(&credentials->identity->ref);
    return credentials->identity;
}

struct aws_skew *aws_credentials_get_skew(struct aws_credentials *credentials)
{
    return credentials->options.skew;
}

void aws_credentials_refuse(struct aws_credentials *credentials, const struct aws_identity *refused)
{
    LOCK_SCOPE(&credentials->mutex);
    if (credentials->identity == refused)
        credentials->is_refused = true;
}
