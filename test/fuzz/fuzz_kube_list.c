/* A list body in chunks and in one piece: both must yield the same items and the same end, and of those items
 * that are too large the same text. The first byte is the size of the chunks; an odd one makes most items too
 * large. */
#include "base/mem.h"
#include "kube/json_scan.h"

#include <stdlib.h>
#include <string.h>

enum { FEW_BYTES = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int join(void *ctx, const char *text, size_t len, struct error *err)
{
    (void)err;
    buf_append(ctx, text, len);
    buf_putc(ctx, '|');
    return 0;
}

static int join_skipped(void *ctx, const char *text, size_t len, struct error *err)
{
    (void)err;
    return len > 0 ? buf_append(ctx, text, len) : buf_puts(ctx, "|too large|");
}

static int scan(const uint8_t *data, size_t size, size_t chunk, size_t max_item_bytes, struct buf *out)
{
    CLEANUP(list_scan_done) struct list_scan scan;
    struct error err;
    list_scan_init(&scan, join, out);
    scan.sink.oversized = join_skipped;
    scan.sink.kept.max = max_item_bytes;
    for (size_t at = 0; at < size; at += chunk) {
        size_t len = size - at < chunk ? size - at : chunk;
        CLEANUP(freep) char *copy = mem_dup(data + at, len);
        if (list_scan_feed(&scan, copy, len, &err) < 0)
            return -1;
    }
    if (list_scan_finish(&scan, &err) < 0)
        return -1;
    buf_printf(out, "%s;%s", buf_text(&scan.resource_version), buf_text(&scan.continue_token));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    CLEANUP(buf_done) struct buf whole;
    CLEANUP(buf_done) struct buf pieces;
    buf_init(&whole, 1 << 24);
    buf_init(&pieces, 1 << 24);
    size_t max_item_bytes = data[0] % 2 == 1 ? FEW_BYTES : SCAN_MAX_ITEM_BYTES;
    int whole_result = scan(data + 1, size - 1, size, max_item_bytes, &whole);
    int pieces_result = scan(data + 1, size - 1, data[0] ? data[0] : 1, max_item_bytes, &pieces);
    if (whole_result != pieces_result || strcmp(buf_text(&whole), buf_text(&pieces)) != 0)
        abort();
    return 0;
}
