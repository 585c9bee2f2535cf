/* process: runs a program for what it prints.
 *
 * Model: no shell: the program is looked for in PATH and gets its arguments as they are. It runs in a process
 * group of its own, with no input and without our open files; what it says on its error output goes nowhere,
 * because it may be a secret. It must close its output and end with exit code 0 within the time; past a bound
 * the whole group is killed.
 * Threads: any.   Ownership: all borrowed; the output is appended to the caller's buf, whose memory the
 * caller wipes.   Limits: the time, the buf's ceiling.   Errors: ERROR_INVALID (BadProcess: no such program),
 * ERROR_UNAVAILABLE (ProcessFailed: exit code, signal, time, too much output), ERROR_STOPPED. */
#ifndef TEE_BASE_PROCESS_H
#define TEE_BASE_PROCESS_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/thread.h"

struct process {
    const char *what;         /* the setting that names the program, for messages */
    char *const *arguments;   /* the program first, NULL at the end */
    char *const *environment; /* NULL: ours */
    int64_t timeout_ms;
    struct stop *stop; /* may be NULL */
};

MUST_CHECK int process_run(const struct process *process, struct buf *out, struct error *err);

#endif
