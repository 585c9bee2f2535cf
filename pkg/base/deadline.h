/* deadline: by when the present work of a thread is to be done.
 *
 * Model: whoever begins a piece of work gives it an end; whoever makes a call within it, in whatever module,
 * bounds the call by what is left. It belongs to the thread, because what lies between the two neither waits
 * nor cares. One piece of work at a time; a thread without one is not bounded. Threads: each its own.
 * Ownership: the clock is borrowed until the end.   Limits: none.   Errors: cannot fail. */
#ifndef TEE_BASE_DEADLINE_H
#define TEE_BASE_DEADLINE_H

#include "base/clock.h"

void deadline_begin(const struct clock *clock, int64_t within_ms);
void deadline_end(void);
/* timeout_ms, or what is left if that is less; 1 when nothing is, so that the call fails at once. */
int64_t deadline_cap_ms(int64_t timeout_ms);

#endif
