/* Which image runs: debug enclaves, measurement sets and their time windows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest_scene.h"
#include "base/cleanup.h"

static void debug(struct scene *scene)
{
    scene->spec.debug = true;
}

static void debug_allowed(struct scene *scene)
{
    scene->spec.debug = true;
    scene->policy.allow_debug = true;
}

/* Zeros that somebody wrote down as "expected" must not make a debug enclave Verified. */
static void debug_zeros_expected(struct scene *scene)
{
    debug_allowed(scene);
    for (size_t i = 0; i < ARRAY_LEN(scene->pcrs); i++)
        memset(scene->pcrs[i].value, 0, ATTEST_PCR_BYTES);
}

static void debug_by_one_pcr(struct scene *scene)
{
    struct buf *raw = scene_raw_value(scene, "pcrs");
    uint8_t pcr[PKI_PCR_BYTES];
    buf_append(raw, "\xa5", 1);
    for (int i = 0; i < 5; i++) {
        memset(pcr, i == 2 ? 0 : 7, sizeof(pcr));
        if (i == 3)
            pki_measure(SCENE_ROLE, strlen(SCENE_ROLE), pcr);
        if (i == 4)
            pki_measure(SCENE_INSTANCE_ID, strlen(SCENE_INSTANCE_ID), pcr);
        buf_putc(raw, (char)i);
        buf_append(raw, "\x58\x30", 2);
        buf_append(raw, pcr, sizeof(pcr));
    }
}

static void other_image(struct scene *scene)
{
    scene->spec.image_digest = "bad";
}

static void other_pcr2(struct scene *scene)
{
    scene->pcrs[2].value[47] ^= 1;
}

static void pcr0_alone(struct scene *scene)
{
    scene->sets[0].pcr_count = 1;
}

static void pcr1_and_pcr2(struct scene *scene)
{
    scene->sets[0].pcrs = scene->pcrs + 1;
    scene->sets[0].pcr_count = 2;
}

static void pcr1_alone(struct scene *scene)
{
    scene->sets[0].pcrs = scene->pcrs + 1;
    scene->sets[0].pcr_count = 1;
}

static void pcr4_alone(struct scene *scene)
{
    pki_measure(SCENE_INSTANCE_ID, strlen(SCENE_INSTANCE_ID), scene->pcrs[0].value);
    scene->pcrs[0].index = 4;
    scene->sets[0].pcr_count = 1;
}

static void pcr8_alone(struct scene *scene)
{
    memset(scene->pcrs[0].value, 8, ATTEST_PCR_BYTES);
    scene->pcrs[0].index = 8;
    scene->sets[0].pcr_count = 1;
}

static void pcr_that_is_absent(struct scene *scene)
{
    scene->pcrs[1].index = 17;
}

static void pcr_out_of_range(struct scene *scene)
{
    scene->pcrs[1].index = 32;
}

/* Zeros there mean "not signed", which any image can be. */
static void pcr8_of_zeros(struct scene *scene)
{
    pcr8_alone(scene);
    memset(scene->pcrs[0].value, 0, ATTEST_PCR_BYTES);
}

static void empty_set(struct scene *scene)
{
    scene->sets[0].pcr_count = 0;
}

static void no_sets(struct scene *scene)
{
    scene->policy.measurement_count = 0;
}

/* An empty set beside a real one must not match in its place. */
static void empty_set_beside_wrong_one(struct scene *scene)
{
    other_image(scene);
    scene->sets[1] = (struct attest_measurement){.name = "empty"};
    scene->policy.measurement_count = 2;
}

static void second_set_matches(struct scene *scene)
{
    static const struct attest_pcr old[1] = {{.index = 0, .value = {1}}};
    scene->sets[1] = scene->sets[0];
    scene->sets[0] = (struct attest_measurement){"old", old, 1, 0, 0};
    scene->policy.measurement_count = 2;
}

static void set_has_ended(struct scene *scene)
{
    scene->sets[0].not_after_ms = scene_now_ms;
}

static void set_has_not_begun(struct scene *scene)
{
    scene->sets[0].not_before_ms = scene_now_ms + 1;
}

static void set_is_in_force(struct scene *scene)
{
    scene->sets[0].not_before_ms = scene_now_ms;
    scene->sets[0].not_after_ms = scene_now_ms + 1;
}

static void expired_set_beside_current_one(struct scene *scene)
{
    scene->sets[1] = scene->sets[0];
    set_has_ended(scene);
    scene->policy.measurement_count = 2;
}

#define GOOD          ATTEST_VERIFIED, ATTEST_REASON_NONE
#define MEASURED      ATTEST_MEASURED_ONLY, ATTEST_NO_EXPECTED_PCRS
#define REFUSED(name) ATTEST_REJECTED, ATTEST_##name

static void test_measurement_table(void **state)
{
    static const struct scene_case cases[] = {
        {"debug", debug, NULL, REFUSED(DEBUG_ENCLAVE)},
        {"debug, allowed", debug_allowed, NULL, ATTEST_DEBUG, ATTEST_DEBUG_ENCLAVE},
        {"debug, zeros expected", debug_zeros_expected, NULL, ATTEST_DEBUG, ATTEST_DEBUG_ENCLAVE},
        {"debug by PCR2 alone", debug_by_one_pcr, NULL, REFUSED(DEBUG_ENCLAVE)},
        {"other image", other_image, NULL, REFUSED(PCR_MISMATCH)},
        {"other PCR2", other_pcr2, NULL, REFUSED(PCR_MISMATCH)},
        {"PCR0 alone", pcr0_alone, NULL, GOOD},
        {"PCR1 and PCR2", pcr1_and_pcr2, NULL, GOOD},
        {"PCR1 alone does not count", pcr1_alone, NULL, MEASURED},
        {"PCR4 alone does not count", pcr4_alone, NULL, MEASURED},
        {"PCR8 alone counts", pcr8_alone, NULL, REFUSED(PCR_MISMATCH)},
        {"PCR8 of zeros does not", pcr8_of_zeros, NULL, MEASURED},
        {"a PCR that is absent", pcr_that_is_absent, NULL, REFUSED(PCR_MISMATCH)},
        {"a PCR out of range", pcr_out_of_range, NULL, REFUSED(PCR_MISMATCH)},
        {"empty set", empty_set, NULL, MEASURED},
        {"no sets", no_sets, NULL, MEASURED},
        {"empty set beside a wrong one", empty_set_beside_wrong_one, NULL, REFUSED(PCR_MISMATCH)},
        {"second set matches", second_set_matches, NULL, GOOD},
        {"set has ended", set_has_ended, NULL, REFUSED(MEASUREMENT_EXPIRED)},
        {"set has not begun", set_has_not_begun, NULL, REFUSED(MEASUREMENT_EXPIRED)},
        {"set is in force", set_is_in_force, NULL, GOOD},
        {"expired set beside a current one", expired_set_beside_current_one, NULL, GOOD},
    };
    scene_run(*state, cases, ARRAY_LEN(cases));
}

static void test_measurements_at_document_time(void **state)
{
    struct scene *scene = *state;
    struct attest_result result;
    scene_reset(scene);
    scene->spec.timestamp_ms = scene_now_ms - INT64_C(86400000) * 30;
    scene->policy.at_document_time = true;
    scene->sets[0].not_after_ms = scene->spec.timestamp_ms + 1;
    scene_sign(scene);
    scene_verify(scene, &result);
    assert_int_equal(result.verdict, ATTEST_VERIFIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measurement_table),
        cmocka_unit_test(test_measurements_at_document_time),
    };
    return cmocka_run_group_tests(tests, scene_new, scene_free);
}
