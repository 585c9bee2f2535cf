/* What a genuine document must say to be believed: time, nonce, instance, role, keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest_scene.h"
#include "base/cleanup.h"
#include "base/encoding.h"

static void at_limit_of_age(struct scene *scene)
{
    scene->spec.timestamp_ms = scene_now_ms - 60000;
}

static void just_too_old(struct scene *scene)
{
    scene->spec.timestamp_ms = scene_now_ms - 60001;
}

static void older_but_allowed(struct scene *scene)
{
    scene->spec.timestamp_ms = scene_now_ms - 3000000;
    scene->policy.max_age_ms = 3600000;
}

static void at_limit_of_skew(struct scene *scene)
{
    scene->spec.timestamp_ms = scene_now_ms + 300000;
}

static void just_too_new(struct scene *scene)
{
    scene->spec.timestamp_ms = scene_now_ms + 301001;
}

static void a_day_ahead(struct scene *scene)
{
    scene->spec.timestamp_ms = scene_now_ms + INT64_C(86400000);
}

static void old_at_own_time(struct scene *scene)
{
    scene->spec.timestamp_ms = scene_now_ms - INT64_C(86400000) * 30;
    scene->policy.at_document_time = true;
}

static void leaf_has_expired_by_now(struct scene *scene)
{
    scene->spec.timestamp_ms = scene_now_ms - INT64_C(86400000);
}

static void other_nonce(struct scene *scene)
{
    static uint8_t const other[32] = {1};
    scene->policy.nonce = other;
}

static void no_nonce_in_document(struct scene *scene)
{
    scene->spec.nonce.data = NULL;
}

static void empty_nonce(struct scene *scene)
{
    scene->spec.nonce.len = 0;
}

static void prefix_of_nonce(struct scene *scene)
{
    scene->spec.nonce.len = 31;
}

static void longer_nonce(struct scene *scene)
{
    scene->policy.nonce_len = 20;
}

static void none_issued_but_required(struct scene *scene)
{
    scene->policy.nonce = NULL;
}

static void none_issued(struct scene *scene)
{
    scene->policy.nonce = NULL;
    scene->policy.require_nonce = false;
}

static void not_required_but_wrong(struct scene *scene)
{
    scene->policy.require_nonce = false;
    scene->spec.nonce.len = 16;
}

static void not_required_and_absent(struct scene *scene)
{
    scene->policy.require_nonce = false;
    scene->spec.nonce.data = NULL;
}

static void relayed_from_other_instance(struct scene *scene)
{
    scene->spec.module_id = "i-0fedcba9876543210-enc01a3185c00001234";
}

static void wrong_pcr4(struct scene *scene)
{
    scene->defects.pcr4_instance_id = "i-0fedcba9876543210";
}

static void wrong_pcr4_any_instance(struct scene *scene)
{
    wrong_pcr4(scene);
    scene->policy.instance_id = NULL;
}

static void instance_id_is_a_prefix(struct scene *scene)
{
    scene->policy.instance_id = "i-0123456789abcdef";
}

static void odd_module_id(struct scene *scene)
{
    scene->spec.module_id = "i-0123456789abcdef0-enc01a3185c0000123";
}

static void upper_case_module_id(struct scene *scene)
{
    scene->spec.module_id = "i-0123456789ABCDEF0-enc01a3185c00001234";
    scene->policy.instance_id = NULL;
}

static void short_instance_id(struct scene *scene)
{
    scene->spec.module_id = "i-01234567-enc01a3185c00001234";
    scene->policy.instance_id = "i-01234567";
}

static void other_region(struct scene *scene)
{
    scene->spec.region = "us-east-1";
}

static void any_region(struct scene *scene)
{
    scene->spec.region = "us-east-1";
    scene->policy.region = NULL;
}

static void set_cn(void *ctx, struct pki_cert_spec *cert)
{
    const struct pki_cert_spec *wanted = ctx;
    if (cert->level == wanted->level)
        memcpy(cert->cn, wanted->cn, sizeof(cert->cn));
}

static void edit_with(struct scene *scene, pki_cert_edit *edit, const void *ctx)
{
    scene->defects.edit_cert = edit;
    scene->defects.edit_ctx = (void *)ctx;
}

static void instance_ca_of_other_instance(struct scene *scene)
{
    static const struct pki_cert_spec cert = {.level = PKI_INSTANCE,
                                              .cn = "i-0fedcba9876543210.eu-west-1.aws.nitro-enclaves"};
    edit_with(scene, set_cn, &cert);
}

static void instance_ca_of_other_region(struct scene *scene)
{
    static const struct pki_cert_spec cert = {.level = PKI_INSTANCE,
                                              .cn = SCENE_INSTANCE_ID ".us-east-1.aws.nitro-enclaves"};
    edit_with(scene, set_cn, &cert);
}

static void leaf_of_other_module(struct scene *scene)
{
    static const struct pki_cert_spec cert = {.level = PKI_LEAF,
                                              .cn = SCENE_INSTANCE_ID "-enc01a3185c00005678.eu-west-1.aws"};
    edit_with(scene, set_cn, &cert);
}

static void leaf_of_nested_region(struct scene *scene)
{
    static const struct pki_cert_spec cert = {.level = PKI_LEAF, .cn = SCENE_MODULE_ID ".x.eu-west-1.aws"};
    edit_with(scene, set_cn, &cert);
}

static void leaf_of_other_service(struct scene *scene)
{
    static const struct pki_cert_spec cert = {.level = PKI_LEAF, .cn = SCENE_MODULE_ID ".eu-west-1.com"};
    edit_with(scene, set_cn, &cert);
}

static void other_role(struct scene *scene)
{
    scene->spec.role_arn = "arn:aws:iam::000000000000:role/other";
}

static void no_role(struct scene *scene)
{
    scene->spec.role_arn = NULL;
}

static void role_where_none_is_expected(struct scene *scene)
{
    scene->policy.role_check = ATTEST_ROLE_NONE;
}

static void none_as_expected(struct scene *scene)
{
    scene->spec.role_arn = NULL;
    scene->policy.role_check = ATTEST_ROLE_NONE;
}

static void role_not_checked(struct scene *scene)
{
    scene->policy.role_check = ATTEST_ROLE_UNCHECKED;
}

static void arn_is_missing(struct scene *scene)
{
    scene->policy.role_arn = NULL;
}

static void public_key_as_expected(struct scene *scene)
{
    sha256(scene->spec.public_key.data, scene->spec.public_key.len, scene->digest);
    scene->policy.public_key_sha256 = scene->digest;
}

static void other_public_key(struct scene *scene)
{
    public_key_as_expected(scene);
    scene->spec.public_key.len = 31;
}

static void public_key_is_absent(struct scene *scene)
{
    public_key_as_expected(scene);
    scene->spec.public_key.data = NULL;
}

static void public_key_is_empty(struct scene *scene)
{
    sha256("", 0, scene->digest);
    scene->policy.public_key_sha256 = scene->digest;
    scene->spec.public_key.len = 0;
}

static void user_data_as_expected(struct scene *scene)
{
    sha256(scene->user_data, sizeof(scene->user_data), scene->digest);
    scene->policy.user_data_sha256 = scene->digest;
}

static void other_user_data(struct scene *scene)
{
    user_data_as_expected(scene);
    scene->user_data[0] ^= 1;
}

static void user_data_is_absent(struct scene *scene)
{
    user_data_as_expected(scene);
    scene->spec.user_data.data = NULL;
}

static void tls_cert_is_named(struct scene *scene)
{
    memset(scene->digest, 0x77, sizeof(scene->digest));
    memcpy(scene->user_data, "\x12\x20", 2);
    memcpy(scene->user_data + 2, scene->digest, sizeof(scene->digest));
    scene->policy.tls_cert_sha256 = scene->digest;
}

static void other_tls_cert(struct scene *scene)
{
    tls_cert_is_named(scene);
    scene->user_data[33] ^= 1;
}

static void tls_cert_is_cut(struct scene *scene)
{
    tls_cert_is_named(scene);
    scene->spec.user_data.len = 33;
}

static void tls_cert_without_user_data(struct scene *scene)
{
    tls_cert_is_named(scene);
    scene->spec.user_data.data = NULL;
}

static void unmeasured_with_other_key(struct scene *scene)
{
    other_public_key(scene);
    scene->policy.measurement_count = 0;
}

#define GOOD          ATTEST_VERIFIED, ATTEST_REASON_NONE
#define NO_NONCE      ATTEST_VERIFIED_WITHOUT_NONCE, ATTEST_REASON_NONE
#define REFUSED(name) ATTEST_REJECTED, ATTEST_##name

static const struct scene_case policy_cases[] = {
    {"all right", NULL, NULL, GOOD},
    {"at the limit of its age", at_limit_of_age, NULL, GOOD},
    {"just too old", just_too_old, NULL, REFUSED(STALE)},
    {"older, but allowed", older_but_allowed, NULL, GOOD},
    {"ahead within the skew", at_limit_of_skew, NULL, GOOD},
    {"ahead beyond the skew", just_too_new, NULL, REFUSED(FROM_FUTURE)},
    {"a day ahead", a_day_ahead, NULL, REFUSED(FROM_FUTURE)},
    {"a month old, at its own time", old_at_own_time, NULL, GOOD},
    {"leaf has expired by now", leaf_has_expired_by_now, NULL, REFUSED(CERTIFICATE_EXPIRED)},
    {"other nonce", other_nonce, NULL, REFUSED(NONCE_MISMATCH)},
    {"no nonce in the document", no_nonce_in_document, NULL, REFUSED(NONCE_MISSING)},
    {"empty nonce", empty_nonce, NULL, REFUSED(NONCE_MISSING)},
    {"prefix of the nonce", prefix_of_nonce, NULL, REFUSED(NONCE_MISMATCH)},
    {"longer than the nonce", longer_nonce, NULL, REFUSED(NONCE_MISMATCH)},
    {"none issued but required", none_issued_but_required, NULL, REFUSED(NONCE_MISSING)},
    {"none issued", none_issued, NULL, NO_NONCE},
    {"not required, but wrong", not_required_but_wrong, NULL, REFUSED(NONCE_MISMATCH)},
    {"not required, issued, absent", not_required_and_absent, NULL, REFUSED(NONCE_MISSING)},
    {"relayed from another instance", relayed_from_other_instance, NULL, REFUSED(WRONG_INSTANCE)},
    {"PCR4 of another instance", wrong_pcr4, NULL, REFUSED(WRONG_INSTANCE)},
    {"PCR4 and module_id differ", wrong_pcr4_any_instance, NULL, REFUSED(WRONG_INSTANCE)},
    {"instance id is a prefix", instance_id_is_a_prefix, NULL, REFUSED(WRONG_INSTANCE)},
    {"odd module_id", odd_module_id, NULL, REFUSED(WRONG_INSTANCE)},
    {"upper-case module_id", upper_case_module_id, NULL, REFUSED(WRONG_INSTANCE)},
    {"short instance id", short_instance_id, NULL, GOOD},
    {"other region", other_region, NULL, REFUSED(WRONG_INSTANCE)},
    {"any region", any_region, NULL, GOOD},
    {"instance CA of another instance", instance_ca_of_other_instance, NULL, REFUSED(WRONG_INSTANCE)},
    {"instance CA of another region", instance_ca_of_other_region, NULL, REFUSED(WRONG_INSTANCE)},
    {"leaf of another module", leaf_of_other_module, NULL, REFUSED(WRONG_INSTANCE)},
    {"leaf with a dotted region", leaf_of_nested_region, NULL, REFUSED(WRONG_INSTANCE)},
    {"leaf of another service", leaf_of_other_service, NULL, REFUSED(WRONG_INSTANCE)},
    {"other role", other_role, NULL, REFUSED(WRONG_ROLE)},
    {"no role", no_role, NULL, REFUSED(WRONG_ROLE)},
    {"a role where none is expected", role_where_none_is_expected, NULL, REFUSED(WRONG_ROLE)},
    {"no role as expected", none_as_expected, NULL, GOOD},
    {"role not checked", role_not_checked, NULL, GOOD},
    {"role to check, but no ARN", arn_is_missing, NULL, REFUSED(WRONG_ROLE)},
    {"public key as expected", public_key_as_expected, NULL, GOOD},
    {"other public key", other_public_key, NULL, REFUSED(KEY_MISMATCH)},
    {"public key is absent", public_key_is_absent, NULL, REFUSED(KEY_MISMATCH)},
    {"public key is empty", public_key_is_empty, NULL, REFUSED(KEY_MISMATCH)},
    {"user data as expected", user_data_as_expected, NULL, GOOD},
    {"other user data", other_user_data, NULL, REFUSED(USER_DATA_MISMATCH)},
    {"user data is absent", user_data_is_absent, NULL, REFUSED(USER_DATA_MISMATCH)},
    {"TLS certificate is named", tls_cert_is_named, NULL, GOOD},
    {"other TLS certificate", other_tls_cert, NULL, REFUSED(KEY_MISMATCH)},
    {"TLS certificate is cut", tls_cert_is_cut, NULL, REFUSED(KEY_MISMATCH)},
    {"TLS certificate without user data", tls_cert_without_user_data, NULL, REFUSED(KEY_MISMATCH)},
    {"unmeasured, with another key", unmeasured_with_other_key, NULL, REFUSED(KEY_MISMATCH)},
};

static void test_policy_table(void **state)
{
    scene_run(*state, policy_cases, ARRAY_LEN(policy_cases));
}

static void test_result_fields(void **state)
{
    struct scene *scene = *state;
    struct attest_result result;
    scene_reset(scene);
    scene_sign(scene);
    scene_verify(scene, &result);
    assert_true(result.has_claims);
    assert_string_equal(result.module_id, SCENE_MODULE_ID);
    assert_string_equal(result.instance_id, SCENE_INSTANCE_ID);
    assert_string_equal(result.region, "eu-west-1");
    assert_int_equal(result.launched_at_ms, 0x01a3185c0000);
    assert_int_equal(result.document_timestamp_ms, scene->spec.timestamp_ms);
    assert_int_equal(result.pcr_mask, 0xffff);
    assert_memory_equal(result.pcrs[1], scene->pcrs[1].value, ATTEST_PCR_BYTES);
    assert_int_equal(result.public_key_len, 32);
    assert_memory_equal(result.public_key, scene->spec.public_key.data, 32);
    assert_true(result.has_user_data && result.nonce_verified && result.instance_bound && result.role_bound);
    assert_int_equal(result.matched_measurement, 0);
    assert_string_equal(result.matched_name, "current");
    assert_in_range(result.leaf_not_after_ms - scene_now_ms, 0, 3 * 3600 * 1000 + 3000);
    uint8_t digest[32];
    struct pki_span root = pki_root_der(scene->pki);
    sha256(root.data, root.len, digest);
    assert_memory_equal(result.root_sha256, digest, sizeof(digest));
    sha256(scene->document.data, scene->document.len, digest);
    assert_memory_equal(result.document_sha256, digest, sizeof(digest));
    assert_string_equal(attest_result_reason(&result), "Verified");
}

/* A person must see which PCRs were refused, but nothing that was not signed. */
static void test_claims_only_with_a_good_signature(void **state)
{
    struct scene *scene = *state;
    struct attest_result result;
    scene_reset(scene);
    scene->spec.image_digest = "bad";
    scene_sign(scene);
    scene_verify(scene, &result);
    assert_int_equal(result.reason, ATTEST_PCR_MISMATCH);
    assert_true(result.has_claims && result.pcr_mask == 0xffff);
    assert_int_equal(result.matched_measurement, -1);
    scene->document.data[scene->document.len - 1] ^= 1;
    scene_verify(scene, &result);
    assert_int_equal(result.reason, ATTEST_BAD_SIGNATURE);
    assert_false(result.has_claims);
    assert_int_equal(result.pcr_mask, 0);
    assert_string_equal(result.module_id, "");
}

static void test_reason_names(void **state)
{
    (void)state;
    for (int i = 0; i < ATTEST_REASON_COUNT; i++)
        assert_int_equal(attest_reason_find(attest_reason_name((enum attest_reason)i)), i);
    assert_int_equal(attest_reason_find("Nonsense"), ATTEST_REASON_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_table),
        cmocka_unit_test(test_result_fields),
        cmocka_unit_test(test_claims_only_with_a_good_signature),
        cmocka_unit_test(test_reason_names),
    };
    return cmocka_run_group_tests(tests, scene_new, scene_free);
}
