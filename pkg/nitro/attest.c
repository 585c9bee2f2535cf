/* The order of the steps, and nothing else; each step is in the file of its name. */
#include "nitro/attest.h"

#include "base/encoding.h"
#include "nitro/cose.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

/* A document on its way through the steps. */
struct candidate {
    struct cose cose;
    struct attest_doc doc;
    struct attest_chain chain;
    struct attest_findings findings;
};

static void candidate_done(struct candidate *candidate)
{
    attest_chain_done(&candidate->chain);
}

static int check_genuine(const void *document, size_t len, const struct attest_policy *policy,
                         struct candidate *candidate, struct error *err)
{
    struct attest_trust trust = {.roots = policy->roots,
                                 .cache = policy->cache,
                                 .now_ms = policy->at_document_time ? 0 : policy->now_ms};
    if (len < 1 || len > ATTEST_DOCUMENT_MAX)
        return attest_refuse(err, ATTEST_MALFORMED_DOCUMENT, "the document has %zu bytes", len);
    if (cose_parse(document, len, &candidate->cose, err) < 0)
        return -1;
    if (attest_doc_parse(candidate->cose.payload, candidate->cose.payload_len, &candidate->doc, err) < 0)
        return -1;
    if (attest_chain_verify(&candidate->doc, &trust, &candidate->chain, err) < 0)
        return -1;
    return cose_verify(&candidate->cose, candidate->chain.leaf_key, err);
}

static int check_policy(const struct attest_policy *policy, struct candidate *candidate, struct error *err)
{
    const struct attest_doc *doc = &candidate->doc;
    struct attest_findings *findings = &candidate->findings;
    if (attest_policy_check_time(policy, doc, err) < 0)
        return -1;
    if (attest_policy_check_nonce(policy, doc, findings, err) < 0)
        return -1;
    if (attest_policy_check_binding(policy, doc, &candidate->chain, findings, err) < 0)
        return -1;
    if (attest_policy_check_debug(policy, doc, findings, err) < 0)
        return -1;
    if (attest_policy_check_measurements(policy, doc, findings, err) < 0)
        return -1;
    return attest_policy_check_keys(policy, doc, err);
}

static void copy_claims(const struct candidate *candidate, struct attest_result *result)
{
    const struct attest_doc *doc = &candidate->doc;
    result->has_claims = true;
    memcpy(result->module_id, doc->module_id.data, doc->module_id.len);
    result->document_timestamp_ms = doc->timestamp_ms;
    for (int i = 0; i < ATTEST_PCR_COUNT; i++) {
        if (!doc->pcrs[i])
            continue;
        result->pcr_mask |= UINT32_C(1) << i;
        memcpy(result->pcrs[i], doc->pcrs[i], ATTEST_PCR_BYTES);
    }
    if (doc->public_key.data)
        memcpy(result->public_key, doc->public_key.data, doc->public_key.len);
    result->public_key_len = doc->public_key.len;
    result->has_user_data = doc->user_data.data != NULL;
    if (result->has_user_data)
        sha256(doc->user_data.data, doc->user_data.len, result->user_data_sha256);
    result->leaf_not_after_ms = candidate->chain.leaf_not_after_ms;
    memcpy(result->root_sha256, candidate->chain.root_sha256, sizeof(result->root_sha256));
    result->unknown_keys = doc->unknown_keys;
}

static void copy_findings(const struct attest_findings *findings, const struct attest_policy *policy,
                          struct attest_result *result)
{
    memcpy(result->instance_id, findings->instance_id, sizeof(result->instance_id));
    memcpy(result->region, findings->region, sizeof(result->region));
    result->launched_at_ms = findings->launched_at_ms;
    result->nonce_verified = findings->is_nonce_verified;
    result->instance_bound = findings->is_instance_bound;
    result->role_bound = findings->is_role_bound;
    result->matched_measurement = findings->matched;
    if (findings->matched >= 0)
        snprintf(result->matched_name, sizeof(result->matched_name), "%s",
                 policy->measurements[findings->matched].name);
}

static enum attest_verdict verdict_of(const struct attest_findings *findings)
{
    if (findings->is_debug)
        return ATTEST_DEBUG;
    if (findings->matched < 0)
        return ATTEST_MEASURED_ONLY;
    return findings->is_nonce_verified ? ATTEST_VERIFIED : ATTEST_VERIFIED_WITHOUT_NONCE;
}

/* The four ways to be genuine, and what there is to say of each. */
static void explain(struct attest_result *result)
{
    static const struct {
        enum attest_reason reason;
        const char *message;
    } texts[] = {
        [ATTEST_VERIFIED] = {ATTEST_REASON_NONE, "the enclave runs an expected image"},
        [ATTEST_VERIFIED_WITHOUT_NONCE] = {ATTEST_REASON_NONE,
                                           "the enclave runs an expected image; no nonce proves freshness"},
        [ATTEST_MEASURED_ONLY] = {ATTEST_NO_EXPECTED_PCRS,
                                  "the document is genuine, but no expected PCRs are given"},
        [ATTEST_DEBUG] = {ATTEST_DEBUG_ENCLAVE, "the document is genuine; the enclave runs in debug mode"},
    };
    result->reason = texts[result->verdict].reason;
    snprintf(result->message, sizeof(result->message), "%s", texts[result->verdict].message);
}

void attest_verify(const void *document, size_t len, const struct attest_policy *policy,
                   struct attest_result *ret_result)
{
    CLEANUP(candidate_done) struct candidate candidate = {.findings = {.matched = -1}};
    struct attest_result result = {.verdict = ATTEST_REJECTED, .matched_measurement = -1};
    struct error err = {.kind = ERROR_NONE};
    sha256(document, len, result.document_sha256);
    int failed = check_genuine(document, len, policy, &candidate, &err);
    if (failed == 0) {
        copy_claims(&candidate, &result);
        failed = check_policy(policy, &candidate, &err);
        copy_findings(&candidate.findings, policy, &result);
    }
    if (failed == 0) {
        result.verdict = verdict_of(&candidate.findings);
        explain(&result);
    } else {
        result.reason = attest_reason_find(err.reason);
        snprintf(result.message, sizeof(result.message), "%s", err.text);
    }
    /* What OpenSSL noted about a bad document must not look like an error of this thread's next TLS call. */
    ERR_clear_error();
    *ret_result = result;
}

const char *attest_verdict_name(enum attest_verdict verdict)
{
    static const char *const names[] = {
        [ATTEST_REJECTED] = "Rejected",
        [ATTEST_VERIFIED] = "Verified",
        [ATTEST_VERIFIED_WITHOUT_NONCE] = "VerifiedWithoutNonce",
        [ATTEST_MEASURED_ONLY] = "MeasuredOnly",
        [ATTEST_DEBUG] = "Debug",
    };
    return names[verdict];
}

const char *attest_result_reason(const struct attest_result *result)
{
    bool has_reason = result->reason != ATTEST_REASON_NONE;
    return has_reason ? attest_reason_name(result->reason) : attest_verdict_name(result->verdict);
}
