/* credentials_process: keys that a program prints.
 *
 * Model: the command line is split by blanks, with single and double quotes and backslashes as a shell has
 * them; there is no shell, no variable and no pattern. The program runs in a process group of its own, with
 * no input and without our open files; what it says on its error output goes nowhere. It prints a JSON object
 * with Version 1, AccessKeyId, SecretAccessKey, and maybe SessionToken and Expiration.
 * Threads: any.   Ownership: all borrowed, the caller gets a reference.   Limits: 10 s, 64 KiB of output, 64
 * arguments; past them the whole group is killed. Errors: ERROR_INVALID (BadProcess: the line, no such
 * program, the output's form), ERROR_UNAVAILABLE (ProcessFailed: exit code, time), ERROR_STOPPED. */
#ifndef TEE_NITRO_CREDENTIALS_PROCESS_H
#define TEE_NITRO_CREDENTIALS_PROCESS_H

#include "nitro/credentials.h"

enum { PROCESS_ARGUMENTS_MAX = 64 };

/* ret_arguments ends with NULL; free each. Untouched on failure. */
MUST_CHECK int process_split(const char *line, char *ret_arguments[PROCESS_ARGUMENTS_MAX + 1],
                             struct error *err);
MUST_CHECK int credentials_from_process(const struct aws_credentials_options *options, const char *line,
                                        struct aws_identity **ret_identity, struct error *err);

#endif
