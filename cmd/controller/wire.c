/* Construction in order, destruction in reverse. */
#include "wire.h"

#include "base/encoding.h"
#include "base/mem.h"
#include "controller.h"
#include "ec2_ports.h"
#include "nitro/imds.h"
#include "outdated.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct log logger = LOG_ROOT("controller");

enum { ROOT_FILE_MAX = 64 * 1024, START_RETRY_FIRST_MS = 500, START_RETRY_MAX_MS = 10 * 1000 };

static const char *process_env(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

static int add_root_file(struct attest_roots *roots, const char *path, struct error *err)
{
    CLEANUP(fclosep) FILE *file = fopen(path, "re");
    if (!file)
        return error_set(err, ERROR_INVALID, "BadRoot", "--attestation-root: cannot read '%s'", path);
    CLEANUP(freep) char *text = mem_calloc(1, ROOT_FILE_MAX + 1);
    size_t len = fread(text, 1, ROOT_FILE_MAX, file);
    text[len] = '\0';
    if (attest_roots_add_pem(roots, text, err) < 0)
        return error_wrap(err, "--attestation-root '%s'", path);
    return 0;
}

static void digest_roots(struct controller *controller)
{
    CLEANUP(buf_done) struct buf all;
    buf_init(&all, 1024 * 1024);
    for (size_t i = 0; i < controller->roots.count; i++)
        buf_append(&all, controller->roots.items[i].der, controller->roots.items[i].len);
    sha256_hex(buf_text(&all), all.len, controller->roots_digest);
}

static int load_roots(struct controller *controller, struct error *err)
{
    const struct options *options = controller->options;
    attest_roots_init(&controller->roots);
    if (options->root_count == 0)
        attest_roots_add_g1(&controller->roots);
    for (size_t i = 0; i < options->root_count; i++)
        if (add_root_file(&controller->roots, options->roots[i], err) < 0)
            return -1;
    if (options->root_count > 0)
        log_warn(&logger,
                 "Attestation roots were replaced; documents of real Nitro enclaves are only accepted if "
                 "the AWS root is among them",
                 INT("files", options->root_count));
    digest_roots(controller);
    return 0;
}

static int load_configuration(struct controller *controller, struct error *err)
{
    const struct options *options = controller->options;
    struct kube_config_source source = {
        .kubeconfig = options->kubeconfig, .context = options->context, .get_env = process_env};
    if (nitro_config_init(environment_real(), !options->require_ami_per_object, &controller->nitro_config,
                          err) < 0)
        return -1;
    if (aws_config_init(environment_real(), &controller->aws_config, err) < 0 ||
        aws_config_add_profile(environment_real(), &controller->aws_config, err) < 0)
        return -1;
    if (load_roots(controller, err) < 0)
        return -1;
    return kube_config_load(&source, &controller->kube_config, err);
}

/* 3 s, or half of what a renewal grants where leases are shorter than the default. */
static int64_t lease_min_ms(const struct options *options)
{
    int64_t half_ms = (int64_t)options->renew_deadline_s * 500;
    return half_ms < 3000 ? half_ms : 3000;
}

static void make_config(struct controller *controller)
{
    const struct nitro_config *nitro = &controller->nitro_config;
    const struct options *options = controller->options;
    controller->config =
        (struct reconcile_config){.ami_id = nitro->ami_id,
                                  .instance_type = nitro->instance_type,
                                  .subnet_id = nitro->subnet_id,
                                  .security_group_id = nitro->security_group_id,
                                  .key_name = nitro->key_name,
                                  .iam_instance_profile = nitro->iam_instance_profile,
                                  .cpu_count = nitro->cpu_count,
                                  .memory_mib = nitro->memory_mib,
                                  .attestation_port = options->attestation_port,
                                  .roots_digest = controller->roots_digest,
                                  .allow_debug = options->allow_debug,
                                  .allow_unmeasured = options->allow_unmeasured,
                                  .allow_adoption = options->allow_adoption,
                                  .read_only = options->read_only,
                                  .is_partial = options->namespace_count > 0 || options->selector,
                                  .lease_min_ms = lease_min_ms(options),
                                  .max_launches_per_hour = options->max_launches_per_hour,
                                  .max_launches_per_hour_total = options->max_launches_per_hour_total,
                                  .max_instances = options->max_instances,
                                  .cache_limit_mib = options->cache_limit_mib};
}

static void want_look(void *ctx)
{
    inventory_loop_want(ctx);
}

/* Without names one scope, which is everything. */
static void make_scopes(struct controller *controller)
{
    const struct options *options = controller->options;
    const char *names[OPTIONS_NAMESPACES_MAX] = {NULL};
    for (size_t i = 0; i < options->namespace_count; i++)
        names[i] = options->namespaces[i];
    store_set_scopes(controller->store, names, options->namespace_count);
    controller->scope_count = options->namespace_count > 0 ? options->namespace_count : 1;
    for (size_t i = 0; i < controller->scope_count; i++)
        controller->scopes[i] = (struct watch_scope){.controller = controller, .name_space = names[i]};
    if (options->namespace_count > 0 && options->orphan_sweep_interval_s > 0)
        log_warn(&logger, "Orphans are not looked for, because objects of other namespaces are not seen",
                 INT("namespaces", (long long)options->namespace_count));
}

static void make_core(struct controller *controller)
{
    controller->flight = flight_new();
    controller->store = store_new();
    store_set_limit(controller->store, (size_t)controller->options->cache_limit_mib * 1024 * 1024);
    make_scopes(controller);
    controller->inventory = inventory_new();
    controller->queue = workqueue_new(controller->clock);
    workqueue_set_flight(controller->queue, controller->flight);
    attest_means_init(&controller->attest);
    preflight_means_init(&controller->preflight);
    telemetry_init(controller);
    controller->ports = (struct ports){.ctx = controller, .want_look = want_look};
    kube_ports_fill(controller);
    ec2_ports_fill(controller);
    attest_port_fill(controller);
    preflight_port_fill(controller);
    struct reconciler_options reconciler = {.config = &controller->config,
                                            .ports = &controller->ports,
                                            .store = controller->store,
                                            .inventory = controller->inventory,
                                            .clock = controller->clock,
                                            .flight = controller->flight,
                                            .observe_attestation = telemetry_observe_attestation,
                                            .ctx = controller};
    controller->reconciler = reconciler_new(&reconciler);
}

static void note_provider(void *ctx, const char *provider)
{
    (void)ctx;
    log_info(&logger, "AWS credentials were found", STR("provider", provider));
}

/* Also where the old ones serve on: AWS may not take them for long. */
static void note_no_credentials(void *ctx, const struct error *failure)
{
    (void)ctx;
    if (failure->kind != ERROR_STOPPED)
        log_warn(NULL, "AWS credentials could not be fetched", STR("reason", failure->reason),
                 STR("error", failure->text));
}

static void note_warning(void *ctx, const char *text)
{
    (void)ctx;
    log_warn(&logger, "API server warned", STR("warning", text));
}

static void note_credentials(void *ctx, const struct error *problem)
{
    (void)ctx;
    if (problem)
        log_warn(NULL, "Credentials for the API server could not be renewed, the last ones are used",
                 STR("reason", problem->reason), STR("error", problem->text));
    else
        log_info(NULL, "Credentials for the API server were renewed");
}

static void make_clients(struct controller *controller)
{
    controller->identity = leader_identity_new();
    struct kube_client_options kube = {.config = &controller->kube_config,
                                       .clock = controller->clock,
                                       .per_second = controller->options->kube_api_qps,
                                       .burst = controller->options->kube_api_burst,
                                       .agent_suffix = controller->identity,
                                       .warn = note_warning,
                                       .observe = telemetry_observe_request,
                                       .credentials_changed = note_credentials,
                                       .ctx = controller};
    controller->kube = kube_client_new(&kube);
    struct aws_credentials_options credentials = {.environment = environment_real(),
                                                  .config = &controller->aws_config,
                                                  .clock = controller->clock,
                                                  .stop = &controller->stop,
                                                  .on_provider = note_provider,
                                                  .on_failure = note_no_credentials};
    controller->credentials = aws_credentials_new(&credentials);
}

int controller_new(const struct options *options, struct controller **ret_controller, struct error *err)
{
    struct error starting = {0};
    struct controller *controller = mem_calloc(1, sizeof(*controller));
    controller->options = options;
    controller->clock = clock_real();
    controller->start_ms = clock_mono_ms(controller->clock);
    stop_init(&controller->stop);
    error_set(&starting, ERROR_UNAVAILABLE, "Starting", "waiting for the API server");
    readiness_slot_set(&controller->readiness.start, &starting);
    controller->heartbeats = heartbeats_new(controller->clock);
    make_core(controller);
    if (load_configuration(controller, err) < 0) {
        controller_free(controller);
        return -1;
    }
    telemetry_set_server(controller, controller->kube_config.server);
    make_config(controller);
    make_clients(controller);
    *ret_controller = controller;
    return 0;
}

/* Tries until it works or the process is to stop; -1 only for the latter. */
static int insist(struct controller *controller, int (*attempt)(struct controller *, struct error *))
{
    int64_t wait_ms = START_RETRY_FIRST_MS;
    for (;;) {
        struct error err = {0};
        if (attempt(controller, &err) == 0)
            return 0;
        log_warn(&logger, "Start is waiting", STR("error", err.text));
        telemetry_set_ready(controller, &controller->readiness.start, &err);
        if (stop_wait(&controller->stop, wait_ms))
            return -1;
        wait_ms = wait_ms * 2 < START_RETRY_MAX_MS ? wait_ms * 2 : START_RETRY_MAX_MS;
    }
}

static int find_cluster(struct controller *controller, struct error *err)
{
    return kube_ports_fetch_cluster_id(controller, &controller->cluster_id, err);
}

static int find_region(struct controller *controller, struct error *err)
{
    const struct aws_config *aws = &controller->aws_config;
    if (aws->region) {
        controller->region = mem_strdup(aws->region);
        return 0;
    }
    if (aws->imds_disabled)
        return error_set(err, ERROR_INVALID, "NoRegion",
                         "AWS_REGION is not set and the metadata service is disabled");
    if (imds_fetch_region(aws->imds_endpoint, &controller->stop, &controller->region, err) < 0)
        return error_wrap(err, "AWS_REGION is not set; asking the metadata service");
    return 0;
}

static int make_ec2(struct controller *controller, struct error *err)
{
    controller->config.cluster_id = controller->cluster_id;
    controller->ec2_endpoint = aws_config_make_endpoint(&controller->aws_config, "ec2", controller->region);
    struct ec2_options options = {.endpoint = controller->ec2_endpoint,
                                  .region = controller->region,
                                  .ca_file = controller->aws_config.ca_bundle,
                                  .credentials = controller->credentials,
                                  .clock = controller->clock,
                                  .flight = controller->flight,
                                  .stop = &controller->stop,
                                  .share_percent = controller->options->ec2_share_percent};
    if (ec2_new(&options, &controller->ec2, err) < 0)
        return -1;
    controller->sts_endpoint = aws_config_make_endpoint(&controller->aws_config, "sts", controller->region);
    options.endpoint = controller->sts_endpoint;
    options.service = "sts";
    return ec2_new(&options, &controller->sts, err);
}

static void gained(void *ctx, int64_t transitions)
{
    struct controller *controller = ctx;
    flight_record(controller->flight,
                  &(struct flight_note){.part = FLIGHT_LEASE, .what = "gained", .value = transitions});
    log_info(&logger, "Lease was acquired", INT("transitions", transitions));
}

static void lost(void *ctx)
{
    struct controller *controller = ctx;
    flight_record(controller->flight, &(struct flight_note){.part = FLIGHT_LEASE, .what = "lost"});
    log_warn(&logger, "Lease was lost");
}

static int start_leader(struct controller *controller, struct error *err)
{
    const struct options *options = controller->options;
    if (!options->leader_elect)
        return 0;
    const char *name_space =
        options->leader_elect_namespace ? options->leader_elect_namespace : controller->kube_config.namespace;
    struct leader_options leader = {.config = &controller->kube_config,
                                    .credentials = kube_client_get_credentials(controller->kube),
                                    .name_space = name_space ? name_space : "tee-system",
                                    .name = "tee-controller",
                                    .identity = controller->identity,
                                    .times = {.duration_ms = (int64_t)options->lease_duration_s * 1000,
                                              .renew_deadline_ms = (int64_t)options->renew_deadline_s * 1000,
                                              .retry_ms = (int64_t)options->retry_period_s * 1000},
                                    .ctx = controller,
                                    .gained = gained,
                                    .lost = lost,
                                    .observe = telemetry_observe_request,
                                    .heartbeats = controller->heartbeats};
    return leader_start(&leader, &controller->leader, err);
}

static bool may_work(void *ctx)
{
    return controller_lease_left_ms(ctx) > 0;
}

static void start_watcher(struct controller *controller, struct watch_scope *scope, size_t index)
{
    scope->path = kube_ports_path(scope->name_space, NULL);
    struct watcher_options watcher = {.client = controller->kube,
                                      .path = scope->path,
                                      .selector = controller->options->selector,
                                      .streams = true,
                                      .owner = kube_ports_owner(scope),
                                      .seed = (uint64_t)controller->start_ms + index,
                                      .heartbeats = controller->heartbeats};
    scope->watcher = watcher_start(&watcher);
}

/* A thread finds what it looks at in its place: that is put there before the thread is started. */
static void start_parts(struct controller *controller)
{
    struct event_source source = {.controller = "tee.dev/controller", .instance = controller->identity};
    controller->events = event_queue_start(controller->kube, &source, controller->heartbeats);
    for (size_t i = 0; i < controller->scope_count; i++)
        start_watcher(controller, &controller->scopes[i], i);
    controller->batch = ec2_ports_make_batch(controller);
    inventory_loop_start(controller);
    ec2_batch_start(controller->batch);
    struct workers_options workers = {.queue = controller->queue,
                                      .reconciler = controller->reconciler,
                                      .clock = controller->clock,
                                      .count = controller->options->workers,
                                      .may_work = may_work,
                                      .observe = telemetry_observe_pass,
                                      .ctx = controller,
                                      .heartbeats = controller->heartbeats};
    controller->workers = workers_start(&workers);
    atomic_store(&controller->is_started, true);
    telemetry_set_ready(controller, &controller->readiness.start, NULL);
    while (!stop_wait(&controller->stop, 3600 * 1000))
        continue;
}

int controller_run(struct controller *controller, struct error *err)
{
    if (telemetry_serve(controller, err) < 0)
        return -1;
    if (insist(controller, find_cluster) < 0 || insist(controller, find_region) < 0)
        return 0;
    outdated_check(controller);
    if (make_ec2(controller, err) < 0 || start_leader(controller, err) < 0)
        return -1;
    start_parts(controller);
    return 0;
}

void controller_stop(struct controller *controller)
{
    stop_request(&controller->stop);
}

void controller_dump_flight(struct controller *controller)
{
    size_t count = flight_dump(controller->flight, STDERR_FILENO, controller->options->log_format);
    log_info(&logger, "Flight recorder was dumped", INT("transitions", (long long)count),
             INT("lost", flight_get_lost(controller->flight)));
}

struct controller *controller_free(struct controller *controller)
{
    if (!controller)
        return NULL;
    workqueue_stop(controller->queue);
    workers_free(controller->workers);
    if (controller->batch)
        ec2_batch_stop(controller->batch); /* it asks the inventory's thread for looks */
    inventory_loop_stop(controller);
    ec2_batch_free(controller->batch); /* which the inventory's thread has asked to end orphans */
    controller->server = http_server_free(controller->server); /* it looks at what ends below */
    for (size_t i = 0; i < controller->scope_count; i++)
        watcher_free(controller->scopes[i].watcher);
    leader_free(controller->leader); /* after the workers: nothing acts any more when the lease is given up */
    event_queue_free(controller->events);
    ec2_free(controller->ec2);
    ec2_free(controller->sts);
    aws_credentials_free(controller->credentials);
    kube_client_free(controller->kube);
    reconciler_free(controller->reconciler);
    attest_means_done(&controller->attest);
    preflight_means_done(&controller->preflight);
    workqueue_free(controller->queue);
    inventory_free(controller->inventory);
    store_free(controller->store);
    telemetry_done(controller);
    flight_free(controller->flight);
    heartbeats_free(controller->heartbeats);
    attest_roots_done(&controller->roots);
    kube_config_done(&controller->kube_config);
    aws_config_done(&controller->aws_config);
    nitro_config_done(&controller->nitro_config);
    for (size_t i = 0; i < controller->scope_count; i++)
        free(controller->scopes[i].path);
    free(controller->cluster_id);
    free(controller->identity);
    free(controller->region);
    free(controller->ec2_endpoint);
    free(controller->sts_endpoint);
    stop_done(&controller->stop);
    free(controller);
    return NULL;
}
