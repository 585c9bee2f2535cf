/* One function per action of the plan. Each makes at most one change at EC2, and repeating it is harmless. */
#include "reconcile/ledger.h"
#include "reconcile/pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FETCH_FIRST_MS = 2000,
    FETCH_BOOT_MAX_MS = 10 * 1000,
};

static const struct ports *ports_of(const struct pass *pass)
{
    return pass->options->ports;
}

static int check_lease(struct pass *pass, struct error *err)
{
    if (ports_of(pass)->lease_left_ms(ports_of(pass)->ctx) >= pass->options->config->lease_min_ms)
        return 0;
    pass->wait_ms = PASS_WAIT_MS;
    return error_set(err, ERROR_STOPPED, "NotLeading", "too little of the lease is left");
}

/* Of the status all that is ours, as the one that is written next is computed from it and goes out with the
 * live object's version: the ledger, and a verdict that another leader may have written since. */
static bool is_as_read(const struct teedeployment *live, const struct teedeployment *want)
{
    return live && strcmp(live->uid, want->uid) == 0 && live->generation == want->generation &&
           live->is_deleting == want->is_deleting &&
           memcmp(live->status_digest, want->status_digest, sizeof(live->status_digest)) == 0;
}

int pass_check_fence(struct pass *pass, struct error *err)
{
    if (check_lease(pass, err) < 0)
        return -1;
    const struct teedeployment *want = pass->want;
    if (ports_of(pass)->get_object(ports_of(pass)->ctx, want->name_space, want->name, &pass->live, err) < 0)
        return error_wrap(err, "reading the object before acting");
    if (!is_as_read(pass->live, want)) { /* the store may be behind for as long as its watch is silent */
        store_refresh(pass->options->store, want->key, want->resource_version, pass->live);
        pass->wait_ms = PASS_WAIT_MS;
        return error_set(err, ERROR_CONFLICT, "Stale", "the object changed since it was read");
    }
    snprintf(pass->base_version, sizeof(pass->base_version), "%s", pass->live->resource_version);
    return check_lease(pass, err); /* the read may have taken long */
}

void pass_await(struct pass *pass, const char *id)
{
    inventory_await(pass->options->inventory, id, clock_mono_ms(pass->options->clock));
    ports_of(pass)->want_look(ports_of(pass)->ctx);
}

static int set_finalizer(struct pass *pass, bool present, struct error *err)
{
    char version[66] = "";
    if (check_lease(pass, err) < 0)
        return -1;
    if (ports_of(pass)->set_finalizer(ports_of(pass)->ctx, pass->want, present, version, err) < 0)
        return error_wrap(err, present ? "adding the finalizer" : "removing the finalizer");
    pass_note_write(pass, version);
    return 0;
}

static int add_finalizer(struct pass *pass, struct error *err)
{
    return set_finalizer(pass, true, err);
}

static int remove_finalizer(struct pass *pass, struct error *err)
{
    if (set_finalizer(pass, false, err) < 0)
        return -1;
    fleet_release(pass->fleet, pass->want->deployment_id);
    return 0;
}

static int record_halt(struct pass *pass, struct error *err)
{
    if (pass_check_fence(pass, err) < 0)
        return -1;
    pass->next.status.launch.halted = (struct ledger_halt){.reason = pass->want->status.attestation.reason,
                                                           .generation = pass->want->generation,
                                                           .at_ms = pass->now.wall_ms};
    return 0;
}

static int tag_retained(struct pass *pass, struct error *err)
{
    const struct tee_tag tags[] = {{"tee-retained", "true"}, {NULL, NULL}};
    if (pass_check_fence(pass, err) < 0)
        return -1;
    const char *id = pass->plan.host->id;
    if (ports_of(pass)->tag_host(ports_of(pass)->ctx, id, tags, err) < 0)
        return error_wrap(err, "tagging %s as retained", id);
    pass_await(pass, id);
    return 0;
}

/* No answer: the next try comes soon while the host boots, later the longer it lasts, and at the latest each
 * interval. */
static int fetch_failed(struct pass *pass, const struct error *err)
{
    struct memory *memory = pass->memory;
    int64_t max_ms = (int64_t)pass->effective.attestation.interval_seconds * 1000;
    if (!plan_has_verdict(&pass->in) && !plan_is_boot_overdue(&pass->in))
        max_ms = FETCH_BOOT_MAX_MS;
    if (memory->fetch_launch_ms != pass->plan.host->launch_ms) /* another boot: another enclave */
        memory->fetch_failures = 0;
    memory->fetch_launch_ms = pass->plan.host->launch_ms;
    int shift = memory->fetch_failures < 12 ? memory->fetch_failures : 12;
    int64_t wait_ms = (int64_t)FETCH_FIRST_MS << shift;
    wait_ms = wait_ms < max_ms ? wait_ms : max_ms;
    memory->fetch_failures++;
    memory->fetch_not_before_ms = pass->now.mono_ms + wait_ms;
    snprintf(memory->fetch_error, sizeof(memory->fetch_error), "%s", err->text);
    pass->plan.look_again_ms = wait_ms;
    if (pass->options->observe_attestation)
        pass->options->observe_attestation(pass->options->ctx, "Unreachable", "Unreachable");
    return 0;
}

/* Spread over the last tenth of the interval, so that objects made together are not asked together for ever.
 */
static int64_t jitter_ms(const struct pass *pass, int64_t interval_ms)
{
    uint8_t digest[SHA256_BYTES];
    sha256(pass->want->uid, strlen(pass->want->uid), digest);
    return interval_ms / 10 * digest[0] / 255;
}

static int64_t valid_until_ms(const struct pass *pass, const struct tee_attestation_status *verdict)
{
    int64_t until_ms = pass->now.wall_ms + (int64_t)pass->effective.attestation.valid_seconds * 1000;
    for (size_t i = 0; i < pass->want->spec.attestation.measurement_count; i++) {
        const struct tee_measurement *set = &pass->want->spec.attestation.measurements[i];
        bool is_matched =
            set->name && verdict->matched_measurement && strcmp(set->name, verdict->matched_measurement) == 0;
        if (is_matched && set->not_after_ms > 0 && set->not_after_ms < until_ms)
            until_ms = set->not_after_ms;
    }
    return until_ms;
}

static bool texts_differ(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") != 0;
}

/* Evidence is written only when what it proves is another. */
static bool is_news(const struct tee_attestation_status *before, const struct tee_attestation_status *after)
{
    if (texts_differ(before->verdict, after->verdict) || texts_differ(before->reason, after->reason) ||
        texts_differ(before->module_id, after->module_id) ||
        texts_differ(before->public_key, after->public_key) ||
        texts_differ(before->user_data_sha256, after->user_data_sha256) ||
        before->pcr_count != after->pcr_count)
        return true;
    for (size_t i = 0; i < after->pcr_count; i++)
        if (before->pcrs[i].index != after->pcrs[i].index ||
            strcmp(before->pcrs[i].sha384, after->pcrs[i].sha384) != 0)
            return true;
    return false;
}

/* What the document says of itself stays that of the stored one (docs/behaviour.md), so that the two agree.
 */
static void keep_document_facts(const struct tee_attestation_status *stored,
                                struct tee_attestation_status *verdict)
{
    verdict->document_ms = stored->document_ms;
    verdict->leaf_not_after_ms = stored->leaf_not_after_ms;
    verdict->root_sha256 = stored->root_sha256;
}

static void tell_verdict(struct pass *pass, const struct tee_attestation_status *verdict, bool positive)
{
    const char *module = verdict->module_id ? verdict->module_id : "unknown";
    log_info(&pass->log, "Attestation was judged", STR("verdict", verdict->verdict),
             STR("reason", verdict->reason), STR("moduleID", module));
    if (positive)
        pass_event(pass, "Normal", "Attested", arena_printf(&pass->arena, "Verified %s", module));
    else
        pass_event(pass, "Warning", "AttestationRejected", verdict->message);
}

/* Without a document (an answer that broke the protocol) the evidence of an earlier verdict goes. */
static int write_evidence(struct pass *pass, const struct attest_reply *answer, struct error *err)
{
    CLEANUP(buf_done) struct buf json;
    buf_init(&json, 128 * 1024);
    status_encode_evidence(answer->document, answer->document_len, &json);
    return pass_apply_status(pass, TEE_FIELD_MANAGER "-evidence", buf_text(&json), err);
}

static int take_verdict(struct pass *pass, const struct attest_reply *answer, struct error *err)
{
    struct tee_attestation_status verdict = answer->verdict;
    bool positive = plan_accepts_verdict(&pass->in, verdict.verdict);
    int64_t interval_ms = (int64_t)pass->effective.attestation.interval_seconds * 1000;
    verdict.verified_ms = pass->now.wall_ms;
    verdict.next_ms = pass->now.wall_ms + interval_ms - jitter_ms(pass, interval_ms);
    verdict.valid_until_ms = positive ? valid_until_ms(pass, &verdict) : 0;
    bool has_news = is_news(&pass->want->status.attestation, &verdict);
    if (has_news && write_evidence(pass, answer, err) < 0)
        return -1;
    if (has_news)
        tell_verdict(pass, &verdict, positive);
    else
        keep_document_facts(&pass->want->status.attestation, &verdict);
    if (pass->options->observe_attestation)
        pass->options->observe_attestation(pass->options->ctx, verdict.verdict,
                                           positive ? "" : verdict.reason);
    struct ledger *ledger = &pass->next.status.launch;
    ledger->policy_hash = arena_strdup(&pass->arena, pass->in.policy_hash);
    ledger->instance_launch_ms = pass->plan.host->launch_ms;
    ledger->module_id = verdict.module_id;
    pass->next.status.attestation = verdict;
    pass->memory->fetch_failures = 0;
    pass->memory->fetch_not_before_ms = 0;
    pass->memory->fetch_error[0] = '\0';
    pass->plan.look_again_ms = verdict.next_ms - pass->now.wall_ms;
    if (!positive && pass->effective.attestation.on_rejected != ON_REJECTED_REPORT)
        pass->plan.look_again_ms = 0;
    return 0;
}

static int attest(struct pass *pass, struct error *err)
{
    if (check_lease(pass, err) < 0)
        return -1;
    struct host host = *pass->plan.host;
    struct attest_request request = {.object = pass->want,
                                     .effective = &pass->effective,
                                     .host = &host,
                                     .has_profile = pass->effective.instance.iam_instance_profile != NULL,
                                     .arena = &pass->arena};
    struct attest_reply answer = {0};
    int result = ports_of(pass)->attest(ports_of(pass)->ctx, &request, &answer, err);
    if (result < 0 && err->kind == ERROR_THROTTLED) {
        pass->wait_ms =
            err->retry_after_ms > 0 ? err->retry_after_ms : PASS_WAIT_MS; /* nothing was learned */
        return 0;
    }
    if (answer.has_connected)
        pass->memory->answered_launch_ms = host.launch_ms;
    snprintf(pass->memory->boot_phase, sizeof(pass->memory->boot_phase), "%s", answer.boot_phase);
    pass->memory->boot_seconds = answer.boot_seconds;
    if (result == 0 && answer.has_document) {
        result = take_verdict(pass, &answer, err);
        free(answer.document);
        return result;
    }
    return fetch_failed(pass, err);
}

static int none(struct pass *pass, struct error *err)
{
    (void)pass;
    (void)err;
    return 0;
}

int effect_run(struct pass *pass, struct error *err)
{
    static int (*const effects[PLAN_ACTION_COUNT])(struct pass *, struct error *) = {
        [PLAN_NONE] = none,
        [PLAN_ADD_FINALIZER] = add_finalizer,
        [PLAN_REMOVE_FINALIZER] = remove_finalizer,
        [PLAN_PREFLIGHT] = effect_preflight,
        [PLAN_RECORD_ATTEMPT] = effect_record_attempt,
        [PLAN_RUN] = effect_run_host,
        [PLAN_LOOK_UP] = effect_look_up,
        [PLAN_FIND_ADOPTABLE] = effect_adopt,
        [PLAN_RECORD_HALT] = record_halt,
        [PLAN_TAG_RETAINED] = tag_retained,
        [PLAN_RESTORE_IDENTITY] = effect_restore_identity,
        [PLAN_START] = effect_start,
        [PLAN_STOP] = effect_stop,
        [PLAN_TERMINATE] = effect_terminate,
        [PLAN_ATTEST] = attest,
    };
    return effects[pass->plan.action](pass, err);
}
