/* See workers.h. */
#include "reconcile/workers.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

/* PASS_MAX_MS: what a pass takes at most, by far: its time, and credentials that a program brings. */
enum { GATE_MS = 200, PASS_MAX_MS = 180 * 1000 };

struct workers {
    struct workers_options options;
    struct stop stop;
    pthread_t threads[WORKERS_MAX];
};

void workers_hand_back(struct workqueue *queue, const char *key, const struct outcome *outcome,
                       int64_t now_ms)
{
    switch (outcome->kind) {
    case OUTCOME_DONE: workqueue_forget(queue, key); break;
    case OUTCOME_TERMINAL:
    case OUTCOME_REQUEUE:
        workqueue_forget(queue, key);
        workqueue_add_at(queue, key, now_ms + outcome->delay_ms);
        break;
    case OUTCOME_WAIT: workqueue_add_at(queue, key, now_ms + outcome->delay_ms); break;
    case OUTCOME_BACK_OFF: workqueue_back_off(queue, key, outcome->generation, outcome->delay_ms); break;
    }
    workqueue_done(queue, key);
}

static void work(struct workers *workers, const char *key)
{
    const struct workers_options *options = &workers->options;
    int64_t start_ms = clock_mono_ms(options->clock);
    struct outcome outcome = reconciler_pass(options->reconciler, key);
    int64_t end_ms = clock_mono_ms(options->clock);
    options->observe(options->ctx, key, &outcome, end_ms - start_ms);
    workers_hand_back(options->queue, key, &outcome, end_ms);
}

/* The next key, or NULL when stopped. */
static char *take_key(struct workers *workers)
{
    while (!workers->options.may_work(workers->options.ctx))
        if (stop_wait(&workers->stop, GATE_MS))
            return NULL;
    return workqueue_get(workers->options.queue);
}

static void *worker_run(void *ctx)
{
    struct workers *workers = ctx;
    struct heartbeat *heartbeat = heartbeat_join(workers->options.heartbeats, "worker");
    for (char *key = take_key(workers); key; key = take_key(workers)) {
        heartbeat_promise(heartbeat, PASS_MAX_MS);
        work(workers, key);
        free(key);
        heartbeat_rest(heartbeat);
    }
    heartbeat_leave(heartbeat);
    return NULL;
}

struct workers *workers_start(const struct workers_options *options)
{
    assert(options->count > 0 && options->count <= WORKERS_MAX);
    struct workers *workers = mem_calloc(1, sizeof(*workers));
    workers->options = *options;
    stop_init(&workers->stop);
    for (int i = 0; i < options->count; i++)
        workers->threads[i] = thread_start("worker", worker_run, workers);
    return workers;
}

struct workers *workers_free(struct workers *workers)
{
    if (!workers)
        return NULL;
    stop_request(&workers->stop);
    for (int i = 0; i < workers->options.count; i++)
        thread_join(workers->threads[i]);
    stop_done(&workers->stop);
    free(workers);
    return NULL;
}
