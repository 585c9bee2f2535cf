/* watcher: the thread that keeps its owner up to date on one resource.
 *
 * Model: drives the machine of watch.h over HTTP. The owner gets, always from this one thread: begin_list;
 * then every listed object as ADDED (of a stream, perhaps events in between); end_list; then the events of
 * the watch. A list that fails in the middle begins again with another begin_list. Invariant: an object that
 * the owner has and that was given neither in a finished list nor by an event since is gone; so removal of
 * what was not seen belongs into end_list, and there only if `is_complete`: each item of the list was known
 * to be this or that object. An object past the size limit is known by its name, wherever in its text that
 * stands, and costs no other anything. 70 s without a byte on a watch (bookmarks come every 60 s) end it, and
 * it is resumed without a list. Threads: start and free from one; counts from any. Callbacks must not block
 * for long and not call back. Ownership: client and path are borrowed, texts in callbacks too.   Limits:
 * json_scan.h's. Errors: none is final; each is told through `failed` and retried. */
#ifndef TEE_KUBE_WATCHER_H
#define TEE_KUBE_WATCHER_H

#include "base/heartbeat.h"
#include "kube/client.h"
#include "kube/object_identity.h"
#include "kube/watch.h"

struct watcher_owner {
    void *ctx;
    void (*begin_list)(void *ctx);
    /* False: nobody can tell which object this is. */
    bool (*object)(void *ctx, enum watch_event_type type, const char *json, size_t len);
    /* An object of `len` bytes was skipped; identity is NULL if it has no name. */
    void (*oversized)(void *ctx, enum watch_event_type type, const struct object_identity *identity,
                      size_t len);
    void (*end_list)(void *ctx, const char *resource_version, bool is_complete);
    void (*bookmark)(void *ctx, const char *resource_version);
    /* The server was heard at this monotonic time, and everything it said before was handed on. */
    void (*fresh)(void *ctx, int64_t mono_ms);
    /* A request failed; err is borrowed. */
    void (*failed)(void *ctx, const struct error *err);
};

struct watcher_options {
    struct kube_client *client;
    const char *path;     /* of the collection, kube_path() */
    const char *selector; /* label selector, or NULL */
    bool streams;         /* lists may be streams, see watch.h */
    struct watcher_owner owner;
    int64_t idle_timeout_ms;       /* 0 = 70 s */
    int64_t backoff_ms;            /* the first delay after a failure; 0 = 800 ms */
    uint64_t seed;                 /* of the jitter */
    struct heartbeats *heartbeats; /* may be NULL */
};

struct watcher_counts {
    int64_t lists;
    int64_t watches;
    int64_t events;
    int64_t failures;
    int64_t oversized;
};

struct watcher;

struct watcher *watcher_start(const struct watcher_options *options);
/* Ends the request in flight and joins the thread. */
struct watcher *watcher_free(struct watcher *watcher);
struct watcher_counts watcher_get_counts(struct watcher *watcher);

#endif
