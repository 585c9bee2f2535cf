/* Hashes and the rules of attempts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan_scene.h"
#include "reconcile/ledger.h"

#include <stdio.h>
#include <string.h>

static void hash_of(const char *spec, char ret_hash[SHA256_HEX_SIZE])
{
    struct teedeployment *object = scene_object(NULL, spec, NULL);
    ledger_hash(&object->spec, ret_hash);
    teedeployment_unref(object);
}

/* Each text is a spec of its own: written defaults are not absence. */
static const char *const launch_relevant[] = {
    NULL,
    "\"image\":\"app@sha256:01\"",
    "\"image\":null,\"eif\":{\"url\":\"s3://b/k\"}",
    "\"image\":null,\"eif\":{\"url\":\"s3://b/k\",\"sha256\":\"00\"}",
    "\"instance\":{\"amiID\":\"ami-1\"}",
    "\"instance\":{\"instanceType\":\"m5.xlarge\"}",
    "\"instance\":{\"keyName\":\"k\"}",
    "\"instance\":{\"iamInstanceProfile\":\"k\"}",
    "\"instance\":{\"rootVolume\":{}}",
    "\"instance\":{\"rootVolume\":{\"sizeGiB\":8}}",
    "\"instance\":{\"rootVolume\":{\"type\":\"gp3\"}}",
    "\"instance\":{\"rootVolume\":{\"iops\":3000}}",
    "\"instance\":{\"rootVolume\":{\"throughput\":125}}",
    "\"instance\":{\"rootVolume\":{\"encrypted\":true}}",
    "\"instance\":{\"rootVolume\":{\"encrypted\":false}}",
    "\"instance\":{\"rootVolume\":{\"kmsKeyID\":\"k\"}}",
    "\"enclave\":{\"cpuCount\":2}",
    "\"enclave\":{\"memoryMiB\":512}",
    "\"enclave\":{\"debugMode\":true}",
    "\"ports\":[{\"name\":\"a\",\"port\":80}]",
    "\"ports\":[{\"name\":\"b\",\"port\":80}]",
    "\"ports\":[{\"name\":\"a\",\"port\":81,\"enclavePort\":80}]",
    "\"ports\":[{\"name\":\"a\",\"port\":80,\"enclavePort\":81}]",
    "\"egress\":[{\"name\":\"a\",\"host\":\"h\",\"port\":443,\"vsockPort\":8000}]",
    "\"egress\":[{\"name\":\"a\",\"host\":\"g\",\"port\":443,\"vsockPort\":8000}]",
    "\"egress\":[{\"name\":\"a\",\"host\":\"h\",\"port\":444,\"vsockPort\":8000}]",
    "\"egress\":[{\"name\":\"a\",\"host\":\"h\",\"port\":443,\"vsockPort\":8001}]",
    "\"attestation\":{\"protocol\":\"Native\"}",
    "\"attestation\":{\"protocol\":\"Oyster\"}",
    "\"attestation\":{\"port\":1300}",
};

static void test_hash_fields(void **state)
{
    (void)state;
    static char hashes[ARRAY_LEN(launch_relevant)][SHA256_HEX_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(launch_relevant); i++) {
        hash_of(launch_relevant[i], hashes[i]);
        for (size_t k = 0; k < i; k++)
            if (strcmp(hashes[i], hashes[k]) == 0)
                fail_msg("specs %zu and %zu have one hash", k, i);
    }
}

/* What replaces no host. */
static void test_hash_ignores(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "\"desiredState\":\"Stopped\"",
        "\"instance\":{}",
        "\"instance\":{\"tags\":{\"a\":\"b\"}}",
        "\"instance\":{\"securityGroupIDs\":[\"sg-1\"]}",
        "\"instance\":{\"subnetIDs\":[\"subnet-1\"]}",
        "\"instance\":{\"amiID\":null,\"rootVolume\":null}",
        "\"enclave\":{\"debugMode\":false}",
        "\"ports\":[],\"egress\":null",
        "\"attestation\":{\"intervalSeconds\":60,\"requireNonce\":false,\"onRejected\":\"Stop\"}",
        "\"attestation\":{\"measurements\":[{\"name\":\"a\",\"pcrs\":[]}]}",
        "\"deletionPolicy\":\"Retain\",\"updateStrategy\":\"OnDelete\"",
        "\"deploymentID\":\"d\",\"timeouts\":{\"bootSeconds\":60}",
    };
    char bare[SHA256_HEX_SIZE];
    hash_of(NULL, bare);
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        char hash[SHA256_HEX_SIZE];
        hash_of(specs[i], hash);
        if (strcmp(hash, bare) != 0)
            fail_msg("%s changes the hash", specs[i]);
    }
}

static void policy_of(const char *spec, const char *roots, char ret_hash[SHA256_HEX_SIZE])
{
    struct teedeployment *object = scene_object(NULL, spec, NULL);
    ledger_policy_hash(&object->spec, roots, ret_hash);
    teedeployment_unref(object);
}

static void test_policy_hash(void **state)
{
    (void)state;
    static const char *const specs[] = {
        NULL,
        "\"enclave\":{\"debugMode\":true}",
        "\"attestation\":{\"requireNonce\":true}",
        "\"attestation\":{\"requireNonce\":false}",
        "\"attestation\":{\"instanceRoleARN\":\"arn\"}",
        "\"attestation\":{\"maxAgeSeconds\":60}",
        "\"attestation\":{\"validSeconds\":1800}",
        "\"attestation\":{\"userDataSHA256\":\"00\"}",
        "\"attestation\":{\"publicKeySHA256\":\"00\"}",
        "\"attestation\":{\"onRejected\":\"Stop\"}",
        "\"attestation\":{\"measurements\":[{\"name\":\"a\",\"pcrs\":[{\"index\":0,\"sha384\":\"00\"}]}]}",
        "\"attestation\":{\"measurements\":[{\"name\":\"a\",\"pcrs\":[{\"index\":1,\"sha384\":\"00\"}]}]}",
        "\"attestation\":{\"measurements\":[{\"name\":\"a\",\"pcrs\":[{\"index\":0,\"sha384\":\"01\"}]}]}",
        "\"attestation\":{\"measurements\":[{\"name\":\"a\",\"notAfter\":\"2027-01-01T00:00:00Z\"}]}",
    };
    static char hashes[ARRAY_LEN(specs) + 1][SHA256_HEX_SIZE];
    char same[SHA256_HEX_SIZE];
    for (size_t i = 0; i <= ARRAY_LEN(specs); i++) {
        policy_of(i < ARRAY_LEN(specs) ? specs[i] : NULL, i < ARRAY_LEN(specs) ? "roots" : "others",
                  hashes[i]);
        for (size_t k = 0; k < i; k++)
            if (strcmp(hashes[i], hashes[k]) == 0)
                fail_msg("policies %zu and %zu have one hash", k, i);
    }
    policy_of("\"instance\":{\"instanceType\":\"m6i.xlarge\"}", "roots", same);
    assert_string_equal(same, hashes[0]);
}

static void test_token(void **state)
{
    (void)state;
    static const struct ledger_call cases[] = {
        {"c", "d", "h", "t", "s", 1},  {"c", "e", "h", "t", "s", 1}, {"c", "d", "i", "t", "s", 1},
        {"c", "d", "h", "u", "s", 1},  {"c", "d", "h", "t", "r", 1}, {"c", "d", "h", "t", NULL, 1},
        {"c", "d", "h", "t", "s", 11}, {"c", "dh", "", "t", "s", 1}, {"b", "d", "h", "t", "s", 1},
        {"cd", "", "h", "t", "s", 1},
    };
    char tokens[ARRAY_LEN(cases)][SHA256_HEX_SIZE];
    char again[SHA256_HEX_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ledger_token(&cases[i], tokens[i]);
        assert_int_equal(strlen(tokens[i]), 64);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(tokens[i], tokens[k]);
    }
    ledger_token(&cases[0], again);
    assert_string_equal(again, tokens[0]);
}

static void test_close_and_history(void **state)
{
    (void)state;
    struct ledger ledger = {0};
    ledger_close(&ledger, "Terminated", NULL, 5);
    assert_int_equal(ledger.history_count, 0);
    for (int i = 1; i <= 10; i++) {
        ledger.attempt = i;
        ledger.token = "t";
        ledger.instance_id = "i";
        ledger.instance_launch_ms = 3;
        ledger.policy_hash = "p";
        ledger.result = "Launched";
        ledger_close(&ledger, "Terminated", "why", 100 + i);
        assert_null(ledger.token);
        assert_null(ledger.instance_id);
        assert_null(ledger.result);
        assert_null(ledger.policy_hash);
        assert_int_equal(ledger.instance_launch_ms, 0);
    }
    assert_int_equal(ledger.history_count, LEDGER_HISTORY_MAX);
    assert_int_equal(ledger.history[0].attempt, 3);
    assert_int_equal(ledger.history[7].attempt, 10);
    assert_int_equal(ledger.history[7].ended_ms, 110);
    assert_string_equal(ledger.history[7].result, "Terminated");
    assert_string_equal(ledger.history[7].instance_id, "i");
}

/* Failures do not push out what the launches of an hour are counted by. */
static void test_history_keeps_what_counts(void **state)
{
    (void)state;
    struct ledger ledger = {0};
    for (int i = 1; i <= LEDGER_HISTORY_MAX + 3; i++) {
        ledger.attempt = i;
        ledger.token = "t";
        ledger.instance_id = i % 2 == 1 ? "i" : NULL;
        ledger.started_ms = i * 1000;
        ledger_close(&ledger, "Failed", NULL, i * 1000);
    }
    assert_int_equal(ledger.history_count, LEDGER_HISTORY_MAX);
    assert_int_equal(ledger_launches_in_hour(&ledger, 20 * 1000), 6);
    assert_int_equal(ledger.history[0].attempt, 1);
    assert_int_equal(ledger.history[7].attempt, LEDGER_HISTORY_MAX + 3);
}

static void begin(struct ledger *ledger, struct plan_scene *scene, uint32_t short_mask)
{
    struct ledger_launch launch = {scene->want, &scene->effective, "cluster", short_mask, 1000};
    ledger_begin(ledger, &launch, &scene->arena);
}

static void test_begin(void **state)
{
    (void)state;
    struct scene_input input = {.spec = "\"instance\":{\"subnetIDs\":[\"subnet-a\",\"subnet-b\"]}"};
    struct plan_scene scene;
    struct ledger ledger = {0};
    static const char *const subnets[] = {"subnet-a", "subnet-b", "subnet-a"};
    char last[SHA256_HEX_SIZE] = "";
    plan_scene_init(&scene, &input);
    for (int i = 0; i < 3; i++) {
        begin(&ledger, &scene, 0);
        assert_true(ledger_is_open(&ledger));
        assert_int_equal(ledger.attempt, i + 1);
        assert_int_equal(ledger.hash_version, LAUNCH_HASH_VERSION);
        assert_string_equal(ledger.subnet_id, subnets[i]);
        assert_string_not_equal(ledger.token, last);
        snprintf(last, sizeof(last), "%s", ledger.token);
        ledger_close(&ledger, "InsufficientCapacity", NULL, 2000);
        assert_false(ledger_is_open(&ledger));
    }
    begin(&ledger, &scene, 0);
    ledger_close(&ledger, "Unauthorized", NULL, 4000);
    begin(&ledger, &scene, 0);
    assert_string_equal(ledger.subnet_id, "subnet-a"); /* only a lack of capacity moves it on */
    ledger_close(&ledger, "Unauthorized", NULL, 4000);
    begin(&ledger, &scene, 1);
    assert_string_equal(ledger.subnet_id, "subnet-b"); /* others were just refused in the first */
    ledger_close(&ledger, "Unauthorized", NULL, 4000);
    begin(&ledger, &scene, 3);
    assert_string_equal(ledger.subnet_id, "subnet-a"); /* no other is left */
    plan_scene_done(&scene);
}

static struct ledger after_failures(int count, const char *result)
{
    struct ledger ledger = {.attempt = count};
    for (int i = 0; i < count; i++)
        ledger.history[ledger.history_count++] = (struct ledger_past){.ended_ms = 1000000, .result = result};
    return ledger;
}

static void test_back_off(void **state)
{
    (void)state;
    static const struct {
        int failures;
        const char *result;
        int64_t wait_ms; /* -1: at once */
    } cases[] = {
        {0, "InsufficientCapacity", -1},     {1, "InsufficientCapacity", 10000},
        {2, "InsufficientCapacity", 20000},  {5, "InsufficientCapacity", 160000},
        {8, "InsufficientCapacity", 900000}, {1, "Unauthorized", 300000},
        {8, "Unauthorized", 300000},         {1, "QuotaExceeded", 300000},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ledger ledger = after_failures(cases[i].failures, cases[i].result);
        int64_t expected = cases[i].wait_ms < 0 ? 0 : 1000000 + cases[i].wait_ms;
        if (ledger_not_before_ms(&ledger) != expected)
            fail_msg("case %zu: %lld", i, (long long)ledger_not_before_ms(&ledger));
        assert_int_equal(ledger_failures(&ledger), cases[i].failures);
    }
    struct ledger ledger = after_failures(3, "InsufficientCapacity");
    ledger.history[1].instance_id = "i"; /* a launch that went well ends the row of failures */
    assert_int_equal(ledger_failures(&ledger), 1);
    ledger.history[2].instance_id = "i";
    assert_int_equal(ledger_not_before_ms(&ledger), 0);
}

static void test_launches_in_hour(void **state)
{
    (void)state;
    const int64_t now_ms = INT64_C(100) * 3600 * 1000;
    struct ledger ledger = {.instance_id = "i", .started_ms = now_ms - 1};
    ledger.history[0] = (struct ledger_past){.instance_id = "i", .started_ms = now_ms - 3600 * 1000};
    ledger.history[1] = (struct ledger_past){.instance_id = "i", .started_ms = now_ms - 3600 * 1000 + 1};
    ledger.history[2] = (struct ledger_past){.result = "InsufficientCapacity", .started_ms = now_ms - 5};
    ledger.history_count = 3;
    assert_int_equal(ledger_launches_in_hour(&ledger, now_ms), 2);
    ledger.instance_id = NULL;
    assert_int_equal(ledger_launches_in_hour(&ledger, now_ms), 1);
}

static void test_is_refused(void **state)
{
    (void)state;
    struct ledger ledger = after_failures(1, "Invalid");
    ledger.history[0].generation = 3;
    assert_true(ledger_is_refused(&ledger, 3));
    assert_false(ledger_is_refused(&ledger, 4));
    ledger.token = "t";
    assert_false(ledger_is_refused(&ledger, 3));
    ledger = after_failures(1, "InsufficientCapacity");
    assert_false(ledger_is_refused(&ledger, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_fields),
        cmocka_unit_test(test_hash_ignores),
        cmocka_unit_test(test_policy_hash),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_begin),
        cmocka_unit_test(test_close_and_history),
        cmocka_unit_test(test_history_keeps_what_counts),
        cmocka_unit_test(test_back_off),
        cmocka_unit_test(test_launches_in_hour),
        cmocka_unit_test(test_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
