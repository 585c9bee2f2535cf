/* program: which subcommand runs, and what it may touch.
 *
 * Model: program_run() finds the subcommand in one table, parses its flags and runs it. A subcommand is a
 * file with one struct command; a new one is a file more and a line more in program.c. What a subcommand
 * prints goes to `out`, what is wrong to `err` as kubectl says it: one line that starts with "error: ".
 * Input, output, time and environment are given, so that a test runs the whole program in memory. Threads:
 * none. Ownership: all is borrowed. Limits: none.   Errors: exit codes. */
#ifndef TEE_KUBECTL_PROGRAM_H
#define TEE_KUBECTL_PROGRAM_H

#include "base/clock.h"
#include "base/error.h"
#include "flags.h"

#include <stdio.h>

/* How a text begins that is already as kubectl says it, and is printed without "error: ". */
#define PROGRAM_SERVER_ERROR "Error from server ("

enum program_exit { EXIT_VERIFIED = 0, EXIT_REJECTED = 1, EXIT_USAGE = 2 };

struct program {
    FILE *in;
    FILE *out;
    FILE *err;
    const struct clock *clock;
    const char *(*get_env)(void *ctx, const char *name);
    void *ctx;
};

struct command {
    const char *name;
    const char *argument; /* of the usage line */
    const char *summary;
    const char *text; /* the rest of --help */
    bool needs_argument;
    const char *const *flags; /* names, ends with NULL */
    /* Yields the exit code; -1 = err says what is wrong, which is exit 2. */
    int (*run)(struct program *program, const struct flags *flags, struct error *err);
};

extern const struct command verify_command, measure_command, pin_command, show_command, iam_command;

int program_run(struct program *program, int argc, char **argv);
/* Writes out what a command has put together; -1 if it did not fit or cannot be written. */
MUST_CHECK int program_print(struct program *program, const struct buf *text, struct error *err);
/* The error as a line on err; yields EXIT_USAGE. */
int program_fail(struct program *program, const struct error *err);
/* "warning: ..." on err, made harmless. */
void program_warn(struct program *program, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
