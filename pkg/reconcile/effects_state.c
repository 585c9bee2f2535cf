/* PLAN_START, PLAN_STOP and PLAN_TERMINATE, and what is remembered of them until it is seen. */
#include "reconcile/pass.h"

#include <stdio.h>
#include <string.h>

/* What EC2 refused stays shown while it is only asked for again. */
static void note_asked(struct pass *pass, const struct host *host, const char *event)
{
    struct host_change *change = &pass->memory->change;
    const char *action = plan_action_names[pass->plan.action];
    if (strcmp(change->id, host->id) != 0 || strcmp(change->action, action) != 0)
        *change = (struct host_change){0};
    snprintf(change->id, sizeof(change->id), "%s", host->id);
    snprintf(change->action, sizeof(change->action), "%s", action);
    snprintf(change->event, sizeof(change->event), "%s", event);
    change->from = host->state;
}

/* Not for now but until somebody does something: a protected instance, a missing right, an instance that
 * cannot be stopped. It is asked for again, slowly, whatever the kind of the refusal. */
static void note_refused(struct pass *pass, struct error *err)
{
    struct host_change *change = &pass->memory->change;
    if (err->kind != ERROR_DENIED && err->kind != ERROR_INVALID && err->kind != ERROR_QUOTA)
        return;
    change->refusal = err->kind;
    snprintf(change->error, sizeof(change->error), "%.*s", (int)sizeof(change->error) - 1, err->text);
    err->kind = ERROR_DENIED;
}

void pass_tell_change(struct pass *pass)
{
    struct host_change *change = &pass->memory->change;
    const struct host *host = observed_find(&pass->seen, change->id);
    if (!change->id[0] || (host && host->state == change->from))
        return;
    const struct object_event event = {
        .type = "Normal",
        .reason = change->event,
        .action = change->action,
        .note = arena_printf(&pass->arena, "%s: instance %s", change->event, change->id)};
    pass->options->ports->emit_event(pass->options->ports->ctx, pass->want, &event);
    *change = (struct host_change){0};
    pass->memory->start_error[0] = '\0';
}

/* Start, stop and terminate have one shape. */
static int change_state(struct pass *pass, int (*call)(void *, const char *, struct error *),
                        const char *event, struct error *err)
{
    const struct host host = *pass->plan.host; /* pass->seen changes below */
    if (pass_check_fence(pass, err) < 0)
        return -1;
    pass_await(pass, host.id);
    int result = call(pass->options->ports->ctx, host.id, err);
    if (result < 0)
        inventory_await_no_more(pass->options->inventory, host.id);
    if (result < 0 && err->kind == ERROR_ABSENT) { /* the next look finds out by look-ups */
        pass->memory->found.id[0] = '\0';
        return 0;
    }
    note_asked(pass, &host, event);
    if (result < 0) {
        note_refused(pass, err);
        return error_wrap(err, "%s of %s", plan_action_names[pass->plan.action], host.id);
    }
    log_info(&pass->log, "Instance state change was asked for", STR("instance", host.id),
             STR("action", plan_action_names[pass->plan.action]), STR("why", pass->plan.why));
    return 0;
}

/* EC2 has no room where the host lies: asked for again when that is forgotten, and not by others either. */
static int start_is_short(struct pass *pass, const struct host *host, struct error *err)
{
    struct memory *memory = pass->memory;
    capacity_note(pass->capacity, host->type, host->subnet_id, pass->now.mono_ms);
    snprintf(memory->start_error, sizeof(memory->start_error), "%.*s", (int)sizeof(memory->start_error) - 1,
             err->text);
    pass->plan.look_again_ms = CAPACITY_SHORT_MS;
    pass_event(pass, "Warning", "CapacityShort", err->text);
    error_clear(err);
    return 0;
}

int effect_start(struct pass *pass, struct error *err)
{
    const struct host host = *pass->plan.host;
    /* A new boot is another enclave, even if EC2 were to show the old launch time for a while. */
    pass->next.status.launch.policy_hash = NULL;
    if (change_state(pass, pass->options->ports->start_host, "Started", err) == 0)
        return 0;
    return err->kind == ERROR_CAPACITY ? start_is_short(pass, &host, err) : -1;
}

int effect_stop(struct pass *pass, struct error *err)
{
    return change_state(pass, pass->options->ports->stop_host, "Stopped", err);
}

/* Its successor has a place before it goes; what did not happen is not counted. */
static int replace(struct pass *pass, struct error *err)
{
    const char *id = pass->want->deployment_id;
    if (!fleet_admit_successor(pass->fleet, id, pass->now) ||
        (pass->plan.is_repair && !fleet_admit_repair(pass->fleet, id, pass->now))) {
        fleet_release(pass->fleet, id);
        pass->wait_ms = PASS_WAIT_MS; /* others were quicker; the next pass sees and says it */
        return 0;
    }
    int result = change_state(pass, pass->options->ports->terminate_host, "Replaced", err);
    if (result < 0 && err->kind != ERROR_THROTTLED) {
        fleet_release(pass->fleet, id);
        fleet_release_repair(pass->fleet, id);
    }
    return result;
}

int effect_terminate(struct pass *pass, struct error *err)
{
    bool is_duplicate = strcmp(pass->plan.why, "DuplicateInstance") == 0;
    if (pass->plan.is_replacement)
        return replace(pass, err);
    return change_state(pass, pass->options->ports->terminate_host,
                        is_duplicate ? "DuplicateInstance" : "Terminated", err);
}
