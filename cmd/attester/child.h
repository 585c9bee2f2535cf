/* child: the application that the attester starts, where it is the image's first program.
 *
 * Model: signals are blocked before anything is started and read from a file descriptor. child_handle() reaps
 * every child that ended, ours or one that was left to us as PID 1, passes other signals on to the
 * application, and says when the application has ended. Without an application, a signal to end ends the
 * attester. Threads: one. Ownership: the caller's memory.   Limits: none.   Errors: as named. */
#ifndef TEE_ATTESTER_CHILD_H
#define TEE_ATTESTER_CHILD_H

#include "base/cleanup.h"
#include "base/error.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct child {
    pid_t pid; /* 0 = no application */
    int signal_fd;
    sigset_t old_mask;
};

MUST_CHECK int child_init(struct child *child, struct error *err);
void child_done(struct child *child);
/* On failure *ret_exit_code is that of a shell: 127 not found, 126 not to be executed. */
MUST_CHECK int child_start(struct child *child, char *const *program, int *ret_exit_code, struct error *err);
/* When signal_fd is readable. True: it is over, with *ret_exit_code (128 + n after signal n). */
bool child_handle(struct child *child, int *ret_exit_code);

#endif
