/* All files are loaded first; then context, cluster and user are each looked up through them in order. An
 * `entry` remembers the file it came from, for relative paths and for messages. */
#include "kube/config.h"

#include "base/encoding.h"
#include "base/file.h"
#include "base/mem.h"
#include "kube/exec_plugin.h"
#include "kube/impersonation.h"
#include "kube/yaml_tree.h"

#include <string.h>

enum { MAX_FILES = 16, MAX_FILE_BYTES = 1024 * 1024 };
#define SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

struct config_file {
    char *path;
    struct yaml_tree *tree;
};

struct config_files {
    struct config_file items[MAX_FILES];
    size_t count;
};

struct entry {
    const char *path; /* of the file */
    const char *kind; /* "cluster" */
    const char *name;
    struct yaml_value value; /* what stands under `kind` */
};

static void files_done(struct config_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->items[i].path);
        yaml_tree_free(files->items[i].tree);
    }
}

static int load_file(struct config_files *files, const char *path, struct error *err)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, MAX_FILE_BYTES);
    struct yaml_tree *tree = NULL;
    if (file_read(path, &text, err) < 0)
        return error_wrap(err, "kubeconfig");
    if (yaml_tree_load(buf_text(&text), text.len, &tree, err) < 0)
        return error_wrap(err, "kubeconfig %s", path);
    files->items[files->count++] = (struct config_file){.path = mem_strdup(path), .tree = tree};
    return 0;
}

/* A colon-separated list, of which missing files are skipped. */
static int load_list(struct config_files *files, const char *list, struct error *err)
{
    for (const char *at = list; *at;) {
        size_t len = strcspn(at, ":");
        CLEANUP(freep) char *path = mem_strndup(at, len);
        at += at[len] ? len + 1 : len;
        if (len == 0)
            continue;
        if (files->count == MAX_FILES)
            return error_set(err, ERROR_INVALID, "BadKubeconfig", "KUBECONFIG names more than %d files",
                             MAX_FILES);
        if (load_file(files, path, err) < 0 && err->kind != ERROR_ABSENT)
            return -1;
    }
    if (files->count == 0)
        return error_set(err, ERROR_ABSENT, "FileNotFound",
                         "KUBECONFIG is set, but none of its files exists: %s", list);
    error_clear(err);
    return 0;
}

/* Finds `name` in the list `kind`s of the first file that has it. */
static int find_entry(const struct config_files *files, const char *kind, const char *name,
                      struct entry *ret_entry, struct error *err)
{
    CLEANUP(freep) char *list_name = mem_printf("%ss", kind);
    for (size_t i = 0; i < files->count; i++) {
        struct yaml_value list = yaml_get_member(yaml_get_root(files->items[i].tree), list_name);
        for (size_t k = 0; k < yaml_get_count(list); k++) {
            struct yaml_value item = yaml_get_item(list, k);
            const char *item_name = yaml_get_text(yaml_get_member(item, "name"));
            if (!item_name || strcmp(item_name, name) != 0)
                continue;
            *ret_entry = (struct entry){.path = files->items[i].path, .kind = kind, .name = name};
            ret_entry->value = yaml_get_member(item, kind);
            return 0;
        }
    }
    return error_set(err, ERROR_INVALID, "BadKubeconfig", "kubeconfig %s: there is no %s '%s'",
                     files->items[0].path, kind, name);
}

static int entry_error(const struct entry *entry, const char *field, const char *what, struct error *err)
{
    return error_set(err, ERROR_INVALID, "BadKubeconfig", "kubeconfig %s: %s '%s': %s %s", entry->path,
                     entry->kind, entry->name, field, what);
}

/* Absent and empty both yield NULL. */
static int copy_text(const struct entry *entry, const char *field, char **ret_text, struct error *err)
{
    struct yaml_value value = yaml_get_member(entry->value, field);
    const char *text = yaml_get_text(value);
    if (yaml_is_present(value) && !text)
        return entry_error(entry, field, "must be text", err);
    *ret_text = text && *text ? mem_strdup(text) : NULL;
    return 0;
}

static int copy_path(const struct entry *entry, const char *field, char **ret_path, struct error *err)
{
    CLEANUP(freep) char *path = NULL;
    if (copy_text(entry, field, &path, err) < 0)
        return -1;
    const char *slash = strrchr(entry->path, '/');
    if (path && *path != '/' && slash)
        *ret_path = mem_printf("%.*s/%s", (int)(slash - entry->path), entry->path, path);
    else
        *ret_path = STEAL(path);
    if (*ret_path && access(*ret_path, R_OK) < 0)
        return entry_error(entry, field, "names a file that cannot be read", err);
    return 0;
}

/* Base64, folded or not, to text. */
static int copy_data(const struct entry *entry, const char *field, char **ret_text, struct error *err)
{
    CLEANUP(freep) char *encoded = NULL;
    if (copy_text(entry, field, &encoded, err) < 0)
        return -1;
    if (!encoded)
        return 0;
    size_t len = 0;
    for (const char *at = encoded; *at; at++)
        if (!strchr(" \t\r\n", *at))
            encoded[len++] = *at;
    CLEANUP(freep) uint8_t *data = NULL;
    size_t data_len = 0;
    if (base64_decode(encoded, len, &data, &data_len) < 0)
        return entry_error(entry, field, "is not base64", err);
    if (memchr(data, '\0', data_len) || !memmem(data, data_len, "-----BEGIN ", 11))
        return entry_error(entry, field, "does not hold PEM", err);
    *ret_text = mem_strndup((const char *)data, data_len);
    return 0;
}

/* field-data, else the file that field names. */
static int copy_pem(const struct entry *entry, const char *field, char **ret_pem, char **ret_file,
                    struct error *err)
{
    CLEANUP(freep) char *data_field = mem_printf("%s-data", field);
    if (copy_data(entry, data_field, ret_pem, err) < 0)
        return -1;
    return *ret_pem ? 0 : copy_path(entry, field, ret_file, err);
}

/* The same for a field whose text is secret: the copy is wiped, libyaml's tree is not. */
static int copy_secret_text(const struct entry *entry, const char *field, struct secret **ret_secret,
                            struct error *err)
{
    char *text = NULL;
    int result = copy_text(entry, field, &text, err);
    *ret_secret = secret_take(text);
    return result;
}

static int copy_secret_pem(const struct entry *entry, const char *field, struct secret **ret_pem,
                           char **ret_file, struct error *err)
{
    char *pem = NULL;
    int result = copy_pem(entry, field, &pem, ret_file, err);
    *ret_pem = secret_take(pem);
    return result;
}

static int copy_bool(const struct entry *entry, const char *field, bool *ret_value, struct error *err)
{
    struct yaml_value value = yaml_get_member(entry->value, field);
    const char *text = yaml_get_text(value);
    if (!yaml_is_present(value))
        return 0;
    if (!text || (strcmp(text, "true") != 0 && strcmp(text, "false") != 0))
        return entry_error(entry, field, "must be true or false", err);
    *ret_value = strcmp(text, "true") == 0;
    return 0;
}

static int copy_server(const struct entry *entry, char **ret_server, struct error *err)
{
    CLEANUP(freep) char *server = NULL;
    if (copy_text(entry, "server", &server, err) < 0)
        return -1;
    if (!server)
        return entry_error(entry, "server", "is missing", err);
    if (strncmp(server, "https://", 8) != 0 && strncmp(server, "http://", 7) != 0)
        return entry_error(entry, "server", "must begin with https:// or http://", err);
    size_t len = strlen(server);
    while (len > 0 && server[len - 1] == '/')
        server[--len] = '\0';
    if (strpbrk(server, " \t\r\n?#@") || server[len - 1] == ':')
        return entry_error(entry, "server", "must be a URL with a host and no user, query or space", err);
    *ret_server = STEAL(server);
    return 0;
}

static int load_cluster(const struct entry *entry, struct kube_config *config, struct error *err)
{
    if (copy_server(entry, &config->server, err) < 0 ||
        copy_text(entry, "tls-server-name", &config->tls_server_name, err) < 0 ||
        copy_text(entry, "proxy-url", &config->proxy_url, err) < 0 ||
        copy_bool(entry, "insecure-skip-tls-verify", &config->insecure_skip_verify, err) < 0 ||
        copy_bool(entry, "disable-compression", &config->disable_compression, err) < 0 ||
        copy_pem(entry, "certificate-authority", &config->ca_pem, &config->ca_file, err) < 0)
        return -1;
    if (config->insecure_skip_verify && (config->ca_pem || config->ca_file))
        return entry_error(entry, "insecure-skip-tls-verify", "is set together with a certificate-authority",
                           err);
    return 0;
}

/* What would change who we are, and is not done here. */
static int refuse_unsupported(const struct entry *entry, struct error *err)
{
    static const struct {
        const char *field, *advice;
    } refused[] = {
        {"auth-provider", "is not supported; Kubernetes replaced it by exec, use a credential plugin"},
        {"username", "is not supported; Kubernetes dropped passwords, use a token or client certificate"},
        {"password", "is not supported; Kubernetes dropped passwords, use a token or client certificate"},
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (yaml_is_present(yaml_get_member(entry->value, refused[i].field)))
            return entry_error(entry, refused[i].field, refused[i].advice, err);
    return 0;
}

/* Which of two credentials wins is not said anywhere: a user has one or the other. */
static int load_exec(const struct entry *entry, struct kube_config *config, struct error *err)
{
    struct yaml_value exec = yaml_get_member(entry->value, "exec");
    if (!yaml_is_present(exec))
        return 0;
    if (config->token || config->token_file || config->cert_pem || config->cert_file)
        return entry_error(entry, "exec", "is set together with a token or client certificate", err);
    if (exec_plugin_new(exec, entry->path, &config->exec, err) < 0)
        return error_wrap(err, "kubeconfig %s: user '%s'", entry->path, entry->name);
    return 0;
}

static int load_user(const struct entry *entry, struct kube_config *config, struct error *err)
{
    if (refuse_unsupported(entry, err) < 0 || copy_secret_text(entry, "token", &config->token, err) < 0 ||
        copy_path(entry, "tokenFile", &config->token_file, err) < 0 ||
        copy_pem(entry, "client-certificate", &config->cert_pem, &config->cert_file, err) < 0 ||
        copy_secret_pem(entry, "client-key", &config->key_pem, &config->key_file, err) < 0)
        return -1;
    if (config->token && strpbrk(secret_reveal(config->token), "\r\n"))
        return entry_error(entry, "token", "holds a line end", err);
    bool has_cert = config->cert_pem || config->cert_file;
    bool has_key = config->key_pem || config->key_file;
    if (has_cert != has_key)
        return entry_error(entry, has_cert ? "client-key" : "client-certificate", "is missing", err);
    if (load_exec(entry, config, err) < 0)
        return -1;
    if (impersonation_decode(entry->value, &config->impersonation, err) < 0)
        return error_wrap(err, "kubeconfig %s: user '%s'", entry->path, entry->name);
    return 0;
}

static const char *find_current_context(const struct config_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        const char *name =
            yaml_get_text(yaml_get_member(yaml_get_root(files->items[i].tree), "current-context"));
        if (name && *name)
            return name;
    }
    return NULL;
}

static int load_context(const struct config_files *files, const char *name, struct kube_config *config,
                        struct error *err)
{
    struct entry context = {0};
    struct entry cluster = {0};
    struct entry user = {0};
    CLEANUP(freep) char *cluster_name = NULL;
    CLEANUP(freep) char *user_name = NULL;
    if (!name)
        name = find_current_context(files);
    if (!name)
        return error_set(err, ERROR_INVALID, "BadKubeconfig",
                         "kubeconfig %s: current-context is not set; name one with --context",
                         files->items[0].path);
    if (find_entry(files, "context", name, &context, err) < 0 ||
        copy_text(&context, "cluster", &cluster_name, err) < 0 ||
        copy_text(&context, "user", &user_name, err) < 0 ||
        copy_text(&context, "namespace", &config->namespace, err) < 0)
        return -1;
    if (!cluster_name)
        return entry_error(&context, "cluster", "is missing", err);
    if (find_entry(files, "cluster", cluster_name, &cluster, err) < 0 ||
        load_cluster(&cluster, config, err) < 0)
        return -1;
    if (!user_name)
        return 0;
    return find_entry(files, "user", user_name, &user, err) < 0 ? -1 : load_user(&user, config, err);
}

static int load_service_account(const char *dir, const char *host, const char *port,
                                struct kube_config *config, struct error *err)
{
    CLEANUP(freep) char *namespace_file = mem_printf("%s/namespace", dir);
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 4096);
    config->server = mem_printf(strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
    config->token_file = mem_printf("%s/token", dir);
    config->ca_file = mem_printf("%s/ca.crt", dir);
    if (access(config->token_file, R_OK) < 0 || access(config->ca_file, R_OK) < 0)
        return error_set(
            err, ERROR_ABSENT, "FileNotFound",
            "in a pod, but %s/token or ca.crt cannot be read: is the service account token mounted?", dir);
    if (file_read(namespace_file, &text, NULL) == 0 && text.len > 0)
        config->namespace = mem_strndup(buf_text(&text), strcspn(buf_text(&text), " \t\r\n"));
    return 0;
}

static const char *get_env(const struct kube_config_source *source, const char *name)
{
    const char *value = source->get_env(source->ctx, name);
    return value && *value ? value : NULL;
}

static int load(const struct kube_config_source *source, struct kube_config *config, struct error *err)
{
    CLEANUP(files_done) struct config_files files = {.count = 0};
    const char *list = get_env(source, "KUBECONFIG");
    const char *host = get_env(source, "KUBERNETES_SERVICE_HOST");
    const char *port = get_env(source, "KUBERNETES_SERVICE_PORT");
    const char *home = get_env(source, "HOME");
    const char *dir = source->service_account_dir ? source->service_account_dir : SERVICE_ACCOUNT_DIR;
    if (source->kubeconfig) {
        if (load_file(&files, source->kubeconfig, err) < 0)
            return -1;
    } else if (list) {
        if (load_list(&files, list, err) < 0)
            return -1;
    } else if (host && port && !source->context) {
        return load_service_account(dir, host, port, config, err);
    } else {
        CLEANUP(freep) char *path = mem_printf("%s/.kube/config", home ? home : "");
        if (load_file(&files, path, err) < 0)
            return error_wrap(err, "no --kubeconfig, no KUBECONFIG, not in a pod");
    }
    return load_context(&files, source->context, config, err);
}

int kube_config_load(const struct kube_config_source *source, struct kube_config *ret_config,
                     struct error *err)
{
    struct kube_config config = {0};
    struct error problem = {0};
    if (load(source, &config, &problem) < 0) {
        kube_config_done(&config);
        *err = problem;
        return -1;
    }
    *ret_config = config;
    return 0;
}

void kube_config_done(struct kube_config *config)
{
    char *const texts[] = {config->server,   config->namespace, config->tls_server_name, config->proxy_url,
                           config->ca_file,  config->ca_pem,    config->cert_file,       config->cert_pem,
                           config->key_file, config->token_file};
    secret_free(config->token);
    secret_free(config->key_pem);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    impersonation_free(config->impersonation);
    exec_plugin_free(config->exec);
    *config = (struct kube_config){0};
}
