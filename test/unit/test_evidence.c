/* From spec.attestation to a policy, and from a result to status.attestation: each field in its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "evidence/evidence_policy.h"
#include "evidence/evidence_status.h"

#define HEX_16  "00112233445566778899aabbccddeeff"
#define HEX_256 HEX_16 HEX_16
#define HEX_384 HEX_16 HEX_16 HEX_16

static const struct tee_pcr pcrs[] = {{0, HEX_384}, {8, "not hex"}};
static const struct tee_measurement sets[] = {
    {.name = "old", .pcrs = pcrs, .pcr_count = 1, .not_before_ms = 5, .not_after_ms = 7},
    {.name = "new", .pcrs = pcrs, .pcr_count = 2},
};

static void fill(const struct evidence_want *want, struct evidence_policy *ret_policy)
{
    struct error err = {0};
    if (evidence_policy_fill(want, ret_policy, &err) < 0)
        fail_msg("%s", err.text);
}

static void test_policy_of_an_empty_spec(void **state)
{
    (void)state;
    struct tee_attestation_spec spec = {.protocol = ATTEST_NATIVE};
    struct attest_roots roots = {.count = 0};
    struct evidence_want want = {.spec = &spec, .roots = &roots, .now_ms = 42};
    struct evidence_policy filled;
    memset(&filled, 0xa5, sizeof(filled)); /* nothing of what was there before stays in the policy */
    fill(&want, &filled);
    assert_ptr_equal(filled.policy.roots, &roots);
    assert_int_equal(filled.policy.now_ms, 42);
    assert_false(filled.policy.at_document_time);
    assert_int_equal(filled.policy.max_age_ms, 0);
    assert_null(filled.policy.instance_id);
    assert_null(filled.policy.region);
    assert_null(filled.policy.nonce);
    assert_false(filled.policy.allow_debug);
    assert_null(filled.policy.role_arn);
    assert_int_equal(filled.policy.measurement_count, 0);
    assert_null(filled.policy.user_data_sha256);
    assert_null(filled.policy.public_key_sha256);
    assert_null(filled.policy.tls_cert_sha256);
}

static void test_policy_of_a_full_spec(void **state)
{
    (void)state;
    struct tee_attestation_spec spec = {.protocol = ATTEST_NATIVE,
                                        .max_age_seconds = 90,
                                        .instance_role_arn = "arn:aws:iam::000000000000:role/r",
                                        .measurements = sets,
                                        .measurement_count = ARRAY_LEN(sets),
                                        .user_data_sha256 = HEX_256,
                                        .public_key_sha256 = "FFeeDDccBBaa99887766554433221100"
                                                             "FFeeDDccBBaa99887766554433221100"};
    struct evidence_want want = {
        .spec = &spec, .instance_id = "i-0123456789abcdef0", .has_profile = true, .allow_debug = true};
    struct evidence_policy filled = {0};
    uint8_t expected[ATTEST_PCR_BYTES], impossible[ATTEST_PCR_BYTES];
    fill(&want, &filled);
    assert_int_equal(filled.policy.max_age_ms, 90000);
    assert_string_equal(filled.policy.instance_id, "i-0123456789abcdef0");
    assert_true(filled.policy.allow_debug);
    assert_string_equal(filled.policy.role_arn, spec.instance_role_arn);
    assert_int_equal(hex_decode(HEX_384, expected, sizeof(expected)), 0);
    memset(impossible, 0xff, sizeof(impossible));
    assert_int_equal(filled.policy.measurement_count, 2);
    const struct attest_measurement *old = &filled.policy.measurements[0], *new = old + 1;
    assert_string_equal(old->name, "old");
    assert_int_equal(old->not_before_ms, 5);
    assert_int_equal(old->not_after_ms, 7);
    assert_int_equal(old->pcr_count, 1);
    assert_int_equal(old->pcrs[0].index, 0);
    assert_memory_equal(old->pcrs[0].value, expected, sizeof(expected));
    assert_string_equal(new->name, "new");
    assert_int_equal(new->pcr_count, 2);
    assert_int_equal(new->pcrs[1].index, 8);
    assert_memory_equal(new->pcrs[1].value, impossible, sizeof(impossible));
    assert_memory_equal(filled.policy.user_data_sha256, expected, 32);
    assert_int_equal(filled.policy.public_key_sha256[0], 0xff);
    assert_int_equal(filled.policy.public_key_sha256[31], 0x00);
}

static void test_nonce_and_role(void **state)
{
    (void)state;
    static const struct {
        enum attestation_protocol protocol;
        const char *name;
        bool needs_nonce;
    } protocols[] = {
        {ATTEST_ABSENT, NULL, false},          {ATTEST_NATIVE, "Native", true},
        {ATTEST_NITRIDING, "Nitriding", true}, {ATTEST_OYSTER, "Oyster", false},
        {ATTEST_NAUTILUS, "Nautilus", false},  {ATTEST_DISABLED, NULL, false},
    };
    struct evidence_policy filled = {0};
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        struct tee_attestation_spec spec = {.protocol = protocols[i].protocol};
        fill(&(struct evidence_want){.spec = &spec}, &filled);
        assert_int_equal(filled.policy.require_nonce, protocols[i].needs_nonce);
        const struct attest_protocol *protocol = evidence_protocol(&spec);
        if (protocols[i].name)
            assert_string_equal(protocol->name, protocols[i].name);
        else
            assert_null(protocol);
    }
    static const struct {
        const char *arn;
        bool has_profile;
        enum attest_role_check check;
    } roles[] = {
        {NULL, false, ATTEST_ROLE_NONE},
        {NULL, true, ATTEST_ROLE_UNCHECKED},
        {"arn", false, ATTEST_ROLE_ARN},
        {"arn", true, ATTEST_ROLE_ARN},
    };
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        struct tee_attestation_spec spec = {.instance_role_arn = roles[i].arn};
        fill(&(struct evidence_want){.spec = &spec, .has_profile = roles[i].has_profile}, &filled);
        assert_int_equal(filled.policy.role_check, roles[i].check);
    }
}

static void test_wrong_digests(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "00", HEX_256 "00", ("g0112233445566778899aabbccddeeff" HEX_16)};
    struct evidence_policy filled = {0};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct tee_attestation_spec user_data = {.user_data_sha256 = wrong[i]};
        struct tee_attestation_spec public_key = {.public_key_sha256 = wrong[i]};
        struct error err = {0};
        assert_int_equal(evidence_policy_fill(&(struct evidence_want){.spec = &user_data}, &filled, &err),
                         -1);
        assert_int_equal(err.kind, ERROR_INVALID);
        assert_string_equal(err.text, "spec.attestation.userDataSHA256 must be 64 hex digits");
        assert_int_equal(evidence_policy_fill(&(struct evidence_want){.spec = &public_key}, &filled, &err),
                         -1);
        assert_string_equal(err.text, "spec.attestation.publicKeySHA256 must be 64 hex digits");
    }
}

/* A result as attest_verify() gives it, with something in every field. */
static void make_result(struct attest_result *result)
{
    *result = (struct attest_result){.verdict = ATTEST_VERIFIED,
                                     .message = "well",
                                     .has_claims = true,
                                     .module_id = "i-0123456789abcdef0-enc0123456789abcdef",
                                     .instance_id = "i-0123456789abcdef0",
                                     .launched_at_ms = 11,
                                     .document_timestamp_ms = 12,
                                     .pcr_mask = 0xffff,
                                     .public_key_len = 32,
                                     .has_user_data = true,
                                     .leaf_not_after_ms = 13,
                                     .nonce_verified = true,
                                     .instance_bound = true,
                                     .role_bound = true,
                                     .matched_name = "v1"};
    memset(result->pcrs[0], 0xab, ATTEST_PCR_BYTES);
    memset(result->pcrs[7], 0xcd, ATTEST_PCR_BYTES);
    memset(result->public_key, 0x11, 32);
    memset(result->user_data_sha256, 0x22, 32);
    memset(result->root_sha256, 0x33, 32);
}

static void test_status_of_a_good_document(void **state)
{
    (void)state;
    static const int shown[] = {0, 1, 2, 3, 4, 7, 8};
    struct tee_spec effective = {.cpu_count = 2, .memory_mib = 512};
    struct tee_attestation_status status;
    struct attest_result result;
    CLEANUP(arena_done) struct arena arena;
    arena_init(&arena);
    make_result(&result);
    evidence_status_fill(&result, &effective, &arena, &status);
    assert_string_equal(status.verdict, "Verified");
    assert_null(status.reason);
    assert_string_equal(status.message, "well");
    assert_string_equal(status.module_id, "i-0123456789abcdef0-enc0123456789abcdef");
    assert_int_equal(status.enclave_launched_ms, 11);
    assert_int_equal(status.document_ms, 12);
    assert_int_equal(status.leaf_not_after_ms, 13);
    assert_int_equal(status.verified_ms | status.valid_until_ms | status.next_ms, 0);
    assert_true(status.nonce_verified && status.instance_bound && status.role_bound);
    assert_string_equal(status.matched_measurement, "v1");
    assert_int_equal(strspn(status.root_sha256, "3"), 64);
    assert_int_equal(strspn(status.user_data_sha256, "2"), 64);
    assert_string_equal(status.public_key, "ERERERERERERERERERERERERERERERERERERERERERE=");
    assert_string_equal(status.public_key_type, "X25519");
    assert_string_equal(status.public_key_fingerprint,
                        "02d449a31fbb267c8f352e9968a79e3e5fc95c1bbeaa502fd6454ebde5a4bedc");
    assert_int_equal(status.pcr_count, ARRAY_LEN(shown));
    for (size_t i = 0; i < ARRAY_LEN(shown); i++)
        assert_int_equal(status.pcrs[i].index, shown[i]);
    assert_int_equal(strspn(status.pcrs[0].sha384, "ab"), 96);
    assert_int_equal(strspn(status.pcrs[1].sha384, "0"), 96);
    assert_int_equal(status.claim_count, 3);
    assert_string_equal(status.claims[0].value, "i-0123456789abcdef0");
    assert_string_equal(status.claims[1].value, "2");
    assert_string_equal(status.claims[2].value, "512");
}

/* Without a good signature the document has said nothing. */
static void test_status_of_a_bad_document(void **state)
{
    (void)state;
    struct tee_spec effective = {0};
    struct tee_attestation_status status;
    struct attest_result result;
    CLEANUP(arena_done) struct arena arena;
    arena_init(&arena);
    make_result(&result);
    result.verdict = ATTEST_REJECTED;
    result.reason = ATTEST_BAD_SIGNATURE;
    result.has_claims = false;
    evidence_status_fill(&result, &effective, &arena, &status);
    assert_string_equal(status.verdict, "Rejected");
    assert_string_equal(status.reason, "BadSignature");
    assert_null(status.module_id);
    assert_null(status.public_key);
    assert_null(status.user_data_sha256);
    assert_null(status.matched_measurement);
    assert_int_equal(status.document_ms, 0);
    assert_int_equal(status.pcr_count, 0);
    assert_int_equal(status.claim_count, 0);
    result.has_claims = true;
    result.public_key_len = 91;
    result.pcr_mask = 1 << 9; /* zero, so not shown */
    evidence_status_fill(&result, &effective, &arena, &status);
    assert_string_equal(status.public_key_type, "DER");
    assert_int_equal(status.pcr_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_of_an_empty_spec),
        cmocka_unit_test(test_policy_of_a_full_spec),
        cmocka_unit_test(test_nonce_and_role),
        cmocka_unit_test(test_wrong_digests),
        cmocka_unit_test(test_status_of_a_good_document),
        cmocka_unit_test(test_status_of_a_bad_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
