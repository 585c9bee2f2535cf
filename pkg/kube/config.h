/* config: which API server, and as whom.
 *
 * Model: the first of these that is there decides: an explicit kubeconfig file; the path list in KUBECONFIG;
 * the pod's service account; ~/.kube/config. In a path list the first file that has an entry
 * (current-context, or a context, cluster or user of a name) wins the whole entry, missing files are skipped,
 * and relative paths are relative to the file they are written in. Embedded data win over files. Users with
 * auth-provider or username/password are refused: nothing that changes who we are is ignored silently. Token,
 * certificate and key files are only named here; credentials.h reads them. Threads: none.   Ownership: the
 * result owns its texts, kube_config_done() frees them. Limits: 1 MiB a file, 16 files.   Errors:
 * ERROR_INVALID and file.h's; each names file and field. */
#ifndef TEE_KUBE_CONFIG_H
#define TEE_KUBE_CONFIG_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/secret.h"

#include <stdbool.h>

struct kube_config {
    char *server;          /* https://host:port[/prefix], no slash at the end */
    char *namespace;       /* of the context or of the service account; NULL if none is named */
    char *tls_server_name; /* all from here: NULL if absent */
    char *proxy_url;
    char *ca_file; /* at most one of ca_file and ca_pem; the same for the next two pairs */
    char *ca_pem;
    char *cert_file;
    char *cert_pem;
    char *key_file;
    struct secret *key_pem;
    struct secret *token;
    char *token_file;         /* wins over token, which is what to use while the file cannot be read */
    struct exec_plugin *exec; /* instead of token, certificate and key */
    char **impersonation;     /* header lines, see impersonation.h */
    bool insecure_skip_verify;
    bool disable_compression; /* answers are not to be compressed */
};

struct kube_config_source {
    const char *kubeconfig; /* --kubeconfig, or NULL */
    const char *context;    /* --context, or NULL: current-context */
    const char *(*get_env)(void *ctx, const char *name);
    void *ctx;
    const char *service_account_dir; /* NULL: /var/run/secrets/kubernetes.io/serviceaccount */
};

MUST_CHECK int kube_config_load(const struct kube_config_source *source, struct kube_config *ret_config,
                                struct error *err);
void kube_config_done(struct kube_config *config);

#endif
