/* The process's own streams, clock and environment. */
#include "program.h"

#include <signal.h>
#include <stdlib.h>

static const char *process_env(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

int main(int argc, char **argv)
{
    struct program program = {
        .in = stdin, .out = stdout, .err = stderr, .clock = clock_real(), .get_env = process_env};
    signal(SIGPIPE, SIG_IGN);
    return program_run(&program, argc, argv);
}
