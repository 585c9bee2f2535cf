/* What others may see of the process: metrics under the names of controller-runtime and client-go, and
 * health. */
#include "controller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct log logger = LOG_ROOT("controller");

static const double seconds_bounds[] = {
    .005, .01, .025, .05, .1,  .15, .2,  .25, .3, .35, .4, .45, .5, .6, .7, .8, .9, 1,  1.25, 1.5,
    1.75, 2,   2.5,  3,   3.5, 4,   4.5, 5,   6,  7,   8,  9,   10, 15, 20, 25, 30, 40, 50,   60};
/* client-go's: 1e-8, ten times as much each. */
static const double queue_bounds[] = {1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1000};
/* client-go's of its requests, seconds and bytes. */
static const double request_bounds[] = {.005, .025, .1, .25, .5, 1, 2, 4, 8, 15, 30, 60};
static const double size_bounds[] = {64,    256,    512,     1024,    4096,    16384,
                                     65536, 262144, 1048576, 4194304, 16777216};
static const char *const controller_label[] = {TEE_CONTROLLER, NULL};
static const char *const informer_labels[] = {"tee-controller", TEE_GROUP, TEE_VERSION_NAME, TEE_PLURAL,
                                              NULL};
static const char *const queue_labels[] = {TEE_CONTROLLER, TEE_CONTROLLER, NULL};

static struct metric_series *one(struct metrics *metrics, enum metric_type type, const char *name,
                                 const char *help)
{
    struct metric_family family = {.type = type, .name = name, .help = help, .labels = {"controller"}};
    return metric_get_series(metrics_add(metrics, &family), controller_label);
}

/* Histograms are of seconds. */
static struct metric_series *of_queue(struct metrics *metrics, enum metric_type type, const char *name,
                                      const char *help)
{
    bool is_histogram = type == METRIC_HISTOGRAM;
    struct metric_family family = {.type = type,
                                   .name = name,
                                   .help = help,
                                   .labels = {"name", "controller"},
                                   .bounds = is_histogram ? queue_bounds : NULL,
                                   .bound_count = is_histogram ? ARRAY_LEN(queue_bounds) : 0};
    return metric_get_series(metrics_add(metrics, &family), queue_labels);
}

static struct metric_series *plain(struct metrics *metrics, enum metric_type type, const char *name,
                                   const char *help)
{
    struct metric_family family = {.type = type, .name = name, .help = help};
    return metric_get_series(metrics_add(metrics, &family), NULL);
}

static void set_counter(struct metric_series *series, double value)
{
    metric_add(series, value - metric_get(series));
}

static void collect_rates(struct controller *controller)
{
    struct telemetry *telemetry = &controller->telemetry;
    for (int i = 0; i < EC2_LANE_COUNT; i++) {
        struct ec2_rate rate;
        const char *const label[] = {ec2_limit_lane_name((enum ec2_lane_id)i), NULL};
        ec2_get_rate(controller->ec2, (enum ec2_lane_id)i, &rate);
        set_counter(metric_get_series(telemetry->ec2_requests, label), (double)rate.sent_count);
        set_counter(metric_get_series(telemetry->ec2_throttled, label), (double)rate.throttled_count);
        set_counter(metric_get_series(telemetry->ec2_held, label), (double)rate.held_count);
        metric_set(metric_get_series(telemetry->ec2_rate, label), rate.per_second);
    }
}

/* Before anything was heard the silence is as old as the process. */
static void collect_store(struct controller *controller)
{
    struct telemetry *telemetry = &controller->telemetry;
    int64_t now_ms = clock_mono_ms(controller->clock);
    int64_t silent_ms = store_silent_ms(controller->store, now_ms);
    int64_t age_ms = now_ms - controller->start_ms;
    metric_set(telemetry->staleness, (double)(silent_ms < age_ms ? silent_ms : age_ms) / 1000);
    metric_set(telemetry->store_bytes, (double)store_bytes(controller->store));
    metric_set(telemetry->store_refused, (double)store_refused_count(controller->store));
    metric_set(telemetry->objects, (double)store_count(controller->store));
}

static void collect_parts(struct controller *controller)
{
    struct telemetry *telemetry = &controller->telemetry;
    struct watcher_counts all = {0};
    for (size_t i = 0; i < controller->scope_count; i++) {
        struct watcher_counts counts = watcher_get_counts(controller->scopes[i].watcher);
        all.lists += counts.lists;
        all.watches += counts.watches;
        all.events += counts.events;
        all.failures += counts.failures;
        all.oversized += counts.oversized;
    }
    set_counter(telemetry->watch_lists, (double)all.lists);
    set_counter(telemetry->watch_streams, (double)all.watches);
    set_counter(telemetry->watch_events, (double)all.events);
    set_counter(telemetry->watch_failures, (double)all.failures);
    set_counter(telemetry->watch_oversized, (double)all.oversized);
    set_counter(telemetry->events_dropped, (double)event_queue_get_dropped(controller->events));
    if (controller->options->leader_elect)
        metric_set(telemetry->lease_transitions, (double)leader_get_transitions(controller->leader));
}

/* The parts are written by the main thread: others look at them once is_started says that they are there. */
static bool is_leader(struct controller *controller)
{
    if (!controller->options->leader_elect)
        return true;
    return atomic_load(&controller->is_started) && leader_ms_left(controller->leader) > 0;
}

static void collect(void *ctx)
{
    struct controller *controller = ctx;
    struct telemetry *telemetry = &controller->telemetry;
    struct workqueue_counts counts = workqueue_get_counts(controller->queue);
    for (size_t i = 0; i < WORK_CLASSES; i++)
        metric_set(telemetry->queue_depth[i], (double)counts.ready[i]);
    metric_set(telemetry->queue_unfinished, (double)counts.unfinished_ms / 1000);
    metric_set(telemetry->queue_longest, (double)counts.longest_ms / 1000);
    set_counter(telemetry->queue_adds, (double)counts.adds);
    set_counter(telemetry->queue_retries, (double)counts.retries);
    metric_set(telemetry->active_workers, (double)counts.processing);
    metric_set(telemetry->max_workers, controller->options->workers);
    metric_set(telemetry->leader, is_leader(controller) ? 1 : 0);
    metric_set(telemetry->outdated, atomic_load(&controller->is_outdated) ? 1 : 0);
    metric_set(telemetry->hosts, (double)inventory_count(controller->inventory));
    collect_store(controller);
    if (!atomic_load(&controller->is_started))
        return;
    collect_parts(controller);
    collect_rates(controller);
}

static void add_reconcile_metrics(struct telemetry *telemetry)
{
    struct metrics *metrics = telemetry->metrics;
    struct metric_family total = {.type = METRIC_COUNTER,
                                  .name = "controller_runtime_reconcile_total",
                                  .help = "Passes by how they ended",
                                  .labels = {"controller", "result"}};
    telemetry->reconcile_total = metrics_add(metrics, &total);
    static const char *const results[] = {"success", "error", "requeue", "requeue_after"};
    for (size_t i = 0; i < ARRAY_LEN(results); i++)
        metric_get_series(telemetry->reconcile_total, (const char *[]){TEE_CONTROLLER, results[i], NULL});
    telemetry->reconcile_errors =
        one(metrics, METRIC_COUNTER, "controller_runtime_reconcile_errors_total", "Passes that failed");
    telemetry->reconcile_terminal =
        one(metrics, METRIC_COUNTER, "controller_runtime_terminal_reconcile_errors_total",
            "Passes that failed and are not retried");
    /* An assert ends the process instead: the name is there for whoever alerts on it, and stays 0. */
    one(metrics, METRIC_COUNTER, "controller_runtime_reconcile_panics_total", "Passes that panicked");
    telemetry->reconcile_timeouts =
        one(metrics, METRIC_COUNTER, "controller_runtime_reconcile_timeouts_total",
            "Passes that used up their time");
    struct metric_family seconds = {.type = METRIC_HISTOGRAM,
                                    .name = "controller_runtime_reconcile_time_seconds",
                                    .help = "Duration of passes",
                                    .labels = {"controller"},
                                    .bounds = seconds_bounds,
                                    .bound_count = ARRAY_LEN(seconds_bounds)};
    telemetry->reconcile_seconds = metric_get_series(metrics_add(metrics, &seconds), controller_label);
    telemetry->active_workers =
        one(metrics, METRIC_GAUGE, "controller_runtime_active_workers", "Workers with a key in hand");
    telemetry->max_workers =
        one(metrics, METRIC_GAUGE, "controller_runtime_max_concurrent_reconciles", "Workers there are");
}

/* As controller-runtime's: what the first list brings has a low priority. */
static const char *const priorities[WORK_CLASSES] = {[WORK_URGENT] = "0", [WORK_BACKGROUND] = "-100"};

static void add_queue_metrics(struct telemetry *telemetry)
{
    struct metrics *metrics = telemetry->metrics;
    struct metric_family depth = {.type = METRIC_GAUGE,
                                  .name = "workqueue_depth",
                                  .help = "Keys that are ready",
                                  .labels = {"name", "controller", "priority"}};
    struct metric *depths = metrics_add(metrics, &depth);
    for (size_t i = 0; i < WORK_CLASSES; i++)
        telemetry->queue_depth[i] =
            metric_get_series(depths, (const char *[]){TEE_CONTROLLER, TEE_CONTROLLER, priorities[i], NULL});
    telemetry->queue_wait_seconds = of_queue(metrics, METRIC_HISTOGRAM, "workqueue_queue_duration_seconds",
                                             "How long keys were ready before a worker took them");
    telemetry->queue_work_seconds =
        of_queue(metrics, METRIC_HISTOGRAM, "workqueue_work_duration_seconds", "How long workers had keys");
    telemetry->queue_unfinished = of_queue(metrics, METRIC_GAUGE, "workqueue_unfinished_work_seconds",
                                           "Time that workers have had their present keys, together");
    telemetry->queue_longest = of_queue(metrics, METRIC_GAUGE, "workqueue_longest_running_processor_seconds",
                                        "Time that a worker has had its present key, at most");
    telemetry->queue_adds = of_queue(metrics, METRIC_COUNTER, "workqueue_adds_total", "Keys added");
    telemetry->queue_retries =
        of_queue(metrics, METRIC_COUNTER, "workqueue_retries_total", "Keys added with a delay");
}

static void add_watch_metrics(struct telemetry *telemetry)
{
    struct metrics *metrics = telemetry->metrics;
    struct metric_family staleness = {.type = METRIC_GAUGE,
                                      .name = "informer_staleness_seconds",
                                      .help = "Time since the API server was last heard on the watch",
                                      .labels = {"name", "group", "version", "resource"}};
    telemetry->staleness = metric_get_series(metrics_add(metrics, &staleness), informer_labels);
    struct metric_family version = {.type = METRIC_GAUGE,
                                    .name = "informer_store_resource_version",
                                    .help = "Newest resourceVersion that the store knows of, modulo 1e15",
                                    .labels = {"name", "group", "version", "resource"}};
    telemetry->store_version = metric_get_series(metrics_add(metrics, &version), informer_labels);
    telemetry->watch_lists = plain(metrics, METRIC_COUNTER, "tee_watch_lists_total", "Lists that were begun");
    telemetry->watch_streams =
        plain(metrics, METRIC_COUNTER, "tee_watch_streams_total", "Watches that were begun");
    telemetry->watch_events = plain(metrics, METRIC_COUNTER, "tee_watch_events_total",
                                    "Objects and events that lists and watches brought");
    telemetry->watch_failures =
        plain(metrics, METRIC_COUNTER, "tee_watch_failures_total", "Lists and watches that failed");
    telemetry->watch_oversized = plain(metrics, METRIC_COUNTER, "tee_watch_oversized_total",
                                       "Objects that were skipped for their size");
    telemetry->events_dropped =
        plain(metrics, METRIC_COUNTER, "tee_events_dropped_total", "Kubernetes Events that were not sent");
    telemetry->lease_transitions = plain(metrics, METRIC_GAUGE, "tee_lease_transitions",
                                         "Times the lease changed hands, as we last wrote it");
    telemetry->store_bytes =
        plain(metrics, METRIC_GAUGE, "tee_store_bytes", "Memory of the objects in the store");
    telemetry->store_refused = plain(metrics, METRIC_GAUGE, "tee_store_refused_objects",
                                     "Objects that --cache-limit-mib leaves no room for");
}

static struct metric *of_action(struct metrics *metrics, enum metric_type type, const char *name,
                                const char *help)
{
    struct metric_family family = {.type = type, .name = name, .help = help, .labels = {"action"}};
    return metrics_add(metrics, &family);
}

static void add_ec2_metrics(struct telemetry *telemetry)
{
    struct metrics *metrics = telemetry->metrics;
    telemetry->ec2_requests =
        of_action(metrics, METRIC_COUNTER, "tee_ec2_requests_total", "Requests sent to EC2");
    telemetry->ec2_throttled =
        of_action(metrics, METRIC_COUNTER, "tee_ec2_throttled_total", "Requests that EC2 throttled");
    telemetry->ec2_held = of_action(metrics, METRIC_COUNTER, "tee_ec2_held_total",
                                    "Requests put off because our share of the rate was used up");
    telemetry->ec2_rate =
        of_action(metrics, METRIC_GAUGE, "tee_ec2_rate", "Requests per second that we allow ourselves now");
}

static struct metric *of_requests(struct metrics *metrics, const char *name, const char *help,
                                  const double *bounds, size_t bound_count)
{
    struct metric_family family = {.type = METRIC_HISTOGRAM,
                                   .name = name,
                                   .help = help,
                                   .labels = {"verb", "host"},
                                   .bounds = bounds,
                                   .bound_count = bound_count};
    return metrics_add(metrics, &family);
}

static void add_rest_metrics(struct telemetry *telemetry)
{
    struct metrics *metrics = telemetry->metrics;
    struct metric_family requests = {.type = METRIC_COUNTER,
                                     .name = "rest_client_requests_total",
                                     .help = "Requests to the API server",
                                     .labels = {"code", "method", "host"}};
    struct metric_family retries = {.type = METRIC_COUNTER,
                                    .name = "rest_client_request_retries_total",
                                    .help =
                                        "Requests that were sent again, by the answer for which they were",
                                    .labels = {"code", "verb", "host"}};
    telemetry->rest_requests = metrics_add(metrics, &requests);
    telemetry->rest_retries = metrics_add(metrics, &retries);
    telemetry->rest_seconds =
        of_requests(metrics, "rest_client_request_duration_seconds", "How long requests took; watches aside",
                    request_bounds, ARRAY_LEN(request_bounds));
    telemetry->rest_sent_bytes = of_requests(metrics, "rest_client_request_size_bytes", "Bodies of requests",
                                             size_bounds, ARRAY_LEN(size_bounds));
    telemetry->rest_received_bytes =
        of_requests(metrics, "rest_client_response_size_bytes", "Bodies of answers; lists and watches aside",
                    size_bounds, ARRAY_LEN(size_bounds));
}

void telemetry_init(struct controller *controller)
{
    struct telemetry *telemetry = &controller->telemetry;
    struct metrics *metrics = telemetry->metrics = metrics_new();
    telemetry->process = process_metrics_new(metrics);
    add_reconcile_metrics(telemetry);
    add_queue_metrics(telemetry);
    add_ec2_metrics(telemetry);
    add_watch_metrics(telemetry);
    struct metric_family master = {.type = METRIC_GAUGE,
                                   .name = "leader_election_master_status",
                                   .help = "1 while this process holds the lease",
                                   .labels = {"name"}};
    telemetry->leader =
        metric_get_series(metrics_add(metrics, &master), (const char *[]){"tee-controller", NULL});
    telemetry->objects = plain(metrics, METRIC_GAUGE, "tee_objects", "TeeDeployments in the store");
    telemetry->hosts = plain(metrics, METRIC_GAUGE, "tee_hosts", "Instances in the inventory");
    telemetry->unreadable = plain(metrics, METRIC_COUNTER, "tee_unreadable_objects_total",
                                  "Objects that were skipped because they cannot be read");
    telemetry->outdated = plain(metrics, METRIC_GAUGE, "tee_definition_outdated",
                                "1 while the installed definition lacks fields that are written");
    telemetry->orphans = plain(metrics, METRIC_GAUGE, "tee_orphans",
                               "Instances that no TeeDeployment claims, at the last sweep");
    telemetry->orphans_refused =
        plain(metrics, METRIC_GAUGE, "tee_orphan_sweep_refused",
              "1 while instances without a TeeDeployment are so many that none is terminated");
    telemetry->orphans_terminated = plain(metrics, METRIC_COUNTER, "tee_orphans_terminated_total",
                                          "Orphans that EC2 was asked to terminate");
    telemetry->attestations = plain(metrics, METRIC_COUNTER, "tee_attestations_total", "Attestations tried");
    struct metric_family failures = {.type = METRIC_COUNTER,
                                     .name = "tee_attestation_failures_total",
                                     .help = "Attestations that did not end in an accepted verdict",
                                     .labels = {"reason"}};
    telemetry->attestation_failures = metrics_add(metrics, &failures);
    add_rest_metrics(telemetry);
    metrics_add_collector(metrics, collect, controller);
    mutex_init(&controller->readiness_mutex);
}

void telemetry_set_server(struct controller *controller, const char *url)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    snprintf(controller->telemetry.host, sizeof(controller->telemetry.host), "%.*s", (int)strcspn(host, "/"),
             host);
}

void telemetry_done(struct controller *controller)
{
    metrics_free(controller->telemetry.metrics);
    process_metrics_free(controller->telemetry.process);
    pthread_mutex_destroy(&controller->readiness_mutex);
}

static const char *result_name(const struct outcome *outcome)
{
    switch (outcome->kind) {
    case OUTCOME_DONE: return "success";
    case OUTCOME_REQUEUE:
    case OUTCOME_WAIT: return "requeue_after";
    case OUTCOME_BACK_OFF: return outcome->is_quiet ? "requeue" : "error";
    case OUTCOME_TERMINAL: break;
    }
    return "error";
}

void telemetry_observe_pass(void *ctx, const char *key, const struct outcome *outcome, int64_t duration_ms)
{
    struct controller *controller = ctx;
    struct telemetry *telemetry = &controller->telemetry;
    const char *result = result_name(outcome);
    bool has_failed = outcome->error.kind != ERROR_NONE;
    flight_record(controller->flight,
                  &(struct flight_note){.part = FLIGHT_QUEUE,
                                        .what = "ended",
                                        .key = key,
                                        .reason = has_failed ? outcome->error.reason : result,
                                        .value = duration_ms});
    metric_add(metric_get_series(telemetry->reconcile_total, (const char *[]){TEE_CONTROLLER, result, NULL}),
               1);
    metric_observe(telemetry->reconcile_seconds, (double)duration_ms / 1000);
    metric_observe(telemetry->queue_work_seconds, (double)duration_ms / 1000);
    metric_observe(telemetry->queue_wait_seconds, (double)workqueue_waited_ms(controller->queue, key) / 1000);
    if (outcome->kind == OUTCOME_TERMINAL)
        metric_add(telemetry->reconcile_terminal, 1);
    if (has_failed && duration_ms >= RECONCILER_PASS_MS)
        metric_add(telemetry->reconcile_timeouts, 1);
    if (has_failed && !outcome->is_quiet)
        metric_add(telemetry->reconcile_errors, 1);
}

void telemetry_observe_attestation(void *ctx, const char *verdict, const char *reason)
{
    struct telemetry *telemetry = &((struct controller *)ctx)->telemetry;
    (void)verdict;
    metric_add(telemetry->attestations, 1);
    if (reason && reason[0])
        metric_add(metric_get_series(telemetry->attestation_failures, (const char *[]){reason, NULL}), 1);
}

void telemetry_set_orphans(struct controller *controller, size_t count, bool is_refused)
{
    metric_set(controller->telemetry.orphans, (double)count);
    metric_set(controller->telemetry.orphans_refused, is_refused ? 1 : 0);
}

void telemetry_count_orphan(struct controller *controller)
{
    metric_add(controller->telemetry.orphans_terminated, 1);
}

void telemetry_count_unreadable(struct controller *controller)
{
    metric_add(controller->telemetry.unreadable, 1);
}

static void code_text(int code, char text[16])
{
    snprintf(text, 16, "%d", code);
    if (code == 0)
        snprintf(text, 16, "<error>");
}

void telemetry_observe_request(void *ctx, const struct kube_exchange *exchange)
{
    struct telemetry *telemetry = &((struct controller *)ctx)->telemetry;
    const char *verb[] = {exchange->method, telemetry->host, NULL};
    char code[16];
    code_text(exchange->code, code);
    metric_add(metric_get_series(telemetry->rest_requests,
                                 (const char *[]){code, exchange->method, telemetry->host, NULL}),
               1);
    metric_observe(metric_get_series(telemetry->rest_sent_bytes, verb), (double)exchange->request_bytes);
    if (exchange->response_bytes >= 0)
        metric_observe(metric_get_series(telemetry->rest_received_bytes, verb),
                       (double)exchange->response_bytes);
    if (!exchange->is_watch)
        metric_observe(metric_get_series(telemetry->rest_seconds, verb),
                       (double)exchange->duration_ms / 1000);
    if (exchange->repeated_code == 0)
        return;
    code_text(exchange->repeated_code, code);
    metric_add(metric_get_series(telemetry->rest_retries,
                                 (const char *[]){code, exchange->method, telemetry->host, NULL}),
               1);
}

/* The modulus is client-go's: a double holds such a number exactly. */
void telemetry_note_version(struct controller *controller, const char *resource_version)
{
    unsigned long long version = strtoull(resource_version, NULL, 10);
    metric_set(controller->telemetry.store_version, (double)(version % 1000000000000000ULL));
}

void telemetry_set_ready(struct controller *controller, struct readiness_slot *slot, const struct error *err)
{
    LOCK_SCOPE(&controller->readiness_mutex);
    readiness_slot_set(slot, err);
}

static void readyz(void *ctx, const char *query, struct buf *out, int *ret_status)
{
    (void)query;
    struct controller *controller = ctx;
    int64_t now_ms = clock_mono_ms(controller->clock);
    struct readiness_facts facts = {.readiness = &controller->readiness,
                                    .watch = &controller->scopes[0].state,
                                    .is_listed = store_is_complete(controller->store),
                                    .is_stale = store_is_stale(controller->store, now_ms),
                                    .silent_ms = store_silent_ms(controller->store, now_ms),
                                    .has_inventory = inventory_completed_ms(controller->inventory) > 0,
                                    .is_leader = is_leader(controller)};
    LOCK_SCOPE(&controller->readiness_mutex);
    for (size_t i = 1; i < controller->scope_count; i++)
        facts.watch = readiness_worse(facts.watch, &controller->scopes[i].state);
    bool is_ready = readiness_put(&facts, out);
    *ret_status = is_ready ? 200 : 503;
    if (is_ready && !atomic_exchange(&controller->is_ready_logged, true))
        log_info(&logger, "Ready", INT("afterMs", now_ms - controller->start_ms));
}

/* No lock is taken: whoever holds one for ever is silent, and this thread has to say so. */
static void livez(void *ctx, const char *query, struct buf *out, int *ret_status)
{
    (void)query;
    int64_t late_ms = 0;
    const char *silent = heartbeats_find_silent(((struct controller *)ctx)->heartbeats, &late_ms);
    if (!silent) {
        buf_puts(out, "ok\n");
        return;
    }
    buf_printf(out, "[-] %s: silent for %lld s longer than anything it does may take\n", silent,
               (long long)late_ms / 1000);
    *ret_status = 503;
    log_error(&logger, "Thread is stuck", STR("thread", silent), INT("lateMs", late_ms));
}

static void metrics_page(void *ctx, const char *query, struct buf *out, int *ret_status)
{
    (void)query;
    (void)ret_status;
    metrics_render(((struct controller *)ctx)->telemetry.metrics, out);
}

int telemetry_serve(struct controller *controller, struct error *err)
{
    controller->health_routes[0] = (struct http_route){"/livez", "text/plain", livez, controller};
    controller->health_routes[1] = (struct http_route){"/healthz", "text/plain", livez, controller};
    controller->health_routes[2] = (struct http_route){"/readyz", "text/plain", readyz, controller};
    controller->metrics_routes[0] =
        (struct http_route){"/metrics", "text/plain; version=0.0.4", metrics_page, controller};
    const struct http_listener listeners[] = {
        {controller->options->metrics_address, controller->metrics_routes, 1},
        {controller->options->health_address, controller->health_routes, 3},
    };
    if (http_server_start(listeners, ARRAY_LEN(listeners), &controller->server, err) < 0)
        return -1;
    log_info(&logger, "Serving", INT("metricsPort", http_server_get_port(controller->server, 0)),
             INT("healthPort", http_server_get_port(controller->server, 1)));
    return 0;
}
