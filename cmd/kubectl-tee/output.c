/* jansson keeps the order of members, so that data come out in the order in which they were written. */
#include "output.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "printable.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_WIDTH = 14, WORD_MAX = 63 };

int output_format_parse(const char *text, enum output_format *ret_format)
{
    static const struct {
        const char *text;
        enum output_format format;
    } formats[] = {{"text", OUTPUT_TEXT}, {"json", OUTPUT_JSON}, {"yaml", OUTPUT_YAML}};
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (strcmp(text, formats[i].text) == 0) {
            *ret_format = formats[i].format;
            return 0;
        }
    return -1;
}

/* In double quotes: both JSON and YAML (5.7, 7.3.1). */
static void put_quoted(struct buf *out, const char *text)
{
    size_t left = strlen(text);
    buf_putc(out, '"');
    while (left > 0) {
        size_t len = 0;
        uint32_t c = utf8_next(text, left, &len);
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", (int)c);
        else if (c == '\n')
            buf_puts(out, "\\n");
        else if (printable_is_control(c) || c == 0xfeff)
            buf_printf(out, "\\u%04x", (unsigned)c);
        else
            buf_append(out, text, len);
        text += len;
        left -= len;
    }
    buf_putc(out, '"');
}

/* A word that no version of YAML takes for anything but a text. */
static bool is_plain_word(const char *text)
{
    static const char *const reserved[] = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t len = strlen(text);
    if (len == 0 || len > WORD_MAX || !strchr(letters, text[0]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!strchr(letters, text[i]) && !strchr("0123456789-./_", text[i]))
            return false;
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
        if (strcasecmp(text, reserved[i]) == 0)
            return false;
    return true;
}

static void put_scalar(struct buf *out, const json_t *value, bool is_yaml)
{
    if (json_is_string(value) && is_yaml && is_plain_word(json_string_value(value)))
        buf_puts(out, json_string_value(value));
    else if (json_is_string(value))
        put_quoted(out, json_string_value(value));
    else if (json_is_integer(value))
        buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_boolean(value))
        buf_puts(out, json_is_true(value) ? "true" : "false");
    else
        buf_puts(out, json_is_array(value) ? "[]" : json_is_object(value) ? "{}" : "null");
}

static bool is_nested(const json_t *value)
{
    return json_object_size(value) > 0 || json_array_size(value) > 0;
}

static void put_indent(struct buf *out, int depth)
{
    for (int i = 0; i < depth; i++)
        buf_puts(out, "  ");
}

static void put_json(struct buf *out, json_t *value, int depth)
{
    const char *key, *comma = "";
    size_t index;
    json_t *item;
    if (!is_nested(value)) {
        put_scalar(out, value, false);
        return;
    }
    buf_putc(out, json_is_array(value) ? '[' : '{');
    json_array_foreach(value, index, item)
    {
        buf_printf(out, "%s\n", index > 0 ? "," : "");
        put_indent(out, depth + 1);
        put_json(out, item, depth + 1);
    }
    json_object_foreach(value, key, item)
    {
        buf_printf(out, "%s\n", comma);
        put_indent(out, depth + 1);
        put_quoted(out, key);
        buf_puts(out, ": ");
        put_json(out, item, depth + 1);
        comma = ",";
    }
    buf_putc(out, '\n');
    put_indent(out, depth);
    buf_putc(out, json_is_array(value) ? ']' : '}');
}

/* Block style as kubectl's: a list stands at its key's column, and an item's first member behind the dash. */
static void put_yaml(struct buf *out, json_t *value, int depth, bool is_after_dash)
{
    const char *key;
    size_t index;
    json_t *item;
    json_array_foreach(value, index, item)
    {
        put_indent(out, depth);
        buf_puts(out, "- ");
        if (is_nested(item)) {
            put_yaml(out, item, depth + 1, true);
            continue;
        }
        put_scalar(out, item, true);
        buf_putc(out, '\n');
    }
    json_object_foreach(value, key, item)
    {
        if (!is_after_dash)
            put_indent(out, depth);
        is_after_dash = false;
        if (is_plain_word(key))
            buf_puts(out, key);
        else
            put_quoted(out, key);
        if (is_nested(item)) {
            buf_puts(out, ":\n");
            put_yaml(out, item, json_is_array(item) ? depth : depth + 1, false);
            continue;
        }
        buf_puts(out, ": ");
        put_scalar(out, item, true);
        buf_putc(out, '\n');
    }
}

void output_data(enum output_format format, const struct buf *json, struct buf *out)
{
    json_t *tree = json_loadb(buf_text(json), json->len, JSON_DECODE_ANY, NULL);
    if (!tree) {
        out->failed = true;
    } else if (format == OUTPUT_YAML && is_nested(tree)) {
        put_yaml(out, tree, 0, false);
    } else {
        put_json(out, tree, 0);
        buf_putc(out, '\n');
    }
    json_decref(tree);
}

void output_line(struct buf *out, const char *label, const char *value)
{
    if (!value)
        return;
    buf_printf(out, "%-*s", LABEL_WIDTH, label);
    printable_put(out, value);
    buf_putc(out, '\n');
}

void output_linef(struct buf *out, const char *label, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0)
        abort();
    output_line(out, label, text);
    free(text);
}

void output_age(struct buf *out, int64_t ms, int64_t now_ms)
{
    static const struct {
        int64_t from_s, unit_s;
        const char *name;
    } units[] = {{2 * 86400, 86400, "days"}, {2 * 3600, 3600, "h"}, {120, 60, "min"}, {1, 1, "s"}};
    int64_t distance_s = (now_ms - ms) / 1000;
    int64_t size_s = distance_s < 0 ? -distance_s : distance_s;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (size_s >= units[i].from_s) {
            buf_printf(out, "%s%lld %s%s", distance_s < 0 ? "in " : "", (long long)(size_s / units[i].unit_s),
                       units[i].name, distance_s < 0 ? "" : " ago");
            return;
        }
    buf_puts(out, "just now");
}

void output_time(struct buf *out, const char *label, int64_t ms, int64_t now_ms)
{
    char text[TIME_TEXT_SIZE];
    if (ms <= 0)
        return;
    time_format(ms, text);
    buf_printf(out, "%-*s%s (", LABEL_WIDTH, label, text);
    output_age(out, ms, now_ms);
    buf_puts(out, ")\n");
}
