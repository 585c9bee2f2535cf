/* credentials: the bytes that we authenticate with, fresh from their files.
 *
 * Model: a struct kube_auth is an immutable set (token, CA, client certificate, key). Asking for it re-reads
 * the files that the configuration names when the last reading is 60 s old or was asked for; a set is
 * replaced whole. A file that cannot be read keeps its last content, since a kubelet may be in the middle of
 * writing it. A credential plugin (exec_plugin.h) runs first of all, again 30 s before what it printed ends,
 * and when asked for; one at a time, never twice within 5 s, and while it fails the last credential holds.
 * Only who has none that is good waits for it. Threads: any; a plugin is waited for on one of its own.
 * Ownership: the options' pointers are borrowed and must outlive this; a set is reference-counted. Limits: 64
 * KiB a token, 1 MiB a PEM file.   Errors: while there is no set: file.h's, ERROR_INVALID (BadToken),
 * exec_plugin.h's, ERROR_UNAVAILABLE (Timeout). Later ones are told. */
#ifndef TEE_KUBE_CREDENTIALS_H
#define TEE_KUBE_CREDENTIALS_H

#include "base/clock.h"
#include "base/ref.h"
#include "base/secret.h"
#include "kube/config.h"

struct kube_auth {
    struct ref ref;
    struct secret *token; /* NULL where there is none; so are the others */
    char *ca_pem;
    char *cert_pem;
    struct secret *key_pem;
};

struct kube_credentials_options {
    const struct kube_config *config;
    const struct clock *clock;
    /* Called when something cannot be renewed, and with NULL when everything can again; not in between. From
     * any thread, no lock held. May be NULL. */
    void (*changed)(void *ctx, const struct error *problem);
    void *ctx;
};

struct kube_credentials;

struct kube_credentials *kube_credentials_new(const struct kube_credentials_options *options);
struct kube_credentials *kube_credentials_free(struct kube_credentials *credentials);
/* A reference that the caller gives back. deadline_ms, monotonic: until when a plugin is waited for. */
MUST_CHECK int kube_credentials_get(struct kube_credentials *credentials, int64_t deadline_ms,
                                    struct kube_auth **ret_auth, struct error *err);
/* A server refused them: the next _get reads the files. */
void kube_credentials_expire(struct kube_credentials *credentials);
void kube_auth_unref(struct kube_auth *auth);
void kube_auth_unrefp(struct kube_auth **auth);

#endif
