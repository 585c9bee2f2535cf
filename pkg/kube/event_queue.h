/* event_queue: sends Events from a thread of its own.
 *
 * Model: emitting copies the event into a bounded queue and returns; the thread asks the book (event.h) and
 * sends. Events are a courtesy: when the queue is full, or the server refuses one, it is dropped and counted.
 * A server that is busy or unreachable is tried again, 12 times at most, about 10 s apart or as it asks. A
 * repeat whose Event object is gone is sent as a new one. Threads: emit and the count from any.   Ownership:
 * the client and the source's texts are borrowed. Limits: 1000 events.   Errors: none are told. */
#ifndef TEE_KUBE_EVENT_QUEUE_H
#define TEE_KUBE_EVENT_QUEUE_H

#include "base/heartbeat.h"
#include "kube/client.h"
#include "kube/event.h"

struct event_queue;

/* heartbeats may be NULL. */
struct event_queue *event_queue_start(struct kube_client *client, const struct event_source *source,
                                      struct heartbeats *heartbeats);
/* What is still queued is dropped. */
struct event_queue *event_queue_free(struct event_queue *queue);
void event_queue_emit(struct event_queue *queue, const struct event *event);
int64_t event_queue_get_dropped(struct event_queue *queue);

#endif
