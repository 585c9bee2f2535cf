/* Filling and prefixing of struct error; text is cut, never allocated. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, enum error_kind kind, const char *reason, const char *format, ...)
{
    if (!err)
        return -1;
    err->kind = kind;
    err->retry_after_ms = 0;
    snprintf(err->reason, sizeof(err->reason), "%s", reason);
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    return -1;
}

int error_wrap(struct error *err, const char *format, ...)
{
    if (!err)
        return -1;
    char text[sizeof(err->text)];
    va_list args;
    va_start(args, format);
    int used = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof(text) - 2) {
        size_t room = sizeof(text) - (size_t)used - 2;
        memcpy(text + used, ": ", 2);
        size_t len = strnlen(err->text, room - 1);
        memcpy(text + used + 2, err->text, len);
        text[(size_t)used + 2 + len] = '\0';
    }
    memcpy(err->text, text, sizeof(text));
    return -1;
}

void error_clear(struct error *err)
{
    memset(err, 0, sizeof(*err));
}
