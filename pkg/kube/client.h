/* client: requests to the API server.
 *
 * Model: kube_perform() sends one request with our credentials and turns every answer but 2xx into an error
 * (status.h). Connections are kept in a pool of HTTP clients that grows with the number of threads that ask
 * at the same time. A 401 is repeated once with credentials read anew. There are no other repeats: the caller
 * decides. All of it, the wait for credentials and the repeat included, ends with the request's time; what
 * was not sent by then is not sent any more. With a rate, a request waits its turn within that time, and
 * fails as throttled where the turn would come later; nothing is sent then. Nor is anything while a pause
 * lasts that the server asked for (429 or 503 with Retry-After): every request fails as throttled, with what
 * is left of the pause. What the server warns of is told once, see warnings.h. kube_get(), kube_patch() and
 * the path helpers are the forms that are used most. Threads: any.   Ownership: a request borrows all;
 * answers go into the caller's buf. Limits: 4 MiB an answer unless the request says otherwise; 16 idle
 * connections. Errors: status.h's, http/client.h's, and credentials.h's at the first use; ERROR_STOPPED
 * (DeadlinePassed). */
#ifndef TEE_KUBE_CLIENT_H
#define TEE_KUBE_CLIENT_H

#include "base/buf.h"
#include "base/clock.h"
#include "http/client.h"
#include "kube/credentials.h"
#include "kube/status.h"

struct kube_client;

/* One request that was sent, for the metrics. */
struct kube_exchange {
    const char *method;
    int code;            /* 0 = no answer came */
    int repeated_code;   /* of the answer for which it was sent again; 0 = it was not */
    bool is_watch;       /* whose duration says nothing */
    int64_t duration_ms; /* until all of the answer was there */
    size_t request_bytes;
    int64_t response_bytes; /* -1 = the answer was not kept */
};

struct kube_client_options {
    const struct kube_config *config; /* borrowed */
    const struct clock *clock;
    /* NULL, or another client's of the same configuration, borrowed: what one learns of a 401 both know. */
    struct kube_credentials *credentials;
    int per_second;           /* requests that are begun, a second, 1 to 1000; 0 = no limit */
    int burst;                /* of these, at once; 1 to 1000 */
    bool is_urgent;           /* asks also in a pause: for the lease, which would end in it */
    const char *program;      /* as User-Agent begins; NULL = tee-controller */
    const char *agent_suffix; /* NULL, or what follows in User-Agent: who we are for the audit log */
    /* Called with the text of each Warning header (code 299), once for each text. May be NULL. */
    void (*warn)(void *ctx, const char *text);
    /* Called after each. May be NULL. */
    void (*observe)(void *ctx, const struct kube_exchange *exchange);
    /* As in credentials.h, of the client's own. May be NULL. */
    void (*credentials_changed)(void *ctx, const struct error *problem);
    void *ctx;
};

struct kube_request {
    const char *method;
    const char *path;         /* /api..., query included */
    const char *content_type; /* NULL without a body */
    const char *body;
    size_t body_len;
    int64_t timeout_ms;      /* total; 0 = 30 s */
    int64_t deadline_ms;     /* monotonic: until when it may be under way at all; 0 = no such bound */
    int64_t idle_timeout_ms; /* 0 = none */
    size_t max_body_bytes;   /* 0 = 4 MiB */
    bool accept_gzip;        /* unless the configuration forbids it; not for a watch, see http/client.h */
    http_sink *sink;         /* NULL: into ret_body */
    void *sink_ctx;
    struct stop *stop;              /* may be NULL */
    struct kube_status *ret_status; /* may be NULL; filled on failure: 0 = no answer, 429 also in a pause */
};

enum kube_patch_type {
    KUBE_PATCH_APPLY, /* server-side apply with force; the path names the subresource */
    KUBE_PATCH_JSON,
    KUBE_PATCH_MERGE
};

struct kube_patch {
    enum kube_patch_type type;
    const char *path; /* of the object, or its /status */
    const char *field_manager;
    const char *body;
    size_t body_len;
    int64_t deadline_ms; /* as above */
};

struct kube_resource {
    const char *group; /* "" = the core group */
    const char *version;
    const char *plural;
};

struct kube_client *kube_client_new(const struct kube_client_options *options);
struct kube_client *kube_client_free(struct kube_client *client);
/* Lent until the client that they belong to is freed. */
struct kube_credentials *kube_client_get_credentials(const struct kube_client *client);
/* ret_body may be NULL; else it is initialised by the caller and gets the 2xx body appended. */
MUST_CHECK int kube_perform(struct kube_client *client, const struct kube_request *request,
                            struct buf *ret_body, struct error *err);
MUST_CHECK int kube_get(struct kube_client *client, const char *path, int64_t timeout_ms,
                        struct buf *ret_body, struct error *err);
MUST_CHECK int kube_patch(struct kube_client *client, const struct kube_patch *patch, struct buf *ret_body,
                          struct error *err);
/* name_space NULL: across or without namespaces; name NULL: the collection. The caller frees. */
char *kube_path(const struct kube_resource *resource, const char *name_space, const char *name);

#endif
