/* A buffer under a mutex. */
#include "trace.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void trace_init(struct trace *trace)
{
    mutex_init(&trace->mutex);
    cond_init(&trace->cond);
    buf_init(&trace->text, 64 * 1024);
}

void trace_done(struct trace *trace)
{
    buf_done(&trace->text);
    pthread_cond_destroy(&trace->cond);
    pthread_mutex_destroy(&trace->mutex);
}

void trace_add(struct trace *trace, const char *format, ...)
{
    char word[256];
    va_list args;
    va_start(args, format);
    vsnprintf(word, sizeof(word), format, args);
    va_end(args);
    LOCK_SCOPE(&trace->mutex);
    buf_printf(&trace->text, "%s ", word);
    pthread_cond_broadcast(&trace->cond);
}

bool trace_wait(struct trace *trace, const char *part)
{
    int64_t deadline_ms = clock_mono_ms(clock_real()) + 20000;
    LOCK_SCOPE(&trace->mutex);
    while (!strstr(buf_text(&trace->text), part))
        if (!cond_wait_until(&trace->cond, &trace->mutex, deadline_ms))
            return strstr(buf_text(&trace->text), part) != NULL;
    return true;
}
