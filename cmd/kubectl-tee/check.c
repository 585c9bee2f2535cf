/* Policy, verification, comparison, last word: in this order. */
#include "check.h"

#include "base/encoding.h"
#include "base/file.h"
#include "compare.h"

#include <string.h>

enum { ROOT_FILE_MAX = 64 * 1024 };

int check_load_roots(const struct flags *flags, struct attest_roots *roots, struct error *err)
{
    if (flags->root_count == 0)
        attest_roots_add_g1(roots);
    for (size_t i = 0; i < flags->root_count; i++) {
        CLEANUP(buf_done) struct buf text;
        buf_init(&text, ROOT_FILE_MAX);
        if (file_read(flags->roots[i], &text, err) < 0)
            return error_wrap(err, "--root");
        if (attest_roots_add_pem(roots, buf_text(&text), err) < 0)
            return error_wrap(err, "--root %.150s", flags->roots[i]);
    }
    return 0;
}

/* Without an object nothing is expected but what flags say; role unchecked is what a profile without a role
 * in the spec means. */
static int fill_from_object(const struct check_input *input, struct evidence_policy *policy,
                            struct error *err)
{
    static const struct tee_attestation_spec nothing = {.protocol = ATTEST_ABSENT};
    const struct object *object = input->object;
    const struct evidence_want want = {
        .spec = object ? &object->effective.attestation : &nothing,
        .roots = input->roots,
        .instance_id = object ? object->instance.id : NULL,
        .has_profile = object ? object->effective.instance.iam_instance_profile != NULL : true,
        .allow_debug = false,
        .now_ms = input->now_ms,
    };
    return evidence_policy_fill(&want, policy, err);
}

static void apply_time(const struct check_input *input, struct attest_policy *policy)
{
    const struct flags *flags = input->flags;
    policy->at_document_time =
        flags->time == FLAGS_TIME_DOCUMENT || (flags->time == FLAGS_TIME_DEFAULT && !input->live);
    if (flags->time == FLAGS_TIME_GIVEN)
        policy->now_ms = flags->time_ms;
    if (flags->max_age_s > 0)
        policy->max_age_ms = (int64_t)flags->max_age_s * 1000;
}

static int apply_flags(const struct check_input *input, struct evidence_policy *policy, struct error *err)
{
    const struct flags *flags = input->flags;
    policy->policy.require_nonce = false; /* a stored document's nonce is known to who asked for it alone */
    if (flags->instance_id)
        policy->policy.instance_id = flags->instance_id;
    if (flags->role_arn) {
        policy->policy.role_check = ATTEST_ROLE_ARN;
        policy->policy.role_arn = flags->role_arn;
    }
    if (flags->has_nonce) {
        policy->policy.nonce = flags->nonce;
        policy->policy.nonce_len = flags->nonce_len;
    }
    if (flags->pcr_count == 0)
        return 0;
    policy->sets[0] =
        (struct attest_measurement){.name = "--pcr", .pcrs = flags->pcrs, .pcr_count = flags->pcr_count};
    if (!attest_measurement_counts(&policy->sets[0]))
        return error_set(
            err, ERROR_INVALID, "BadFlag",
            "--pcr must name PCR0, PCR1 and PCR2, or PCR8 of a signed image: the others do not say "
            "which image runs");
    policy->policy.measurement_count = 1;
    return 0;
}

static int fill_policy(const struct check_input *input, struct evidence_policy *policy, struct error *err)
{
    if (fill_from_object(input, policy, err) < 0 || apply_flags(input, policy, err) < 0)
        return -1;
    apply_time(input, &policy->policy);
    if (!input->live)
        return 0;
    const struct attest_protocol *protocol = evidence_protocol(&input->object->effective.attestation);
    attest_evidence_apply(input->live, &policy->policy);
    policy->policy.require_nonce = protocol && protocol->nonce_bytes > 0;
    return 0;
}

static void refuse(struct check *check, const char *reason, const char *message)
{
    check->reason = reason;
    check->message = message;
}

/* A verdict without a successor lapses by itself, also where no controller is left to say so. */
static bool is_lapsed(const struct check_input *input)
{
    const struct tee_attestation_status *status = &input->object->deployment->status.attestation;
    bool is_expired = status->verdict && strcmp(status->verdict, "Expired") == 0;
    return input->flags->time == FLAGS_TIME_DEFAULT &&
           (is_expired || (status->valid_until_ms > 0 && input->now_ms >= status->valid_until_ms));
}

static void conclude(const struct check_input *input, struct arena *arena, struct check *check)
{
    const struct attest_result *result = &check->result;
    bool is_good = result->verdict == ATTEST_VERIFIED || result->verdict == ATTEST_VERIFIED_WITHOUT_NONCE;
    const struct tee_attestation_status *status =
        check->is_compared ? &input->object->deployment->status.attestation : NULL;
    refuse(check, attest_result_reason(result), result->message);
    if (!is_good)
        return;
    if (check->difference_count > 0) {
        refuse(check, "StatusMismatch",
               arena_printf(arena, "status does not agree with its evidence: %s", check->differences[0]));
    } else if (status && compare_is_beyond_evidence(status)) {
        refuse(check, status->reason,
               arena_printf(arena, "the controller rejected this document for what only it can see: %s",
                            status->message ? status->message : ""));
    } else if (status && is_lapsed(input)) {
        refuse(check, "Lapsed",
               "the verdict is no longer valid and no newer one could be had; --at document checks the "
               "document all the same");
    } else {
        check->is_accepted = true;
        check->reason = NULL;
    }
}

int check_run(const struct check_input *input, struct arena *arena, struct check *ret_check,
              struct error *err)
{
    struct check *check = ret_check;
    memset(check, 0, sizeof(*check));
    if (input->object && input->object->deployment->invalid)
        return error_set(err, ERROR_INVALID, "Invalid", "the spec of %.80s cannot be acted upon: %.160s",
                         input->object->deployment->key, input->object->deployment->invalid);
    if (fill_policy(input, &check->policy, err) < 0)
        return -1;
    attest_verify(input->document, input->len, &check->policy.policy, &check->result);
    check->is_compared = input->object && !input->live;
    if (check->is_compared)
        check->difference_count = compare_status(input, &check->result, arena, check->differences);
    conclude(input, arena, check);
    return 0;
}
