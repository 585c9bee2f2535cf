/* trace: what happened, as words in one line, that a test waits for and compares.
 *
 * Threads: any.   Ownership: init/done in the caller's memory.   Limits: 64 KiB.   Errors: asserts. */
#ifndef TEE_TEST_TRACE_H
#define TEE_TEST_TRACE_H

#include "base/buf.h"
#include "base/thread.h"

#include <stdbool.h>

struct trace {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    struct buf text;
};

void trace_init(struct trace *trace);
void trace_done(struct trace *trace);
/* Adds "word ". */
void trace_add(struct trace *trace, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Waits until the text contains part; false after 20 s. */
bool trace_wait(struct trace *trace, const char *part);

#endif
