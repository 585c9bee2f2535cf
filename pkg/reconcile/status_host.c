/* The condition HostLaunched: what EC2 has, or why there is nothing. */
#include "base/clock.h"
#include "reconcile/health.h"
#include "reconcile/ledger.h"
#include "reconcile/observe.h"
#include "reconcile/status_parts.h"

const struct ledger_past *status_last_attempt(const struct builder *builder)
{
    const struct ledger *ledger = &builder->in->want->status.launch;
    return ledger->history_count > 0 ? &ledger->history[ledger->history_count - 1] : NULL;
}

/* Ports are opened on the host by us and in its security group by its owner: people forget the second. */
static const char *running_text(const struct builder *builder, const char *text)
{
    const struct tee_spec *spec = &builder->in->want->spec;
    if (spec->port_count == 0)
        return text;
    const char *list = "";
    for (size_t i = 0; i < spec->port_count; i++)
        list = arena_printf(builder->arena, "%s%s%d", list, i > 0 ? ", " : "", spec->ports[i].port);
    return arena_printf(builder->arena, "%s; its security groups must admit TCP %s", text, list);
}

/* A stopped host that should run, and that EC2 has no room for, as it said of this one or of another. */
static struct verdict start_is_short(const struct builder *builder)
{
    const struct plan_input *in = builder->in;
    const struct host *host = builder->host;
    const char *error = in->seen->memory->start_error;
    char at[TIME_TEXT_SIZE];
    time_format(in->now.wall_ms + in->seen->capacity.host_free_ms - in->now.mono_ms, at);
    if (!error[0])
        error = arena_printf(builder->arena, "EC2 had no capacity for %s in %s", host->type, host->subnet_id);
    return (struct verdict){"False", "InsufficientCapacity",
                            arena_printf(builder->arena,
                                         "Instance %s cannot be started: %s; next attempt at %s", host->id,
                                         error, at)};
}

static struct verdict host_by_state(const struct builder *builder)
{
    const struct host *host = builder->host;
    const char *text =
        arena_printf(builder->arena, "Instance %s is %s", host->id, host_state_names[host->state]);
    if (host->state == HOST_STOPPED && plan_wants_running(builder->in) && plan_start_is_held(builder->in))
        return start_is_short(builder);
    const char *problem = health_problem(builder->in);
    if (problem)
        return (struct verdict){"True", problem, health_text(builder->in, builder->arena)};
    switch (host->state) {
    case HOST_RUNNING: return (struct verdict){"True", "Running", running_text(builder, text)};
    case HOST_PENDING: return (struct verdict){"False", "Pending", text};
    case HOST_STOPPING: return (struct verdict){"False", "Stopping", text};
    case HOST_STOPPED: return (struct verdict){"False", "Stopped", text};
    case HOST_SHUTTING_DOWN:
    case HOST_TERMINATED: break;
    }
    return (struct verdict){"False", "HostLost", text};
}

/* No instance, and the last attempt failed or its instance is gone. */
static struct verdict host_after_end(const struct builder *builder, const struct ledger_past *last)
{
    char at[TIME_TEXT_SIZE];
    const struct capacity_view *capacity = &builder->in->seen->capacity;
    int64_t wall_ms = builder->in->now.wall_ms;
    int64_t next_ms = ledger_not_before_ms(&builder->in->want->status.launch);
    int64_t room_ms = capacity->is_all_short ? wall_ms + capacity->free_ms - builder->in->now.mono_ms : 0;
    next_ms = room_ms > next_ms ? room_ms : next_ms;
    time_format(next_ms > 0 ? next_ms : wall_ms, at);
    if (last->instance_id)
        return (struct verdict){
            "False", "HostLost",
            arena_printf(builder->arena, "Instance %s is gone (%s%s%s); a new one is launched",
                         last->instance_id, last->result ? last->result : "unknown",
                         last->reason ? ", EC2 says " : "", last->reason ? last->reason : "")};
    return (struct verdict){"False", last->result ? last->result : "LaunchFailed",
                            arena_printf(builder->arena, "%s; next attempt at %s",
                                         last->reason ? last->reason : "The launch failed", at)};
}

/* How the last launches ended, the newest first: why the budget is spent. */
static const char *last_causes(const struct builder *builder)
{
    enum { CAUSES_MAX = 5 };
    const struct ledger *ledger = &builder->in->want->status.launch;
    const char *text = "";
    for (size_t i = 0; i < ledger->history_count && i < CAUSES_MAX; i++) {
        const struct ledger_past *past = &ledger->history[ledger->history_count - 1 - i];
        bool has_code = past->instance_id && past->reason;
        text = arena_printf(builder->arena, "%s%s%d: %s%s%s", text, i > 0 ? ", " : "", past->attempt,
                            past->result ? past->result : "unknown", has_code ? " " : "",
                            has_code ? past->reason : "");
    }
    return text;
}

static const char *budget_text(const struct builder *builder)
{
    const struct plan_input *in = builder->in;
    bool is_own = plan_own_budget_is_spent(in);
    char at[TIME_TEXT_SIZE];
    time_format(is_own ? ledger_budget_frees_ms(&in->want->status.launch, in->now.wall_ms)
                       : in->seen->fleet.next_launch_ms,
                at);
    if (!is_own)
        return arena_printf(
            builder->arena,
            "%d launches of all objects within the last hour (--max-launches-per-hour-total); "
            "next launch not before %s",
            in->seen->fleet.launches_in_hour, at);
    return arena_printf(
        builder->arena,
        "%d launches within the last hour (--max-launches-per-hour); next launch not before %s; "
        "how the last ended: %s",
        ledger_launches_in_hour(&in->want->status.launch, in->now.wall_ms), at, last_causes(builder));
}

/* What other objects were told a moment ago. */
static struct verdict no_capacity(const struct builder *builder)
{
    const struct plan_input *in = builder->in;
    char at[TIME_TEXT_SIZE];
    time_format(in->now.wall_ms + in->seen->capacity.free_ms - in->now.mono_ms, at);
    return (struct verdict){
        "False", "InsufficientCapacity",
        arena_printf(builder->arena, "EC2 had no capacity for %s in any of the subnets; next attempt at %s",
                     in->effective->instance.instance_type, at)};
}

/* Why there is no next one says more than that there was one. */
static bool is_host_lost(const struct plan_input *in)
{
    bool is_held = plan_wants_running(in) && plan_budget_is_spent(in);
    return in->want->status.launch.instance_id && !is_held;
}

/* Throttles and outages are told when they last (api.md, kinds of failure). */
static const char *launching_text(const struct builder *builder)
{
    enum { PATIENCE_MS = 2 * 60 * 1000 };
    const struct plan_input *in = builder->in;
    const char *error = in->seen->memory->launch_error;
    if (!error[0] || in->now.wall_ms - in->want->status.launch.started_ms < PATIENCE_MS)
        return "The launch was asked for; no answer is known yet";
    return arena_printf(builder->arena,
                        "The launch was asked for, and is asked for again; the last answer: %s", error);
}

/* EC2's code is why, as far as anybody can tell: Client.InternalError is often a key that it may not use. */
static const char *end_text(const struct builder *builder)
{
    const struct plan_input *in = builder->in;
    const struct host *host = observed_find(in->seen, in->want->status.launch.instance_id);
    if (!host || !host->state_reason[0])
        return "The instance was terminated";
    return arena_printf(builder->arena, "The instance was terminated; EC2 says %s", host->state_reason);
}

struct verdict status_host_launched(const struct builder *builder)
{
    const struct plan_input *in = builder->in;
    const struct ledger_past *last = status_last_attempt(builder);
    if (builder->host)
        return host_by_state(builder);
    switch (in->seen->attempt) {
    case ATTEMPT_OPEN: return (struct verdict){"Unknown", "Launching", launching_text(builder)};
    case ATTEMPT_MISSING:
        return (struct verdict){"Unknown", "Missing",
                                "EC2 does not list the instance; it is looked up before it counts as gone"};
    case ATTEMPT_ENDING: return (struct verdict){"False", "HostLost", "The instance is shutting down"};
    case ATTEMPT_DEAD:
        if (is_host_lost(in))
            return (struct verdict){"False", "HostLost", end_text(builder)};
        break;
    case ATTEMPT_NONE:
    case ATTEMPT_LIVE: break;
    }
    if (!plan_wants_running(in))
        return (struct verdict){"False", "Stopped", "Nothing is launched while desiredState is Stopped"};
    if (plan_budget_is_spent(in))
        return (struct verdict){"False", "LaunchBudgetExhausted", budget_text(builder)};
    if (in->seen->fleet.is_full)
        return (struct verdict){
            "False", "QuotaExceeded",
            arena_printf(builder->arena,
                         "%d instances run, and --max-instances allows %d; nothing is launched",
                         in->seen->fleet.instances, in->config->max_instances)};
    if (last)
        return host_after_end(builder, last);
    if (in->seen->capacity.is_all_short)
        return no_capacity(builder);
    return (struct verdict){"False", "Pending", "No instance was launched yet"};
}
