/* The lock is held while the files are read, which are small and local, and while a plugin runs: without its
 * answer no request can be sent. */
#include "kube/credentials.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "kube/exec_plugin.h"

#include <string.h>

enum { REREAD_MS = 60000, MAX_TOKEN_BYTES = 64 * 1024, MAX_PEM_BYTES = 1024 * 1024 };
enum { EXEC_LEEWAY_MS = 10000, EXEC_PAUSE_MS = 5000 };

struct kube_credentials {
    const struct kube_config *config;
    const struct clock *clock;
    pthread_mutex_t mutex;
    struct kube_auth *auth; /* NULL before the first reading */
    int64_t read_ms;
    int64_t exec_ms; /* when the plugin ran last */
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

void kube_auth_unref(struct kube_auth *auth)
{
    if (!auth || !ref_put(&auth->ref))
        return;
    mem_free_secret(auth->token);
    mem_free_secret(auth->key_pem);
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

/* A 401 of one request must not run the plugin for each of the others that got one too. */
static bool is_exec_due(const struct kube_credentials *credentials)
{
    const struct kube_auth *auth = credentials->auth;
    if (!credentials->config->exec || !auth)
        return credentials->config->exec != NULL;
    if (clock_mono_ms(credentials->clock) - credentials->exec_ms < EXEC_PAUSE_MS)
        return false;
    bool has_ended =
        auth->expires_ms > 0 && clock_wall_ms(credentials->clock) >= auth->expires_ms - EXEC_LEEWAY_MS;
    return credentials->is_expired || has_ended;
}

static int run_exec(struct kube_credentials *credentials, struct kube_auth *auth, struct error *err)
{
    const struct kube_config *config = credentials->config;
    const struct exec_cluster cluster = {.server = config->server,
                                         .tls_server_name = config->tls_server_name,
                                         .proxy_url = config->proxy_url,
                                         .ca_pem = auth->ca_pem,
                                         .insecure_skip_verify = config->insecure_skip_verify};
    struct exec_credential credential = {.token = NULL};
    int result = exec_plugin_run(config->exec, &cluster, &credential, err);
    credentials->exec_ms = clock_mono_ms(credentials->clock);
    if (result < 0)
        return -1;
    auth->token = credential.token;
    auth->cert_pem = credential.cert_pem;
    auth->key_pem = credential.key_pem;
    auth->expires_ms = credential.expires_ms;
    return 0;
}

/* What the plugin says, or said last. */
static int read_exec(struct kube_credentials *credentials, struct kube_auth *auth, struct error *err)
{
    const struct kube_auth *last = credentials->auth;
    if (!credentials->config->exec)
        return 0;
    if (is_exec_due(credentials) && (run_exec(credentials, auth, err) == 0 || !last))
        return auth->token || auth->cert_pem ? 0 : -1;
    auth->token = mem_strdup(last->token);
    auth->cert_pem = mem_strdup(last->cert_pem);
    auth->key_pem = mem_strdup(last->key_pem);
    auth->expires_ms = last->expires_ms;
    return 0;
}

static int refresh(struct kube_credentials *credentials, struct error *err)
{
    struct kube_auth *auth = mem_calloc(1, sizeof(*auth));
    struct error problem = {0};
    ref_init(&auth->ref);
    credentials->read_ms = clock_mono_ms(credentials->clock);
    int result = read_auth(credentials->config, credentials->auth, auth, &problem);
    if (result == 0)
        result = read_exec(credentials, auth, &problem);
    credentials->is_expired = false;
    if (result < 0) {
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
    if (!credentials->auth || credentials->is_expired || age_ms >= REREAD_MS || is_exec_due(credentials))
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
