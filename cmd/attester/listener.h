/* listener: the socket that requests come in through.
 *
 * Model: one non-blocking listening socket on vsock, or on TCP or a unix path where there is no vsock.
 * Threads: none. Ownership: the file descriptor is the caller's.   Limits: a backlog of 64. Errors:
 * ERROR_INVALID for an address that is none, ERROR_UNAVAILABLE when the system refuses; both name the
 * address. */
#ifndef TEE_ATTESTER_LISTENER_H
#define TEE_ATTESTER_LISTENER_H

#include "arguments.h"

MUST_CHECK int listener_open(const struct arguments *arguments, int *ret_fd, struct error *err);
/* For people: "vsock:1300", or with the port that was chosen for tcp:ADDRESS:0. */
void listener_describe(const struct arguments *arguments, int fd, char *ret_text, size_t size);

#endif
