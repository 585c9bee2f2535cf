/* Nothing but the way to the subcommand and from its error to a line. */
#include "program.h"

#include "base/mem.h"
#include "printable.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 4096 };

static const struct command *const commands[] = {
    &verify_command, &measure_command, &pin_command, &show_command, &iam_command,
};

static void print_line(FILE *out, const char *prefix, const char *text)
{
    CLEANUP(buf_done) struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    printable_put(&line, text);
    fprintf(out, "%s%s\n", prefix, buf_text(&line));
}

int program_print(struct program *program, const struct buf *text, struct error *err)
{
    if (!buf_is_ok(text))
        return error_set(err, ERROR_INVALID, "TooLong", "the output is longer than %zu bytes", text->max);
    if (fwrite(buf_text(text), 1, text->len, program->out) != text->len || fflush(program->out) != 0)
        return error_set(err, ERROR_UNAVAILABLE, "WriteFailed", "the output cannot be written");
    return 0;
}

void program_warn(struct program *program, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    print_line(program->err, "warning: ", text);
}

static void print_usage(FILE *out)
{
    fputs("kubectl-tee checks what runs in an enclave, without trust in the controller.\n\n"
          "Usage: kubectl tee COMMAND [flags]\n\n",
          out);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(out, "  %-8s %-10s %s\n", commands[i]->name, commands[i]->argument, commands[i]->summary);
    fputs("\nkubectl tee COMMAND --help says more; --version prints the version.\n"
          "Exit codes: 0 verified or done, 1 rejected, 2 usage, input or output.\n",
          out);
}

static void print_command_help(const struct command *command, FILE *out)
{
    fprintf(out, "%s.\n\nUsage: kubectl tee %s%s%s [flags]\n\n%s\n\n", command->summary, command->name,
            command->argument[0] ? " " : "", command->argument, command->text);
    flags_print_help(command->flags, out);
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int fail_usage(struct program *program, const struct error *err, const char *command)
{
    print_line(program->err, "error: ", err->text);
    fprintf(program->err, "See 'kubectl tee %s%s--help' for usage.\n", command, command[0] ? " " : "");
    return EXIT_USAGE;
}

int program_fail(struct program *program, const struct error *err)
{
    bool is_from_server = strncmp(err->text, PROGRAM_SERVER_ERROR, strlen(PROGRAM_SERVER_ERROR)) == 0;
    print_line(program->err, is_from_server ? "" : "error: ", err->text);
    return EXIT_USAGE;
}

static int run_command(struct program *program, const struct command *command, int count, char **args)
{
    CLEANUP(freep) struct flags *flags = mem_calloc(1, sizeof(*flags));
    struct error err = {0};
    if (flags_parse(count, args, command->flags, flags, &err) < 0)
        return fail_usage(program, &err, command->name);
    if (flags->show_help) {
        print_command_help(command, program->out);
        return EXIT_VERIFIED;
    }
    if (command->needs_argument && !flags->argument) {
        error_set(&err, ERROR_INVALID, "BadFlag", "%s is missing", command->argument);
        return fail_usage(program, &err, command->name);
    }
    int result = command->run(program, flags, &err);
    return result < 0 ? program_fail(program, &err) : result;
}

int program_run(struct program *program, int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    struct error err = {0};
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_usage(program->out);
        return EXIT_VERIFIED;
    }
    if (strcmp(name, "--version") == 0) {
        fputs("kubectl-tee " TEE_VERSION "\n", program->out);
        return EXIT_VERIFIED;
    }
    const struct command *command = find(name);
    if (command)
        return run_command(program, command, argc - 2, argv + 2);
    if (!name[0]) {
        print_usage(program->err);
        return EXIT_USAGE;
    }
    error_set(&err, ERROR_INVALID, "BadFlag", "unknown %s %.80s", name[0] == '-' ? "flag" : "command", name);
    return fail_usage(program, &err, "");
}
