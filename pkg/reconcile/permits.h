/* permits: how many hosts are asked for their document at the same time, and who is next.
 *
 * Model: a fixed number of permits. Hosts that did not answer last time share a few of them, so that a
 * thousand dead hosts, each held until its time-out, leave the rest to the living. Whoever gets none comes
 * back after a delay; meanwhile the most urgent of those who were refused are remembered, and a permit goes
 * to nobody else while one of them may still come back for it. Urgent is whose verdict lapses first. Time is
 * the caller's. Threads: any; one mutex. Ownership: keys are copied.   Limits: PERMITS_WAITING_MAX are
 * remembered; a host that failed is forgotten after two hours. Errors: none; false = not now. */
#ifndef TEE_RECONCILE_PERMITS_H
#define TEE_RECONCILE_PERMITS_H

#include <stdbool.h>
#include <stdint.h>

enum { PERMITS_WAITING_MAX = 16, PERMITS_SOON_MS = 1000, PERMITS_LATER_MS = 5000 };

struct permits;

struct permits_ask {
    const char *key;
    int64_t lapse_ms; /* wall time at which what is known of it stops being true */
    int64_t now_ms;   /* monotonic */
};

/* failing_count of the count permits may be with hosts that failed before. */
struct permits *permits_new(int count, int failing_count);
struct permits *permits_free(struct permits *permits);
/* With false, *ret_retry_ms is when to ask again. */
bool permits_take(struct permits *permits, const struct permits_ask *ask, int64_t *ret_retry_ms);
void permits_return(struct permits *permits, const char *key, bool has_failed, int64_t now_ms);

#endif
