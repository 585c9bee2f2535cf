/* show NAME: one read, one page. */
#include "show_output.h"

static int show_run(struct program *program, const struct flags *flags, struct error *err)
{
    CLEANUP(object_freep) struct object *object = NULL;
    CLEANUP(buf_done) struct buf text, data;
    buf_init(&text, OUTPUT_MAX);
    buf_init(&data, OUTPUT_MAX);
    if (object_fetch(program, flags, flags->argument, &object, err) < 0)
        return -1;
    if (flags->format == OUTPUT_DEFAULT || flags->format == OUTPUT_TEXT) {
        show_put_text(object, clock_wall_ms(program->clock), &text);
    } else {
        show_put_data(object, &data);
        output_data(flags->format, &data, &text);
    }
    return program_print(program, &text, err) < 0 ? -1 : EXIT_VERIFIED;
}

static const char *const flag_names[] = {"kubeconfig", "context", "namespace", "output", NULL};

const struct command show_command = {
    .name = "show",
    .argument = "NAME",
    .summary = "Show what is known of a TeeDeployment's enclave",
    .text = "NAME is a TeeDeployment. Shown is what its status says; nothing is verified (see verify).",
    .needs_argument = true,
    .flags = flag_names,
    .run = show_run,
};
