/* Read pass_run() first: it is the program.
 *
 *     load want -> observe seen -> plan(want, seen, now) -> at most one effect -> status -> when to look
 * again
 */
#include "reconcile/reconciler.h"

#include "base/deadline.h"
#include "base/fnv.h"
#include "base/hmap.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/uuid.h"
#include "reconcile/ledger.h"
#include "reconcile/observed_pack.h"
#include "reconcile/pass.h"
#include "reconcile/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct log logger = LOG_ROOT("reconcile");

enum {
    OWN_WRITE_CAP_MS = 10 * 1000,
    THROTTLED_TELL_MS = 120 * 1000,
    RESYNC_MIN_MS = 240 * 1000,
    RESYNC_MAX_MS = 360 * 1000,
    MAX_STATUS_BYTES = 256 * 1024
};

struct reconciler {
    struct reconciler_options options;
    pthread_mutex_t mutex;
    struct hmap memories; /* key -> struct memory, packed */
    struct fleet *fleet;
    struct capacity *capacity;
    struct preflight_cache *preflights;
};

struct reconciler *reconciler_new(const struct reconciler_options *options)
{
    struct reconciler *reconciler = mem_calloc(1, sizeof(*reconciler));
    reconciler->options = *options;
    mutex_init(&reconciler->mutex);
    hmap_init(&reconciler->memories);
    reconciler->capacity = capacity_new();
    reconciler->preflights = preflight_cache_new();
    reconciler->fleet = fleet_new(options->config, options->store, options->inventory);
    return reconciler;
}

static void free_packed(void *packed)
{
    packed_unref(packed);
}

struct reconciler *reconciler_free(struct reconciler *reconciler)
{
    if (!reconciler)
        return NULL;
    hmap_done(&reconciler->memories, free_packed);
    fleet_free(reconciler->fleet);
    capacity_free(reconciler->capacity);
    preflight_cache_free(reconciler->preflights);
    pthread_mutex_destroy(&reconciler->mutex);
    free(reconciler);
    return NULL;
}

static void forget(struct reconciler *reconciler, const char *key)
{
    LOCK_SCOPE(&reconciler->mutex);
    packed_unref(hmap_remove(&reconciler->memories, key));
}

/* What the last pass over the key knew; only its worker reads and writes it. Another uid is another object.
 */
static void remember(struct reconciler *reconciler, const struct teedeployment *want,
                     struct memory *ret_memory)
{
    LOCK_SCOPE(&reconciler->mutex);
    const struct packed *packed = hmap_get(&reconciler->memories, want->key);
    if (packed)
        memory_unpack(packed, ret_memory);
    if (packed && strcmp(ret_memory->uid, want->uid) == 0)
        return;
    *ret_memory = (struct memory){0};
    snprintf(ret_memory->uid, sizeof(ret_memory->uid), "%s", want->uid);
}

static void keep_memory(struct reconciler *reconciler, const char *key, const struct memory *memory)
{
    struct packed *packed = memory_pack(memory);
    LOCK_SCOPE(&reconciler->mutex);
    packed_unref(hmap_set(&reconciler->memories, key, packed));
}

static struct moment moment_now(const struct clock *clock)
{
    return (struct moment){.wall_ms = clock_wall_ms(clock), .mono_ms = clock_mono_ms(clock)};
}

const char *pass_launch_key(struct pass *pass)
{
    if (!pass->launch_key[0])
        preflight_key(&pass->effective, pass->want->name_space, pass->launch_key);
    return pass->launch_key;
}

/* Other credentials are looked for only where they would change something. */
static void observe_preflight(struct pass *pass)
{
    const struct ports *ports = pass->options->ports;
    struct preflight *known = &pass->seen.preflight;
    if (!plan_needs_preflight(&pass->in))
        return;
    preflight_cache_get(pass->preflights, pass_launch_key(pass), &pass->arena, known);
    if (known->state == PREFLIGHT_BLOCKED)
        known->has_new_keys = ports->keys_stamp(ports->ctx) != known->keys;
}

void pass_observe(struct pass *pass)
{
    struct observe_input input = {.store = pass->options->store,
                                  .inventory = pass->options->inventory,
                                  .config = pass->options->config,
                                  .fleet = pass->fleet,
                                  .want = &pass->next,
                                  .memory = pass->memory,
                                  .now = pass->now,
                                  .arena = &pass->arena};
    observe(&input, &pass->seen);
    capacity_look(pass->capacity, &pass->effective.instance, pass->now.mono_ms, &pass->seen.capacity);
    const struct host *host = observed_host(&pass->seen);
    pass->seen.capacity.host_free_ms = host ? capacity_free_ms(pass->capacity, host, pass->now.mono_ms) : 0;
    observe_preflight(pass);
}

void pass_event(const struct pass *pass, const char *type, const char *reason, const char *note)
{
    struct object_event event = {
        .type = type, .reason = reason, .action = plan_action_names[pass->plan.action], .note = note};
    pass->options->ports->emit_event(pass->options->ports->ctx, pass->want, &event);
}

/* An object that stays older than our last write for too long is fetched: the watch may be stuck. */
static int refresh_store(struct pass *pass, struct error *err)
{
    if (pass->seen.is_store_fresh || pass->now.mono_ms - pass->memory->written_ms < OWN_WRITE_CAP_MS)
        return 0;
    const struct ports *ports = pass->options->ports;
    CLEANUP(teedeployment_unrefp) struct teedeployment *live = NULL;
    if (ports->get_object(ports->ctx, pass->want->name_space, pass->want->name, &live, err) < 0)
        return error_wrap(err, "reading the object after our own write");
    pass->memory->written_version[0] = '\0';
    store_refresh(pass->options->store, pass->want->key, pass->want->resource_version, live);
    return 0;
}

void pass_note_write(struct pass *pass, const char *version)
{
    snprintf(pass->base_version, sizeof(pass->base_version), "%s", version);
    snprintf(pass->memory->written_version, sizeof(pass->memory->written_version), "%s", version);
    pass->memory->written_ms = clock_mono_ms(pass->options->clock);
}

int pass_apply_status(struct pass *pass, const char *manager, const char *json, struct error *err)
{
    const struct ports *ports = pass->options->ports;
    char version[66] = "";
    if (ports->lease_left_ms(ports->ctx) <= 0)
        return error_set(err, ERROR_STOPPED, "NotLeading", "the lease is not ours");
    if (ports->apply_status(ports->ctx, pass->want, pass->base_version, manager, json, version, err) < 0)
        return error_wrap(err, "writing status");
    pass_note_write(pass, version);
    return 0;
}

/* The ledger follows what is seen: a live host is the attempt's, whatever answer was lost. */
static void note_host(struct pass *pass)
{
    struct ledger *ledger = &pass->next.status.launch;
    const struct host *host = observed_host(&pass->seen);
    if (!host || (ledger->instance_id && strcmp(ledger->instance_id, host->id) == 0))
        return;
    if (ledger->instance_id)
        ledger_close(ledger, "Terminated", NULL, pass->now.wall_ms);
    fleet_note_launched(pass->fleet, pass->want->deployment_id, ledger->token,
                        moment_now(pass->options->clock));
    ledger->instance_id = arena_strdup(&pass->arena, host->id);
    ledger->result = "Launched";
    if (ledger->started_ms == 0)
        ledger->started_ms = host->launch_ms;
}

/* A request is answered by the first pass that could look at everything. */
static void note_request(struct pass *pass)
{
    struct ledger *ledger = &pass->next.status.launch;
    bool is_stale = ledger->halted.reason && ledger->halted.generation != pass->want->generation;
    if (is_stale || plan_is_requested(&pass->in))
        ledger->halted = (struct ledger_halt){0};
    pass->next.status.last_handled = pass->want->reconcile_requested;
}

static bool has_become(const struct pass *pass, const struct tee_status *status, const char *type,
                       const char *reason)
{
    const struct condition *before = condition_find(&pass->want->status.conditions, type);
    const struct condition *after = condition_find(&status->conditions, type);
    return before && after && strcmp(after->reason, reason) == 0 &&
           strcmp(before->status, after->status) != 0;
}

/* Also in the object's first status. */
static bool has_new_reason(const struct pass *pass, const struct tee_status *status, const char *type,
                           const char *reason)
{
    const struct condition *before = condition_find(&pass->want->status.conditions, type);
    const struct condition *after = condition_find(&status->conditions, type);
    return after && strcmp(after->reason, reason) == 0 && (!before || strcmp(before->reason, reason) != 0);
}

/* Transitions that a user wants to find in the Events; once the status has them, so that each is told once.
 */
static void tell_transitions(const struct pass *pass, const struct tee_status *status)
{
    const struct condition *attested = condition_find(&pass->want->status.conditions, "Attested");
    const struct condition *now = condition_find(&status->conditions, "HostLaunched");
    if (has_become(pass, status, "Attested", "Lapsed") && strcmp(attested->status, "True") == 0)
        pass_event(pass, "Warning", "AttestationLapsed",
                   condition_find(&status->conditions, "Attested")->message);
    if (has_become(pass, status, "Drifted", "SpecChanged") ||
        has_become(pass, status, "Drifted", "SecurityGroupsDiffer") ||
        has_become(pass, status, "Drifted", "TagsDiffer"))
        pass_event(pass, "Normal", "DriftDetected", condition_find(&status->conditions, "Drifted")->message);
    if (has_become(pass, status, "HostBooted", "Answered"))
        pass_event(pass, "Normal", "Booted", condition_find(&status->conditions, "HostBooted")->message);
    if (has_new_reason(pass, status, "HostLaunched", "LaunchBudgetExhausted"))
        pass_event(pass, "Warning", "LaunchBudgetExhausted", now->message);
    if (has_new_reason(pass, status, "HostLaunched", "Impaired") ||
        has_new_reason(pass, status, "HostLaunched", "RetirementScheduled"))
        pass_event(pass, "Warning", now->reason, now->message);
}

static int report(struct pass *pass, struct error *err)
{
    pass_observe(pass);
    note_host(pass);
    if (pass->wait_ms == 0 && !pass->keeps_request)
        note_request(pass);
    struct tee_status status;
    status_compute(&pass->in, &pass->arena, &status);
    CLEANUP(buf_done) struct buf json;
    buf_init(&json, MAX_STATUS_BYTES);
    status_encode(&status, &json);
    uint8_t digest[SHA256_BYTES];
    if (!buf_is_ok(&json) || status_digest_text(buf_text(&json), json.len, digest) < 0)
        return error_set(err, ERROR_INVALID, "StatusTooLarge", "status does not fit %d bytes",
                         MAX_STATUS_BYTES);
    const struct teedeployment *newest = pass->live ? pass->live : pass->want;
    if (memcmp(digest, newest->status_digest, sizeof(digest)) == 0)
        return 0; /* what else we wrote in this pass, finalizer or evidence, left this part as it was */
    if (pass_apply_status(pass, TEE_FIELD_MANAGER, buf_text(&json), err) < 0)
        return -1;
    tell_transitions(pass, &status);
    pass_tell_boot_failure(pass, &status);
    return 0;
}

static bool is_gone(const struct pass *pass)
{
    return pass->plan.action == PLAN_REMOVE_FINALIZER ||
           (pass->want->is_deleting && pass->want->finalizer_index < 0);
}

static void record_plan(const struct pass *pass)
{
    flight_record(pass->options->flight, &(struct flight_note){.part = FLIGHT_PLAN,
                                                               .what = plan_action_names[pass->plan.action],
                                                               .key = pass->want->key,
                                                               .reason = pass->plan.why,
                                                               .value = pass->plan.row});
}

/* --read-only: what the plan would change is not done, and is planned again when something happens. */
static bool is_withheld(const struct pass *pass)
{
    enum plan_action action = pass->plan.action;
    bool is_look =
        action == PLAN_NONE || action == PLAN_LOOK_UP || action == PLAN_PREFLIGHT || action == PLAN_ATTEST;
    return pass->options->config->read_only && !is_look;
}

static int pass_run(struct pass *pass, struct error *err)
{
    pass_observe(pass);
    if (refresh_store(pass, err) < 0)
        return -1;
    pass->plan = plan_next(&pass->in);
    record_plan(pass);
    if (pass->plan.is_blind)
        return 0;
    pass_tell_change(pass);
    log_debug(&pass->log, "Pass planned", STR("action", plan_action_names[pass->plan.action]),
              INT("row", pass->plan.row));
    struct error effect_err = {0};
    int result = is_withheld(pass) ? 0 : effect_run(pass, &effect_err);
    if (is_gone(pass)) {
        *err = effect_err;
        return result;
    }
    /* What an effect learned is reported also when it failed; its error is the one that counts. */
    int reported = report(pass, err);
    if (result < 0)
        *err = effect_err;
    return result < 0 ? result : reported;
}

static void pass_init(struct pass *pass, struct reconciler *reconciler, struct teedeployment *want,
                      struct memory *memory, const struct log *log)
{
    *pass = (struct pass){.options = &reconciler->options,
                          .fleet = reconciler->fleet,
                          .capacity = reconciler->capacity,
                          .preflights = reconciler->preflights,
                          .log = *log,
                          .want = want,
                          .next = *want,
                          .memory = memory,
                          .now = moment_now(reconciler->options.clock)};
    arena_init(&pass->arena);
    effective_fill(&want->spec, reconciler->options.config, &pass->arena, &pass->effective);
    snprintf(pass->base_version, sizeof(pass->base_version), "%s", want->resource_version);
    pass->in = (struct plan_input){.want = &pass->next,
                                   .effective = &pass->effective,
                                   .config = reconciler->options.config,
                                   .seen = &pass->seen,
                                   .now = pass->now};
    ledger_hash(&want->spec, pass->in.hash);
    ledger_policy_hash(&want->spec, reconciler->options.config->roots_digest, pass->in.policy_hash);
}

static void pass_done(struct pass *pass)
{
    teedeployment_unref(pass->live);
    arena_done(&pass->arena);
}

/* The pass leaves open whether what failed before goes well now: it saw too little, could not try, or asked
 * for what EC2 may still refuse (ports.h). */
static bool is_open(const struct pass *pass)
{
    enum plan_action action = pass->plan.action;
    return pass->plan.is_blind || pass->wait_ms > 0 || action == PLAN_PREFLIGHT || action == PLAN_START ||
           action == PLAN_STOP || action == PLAN_TERMINATE;
}

/* At the latest each key is looked at again after this time, for the case that no event came of something
 * that happened: a pass that finds nothing to do asks nobody and writes nothing. For each key another time,
 * so that those that were made together are not looked at together. */
static int64_t resync_ms(const char *key)
{
    return RESYNC_MIN_MS + fnv32(FNV32_START, key) % (RESYNC_MAX_MS - RESYNC_MIN_MS + 1);
}

/* The first complete look at EC2 wakes every key (inventory_loop.c). A pass that finds the look complete is
 * not blind for this reason, and one that does not is followed by the wake-up, even if it still runs then. */
static bool is_woken_by_inventory(const struct pass *pass)
{
    return pass->plan.is_blind && !pass->seen.is_inventory_complete;
}

/* After an effect the next look is soon; without one it is the plan's. Of what is withheld, only a lapse is
 * shown by a timer. */
static struct outcome next_look(const struct pass *pass)
{
    int64_t look_ms = pass->wait_ms > 0 ? pass->wait_ms : pass->plan.look_again_ms;
    if (is_withheld(pass))
        look_ms = pass->next.status.attestation.valid_until_ms - pass->now.wall_ms;
    if (look_ms < 0 || look_ms > RESYNC_MAX_MS || pass->plan.action == PLAN_REMOVE_FINALIZER ||
        is_woken_by_inventory(pass))
        look_ms = resync_ms(pass->want->key);
    return is_open(pass) ? outcome_wait(look_ms) : outcome_requeue(look_ms);
}

/* The store had no room for that version of the object: it is read, and perhaps there is room by now.
 * *ret_want NULL: it is gone, or the watch told something newer meanwhile, which queued the key. */
static int read_refused(struct reconciler *reconciler, const char *key, const char *version,
                        struct teedeployment **ret_want, struct error *err)
{
    const struct ports *ports = reconciler->options.ports;
    const char *slash = strchr(key, '/');
    CLEANUP(freep) char *name_space = mem_strndup(key, (size_t)(slash - key));
    if (ports->get_object(ports->ctx, name_space, slash + 1, ret_want, err) < 0)
        return error_wrap(err, "reading an object that the cache has no room for");
    if (!store_refresh(reconciler->options.store, key, version, *ret_want))
        *ret_want = teedeployment_unref(*ret_want);
    return 0;
}

static struct outcome failed(const struct error *err, const char *key)
{
    struct outcome outcome = outcome_from_error(err);
    if (outcome.kind == OUTCOME_TERMINAL)
        outcome.delay_ms = resync_ms(key);
    return outcome;
}

/* Once in each time that it lasts: a peer that is busy for a moment is no news. */
static void tell_throttling(struct pass *pass, const struct error *err)
{
    int64_t *since_ms = &pass->memory->throttled_ms;
    if (err->kind == ERROR_NONE && !is_open(pass))
        *since_ms = 0;
    if (err->kind != ERROR_THROTTLED || *since_ms < 0)
        return;
    if (*since_ms == 0)
        *since_ms = pass->now.mono_ms;
    if (pass->now.mono_ms - *since_ms < THROTTLED_TELL_MS)
        return;
    *since_ms = -1;
    pass_event(pass, "Warning", "Throttled", arena_printf(&pass->arena, "For 2 minutes now: %s", err->text));
}

static struct outcome run_key(struct reconciler *reconciler, const char *key, const struct log *log)
{
    struct error err = {0};
    struct store *store = reconciler->options.store;
    CLEANUP(teedeployment_unrefp) struct teedeployment *want = store_get(store, key);
    CLEANUP(freep) char *refused = want ? NULL : store_refused_version(store, key);
    if (refused && read_refused(reconciler, key, refused, &want, &err) < 0)
        return failed(&err, key);
    if (!want) {
        forget(reconciler, key);
        return outcome_done();
    }
    struct pass pass;
    struct memory memory;
    remember(reconciler, want, &memory);
    pass_init(&pass, reconciler, want, &memory, log);
    struct outcome outcome = pass_run(&pass, &err) < 0 ? failed(&err, key) : next_look(&pass);
    outcome.generation = want->generation;
    tell_throttling(&pass, &err);
    pass_done(&pass);
    keep_memory(reconciler, key, &memory);
    return outcome;
}

static void log_outcome(const struct log *log, const struct outcome *outcome)
{
    if (outcome->error.kind == ERROR_NONE)
        return;
    const struct log_field reason = STR("reason", outcome->error.reason);
    const struct log_field text = STR("error", outcome->error.text);
    if (outcome->is_quiet)
        log_debug(log, "Pass will be repeated", reason, text);
    else
        log_error(log, "Pass failed", reason, text);
}

/* The log's context has the keys of controller-runtime's, so that whoever reads its logs can read ours. */
struct outcome reconciler_pass(struct reconciler *reconciler, const char *key)
{
    char id[UUID_TEXT_SIZE];
    uuid_make(id);
    const struct log log = {
        .parent = &logger,
        .fields = {DETAIL("controller", TEE_CONTROLLER), DETAIL("controllerGroup", TEE_GROUP),
                   DETAIL("controllerKind", TEE_KIND), OBJECT(TEE_KIND, key), DETAIL("reconcileID", id)}};
    deadline_begin(reconciler->options.clock, RECONCILER_PASS_MS);
    struct outcome outcome = run_key(reconciler, key, &log);
    deadline_end();
    log_outcome(&log, &outcome);
    return outcome;
}
