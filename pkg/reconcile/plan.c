/* Read rows[] at the end first: it is the table. */
#include "reconcile/plan.h"

#include "base/cleanup.h"
#include "reconcile/health.h"
#include "reconcile/identity.h"
#include "reconcile/ledger.h"
#include "reconcile/observe.h"

#include <stdio.h>
#include <string.h>

enum {
    LOOK_SOON_MS = 1000,
    LOOK_STATE_MS = 3000,
    LOOK_UP_SPACING_MS = 60 * 1000,
    TOKEN_LIFE_MS = 24 * 3600 * 1000,
    DUPLICATE_GRACE_MS = 60 * 1000,
    REPAIR_LOOK_MS = 60 * 1000,
    HELD_LOOK_MS = 60 * 1000,
    ROOM_LOOK_MS = 300 * 1000,
};

const char *const plan_action_names[PLAN_ACTION_COUNT] = {
    "none",    "add-finalizer",  "remove-finalizer", "preflight",    "record-attempt",   "run",
    "look-up", "find-adoptable", "record-halt",      "tag-retained", "restore-identity", "start",
    "stop",    "terminate",      "attest",
};

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static struct plan wait_for(int row, int64_t ms)
{
    return (struct plan){.action = PLAN_NONE, .row = row, .look_again_ms = ms};
}

static struct plan act(int row, enum plan_action action, const struct host *host, const char *why)
{
    return (struct plan){
        .action = action, .row = row, .host = host, .why = why, .look_again_ms = LOOK_STATE_MS};
}

bool plan_wants_running(const struct plan_input *in)
{
    return in->effective->desired_state == DESIRED_RUNNING;
}

bool plan_is_requested(const struct plan_input *in)
{
    const char *requested = in->want->reconcile_requested;
    return requested && !same(requested, in->want->status.last_handled);
}

bool plan_adopts(const struct plan_input *in)
{
    return in->want->wants_adoption && !observed_host(in->seen) && in->seen->attempt == ATTEMPT_NONE;
}

bool plan_id_is_taken(const struct plan_input *in)
{
    bool is_free_to_choose = in->seen->attempt == ATTEMPT_NONE && !plan_adopts(in);
    return !in->seen->is_owner || (is_free_to_choose && in->seen->foreign_host);
}

bool plan_is_halted(const struct plan_input *in)
{
    const struct ledger_halt *halted = &in->want->status.launch.halted;
    return halted->reason && halted->generation == in->want->generation && !plan_is_requested(in);
}

const char *plan_problem(const struct plan_input *in)
{
    if (in->want->invalid)
        return in->want->invalid;
    const char *problem = spec_problem(in->effective, in->config);
    if (problem)
        return problem;
    if (plan_adopts(in) && !in->config->allow_adoption)
        return "metadata.annotations: tee.dev/adopt needs a controller with --allow-adoption; nothing is "
               "launched "
               "while the annotation is there";
    const struct ledger *ledger = &in->want->status.launch;
    if (ledger_is_refused(ledger, in->want->generation) && !plan_is_requested(in))
        return ledger->history[ledger->history_count - 1].reason;
    return NULL;
}

/* The tag is EC2's own memory of the spec it was launched from; an adopted host may lack it. Another hash
 * version says nothing: an upgrade of the controller replaces no host. */
static bool hash_differs(const struct plan_input *in, const struct host *host)
{
    char prefix[16];
    int len = snprintf(prefix, sizeof(prefix), "v%d-", LAUNCH_HASH_VERSION);
    if (host->launch_hash[0])
        return strncmp(host->launch_hash, prefix, (size_t)len) == 0 &&
               strcmp(host->launch_hash + len, in->hash) != 0;
    const struct ledger *ledger = &in->want->status.launch;
    return ledger->hash && ledger->hash_version == LAUNCH_HASH_VERSION && strcmp(ledger->hash, in->hash) != 0;
}

bool plan_subnet_differs(const struct plan_input *in, const struct host *host)
{
    const struct tee_instance_spec *instance = &in->want->spec.instance;
    if (instance->subnet_count == 0 || !host->subnet_id[0])
        return false;
    for (size_t i = 0; i < instance->subnet_count; i++)
        if (strcmp(instance->subnet_ids[i], host->subnet_id) == 0)
            return false;
    return true;
}

bool plan_is_drifted(const struct plan_input *in)
{
    const struct host *host = observed_host(in->seen);
    return host && (hash_differs(in, host) || plan_subnet_differs(in, host) || host->lacks_enclave);
}

bool plan_has_verdict(const struct plan_input *in)
{
    const struct host *host = observed_host(in->seen);
    const struct ledger *ledger = &in->want->status.launch;
    if (!host || !in->want->status.attestation.verdict || !ledger->policy_hash)
        return false;
    return same(ledger->instance_id, host->id) &&
           ledger->instance_launch_ms / 1000 == host->launch_ms / 1000 &&
           strcmp(ledger->policy_hash, in->policy_hash) == 0;
}

bool plan_is_lapsed(const struct plan_input *in)
{
    return in->now.wall_ms >= in->want->status.attestation.valid_until_ms;
}

bool plan_accepts_verdict(const struct plan_input *in, const char *verdict)
{
    if (same(verdict, "Verified"))
        return true;
    if (same(verdict, "VerifiedWithoutNonce"))
        return in->effective->attestation.require_nonce == 0;
    return same(verdict, "MeasuredOnly") && in->config->allow_unmeasured;
}

bool plan_is_accepted(const struct plan_input *in)
{
    return plan_has_verdict(in) && !plan_is_lapsed(in) &&
           plan_accepts_verdict(in, in->want->status.attestation.verdict);
}

bool plan_is_boot_overdue(const struct plan_input *in)
{
    const struct host *host = observed_host(in->seen);
    return host && host->state == HOST_RUNNING && !plan_has_verdict(in) &&
           in->effective->attestation.protocol != ATTEST_DISABLED &&
           in->now.wall_ms > host->launch_ms + (int64_t)in->effective->boot_seconds * 1000;
}

bool plan_own_budget_is_spent(const struct plan_input *in)
{
    return ledger_launches_in_hour(&in->want->status.launch, in->now.wall_ms) >=
           in->config->max_launches_per_hour;
}

bool plan_budget_is_spent(const struct plan_input *in)
{
    return plan_own_budget_is_spent(in) || in->seen->fleet.is_spent;
}

/* Why another host is to take the place of the present one, or NULL. */
static const char *replacement(const struct plan_input *in)
{
    return plan_is_drifted(in) ? "Replaced" : health_repair(in);
}

bool plan_needs_preflight(const struct plan_input *in)
{
    return !in->want->is_deleting && (!observed_host(in->seen) || replacement(in));
}

/* No launch is under way, and one is wanted by the spec. A failing host that cannot be replaced serves on. */
static bool is_launch_ahead(const struct plan_input *in)
{
    enum attempt_state attempt = in->seen->attempt;
    bool is_idle = observed_host(in->seen) || attempt == ATTEMPT_NONE || attempt == ATTEMPT_DEAD;
    bool is_wanted = plan_wants_running(in) && (!observed_host(in->seen) || plan_is_drifted(in));
    return !in->want->is_deleting && is_wanted && is_idle;
}

bool plan_launch_is_refused(const struct plan_input *in)
{
    return is_launch_ahead(in) && in->seen->preflight.state == PREFLIGHT_REFUSED;
}

bool plan_launch_is_blocked(const struct plan_input *in)
{
    return is_launch_ahead(in) && in->seen->preflight.state == PREFLIGHT_BLOCKED;
}

/* Whether the next launch may be made, must be asked about, or waits. */
static enum preflight_gate look_at_gate(const struct plan_input *in, enum preflight_purpose purpose,
                                        int64_t *ret_wait_ms)
{
    const struct preflight_question question = {
        .purpose = purpose, .is_requested = plan_is_requested(in), .mono_ms = in->now.mono_ms};
    return preflight_gate(&in->seen->preflight, &question, ret_wait_ms);
}

/* One look-up a minute at most, so that two empty ones prove something. */
static struct plan look_up(const struct plan_input *in, int row)
{
    const struct lookups *lookups = &in->seen->memory->lookups;
    int64_t next_ms = lookups->last_ms + LOOK_UP_SPACING_MS;
    if (lookups->last_ms > 0 && lookups->empty_count > 0 && in->now.mono_ms < next_ms)
        return wait_for(row, next_ms - in->now.mono_ms);
    return act(row, PLAN_LOOK_UP, NULL, NULL);
}

/* 0: too little is known. Destruction on a store that heard nothing for 90 s is refused by the same row. */
static bool row_blind(const struct plan_input *in, struct plan *ret)
{
    const struct observed *seen = in->seen;
    if (seen->is_inventory_complete && seen->is_inventory_fresh && seen->is_store_fresh &&
        !seen->is_store_stale)
        return false;
    *ret = wait_for(0, LOOK_SOON_MS);
    ret->is_blind = true;
    return true;
}

static bool row_paused(const struct plan_input *in, struct plan *ret)
{
    *ret = wait_for(1, -1);
    return in->want->is_paused;
}

static struct plan release(const struct plan_input *in)
{
    if (in->want->finalizer_index < 0)
        return wait_for(2, -1);
    return act(2, PLAN_REMOVE_FINALIZER, NULL, NULL);
}

static struct plan delete_alive(const struct plan_input *in, const struct host *host)
{
    if (in->effective->deletion_policy != DELETION_RETAIN)
        return act(2, PLAN_TERMINATE, host, "Deleted");
    if (!host->is_retained)
        return act(2, PLAN_TAG_RETAINED, host, NULL);
    return release(in);
}

static bool row_deleting(const struct plan_input *in, struct plan *ret)
{
    if (!in->want->is_deleting)
        return false;
    const struct host *host = observed_host(in->seen);
    if (in->want->finalizer_index < 0)
        *ret = wait_for(2, -1);
    else if (!in->seen->is_owner) /* the id is another object's: nothing there is ours to end */
        *ret = release(in);
    else if (host)
        *ret = delete_alive(in, host);
    else if (in->seen->attempt == ATTEMPT_ENDING)
        *ret = wait_for(2, LOOK_STATE_MS);
    else if (in->seen->attempt == ATTEMPT_OPEN || in->seen->attempt == ATTEMPT_MISSING)
        *ret = look_up(in, 2);
    else
        *ret = release(in);
    return true;
}

static bool row_halted(const struct plan_input *in, struct plan *ret)
{
    if (!plan_is_halted(in) || !in->seen->is_owner)
        return false;
    const struct host *host = observed_host(in->seen);
    *ret = wait_for(3, -1);
    if (host && in->effective->attestation.on_rejected == ON_REJECTED_TERMINATE)
        *ret = act(3, PLAN_TERMINATE, host, "AttestationRejected");
    else if (host && host->state == HOST_RUNNING)
        *ret = act(3, PLAN_STOP, host, "AttestationRejected");
    return true;
}

static bool row_stalled(const struct plan_input *in, struct plan *ret)
{
    *ret = wait_for(3, in->seen->lacks_room ? ROOM_LOOK_MS : -1);
    return plan_problem(in) || plan_id_is_taken(in) || in->seen->lacks_room;
}

static bool row_finalizer(const struct plan_input *in, struct plan *ret)
{
    *ret = act(4, PLAN_ADD_FINALIZER, NULL, NULL);
    return in->want->finalizer_index < 0;
}

static bool token_is_ours(const struct ledger *ledger, const char *token)
{
    if (!token[0])
        return false;
    if (same(ledger->token, token))
        return true;
    for (size_t i = 0; i < ledger->history_count; i++)
        if (same(ledger->history[i].token, token))
            return true;
    return false;
}

static bool row_duplicates(const struct plan_input *in, struct plan *ret)
{
    for (size_t i = 1; i < in->seen->live_count; i++) {
        const struct host *host = &in->seen->hosts[i];
        if (same(host->cluster_id, in->config->cluster_id) &&
            token_is_ours(&in->want->status.launch, host->token) &&
            in->now.wall_ms - host->launch_ms > DUPLICATE_GRACE_MS) {
            *ret = act(5, PLAN_TERMINATE, host, "DuplicateInstance");
            return true;
        }
    }
    return false;
}

/* The call may be repeated under its token only while it would be the same call. */
static bool may_repeat(const struct plan_input *in)
{
    const struct ledger *ledger = &in->want->status.launch;
    return plan_wants_running(in) && same(ledger->hash, in->hash) && !in->seen->memory->is_token_spent &&
           in->now.wall_ms < ledger->started_ms + TOKEN_LIFE_MS;
}

static bool row_open_attempt(const struct plan_input *in, struct plan *ret)
{
    if (in->seen->attempt == ATTEMPT_MISSING) {
        *ret = look_up(in, 6);
        return true;
    }
    if (in->seen->attempt != ATTEMPT_OPEN)
        return false;
    *ret = may_repeat(in) ? act(6, PLAN_RUN, NULL, NULL) : look_up(in, 6);
    return true;
}

static bool row_identity(const struct plan_input *in, struct plan *ret)
{
    const struct host *host = observed_host(in->seen);
    if (!host || !identity_is_to_restore(in, host))
        return false;
    *ret = act(5, PLAN_RESTORE_IDENTITY, host, NULL);
    return true;
}

static bool row_stopped(const struct plan_input *in, struct plan *ret)
{
    const struct host *host = observed_host(in->seen);
    if (plan_wants_running(in))
        return false;
    int64_t wait_ms = -1;
    *ret = wait_for(7, -1);
    bool is_idle = in->seen->attempt == ATTEMPT_NONE || in->seen->attempt == ATTEMPT_DEAD;
    if (!host && is_idle) { /* what a launch would need is told before it is asked for */
        bool is_due = look_at_gate(in, PURPOSE_TELL, &wait_ms) == GATE_ASK;
        *ret = is_due ? act(7, PLAN_PREFLIGHT, NULL, NULL) : wait_for(7, wait_ms);
    }
    if (host && host->state == HOST_RUNNING)
        *ret = act(7, PLAN_STOP, host, "Stopped");
    else if (host && host->state != HOST_STOPPED)
        *ret = wait_for(7, LOOK_STATE_MS);
    return true;
}

/* Nothing is launched before two looks, a minute apart, found nobody to adopt. */
static bool row_adopt(const struct plan_input *in, struct plan *ret)
{
    if (!plan_adopts(in) || lookups_prove_absence(&in->seen->memory->lookups, ADOPTION_SUBJECT))
        return false;
    *ret = look_up(in, 8);
    if (ret->action == PLAN_LOOK_UP)
        ret->action = PLAN_FIND_ADOPTABLE;
    return true;
}

static struct plan launch_if_possible(const struct plan_input *in)
{
    int64_t wait_ms = -1;
    switch (look_at_gate(in, PURPOSE_LAUNCH, &wait_ms)) {
    case GATE_OPEN: return act(9, PLAN_RECORD_ATTEMPT, NULL, NULL);
    case GATE_ASK: return act(9, PLAN_PREFLIGHT, NULL, NULL);
    case GATE_SHUT: break;
    }
    return wait_for(9, wait_ms);
}

static bool row_launch(const struct plan_input *in, struct plan *ret)
{
    if (observed_host(in->seen))
        return false;
    const struct ledger *ledger = &in->want->status.launch;
    *ret = wait_for(9, LOOK_STATE_MS);
    if (in->seen->attempt == ATTEMPT_ENDING)
        return true;
    int64_t wait_ms = ledger_not_before_ms(ledger) - in->now.wall_ms;
    if (plan_budget_is_spent(in) || in->seen->fleet.is_full)
        *ret = wait_for(9, 60 * 1000);
    else if (wait_ms > 0 && !plan_is_requested(in))
        *ret = wait_for(9, wait_ms);
    else if (in->seen->capacity.is_all_short && !plan_is_requested(in))
        *ret = wait_for(9, in->seen->capacity.free_ms - in->now.mono_ms);
    else
        *ret = launch_if_possible(in);
    return true;
}

const char *plan_replacement_is_held(const struct plan_input *in)
{
    if (!replacement(in) || in->effective->update_strategy == UPDATE_ON_DELETE)
        return NULL;
    if (plan_budget_is_spent(in))
        return "when the budget of launches allows";
    return in->seen->capacity.is_all_short ? "when EC2 has capacity for its successor" : NULL;
}

/* The host is given up only for a launch that EC2 said it would make, and that may be made; meanwhile it is
 * looked after as before. */
static bool row_replace(const struct plan_input *in, struct plan *ret)
{
    const char *why = replacement(in);
    bool replaces = in->effective->update_strategy != UPDATE_ON_DELETE;
    bool is_repair = why && !plan_is_drifted(in);
    int64_t wait_ms = -1;
    if (!why || plan_replacement_is_held(in) || (is_repair && in->seen->fleet.is_repair_spent))
        return false;
    enum preflight_gate gate = look_at_gate(in, replaces ? PURPOSE_REPLACE : PURPOSE_TELL, &wait_ms);
    if (gate == GATE_SHUT || (gate == GATE_OPEN && !replaces))
        return false;
    *ret = gate == GATE_ASK ? act(10, PLAN_PREFLIGHT, NULL, NULL)
                            : act(10, PLAN_TERMINATE, observed_host(in->seen), why);
    ret->is_replacement = ret->action == PLAN_TERMINATE;
    ret->is_repair = is_repair && ret->is_replacement;
    return true;
}

bool plan_start_is_held(const struct plan_input *in)
{
    return in->now.mono_ms < in->seen->capacity.host_free_ms && !plan_is_requested(in);
}

static bool row_start(const struct plan_input *in, struct plan *ret)
{
    *ret = act(11, PLAN_START, observed_host(in->seen), NULL);
    if (plan_start_is_held(in))
        *ret = wait_for(11, in->seen->capacity.host_free_ms - in->now.mono_ms);
    return observed_host(in->seen)->state == HOST_STOPPED;
}

static bool row_moving(const struct plan_input *in, struct plan *ret)
{
    const struct host *host = observed_host(in->seen);
    if (host->state != HOST_PENDING && host->state != HOST_STOPPING)
        return false;
    int64_t limit_ms = (int64_t)in->effective->launch_seconds * 1000;
    *ret = wait_for(12, LOOK_STATE_MS);
    if (in->now.mono_ms - host->state_since_ms > limit_ms)
        *ret = act(12, PLAN_TERMINATE, host, "LaunchTimeout");
    return true;
}

/* 13 has no effect of its own: the host is kept and asked again at its turn (14), and the status says
 * BootTimeout. */
static bool row_attest(const struct plan_input *in, struct plan *ret)
{
    const struct host *host = observed_host(in->seen);
    if (in->effective->attestation.protocol == ATTEST_DISABLED)
        return false;
    if (!host->private_ip[0]) { /* EC2 may show it later */
        *ret = wait_for(14, LOOK_STATE_MS);
        return true;
    }
    const struct memory *memory = in->seen->memory;
    bool is_due = !plan_has_verdict(in) || plan_is_requested(in) ||
                  in->now.wall_ms >= in->want->status.attestation.next_ms;
    if (!is_due)
        return false;
    *ret = act(14, PLAN_ATTEST, host, NULL);
    bool is_backing_off = memory->fetch_launch_ms == host->launch_ms && !plan_is_requested(in);
    if (is_backing_off && in->now.mono_ms < memory->fetch_not_before_ms)
        *ret = wait_for(plan_is_boot_overdue(in) ? 13 : 14, memory->fetch_not_before_ms - in->now.mono_ms);
    return true;
}

static bool row_rejected(const struct plan_input *in, struct plan *ret)
{
    if (!plan_has_verdict(in) || !same(in->want->status.attestation.verdict, "Rejected"))
        return false;
    *ret = wait_for(15, in->want->status.attestation.next_ms - in->now.wall_ms);
    if (in->effective->attestation.on_rejected != ON_REJECTED_REPORT)
        *ret = act(15, PLAN_RECORD_HALT, NULL, NULL);
    return true;
}

static bool row_ready(const struct plan_input *in, struct plan *ret)
{
    const struct tee_attestation_status *verdict = &in->want->status.attestation;
    int64_t next_ms = verdict->next_ms;
    if (!plan_is_lapsed(in) && verdict->valid_until_ms < next_ms)
        next_ms = verdict->valid_until_ms;
    bool has_timer = plan_has_verdict(in) && next_ms > in->now.wall_ms;
    *ret = wait_for(16, has_timer ? next_ms - in->now.wall_ms : -1);
    return true;
}

static void look_within(struct plan *plan, int64_t ms)
{
    if (plan->look_again_ms < 0 || plan->look_again_ms > ms)
        plan->look_again_ms = ms;
}

/* A lapse is shown by a timer, whatever row answered. */
static void wake_for_lapse(const struct plan_input *in, struct plan *plan)
{
    int64_t left_ms = in->want->status.attestation.valid_until_ms - in->now.wall_ms;
    if (plan_has_verdict(in) && left_ms > 0)
        look_within(plan, left_ms);
}

/* A replacement that was held up is thought of again, whatever the host is asked meanwhile. */
static void wake_for_replacement(const struct plan_input *in, struct plan *plan)
{
    int64_t wait_ms = -1;
    if (plan->row <= 10 || !replacement(in))
        return;
    if (plan_replacement_is_held(in))
        look_within(plan, HELD_LOOK_MS);
    else if (look_at_gate(in, PURPOSE_REPLACE, &wait_ms) == GATE_SHUT && wait_ms >= 0)
        look_within(plan, wait_ms);
}

/* A failing host is thought of again when its time is up, or when there may be room in the budget. */
static void wake_for_repair(const struct plan_input *in, struct plan *plan)
{
    int64_t wait_ms = health_patience_ms(in);
    if (wait_ms < 0 && health_repair(in) && in->seen->fleet.is_repair_spent)
        wait_ms = REPAIR_LOOK_MS;
    if (wait_ms >= 0)
        look_within(plan, wait_ms);
}

struct plan plan_next(const struct plan_input *in)
{
    static bool (*const rows[])(const struct plan_input *, struct plan *) = {
        row_blind,      row_paused,       row_deleting, row_halted,  row_stalled,  row_finalizer,
        row_duplicates, row_open_attempt, row_identity, row_stopped, row_adopt,    row_launch,
        row_replace,    row_start,        row_moving,   row_attest,  row_rejected, row_ready,
    };
    struct plan plan = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i](in, &plan))
            break;
    wake_for_lapse(in, &plan);
    wake_for_replacement(in, &plan);
    wake_for_repair(in, &plan);
    return plan;
}
