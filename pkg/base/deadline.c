/* See deadline.h. */
#include "base/deadline.h"

#include <assert.h>
#include <stddef.h>

static _Thread_local struct {
    const struct clock *clock; /* NULL: none */
    int64_t until_ms;          /* monotonic */
} deadline;

void deadline_begin(const struct clock *clock, int64_t within_ms)
{
    assert(!deadline.clock);
    deadline.clock = clock;
    deadline.until_ms = clock_mono_ms(clock) + within_ms;
}

void deadline_end(void)
{
    deadline.clock = NULL;
}

int64_t deadline_cap_ms(int64_t timeout_ms)
{
    if (!deadline.clock)
        return timeout_ms;
    int64_t left_ms = deadline.until_ms - clock_mono_ms(deadline.clock);
    if (left_ms > timeout_ms)
        return timeout_ms;
    return left_ms > 0 ? left_ms : 1;
}
