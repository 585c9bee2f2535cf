/* A linked list under one mutex; the book belongs to the thread alone. */
#include "kube/event_queue.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static const struct log logger = LOG_ROOT("events");

enum { MAX_QUEUED = 1000, MAX_TRIES = 12, CALL_TIMEOUT_MS = 10000, MAX_BODY_BYTES = 16 * 1024 };

struct item {
    struct item *next;
    struct event event; /* its texts are owned */
    int64_t wall_ms;
};

struct event_queue {
    struct kube_client *client;
    struct event_source source;
    struct event_book book;
    struct stop stop;
    pthread_t thread;
    struct heartbeats *heartbeats;
    struct heartbeat *heartbeat; /* of the thread */
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    struct item *first, **last;
    size_t count;
    bool is_stopping;
    atomic_int_least64_t dropped;
};

static void item_free(struct item *item)
{
    const char *const texts[] = {item->event.api_version, item->event.kind, item->event.name_space,
                                 item->event.name,        item->event.uid,  item->event.reason,
                                 item->event.action,      item->event.note};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free((void *)texts[i]);
    free(item);
}

static struct item *item_new(const struct event *event)
{
    struct item *item = mem_calloc(1, sizeof(*item));
    item->wall_ms = clock_wall_ms(clock_real());
    item->event = (struct event){.api_version = mem_strdup(event->api_version),
                                 .kind = mem_strdup(event->kind),
                                 .name_space = mem_strdup(event->name_space),
                                 .name = mem_strdup(event->name),
                                 .uid = mem_strdup(event->uid),
                                 .reason = mem_strdup(event->reason),
                                 .action = mem_strdup(event->action),
                                 .note = mem_strdup(event->note),
                                 .is_warning = event->is_warning};
    return item;
}

void event_queue_emit(struct event_queue *queue, const struct event *event)
{
    LOCK_SCOPE(&queue->mutex);
    if (queue->count >= MAX_QUEUED || queue->is_stopping) {
        atomic_fetch_add(&queue->dropped, 1);
        return;
    }
    struct item *item = item_new(event);
    *queue->last = item;
    queue->last = &item->next;
    queue->count++;
    pthread_cond_signal(&queue->cond);
}

int64_t event_queue_get_dropped(struct event_queue *queue)
{
    return atomic_load(&queue->dropped);
}

/* Blocks; NULL when the queue stops. */
static struct item *take(struct event_queue *queue)
{
    LOCK_SCOPE(&queue->mutex);
    while (!queue->first && !queue->is_stopping)
        cond_wait(&queue->cond, &queue->mutex);
    if (queue->is_stopping)
        return NULL;
    struct item *item = queue->first;
    queue->first = item->next;
    if (!queue->first)
        queue->last = &queue->first;
    queue->count--;
    return item;
}

static int send_once(struct event_queue *queue, const struct item *item, const struct event_series *series,
                     bool is_repeat, struct error *err)
{
    static const struct kube_resource events = {"events.k8s.io", "v1", "events"};
    const char *name_space = item->event.name_space ? item->event.name_space : "default";
    CLEANUP(freep) char *path = kube_path(&events, name_space, is_repeat ? series->name : NULL);
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, MAX_BODY_BYTES);
    if (is_repeat)
        event_encode_series(series, &body);
    else
        event_encode(&item->event, &queue->source, series->name, item->wall_ms, &body);
    if (!buf_is_ok(&body))
        return error_set(err, ERROR_INVALID, "BodyTooLarge", "the event is too large");
    const struct kube_request request = {
        .method = is_repeat ? "PATCH" : "POST",
        .path = path,
        .content_type = is_repeat ? "application/merge-patch+json" : "application/json",
        .body = buf_text(&body),
        .body_len = body.len,
        .timeout_ms = CALL_TIMEOUT_MS,
        .stop = &queue->stop,
    };
    heartbeat_promise(queue->heartbeat, CALL_TIMEOUT_MS);
    return kube_perform(queue->client, &request, NULL, err);
}

static int send_event(struct event_queue *queue, const struct item *item, struct error *err)
{
    const struct event_series *series = NULL;
    enum event_verdict verdict = event_book_decide(&queue->book, &item->event, item->wall_ms, &series);
    if (verdict == EVENT_DROP)
        return error_set(err, ERROR_THROTTLED, "TooManyEvents", "too many events of one object");
    bool is_repeat = verdict == EVENT_REPEAT;
    for (int tries = 1; send_once(queue, item, series, is_repeat, err) < 0; tries++) {
        if (is_repeat && err->kind == ERROR_ABSENT) {
            is_repeat = false;
            continue;
        }
        bool may_pass = err->kind == ERROR_UNAVAILABLE || err->kind == ERROR_THROTTLED;
        int64_t wait_ms = event_get_retry_ms(err->retry_after_ms, item->wall_ms);
        heartbeat_promise(queue->heartbeat, wait_ms);
        if (!may_pass || tries >= MAX_TRIES || stop_wait(&queue->stop, wait_ms))
            return -1;
    }
    return 0;
}

static void *run(void *ctx)
{
    struct event_queue *queue = ctx;
    queue->heartbeat = heartbeat_join(queue->heartbeats, "events");
    for (struct item *item = take(queue); item; item = take(queue)) {
        struct error err = {0};
        if (send_event(queue, item, &err) < 0) {
            atomic_fetch_add(&queue->dropped, 1);
            log_debug(&logger, "Event was not sent", STR("reason", err.reason), STR("error", err.text));
        }
        item_free(item);
        heartbeat_rest(queue->heartbeat);
    }
    heartbeat_leave(queue->heartbeat);
    return NULL;
}

struct event_queue *event_queue_start(struct kube_client *client, const struct event_source *source,
                                      struct heartbeats *heartbeats)
{
    struct event_queue *queue = mem_calloc(1, sizeof(*queue));
    queue->client = client;
    queue->source = *source;
    queue->heartbeats = heartbeats;
    queue->last = &queue->first;
    event_book_init(&queue->book);
    stop_init(&queue->stop);
    mutex_init(&queue->mutex);
    cond_init(&queue->cond);
    queue->thread = thread_start("events", run, queue);
    return queue;
}

struct event_queue *event_queue_free(struct event_queue *queue)
{
    if (!queue)
        return NULL;
    {
        LOCK_SCOPE(&queue->mutex);
        queue->is_stopping = true;
        pthread_cond_signal(&queue->cond);
    }
    stop_request(&queue->stop);
    thread_join(queue->thread);
    while (queue->first) {
        struct item *item = queue->first;
        queue->first = item->next;
        item_free(item);
    }
    event_book_done(&queue->book);
    stop_done(&queue->stop);
    pthread_cond_destroy(&queue->cond);
    pthread_mutex_destroy(&queue->mutex);
    free(queue);
    return NULL;
}
