/* An object that was packed is, unpacked, the same for all who decide on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/teedeployment_pack.h"
#include "base/mem.h"
#include "plan_scene.h"
#include "reconcile/ledger.h"

#include <string.h>

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEX96 HEX64 "0123456789abcdef0123456789abcdef"

/* Every field that the decoder knows is set to something that is not its absent value. */
static const char full_metadata[] =
    "\"finalizers\":[\"other/one\",\"tee.dev/instance\"],\"deletionTimestamp\":\"2026-01-01T10:00:01Z\","
    "\"annotations\":{\"tee.dev/paused\":\"true\",\"tee.dev/adopt\":\"by-tag\","
    "\"tee.dev/reconcile-requested-at\":\"now\"}";
static const char full_spec[] =
    "\"desiredState\":\"Stopped\",\"eif\":{\"url\":\"https://a.example/e.eif\",\"sha256\":\"" HEX64 "\"},"
    "\"enclave\":{\"cpuCount\":4,\"memoryMiB\":2048,\"debugMode\":true},"
    "\"instance\":{\"amiID\":\"ami-1\",\"instanceType\":\"m5.xlarge\",\"subnetIDs\":[\"subnet-1\",\"subnet-"
    "2\"],"
    "\"securityGroupIDs\":[\"sg-1\"],\"keyName\":\"key\",\"iamInstanceProfile\":\"role\","
    "\"rootVolume\":{\"sizeGiB\":20,\"type\":\"gp3\",\"iops\":3000,\"throughput\":125,\"encrypted\":true,"
    "\"kmsKeyID\":\"k\"},\"tags\":{\"a\":\"1\",\"b\":\"2\"}},"
    "\"ports\":[{\"name\":\"web\",\"port\":443,\"enclavePort\":4294967294}],"
    "\"egress\":[{\"name\":\"api\",\"host\":\"a.example\",\"port\":443,\"vsockPort\":8443}],"
    "\"attestation\":{\"protocol\":\"Nitriding\",\"port\":8443,\"requireNonce\":true,"
    "\"instanceRoleARN\":\"arn:aws:iam::1:role/a\",\"intervalSeconds\":600,\"validSeconds\":1800,"
    "\"maxAgeSeconds\":300,\"measurements\":[{\"name\":\"one\",\"notBefore\":\"2026-01-01T00:00:00Z\","
    "\"notAfter\":\"2027-01-01T00:00:00Z\",\"pcrs\":[{\"index\":8,\"sha384\":\"" HEX96 "\"}]}],"
    "\"userDataSHA256\":\"" HEX64 "\",\"publicKeySHA256\":\"" HEX64 "\",\"onRejected\":\"Stop\"},"
    "\"deletionPolicy\":\"Retain\",\"updateStrategy\":\"OnDelete\",\"deploymentID\":\"mine\","
    "\"timeouts\":{\"launchSeconds\":100,\"bootSeconds\":200}";
static const char full_status[] =
    "\"observedGeneration\":7,\"lastHandledReconcileAt\":\"then\","
    "\"launch\":{\"attempt\":2,\"token\":\"" HEX64 "\",\"hash\":\"" HEX64 "\",\"hashVersion\":1,"
    "\"subnetID\":\"subnet-1\",\"startedAt\":\"2026-01-01T10:00:02Z\",\"result\":\"Launched\","
    "\"instanceID\":\"i-1\",\"instanceLaunchTime\":\"2026-01-01T10:00:03Z\",\"moduleID\":\"i-1-enc1\","
    "\"policyHash\":\"" HEX64 "\",\"halted\":{\"reason\":\"PCRMismatch\",\"generation\":1,"
    "\"at\":\"2026-01-01T10:00:04Z\"},\"history\":[{\"attempt\":1,\"token\":\"" HEX64 "\","
    "\"subnetID\":\"subnet-2\",\"startedAt\":\"2026-01-01T09:00:00Z\",\"endedAt\":\"2026-01-01T09:01:00Z\","
    "\"result\":\"Terminated\",\"instanceID\":\"i-0\",\"reason\":\"gone\"}]},"
    "\"attestation\":{\"verdict\":\"Verified\",\"reason\":\"r\",\"message\":\"m\","
    "\"verifiedAt\":\"2026-01-01T10:00:05Z\",\"validUntil\":\"2026-01-01T10:00:06Z\","
    "\"nextAt\":\"2026-01-01T10:00:07Z\",\"documentTimestamp\":\"2026-01-01T10:00:08Z\","
    "\"matchedMeasurement\":\"one\",\"pcrs\":[{\"index\":3,\"sha384\":\"" HEX96 "\"}],"
    "\"moduleID\":\"i-1-enc1\",\"enclaveLaunchedAt\":\"2026-01-01T10:00:09Z\",\"nonceVerified\":true,"
    "\"instanceBound\":true,\"roleBound\":true,\"publicKey\":{\"value\":\"AAAA\",\"keyType\":\"X25519\","
    "\"fingerprint\":\"" HEX64 "\"},\"userDataSHA256\":\"" HEX64 "\","
    "\"leafNotAfter\":\"2026-01-01T10:00:10Z\",\"rootSHA256\":\"" HEX64 "\",\"claims\":{"
    "\"instance_id\":\"i-1\",\"enclave_cpu_count\":\"2\",\"enclave_memory_mb\":\"512\"}},"
    "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"reason\":\"Verified\",\"message\":\"well\","
    "\"observedGeneration\":7,\"lastTransitionTime\":\"2026-01-01T10:00:11Z\"}]";

/* Two words of a struct say the same: they are equal, or they are two addresses. A forgotten field is zero in
 * the second, alone or beside a number that was not forgotten. */
static bool words_agree(uint64_t a, uint64_t b)
{
    bool are_addresses = a >= 4096 && b >= 4096 && (uint32_t)a != 0 && (uint32_t)b != 0;
    return a == b || (are_addresses && (uint32_t)a != (uint32_t)b);
}

static void expect_same_fields(const void *a, const void *b, size_t size, const char *what)
{
    for (size_t at = 0; at + sizeof(uint64_t) <= size; at += sizeof(uint64_t)) {
        uint64_t words[2];
        memcpy(&words[0], (const char *)a + at, sizeof(words[0]));
        memcpy(&words[1], (const char *)b + at, sizeof(words[1]));
        if (!words_agree(words[0], words[1]))
            fail_msg("%s: the field at byte %zu was not kept", what, at);
    }
}

static void expect_same_texts(const struct teedeployment *a, const struct teedeployment *b)
{
    char hashes[4][SHA256_HEX_SIZE];
    ledger_hash(&a->spec, hashes[0]);
    ledger_hash(&b->spec, hashes[1]);
    ledger_policy_hash(&a->spec, "roots", hashes[2]);
    ledger_policy_hash(&b->spec, "roots", hashes[3]);
    assert_string_equal(hashes[0], hashes[1]);
    assert_string_equal(hashes[2], hashes[3]);
    CLEANUP(buf_done) struct buf before, after;
    buf_init(&before, 1 << 20);
    buf_init(&after, 1 << 20);
    status_encode(&a->status, &before);
    status_encode(&b->status, &after);
    assert_string_equal(buf_text(&before), buf_text(&after));
    assert_string_equal(a->key, b->key);
    assert_string_equal(a->uid, b->uid);
    assert_string_equal(a->resource_version, b->resource_version);
    assert_string_equal(a->deployment_id, b->deployment_id);
    assert_memory_equal(a->status_digest, b->status_digest, sizeof(a->status_digest));
}

/* Seen to fail with any line of the walks taken out. */
static void test_every_field_is_kept(void **state)
{
    (void)state;
    CLEANUP(teedeployment_unrefp)
    struct teedeployment *object = scene_object(full_metadata, full_spec, full_status);
    assert_null(object->invalid);
    object->invalid = "so that it is set";
    object->status.conditions.items[0].message = NULL; /* by intent not kept */
    struct packed *packed = teedeployment_pack(object);
    CLEANUP(teedeployment_unrefp) struct teedeployment *again = teedeployment_unpack(packed);
    packed_unref(packed); /* the unpacked one goes on to hold it */
    size_t from = offsetof(struct teedeployment, key);
    expect_same_fields((const char *)object + from, (const char *)again + from, sizeof(*object) - from,
                       "object");
    expect_same_fields(object->spec.ports, again->spec.ports, sizeof(*object->spec.ports), "ports");
    expect_same_fields(object->spec.egress, again->spec.egress, sizeof(*object->spec.egress), "egress");
    expect_same_fields(object->spec.instance.tags, again->spec.instance.tags,
                       2 * sizeof(*object->spec.instance.tags), "tags");
    expect_same_fields(object->spec.attestation.measurements, again->spec.attestation.measurements,
                       sizeof(*object->spec.attestation.measurements), "measurements");
    assert_string_equal(again->spec.instance.subnet_ids[1], "subnet-2");
    assert_string_equal(again->spec.instance.security_group_ids[0], "sg-1");
    assert_string_equal(again->spec.instance.tags[1].value, "2");
    expect_same_texts(object, again);
}

/* A spec that is wrong is kept with what is wrong about it, and absent stays absent. */
static void test_little(void **state)
{
    (void)state;
    static const char *const specs[] = {NULL, "\"image\":7",
                                        "\"attestation\":{\"measurements\":[{\"pcrs\":[{\"index\":0}]}]}"};
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        CLEANUP(teedeployment_unrefp) struct teedeployment *object = scene_object(NULL, specs[i], NULL);
        struct packed *packed = teedeployment_pack(object);
        assert_true(packed_bytes(packed) < 256);
        CLEANUP(teedeployment_unrefp) struct teedeployment *again = teedeployment_unpack(packed);
        packed_unref(packed);
        assert_string_equal(object->invalid ? object->invalid : "", again->invalid ? again->invalid : "");
        expect_same_texts(object, again);
    }
}

#define SUBNET      "subnet-0123456789abcdef0"
#define INSTANCE    "i-0123456789abcdef0"
#define PCR(index)  "{\"index\":" #index ",\"sha384\":\"" HEX96 "\"}"
#define PCRS        PCR(0) "," PCR(1) "," PCR(2)
#define OF(type)    "{\"type\":\"" type "\",\"status\":\"True\",\"reason\":\"Verified\"," OF_TIME "}"
#define OF_TIME     "\"observedGeneration\":7,\"lastTransitionTime\":\"2026-01-01T10:00:11Z\""
#define CONDITIONS  OF("Ready") "," OF("HostLaunched") "," OF("EnclaveRunning") "," OF("Attested")
#define PUBLIC_KEY  "\"value\":\"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\",\"keyType\":\"X25519\""
#define MEASUREMENT "{\"name\":\"v1\",\"pcrs\":[" PCRS "]}"

/* One as in production: launched for the second time, verified, with all that the status says then. */
static const char usual_spec[] =
    "\"image\":\"registry.example.com/team/service@sha256:" HEX64 "\","
    "\"enclave\":{\"cpuCount\":4,\"memoryMiB\":4096},"
    "\"instance\":{\"instanceType\":\"m6i.2xlarge\",\"subnetIDs\":[\"" SUBNET "\",\"" SUBNET "\"],"
    "\"securityGroupIDs\":[\"sg-0123456789abcdef0\"],\"iamInstanceProfile\":\"service-profile\","
    "\"tags\":{\"team\":\"payments\",\"stage\":\"production\"}},"
    "\"ports\":[{\"name\":\"https\",\"port\":443,\"enclavePort\":8443}],"
    "\"egress\":[{\"name\":\"api\",\"host\":\"api.example.com\",\"port\":443,\"vsockPort\":8443}],"
    "\"attestation\":{\"measurements\":[" MEASUREMENT "]}";
static const char usual_status[] =
    "\"observedGeneration\":7,\"launch\":{\"attempt\":2,\"token\":\"" HEX64 "\",\"hash\":\"" HEX64 "\","
    "\"hashVersion\":1,\"subnetID\":\"" SUBNET "\",\"startedAt\":\"2026-01-01T10:00:02Z\","
    "\"result\":\"Launched\",\"instanceID\":\"" INSTANCE "\",\"policyHash\":\"" HEX64 "\","
    "\"instanceLaunchTime\":\"2026-01-01T10:00:03Z\",\"moduleID\":\"" INSTANCE "-enc0123456789abcdef\","
    "\"history\":[{\"attempt\":1,\"token\":\"" HEX64 "\",\"subnetID\":\"" SUBNET "\","
    "\"startedAt\":\"2026-01-01T09:00:00Z\",\"endedAt\":\"2026-01-01T09:01:00Z\","
    "\"result\":\"Terminated\",\"instanceID\":\"" INSTANCE "\",\"reason\":\"\"}]},"
    "\"attestation\":{\"verdict\":\"Verified\",\"reason\":\"\",\"message\":\"\","
    "\"verifiedAt\":\"2026-01-01T10:00:05Z\",\"validUntil\":\"2026-01-01T10:30:05Z\","
    "\"nextAt\":\"2026-01-01T10:10:05Z\",\"documentTimestamp\":\"2026-01-01T10:00:04Z\","
    "\"matchedMeasurement\":\"v1\",\"pcrs\":[" PCRS
    "," PCR(3) "," PCR(4) "],"
                          "\"moduleID\":\"" INSTANCE
                          "-enc0123456789abcdef\",\"enclaveLaunchedAt\":\"2026-01-01T10:00:03Z\","
                          "\"nonceVerified\":true,\"instanceBound\":true,"
                          "\"publicKey\":{" PUBLIC_KEY ",\"fingerprint\":\"" HEX64
                          "\"},\"userDataSHA256\":\"" HEX64 "\","
                          "\"leafNotAfter\":\"2026-01-01T13:00:00Z\",\"rootSHA256\":\"" HEX64 "\"},"
                          "\"conditions\":[" CONDITIONS "," OF("PreflightSucceeded") "," OF("Drifted") "]";

/* What the memory of 10,000 objects is planned with. */
static void test_size(void **state)
{
    (void)state;
    CLEANUP(teedeployment_unrefp) struct teedeployment *object = scene_object(NULL, usual_spec, usual_status);
    assert_null(object->invalid);
    struct packed *packed = teedeployment_pack(object);
    assert_in_range(packed_bytes(packed), 1024, 1536);
    packed_unref(packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field_is_kept),
        cmocka_unit_test(test_little),
        cmocka_unit_test(test_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
