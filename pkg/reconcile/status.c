/* One function per condition; Ready is made from the others at the end. */
#include "reconcile/status.h"

#include "base/clock.h"
#include "reconcile/drift.h"
#include "reconcile/health.h"
#include "reconcile/status_parts.h"

#include <string.h>

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static void put(struct builder *builder, const char *type, struct verdict verdict)
{
    const struct teedeployment *want = builder->in->want;
    struct condition condition = {
        .type = type,
        .status = verdict.status,
        .reason = verdict.reason,
        .message = text_cut(builder->arena, verdict.message ? verdict.message : "", CONDITION_MESSAGE_MAX),
        .observed_generation = want->generation,
    };
    condition_put(&builder->status->conditions, &want->status.conditions, condition,
                  builder->in->now.wall_ms);
}

/* Nobody asked yet: what the last launch was told counts until somebody does. */
static struct verdict preflight_unasked(const struct builder *builder)
{
    const struct ledger_past *last = status_last_attempt(builder);
    if (!builder->host && last && same(last->result, "Unauthorized"))
        return (struct verdict){"False", "Unauthorized", last->reason};
    return (struct verdict){"Unknown", "Pending", "EC2 is asked before the next launch"};
}

static struct verdict preflight(const struct builder *builder)
{
    static const char *const words[] = {[PREFLIGHT_PASSED] = "True",
                                        [PREFLIGHT_REFUSED] = "False",
                                        [PREFLIGHT_BLOCKED] = "False",
                                        [PREFLIGHT_INCONCLUSIVE] = "Unknown"};
    const struct preflight *known = &builder->in->seen->preflight;
    const char *problem = plan_problem(builder->in);
    if (problem)
        return (struct verdict){"False", "Invalid", problem};
    if (!plan_needs_preflight(builder->in))
        return (struct verdict){"True", "SpecAccepted",
                                builder->host ? "The instance was launched from this spec"
                                              : "Nothing is launched any more"};
    if (known->state == PREFLIGHT_NONE)
        return preflight_unasked(builder);
    return (struct verdict){words[known->state], known->reason, known->text};
}

static bool is_running(const struct builder *builder)
{
    return builder->host && builder->host->state == HOST_RUNNING;
}

static bool is_disabled(const struct builder *builder)
{
    return builder->in->effective->attestation.protocol == ATTEST_DISABLED;
}

static bool has_answered(const struct builder *builder)
{
    return is_running(builder) && (plan_has_verdict(builder->in) ||
                                   builder->in->seen->memory->answered_launch_ms == builder->host->launch_ms);
}

static struct verdict host_booted(const struct builder *builder)
{
    if (!is_running(builder))
        return (struct verdict){"False", "NotRunning", "The instance is not running"};
    if (is_disabled(builder))
        return (struct verdict){"Unknown", "Disabled", "Attestation is disabled, so the host is not asked"};
    if (has_answered(builder))
        return (struct verdict){"True", "Answered", "The host accepts connections"};
    return (struct verdict){
        "False", "Booting",
        "The host accepts no connection yet; its security group must admit the attestation port"};
}

static struct verdict enclave_running(const struct builder *builder)
{
    const struct memory *memory = builder->in->seen->memory;
    const char *text = memory->fetch_error[0] ? memory->fetch_error : "The enclave was not asked yet";
    if (!is_running(builder))
        return (struct verdict){"False", "NotRunning", "The instance is not running"};
    if (is_disabled(builder))
        return (struct verdict){"Unknown", "Disabled",
                                "Attestation is disabled, so the enclave is not asked"};
    if (plan_has_verdict(builder->in) && memory->fetch_failures == 0)
        return (struct verdict){"True", "Answered", "The enclave answered the last attestation request"};
    if (plan_has_verdict(builder->in))
        return (struct verdict){"False", "Unreachable", text};
    if (plan_is_boot_overdue(builder->in))
        return (struct verdict){
            "False", "BootTimeout",
            arena_printf(builder->arena, "No document within bootSeconds; the host is kept for a look: %s",
                         text)};
    return (struct verdict){"False", "Booting", text};
}

static struct verdict attested(const struct builder *builder)
{
    const struct tee_attestation_status *verdict = &builder->in->want->status.attestation;
    if (is_disabled(builder))
        return (struct verdict){"Unknown", "Disabled", "Attestation is disabled for this object"};
    if (!is_running(builder) || !plan_has_verdict(builder->in))
        return (struct verdict){"Unknown", "Pending",
                                "Nothing was attested for this boot of the host and this policy"};
    if (plan_is_accepted(builder->in))
        return (struct verdict){"True", verdict->verdict, verdict->message};
    if (verdict->valid_until_ms > 0 && plan_is_lapsed(builder->in))
        return (struct verdict){"False", "Lapsed",
                                "The last verdict is no longer valid and no newer one could be had"};
    return (struct verdict){"False",
                            verdict->reason && verdict->reason[0] ? verdict->reason : verdict->verdict,
                            verdict->message};
}

static struct verdict drifted(const struct builder *builder)
{
    const char *held = plan_replacement_is_held(builder->in);
    if (plan_is_drifted(builder->in))
        return (struct verdict){"True", "SpecChanged",
                                arena_printf(builder->arena, held ? "%s; it is replaced %s" : "%s",
                                             drift_text(builder->in, builder->arena), held)};
    if (drift_has_other_groups(builder->in))
        return (struct verdict){
            "True", "SecurityGroupsDiffer",
            "spec.instance.securityGroupIDs are not those of the instance; they can be set at EC2, "
            "and nothing is replaced for it"};
    if (drift_has_other_tags(builder->in))
        return (struct verdict){
            "True", "TagsDiffer",
            "spec.instance.tags are not all on the instance with these values; they can be set at EC2, and "
            "nothing is replaced for it"};
    return (struct verdict){"False", "InSync", "The instance was launched from this spec"};
}

static const char *room_text(const struct builder *builder)
{
    return arena_printf(builder->arena,
                        "The controller's memory for objects is full (--cache-limit-mib %d), so nothing is "
                        "done about this one and its instance stays as it is; raise the limit, or divide the "
                        "objects among controllers with --namespaces or --selector",
                        builder->in->config->cache_limit_mib);
}

static const char *taken_text(const struct builder *builder)
{
    const struct observed *seen = builder->in->seen;
    if (!seen->is_owner)
        return arena_printf(builder->arena, "spec.deploymentID is already used by %s", seen->owner);
    return arena_printf(
        builder->arena,
        "spec.deploymentID: instance %s has this id and is another object's, or was retained; "
        "choose another id, or adopt it with the annotation tee.dev/adopt: by-tag",
        seen->foreign_host);
}

/* Why nothing but a change helps; reason NULL: not stalled. */
static struct verdict stalled(const struct builder *builder)
{
    const struct plan_input *in = builder->in;
    const char *problem = plan_problem(in);
    struct verdict none = {0};
    if (in->want->is_deleting || in->want->is_paused)
        return none;
    if (problem)
        return (struct verdict){"True", "Invalid", problem};
    if (plan_id_is_taken(in))
        return (struct verdict){"True", "DeploymentIDTaken", taken_text(builder)};
    if (in->seen->lacks_room)
        return (struct verdict){"True", "CacheBudgetExceeded", room_text(builder)};
    if (plan_is_halted(in))
        return (struct verdict){
            "True", "AttestationRejected",
            "Halted after a rejected document; change the spec or request a reconcile to go on"};
    if (plan_launch_is_refused(in))
        return (struct verdict){"True", in->seen->preflight.reason, in->seen->preflight.text};
    if (!plan_wants_running(in) || !is_running(builder))
        return none;
    if (plan_has_verdict(in) && !plan_is_accepted(in) && !plan_is_requested(in)) {
        struct verdict why = attested(builder);
        why.status = "True";
        if (!same(why.reason, "Lapsed"))
            return why;
    }
    if (plan_is_boot_overdue(in))
        return (struct verdict){"True", "BootTimeout", enclave_running(builder).message};
    return none;
}

static bool is_stopped_as_wanted(const struct builder *builder)
{
    if (plan_wants_running(builder->in))
        return false;
    if (builder->host)
        return builder->host->state == HOST_STOPPED;
    enum attempt_state attempt = builder->in->seen->attempt;
    return attempt == ATTEMPT_NONE || attempt == ATTEMPT_DEAD;
}

static bool is_ready(const struct builder *builder)
{
    if (is_stopped_as_wanted(builder))
        return true;
    bool is_attested = plan_is_accepted(builder->in) || is_disabled(builder);
    return plan_wants_running(builder->in) && is_running(builder) && is_attested &&
           !plan_is_drifted(builder->in);
}

static bool is_refused(const struct builder *builder)
{
    const struct host_change *change = &builder->in->seen->memory->change;
    return builder->host && change->refusal != ERROR_NONE && same(change->id, builder->host->id);
}

/* A start, stop or end that EC2 will not do. */
static const char *refusal_text(const struct builder *builder)
{
    const struct host_change *change = &builder->in->seen->memory->change;
    return arena_printf(builder->arena, "EC2 refuses to %s instance %s; it is tried again. EC2's answer: %s",
                        change->action, change->id, change->error);
}

static struct verdict refused(const struct builder *builder)
{
    static const char *const words[] = {
        [ERROR_DENIED] = "Unauthorized", [ERROR_INVALID] = "Invalid", [ERROR_QUOTA] = "QuotaExceeded"};
    return (struct verdict){"False", words[builder->in->seen->memory->change.refusal], refusal_text(builder)};
}

/* What the end of the object waits for. */
static const char *terminating_text(const struct builder *builder)
{
    const struct observed *seen = builder->in->seen;
    const char *id = builder->in->want->status.launch.instance_id;
    if (is_refused(builder))
        return refusal_text(builder);
    switch (seen->attempt) {
    case ATTEMPT_ENDING: return "The instance is shutting down; the object goes when EC2 shows it terminated";
    case ATTEMPT_OPEN:
        return "No answer to the launch is known; it is looked up for five minutes and more before the "
               "object goes";
    case ATTEMPT_MISSING:
        return arena_printf(
            builder->arena,
            "EC2 does not list instance %s; it is looked up twice, a minute apart, before the "
            "object goes",
            id ? id : "");
    case ATTEMPT_NONE:
    case ATTEMPT_LIVE:
    case ATTEMPT_DEAD: break;
    }
    return "The instance is terminated before the object goes";
}

static struct verdict terminating(const struct builder *builder)
{
    return (struct verdict){"False", "Terminating", terminating_text(builder)};
}

/* What keeps it from Ready while it is worked on. */
static struct verdict progress(const struct builder *builder)
{
    const struct plan_input *in = builder->in;
    if (in->want->is_deleting)
        return terminating(builder);
    if (in->want->is_paused)
        return (struct verdict){"Unknown", "Paused",
                                "Nothing is done while the annotation tee.dev/paused is true"};
    if (is_refused(builder))
        return refused(builder);
    if (!plan_wants_running(in))
        return (struct verdict){"False", "Stopping", "The instance is being stopped"};
    if (plan_launch_is_blocked(in))
        return preflight(builder);
    if (!is_running(builder))
        return status_host_launched(builder);
    if (plan_is_drifted(in))
        return (struct verdict){"False", "SpecChanged", drifted(builder).message};
    if (plan_has_verdict(in))
        return attested(builder);
    return enclave_running(builder);
}

static void put_summary(struct builder *builder)
{
    struct verdict stall = stalled(builder);
    if (stall.reason) {
        put(builder, "Stalled", stall);
        stall.status = "False";
        put(builder, "Ready", stall);
        return;
    }
    if (!builder->in->want->is_deleting && is_ready(builder)) {
        const struct tee_attestation_status *verdict = &builder->in->want->status.attestation;
        struct verdict ready = {"True", verdict->verdict, verdict->message};
        if (is_stopped_as_wanted(builder))
            ready = (struct verdict){"True", "Stopped", "Stopped, as desiredState asks"};
        else if (is_disabled(builder))
            ready = (struct verdict){"True", "Disabled", "The instance runs; attestation is disabled"};
        put(builder, "Ready", ready);
        return;
    }
    struct verdict why = progress(builder);
    if (!same(why.status, "Unknown"))
        why.status = "False";
    put(builder, "Ready", why);
    why.status = "True";
    put(builder, "Reconciling", why);
}

static const char *phase(const struct builder *builder)
{
    if (builder->in->want->is_deleting)
        return "Terminating";
    if (condition_find(&builder->status->conditions, "Stalled"))
        return "Failed";
    if (is_stopped_as_wanted(builder))
        return "Stopped";
    if (!plan_wants_running(builder->in))
        return "Stopping";
    return is_running(builder) && plan_has_verdict(builder->in) ? "Running"
           : is_running(builder) && is_disabled(builder)        ? "Running"
                                                                : "Provisioning";
}

static const char *text_or_null(const char *text)
{
    return text[0] ? text : NULL;
}

static void put_instance(struct builder *builder)
{
    const struct host *host = builder->host;
    if (!host)
        return;
    builder->status->instance = (struct tee_instance_status){
        .id = host->id,
        .state = host_state_names[host->state],
        .type = text_or_null(host->type),
        .image_id = text_or_null(host->image_id),
        .availability_zone = text_or_null(host->zone),
        .subnet_id = text_or_null(host->subnet_id),
        .private_ip = text_or_null(host->private_ip),
        .public_ip = text_or_null(host->public_ip),
        .launch_ms = host->launch_ms,
        .capacity_type = host->is_spot ? "spot" : "on-demand",
    };
    const char *address = host->public_ip[0] ? host->public_ip : host->private_ip;
    builder->status->endpoint_address = text_or_null(address);
    builder->status->ports = builder->in->want->spec.ports;
    builder->status->port_count = builder->in->want->spec.port_count;
}

/* A verdict of another boot, host or policy is not shown as if it were this one's. */
static void put_attestation(struct builder *builder)
{
    const struct plan_input *in = builder->in;
    struct tee_attestation_status *shown = &builder->status->attestation;
    *shown = in->want->status.attestation;
    if (shown->verdict && !plan_has_verdict(in))
        *shown = (struct tee_attestation_status){0};
    else if (shown->verdict && shown->valid_until_ms > 0 && plan_is_lapsed(in))
        shown->verdict = "Expired";
}

void status_compute(const struct plan_input *in, struct arena *arena, struct tee_status *ret_status)
{
    struct tee_status *status = ret_status;
    *status = (struct tee_status){0};
    struct builder builder = {.in = in, .host = observed_host(in->seen), .arena = arena, .status = status};
    status->observed_generation = in->want->generation;
    status->deployment_id = in->want->deployment_id;
    put_instance(&builder);
    status->launch = in->want->status.launch;
    if (in->seen->memory->boot_phase[0] && is_running(&builder) && !plan_has_verdict(in)) {
        status->boot_phase = in->seen->memory->boot_phase;
        status->boot_seconds = in->seen->memory->boot_seconds;
    }
    put_attestation(&builder);
    struct tee_spec *report = arena_calloc(arena, 1, sizeof(*report));
    effective_report(&in->want->spec, in->effective, report);
    status->effective = report;
    put(&builder, "PreflightSucceeded", preflight(&builder));
    put(&builder, "HostLaunched", status_host_launched(&builder));
    put(&builder, "HostBooted", host_booted(&builder));
    put(&builder, "EnclaveRunning", enclave_running(&builder));
    put(&builder, "Attested", attested(&builder));
    put(&builder, "Drifted", drifted(&builder));
    put_summary(&builder);
    status->phase = phase(&builder);
    status->last_handled = in->want->status.last_handled;
}
