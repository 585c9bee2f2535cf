/* json_scan: finds the pieces of API server answers without building a tree.
 *
 * Model: three tools. A list_scan is fed a list body in chunks of any size and hands out each element of
 * "items" as one span of text, and keeps metadata.resourceVersion and metadata.continue; memory holds one
 * item. A line_scan is fed a watch stream and hands out each line. json_find() looks a member up in a text by
 * a path of keys. The scanners follow strings and brackets only: whether an item is valid JSON is for its
 * decoder to say. An item or line past the ceiling is counted and not handed out as one; who wants to know
 * what it was gets it in the pieces that it came in. Nothing else is lost. Threads: none.   Ownership: spans
 * are borrowed for the callback.   Limits: 2 MiB an item or line, 16 KiB a continue token.   Errors:
 * ERROR_INVALID (MalformedList), and what a callback reports. */
#ifndef TEE_KUBE_JSON_SCAN_H
#define TEE_KUBE_JSON_SCAN_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCAN_MAX_ITEM_BYTES = 2 * 1024 * 1024 };

/* -1 (err filled) ends the scan. */
typedef int scan_emit(void *ctx, const char *text, size_t len, struct error *err);

/* Where items or lines go. */
struct scan_sink {
    scan_emit *emit;
    scan_emit *oversized; /* pieces of one that is too large, and an empty one at its end; NULL: nobody */
    void *ctx;
    struct buf kept; /* the part of the present one that came in earlier chunks */
    bool is_too_large;
    int64_t count;
    int64_t oversized_count;
};

struct list_scan {
    struct scan_sink sink;
    struct buf key;              /* the last key read where keys matter */
    struct buf resource_version; /* raw text between the quotes */
    struct buf continue_token;
    struct buf *string; /* where the string being read goes, or NULL */
    int depth;
    int section; /* of the top object: which member we are in */
    bool in_string, escaped, after_colon, in_items, in_item, done;
};

void list_scan_init(struct list_scan *scan, scan_emit *emit, void *ctx);
void list_scan_done(struct list_scan *scan);
MUST_CHECK int list_scan_feed(struct list_scan *scan, const char *data, size_t len, struct error *err);
/* After the last byte: was the body whole? */
MUST_CHECK int list_scan_finish(const struct list_scan *scan, struct error *err);

struct line_scan {
    struct scan_sink sink;
};

void line_scan_init(struct line_scan *scan, scan_emit *emit, void *ctx);
void line_scan_done(struct line_scan *scan);
MUST_CHECK int line_scan_feed(struct line_scan *scan, const char *data, size_t len, struct error *err);

struct json_span {
    const char *text; /* NULL = absent */
    size_t len;
};

/* keys is NULL-terminated; the value with white space around it removed. */
struct json_span json_find(struct json_span in, const char *const *keys);
/* Is it the string `text`? Strings with escapes equal nothing. */
bool json_span_is(struct json_span span, const char *text);
/* Copies a string that has no escapes and fits; else -1 and "". */
int json_span_copy(struct json_span span, char *ret_text, size_t size);

#endif
