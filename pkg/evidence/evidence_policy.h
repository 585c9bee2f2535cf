/* evidence_policy: from spec.attestation to what a document is compared with.
 *
 * Model: PURE. The spec holds text, pkg/nitro wants bytes, and the two layers do not know each other; this
 * one knows both. Whoever judges a document for an object, the controller or a person who repeats its check,
 * fills the policy here, so that both ask for the same. The nonce is not part of it: attest_evidence_apply()
 * puts it in. Threads: any.   Ownership: a filled policy points into itself (do not move it), into the spec
 * and into the roots. Limits: ATTEST_MEASUREMENTS_MAX sets of 32 PCRs. Errors: ERROR_INVALID, naming the
 * field. */
#ifndef TEE_EVIDENCE_EVIDENCE_POLICY_H
#define TEE_EVIDENCE_EVIDENCE_POLICY_H

#include "api/spec.h"
#include "nitro/attest_policy.h"
#include "nitro/attest_protocol.h"

/* What an object asks for; everything is borrowed. */
struct evidence_want {
    const struct tee_attestation_spec *spec;
    const struct attest_roots *roots;
    const char *instance_id; /* NULL = any */
    bool has_profile;        /* the instance was launched with an instance profile */
    bool allow_debug;        /* verdict Debug in place of a rejection */
    int64_t now_ms;
};

/* The policy in plain bytes, made from the spec's text. */
struct evidence_policy {
    struct attest_policy policy;
    struct attest_measurement sets[ATTEST_MEASUREMENTS_MAX];
    struct attest_pcr pcrs[ATTEST_MEASUREMENTS_MAX][ATTEST_PCR_COUNT];
    uint8_t user_data_sha256[32];
    uint8_t public_key_sha256[32];
};

/* NULL where the protocol is Disabled or absent. */
const struct attest_protocol *evidence_protocol(const struct tee_attestation_spec *spec);
MUST_CHECK int evidence_policy_fill(const struct evidence_want *want, struct evidence_policy *ret_policy,
                                    struct error *err);

#endif
