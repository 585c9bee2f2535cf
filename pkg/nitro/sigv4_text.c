/* Parameters are escaped one by one, then sorted as bytes, because the order is that of the escaped form. */
#include "nitro/sigv4_text.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/url.h"

#include <ctype.h>
#include <string.h>

enum { MAX_PARAMETERS = 64, MAX_SEGMENTS = 128 };

struct segment {
    const char *text;
    size_t len;
};

static bool is_dots(const struct segment *segment, size_t count)
{
    return segment->len == count && strspn(segment->text, ".") >= count;
}

void sigv4_put_path(struct buf *out, const char *path, bool keep)
{
    struct segment kept[MAX_SEGMENTS];
    size_t count = 0;
    bool is_open = true; /* the last segment was none, so that the path ends with a slash */
    if (keep) {
        url_put_encoded_keeping(out, path, strlen(path), "/");
        return;
    }
    while (*path) {
        struct segment segment = {path, strcspn(path, "/")};
        path += segment.len + (path[segment.len] == '/');
        is_open = path[-1] == '/' || is_dots(&segment, 1) || is_dots(&segment, 2);
        if (is_dots(&segment, 2))
            count -= count > 0;
        else if (count == MAX_SEGMENTS)
            out->failed = true;
        else if (segment.len > 0 && !is_dots(&segment, 1))
            kept[count++] = segment;
    }
    for (size_t i = 0; i < count; i++) {
        buf_putc(out, '/');
        url_put_encoded_keeping(out, kept[i].text, kept[i].len, "");
    }
    if (is_open || count == 0)
        buf_putc(out, '/');
}

struct parameter {
    char *name;
    char *value;
};

static char *escape(const char *text, size_t len, size_t max)
{
    struct buf out;
    buf_init(&out, max);
    url_put_encoded_keeping(&out, text, len, "%");
    return buf_steal(&out);
}

static int compare(const void *left, const void *right)
{
    const struct parameter *a = left;
    const struct parameter *b = right;
    int order = strcmp(a->name, b->name);
    return order ? order : strcmp(a->value, b->value);
}

void sigv4_put_query(struct buf *out, const char *query)
{
    struct parameter parameters[MAX_PARAMETERS];
    size_t count = 0;
    while (*query) {
        size_t len = strcspn(query, "&");
        size_t name_len = strcspn(query, "&=");
        size_t value_at = name_len + (name_len < len);
        if (count == MAX_PARAMETERS)
            out->failed = true;
        else if (len > 0)
            parameters[count++] = (struct parameter){escape(query, name_len, out->max),
                                                     escape(query + value_at, len - value_at, out->max)};
        query += len + (query[len] == '&');
    }
    qsort(parameters, count, sizeof(parameters[0]), compare);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s%s=%s", i > 0 ? "&" : "", parameters[i].name, parameters[i].value);
        free(parameters[i].name);
        free(parameters[i].value);
    }
}
