/* See health.h. */
#include "reconcile/health.h"

#include "base/clock.h"

static const struct host *failing_host(const struct plan_input *in)
{
    const struct host *host = observed_host(in->seen);
    bool is_failing = host && host->state == HOST_RUNNING && host->health.ailment != HOST_WELL;
    return is_failing && in->seen->is_health_fresh ? host : NULL;
}

const char *health_problem(const struct plan_input *in)
{
    const struct host *host = failing_host(in);
    if (!host)
        return NULL;
    return host->health.ailment == HOST_RETIRING ? "RetirementScheduled" : "Impaired";
}

static bool is_replaced(const struct plan_input *in)
{
    return in->effective->update_strategy != UPDATE_ON_DELETE;
}

const char *health_repair(const struct plan_input *in)
{
    return is_replaced(in) && failing_host(in) && health_patience_ms(in) < 0 ? health_problem(in) : NULL;
}

int64_t health_patience_ms(const struct plan_input *in)
{
    const struct host *host = failing_host(in);
    if (!host || !is_replaced(in))
        return -1;
    int64_t left_ms = host->health.since_ms + HEALTH_PATIENCE_MS - in->now.mono_ms;
    return left_ms > 0 ? left_ms : -1;
}

/* It changes when what is done changes, not with the time: each text is a write of the status. */
static const char *what_is_done(const struct plan_input *in, const struct host *host, struct arena *arena)
{
    char at[TIME_TEXT_SIZE];
    time_format(host->health.since_wall_ms + HEALTH_PATIENCE_MS, at);
    if (!is_replaced(in))
        return "updateStrategy OnDelete leaves the replacement to you";
    if (health_patience_ms(in) >= 0)
        return arena_printf(arena, "it is replaced if EC2 still says so at %s", at);
    if (in->seen->fleet.is_repair_spent)
        return "it is replaced when fewer others were within the last 15 minutes";
    const char *held = plan_replacement_is_held(in);
    return held ? arena_printf(arena, "it is replaced %s", held) : "it is replaced";
}

const char *health_text(const struct plan_input *in, struct arena *arena)
{
    const struct host *host = observed_host(in->seen);
    char at[TIME_TEXT_SIZE];
    const char *done = what_is_done(in, host, arena);
    time_format(host->health.ailment == HOST_RETIRING ? host->health.event_ms : host->health.since_wall_ms,
                at);
    if (host->health.ailment == HOST_RETIRING)
        return arena_printf(arena, "Instance %s is running, and EC2 will stop or retire it from %s on; %s",
                            host->id, at, done);
    return arena_printf(arena,
                        "Instance %s is running, and EC2's status checks of it fail, seen since %s; %s",
                        host->id, at, done);
}
