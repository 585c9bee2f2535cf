/* pin NAME: what runs now as the block of expected measurements. */
#include "base/mem.h"
#include "check.h"
#include "measurements.h"
#include "program.h"

#include <string.h>

/* Verdicts after which the document is known to be genuine, fresh and of this instance; only what it should
 * measure was not said, or said otherwise. */
static bool is_pinnable(const struct tee_attestation_status *status)
{
    static const char *const words[] = {"Verified", "VerifiedWithoutNonce", "NoExpectedPCRs", "PCRMismatch",
                                        "MeasurementExpired"};
    const char *word = status->reason ? status->reason : status->verdict;
    for (size_t i = 0; word && i < ARRAY_LEN(words); i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

static int refuse(const struct object *object, struct error *err)
{
    const struct tee_attestation_status *status = &object->deployment->status.attestation;
    const char *word = status->reason ? status->reason : status->verdict;
    if (!status->verdict || !object->evidence)
        return error_set(err, ERROR_ABSENT, "NoEvidence",
                         "%.100s holds no evidence of what runs now; kubectl tee show says what is awaited",
                         object->deployment->key);
    return error_set(err, ERROR_UNTRUSTED, "NotPinnable",
                     "%.100s must not be pinned: the verdict is %.60s: %.80s", object->deployment->key, word,
                     status->message ? status->message : "");
}

/* Chain, signature and instance; which image it is, is the question here and no condition. */
static int check_evidence(struct program *program, const struct flags *flags, const struct object *object,
                          struct attest_result *ret_result, struct error *err)
{
    CLEANUP(attest_roots_done) struct attest_roots roots;
    CLEANUP(freep) struct check *check = mem_calloc(1, sizeof(*check));
    CLEANUP(arena_done) struct arena arena;
    struct check_input input = {.document = object->evidence,
                                .len = object->evidence_len,
                                .object = object,
                                .roots = &roots,
                                .flags = flags,
                                .now_ms = clock_wall_ms(program->clock)};
    arena_init(&arena);
    attest_roots_init(&roots);
    if (check_load_roots(flags, &roots, err) < 0 || check_run(&input, &arena, check, err) < 0)
        return -1;
    *ret_result = check->result;
    enum attest_reason reason = check->result.reason;
    bool is_about_image = reason == ATTEST_NO_EXPECTED_PCRS || reason == ATTEST_PCR_MISMATCH ||
                          reason == ATTEST_MEASUREMENT_EXPIRED;
    if (reason != ATTEST_REASON_NONE && !is_about_image)
        return error_set(err, ERROR_UNTRUSTED, "BadEvidence",
                         "the evidence of %.80s is rejected: %.30s: %.120s", object->deployment->key,
                         attest_reason_name(reason), check->result.message);
    if (check->difference_count > 0)
        return error_set(err, ERROR_UNTRUSTED, "StatusMismatch",
                         "status does not agree with its evidence: %s", check->differences[0]);
    if (check->reason && strcmp(check->reason, "Lapsed") == 0)
        return error_set(err, ERROR_UNTRUSTED, "Lapsed", "%.100s must not be pinned: its verdict has lapsed",
                         object->deployment->key);
    return 0;
}

static void put_block(const struct flags *flags, const struct attest_result *result,
                      const char *fallback_name, struct buf *text)
{
    const uint8_t *const values[] = {result->pcrs[0], result->pcrs[1], result->pcrs[2], result->pcrs[8]};
    struct attest_pcr pcrs[MEASUREMENTS_PCRS_MAX];
    size_t count;
    CLEANUP(buf_done) struct buf data;
    buf_init(&data, OUTPUT_MAX);
    measurements_fill(values, pcrs, &count);
    if (flags->format == OUTPUT_TEXT) {
        measurements_put_text(pcrs, count, text);
        return;
    }
    measurements_put_data(flags->set_name ? flags->set_name : fallback_name, pcrs, count, &data);
    output_data(flags->format == OUTPUT_JSON ? OUTPUT_JSON : OUTPUT_YAML, &data, text);
}

/* "pinned-" and the start of PCR0: another image gets another name by itself. */
static void name_set(const struct attest_result *result, char ret_name[MEASUREMENTS_NAME_SIZE])
{
    const uint8_t *pcr0 = result->pcrs[0];
    snprintf(ret_name, MEASUREMENTS_NAME_SIZE, "pinned-%02x%02x%02x%02x", pcr0[0], pcr0[1], pcr0[2], pcr0[3]);
}

static int pin_run(struct program *program, const struct flags *flags, struct error *err)
{
    CLEANUP(object_freep) struct object *object = NULL;
    CLEANUP(freep) struct attest_result *result = mem_calloc(1, sizeof(*result));
    CLEANUP(buf_done) struct buf text;
    char name[MEASUREMENTS_NAME_SIZE];
    buf_init(&text, OUTPUT_MAX);
    if (object_fetch(program, flags, flags->argument, &object, err) < 0)
        return -1;
    bool is_rejected = !object->evidence || !is_pinnable(&object->deployment->status.attestation);
    if (is_rejected ? refuse(object, err) : check_evidence(program, flags, object, result, err)) {
        if (err->kind != ERROR_UNTRUSTED)
            return -1;
        program_fail(program, err);
        return EXIT_REJECTED;
    }
    name_set(result, name);
    put_block(flags, result, name, &text);
    program_warn(program,
                 "this declares what %s runs now as expected. It proves nothing about where that image "
                 "comes from: compare with `kubectl tee measure` of the image that you built.",
                 object->deployment->key);
    return program_print(program, &text, err) < 0 ? -1 : EXIT_VERIFIED;
}

static const char *const flag_names[] = {"kubeconfig", "context", "namespace", "output",
                                         "root",       "name",    NULL};

const struct command pin_command = {
    .name = "pin",
    .argument = "NAME",
    .summary = "Print what runs now as expected measurements",
    .text =
        "NAME is a TeeDeployment. Its stored evidence is verified (chain, signature, instance) and its PCRs "
        "are\n"
        "printed as the block that goes under spec.attestation. That declares what runs now as expected; it\n"
        "proves nothing about where the image comes from. To know that, build the image and compare with\n"
        "kubectl tee measure. Evidence that was rejected for more than its measurements is not pinned.",
    .needs_argument = true,
    .flags = flag_names,
    .run = pin_run,
};
