/* The lock is held while the files are read, which are small and local. A plugin runs on a thread of its own,
 * one at a time: who still has a good credential goes on with that, and the others wait. */
#include "kube/credentials.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "kube/exec_plugin.h"

#include <string.h>

enum { REREAD_MS = 60000, MAX_TOKEN_BYTES = 64 * 1024, MAX_PEM_BYTES = 1024 * 1024 };
/* The first is three times what a plugin may take: one that hangs is asked again while the last credential is
 * still good. */
enum { EXEC_LEEWAY_MS = 30000, EXEC_PAUSE_MS = 5000 };

struct plugin_state {
    struct exec_credential granted; /* what it printed last */
    struct kube_auth *auth;         /* whose CA the present run tells it */
    struct stop stop;
    pthread_t thread;
    pthread_cond_t ended;
    bool has_thread; /* to be joined */
    bool is_running;
    bool is_refused; /* what it printed was answered 401 */
    int64_t ended_ms;
};

struct kube_credentials {
    struct kube_credentials_options options;
    pthread_mutex_t mutex;
    struct kube_auth *auth; /* NULL before the first reading */
    int64_t read_ms;
    bool is_reading_due;
    struct plugin_state plugin;
    struct error file_problem; /* of the last reading; kind NONE = none */
    struct error plugin_problem;
    bool is_problem_told;
};

struct kube_credentials *kube_credentials_new(const struct kube_credentials_options *options)
{
    struct kube_credentials *credentials = mem_calloc(1, sizeof(*credentials));
    credentials->options = *options;
    credentials->is_reading_due = true;
    mutex_init(&credentials->mutex);
    stop_init(&credentials->plugin.stop);
    cond_init(&credentials->plugin.ended);
    return credentials;
}

void kube_auth_unref(struct kube_auth *auth)
{
    if (!auth || !ref_put(&auth->ref))
        return;
    secret_free(auth->token);
    secret_free(auth->key_pem);
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
    struct plugin_state *plugin = &credentials->plugin;
    stop_request(&plugin->stop);
    if (plugin->has_thread)
        thread_join(plugin->thread);
    stop_done(&plugin->stop);
    pthread_cond_destroy(&plugin->ended);
    exec_credential_done(&plugin->granted);
    kube_auth_unref(credentials->auth);
    pthread_mutex_destroy(&credentials->mutex);
    free(credentials);
    return NULL;
}

/* True if *text is what the file holds; NULL is no file. *problem: the first one. */
static bool read_piece(const char *path, struct buf *text, struct error *problem)
{
    struct error err = {0};
    if (!path)
        return false;
    int result = file_read(path, text, &err);
    if (result == 0 && text->len > 0)
        return true;
    if (result == 0)
        error_set(&err, ERROR_INVALID, "BadToken", "%s: empty", path);
    if (problem->kind == ERROR_NONE)
        *problem = err;
    return false;
}

/* While a file cannot be read, its last content is used or else what is embedded: then *problem is set, too.
 */
static int read_cert(const char *path, const char *embedded, const char *last, char **ret_pem,
                     struct error *problem)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, MAX_PEM_BYTES);
    if (read_piece(path, &text, problem))
        *ret_pem = buf_steal(&text);
    else
        *ret_pem = mem_strdup(path && last ? last : embedded);
    return !path || *ret_pem ? 0 : -1;
}

static int read_secret(const char *path, size_t max, const struct secret *embedded, const struct secret *last,
                       struct secret **ret_secret, struct error *problem)
{
    CLEANUP(buf_wipe) struct buf text;
    buf_init(&text, max);
    if (read_piece(path, &text, problem))
        *ret_secret = secret_new(buf_text(&text));
    else
        *ret_secret = secret_copy(path && last ? last : embedded);
    return !path || *ret_secret ? 0 : -1;
}

/* White space at the end is the editor's; inside it would break the header. */
static int clean_token(struct secret **token, const char *path, struct error *err)
{
    const char *text = secret_reveal(*token);
    size_t len = text ? strlen(text) : 0;
    if (!text)
        return 0;
    while (len > 0 && strchr(" \t\r\n", text[len - 1]))
        len--;
    if (len == 0 || strcspn(text, " \t\r\n") < len)
        return error_set(err, ERROR_INVALID, "BadToken", "%s: not a token", path ? path : "token");
    struct secret *clean = secret_new_len(text, len);
    secret_free(*token);
    *token = clean;
    return 0;
}

static int read_auth(const struct kube_config *config, const struct kube_auth *last, struct kube_auth *auth,
                     struct error *err)
{
    static const struct kube_auth none = {.token = NULL};
    if (!last)
        last = &none;
    if (read_secret(config->token_file, MAX_TOKEN_BYTES, config->token, last->token, &auth->token, err) < 0 ||
        clean_token(&auth->token, config->token_file, err) < 0 ||
        read_cert(config->ca_file, config->ca_pem, last->ca_pem, &auth->ca_pem, err) < 0 ||
        read_cert(config->cert_file, config->cert_pem, last->cert_pem, &auth->cert_pem, err) < 0)
        return -1;
    return read_secret(config->key_file, MAX_PEM_BYTES, config->key_pem, last->key_pem, &auth->key_pem, err);
}

static bool has_granted(const struct plugin_state *plugin)
{
    return plugin->granted.token || plugin->granted.cert_pem;
}

static bool ends_within(const struct kube_credentials *credentials, int64_t ms)
{
    int64_t expires_ms = credentials->plugin.granted.expires_ms;
    return expires_ms > 0 && clock_wall_ms(credentials->options.clock) >= expires_ms - ms;
}

static bool is_plugin_due(const struct kube_credentials *credentials)
{
    const struct plugin_state *plugin = &credentials->plugin;
    if (!has_granted(plugin))
        return true;
    if (clock_mono_ms(credentials->options.clock) - plugin->ended_ms < EXEC_PAUSE_MS)
        return false;
    return plugin->is_refused || ends_within(credentials, EXEC_LEEWAY_MS);
}

static int run_plugin(struct kube_credentials *credentials, struct exec_credential *ret_credential,
                      struct error *err)
{
    const struct kube_config *config = credentials->options.config;
    const struct exec_cluster cluster = {.server = config->server,
                                         .tls_server_name = config->tls_server_name,
                                         .proxy_url = config->proxy_url,
                                         .ca_pem = credentials->plugin.auth->ca_pem,
                                         .insecure_skip_verify = config->insecure_skip_verify};
    return exec_plugin_run(config->exec, &cluster, &credentials->plugin.stop, ret_credential, err);
}

/* True if there is something to tell, and what. To be called with the lock held, and told without it. */
static bool has_news(struct kube_credentials *credentials, struct error *ret_problem)
{
    const struct error *files = &credentials->file_problem;
    *ret_problem = files->kind != ERROR_NONE ? *files : credentials->plugin_problem;
    bool is_problem = ret_problem->kind != ERROR_NONE;
    bool is_new = credentials->options.changed && is_problem != credentials->is_problem_told;
    credentials->is_problem_told = is_problem;
    return is_new;
}

static void tell(const struct kube_credentials *credentials, const struct error *problem)
{
    const struct kube_credentials_options *options = &credentials->options;
    options->changed(options->ctx, problem->kind != ERROR_NONE ? problem : NULL);
}

static bool end_run(struct kube_credentials *credentials, struct exec_credential *credential,
                    const struct error *problem, struct error *ret_news)
{
    LOCK_SCOPE(&credentials->mutex);
    struct plugin_state *plugin = &credentials->plugin;
    credentials->plugin_problem = *problem;
    if (problem->kind == ERROR_NONE) {
        exec_credential_done(&plugin->granted);
        plugin->granted = *credential;
        credentials->is_reading_due = true;
    }
    kube_auth_unref(STEAL(plugin->auth));
    plugin->ended_ms = clock_mono_ms(credentials->options.clock);
    plugin->is_running = plugin->is_refused = false;
    pthread_cond_broadcast(&plugin->ended);
    return has_granted(plugin) && problem->kind != ERROR_STOPPED && has_news(credentials, ret_news);
}

static void *run(void *ctx)
{
    struct kube_credentials *credentials = ctx;
    struct exec_credential credential = {.token = NULL};
    struct error problem = {0};
    struct error news = {0};
    if (run_plugin(credentials, &credential, &problem) == 0)
        error_clear(&problem);
    if (end_run(credentials, &credential, &problem, &news))
        tell(credentials, &news);
    return NULL;
}

/* A 401 of one request must not run the plugin for each of the others that got one too. */
static void start_run_if_due(struct kube_credentials *credentials)
{
    struct plugin_state *plugin = &credentials->plugin;
    if (plugin->is_running)
        return;
    if (!is_plugin_due(credentials)) {
        plugin->is_refused = false;
        return;
    }
    if (plugin->has_thread)
        thread_join(plugin->thread); /* which has nothing to do any more */
    ref_get(&credentials->auth->ref);
    plugin->auth = credentials->auth;
    plugin->is_running = plugin->has_thread = true;
    plugin->thread = thread_start("credentials", run, credentials);
}

static bool has_good(const struct kube_credentials *credentials)
{
    const struct plugin_state *plugin = &credentials->plugin;
    return has_granted(plugin) && !plugin->is_refused && !ends_within(credentials, 0);
}

/* What the plugin says, or said last. */
static int ask_plugin(struct kube_credentials *credentials, int64_t deadline_ms, struct error *err)
{
    struct plugin_state *plugin = &credentials->plugin;
    start_run_if_due(credentials);
    while (plugin->is_running && !has_good(credentials))
        if (!cond_wait_until(&plugin->ended, &credentials->mutex, deadline_ms))
            break;
    if (has_granted(plugin))
        return 0;
    if (plugin->is_running)
        return error_set(err, ERROR_UNAVAILABLE, "Timeout", "the credential plugin has not answered yet");
    if (err)
        *err = credentials->plugin_problem;
    return -1;
}

static int read_files(struct kube_credentials *credentials, struct error *err)
{
    const struct exec_credential *granted = &credentials->plugin.granted;
    struct kube_auth *auth = mem_calloc(1, sizeof(*auth));
    struct error problem = {0};
    ref_init(&auth->ref);
    credentials->read_ms = clock_mono_ms(credentials->options.clock);
    credentials->is_reading_due = false;
    int result = read_auth(credentials->options.config, credentials->auth, auth, &problem);
    credentials->file_problem = problem;
    if (result < 0) {
        kube_auth_unref(auth);
        if (credentials->auth)
            return 0;
        if (err)
            *err = problem;
        return -1;
    }
    if (credentials->options.config->exec) {
        auth->token = secret_copy(granted->token);
        auth->cert_pem = mem_strdup(granted->cert_pem);
        auth->key_pem = secret_copy(granted->key_pem);
    }
    kube_auth_unref(credentials->auth);
    credentials->auth = auth;
    return 0;
}

static int read_if_due(struct kube_credentials *credentials, struct error *err)
{
    int64_t age_ms = clock_mono_ms(credentials->options.clock) - credentials->read_ms;
    bool is_due = credentials->is_reading_due || !credentials->auth || age_ms >= REREAD_MS;
    return is_due ? read_files(credentials, err) : 0;
}

/* The plugin is told the CA, and what it printed becomes part of the set: so the files are looked at before
 * and after. */
static int get_auth(struct kube_credentials *credentials, int64_t deadline_ms, struct kube_auth **ret_auth,
                    struct error *err)
{
    if (read_if_due(credentials, err) < 0)
        return -1;
    if (credentials->options.config->exec &&
        (ask_plugin(credentials, deadline_ms, err) < 0 || read_if_due(credentials, err) < 0))
        return -1;
    ref_get(&credentials->auth->ref);
    *ret_auth = credentials->auth;
    return 0;
}

int kube_credentials_get(struct kube_credentials *credentials, int64_t deadline_ms,
                         struct kube_auth **ret_auth, struct error *err)
{
    struct error news = {0};
    mutex_lock(&credentials->mutex);
    int result = get_auth(credentials, deadline_ms, ret_auth, err);
    bool is_news = result == 0 && has_news(credentials, &news);
    mutex_unlock(&credentials->mutex);
    if (is_news)
        tell(credentials, &news);
    return result;
}

void kube_credentials_expire(struct kube_credentials *credentials)
{
    LOCK_SCOPE(&credentials->mutex);
    credentials->is_reading_due = true;
    credentials->plugin.is_refused = true;
}
