/* All reactions to trouble go through react(); all waiting is decided in back_off() and pause_as_told(). */
#include "kube/watch.h"

#include "base/mem.h"
#include "base/url.h"

#include <inttypes.h>
#include <string.h>

enum {
    BACKOFF_MS = 800,
    BACKOFF_CAP_MS = 30000,
    BACKOFF_FORGET_MS = 120000,
    SHORT_WATCH_MS = 1000,
    BROKEN_WATCH_MS = 30000,
    WATCH_MIN_S = 300,
    WATCH_SPREAD_S = 300,
    STREAM_TRIES = 3,
    STREAM_MS = 60000 /* until the mark */
};

void watch_init(struct watch *watch, uint64_t seed)
{
    *watch = (struct watch){.random = seed, .backoff_ms = BACKOFF_MS};
}

void watch_done(struct watch *watch)
{
    free(watch->continue_token);
    watch->continue_token = NULL;
}

/* SplitMix64: jitter needs no more. */
static uint64_t next_random(struct watch *watch)
{
    uint64_t z = watch->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int64_t random_below(struct watch *watch, int64_t bound)
{
    return (int64_t)(next_random(watch) % (uint64_t)bound);
}

static bool has_version(const struct watch *watch)
{
    return *watch->resource_version && strcmp(watch->resource_version, "0") != 0;
}

static void put_list_query(const struct watch *watch, struct buf *query)
{
    if (watch->state == WATCH_PAGING) {
        buf_printf(query, "limit=%d&continue=", WATCH_PAGE_LIMIT);
        url_put_encoded(query, watch->continue_token);
    } else if (watch->state == WATCH_EMPTY && has_version(watch)) {
        buf_puts(query, "resourceVersionMatch=NotOlderThan&resourceVersion=");
        url_put_encoded(query, watch->resource_version);
    } else if (!watch->full_list) {
        buf_printf(query, "limit=%d", WATCH_PAGE_LIMIT);
    }
}

static bool is_listing(const struct watch *watch)
{
    return watch->state != WATCH_LISTED && watch->state != WATCH_WATCHING;
}

static bool may_stream(const struct watch *watch)
{
    return watch->streams && watch->stream_failures < STREAM_TRIES && !watch->full_list;
}

void watch_next(struct watch *watch, int64_t now_ms, struct buf *query, struct watch_request *ret_request)
{
    bool is_new_list = is_listing(watch) && watch->state != WATCH_PAGING;
    bool is_stream = is_new_list && may_stream(watch);
    *ret_request = (struct watch_request){.delay_ms = watch->delay_ms, .is_new_list = is_new_list};
    watch->delay_ms = 0;
    if (is_listing(watch) && !is_stream) {
        if (watch->state == WATCH_STREAMING)
            watch->state = WATCH_EMPTY;
        put_list_query(watch, query);
        return;
    }
    ret_request->is_watch = true;
    ret_request->timeout_s = WATCH_MIN_S + random_below(watch, WATCH_SPREAD_S);
    watch->is_unordered = !has_version(watch);
    buf_puts(query, "watch=true&allowWatchBookmarks=true&");
    if (is_stream) {
        watch->state = WATCH_STREAMING;
        watch->stream_ms = now_ms + ret_request->delay_ms;
        buf_puts(query, "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&");
    }
    buf_printf(query, "timeoutSeconds=%" PRId64 "&resourceVersion=", ret_request->timeout_s);
    if (!is_stream || has_version(watch))
        url_put_encoded(query, watch->resource_version);
}

static void set_continue(struct watch *watch, const char *token)
{
    free(watch->continue_token);
    watch->continue_token = token && *token ? mem_strdup(token) : NULL;
}

static void set_version(struct watch *watch, const char *version)
{
    snprintf(watch->resource_version, sizeof(watch->resource_version), "%s", version ? version : "");
}

void watch_on_page(struct watch *watch, const char *resource_version, const char *continue_token)
{
    set_continue(watch, continue_token);
    watch->state = watch->continue_token ? WATCH_PAGING : WATCH_LISTED;
    if (watch->state == WATCH_PAGING)
        return;
    watch->full_list = false;
    watch->stream_failures = 0;
    set_version(watch, resource_version);
}

static void back_off(struct watch *watch, int64_t now_ms, int64_t retry_after_ms)
{
    if (now_ms - watch->failed_ms > BACKOFF_FORGET_MS)
        watch->failures = 0;
    int64_t delay_ms = watch->backoff_ms << (watch->failures < 6 ? watch->failures : 6);
    if (delay_ms > BACKOFF_CAP_MS)
        delay_ms = BACKOFF_CAP_MS;
    delay_ms += random_below(watch, delay_ms);
    watch->failures++;
    watch->failed_ms = now_ms;
    watch->delay_ms = delay_ms > retry_after_ms ? delay_ms : retry_after_ms;
}

/* The server says when: many such answers do not make the pause longer, so that its end is seen. */
static void pause_as_told(struct watch *watch, int64_t retry_after_ms)
{
    watch->delay_ms = retry_after_ms + random_below(watch, watch->backoff_ms);
}

/* To a list that asks for no version: at once the first time, later with a pause, so that a server that
 * always says "expired" is not flooded with lists. */
static void expire(struct watch *watch, int64_t now_ms, const struct kube_status *status)
{
    watch->full_list = watch->state == WATCH_PAGING;
    watch->state = WATCH_EXPIRED;
    set_continue(watch, NULL);
    set_version(watch, NULL);
    if (watch->expired_count++ > 0)
        back_off(watch, now_ms, status->retry_after_ms);
}

/* Trouble that passes by itself, and where the versions that we hold stay good. */
static bool is_passing(int code)
{
    return code == 0 || code == 401 || code == 403 || code == 408 || code == 429 || code >= 500;
}

/* The stream brought no mark. Refused, or silent for too long: pages from now on, and at once. */
static bool give_up_stream(struct watch *watch, int64_t now_ms, const struct kube_status *status)
{
    bool is_refused = !is_passing(status->code) && status->code != 404;
    bool is_silent = now_ms - watch->stream_ms >= STREAM_MS;
    watch->state = WATCH_EMPTY;
    watch->stream_failures++;
    if (is_refused || is_silent)
        watch->streams = false;
    return is_refused || is_silent || watch->stream_failures == STREAM_TRIES;
}

static void react(struct watch *watch, int64_t now_ms, const struct kube_status *status)
{
    /* A server whose watch cache lags behind etcd refuses streams for as long as it does; of a list it waits
     * for its cache as well, and then asks etcd. */
    if (watch->state == WATCH_STREAMING && status->is_version_too_large && !has_version(watch))
        watch->stream_failures = STREAM_TRIES;
    if (kube_status_is_expired(status) || status->is_version_too_large) {
        expire(watch, now_ms, status);
        return;
    }
    if (watch->state == WATCH_STREAMING && give_up_stream(watch, now_ms, status))
        return;
    if (!is_passing(status->code)) {
        if (watch->state == WATCH_PAGING)
            set_continue(watch, NULL);
        watch->state = watch->state == WATCH_EXPIRED ? WATCH_EXPIRED : WATCH_EMPTY;
    }
    if (status->code == 429 && status->retry_after_ms > 0)
        pause_as_told(watch, status->retry_after_ms);
    else
        back_off(watch, now_ms, status->retry_after_ms);
}

void watch_on_failure(struct watch *watch, int64_t now_ms, const struct kube_status *status)
{
    react(watch, now_ms, status);
}

/* An ERROR event. Internal errors are retried at the same version, but not for ever. */
static void on_error_event(struct watch *watch, struct json_span object, int64_t now_ms)
{
    struct kube_status status;
    kube_status_decode(0, object.text, object.len, &status);
    if (status.code == 0)
        status.code = 400;
    if (watch->state == WATCH_STREAMING) {
        /* An etcd that cannot tell how far it is has the server say so here: pages, and at once. */
        if (status.code != 429)
            watch->stream_failures = STREAM_TRIES - 1;
    } else if (status.code < 500) {
        watch->broken_ms = 0;
    } else if (watch->broken_ms == 0) {
        watch->broken_ms = now_ms;
    } else if (now_ms - watch->broken_ms > BROKEN_WATCH_MS) {
        watch->broken_ms = 0;
        watch->state = WATCH_EMPTY;
    }
    react(watch, now_ms, &status);
}

/* KEP-3157: the bookmark behind the last of the initial events carries this annotation. */
static bool has_end_mark(struct json_span object)
{
    static const char *const path[] = {"metadata", "annotations", "k8s.io/initial-events-end", NULL};
    return json_span_is(json_find(object, path), "true");
}

static int get_type(struct json_span type)
{
    static const char *const names[] = {[WATCH_ADDED] = "ADDED",
                                        [WATCH_MODIFIED] = "MODIFIED",
                                        [WATCH_DELETED] = "DELETED",
                                        [WATCH_BOOKMARK] = "BOOKMARK",
                                        [WATCH_ERROR] = "ERROR"};
    for (int i = 0; i < (int)ARRAY_LEN(names); i++)
        if (json_span_is(type, names[i]))
            return i;
    return -1;
}

static int fail_line(struct watch *watch, int64_t now_ms)
{
    watch->stream_failures += watch->state == WATCH_STREAMING;
    watch->state = WATCH_EMPTY;
    back_off(watch, now_ms, 0);
    return -1;
}

/* Before the mark: what was given so far is not all that there is up to any version. -1: a server that has no
 * such thing as a mark. */
static int take_unmarked(struct watch *watch, int64_t now_ms, enum watch_event_type type)
{
    if (type != WATCH_BOOKMARK || now_ms - watch->stream_ms < STREAM_MS)
        return 0;
    watch->streams = false;
    watch->state = WATCH_EMPTY;
    return -1;
}

int watch_on_line(struct watch *watch, struct json_span line, int64_t now_ms, struct watch_event *ret_event)
{
    int type = get_type(json_find(line, (const char *[]){"type", NULL}));
    struct json_span object = json_find(line, (const char *[]){"object", NULL});
    char version[WATCH_VERSION_SIZE];
    if (type < 0 || !object.text)
        return fail_line(watch, now_ms);
    *ret_event = (struct watch_event){.type = (enum watch_event_type)type, .object = object};
    if (type == WATCH_ERROR) {
        on_error_event(watch, object, now_ms);
        return 0;
    }
    struct json_span span = json_find(object, (const char *[]){"metadata", "resourceVersion", NULL});
    if (json_span_copy(span, version, sizeof(version)) < 0 || !*version)
        return fail_line(watch, now_ms);
    watch->broken_ms = 0;
    if (watch->state == WATCH_STREAMING) {
        ret_event->is_list_end = type == WATCH_BOOKMARK && has_end_mark(object);
        if (!ret_event->is_list_end)
            return take_unmarked(watch, now_ms, ret_event->type);
    }
    watch->state = WATCH_WATCHING;
    watch->expired_count = 0;
    watch->stream_failures = 0;
    if (type != WATCH_ADDED)
        watch->is_unordered = false;
    if (!watch->is_unordered)
        set_version(watch, version);
    return 0;
}

void watch_on_end(struct watch *watch, int64_t now_ms, int64_t lasted_ms, int64_t line_count)
{
    if (watch->state == WATCH_STREAMING) {
        react(watch, now_ms, &(struct kube_status){0});
        return;
    }
    if (lasted_ms < SHORT_WATCH_MS && line_count == 0) {
        back_off(watch, now_ms, 0);
        return;
    }
    watch->expired_count = 0;
}
