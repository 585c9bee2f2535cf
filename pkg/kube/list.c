/* A scanner for each page; the continue token is the only thing that is kept between two. */
#include "kube/list.h"

#include "base/mem.h"
#include "base/url.h"

#include <stdlib.h>

enum { PAGE_LIMIT = 500, PAGE_TIMEOUT_MS = 120 * 1000, PAGE_IDLE_TIMEOUT_MS = 30 * 1000 };
#define MAX_PAGE_BYTES ((size_t)1 << 30)

static int feed(void *ctx, const char *data, size_t len, struct error *err)
{
    return list_scan_feed(ctx, data, len, err);
}

static int fetch_page(struct kube_client *client, const char *path, struct stop *stop, struct list_scan *scan,
                      struct error *err)
{
    const struct kube_request request = {.method = "GET",
                                         .path = path,
                                         .timeout_ms = PAGE_TIMEOUT_MS,
                                         .idle_timeout_ms = PAGE_IDLE_TIMEOUT_MS,
                                         .max_body_bytes = MAX_PAGE_BYTES,
                                         .accept_gzip = true,
                                         .sink = feed,
                                         .sink_ctx = scan,
                                         .stop = stop};
    if (kube_perform(client, &request, NULL, err) < 0 || list_scan_finish(scan, err) < 0)
        return -1;
    if (scan->sink.oversized_count > 0)
        return error_set(err, ERROR_UNAVAILABLE, "TooLarge", "the list has an object of more than %d bytes",
                         SCAN_MAX_ITEM_BYTES);
    return 0;
}

/* *token: of the next page, to be freed; NULL after the last one. */
static int list_page(struct kube_client *client, const char *path, struct stop *stop, struct list_scan *scan,
                     char **token, struct error *err)
{
    CLEANUP(buf_done) struct buf query;
    buf_init(&query, 64 * 1024);
    buf_printf(&query, "%s?limit=%d", path, PAGE_LIMIT);
    if (*token) {
        buf_puts(&query, "&continue=");
        url_put_encoded(&query, *token);
    }
    free(STEAL(*token));
    if (fetch_page(client, buf_text(&query), stop, scan, err) < 0)
        return -1;
    if (scan->continue_token.len > 0)
        *token = mem_strdup(buf_text(&scan->continue_token));
    return 0;
}

int kube_list(struct kube_client *client, const char *path, struct stop *stop, scan_emit *each, void *ctx,
              struct error *err)
{
    CLEANUP(freep) char *token = NULL;
    do {
        struct list_scan scan;
        list_scan_init(&scan, each, ctx);
        int result = list_page(client, path, stop, &scan, &token, err);
        list_scan_done(&scan);
        if (result < 0)
            return -1;
    } while (token);
    return 0;
}
