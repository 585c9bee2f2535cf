/* workqueue: decides which key is worked on next.
 *
 * Model: client-go's three sets in one entry per key: queued, dirty, processing. A key that is added while a
 * worker has it is only marked, and is queued again when the worker is done; so no key is ever with two
 * workers, and any number of events become one pass. A key can wait for a time; the earliest wish wins. Two
 * classes: urgent (a user's change) before background (resync, first list), and a background key that waited
 * 100 s is served as if it were urgent, so that neither starves (controller-runtime has the two 100 apart,
 * and a key ages by one a second). Threads: every call from any; workqueue_get() blocks. Ownership: keys are
 * copied in; _get returns a copy that the caller frees after workqueue_done().   Limits: memory.   Errors:
 * cannot fail. */
#ifndef TEE_RECONCILE_WORKQUEUE_H
#define TEE_RECONCILE_WORKQUEUE_H

#include "base/clock.h"
#include "base/flight.h"

#include <stdbool.h>
#include <stddef.h>

enum work_class { WORK_URGENT, WORK_BACKGROUND };
enum { WORK_CLASSES = 2 };

struct workqueue;

struct workqueue_counts {
    size_t ready[WORK_CLASSES];
    size_t delayed;
    size_t processing;
    int64_t adds;          /* times a key became ready, or dirty while a worker had it: client-go's */
    int64_t retries;       /* adds with a delay */
    int64_t unfinished_ms; /* of all keys that workers have, together */
    int64_t longest_ms;    /* of the one that a worker has had longest */
};

struct workqueue *workqueue_new(const struct clock *clock);
/* Adds and starts are recorded from now on; before threads start. */
void workqueue_set_flight(struct workqueue *queue, struct flight *flight);
struct workqueue *workqueue_free(struct workqueue *queue);
void workqueue_add(struct workqueue *queue, const char *key, enum work_class class);
/* Not before the monotonic time. */
void workqueue_add_at(struct workqueue *queue, const char *key, int64_t mono_ms);
/* Blocks until a key is ready; NULL after workqueue_stop(). */
char *workqueue_get(struct workqueue *queue);
/* NULL if none is ready now. */
char *workqueue_try_get(struct workqueue *queue);
/* Of a key that a worker has: how long it was ready before. */
int64_t workqueue_waited_ms(struct workqueue *queue, const char *key);
void workqueue_done(struct workqueue *queue, const char *key);
/* The pass of a worker that has the key failed: queues it for 5 ms * 2^n from now, at most 1000 s
 * (client-go's numbers), and not before at_least_ms are over. n are the failures in a row of that generation
 * of the spec; a pass that an event started before the time for which the key was queued is none of them, and
 * leaves the time as it was. */
void workqueue_back_off(struct workqueue *queue, const char *key, int64_t generation, int64_t at_least_ms);
/* Failures so far no longer count. */
void workqueue_forget(struct workqueue *queue, const char *key);
/* Monotonic time of the earliest delayed key, -1 = none. */
int64_t workqueue_next_ms(struct workqueue *queue);
void workqueue_stop(struct workqueue *queue);
struct workqueue_counts workqueue_get_counts(struct workqueue *queue);

#endif
