/* arguments: the command line, validated once.
 *
 * Model: PURE. An enclave image fixes its entry point, so the command line is part of what is measured;
 * nothing is read from the environment or from files that the host could supply. Threads: none.   Ownership:
 * texts point into argv. Limits: none.   Errors: ERROR_INVALID with the flag's name and what would be right.
 */
#ifndef TEE_ATTESTER_ARGUMENTS_H
#define TEE_ATTESTER_ARGUMENTS_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { ARGUMENTS_HOST_SIZE = 48 };

enum arguments_listen { LISTEN_VSOCK, LISTEN_TCP, LISTEN_UNIX };

struct arguments {
    enum arguments_listen listen;
    char host[ARGUMENTS_HOST_SIZE]; /* of TCP: an IPv4 address */
    uint32_t port;
    const char *path; /* of unix */
    const char *user_data_file;
    char *const *program; /* NULL-terminated; NULL = none */
    bool show_version;
    bool show_help;
};

MUST_CHECK int arguments_parse(int argc, char *const *argv, struct arguments *ret_arguments,
                               struct error *err);
void arguments_print_help(FILE *out);

#endif
