/* The environment is ours, less what the entry sets anew. */
#include "kube/exec_plugin.h"

#include "base/clock.h"
#include "base/encoding.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/process.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARGUMENTS = 64, MAX_VARIABLES = 64, MAX_OUTPUT = 1024 * 1024, TIMEOUT_MS = 10000 };
enum { MAX_INFO = 2 * 1024 * 1024 };
#define GROUP "client.authentication.k8s.io/"
#define INFO  "KUBERNETES_EXEC_INFO"

extern char **environ;

struct exec_plugin {
    char *arguments[MAX_ARGUMENTS + 2];          /* the command first, NULL at the end */
    struct secret *variables[MAX_VARIABLES + 1]; /* NAME=value, NULL at the end */
    char *api_version;
    char *install_hint; /* NULL */
    bool provide_cluster_info;
};

static int bad(struct error *err, const char *field, const char *what)
{
    return error_set(err, ERROR_INVALID, "BadExec", "exec.%s %s", field, what);
}

struct exec_plugin *exec_plugin_free(struct exec_plugin *plugin)
{
    if (!plugin)
        return NULL;
    mem_free_texts(plugin->arguments);
    for (struct secret **variable = plugin->variables; *variable; variable++)
        secret_free(*variable);
    free(plugin->api_version);
    free(plugin->install_hint);
    free(plugin);
    return NULL;
}

static int decode_command(struct yaml_value exec, const char *file, struct exec_plugin *plugin,
                          struct error *err)
{
    struct yaml_value args = yaml_get_member(exec, "args");
    const char *command = yaml_get_text(yaml_get_member(exec, "command"));
    const char *slash = strrchr(file, '/');
    if (!command || !*command)
        return bad(err, "command", "is missing");
    bool is_beside = *command != '/' && strchr(command, '/') && slash;
    plugin->arguments[0] =
        is_beside ? mem_printf("%.*s/%s", (int)(slash - file), file, command) : mem_strdup(command);
    if ((yaml_is_present(args) && !yaml_is_sequence(args)) || yaml_get_count(args) > MAX_ARGUMENTS)
        return bad(err, "args", "must be a list of at most 64 texts");
    for (size_t i = 0; i < yaml_get_count(args); i++) {
        const char *text = yaml_get_text(yaml_get_item(args, i));
        if (!text)
            return bad(err, "args", "must be a list of at most 64 texts");
        plugin->arguments[i + 1] = mem_strdup(text);
    }
    return 0;
}

static int decode_variables(struct yaml_value exec, struct exec_plugin *plugin, struct error *err)
{
    struct yaml_value list = yaml_get_member(exec, "env");
    if ((yaml_is_present(list) && !yaml_is_sequence(list)) || yaml_get_count(list) > MAX_VARIABLES)
        return bad(err, "env", "must be a list of at most 64 variables");
    for (size_t i = 0; i < yaml_get_count(list); i++) {
        struct yaml_value item = yaml_get_item(list, i);
        const char *name = yaml_get_text(yaml_get_member(item, "name"));
        const char *value = yaml_get_text(yaml_get_member(item, "value"));
        if (!name || !*name || strchr(name, '='))
            return bad(err, "env", "has a variable without a name");
        plugin->variables[i] = secret_take(mem_printf("%s=%s", name, value ? value : ""));
    }
    return 0;
}

/* v1 wants to know; v1beta1 takes IfAvailable for granted. */
static int check_interactive_mode(struct yaml_value exec, bool is_required, struct error *err)
{
    const char *mode = yaml_get_text(yaml_get_member(exec, "interactiveMode"));
    if (!mode)
        return is_required ? bad(err, "interactiveMode", "is missing: Never or IfAvailable") : 0;
    if (strcmp(mode, "Always") == 0)
        return bad(err, "interactiveMode",
                   "is Always, but nobody can be asked here: use Never or IfAvailable");
    if (strcmp(mode, "Never") != 0 && strcmp(mode, "IfAvailable") != 0)
        return bad(err, "interactiveMode", "must be Never or IfAvailable");
    return 0;
}

static int decode(struct yaml_value exec, const char *file, struct exec_plugin *plugin, struct error *err)
{
    const char *version = yaml_get_text(yaml_get_member(exec, "apiVersion"));
    const char *hint = yaml_get_text(yaml_get_member(exec, "installHint"));
    struct yaml_value provide = yaml_get_member(exec, "provideClusterInfo");
    const char *provided = yaml_get_text(provide);
    if (!version || (strcmp(version, GROUP "v1") != 0 && strcmp(version, GROUP "v1beta1") != 0))
        return bad(err, "apiVersion", "must be " GROUP "v1 or " GROUP "v1beta1");
    if (yaml_is_present(provide) &&
        (!provided || (strcmp(provided, "true") != 0 && strcmp(provided, "false") != 0)))
        return bad(err, "provideClusterInfo", "must be true or false");
    plugin->api_version = mem_strdup(version);
    plugin->install_hint = mem_strdup(hint);
    plugin->provide_cluster_info = provided && strcmp(provided, "true") == 0;
    if (check_interactive_mode(exec, strcmp(version, GROUP "v1") == 0, err) < 0 ||
        decode_command(exec, file, plugin, err) < 0)
        return -1;
    return decode_variables(exec, plugin, err);
}

int exec_plugin_new(struct yaml_value exec, const char *file, struct exec_plugin **ret_plugin,
                    struct error *err)
{
    struct exec_plugin *plugin = mem_calloc(1, sizeof(*plugin));
    if (decode(exec, file, plugin, err) < 0) {
        exec_plugin_free(plugin);
        return -1;
    }
    *ret_plugin = plugin;
    return 0;
}

static void put_cluster(struct json_writer *writer, const struct exec_cluster *cluster)
{
    json_open_object(writer, "cluster");
    json_text(writer, "server", cluster->server);
    if (cluster->tls_server_name)
        json_text(writer, "tls-server-name", cluster->tls_server_name);
    if (cluster->proxy_url)
        json_text(writer, "proxy-url", cluster->proxy_url);
    if (cluster->insecure_skip_verify)
        json_bool(writer, "insecure-skip-tls-verify", true);
    if (cluster->ca_pem) {
        CLEANUP(freep) char *encoded = base64_encode(cluster->ca_pem, strlen(cluster->ca_pem));
        json_text(writer, "certificate-authority-data", encoded);
    }
    json_close_object(writer);
}

static char *make_info(const struct exec_plugin *plugin, const struct exec_cluster *cluster)
{
    struct json_writer writer;
    struct buf out;
    buf_init(&out, MAX_INFO);
    buf_puts(&out, INFO "=");
    json_writer_init(&writer, &out);
    json_open_object(&writer, NULL);
    json_text(&writer, "apiVersion", plugin->api_version);
    json_text(&writer, "kind", "ExecCredential");
    json_open_object(&writer, "spec");
    if (plugin->provide_cluster_info)
        put_cluster(&writer, cluster);
    json_bool(&writer, "interactive", false);
    json_close_object(&writer);
    json_close_object(&writer);
    return buf_steal(&out);
}

static bool is_set_in(char *const *variables, const char *variable)
{
    size_t len = strcspn(variable, "=") + 1;
    for (; *variables; variables++)
        if (strncmp(*variables, variable, len) == 0)
            return true;
    return false;
}

/* Borrowed texts; the list is the caller's. */
static char **make_environment(const struct exec_plugin *plugin, char *info)
{
    size_t count = 0;
    for (char **variable = environ; variable && *variable; variable++)
        count++;
    char **list = mem_calloc(count + MAX_VARIABLES + 2, sizeof(*list));
    count = 0;
    list[count++] = info;
    for (struct secret *const *variable = plugin->variables; *variable; variable++) {
        char *text = (char *)secret_reveal(*variable);
        if (!is_set_in(list, text))
            list[count++] = text;
    }
    for (char **variable = environ; variable && *variable; variable++)
        if (!is_set_in(list, *variable))
            list[count++] = *variable;
    return list;
}

void exec_credential_done(struct exec_credential *credential)
{
    secret_free(credential->token);
    free(credential->cert_pem);
    secret_free(credential->key_pem);
    *credential = (struct exec_credential){0};
}

static const char *get_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text && *text ? text : NULL;
}

static bool is_token(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return false;
    return true;
}

static int decode_answer(const json_t *answer, const char *api_version, struct exec_credential *credential,
                         struct error *err)
{
    const json_t *status = json_object_get(answer, "status");
    const char *kind = get_text(answer, "kind");
    const char *version = get_text(answer, "apiVersion");
    const char *token = get_text(status, "token");
    const char *cert = get_text(status, "clientCertificateData");
    const char *key = get_text(status, "clientKeyData");
    const char *expires = get_text(status, "expirationTimestamp");
    if (!kind || strcmp(kind, "ExecCredential") != 0 || !version || strcmp(version, api_version) != 0)
        return bad(err, "command", "must print an ExecCredential of the exec.apiVersion");
    if (!cert != !key)
        return bad(err, "command", "printed a certificate without its key, or a key alone");
    if (!token && !cert)
        return bad(err, "command", "printed neither a token nor a client certificate");
    if (token && !is_token(token))
        return bad(err, "command", "printed a token with a blank or a control character");
    if (expires && time_parse(expires, &credential->expires_ms) < 0)
        return bad(err, "command", "printed an expirationTimestamp that is no time");
    credential->token = secret_new(token);
    credential->cert_pem = mem_strdup(cert);
    credential->key_pem = secret_new(key);
    return 0;
}

int exec_credential_decode(const char *text, size_t len, const char *api_version,
                           struct exec_credential *ret_credential, struct error *err)
{
    struct exec_credential credential = {.token = NULL};
    json_t *answer = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    int result = decode_answer(answer, api_version, &credential, err);
    json_decref(answer);
    if (result == 0)
        *ret_credential = credential;
    return result;
}

int exec_plugin_run(const struct exec_plugin *plugin, const struct exec_cluster *cluster, struct stop *stop,
                    struct exec_credential *ret_credential, struct error *err)
{
    CLEANUP(freep) char *info = make_info(plugin, cluster);
    CLEANUP(freep) char **environment = make_environment(plugin, info);
    const struct process process = {.what = "exec",
                                    .arguments = plugin->arguments,
                                    .environment = environment,
                                    .timeout_ms = TIMEOUT_MS,
                                    .stop = stop};
    struct buf out;
    struct error problem = {0};
    buf_init(&out, MAX_OUTPUT);
    int result = process_run(&process, &out, &problem);
    if (result == 0)
        result =
            exec_credential_decode(buf_text(&out), out.len, plugin->api_version, ret_credential, &problem);
    else if (problem.kind == ERROR_INVALID && plugin->install_hint)
        error_set(&problem, ERROR_INVALID, "BadExec", "exec: no program '%.80s'. %.150s",
                  plugin->arguments[0], plugin->install_hint);
    buf_wipe(&out);
    if (result < 0 && err)
        *err = problem;
    return result;
}
