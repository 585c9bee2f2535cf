/* The settings are the one writable static of the library: they are set before any thread exists. */
#include "base/log.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json_writer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

enum { MAX_LINE = 8192 };

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

static void put_json(struct json_writer *writer, const struct log_field *field)
{
    switch (field->type) {
    case LOG_FIELD_STRING: json_text(writer, field->key, field->string); break;
    case LOG_FIELD_INT: json_int(writer, field->key, field->number); break;
    case LOG_FIELD_BOOL: json_bool(writer, field->key, field->number != 0); break;
    case LOG_FIELD_END: break;
    }
}

/* key=value; strings are quoted as in JSON so that a line stays one line. */
static void put_text(struct buf *line, const struct log_field *field)
{
    struct json_writer writer;
    if (field->type == LOG_FIELD_STRING && !field->string)
        return;
    buf_printf(line, " %s=", field->key);
    json_writer_init(&writer, line);
    struct log_field value = *field;
    value.key = NULL;
    put_json(&writer, &value);
}

static void put_field(struct json_writer *writer, struct buf *line, const struct log_field *field)
{
    if (settings.format == LOG_FORMAT_JSON)
        put_json(writer, field);
    else if (field->type != LOG_FIELD_END)
        put_text(line, field);
}

static void put_context(struct json_writer *writer, struct buf *line, const struct log *log)
{
    if (!log)
        return;
    put_context(writer, line, log->parent);
    put_field(writer, line, &log->field);
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

/* A failed write to the log has nowhere to be reported. */
static void write_line(const struct buf *line)
{
    ssize_t written = write(settings.fd, line->data, line->len);
    (void)written;
}

void log_write(const struct log *log, enum log_level level, const char *message, ...)
{
    if (!log_is_enabled(level))
        return;
    CLEANUP(buf_done) struct buf line;
    buf_init(&line, MAX_LINE);
    struct json_writer writer;
    open_line(&writer, &line, level, message);
    put_context(&writer, &line, log);
    va_list args;
    va_start(args, message);
    for (struct log_field field = va_arg(args, struct log_field); field.type != LOG_FIELD_END;
         field = va_arg(args, struct log_field))
        put_field(&writer, &line, &field);
    va_end(args);
    if (settings.format == LOG_FORMAT_JSON)
        json_close_object(&writer);
    buf_putc(&line, '\n');
    if (!buf_is_ok(&line)) {
        /* Too long: say so under the same message rather than print half a JSON object. */
        buf_reset(&line);
        open_line(&writer, &line, level, message);
        struct log_field cut = BOOL("truncated", true);
        put_field(&writer, &line, &cut);
        buf_puts(&line, settings.format == LOG_FORMAT_JSON ? "}\n" : "\n");
    }
    write_line(&line);
}
