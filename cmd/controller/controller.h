/* controller: the program's parts, as wire.c puts them together.
 *
 * Model: one struct that owns every module of the process. The adapters (kube_ports.c, ec2_ports.c,
 * attest_port.c) and the observers (telemetry.c) borrow from it. The order of construction is that of the
 * members. Threads: built and torn down by the main thread; each part says what else.   Ownership: the struct
 * owns all. Limits: none.   Errors: none of its own. */
#ifndef TEE_CONTROLLER_CONTROLLER_H
#define TEE_CONTROLLER_CONTROLLER_H

#include "base/flight.h"
#include "base/heartbeat.h"
#include "base/hmap.h"
#include "http/server.h"
#include "kube/event_queue.h"
#include "kube/leader.h"
#include "kube/watcher.h"
#include "nitro/attest_root.h"
#include "nitro/credentials.h"
#include "nitro/ec2.h"
#include "nitro/ec2_batch.h"
#include "options.h"
#include "readiness.h"
#include "reconcile/sweep.h"
#include "reconcile/workers.h"
#include "telemetry.h"

enum { ATTEST_PERMITS = 12, ATTEST_PERMITS_FAILING = 4 };

/* What asking for documents needs: leave to ask, a connection for each that may, and the CAs seen before. */
struct attest_means {
    struct permits *permits;
    pthread_mutex_t mutex;
    struct http_client *idle[ATTEST_PERMITS];
    size_t idle_count;
    struct attest_cache *cache;
};

/* What EC2 said of instance types. */
struct preflight_means {
    pthread_mutex_t mutex;
    struct hmap types; /* name -> struct kept_type */
};

struct inventory_loop {
    pthread_t thread;
    struct heartbeat *heartbeat; /* of the thread */
    bool is_started;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int64_t part_ms; /* monotonic; when hosts in motion are looked at again; 0 = none are */
    bool is_stopped;
    struct sweep *sweep;   /* of its thread, as the next */
    int64_t next_sweep_ms; /* monotonic */
    bool is_health_away;   /* the last look for failing hosts had no answer */
};

/* What one watcher looks at. */
struct watch_scope {
    struct controller *controller;
    const char *name_space; /* NULL = all */
    char *path;
    struct watcher *watcher;
    struct readiness_slot state; /* what its watch last failed with, until it is heard again */
    bool has_failed;             /* the same, for the watcher's thread alone */
};

struct controller {
    const struct options *options;
    const struct clock *clock;
    struct stop stop;
    struct kube_config kube_config;
    struct aws_config aws_config;
    struct nitro_config nitro_config;
    struct attest_roots roots;
    char roots_digest[65];
    char *cluster_id;
    char *identity;
    char *region;
    char *ec2_endpoint;
    char *sts_endpoint;
    struct reconcile_config config;
    struct flight *flight;
    struct heartbeats *heartbeats;
    struct telemetry telemetry;
    struct readiness readiness;
    pthread_mutex_t readiness_mutex; /* guards it and the scopes' states */
    struct http_server *server;
    struct http_route health_routes[3];
    struct http_route metrics_routes[1];
    struct kube_client *kube;
    struct aws_credentials *credentials;
    struct ec2 *ec2;
    struct ec2 *sts; /* for the reasons of refusals */
    struct ec2_batch *batch;
    struct event_queue *events;
    struct attest_means attest;
    struct preflight_means preflight;
    struct store *store;
    struct inventory *inventory;
    struct workqueue *queue;
    struct ports ports;
    struct reconciler *reconciler;
    struct leader *leader;
    struct watch_scope scopes[OPTIONS_NAMESPACES_MAX];
    size_t scope_count;
    struct inventory_loop inventory_loop;
    struct workers *workers;
    int64_t start_ms;
    atomic_bool is_started; /* all parts are there; before, the server's thread looks at none of them */
    atomic_bool is_ready_logged;
    atomic_bool is_outdated; /* the definition lacks fields; outdated.c */
    atomic_bool can_read_definition;
};

/* adapters: each fills its part of the ports */
void kube_ports_fill(struct controller *controller);
void attest_port_fill(struct controller *controller);
void attest_means_init(struct attest_means *means);
void preflight_port_fill(struct controller *controller);
void preflight_means_init(struct preflight_means *means);
void preflight_means_done(struct preflight_means *means);
void attest_means_done(struct attest_means *means);
struct watcher_owner kube_ports_owner(struct watch_scope *scope);
/* Of a TeeDeployment, or of all; as kube_path(). */
char *kube_ports_path(const char *name_space, const char *name);
/* UID of the kube-system namespace. */
MUST_CHECK int kube_ports_fetch_cluster_id(struct controller *controller, char **ret_id, struct error *err);
/* Time that a change may take: min(8 s, what the lease has left, what the pass has left). */
int64_t controller_lease_left_ms(struct controller *controller);
int64_t controller_change_timeout_ms(struct controller *controller);

/* inventory_loop.c */
void inventory_loop_start(struct controller *controller);
void inventory_loop_stop(struct controller *controller);
void inventory_loop_want(struct controller *controller);
/* Of its thread: a step begins that ends with one call to EC2 or to the API server. */
void inventory_loop_promise(struct controller *controller);
/* orphan_sweep.c: after a complete look at EC2. */
void orphan_sweep_run(struct controller *controller);

/* unreadable.c: one thing of a watch or list that is no object to us. identity: NULL if it has no name. */
void unreadable_take(struct controller *controller, enum watch_event_type type,
                     const struct object_identity *identity, size_t len, const char *why);

#endif
