/* workers: N threads that take keys from the queue and run passes.
 *
 * Model: a worker waits until it may work (the lease), takes a key, runs one pass and hands the key back with
 * what the outcome says. The queue sees to it that no key is with two workers. Threads: start and stop from
 * one.   Ownership: the options are borrowed and outlive the workers. Limits: 256 workers.   Errors: cannot
 * fail. */
#ifndef TEE_RECONCILE_WORKERS_H
#define TEE_RECONCILE_WORKERS_H

#include "base/heartbeat.h"
#include "base/thread.h"
#include "reconcile/reconciler.h"
#include "reconcile/workqueue.h"

enum { WORKERS_MAX = 256 };

struct workers;

struct workers_options {
    struct workqueue *queue;
    struct reconciler *reconciler;
    const struct clock *clock;
    int count;
    bool (*may_work)(void *ctx);
    /* After each pass, from the worker's thread; for log and metrics. */
    void (*observe)(void *ctx, const char *key, const struct outcome *outcome, int64_t duration_ms);
    void *ctx;
    struct heartbeats *heartbeats; /* may be NULL */
};

struct workers *workers_start(const struct workers_options *options);
/* Lets running passes end, joins, frees. The queue must be stopped first. */
struct workers *workers_free(struct workers *workers);
/* Gives a key back to the queue with what its pass's outcome asks for; now_ms is monotonic. */
void workers_hand_back(struct workqueue *queue, const char *key, const struct outcome *outcome,
                       int64_t now_ms);

#endif
