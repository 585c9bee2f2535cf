/* See outcome.h. */
#include "reconcile/outcome.h"

struct outcome outcome_done(void)
{
    return (struct outcome){.kind = OUTCOME_DONE};
}

struct outcome outcome_requeue(int64_t delay_ms)
{
    return (struct outcome){.kind = OUTCOME_REQUEUE, .delay_ms = delay_ms};
}

struct outcome outcome_wait(int64_t delay_ms)
{
    return (struct outcome){.kind = OUTCOME_WAIT, .delay_ms = delay_ms};
}

struct outcome outcome_from_error(const struct error *err)
{
    struct outcome outcome = {.kind = OUTCOME_BACK_OFF, .delay_ms = err->retry_after_ms, .error = *err};
    switch (err->kind) {
    case ERROR_CONFLICT:
    case ERROR_ABSENT: /* gone between two looks: the next look sees it */ outcome.is_quiet = true; break;
    case ERROR_STOPPED:
        outcome.is_quiet = true;
        outcome.kind = OUTCOME_WAIT;
        outcome.delay_ms = 1000;
        break;
    case ERROR_INVALID: outcome.kind = OUTCOME_TERMINAL; break;
    case ERROR_DENIED:
    case ERROR_QUOTA: outcome.delay_ms = outcome.delay_ms > 60000 ? outcome.delay_ms : 60000; break;
    case ERROR_THROTTLED: /* with a time: there is room then, and no reason to wait longer each round */
        if (outcome.delay_ms > 0) {
            outcome.is_quiet = true;
            outcome.kind = OUTCOME_WAIT;
        }
        break;
    case ERROR_NONE:
    case ERROR_UNAVAILABLE:
    case ERROR_CAPACITY:
    case ERROR_UNTRUSTED:
    case ERROR_KIND_COUNT: break;
    }
    return outcome;
}
