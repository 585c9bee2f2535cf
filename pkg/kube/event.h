/* event: Kubernetes Events as text, and which of them are worth sending. PURE.
 *
 * Model: an event is encoded as events.k8s.io/v1. A book remembers what was sent: an event with the same key
 * (object, type, reason, action; not the note) within 6 min of the last one becomes a series, that is a patch
 * of the count instead of a new object; and each object has a bucket of 25 events, refilled by one every 300
 * s; what it has no room for is counted, and dropped. Threads: none; a book has one user.   Ownership: texts
 * are borrowed; the book copies keys. Limits: note 1024 bytes, reason and action 128, cut at a character's
 * border; 4096 keys and as many objects, past which those that were not seen for the longest time are
 * forgotten.   Errors: cannot fail. */
#ifndef TEE_KUBE_EVENT_H
#define TEE_KUBE_EVENT_H

#include "base/buf.h"
#include "base/hmap.h"

#include <stdbool.h>
#include <stdint.h>

struct event {
    const char *api_version; /* of the object it is about, as the next four */
    const char *kind;
    const char *name_space; /* NULL for a cluster-scoped object: the event goes to "default" */
    const char *name;
    const char *uid;
    const char *reason; /* CamelCase, for machines */
    const char *action; /* CamelCase: what was done or tried */
    const char *note;   /* for people */
    bool is_warning;
};

struct event_source {
    const char *controller; /* "tee.dev/controller" */
    const char *instance;   /* identity of this process */
};

/* What is known of one key. */
struct event_series {
    char *name; /* of the Event object */
    int64_t count;
    int64_t last_ms; /* wall clock */
    bool is_created; /* the Event object was asked for */
};

enum event_verdict { EVENT_DROP, EVENT_CREATE, EVENT_REPEAT };

struct event_book {
    struct hmap series;
    struct hmap buckets;
    uint64_t series_begun; /* tells names of the same millisecond apart */
};

void event_book_init(struct event_book *book);
void event_book_done(struct event_book *book);
/* CREATE names the object anew, REPEAT counts; *ret_series stays valid until the next call. */
enum event_verdict event_book_decide(struct event_book *book, const struct event *event, int64_t wall_ms,
                                     const struct event_series **ret_series);
void event_encode(const struct event *event, const struct event_source *source, const char *name,
                  int64_t wall_ms, struct buf *out);
/* The merge patch of a repeat. */
void event_encode_series(const struct event_series *series, struct buf *out);
/* Until the same event is tried again after a failure: 10 to 12.5 s, or as long as the server asked for. */
int64_t event_get_retry_ms(int64_t retry_after_ms, int64_t wall_ms);
/* Length of the longest prefix of text that is at most max bytes and ends at a character's border. */
size_t utf8_cut(const char *text, size_t max);

#endif
