/* heartbeat: which of the process's threads is stuck.
 *
 * Model: a thread that lives long joins under a name and promises, before each step, within what time it will
 * promise again: what the step may take at most by its own deadlines, and a margin. One that waits for others
 * to bring it work rests, which promises nothing. Whoever is past its promise is silent: it hangs in a call
 * that has no end or on a lock that nobody gives back, and only another process helps. Threads: any; no lock
 * is taken.   Ownership: names are constants of the program; the clock is borrowed. Limits: 320 threads.
 * Errors: cannot fail; without heartbeats (NULL) all calls do nothing. */
#ifndef TEE_BASE_HEARTBEAT_H
#define TEE_BASE_HEARTBEAT_H

#include "base/clock.h"

enum { HEARTBEATS_MAX = 320, HEARTBEAT_MARGIN_MS = 120 * 1000 };

struct heartbeats;
struct heartbeat;

struct heartbeats *heartbeats_new(const struct clock *clock);
/* No thread may be left in it. */
struct heartbeats *heartbeats_free(struct heartbeats *heartbeats);
struct heartbeat *heartbeat_join(struct heartbeats *heartbeats, const char *name);
void heartbeat_leave(struct heartbeat *heartbeat);
/* The step that begins now takes at most step_ms; the margin is added here. */
void heartbeat_promise(struct heartbeat *heartbeat, int64_t step_ms);
void heartbeat_rest(struct heartbeat *heartbeat);
/* The name of the one that is silent longest, or NULL. *ret_late_ms: since when it should have been heard. */
const char *heartbeats_find_silent(struct heartbeats *heartbeats, int64_t *ret_late_ms);

#endif
