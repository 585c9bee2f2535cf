/* Each step stands alone; attest.c gives the order. Secrets and digests are compared in constant time. */
#include "nitro/attest_policy.h"

#include "base/encoding.h"
#include "nitro/attest_reason.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

enum { ROLE_ARN_MAX = 2048, MULTIHASH_PREFIX = 2 };

static const uint8_t zero_pcr[ATTEST_PCR_BYTES];

static bool equals(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

static bool is_zero(const uint8_t *pcr)
{
    return memcmp(pcr, zero_pcr, ATTEST_PCR_BYTES) == 0;
}

/* SHA-384(48 zero bytes | text): a PCR that was extended once. */
static bool pcr_measures(const uint8_t *pcr, const char *text)
{
    uint8_t message[ATTEST_PCR_BYTES + ROLE_ARN_MAX] = {0}, expected[SHA384_BYTES];
    size_t len = strlen(text);
    if (len > ROLE_ARN_MAX)
        return false;
    memcpy(message + ATTEST_PCR_BYTES, text, len);
    sha384(message, ATTEST_PCR_BYTES + len, expected);
    return equals(pcr, expected, sizeof(expected));
}

int attest_policy_check_time(const struct attest_policy *policy, const struct attest_doc *doc,
                             struct error *err)
{
    if (policy->at_document_time)
        return 0;
    int64_t max_age_ms = policy->max_age_ms > 0 ? policy->max_age_ms : ATTEST_MAX_AGE_MS;
    int64_t age_ms = policy->now_ms - doc->timestamp_ms;
    if (age_ms < -ATTEST_SKEW_MS)
        return attest_refuse(err, ATTEST_FROM_FUTURE, "the document is %lld s ahead of our clock",
                             (long long)(-age_ms / 1000));
    if (age_ms > max_age_ms)
        return attest_refuse(err, ATTEST_STALE, "the document is %lld s old, %lld s are allowed",
                             (long long)(age_ms / 1000), (long long)(max_age_ms / 1000));
    return 0;
}

int attest_policy_check_nonce(const struct attest_policy *policy, const struct attest_doc *doc,
                              struct attest_findings *findings, struct error *err)
{
    if (!policy->nonce) {
        if (policy->require_nonce)
            return attest_refuse(err, ATTEST_NONCE_MISSING, "no nonce was issued for this document");
        return 0;
    }
    if (!doc->nonce.data)
        return attest_refuse(err, ATTEST_NONCE_MISSING, "the document carries no nonce");
    if (doc->nonce.len != policy->nonce_len || !equals(doc->nonce.data, policy->nonce, policy->nonce_len))
        return attest_refuse(err, ATTEST_NONCE_MISMATCH, "the document answers another request");
    findings->is_nonce_verified = true;
    return 0;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* i-<8 or 17 hex digits>-enc<16 hex digits>, whose first 12 digits are the launch time in ms. */
static int parse_module_id(const struct attest_span *id, struct attest_findings *findings)
{
    enum { SUFFIX_LEN = 20, TIME_DIGITS = 12 };
    if (id->len != 2 + 17 + SUFFIX_LEN && id->len != 2 + 8 + SUFFIX_LEN)
        return -1;
    size_t instance_len = id->len - SUFFIX_LEN;
    const uint8_t *suffix = id->data + instance_len;
    if (memcmp(id->data, "i-", 2) != 0 || memcmp(suffix, "-enc", 4) != 0)
        return -1;
    int64_t launched_at_ms = 0;
    for (size_t i = 2; i < id->len; i++) {
        bool is_in_enc = i >= instance_len && i < instance_len + 4;
        if (!is_in_enc && hex_value(id->data[i]) < 0)
            return -1;
    }
    for (size_t i = 0; i < TIME_DIGITS; i++)
        launched_at_ms = launched_at_ms << 4 | hex_value(suffix[4 + i]);
    memcpy(findings->instance_id, id->data, instance_len);
    findings->instance_id[instance_len] = '\0';
    findings->launched_at_ms = launched_at_ms;
    return 0;
}

/* The leaf is <module_id>.<region>.aws, and its CA must name the same instance and region. */
static int parse_names(const struct attest_span *module_id, const struct attest_chain *chain,
                       struct attest_findings *findings)
{
    static const char suffix[] = ".aws";
    size_t len = strlen(chain->leaf_cn), skip = module_id->len + 1, tail = sizeof(suffix) - 1;
    if (len <= skip + tail || memcmp(chain->leaf_cn, module_id->data, module_id->len) != 0 ||
        chain->leaf_cn[module_id->len] != '.' || strcmp(chain->leaf_cn + len - tail, suffix) != 0)
        return -1;
    size_t region_len = len - skip - tail;
    if (region_len >= sizeof(findings->region) || memchr(chain->leaf_cn + skip, '.', region_len))
        return -1;
    memcpy(findings->region, chain->leaf_cn + skip, region_len);
    findings->region[region_len] = '\0';
    char expected[ATTEST_CN_SIZE];
    snprintf(expected, sizeof(expected), "%s.%s.aws.nitro-enclaves", findings->instance_id, findings->region);
    return strcmp(chain->instance_cn, expected) == 0 ? 0 : -1;
}

static int check_role(const struct attest_policy *policy, const struct attest_doc *doc,
                      struct attest_findings *findings, struct error *err)
{
    if (policy->role_check == ATTEST_ROLE_UNCHECKED)
        return 0;
    bool is_none = policy->role_check == ATTEST_ROLE_NONE;
    bool ok =
        is_none ? is_zero(doc->pcrs[3]) : policy->role_arn && pcr_measures(doc->pcrs[3], policy->role_arn);
    if (!ok)
        return attest_refuse(err, ATTEST_WRONG_ROLE, "PCR3 does not speak of %s",
                             is_none ? "a host without a role" : "the role that the spec names");
    findings->is_role_bound = true;
    return 0;
}

int attest_policy_check_binding(const struct attest_policy *policy, const struct attest_doc *doc,
                                const struct attest_chain *chain, struct attest_findings *findings,
                                struct error *err)
{
    if (parse_module_id(&doc->module_id, findings) < 0)
        return attest_refuse(err, ATTEST_WRONG_INSTANCE, "module_id does not name an EC2 instance");
    if (!pcr_measures(doc->pcrs[4], findings->instance_id))
        return attest_refuse(err, ATTEST_WRONG_INSTANCE, "PCR4 speaks of another instance than module_id");
    if (parse_names(&doc->module_id, chain, findings) < 0)
        return attest_refuse(err, ATTEST_WRONG_INSTANCE,
                             "the certificates speak of another instance than module_id");
    if (policy->instance_id && strcmp(policy->instance_id, findings->instance_id) != 0)
        return attest_refuse(err, ATTEST_WRONG_INSTANCE, "the document is from instance %s",
                             findings->instance_id);
    if (policy->region && strcmp(policy->region, findings->region) != 0)
        return attest_refuse(err, ATTEST_WRONG_INSTANCE, "the document is from region %s", findings->region);
    findings->is_instance_bound = policy->instance_id != NULL;
    return check_role(policy, doc, findings, err);
}

int attest_policy_check_debug(const struct attest_policy *policy, const struct attest_doc *doc,
                              struct attest_findings *findings, struct error *err)
{
    findings->is_debug = is_zero(doc->pcrs[0]) || is_zero(doc->pcrs[1]) || is_zero(doc->pcrs[2]);
    if (findings->is_debug && !policy->allow_debug)
        return attest_refuse(err, ATTEST_DEBUG_ENCLAVE, "the enclave runs in debug mode");
    return 0;
}

/* PCR3 and PCR4 alone do not say which image runs, nor does a PCR8 that says "not signed". */
bool attest_measurement_counts(const struct attest_measurement *set)
{
    uint32_t present = 0;
    for (size_t i = 0; i < set->pcr_count; i++) {
        unsigned index = set->pcrs[i].index;
        bool is_unsigned = index == 8 && is_zero(set->pcrs[i].value);
        if (index < ATTEST_PCR_COUNT && !is_unsigned)
            present |= UINT32_C(1) << index;
    }
    return (present & 1U) || (present & 6U) == 6U || (present & 1U << 8);
}

static bool set_matches(const struct attest_measurement *set, const struct attest_doc *doc)
{
    for (size_t i = 0; i < set->pcr_count; i++) {
        unsigned index = set->pcrs[i].index;
        if (index >= ATTEST_PCR_COUNT || !doc->pcrs[index] ||
            !equals(doc->pcrs[index], set->pcrs[i].value, ATTEST_PCR_BYTES))
            return false;
    }
    return true;
}

static bool set_is_in_time(const struct attest_measurement *set, int64_t at_ms)
{
    return (set->not_before_ms == 0 || at_ms >= set->not_before_ms) &&
           (set->not_after_ms == 0 || at_ms < set->not_after_ms);
}

int attest_policy_check_measurements(const struct attest_policy *policy, const struct attest_doc *doc,
                                     struct attest_findings *findings, struct error *err)
{
    int64_t at_ms = policy->at_document_time ? doc->timestamp_ms : policy->now_ms;
    bool is_any_counted = false, is_any_out_of_time = false;
    /* A debug enclave has no measurements to compare. */
    if (findings->is_debug)
        return 0;
    for (size_t i = 0; i < policy->measurement_count; i++) {
        const struct attest_measurement *set = &policy->measurements[i];
        if (!attest_measurement_counts(set))
            continue;
        is_any_counted = true;
        if (!set_matches(set, doc))
            continue;
        if (set_is_in_time(set, at_ms)) {
            findings->matched = (int)i;
            return 0;
        }
        is_any_out_of_time = true;
    }
    if (is_any_out_of_time)
        return attest_refuse(err, ATTEST_MEASUREMENT_EXPIRED,
                             "the PCRs match only measurements that are not in force now");
    if (is_any_counted)
        return attest_refuse(err, ATTEST_PCR_MISMATCH, "the PCRs match none of the expected measurements");
    return 0;
}

static bool digest_is(const struct attest_span *span, const uint8_t *expected)
{
    uint8_t digest[SHA256_BYTES];
    if (!span->data)
        return false;
    sha256(span->data, span->len, digest);
    return equals(digest, expected, sizeof(digest));
}

/* A multihash: 12 20, then the SHA-256. */
static bool names_certificate(const struct attest_span *user_data, const uint8_t *sha256_digest)
{
    return user_data->len >= MULTIHASH_PREFIX + SHA256_BYTES && user_data->data[0] == 0x12 &&
           user_data->data[1] == 0x20 &&
           equals(user_data->data + MULTIHASH_PREFIX, sha256_digest, SHA256_BYTES);
}

int attest_policy_check_keys(const struct attest_policy *policy, const struct attest_doc *doc,
                             struct error *err)
{
    if (policy->tls_cert_sha256 && !names_certificate(&doc->user_data, policy->tls_cert_sha256))
        return attest_refuse(err, ATTEST_KEY_MISMATCH,
                             "user_data does not name the TLS certificate that was presented");
    if (policy->public_key_sha256 && !digest_is(&doc->public_key, policy->public_key_sha256))
        return attest_refuse(err, ATTEST_KEY_MISMATCH, "public_key is not the expected one");
    if (policy->user_data_sha256 && !digest_is(&doc->user_data, policy->user_data_sha256))
        return attest_refuse(err, ATTEST_USER_DATA_MISMATCH, "user_data is not the expected one");
    return 0;
}
