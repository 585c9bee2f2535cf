/* Commas by one bit per depth; UTF-8 checked as it is copied. */
#include "base/json_writer.h"

#include "base/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum { MAX_DEPTH = 31 };

void json_writer_init(struct json_writer *writer, struct buf *out)
{
    *writer = (struct json_writer){.out = out};
}

/* Length of the valid UTF-8 sequence at text, or 0 (RFC 3629: no overlong forms, no surrogates, <= U+10FFFF).
 */
static size_t utf8_len(const unsigned char *text, size_t left)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        size_t len;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (text[0] < forms[i].first_low || text[0] > forms[i].first_high || left < forms[i].len)
            continue;
        if (text[1] < forms[i].second_low || text[1] > forms[i].second_high)
            return 0;
        for (size_t k = 2; k < forms[i].len; k++)
            if ((text[k] & 0xc0) != 0x80)
                return 0;
        return forms[i].len;
    }
    return 0;
}

static void put_control(struct buf *out, unsigned char c)
{
    switch (c) {
    case '\n': buf_puts(out, "\\n"); return;
    case '\r': buf_puts(out, "\\r"); return;
    case '\t': buf_puts(out, "\\t"); return;
    default: buf_printf(out, "\\u%04x", c); return;
    }
}

/* A character past ASCII; len 0 = it is none. U+0080 to U+009F steer terminals, as those below 0x20 do. */
static void put_wide(struct buf *out, const unsigned char *text, size_t len)
{
    if (len == 0)
        buf_puts(out, "\xef\xbf\xbd");
    else if (text[0] == 0xc2 && text[1] < 0xa0)
        put_control(out, text[1]);
    else
        buf_append(out, text, len);
}

static void put_string(struct buf *out, const char *value, size_t len)
{
    const unsigned char *text = (const unsigned char *)value;
    buf_putc(out, '"');
    for (size_t i = 0; i < len;) {
        size_t run = 0;
        while (i + run < len && text[i + run] >= 0x20 && text[i + run] < 0x7f && text[i + run] != '"' &&
               text[i + run] != '\\')
            run++;
        buf_append(out, text + i, run);
        i += run;
        if (i >= len)
            break;
        size_t wide = text[i] >= 0x80 ? utf8_len(text + i, len - i) : 0;
        if (text[i] >= 0x80)
            put_wide(out, text + i, wide);
        else if (text[i] == '"' || text[i] == '\\')
            buf_printf(out, "\\%c", text[i]);
        else
            put_control(out, text[i]);
        i += wide > 0 ? wide : 1;
    }
    buf_putc(out, '"');
}

static void begin(struct json_writer *writer, const char *key)
{
    uint32_t bit = UINT32_C(1) << writer->depth;
    if (writer->has_member & bit)
        buf_putc(writer->out, ',');
    writer->has_member |= bit;
    if (key) {
        put_string(writer->out, key, strlen(key));
        buf_putc(writer->out, ':');
    }
}

static void open_value(struct json_writer *writer, const char *key, char c)
{
    begin(writer, key);
    buf_putc(writer->out, c);
    assert(writer->depth < MAX_DEPTH);
    writer->depth++;
    writer->has_member &= ~(UINT32_C(1) << writer->depth);
}

static void close_value(struct json_writer *writer, char c)
{
    assert(writer->depth > 0);
    writer->depth--;
    buf_putc(writer->out, c);
}

void json_open_object(struct json_writer *writer, const char *key)
{
    open_value(writer, key, '{');
}

void json_close_object(struct json_writer *writer)
{
    close_value(writer, '}');
}

void json_open_array(struct json_writer *writer, const char *key)
{
    open_value(writer, key, '[');
}

void json_close_array(struct json_writer *writer)
{
    close_value(writer, ']');
}

void json_text_len(struct json_writer *writer, const char *key, const char *value, size_t len)
{
    begin(writer, key);
    put_string(writer->out, value, len);
}

void json_text(struct json_writer *writer, const char *key, const char *value)
{
    if (value)
        json_text_len(writer, key, value, strlen(value));
}

void json_int(struct json_writer *writer, const char *key, int64_t value)
{
    begin(writer, key);
    buf_printf(writer->out, "%" PRId64, value);
}

void json_bool(struct json_writer *writer, const char *key, bool value)
{
    begin(writer, key);
    buf_puts(writer->out, value ? "true" : "false");
}

void json_micro_time(struct json_writer *writer, const char *key, int64_t wall_ms)
{
    char text[TIME_TEXT_SIZE];
    time_format_micro(wall_ms, text);
    json_text(writer, key, text);
}

void json_raw(struct json_writer *writer, const char *key, const char *value)
{
    if (!value)
        return;
    begin(writer, key);
    buf_puts(writer->out, value);
}
