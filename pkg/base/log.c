/* The settings are the one writable static of the library: they are set before any thread exists. */
#include "base/log.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json_writer.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

/* So many pairs of so short values fit a line however they are escaped. */
enum { MAX_LINE = 8192, MAX_PAIRS = 24, MIN_VALUE = 16 };

static struct {
    enum log_level level;
    enum log_format format;
    int fd;
} settings = {.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_JSON, .fd = STDERR_FILENO};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_configure(enum log_level level, enum log_format format, int fd)
{
    settings.level = level;
    settings.format = format;
    settings.fd = fd;
}

bool log_is_enabled(enum log_level level)
{
    return settings.fd >= 0 && level <= settings.level;
}

int log_level_parse(const char *name, enum log_level *ret_level)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
        if (strcmp(name, level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return 0;
        }
    return -1;
}

/* What a line says behind its message, in order. */
struct pairs {
    struct log_field fields[MAX_PAIRS];
    size_t count;
};

static void add_pair(struct pairs *pairs, const struct log_field *field)
{
    assert(pairs->count < MAX_PAIRS);
    pairs->fields[pairs->count++] = *field;
}

static void add_context(struct pairs *pairs, const struct log *log)
{
    if (!log)
        return;
    add_context(pairs, log->parent);
    for (const struct log_field *field = log->fields; field->type != LOG_FIELD_END; field++)
        add_pair(pairs, field);
}

/* At most max bytes of the value, whole characters. */
static void put_string(struct json_writer *writer, const char *key, const char *value, size_t max)
{
    size_t len = strnlen(value, max + 1);
    if (len > max) {
        len = max;
        while (len > 0 && ((unsigned char)value[len] & 0xc0) == 0x80)
            len--;
    }
    json_text_len(writer, key, value, len);
}

/* As controller-runtime tells what a line is about: by kind, and flat. */
static void put_object(struct json_writer *writer, const struct log_field *field, size_t max)
{
    const char *slash = strchr(field->string, '/');
    const char *name = slash ? slash + 1 : field->string;
    size_t name_space_len = slash ? (size_t)(slash - field->string) : 0;
    json_open_object(writer, field->key);
    put_string(writer, "name", name, max);
    json_text_len(writer, "namespace", field->string, name_space_len < max ? name_space_len : max);
    json_close_object(writer);
    json_text_len(writer, "namespace", field->string, name_space_len < max ? name_space_len : max);
    put_string(writer, "name", name, max);
}

static void put_json(struct json_writer *writer, const struct log_field *field, size_t max)
{
    switch (field->type) {
    case LOG_FIELD_STRING:
    case LOG_FIELD_DETAIL: put_string(writer, field->key, field->string, max); break;
    case LOG_FIELD_OBJECT: put_object(writer, field, max); break;
    case LOG_FIELD_INT: json_int(writer, field->key, field->number); break;
    case LOG_FIELD_BOOL: json_bool(writer, field->key, field->number != 0); break;
    case LOG_FIELD_END: break;
    }
}

/* key=value; strings are quoted as in JSON so that a line stays one line. */
static void put_text(struct buf *line, const struct log_field *field, size_t max)
{
    struct json_writer writer;
    struct log_field value = *field;
    if (field->type == LOG_FIELD_DETAIL)
        return;
    if (field->type == LOG_FIELD_OBJECT)
        value.type = LOG_FIELD_STRING;
    buf_printf(line, " %s=", field->type == LOG_FIELD_OBJECT ? "object" : field->key);
    json_writer_init(&writer, line);
    value.key = NULL;
    put_json(&writer, &value, max);
}

static void open_line(struct json_writer *writer, struct buf *line, enum log_level level, const char *message)
{
    char now[TIME_TEXT_SIZE];
    time_format_micro(clock_wall_ms(clock_real()), now);
    json_writer_init(writer, line);
    if (settings.format == LOG_FORMAT_TEXT) {
        buf_printf(line, "%s %-5s %s", now, level_names[level], message);
        return;
    }
    json_open_object(writer, NULL);
    json_text(writer, "ts", now);
    json_text(writer, "level", level_names[level]);
    json_text(writer, "msg", message);
}

static void put_pairs(struct json_writer *writer, struct buf *line, const struct pairs *pairs, size_t max)
{
    bool is_json = settings.format == LOG_FORMAT_JSON;
    for (size_t i = 0; i < pairs->count; i++) {
        const struct log_field *field = &pairs->fields[i];
        bool is_number = field->type == LOG_FIELD_INT || field->type == LOG_FIELD_BOOL;
        if (!is_number && !field->string)
            continue;
        if (is_json)
            put_json(writer, field, max);
        else
            put_text(line, field, max);
    }
    if (is_json)
        json_close_object(writer);
    buf_putc(line, '\n');
}

/* A failed write to the log has nowhere to be reported. */
static void write_line(const struct buf *line)
{
    ssize_t written = write(settings.fd, line->data, line->len);
    (void)written;
}

/* The longest values give way first: the bound of all is halved until the line fits. */
void log_write(const struct log *log, enum log_level level, const char *message, ...)
{
    if (!log_is_enabled(level))
        return;
    struct pairs pairs = {.count = 0};
    add_context(&pairs, log);
    va_list args;
    va_start(args, message);
    for (struct log_field field = va_arg(args, struct log_field); field.type != LOG_FIELD_END;
         field = va_arg(args, struct log_field))
        add_pair(&pairs, &field);
    va_end(args);
    CLEANUP(buf_done) struct buf line;
    buf_init(&line, MAX_LINE);
    for (size_t max = MAX_LINE; max >= MIN_VALUE; max /= 2) {
        struct json_writer writer;
        buf_reset(&line);
        open_line(&writer, &line, level, message);
        put_pairs(&writer, &line, &pairs, max);
        if (buf_is_ok(&line))
            break;
        if (max == MAX_LINE)
            add_pair(&pairs, &BOOL("truncated", true));
    }
    write_line(&line);
}
