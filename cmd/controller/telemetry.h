/* telemetry: the series that the controller counts in.
 *
 * Model: made once by telemetry_init(); what is not counted as it happens is collected before each rendering.
 * Threads: updates from any; see metrics.h.   Ownership: the registry owns the series. Limits: metrics.h's.
 * Errors: cannot fail. */
#ifndef TEE_CONTROLLER_TELEMETRY_H
#define TEE_CONTROLLER_TELEMETRY_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/metrics.h"
#include "base/process_metrics.h"

struct controller;
struct kube_exchange;
struct readiness_slot;
struct outcome;

struct telemetry {
    struct metrics *metrics;
    struct process_metrics *process;
    struct metric *reconcile_total;
    struct metric_series *reconcile_errors;
    struct metric_series *reconcile_terminal;
    struct metric_series *reconcile_timeouts;
    struct metric_series *reconcile_seconds;
    struct metric_series *active_workers;
    struct metric_series *max_workers;
    struct metric_series *queue_depth[2]; /* by class */
    struct metric_series *queue_wait_seconds;
    struct metric_series *queue_work_seconds;
    struct metric_series *queue_unfinished;
    struct metric_series *queue_longest;
    struct metric_series *queue_adds;
    struct metric_series *queue_retries;
    struct metric_series *leader;
    struct metric_series *lease_transitions;
    struct metric_series *staleness;
    struct metric_series *store_version;
    struct metric_series *store_bytes;
    struct metric_series *store_refused;
    struct metric_series *watch_lists, *watch_streams, *watch_events, *watch_failures, *watch_oversized;
    struct metric_series *events_dropped;
    struct metric_series *objects;
    struct metric_series *hosts;
    struct metric_series *unreadable;
    struct metric_series *outdated;
    struct metric_series *orphans;
    struct metric_series *orphans_refused;
    struct metric_series *orphans_terminated;
    struct metric *attestation_failures;
    struct metric_series *attestations;
    struct metric *rest_requests, *rest_retries;
    struct metric *rest_seconds, *rest_sent_bytes, *rest_received_bytes;
    char host[128]; /* of the API server */
    struct metric *ec2_requests;
    struct metric *ec2_throttled;
    struct metric *ec2_held;
    struct metric *ec2_rate;
};

void telemetry_init(struct controller *controller);
/* Of the API server, before the first request. */
void telemetry_set_server(struct controller *controller, const char *url);
void telemetry_done(struct controller *controller);
MUST_CHECK int telemetry_serve(struct controller *controller, struct error *err);
void telemetry_observe_pass(void *ctx, const char *key, const struct outcome *outcome, int64_t duration_ms);
void telemetry_observe_attestation(void *ctx, const char *verdict, const char *reason);
void telemetry_observe_request(void *ctx, const struct kube_exchange *exchange);
/* The newest resourceVersion that the store knows of. */
void telemetry_note_version(struct controller *controller, const char *resource_version);
void telemetry_set_orphans(struct controller *controller, size_t count, bool is_refused);
void telemetry_count_orphan(struct controller *controller);
void telemetry_count_unreadable(struct controller *controller);
/* err NULL: well. */
void telemetry_set_ready(struct controller *controller, struct readiness_slot *slot, const struct error *err);

#endif
