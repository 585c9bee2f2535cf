/* log: one line per happening, JSON or text, on standard error.
 *
 * Model: the message is constant (capital first letter, no full stop, past tense); what varies goes into
 * typed pairs: log_info(&log, "Instance launched", STR("instance", id), INT("attempt", n)). A struct log is a
 * chain of context pairs; each source file has a root that names it, LOG_ROOT(). The JSON form has the keys
 * of controller-runtime's logs: an OBJECT() is told as <kind>{name, namespace}, namespace and name, and what
 * every line of a part repeats is a DETAIL(), which the form for people leaves out. base, http, api, kube and
 * nitro return errors and log at debug only; reconcile and cmd log, once per failure. A secret, token,
 * document or user data is never a value: struct secret fits no pair, and for the others hack/lint.sh looks
 * by name. Threads: any; a line is one write.   Ownership: nothing is kept. Limits: 8 KiB a line, of a longer
 * one the longest values are cut; 24 pairs a line, context included (asserted). Errors: cannot fail. */
#ifndef TEE_BASE_LOG_H
#define TEE_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_JSON, LOG_FORMAT_TEXT };

struct log_field {
    enum {
        LOG_FIELD_END,
        LOG_FIELD_STRING,
        LOG_FIELD_DETAIL,
        LOG_FIELD_OBJECT,
        LOG_FIELD_INT,
        LOG_FIELD_BOOL
    } type;
    const char *key;
    const char *string;
    int64_t number;
};

enum { LOG_CONTEXT_MAX = 6 };

struct log {
    const struct log *parent; /* NULL at the root */
    struct log_field fields[LOG_CONTEXT_MAX + 1];
};

#define STR(k, v) ((struct log_field){.type = LOG_FIELD_STRING, .key = (k), .string = (v)})
#define INT(k, v) ((struct log_field){.type = LOG_FIELD_INT, .key = (k), .number = (int64_t)(v)})
/* In JSON only. */
#define DETAIL(k, v) ((struct log_field){.type = LOG_FIELD_DETAIL, .key = (k), .string = (v)})
/* v is "namespace/name", or NULL. */
#define OBJECT(kind, v) ((struct log_field){.type = LOG_FIELD_OBJECT, .key = (kind), .string = (v)})
#define BOOL(k, v)      ((struct log_field){.type = LOG_FIELD_BOOL, .key = (k), .number = (v) ? 1 : 0})
#define LOG_FIELDS_END  ((struct log_field){.type = LOG_FIELD_END})

/* Initialises the root of a source file: static const struct log root = LOG_ROOT("inventory"). */
#define LOG_ROOT(name)                                                                                       \
    {                                                                                                        \
        .fields = { {.type = LOG_FIELD_DETAIL, .key = "logger", .string = (name)} }                          \
    }

#define log_error(log, ...) log_write((log), LOG_LEVEL_ERROR, __VA_ARGS__, LOG_FIELDS_END)
#define log_warn(log, ...)  log_write((log), LOG_LEVEL_WARN, __VA_ARGS__, LOG_FIELDS_END)
#define log_info(log, ...)  log_write((log), LOG_LEVEL_INFO, __VA_ARGS__, LOG_FIELDS_END)
#define log_debug(log, ...) log_write((log), LOG_LEVEL_DEBUG, __VA_ARGS__, LOG_FIELDS_END)

/* Called once, before threads start. fd < 0 = no output. */
void log_configure(enum log_level level, enum log_format format, int fd);
bool log_is_enabled(enum log_level level);
int log_level_parse(const char *name, enum log_level *ret_level);
/* The variable arguments are struct log_field by value, ended by LOG_FIELDS_END; use the macros. log may be
 * NULL. */
void log_write(const struct log *log, enum log_level level, const char *message, ...);

#endif
