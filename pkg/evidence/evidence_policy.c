/* Field by field, in the order of the checks. */
#include "evidence/evidence_policy.h"

#include "base/encoding.h"

#include <string.h>

static void fill_set(const struct tee_measurement *from, struct attest_measurement *to,
                     struct attest_pcr *pcrs)
{
    *to = (struct attest_measurement){.name = from->name,
                                      .pcrs = pcrs,
                                      .not_before_ms = from->not_before_ms,
                                      .not_after_ms = from->not_after_ms};
    for (size_t i = 0; i < from->pcr_count && i < ATTEST_PCR_COUNT; i++) {
        pcrs[i].index = (unsigned)from->pcrs[i].index;
        /* A value that is not hex matches nothing: it stays in the set as an impossible one. */
        if (hex_decode(from->pcrs[i].sha384, pcrs[i].value, ATTEST_PCR_BYTES) < 0)
            memset(pcrs[i].value, 0xff, ATTEST_PCR_BYTES);
        to->pcr_count++;
    }
}

static int fill_digest(const char *text, const char *field, uint8_t digest[32], const uint8_t **ret,
                       struct error *err)
{
    if (!text)
        return 0;
    if (hex_decode(text, digest, 32) < 0)
        return error_set(err, ERROR_INVALID, "Invalid", "spec.attestation.%s must be 64 hex digits", field);
    *ret = digest;
    return 0;
}

static void fill_role(const struct evidence_want *want, struct attest_policy *policy)
{
    policy->role_arn = want->spec->instance_role_arn;
    if (policy->role_arn)
        policy->role_check = ATTEST_ROLE_ARN;
    else
        policy->role_check = want->has_profile ? ATTEST_ROLE_UNCHECKED : ATTEST_ROLE_NONE;
}

const struct attest_protocol *evidence_protocol(const struct tee_attestation_spec *spec)
{
    const char *name = attest_protocol_names[spec->protocol];
    return name ? attest_protocol_find(name) : NULL;
}

int evidence_policy_fill(const struct evidence_want *want, struct evidence_policy *ret_policy,
                         struct error *err)
{
    const struct tee_attestation_spec *spec = want->spec;
    const struct attest_protocol *protocol = evidence_protocol(spec);
    struct attest_policy *policy = &ret_policy->policy;
    *policy = (struct attest_policy){
        .roots = want->roots,
        .now_ms = want->now_ms,
        .max_age_ms = (int64_t)spec->max_age_seconds * 1000,
        .instance_id = want->instance_id,
        /* A preset without a nonce is not rejected for it: VerifiedWithoutNonce is a verdict, and whoever
         * asked says what for. */
        .require_nonce = protocol && protocol->nonce_bytes > 0,
        .allow_debug = want->allow_debug,
        .measurements = ret_policy->sets,
        .measurement_count = spec->measurement_count,
    };
    fill_role(want, policy);
    for (size_t i = 0; i < spec->measurement_count; i++)
        fill_set(&spec->measurements[i], &ret_policy->sets[i], ret_policy->pcrs[i]);
    if (fill_digest(spec->user_data_sha256, "userDataSHA256", ret_policy->user_data_sha256,
                    &policy->user_data_sha256, err) < 0)
        return -1;
    return fill_digest(spec->public_key_sha256, "publicKeySHA256", ret_policy->public_key_sha256,
                       &policy->public_key_sha256, err);
}
