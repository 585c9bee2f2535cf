/* watch: the list-then-watch protocol as a state machine. PURE.
 *
 * Model: watch_next() says which request to make and when; the owner makes it and reports what came back:
 * pages, lines, the end of a stream, failures. A cold start is a consistent read, without resourceVersion. If
 * `streams`, it is a watch that begins with every object and says by a marked bookmark that this was all
 * (Kubernetes' "Streaming lists"; KEP-3157); else, or where the server knows no such thing, a list in pages
 * of 500. A server that refuses the stream, or sends no mark in time, is listed from then on; one that lags
 * behind is listed at once, and one that breaks it off the third time. What was listed leads to a watch from
 * its resourceVersion; a watch that ends is resumed from the last version seen, without a list. "Expired"
 * (HTTP 410 or an ERROR event, also where the server lags behind the asked version) leads to a new consistent
 * list at once, the first time; an expired continue token to one list without pages. Busy or unreachable
 * servers never cause a list. Invariant: the resource version never moves to one whose event the owner has
 * not been given.
 *
 * state      next request                              leaves to
 * EMPTY      list, from the last version if there is   STREAMING, PAGING, LISTED, EXPIRED
 *            one
 * STREAMING  the same (what it brought was not all)    WATCHING, EMPTY, EXPIRED
 * PAGING     the next page                             PAGING, LISTED, EXPIRED
 * LISTED     watch                                     WATCHING, EMPTY, EXPIRED
 * WATCHING   watch                                     WATCHING, EMPTY, EXPIRED
 * EXPIRED    list without version                      STREAMING, PAGING, LISTED
 *
 * Threads: none. Ownership: the struct owns its texts.   Limits: version 63 bytes.   Errors: see
 * watch_on_line. */
#ifndef TEE_KUBE_WATCH_H
#define TEE_KUBE_WATCH_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "kube/json_scan.h"
#include "kube/status.h"

enum { WATCH_VERSION_SIZE = 64, WATCH_PAGE_LIMIT = 500 };
enum watch_state { WATCH_EMPTY, WATCH_STREAMING, WATCH_PAGING, WATCH_LISTED, WATCH_WATCHING, WATCH_EXPIRED };
enum watch_event_type { WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED, WATCH_BOOKMARK, WATCH_ERROR };

struct watch {
    enum watch_state state;
    char resource_version[WATCH_VERSION_SIZE]; /* "" = none */
    char *continue_token;
    bool streams;        /* set after watch_init(): lists may be streams */
    int stream_failures; /* in a row */
    int64_t stream_ms;   /* when the present one was begun */
    bool full_list;      /* the next list is asked for without pages */
    bool is_unordered;   /* ADDED events of this watch come in no order of versions */
    int expired_count;   /* in a row, without a live watch between */
    int failures;        /* exponent of the back-off */
    int64_t failed_ms;   /* monotonic time of the last failure */
    int64_t broken_ms;   /* of the first 5xx ERROR event in a row; 0 = none */
    int64_t delay_ms;    /* before the next request */
    int64_t backoff_ms;  /* the first delay after a failure: 800 */
    uint64_t random;
};

struct watch_request {
    bool is_watch;
    bool is_new_list; /* a list begins: the first page, or a stream */
    int64_t delay_ms;
    int64_t timeout_s; /* of a watch: what the server was asked for */
};

struct watch_event {
    enum watch_event_type type;
    struct json_span object; /* borrowed from the line */
    bool is_list_end;        /* of a BOOKMARK: all that there is was streamed */
};

void watch_init(struct watch *watch, uint64_t seed);
void watch_done(struct watch *watch);
/* Appends the query, "limit=500" and so on, and says the rest. */
void watch_next(struct watch *watch, int64_t now_ms, struct buf *query, struct watch_request *ret_request);
/* One page is complete. Both texts may be NULL or "". */
void watch_on_page(struct watch *watch, const char *resource_version, const char *continue_token);
/* -1: the line is no event that we know. It is then not to be trusted that nothing was lost, and the next
 * request is a list. The event of an ERROR line has been dealt with; the stream is to be closed. */
int watch_on_line(struct watch *watch, struct json_span line, int64_t now_ms, struct watch_event *ret_event);
/* The stream ended in the regular way. */
void watch_on_end(struct watch *watch, int64_t now_ms, int64_t lasted_ms, int64_t line_count);
/* A request failed, or a stream broke off: code 0. */
void watch_on_failure(struct watch *watch, int64_t now_ms, const struct kube_status *status);

#endif
