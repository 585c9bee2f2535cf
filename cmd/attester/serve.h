/* serve: the loop that reads requests and writes answers.
 *
 * Model: one thread, a handful of connections, each with a deadline: a request of 4 KiB at most comes in, one
 * answer goes out, the connection ends. When all places are taken, a new connection takes that of the one
 * that has been sending its request for longest, so that nobody is locked out by those who drip. Threads: the
 * caller's, until the end. Ownership: borrows all.   Limits: SERVE_CONNECTIONS_MAX, SERVE_DEADLINE_MS.
 * Errors: none; a connection that fails is dropped. */
#ifndef TEE_ATTESTER_SERVE_H
#define TEE_ATTESTER_SERVE_H

#include "attester.h"
#include "child.h"

enum { SERVE_CONNECTIONS_MAX = 16, SERVE_DEADLINE_MS = 5000 };

/* Returns the exit code of the program when child.h says that it is over. */
int serve(int listen_fd, struct attester *attester, struct child *child);

#endif
