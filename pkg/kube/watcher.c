/* One loop: ask the machine, perform, report. Bodies are never collected: the scanners take them from the
 * transfer's own chunks. */
#include "kube/watcher.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/url.h"

#include <string.h>

static const struct log logger = LOG_ROOT("watch");

enum {
    IDLE_TIMEOUT_MS = 70000,
    LIST_TIMEOUT_MS = 600000,
    LIST_IDLE_TIMEOUT_MS = 60000,
    WATCH_GRACE_MS = 30000
};
#define MAX_LIST_BYTES   ((size_t)4 << 30)
#define MAX_STREAM_BYTES (SIZE_MAX / 2)

struct watcher {
    struct watcher_options options;
    char *selector; /* encoded, or NULL */
    struct watch watch;
    struct stop stop;
    pthread_t thread;
    struct heartbeat *heartbeat;
    struct line_scan lines;
    struct list_scan list;
    struct identity_scan skipped; /* of what is too large for the scanners to keep */
    bool is_list_complete;        /* of the present list, all pages */
    bool has_ended;               /* the stream brought an ERROR event or nonsense and is to be closed */
    atomic_int_least64_t list_count, watch_count, event_count, failure_count, oversized_count;
};

static int64_t now_mono_ms(void)
{
    return clock_mono_ms(clock_real());
}

static void tell_fresh(const struct watcher *watcher)
{
    watcher->options.owner.fresh(watcher->options.owner.ctx, now_mono_ms());
}

/* Within what time there is another piece of the answer, or its end. */
static void promise_piece(const struct watcher *watcher)
{
    int64_t idle_ms = watcher->options.idle_timeout_ms;
    heartbeat_promise(watcher->heartbeat, idle_ms ? idle_ms : IDLE_TIMEOUT_MS);
}

static void report_failure(struct watcher *watcher, const struct kube_status *status, const struct error *err)
{
    if (stop_is_requested(&watcher->stop))
        return;
    atomic_fetch_add(&watcher->failure_count, 1);
    log_debug(&logger, "Watch request failed", STR("reason", err->reason), STR("error", err->text));
    watcher->options.owner.failed(watcher->options.owner.ctx, err);
    watch_on_failure(&watcher->watch, now_mono_ms(), status);
}

static void hand_on(struct watcher *watcher, enum watch_event_type type, struct json_span object)
{
    const struct watcher_owner *owner = &watcher->options.owner;
    if (!owner->object(owner->ctx, type, object.text, object.len))
        watcher->is_list_complete = false; /* if this is a list */
}

static void end_skipped(struct watcher *watcher, enum watch_event_type type)
{
    const struct watcher_owner *owner = &watcher->options.owner;
    struct object_identity identity;
    bool is_known = identity_scan_finish(&watcher->skipped, &identity);
    owner->oversized(owner->ctx, type, is_known ? &identity : NULL, watcher->skipped.len);
    if (!is_known)
        watcher->is_list_complete = false;
    identity_scan_init(&watcher->skipped, watcher->skipped.is_event);
}

static int on_item(void *ctx, const char *text, size_t len, struct error *err)
{
    struct watcher *watcher = ctx;
    (void)err;
    atomic_fetch_add(&watcher->event_count, 1);
    hand_on(watcher, WATCH_ADDED, (struct json_span){text, len});
    return 0;
}

static int on_oversized_item(void *ctx, const char *text, size_t len, struct error *err)
{
    struct watcher *watcher = ctx;
    (void)err;
    if (len > 0)
        identity_scan_feed(&watcher->skipped, text, len);
    else
        end_skipped(watcher, WATCH_ADDED);
    return 0;
}

static int feed_list(void *ctx, const char *data, size_t len, struct error *err)
{
    struct watcher *watcher = ctx;
    promise_piece(watcher);
    return list_scan_feed(&watcher->list, data, len, err);
}

static int request_page(struct watcher *watcher, const char *path, struct kube_status *ret_status,
                        struct error *err)
{
    const struct kube_request request = {
        .method = "GET",
        .path = path,
        .timeout_ms = LIST_TIMEOUT_MS,
        .idle_timeout_ms = LIST_IDLE_TIMEOUT_MS,
        .max_body_bytes = MAX_LIST_BYTES,
        .accept_gzip = true,
        .sink = feed_list,
        .sink_ctx = watcher,
        .stop = &watcher->stop,
        .ret_status = ret_status,
    };
    heartbeat_promise(watcher->heartbeat, request.timeout_ms);
    if (kube_perform(watcher->options.client, &request, NULL, err) < 0)
        return -1;
    return list_scan_finish(&watcher->list, err);
}

static void begin_list(struct watcher *watcher)
{
    atomic_fetch_add(&watcher->list_count, 1);
    watcher->is_list_complete = true;
    watcher->options.owner.begin_list(watcher->options.owner.ctx);
}

static void end_list(struct watcher *watcher)
{
    const struct watcher_owner *owner = &watcher->options.owner;
    owner->end_list(owner->ctx, watcher->watch.resource_version, watcher->is_list_complete);
}

static void run_page(struct watcher *watcher, const char *path)
{
    struct kube_status status = {0};
    struct error err = {0};
    list_scan_init(&watcher->list, on_item, watcher);
    watcher->list.sink.oversized = on_oversized_item;
    identity_scan_init(&watcher->skipped, false);
    if (request_page(watcher, path, &status, &err) < 0) {
        report_failure(watcher, &status, &err);
    } else {
        atomic_fetch_add(&watcher->oversized_count, watcher->list.sink.oversized_count);
        watch_on_page(&watcher->watch, buf_text(&watcher->list.resource_version),
                      buf_text(&watcher->list.continue_token));
        if (watcher->watch.state == WATCH_LISTED) {
            end_list(watcher);
            tell_fresh(watcher);
        }
    }
    list_scan_done(&watcher->list);
}

static int on_line(void *ctx, const char *text, size_t len, struct error *err)
{
    struct watcher *watcher = ctx;
    const struct watcher_owner *owner = &watcher->options.owner;
    struct watch_event event = {0};
    int64_t now_ms = now_mono_ms();
    if (watch_on_line(&watcher->watch, (struct json_span){text, len}, now_ms, &event) < 0) {
        watcher->has_ended = true;
        return error_set(err, ERROR_UNAVAILABLE, "MalformedEvent", "a watch event was not understood");
    }
    if (event.type == WATCH_ERROR) {
        struct kube_status status;
        kube_status_decode(0, event.object.text, event.object.len, &status);
        watcher->has_ended = true;
        return kube_status_to_error(&status, err);
    }
    atomic_fetch_add(&watcher->event_count, 1);
    if (event.is_list_end)
        end_list(watcher);
    else if (event.type == WATCH_BOOKMARK)
        owner->bookmark(owner->ctx, watcher->watch.resource_version);
    else
        hand_on(watcher, event.type, event.object);
    return 0;
}

static int on_oversized_line(void *ctx, const char *text, size_t len, struct error *err)
{
    struct watcher *watcher = ctx;
    bool is_deleted = strcmp(watcher->skipped.type, "DELETED") == 0;
    (void)err;
    if (len > 0)
        identity_scan_feed(&watcher->skipped, text, len);
    else
        end_skipped(watcher, is_deleted ? WATCH_DELETED : WATCH_MODIFIED);
    return 0;
}

static int feed_stream(void *ctx, const char *data, size_t len, struct error *err)
{
    struct watcher *watcher = ctx;
    promise_piece(watcher);
    if (line_scan_feed(&watcher->lines, data, len, err) < 0)
        return -1;
    if (watcher->watch.state != WATCH_STREAMING) /* until the mark something may be missing */
        tell_fresh(watcher);
    return 0;
}

static void end_stream(struct watcher *watcher, int64_t start_ms, const struct kube_status *status,
                       const struct error *err)
{
    int64_t now_ms = now_mono_ms();
    if (watcher->has_ended) {
        /* The machine has dealt with it. */
        atomic_fetch_add(&watcher->failure_count, 1);
        watcher->options.owner.failed(watcher->options.owner.ctx, err);
    } else if (err->kind != ERROR_NONE) {
        report_failure(watcher, status, err);
    } else {
        watch_on_end(&watcher->watch, now_ms, now_ms - start_ms, watcher->lines.sink.count);
    }
}

static void run_stream(struct watcher *watcher, const char *path, int64_t timeout_s)
{
    struct kube_status status = {0};
    struct error err = {0};
    int64_t idle_ms = watcher->options.idle_timeout_ms;
    const struct kube_request request = {
        .method = "GET",
        .path = path,
        .timeout_ms = timeout_s * 1000 + WATCH_GRACE_MS,
        .idle_timeout_ms = idle_ms ? idle_ms : IDLE_TIMEOUT_MS,
        .max_body_bytes = MAX_STREAM_BYTES,
        .sink = feed_stream,
        .sink_ctx = watcher,
        .stop = &watcher->stop,
        .ret_status = &status,
    };
    int64_t start_ms = now_mono_ms();
    heartbeat_promise(watcher->heartbeat, request.timeout_ms);
    atomic_fetch_add(&watcher->watch_count, 1);
    watcher->has_ended = false;
    line_scan_init(&watcher->lines, on_line, watcher);
    watcher->lines.sink.oversized = on_oversized_line;
    identity_scan_init(&watcher->skipped, true);
    if (kube_perform(watcher->options.client, &request, NULL, &err) == 0)
        error_clear(&err);
    atomic_fetch_add(&watcher->oversized_count, watcher->lines.sink.oversized_count);
    end_stream(watcher, start_ms, &status, &err);
    line_scan_done(&watcher->lines);
}

static void *run(void *ctx)
{
    struct watcher *watcher = ctx;
    watcher->heartbeat = heartbeat_join(watcher->options.heartbeats, "watcher");
    while (!stop_is_requested(&watcher->stop)) {
        CLEANUP(buf_done) struct buf path;
        struct watch_request request;
        buf_init(&path, 64 * 1024);
        buf_printf(&path, "%s?", watcher->options.path);
        if (watcher->selector)
            buf_printf(&path, "labelSelector=%s&", watcher->selector);
        watch_next(&watcher->watch, now_mono_ms(), &path, &request);
        heartbeat_promise(watcher->heartbeat, request.delay_ms);
        if (request.delay_ms > 0 && stop_wait(&watcher->stop, request.delay_ms))
            break;
        if (request.is_new_list)
            begin_list(watcher);
        if (request.is_watch)
            run_stream(watcher, buf_text(&path), request.timeout_s);
        else
            run_page(watcher, buf_text(&path));
    }
    heartbeat_leave(watcher->heartbeat);
    return NULL;
}

static char *encode_selector(const char *selector)
{
    struct buf out;
    buf_init(&out, 16 * 1024);
    url_put_encoded(&out, selector);
    return buf_steal(&out);
}

struct watcher *watcher_start(const struct watcher_options *options)
{
    struct watcher *watcher = mem_calloc(1, sizeof(*watcher));
    watcher->options = *options;
    if (options->selector && *options->selector)
        watcher->selector = encode_selector(options->selector);
    watch_init(&watcher->watch, options->seed);
    watcher->watch.streams = options->streams;
    if (options->backoff_ms > 0)
        watcher->watch.backoff_ms = options->backoff_ms;
    stop_init(&watcher->stop);
    watcher->thread = thread_start("watcher", run, watcher);
    return watcher;
}

struct watcher *watcher_free(struct watcher *watcher)
{
    if (!watcher)
        return NULL;
    stop_request(&watcher->stop);
    thread_join(watcher->thread);
    stop_done(&watcher->stop);
    watch_done(&watcher->watch);
    free(watcher->selector);
    free(watcher);
    return NULL;
}

struct watcher_counts watcher_get_counts(struct watcher *watcher)
{
    return (struct watcher_counts){
        .lists = atomic_load(&watcher->list_count),
        .watches = atomic_load(&watcher->watch_count),
        .events = atomic_load(&watcher->event_count),
        .failures = atomic_load(&watcher->failure_count),
        .oversized = atomic_load(&watcher->oversized_count),
    };
}
