/* One object from JSON: whatever the server, or somebody with write access to it, put there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "plan_scene.h"

#include <string.h>

#define IDENTITY "\"namespace\":\"ns\",\"name\":\"a\",\"uid\":\"u1\",\"resourceVersion\":\"5\""
#define GOOD     "{\"metadata\":{" IDENTITY "},\"spec\":{\"image\":\"a\"}}"

static void test_malformed(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "null",
        "[]",
        "{",
        GOOD "x",
        "{}",
        "{\"metadata\":7}",
        "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"a\",\"resourceVersion\":\"5\"}}",
        "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"a\",\"uid\":null,\"resourceVersion\":\"5\"}}",
        "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"a\",\"uid\":7,\"resourceVersion\":\"5\"}}",
        "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"a\",\"uid\":\"u\\u0000x\",\"resourceVersion\":\"5\"}"
        "}",
        "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"a\",\"uid\":\"u\"}}",
        "{\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"resourceVersion\":\"5\"}}",
        "{\"metadata\":{\"namespace\":\"ns\",\"uid\":\"u\",\"resourceVersion\":\"5\"}}",
        "{\"metadata\":{" IDENTITY "},\"spec\":{\"image\":\"\xff\xfe\"}}",      /* not UTF-8 */
        "{\"metadata\":{" IDENTITY "},\"spec\":{\"image\":\"\xed\xa0\x80\"}}",  /* a surrogate */
        "{\"metadata\":{" IDENTITY ",\"generation\":9223372036854775808}}",     /* past int64 */
        "{\"metadata\":{" IDENTITY "},\"spec\":{\"image\":\"a\",\"n\":1e999}}", /* past double */
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct teedeployment *object = NULL;
        struct error err = {0};
        /* A heap copy without a NUL lets the sanitizer see a read past the text. */
        size_t len = strlen(texts[i]);
        CLEANUP(freep) char *copy = mem_dup(texts[i], len);
        if (teedeployment_decode(copy, len, &object, &err) == 0 || object)
            fail_msg("case %zu was decoded", i);
        assert_int_equal(err.kind, ERROR_INVALID);
        assert_string_equal(err.reason, "Malformed");
    }
}

/* What is wrong is told to people in Events, in our words: the text may hold anything. */
static void test_malformed_is_not_quoted(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"{\"metadata\":{" IDENTITY "},\"spec\":hunter2}",
         "the object's text has what is no JSON at byte 88"},
        {"{\"hunter2\":\"hunter2\xff\"}", "the object's text has bytes that are not UTF-8 at byte 19"},
        {"{\"hunter2\":9223372036854775808}", "the object's text has a number out of range at byte 30"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct teedeployment *object = NULL;
        struct error err = {0};
        assert_int_equal(teedeployment_decode(cases[i].text, strlen(cases[i].text), &object, &err), -1);
        assert_string_equal(err.text, cases[i].wanted);
    }
}

/* A spec that cannot be acted upon is kept, and names the field. */
static void test_invalid_names_the_field(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *invalid;
    } cases[] = {
        {"\"image\":7", ".spec.image must be a string"},
        {"\"image\":null", ".spec.image must be set, or eif"},
        {"\"image\":\"a\\u0000b\"", ".spec.image must be free of NUL characters"},
        {"\"desiredState\":\"Asleep\"", ".spec.desiredState must be one of the values that the schema lists"},
        {"\"desiredState\":1", ".spec.desiredState must be one of the values that the schema lists"},
        {"\"enclave\":[]", ".spec.enclave must be an object"},
        {"\"enclave\":{\"cpuCount\":0}", ".spec.enclave.cpuCount must be a whole number from 1 to 192"},
        {"\"enclave\":{\"cpuCount\":2.0}", ".spec.enclave.cpuCount must be a whole number from 1 to 192"},
        {"\"enclave\":{\"cpuCount\":\"2\"}", ".spec.enclave.cpuCount must be a whole number from 1 to 192"},
        {"\"enclave\":{\"memoryMiB\":9007199254740993}",
         ".spec.enclave.memoryMiB must be a whole number from 64 to 1048576"},
        {"\"enclave\":{\"memoryMiB\":4294967808}", /* 512 past 32 bits */
         ".spec.enclave.memoryMiB must be a whole number from 64 to 1048576"},
        {"\"enclave\":{\"debugMode\":\"yes\"}", ".spec.enclave.debugMode must be true or false"},
        {"\"instance\":{\"subnetIDs\":\"subnet-1\"}",
         ".spec.instance.subnetIDs must be a list within its size limit"},
        {"\"instance\":{\"subnetIDs\":[1]}", ".spec.instance.subnetIDs must be a string"},
        {"\"instance\":{\"subnetIDs\":[null]}", ".spec.instance.subnetIDs must be a string"},
        {"\"instance\":{\"tags\":{\"a\":1}}", ".spec.instance.tags.a must be a string"},
        {"\"instance\":{\"rootVolume\":{\"sizeGiB\":1}}",
         ".spec.instance.rootVolume.sizeGiB must be a whole number from 8 to 16384"},
        {"\"ports\":{}", ".spec.ports must be a list within its size limit"},
        {"\"ports\":[7]", ".spec.ports must be a list of objects"},
        {"\"ports\":[{\"name\":\"a\",\"port\":70000}]",
         ".spec.ports[0].port must be a whole number from 1 to 65535"},
        {"\"egress\":[{\"name\":\"a\"},{\"vsockPort\":80}]",
         ".spec.egress[1].vsockPort must be a whole number from 1024 to 65535"},
        {"\"attestation\":{\"measurements\":[{\"notAfter\":\"tomorrow\"}]}",
         ".spec.attestation.measurements[0].notAfter must be a time like 2026-01-02T03:04:05Z"},
        {"\"attestation\":{\"measurements\":[{\"pcrs\":[{\"index\":0}]}]}",
         ".spec.attestation.measurements[0].pcrs[0].sha384 must be 96 hex digits"},
        {"\"deploymentID\":\"0123456789012345678901234567890123456789012345678901234567890123\"",
         ".spec.deploymentID must be shorter"},
        {"\"timeouts\":{\"bootSeconds\":-1}",
         ".spec.timeouts.bootSeconds must be a whole number from 60 to 7200"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct teedeployment *object = scene_object(NULL, cases[i].spec, NULL);
        if (!object->invalid || strcmp(object->invalid, cases[i].invalid) != 0)
            fail_msg("case %zu: %s", i, object->invalid ? object->invalid : "valid");
        assert_string_equal(object->key, "ns/a");
        teedeployment_unref(object);
    }
}

static void test_absent(void **state)
{
    (void)state;
    struct teedeployment *object =
        scene_object("\"finalizers\":null,\"annotations\":null,\"labels\":null,\"deletionTimestamp\":null",
                     "\"instance\":null,\"enclave\":null,\"ports\":null,\"egress\":null,\"attestation\":{"
                     "\"measurements\":null},"
                     "\"timeouts\":null,\"somethingNew\":{\"a\":[1]}",
                     "\"launch\":null,\"conditions\":null,\"attestation\":null");
    assert_null(object->invalid);
    assert_int_equal(object->finalizer_index, -1);
    assert_int_equal(object->finalizer_count, 0);
    assert_false(object->is_deleting || object->is_paused || object->wants_adoption);
    assert_int_equal(object->spec.port_count + object->spec.egress_count + object->spec.instance.subnet_count,
                     0);
    assert_int_equal(object->spec.attestation.measurement_count, 0);
    assert_int_equal(object->spec.attestation.require_nonce, -1);
    assert_int_equal(object->spec.desired_state, DESIRED_ABSENT);
    assert_null(object->status.attestation.verdict);
    assert_int_equal(object->status.observed_generation, -1);
    assert_string_equal(object->deployment_id, "nitro-u1");
    teedeployment_unref(object);
}

static void test_metadata(void **state)
{
    (void)state;
    struct teedeployment *object = scene_object(
        "\"finalizers\":[\"other/one\",7,\"tee.dev/"
        "instance\"],\"deletionTimestamp\":\"2026-01-01T10:00:01Z\","
        "\"generation\":9007199254740993,\"annotations\":{\"tee.dev/paused\":\"true\",\"tee.dev/"
        "adopt\":\"by-tag\","
        "\"tee.dev/reconcile-requested-at\":\"one\",\"reconcile.fluxcd.io/requestedAt\":\"two\"}",
        "\"deploymentID\":\"mine\"", NULL);
    assert_int_equal(object->generation, INT64_C(9007199254740993)); /* past 2^53, to the digit */
    assert_int_equal(object->finalizer_index, 2);
    assert_int_equal(object->finalizer_count, 3);
    assert_true(object->is_deleting && object->is_paused && object->wants_adoption);
    assert_string_equal(object->reconcile_requested, "one two");
    assert_string_equal(object->deployment_id, "mine");
    teedeployment_unref(object);
    static const char *const not_paused[] = {"\"yes\"", "\"True\"", "true", "1", "\"true\\u0000\"", "\"\""};
    for (size_t i = 0; i < ARRAY_LEN(not_paused); i++) {
        char text[80];
        snprintf(text, sizeof(text), "\"annotations\":{\"tee.dev/paused\":%s}", not_paused[i]);
        object = scene_object(text, NULL, NULL);
        assert_false(object->is_paused);
        assert_null(object->invalid);
        teedeployment_unref(object);
    }
}

/* Somebody else's annotation may be large; the object does not grow by it. Past 4 MiB it is refused. */
static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        size_t filler;
        int result;
    } cases[] = {{1536 * 1024, 0}, {4 * 1024 * 1024, -1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(freep) char *filler = mem_calloc(cases[i].filler + 1, 1);
        memset(filler, 'x', cases[i].filler);
        CLEANUP(buf_done) struct buf json;
        buf_init(&json, 8 * 1024 * 1024);
        buf_puts(&json, "{\"metadata\":{" IDENTITY ",\"annotations\":{\"big\":\"");
        buf_puts(&json, filler);
        buf_puts(&json, "\"}},\"spec\":{\"image\":\"a\"}}");
        struct teedeployment *object = NULL;
        assert_int_equal(teedeployment_decode(buf_text(&json), json.len, &object, NULL), cases[i].result);
        if (object)
            assert_true(arena_bytes(&object->arena) < 64 * 1024);
        teedeployment_unref(object);
    }
}

static void test_versions(void **state)
{
    (void)state;
    assert_true(resource_version_compare("9", "10") < 0);
    assert_true(resource_version_compare("10", "9") > 0);
    assert_int_equal(resource_version_compare("10", "10"), 0);
    assert_true(resource_version_compare("18446744073709551616", "9223372036854775807") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_malformed_is_not_quoted),
        cmocka_unit_test(test_invalid_names_the_field),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
