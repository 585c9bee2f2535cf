/* The list scanner: one pass over the bytes with a depth counter. Keys matter at depth 1 (the list) and at
 * depth 2 inside "metadata"; an item is an object that opens at depth 2 inside the "items" array. An item
 * that lies within one chunk is handed out from there, without a copy. */
#include "kube/json_scan.h"

#include <string.h>

enum { MAX_KEY_BYTES = 64, MAX_TOKEN_BYTES = 16 * 1024 };
enum section { SECTION_OTHER, SECTION_METADATA, SECTION_ITEMS };
/* Of an item. */
enum boundary { BOUNDARY_NONE, BOUNDARY_BEGIN, BOUNDARY_END };

static void sink_init(struct scan_sink *sink, scan_emit *emit, void *ctx)
{
    *sink = (struct scan_sink){.emit = emit, .ctx = ctx};
    buf_init(&sink->kept, SCAN_MAX_ITEM_BYTES);
}

static int sink_skip(struct scan_sink *sink, const char *part, size_t len, struct error *err)
{
    return sink->oversized && len > 0 ? sink->oversized(sink->ctx, part, len, err) : 0;
}

/* Keeps the part of the present item or line that lies in this chunk. */
static int sink_keep(struct scan_sink *sink, const char *part, size_t len, struct error *err)
{
    if (!sink->is_too_large) {
        if (buf_append(&sink->kept, part, len) == 0)
            return 0;
        sink->is_too_large = true;
        sink->oversized_count++;
        int result = sink_skip(sink, buf_text(&sink->kept), sink->kept.len, err);
        buf_done(&sink->kept);
        if (result < 0)
            return -1;
    }
    return sink_skip(sink, part, len, err);
}

static int sink_end(struct scan_sink *sink, const char *part, size_t len, struct error *err)
{
    bool is_in_one_chunk = sink->kept.len == 0 && !sink->is_too_large && len <= sink->kept.max;
    int result = 0;
    if (!is_in_one_chunk && sink_keep(sink, part, len, err) < 0)
        return -1;
    if (!sink->is_too_large) {
        sink->count++;
        result = is_in_one_chunk ? sink->emit(sink->ctx, part, len, err)
                                 : sink->emit(sink->ctx, sink->kept.data, sink->kept.len, err);
    } else if (sink->oversized) {
        result = sink->oversized(sink->ctx, "", 0, err);
    }
    sink->is_too_large = false;
    buf_reset(&sink->kept);
    return result;
}

void list_scan_init(struct list_scan *scan, scan_emit *emit, void *ctx)
{
    *scan = (struct list_scan){0};
    sink_init(&scan->sink, emit, ctx);
    buf_init(&scan->key, MAX_KEY_BYTES);
    buf_init(&scan->resource_version, MAX_KEY_BYTES);
    buf_init(&scan->continue_token, MAX_TOKEN_BYTES);
}

void list_scan_done(struct list_scan *scan)
{
    buf_done(&scan->sink.kept);
    buf_done(&scan->key);
    buf_done(&scan->resource_version);
    buf_done(&scan->continue_token);
}

static bool are_keys_read(const struct list_scan *scan)
{
    return scan->depth == 1 || (scan->depth == 2 && scan->section == SECTION_METADATA);
}

static bool is_key(const struct list_scan *scan, const char *name)
{
    return buf_is_ok(&scan->key) && strcmp(buf_text(&scan->key), name) == 0;
}

/* Where the string that opens now is to be kept. */
static struct buf *choose_string(struct list_scan *scan)
{
    if (!are_keys_read(scan))
        return NULL;
    if (!scan->after_colon) {
        buf_reset(&scan->key);
        return &scan->key;
    }
    if (scan->depth == 2 && is_key(scan, "resourceVersion")) {
        buf_reset(&scan->resource_version);
        return &scan->resource_version;
    }
    if (scan->depth == 2 && is_key(scan, "continue")) {
        buf_reset(&scan->continue_token);
        return &scan->continue_token;
    }
    return NULL;
}

/* Reads on in a string from data[at]; yields the index behind what it consumed. */
static size_t read_string(struct list_scan *scan, const char *data, size_t len, size_t at)
{
    size_t start = at;
    for (; at < len; at++) {
        if (scan->escaped) {
            scan->escaped = false;
        } else if (data[at] == '\\') {
            scan->escaped = true;
        } else if (data[at] == '"') {
            scan->in_string = false;
            break;
        }
    }
    if (scan->string)
        buf_append(scan->string, data + start, at - start);
    if (scan->in_string)
        return at;
    scan->string = NULL;
    return at + 1;
}

static void on_colon(struct list_scan *scan)
{
    scan->after_colon = true;
    if (scan->depth != 1)
        return;
    scan->section = SECTION_OTHER;
    if (is_key(scan, "items"))
        scan->section = SECTION_ITEMS;
    else if (is_key(scan, "metadata"))
        scan->section = SECTION_METADATA;
}

static enum boundary on_open(struct list_scan *scan, char c)
{
    bool begins = scan->depth == 2 && scan->in_items && c == '{';
    if (begins)
        scan->in_item = true;
    if (scan->depth == 1 && scan->section == SECTION_ITEMS && c == '[')
        scan->in_items = true;
    scan->depth++;
    scan->after_colon = false;
    return begins ? BOUNDARY_BEGIN : BOUNDARY_NONE;
}

static enum boundary on_close(struct list_scan *scan)
{
    scan->depth--;
    scan->after_colon = false;
    if (scan->in_item && scan->depth == 2) {
        scan->in_item = false;
        return BOUNDARY_END;
    }
    if (scan->depth == 1)
        scan->in_items = false;
    if (scan->depth == 0)
        scan->done = true;
    return BOUNDARY_NONE;
}

/* One byte outside strings. */
static enum boundary on_byte(struct list_scan *scan, char c)
{
    switch (c) {
    case '"':
        scan->in_string = true;
        scan->string = choose_string(scan);
        break;
    case '{':
    case '[': return on_open(scan, c);
    case '}':
    case ']': return on_close(scan);
    case ':':
        if (are_keys_read(scan))
            on_colon(scan);
        break;
    case ',': scan->after_colon = false; break;
    default: break;
    }
    return BOUNDARY_NONE;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Before the list opens and after it closed only white space may stand. */
static int check_outside(const struct list_scan *scan, char c, struct error *err)
{
    if (scan->depth > 0 || is_space(c) || (c == '{' && !scan->done))
        return 0;
    return error_set(err, ERROR_INVALID, "MalformedList", "the list's body is not one JSON object");
}

int list_scan_feed(struct list_scan *scan, const char *data, size_t len, struct error *err)
{
    size_t item_start = 0; /* of the part of the present item that is in this chunk */
    for (size_t at = 0; at < len;) {
        if (scan->in_string) {
            at = read_string(scan, data, len, at);
            continue;
        }
        if (check_outside(scan, data[at], err) < 0)
            return -1;
        enum boundary boundary = on_byte(scan, data[at]);
        if (boundary == BOUNDARY_BEGIN)
            item_start = at;
        at++;
        if (boundary == BOUNDARY_END && sink_end(&scan->sink, data + item_start, at - item_start, err) < 0)
            return -1;
        if (boundary == BOUNDARY_END)
            item_start = at;
    }
    return scan->in_item ? sink_keep(&scan->sink, data + item_start, len - item_start, err) : 0;
}

int list_scan_finish(const struct list_scan *scan, struct error *err)
{
    if (!scan->done)
        return error_set(err, ERROR_INVALID, "MalformedList", "the list's body ended early");
    if (!buf_is_ok(&scan->resource_version) || !buf_is_ok(&scan->continue_token))
        return error_set(err, ERROR_INVALID, "MalformedList",
                         "the list's resourceVersion or continue is too long");
    return 0;
}

void line_scan_init(struct line_scan *scan, scan_emit *emit, void *ctx)
{
    sink_init(&scan->sink, emit, ctx);
}

void line_scan_done(struct line_scan *scan)
{
    buf_done(&scan->sink.kept);
}

static bool is_blank(const struct scan_sink *sink, const char *part, size_t len)
{
    size_t whole_len = sink->kept.len + len;
    const char *first = sink->kept.len > 0 ? sink->kept.data : part;
    return !sink->is_too_large && (whole_len == 0 || (whole_len == 1 && *first == '\r'));
}

static int end_line(struct line_scan *scan, const char *part, size_t len, struct error *err)
{
    if (!is_blank(&scan->sink, part, len))
        return sink_end(&scan->sink, part, len, err);
    buf_reset(&scan->sink.kept);
    return 0;
}

int line_scan_feed(struct line_scan *scan, const char *data, size_t len, struct error *err)
{
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        if (!end)
            return sink_keep(&scan->sink, data, len, err);
        if (end_line(scan, data, (size_t)(end - data), err) < 0)
            return -1;
        len -= (size_t)(end - data) + 1;
        data = end + 1;
    }
    return 0;
}

static size_t skip_space(struct json_span in, size_t at)
{
    while (at < in.len && is_space(in.text[at]))
        at++;
    return at;
}

/* Index behind the string that opens at `at`, 0 if it does not end. */
static size_t skip_string(struct json_span in, size_t at)
{
    for (at++; at < in.len; at++) {
        if (in.text[at] == '\\')
            at++;
        else if (in.text[at] == '"')
            return at + 1;
    }
    return 0;
}

/* Index behind the object or array that opens at `at`, 0 if it does not end. */
static size_t skip_container(struct json_span in, size_t at)
{
    int depth = 0;
    while (at < in.len) {
        char c = in.text[at];
        if (c == '"') {
            at = skip_string(in, at);
            if (at == 0)
                return 0;
            continue;
        }
        depth += c == '{' || c == '[' ? 1 : 0;
        depth -= c == '}' || c == ']' ? 1 : 0;
        at++;
        if (depth == 0)
            return at;
    }
    return 0;
}

/* Index behind the value that begins at `at`, 0 if there is none or it does not end. */
static size_t skip_value(struct json_span in, size_t at)
{
    size_t start = at;
    if (at >= in.len)
        return 0;
    if (in.text[at] == '"')
        return skip_string(in, at);
    if (in.text[at] == '{' || in.text[at] == '[')
        return skip_container(in, at);
    while (at < in.len && !strchr(",}]", in.text[at]))
        at++;
    return at > start && at < in.len ? at : 0;
}

static struct json_span trim(struct json_span span)
{
    while (span.len > 0 && is_space(span.text[span.len - 1]))
        span.len--;
    return span;
}

static struct json_span find_member(struct json_span in, const char *key)
{
    size_t at = skip_space(in, 0);
    if (!in.text || at >= in.len || in.text[at] != '{')
        return (struct json_span){0};
    at = skip_space(in, at + 1);
    while (at < in.len && in.text[at] == '"') {
        size_t key_end = skip_string(in, at);
        size_t colon = key_end ? skip_space(in, key_end) : in.len;
        if (colon >= in.len || in.text[colon] != ':')
            break;
        size_t value = skip_space(in, colon + 1);
        size_t end = skip_value(in, value);
        if (end == 0)
            break;
        if (json_span_is((struct json_span){in.text + at, key_end - at}, key))
            return trim((struct json_span){in.text + value, end - value});
        at = skip_space(in, end);
        if (at >= in.len || in.text[at] != ',')
            break;
        at = skip_space(in, at + 1);
    }
    return (struct json_span){0};
}

struct json_span json_find(struct json_span in, const char *const *keys)
{
    for (; *keys && in.text; keys++)
        in = find_member(in, *keys);
    return in;
}

bool json_span_is(struct json_span span, const char *text)
{
    size_t len = strlen(text);
    return span.text && span.len == len + 2 && span.text[0] == '"' && memcmp(span.text + 1, text, len) == 0 &&
           span.text[len + 1] == '"' && !memchr(text, '\\', len);
}

int json_span_copy(struct json_span span, char *ret_text, size_t size)
{
    *ret_text = '\0';
    if (!span.text || span.len < 2 || span.len - 2 >= size || span.text[0] != '"' ||
        span.text[span.len - 1] != '"' || memchr(span.text, '\\', span.len))
        return -1;
    memcpy(ret_text, span.text + 1, span.len - 2);
    ret_text[span.len - 2] = '\0';
    return 0;
}
