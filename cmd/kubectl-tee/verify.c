/* verify FILE|NAME: repeats the check of a document, or asks for a new one. */
#include "base/mem.h"
#include "check.h"
#include "document.h"
#include "http/client.h"
#include "program.h"
#include "verify_output.h"

#include <string.h>
#include <unistd.h>

enum { SECOND_LOOK_MS = 1000 };

static int report(struct program *program, const char *source, const struct check_input *input,
                  const struct check *check, struct error *err)
{
    const struct verify_report shown = {source, input, check};
    CLEANUP(buf_done) struct buf text, data;
    buf_init(&text, OUTPUT_MAX);
    buf_init(&data, OUTPUT_MAX);
    if (input->flags->format == OUTPUT_DEFAULT || input->flags->format == OUTPUT_TEXT) {
        verify_put_text(&shown, &text);
    } else {
        verify_put_data(&shown, &data);
        output_data(input->flags->format, &data, &text);
    }
    if (program_print(program, &text, err) < 0)
        return -1;
    return check->is_accepted ? EXIT_VERIFIED : EXIT_REJECTED;
}

/* Checks and reports. */
static int judge(struct program *program, const char *source, const struct check_input *input,
                 struct error *err)
{
    CLEANUP(freep) struct check *check = mem_calloc(1, sizeof(*check));
    CLEANUP(arena_done) struct arena arena;
    arena_init(&arena);
    if (check_run(input, &arena, check, err) < 0)
        return -1;
    return report(program, source, input, check, err);
}

static int verify_file(struct program *program, const struct flags *flags, struct check_input *input,
                       struct error *err)
{
    CLEANUP(buf_done) struct buf document;
    enum document_form form;
    buf_init(&document, DOCUMENT_FILE_MAX);
    if (flags->live || flags->address[0])
        return error_set(err, ERROR_INVALID, "BadFlag",
                         "--%s needs the name of a TeeDeployment, and '%.100s' is a file",
                         flags->live ? "live" : "address", flags->argument);
    if (document_load(flags->argument, program->in, &document, &form, err) < 0)
        return -1;
    input->document = buf_text(&document);
    input->len = document.len;
    bool is_stdin = strcmp(flags->argument, "-") == 0;
    CLEANUP(freep)
    char *source = mem_printf("%s %s (%s)", is_stdin ? "standard" : "file",
                              is_stdin ? "input" : flags->argument, document_form_name(form));
    return judge(program, source, input, err);
}

static int no_evidence(const struct object *object, struct error *err)
{
    const struct condition *attested = condition_find(&object->deployment->status.conditions, "Attested");
    return error_set(err, ERROR_ABSENT, "NoEvidence", "%.100s holds no evidence yet: %.60s: %.120s",
                     object->deployment->key, attested && attested->reason ? attested->reason : "Pending",
                     attested && attested->message ? attested->message : "no controller has looked at it");
}

/* Evidence and verdict are written one after the other: what does not agree is looked at once more. */
static int check_stored(struct program *program, struct object **object, struct check_input *input,
                        struct check *check, struct arena *arena, struct error *err)
{
    for (int look = 0;; look++) {
        if (!(*object)->evidence)
            return no_evidence(*object, err);
        input->object = *object;
        input->document = (*object)->evidence;
        input->len = (*object)->evidence_len;
        if (check_run(input, arena, check, err) < 0)
            return -1;
        if (check->difference_count == 0 || look > 0)
            return 0;
        struct stop stop;
        struct object *newer = NULL;
        stop_init(&stop);
        (void)stop_wait(&stop, SECOND_LOOK_MS);
        stop_done(&stop);
        if (object_fetch(program, input->flags, input->flags->argument, &newer, err) < 0)
            return -1;
        object_free(*object);
        *object = newer;
    }
}

static int verify_stored(struct program *program, struct object **object, struct check_input *input,
                         struct error *err)
{
    CLEANUP(freep) struct check *check = mem_calloc(1, sizeof(*check));
    CLEANUP(arena_done) struct arena arena;
    arena_init(&arena);
    if (check_stored(program, object, input, check, &arena, err) < 0)
        return -1;
    CLEANUP(freep)
    char *source = mem_printf("status.attestation.evidence of %s", (*object)->deployment->key);
    return report(program, source, input, check, err);
}

static int fetch(const struct object *object, const struct flags *flags, struct attest_evidence *evidence,
                 struct error *err)
{
    const struct tee_attestation_spec *spec = &object->effective.attestation;
    struct attest_fetch request = {
        .protocol = evidence_protocol(spec),
        .address = flags->address[0] ? flags->address : object->instance.private_ip,
        .port = (uint16_t)(flags->port ? flags->port : spec->port),
    };
    if (!request.protocol)
        return error_set(err, ERROR_INVALID, "Disabled", "%.100s: attestation is disabled",
                         object->deployment->key);
    if (!request.address)
        return error_set(err, ERROR_ABSENT, "NoAddress",
                         "%.100s has no private address yet; --address IP[:PORT] names another",
                         object->deployment->key);
    struct http_client *client = http_client_new();
    int result = attest_fetch(client, &request, evidence, err);
    http_client_free(client);
    if (result == 0)
        return 0;
    return error_wrap(err, "--live at %.40s:%u", request.address,
                      request.port ? request.port : request.protocol->port);
}

static int judge_answer(struct program *program, const struct object *object,
                        const struct attest_evidence *evidence, struct check_input *input, struct error *err)
{
    const char *address = input->flags->address[0] ? input->flags->address : object->instance.private_ip;
    const char *key = object->deployment->key;
    if (evidence->answer == ATTEST_ANSWER_BOOTING)
        return error_set(err, ERROR_UNAVAILABLE, "Booting", "%.100s is still booting (phase %.30s, %lld s)",
                         key, native_phase_name(evidence->boot.phase), (long long)evidence->boot.seconds);
    if (evidence->answer == ATTEST_ANSWER_REFUSED)
        return error_set(err, ERROR_UNAVAILABLE, "Refused", "%.100s: %.40s answered with HTTP status %ld",
                         key, address, evidence->status);
    CLEANUP(freep) char *source = mem_printf("new, from %s for %s", address, key);
    input->object = object;
    input->live = evidence;
    input->now_ms = clock_wall_ms(program->clock);
    input->document = buf_text(&evidence->document);
    input->len = evidence->document.len;
    return judge(program, source, input, err);
}

/* An answer that breaks the protocol is a rejected document, not an absent one. */
static int verify_live(struct program *program, const struct object *object, struct check_input *input,
                       struct error *err)
{
    struct attest_evidence evidence = {0};
    if (input->flags->has_nonce)
        return error_set(err, ERROR_INVALID, "BadFlag",
                         "--live asks with a nonce of its own; leave --nonce out");
    if (fetch(object, input->flags, &evidence, err) < 0) {
        if (strcmp(err->reason, "MalformedDocument") != 0)
            return -1;
        program_warn(program, "%s", err->text);
    }
    int result = judge_answer(program, object, &evidence, input, err);
    attest_evidence_done(&evidence);
    return result;
}

static bool is_file(const char *argument)
{
    return strcmp(argument, "-") == 0 || (!object_strip_kind(argument) && access(argument, F_OK) == 0);
}

static int verify_run(struct program *program, const struct flags *flags, struct error *err)
{
    CLEANUP(attest_roots_done) struct attest_roots roots;
    CLEANUP(object_freep) struct object *object = NULL;
    struct check_input input = {.roots = &roots, .flags = flags, .now_ms = clock_wall_ms(program->clock)};
    attest_roots_init(&roots);
    if (check_load_roots(flags, &roots, err) < 0)
        return -1;
    if (is_file(flags->argument))
        return verify_file(program, flags, &input, err);
    if (flags->address[0] && !flags->live)
        return error_set(err, ERROR_INVALID, "BadFlag", "--address goes with --live");
    if (object_fetch(program, flags, flags->argument, &object, err) < 0)
        return -1;
    return flags->live ? verify_live(program, object, &input, err)
                       : verify_stored(program, &object, &input, err);
}

static const char *const flag_names[] = {"kubeconfig",  "context",  "namespace", "output", "live",
                                         "address",     "at",       "root",      "pcr",    "nonce",
                                         "instance-id", "role-arn", "max-age",   NULL};

const struct command verify_command = {
    .name = "verify",
    .argument = "FILE|NAME",
    .summary = "Check an attestation document down to AWS's root",
    .text = "FILE is a document: raw, base64 or hex; - is standard input. NAME (or teed/NAME) is a "
            "TeeDeployment:\n"
            "the evidence in its status is checked against its spec, and its status against the evidence.\n"
            "With --live the enclave is asked for a new document, so that no controller need be trusted.\n\n"
            "A stored document is checked at its own time, and its nonce is known only to who asked for it: "
            "what\n"
            "fits is VerifiedWithoutNonce. Without expected PCRs nothing is verified (NoExpectedPCRs).\n"
            "Exit codes: 0 verified, 1 rejected (the last line says why), 2 usage, input or output.",
    .needs_argument = true,
    .flags = flag_names,
    .run = verify_run,
};
