/* exec_plugin: a program that the kubeconfig names, and that prints who we are (`exec` of a user).
 *
 * Model: the program gets KUBERNETES_EXEC_INFO, an ExecCredential that says that nobody can be asked and,
 * with provideClusterInfo, which cluster it is for; it prints an ExecCredential with a token, or a
 * certificate and its key, or both, and maybe when they end (Kubernetes, "Authenticating", client-go
 * credential plugins). process.h runs it: no shell, no input. Its own error output is not shown, as it may
 * hold a secret. Threads: any.   Ownership: a plugin and a credential own their texts. Limits: 10 s, 1 MiB of
 * output, 64 arguments, 64 variables.   Errors: ERROR_INVALID (BadExec: the entry, no such program with its
 * installHint, the output's form), ERROR_UNAVAILABLE (ProcessFailed), ERROR_STOPPED. */
#ifndef TEE_KUBE_EXEC_PLUGIN_H
#define TEE_KUBE_EXEC_PLUGIN_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/thread.h"
#include "kube/yaml_tree.h"

#include <stdbool.h>
#include <stdint.h>

struct exec_plugin;

/* What provideClusterInfo provides; NULL for what is not set. */
struct exec_cluster {
    const char *server;
    const char *tls_server_name;
    const char *proxy_url;
    const char *ca_pem;
    bool insecure_skip_verify;
};

struct exec_credential {
    struct secret *token; /* NULL, or cert and key are there */
    char *cert_pem;
    struct secret *key_pem;
    int64_t expires_ms; /* Unix time; 0 = not said */
};

/* A command with a slash is relative to the folder of the file that it stands in. */
MUST_CHECK int exec_plugin_new(struct yaml_value exec, const char *file, struct exec_plugin **ret_plugin,
                               struct error *err);
struct exec_plugin *exec_plugin_free(struct exec_plugin *plugin);
MUST_CHECK int exec_plugin_run(const struct exec_plugin *plugin, const struct exec_cluster *cluster,
                               struct stop *stop, struct exec_credential *ret_credential, struct error *err);
/* PURE: what the program prints. */
MUST_CHECK int exec_credential_decode(const char *text, size_t len, const char *api_version,
                                      struct exec_credential *ret_credential, struct error *err);
void exec_credential_done(struct exec_credential *credential);

#endif
