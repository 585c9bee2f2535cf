/* A watch stream in chunks (the first byte is their size; an odd one: a streamed list) through the state
 * machine: whatever a server sends, there is a next request. Each line is also read as a Status and as a
 * Lease. */
#include "base/mem.h"
#include "kube/lease.h"
#include "kube/watch.h"

#include <stdlib.h>

enum { NOW_MS = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const char *text, size_t len)
{
    CLEANUP(lease_record_done) struct lease_record record = {0};
    struct kube_status status;
    struct error err;
    kube_status_decode(0, text, len, &status);
    kube_status_to_error(&status, &err);
    if (lease_decode(text, len, &record, &err) == 0 && (!record.holder || !record.metadata))
        abort();
}

static void ask_next(struct watch *watch)
{
    CLEANUP(buf_done) struct buf query;
    struct watch_request request;
    buf_init(&query, 1 << 20);
    watch_next(watch, NOW_MS, &query, &request);
    if (request.delay_ms < 0 || !buf_is_ok(&query))
        abort();
}

static int on_line(void *ctx, const char *text, size_t len, struct error *err)
{
    struct watch *watch = ctx;
    struct watch_event event;
    (void)err;
    decode(text, len);
    if (watch_on_line(watch, (struct json_span){text, len}, NOW_MS, &event) == 0 &&
        (event.object.text < text || event.object.text + event.object.len > text + len))
        abort();
    ask_next(watch);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    CLEANUP(watch_done) struct watch watch;
    CLEANUP(line_scan_done) struct line_scan scan;
    struct error err;
    watch_init(&watch, 1);
    watch.streams = data[0] % 2 == 1;
    if (watch.streams)
        ask_next(&watch);
    else
        watch_on_page(&watch, "5", NULL);
    line_scan_init(&scan, on_line, &watch);
    size_t chunk = data[0] ? data[0] : 1;
    for (size_t at = 1; at < size; at += chunk) {
        size_t len = size - at < chunk ? size - at : chunk;
        CLEANUP(freep) char *copy = mem_dup(data + at, len);
        if (line_scan_feed(&scan, copy, len, &err) < 0)
            abort();
    }
    return 0;
}
