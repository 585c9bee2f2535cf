/* status_encode() and what is read back of it; digests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "plan_scene.h"

#include <stdio.h>
#include <string.h>

#define AT(n) (SCENE_WALL_MS + (n)*1000)

static void fill_ledger(struct ledger *ledger)
{
    *ledger = (struct ledger){.attempt = 9,
                              .token = "token",
                              .hash = "hash",
                              .hash_version = 1,
                              .subnet_id = "subnet-1",
                              .started_ms = AT(1),
                              .result = "Launched",
                              .instance_id = "i-1",
                              .instance_launch_ms = AT(2),
                              .module_id = "i-1-enc01",
                              .policy_hash = "policy",
                              .halted = {.reason = "PCRMismatch", .generation = 4, .at_ms = AT(3)},
                              .history_count = LEDGER_HISTORY_MAX};
    for (int i = 0; i < LEDGER_HISTORY_MAX; i++)
        ledger->history[i] = (struct ledger_past){.attempt = i + 1,
                                                  .token = "old",
                                                  .subnet_id = "subnet-0",
                                                  .started_ms = AT(10 + i),
                                                  .ended_ms = AT(20 + i),
                                                  .result = "Terminated",
                                                  .instance_id = "i-0",
                                                  .reason = "quote \" backslash \\ tab \t \xc3\xa9"};
}

static const struct tee_pcr_value pcrs[] = {{0, "00ab"}, {4, "04cd"}};
static const struct tee_port ports[] = {{"web", 443, 8443}};

static void fill_attestation(struct tee_attestation_status *attestation)
{
    *attestation =
        (struct tee_attestation_status){.verdict = "Verified",
                                        .reason = "r",
                                        .message = "m",
                                        .verified_ms = AT(30),
                                        .valid_until_ms = AT(31),
                                        .next_ms = AT(32),
                                        .document_ms = AT(33),
                                        .matched_measurement = "set",
                                        .pcrs = pcrs,
                                        .pcr_count = 2,
                                        .module_id = "module",
                                        .enclave_launched_ms = AT(34),
                                        .nonce_verified = true,
                                        .role_bound = true,
                                        .public_key = "key",
                                        .public_key_type = "X25519",
                                        .public_key_fingerprint = "f",
                                        .user_data_sha256 = "u",
                                        .leaf_not_after_ms = AT(35),
                                        .root_sha256 = "root",
                                        .claims = {{"instance_id", "i-1"}, {"enclave_cpu_count", "2"}},
                                        .claim_count = 2};
}

static void fill(struct tee_status *status, const struct tee_spec *effective)
{
    *status = (struct tee_status){.observed_generation = 7,
                                  .phase = "Running",
                                  .deployment_id = "d",
                                  .instance = {.id = "i-1", .state = "running", .launch_ms = AT(2)},
                                  .ports = ports,
                                  .port_count = 1,
                                  .endpoint_address = "192.0.2.1",
                                  .effective = effective,
                                  .last_handled = "then"};
    fill_ledger(&status->launch);
    fill_attestation(&status->attestation);
    status->conditions.items[0] = (struct condition){"Ready", "True", "Verified", "text", 7, AT(40)};
    status->conditions.items[1] = (struct condition){"Attested", "False", "Lapsed", "", 7, AT(41)};
    status->conditions.count = 2;
}

/* The status of an object whose status is the text; the caller unrefs. */
static struct teedeployment *read_back(const struct tee_status *status)
{
    CLEANUP(buf_done) struct buf json;
    buf_init(&json, 1 << 20);
    buf_puts(&json,
             "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"a\",\"uid\":\"u\",\"resourceVersion\":\"1\"},"
             "\"spec\":{\"image\":\"a\"},\"status\":");
    status_encode(status, &json);
    buf_puts(&json, "}");
    assert_true(buf_is_ok(&json));
    struct teedeployment *object = NULL;
    struct error err = {0};
    if (teedeployment_decode(buf_text(&json), json.len, &object, &err) < 0)
        fail_msg("%s: %s", err.text, buf_text(&json));
    return object;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct scene_input nothing = {0};
    struct plan_scene scene;
    struct tee_status status;
    plan_scene_init(&scene, &nothing);
    fill(&status, &scene.effective);
    struct teedeployment *object = read_back(&status);
    const struct tee_status *got = &object->status;
    assert_int_equal(got->observed_generation, 7);
    assert_string_equal(got->last_handled, "then");
    assert_int_equal(got->conditions.count, 2);
    assert_string_equal(got->conditions.items[1].reason, "Lapsed");
    assert_int_equal(got->conditions.items[1].transition_ms, AT(41));
    assert_string_equal(got->launch.history[7].reason, status.launch.history[7].reason);
    assert_int_equal(got->launch.history_count, LEDGER_HISTORY_MAX);
    assert_int_equal(got->attestation.pcr_count, 2);
    assert_string_equal(got->attestation.pcrs[1].sha384, "04cd");
    assert_true(got->attestation.nonce_verified && !got->attestation.instance_bound);
    /* The rest by text: what was read back gives the same JSON when the parts that are not read are put. */
    struct tee_status again = *got;
    again.phase = status.phase;
    again.deployment_id = status.deployment_id;
    again.instance = status.instance;
    again.ports = status.ports;
    again.port_count = status.port_count;
    again.endpoint_address = status.endpoint_address;
    again.effective = status.effective;
    CLEANUP(buf_done) struct buf first;
    CLEANUP(buf_done) struct buf second;
    buf_init(&first, 1 << 20);
    buf_init(&second, 1 << 20);
    status_encode(&status, &first);
    status_encode(&again, &second);
    assert_string_equal(buf_text(&first), buf_text(&second));
    uint8_t digest[32];
    assert_int_equal(status_digest_text(buf_text(&first), first.len, digest), 0);
    assert_memory_equal(digest, object->status_digest, sizeof(digest));
    teedeployment_unref(object);
    plan_scene_done(&scene);
}

/* The server refuses the whole status for one string that is too long; a character is never cut in two. */
static void test_cut(void **state)
{
    (void)state;
    char reason[1300] = "x"; /* one byte, so that the bound of 1024 falls inside a character */
    for (size_t i = 1; i + 2 < sizeof(reason); i += 2)
        memcpy(reason + i, "\xc3\xa9", 2);
    struct tee_status status = {
        .launch = {.history_count = 1, .history = {{.attempt = 1, .reason = reason}}}};
    struct teedeployment *object = read_back(&status);
    assert_non_null(object->status.launch.history[0].reason);
    assert_int_equal(strlen(object->status.launch.history[0].reason), 1023);
    teedeployment_unref(object);
}

static void test_digest(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool is_same;
    } cases[] = {
        {"{\"a\":1,\"b\":{\"c\":2,\"d\":[1,2]}}", " { \"b\" : {\"d\":[1,2],\"c\":2} , \"a\":1}", true},
        {"{\"a\":[1,2]}", "{\"a\":[2,1]}", false},
        {"{\"a\":1}", "{\"a\":2}", false},
        {"{\"a\":\"1\"}", "{\"a\":1}", false},
        {"{\"a\":\"\\u00e9\"}", "{\"a\":\"\xc3\xa9\"}", true},
        {"{\"attestation\":{\"verdict\":\"v\",\"evidence\":\"AA\",\"evidenceSHA256\":\"00\"}}",
         "{\"attestation\":{\"verdict\":\"v\",\"evidence\":\"BB\"}}", true},
        {"{\"attestation\":{\"evidence\":\"AA\"}}", "{}", true},
        {"{\"attestation\":{\"verdict\":\"v\"}}", "{\"attestation\":{\"verdict\":\"w\"}}", false},
        {"{\"evidence\":\"AA\"}", "{}", false}, /* only that of the attestation */
        {"{\"conditions\":[{\"type\":\"Ready\"},{\"type\":\"Synced\"}]}",
         "{\"conditions\":[{\"type\":\"Ready\"}]}", true}, /* another manager's */
        {"{\"conditions\":[{\"type\":\"Ready\"},{\"type\":\"Drifted\"}]}",
         "{\"conditions\":[{\"type\":\"Ready\"}]}", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t a[32];
        uint8_t b[32];
        assert_int_equal(status_digest_text(cases[i].a, strlen(cases[i].a), a), 0);
        assert_int_equal(status_digest_text(cases[i].b, strlen(cases[i].b), b), 0);
        if ((memcmp(a, b, sizeof(a)) == 0) != cases[i].is_same)
            fail_msg("case %zu", i);
    }
    uint8_t digest[32];
    assert_int_equal(status_digest_text("{", 1, digest), -1);
    assert_int_equal(status_digest_text("", 0, digest), -1);
}

static void test_evidence(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 4096);
    status_encode_evidence(NULL, 0, &out);
    assert_string_equal(buf_text(&out), "{}");
    buf_reset(&out);
    status_encode_evidence("abc", 3, &out);
    assert_string_equal(buf_text(&out),
                        "{\"attestation\":{\"evidence\":\"YWJj\",\"evidenceSHA256\":"
                        "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"}}");
}

/* However many conditions others put before ours: ours are read, theirs are not. */
static void test_conditions_of_others(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf status;
    buf_init(&status, 8192);
    buf_append(&status, "\"conditions\":[", 14);
    for (int i = 0; i < 20; i++)
        buf_printf(&status, "{\"type\":\"Other%d\",\"status\":\"True\"},", i);
    buf_printf(&status, "{\"type\":\"Ready\",\"status\":\"False\"}]");
    struct teedeployment *object = scene_object(NULL, NULL, buf_text(&status));
    assert_int_equal(object->status.conditions.count, 1);
    assert_non_null(condition_find(&object->status.conditions, "Ready"));
    teedeployment_unref(object);
}

/* A status that somebody else wrote into: what has a wrong type counts as absent and hurts nothing. */
static void test_strange_status(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\"launch\":7",
        "\"launch\":{\"attempt\":\"x\",\"token\":5,\"history\":{}}",
        "\"launch\":{\"history\":[1,2,3,4,5,6,7,8,9]}",
        "\"launch\":{\"history\":[null,[]]}",
        "\"launch\":{\"token\":\"a\\u0000b\"}",
        "\"attestation\":[],\"conditions\":{}",
        "\"attestation\":{\"pcrs\":[{\"index\":99,\"sha384\":7}],\"claims\":[]}",
        "\"attestation\":\"text\"",
        "\"conditions\":[{},{\"type\":\"Ready\"},{\"type\":7,\"status\":true},null]",
        "\"conditions\":[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]",
        "\"lastHandledReconcileAt\":{}",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct teedeployment *object = scene_object(NULL, NULL, texts[i]);
        assert_null(object->invalid);
        assert_null(object->status.launch.token);
        assert_int_equal(object->status.conditions.count, 0);
        teedeployment_unref(object);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_digest),     cmocka_unit_test(test_conditions_of_others),
        cmocka_unit_test(test_evidence),   cmocka_unit_test(test_strange_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
