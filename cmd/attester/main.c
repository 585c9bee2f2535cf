/* tee-attester: runs inside a Nitro enclave and answers `Native` attestation requests. See docs/attester.md.
 *
 * Everything is opened before the application starts, so that an image that cannot be attested does not run.
 */
#include "arguments.h"
#include "listener.h"
#include "serve.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int complain(const struct error *err, int exit_code)
{
    fprintf(stderr, "tee-attester: %s\n", err->text);
    return exit_code;
}

static int run(const struct arguments *arguments, struct attester *attester, int listen_fd)
{
    struct child child;
    struct error err;
    char where[160];
    int exit_code = EXIT_FAILED;
    if (child_init(&child, &err) < 0)
        return complain(&err, EXIT_FAILED);
    listener_describe(arguments, listen_fd, where, sizeof(where));
    fprintf(stderr, "tee-attester: listening on %s\n", where);
    if (arguments->program && child_start(&child, arguments->program, &exit_code, &err) < 0)
        complain(&err, exit_code);
    else
        exit_code = serve(listen_fd, attester, &child);
    child_done(&child);
    return exit_code;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct error err;
    int listen_fd = -1;
    if (arguments_parse(argc, argv, &arguments, &err) < 0)
        return complain(&err, EXIT_USAGE);
    if (arguments.show_help || arguments.show_version) {
        if (arguments.show_help)
            arguments_print_help(stdout);
        else
            puts("tee-attester " TEE_VERSION);
        return 0;
    }
    /* No core dump, and no other process of this user reads the memory that holds the key. */
    prctl(PR_SET_DUMPABLE, 0);
    struct attester *attester = attester_new(arguments.user_data_file, &err);
    if (!attester)
        return complain(&err, err.kind == ERROR_INVALID ? EXIT_USAGE : EXIT_FAILED);
    if (listener_open(&arguments, &listen_fd, &err) < 0) {
        attester_free(attester);
        return complain(&err, err.kind == ERROR_INVALID ? EXIT_USAGE : EXIT_FAILED);
    }
    int exit_code = run(&arguments, attester, listen_fd);
    close(listen_fd);
    if (arguments.path)
        unlink(arguments.path);
    attester_free(attester);
    return exit_code;
}
