/* The lock is held while the files are read: they are small and local, and one reader is enough. */
#include "kube/credentials.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"

#include <string.h>

enum { REREAD_MS = 60000, MAX_TOKEN_BYTES = 64 * 1024, MAX_PEM_BYTES = 1024 * 1024 };

struct kube_credentials {
    const struct kube_config *config;
    const struct clock *clock;
    pthread_mutex_t mutex;
    struct kube_auth *auth; /* NULL before the first reading */
    int64_t read_ms;
    bool is_expired;
};

struct kube_credentials *kube_credentials_new(const struct kube_config *config, const struct clock *clock)
{
    struct kube_credentials *credentials = mem_calloc(1, sizeof(*credentials));
    credentials->config = config;
    credentials->clock = clock;
    mutex_init(&credentials->mutex);
    return credentials;
}

static void wipe(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void kube_auth_unref(struct kube_auth *auth)
{
    if (!auth || !ref_put(&auth->ref))
        return;
    wipe(auth->token);
    wipe(auth->key_pem);
    free(auth->ca_pem);
    free(auth->cert_pem);
    free(auth);
}

void kube_auth_unrefp(struct kube_auth **auth)
{
    kube_auth_unref(*auth);
}

struct kube_credentials *kube_credentials_free(struct kube_credentials *credentials)
{
    if (!credentials)
        return NULL;
    kube_auth_unref(credentials->auth);
    pthread_mutex_destroy(&credentials->mutex);
    free(credentials);
    return NULL;
}

struct piece {
    const char *path;     /* NULL: embedded */
    const char *embedded; /* also what to use while the file cannot be read for the first time */
    const char *last;
    size_t max;
};

static int read_piece(const struct piece *piece, char **ret_text, struct error *err)
{
    if (!piece->path) {
        *ret_text = mem_strdup(piece->embedded);
        return 0;
    }
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, piece->max);
    if (file_read(piece->path, &text, err) == 0 && text.len > 0) {
        *ret_text = buf_steal(&text);
        return 0;
    }
    const char *instead = piece->last ? piece->last : piece->embedded;
    if (!instead)
        return text.len > 0 || err->kind != ERROR_NONE
                   ? -1
                   : error_set(err, ERROR_INVALID, "BadToken", "%s: empty", piece->path);
    *ret_text = mem_strdup(instead);
    return 0;
}

/* White space at the end is the editor's; inside it would break the header. */
static int clean_token(char *token, const char *path, struct error *err)
{
    if (!token)
        return 0;
    size_t len = strlen(token);
    while (len > 0 && strchr(" \t\r\n", token[len - 1]))
        token[--len] = '\0';
    if (len > 0 && !strpbrk(token, " \t\r\n"))
        return 0;
    return error_set(err, ERROR_INVALID, "BadToken", "%s: not a token", path ? path : "token");
}

static int read_auth(const struct kube_config *config, const struct kube_auth *last, struct kube_auth *auth,
                     struct error *err)
{
    static const struct kube_auth none = {.token = NULL};
    if (!last)
        last = &none;
    const struct piece token = {config->token_file, config->token, last->token, MAX_TOKEN_BYTES};
    const struct piece ca = {config->ca_file, config->ca_pem, last->ca_pem, MAX_PEM_BYTES};
    const struct piece cert = {config->cert_file, config->cert_pem, last->cert_pem, MAX_PEM_BYTES};
    const struct piece key = {config->key_file, config->key_pem, last->key_pem, MAX_PEM_BYTES};
    if (read_piece(&token, &auth->token, err) < 0 || clean_token(auth->token, config->token_file, err) < 0 ||
        read_piece(&ca, &auth->ca_pem, err) < 0 || read_piece(&cert, &auth->cert_pem, err) < 0)
        return -1;
    return read_piece(&key, &auth->key_pem, err);
}

static int refresh(struct kube_credentials *credentials, struct error *err)
{
    struct kube_auth *auth = mem_calloc(1, sizeof(*auth));
    struct error problem = {0};
    ref_init(&auth->ref);
    credentials->read_ms = clock_mono_ms(credentials->clock);
    credentials->is_expired = false;
    if (read_auth(credentials->config, credentials->auth, auth, &problem) < 0) {
        kube_auth_unref(auth);
        if (credentials->auth)
            return 0;
        if (err)
            *err = problem;
        return -1;
    }
    kube_auth_unref(credentials->auth);
    credentials->auth = auth;
    return 0;
}

int kube_credentials_get(struct kube_credentials *credentials, struct kube_auth **ret_auth, struct error *err)
{
    LOCK_SCOPE(&credentials->mutex);
    int64_t age_ms = clock_mono_ms(credentials->clock) - credentials->read_ms;
    if (!credentials->auth || credentials->is_expired || age_ms >= REREAD_MS)
        if (refresh(credentials, err) < 0)
            return -1;
    ref_get(&credentials->auth->ref);
    *ret_auth = credentials->auth;
    return 0;
}

void kube_credentials_expire(struct kube_credentials *credentials)
{
    LOCK_SCOPE(&credentials->mutex);
    credentials->is_expired = true;
}
