/* One object whose status is right, spoiled in one place at a time: what the repeated check makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "attest_scene.h"
#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "check.h"
#include "evidence/evidence_status.h"

#include <jansson.h>
#include <string.h>

/* The spec that admits the scene's document, as the API server holds it. */
static json_t *make_spec(const struct scene *scene)
{
    json_t *pcrs = json_array();
    for (size_t i = 0; i < ARRAY_LEN(scene->pcrs); i++) {
        char text[2 * ATTEST_PCR_BYTES + 1];
        hex_encode(scene->pcrs[i].value, ATTEST_PCR_BYTES, text);
        json_array_append_new(pcrs,
                              json_pack("{s:i,s:s}", "index", (int)scene->pcrs[i].index, "sha384", text));
    }
    return json_pack("{s:s,s:{s:s,s:[{s:s,s:o}]}}", "image", "registry.example.com/a@sha256:c0ffee",
                     "attestation", "instanceRoleARN", SCENE_ROLE, "measurements", "name", "v1", "pcrs",
                     pcrs);
}

/* What the controller writes after it accepted the document. */
static json_t *make_status(struct scene *scene)
{
    struct tee_spec effective = {.cpu_count = 2, .memory_mib = 512};
    struct tee_status status = {.phase = "Running",
                                .instance = {.id = SCENE_INSTANCE_ID, .private_ip = "192.0.2.7"}};
    struct attest_result result;
    CLEANUP(arena_done) struct arena arena;
    CLEANUP(buf_done) struct buf json, evidence;
    arena_init(&arena);
    buf_init(&json, 256 * 1024);
    buf_init(&evidence, 256 * 1024);
    scene_verify(scene, &result);
    assert_int_equal(result.verdict, ATTEST_VERIFIED);
    evidence_status_fill(&result, &effective, &arena, &status.attestation);
    status.attestation.valid_until_ms = scene_now_ms + 60000;
    status_encode(&status, &json);
    status_encode_evidence(scene->document.data, scene->document.len, &evidence);
    json_t *tree = json_loadb(buf_text(&json), json.len, 0, NULL);
    json_t *second = json_loadb(buf_text(&evidence), evidence.len, 0, NULL);
    json_object_update(json_object_get(tree, "attestation"), json_object_get(second, "attestation"));
    json_decref(second);
    return tree;
}

static json_t *make_object(struct scene *scene)
{
    scene_reset(scene);
    scene_sign(scene);
    return json_pack("{s:{s:s,s:s,s:s,s:s},s:o,s:o}", "metadata", "namespace", "ns", "name", "a", "uid", "u",
                     "resourceVersion", "1", "spec", make_spec(scene), "status", make_status(scene));
}

/* Puts JSON at a path like status/attestation/pcrs/0/sha384; NULL takes the member away. */
static void put(json_t *tree, const char *path, const char *json)
{
    CLEANUP(freep) char *copy = mem_strdup(path);
    char *rest = NULL;
    char *key = strtok_r(copy, "/", &rest);
    for (char *next = strtok_r(NULL, "/", &rest); next; key = next, next = strtok_r(NULL, "/", &rest))
        tree =
            json_is_array(tree) ? json_array_get(tree, (size_t)(key[0] - '0')) : json_object_get(tree, key);
    if (!json)
        assert_int_equal(json_object_del(tree, key), 0);
    else
        assert_int_equal(json_object_set_new(tree, key, json_loads(json, JSON_DECODE_ANY, NULL)), 0);
}

static struct object *decode(const json_t *tree)
{
    struct object *object = NULL;
    struct error err = {0};
    CLEANUP(freep) char *text = json_dumps(tree, 0);
    if (object_decode(text, strlen(text), &object, &err) < 0)
        fail_msg("%s", err.text);
    return object;
}

static void check_it(const struct scene *scene, const struct object *object, const struct flags *flags,
                     struct arena *arena, struct check *ret_check)
{
    struct error err = {0};
    struct check_input input = {.document = object->evidence,
                                .len = object->evidence_len,
                                .object = object,
                                .roots = &scene->roots,
                                .flags = flags,
                                .now_ms = scene_now_ms};
    if (check_run(&input, arena, ret_check, &err) < 0)
        fail_msg("%s", err.text);
}

struct status_case {
    const char *name;
    const char *path[3]; /* NULL: nothing more is changed */
    const char *json[3];
    const char *reason; /* NULL: accepted */
    size_t differences;
};

#define A "status/attestation/"

static const struct status_case status_cases[] = {
    {"right", {0}, {0}, NULL, 0},
    {"PCR", {A "pcrs/0/sha384"}, {"\"00\""}, "StatusMismatch", 1},
    {"PCR that the document lacks", {A "pcrs/0/index"}, {"31"}, "StatusMismatch", 1},
    {"module id", {A "moduleID"}, {"\"i-1\""}, "StatusMismatch", 1},
    {"time of the document", {A "documentTimestamp"}, {"\"2020-01-01T00:00:00Z\""}, "StatusMismatch", 1},
    {"leaf", {A "leafNotAfter"}, {"\"2020-01-01T00:00:00Z\""}, "StatusMismatch", 1},
    {"root", {A "rootSHA256"}, {"\"00\""}, "StatusMismatch", 1},
    {"key", {A "publicKey/value"}, {"\"AAAA\""}, "StatusMismatch", 1},
    {"fingerprint", {A "publicKey/fingerprint"}, {"\"00\""}, "StatusMismatch", 1},
    {"user data", {A "userDataSHA256"}, {"\"00\""}, "StatusMismatch", 1},
    {"claim", {A "claims/instance_id"}, {"\"i-1\""}, "StatusMismatch", 1},
    {"digest", {A "evidenceSHA256"}, {"\"00\""}, "StatusMismatch", 1},
    {"no digest", {A "evidenceSHA256"}, {NULL}, "StatusMismatch", 1},
    {"rejected, but it is right",
     {A "verdict", A "reason"},
     {"\"Rejected\"", "\"PCRMismatch\""},
     "StatusMismatch",
     1},
    {"a fact less", {A "moduleID", A "publicKey", A "pcrs"}, {0}, NULL, 0},
    {"no verdict", {A "verdict"}, {NULL}, NULL, 0},
    {"without a nonce", {A "verdict", A "nonceVerified"}, {"\"VerifiedWithoutNonce\"", "false"}, NULL, 0},
    {"another nonce", {A "verdict", A "reason"}, {"\"Rejected\"", "\"NonceMismatch\""}, "NonceMismatch", 0},
    {"too old then", {A "verdict", A "reason"}, {"\"Rejected\"", "\"Stale\""}, "Stale", 0},
    {"expired", {A "verdict"}, {"\"Expired\""}, "Lapsed", 0},
    {"lapsed and nobody says so", {A "validUntil"}, {"\"2020-01-01T00:00:00Z\""}, "Lapsed", 0},
    {"other measurements", {"spec/attestation/measurements/0/pcrs/0/sha384"}, {"\"00\""}, "PCRMismatch", 1},
    {"other measurements, and said so",
     {"spec/attestation/measurements/0/pcrs/0/sha384", A "verdict", A "reason"},
     {"\"00\"", "\"Rejected\"", "\"PCRMismatch\""},
     "PCRMismatch",
     0},
    {"other measurements, and said otherwise",
     {"spec/attestation/measurements/0/pcrs/0/sha384", A "verdict", A "reason"},
     {"\"00\"", "\"Debug\"", "\"DebugEnclave\""},
     "PCRMismatch",
     1},
    {"no measurements", {"spec/attestation/measurements"}, {NULL}, "NoExpectedPCRs", 1},
    {"other role",
     {"spec/attestation/instanceRoleARN"},
     {"\"arn:aws:iam::000000000000:role/x\""},
     "WrongRole",
     1},
    {"role where none is wanted", {"spec/attestation/instanceRoleARN"}, {NULL}, "WrongRole", 1},
    {"role that no spec names",
     {"spec/attestation/instanceRoleARN", "status/effective"},
     {NULL, "{\"instance\":{\"iamInstanceProfile\":\"p\"}}"},
     NULL,
     0},
    {"other instance", {"status/instance/id"}, {"\"i-1\""}, "WrongInstance", 1},
    {"other key wanted",
     {"spec/attestation/publicKeySHA256"},
     {"\"0000000000000000000000000000000000000000000000000000000000000000\""},
     "KeyMismatch",
     1},
    {"evidence is another document", {A "evidence"}, {"\"hEShATgi\""}, "MalformedDocument", 2},
};

static void test_status(void **state)
{
    struct scene *scene = *state;
    static const struct flags no_flags;
    for (size_t i = 0; i < ARRAY_LEN(status_cases); i++) {
        const struct status_case *c = &status_cases[i];
        json_t *tree = make_object(scene);
        CLEANUP(freep) struct check *check = mem_calloc(1, sizeof(*check));
        CLEANUP(arena_done) struct arena arena;
        arena_init(&arena);
        for (size_t k = 0; k < ARRAY_LEN(c->path) && c->path[k]; k++)
            put(tree, c->path[k], c->json[k]);
        CLEANUP(object_freep) struct object *object = decode(tree);
        json_decref(tree);
        check_it(scene, object, &no_flags, &arena, check);
        const char *reason = check->reason ? check->reason : "none";
        if (strcmp(reason, c->reason ? c->reason : "none") != 0 ||
            check->difference_count != c->differences || check->is_accepted != !c->reason)
            fail_msg("%s: %s (%s), %zu differences: %s", c->name, reason, check->message,
                     check->difference_count, check->difference_count > 0 ? check->differences[0] : "");
        assert_true(check->is_compared);
    }
}

struct flag_case {
    const char *name;
    struct flags flags;
    const char *reason; /* NULL: accepted */
};

static void test_flags(void **state)
{
    struct scene *scene = *state;
    struct flag_case cases[] = {
        {"its own nonce", {.has_nonce = true, .nonce_len = 32}, NULL},
        {"half of its nonce", {.has_nonce = true, .nonce_len = 16}, "NonceMismatch"},
        {"its instance", {.instance_id = SCENE_INSTANCE_ID}, NULL},
        {"another instance", {.instance_id = "i-0fedcba9876543210"}, "WrongInstance"},
        {"another role", {.role_arn = "arn"}, "WrongRole"},
        {"now", {.time = FLAGS_TIME_NOW}, NULL},
        {"now, one second old", {.time = FLAGS_TIME_NOW, .max_age_s = 1}, "Stale"},
        {"then", {.time = FLAGS_TIME_GIVEN, .time_ms = scene_now_ms - 1000}, NULL},
        {"an hour later", {.time = FLAGS_TIME_GIVEN, .time_ms = scene_now_ms + 3600 * 1000}, "Stale"},
        {"a day later", {.time = FLAGS_TIME_GIVEN, .time_ms = scene_now_ms + 86400000}, "CertificateExpired"},
        {"an hour before", {.time = FLAGS_TIME_GIVEN, .time_ms = scene_now_ms - 3600 * 1000}, "FromFuture"},
        {"its PCR0", {.pcr_count = 1}, NULL},
        {"another PCR0", {.pcr_count = 1, .pcrs = {{.index = 0}}}, "PCRMismatch"},
    };
    CLEANUP(object_freep) struct object *object = NULL;
    json_t *tree = make_object(scene);
    object = decode(tree);
    json_decref(tree);
    memcpy(cases[0].flags.nonce, scene->nonce, 32);
    memcpy(cases[1].flags.nonce, scene->nonce, 32);
    cases[11].flags.pcrs[0] = scene->pcrs[0];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(freep) struct check *check = mem_calloc(1, sizeof(*check));
        CLEANUP(arena_done) struct arena arena;
        arena_init(&arena);
        check_it(scene, object, &cases[i].flags, &arena, check);
        const char *reason = check->reason ? check->reason : "none";
        if (strcmp(reason, cases[i].reason ? cases[i].reason : "none") != 0 || check->difference_count != 0)
            fail_msg("%s: %s (%s), %zu differences", cases[i].name, reason, check->message,
                     check->difference_count);
    }
}

/* A set that says nothing of the image would be no set at all. */
static void test_weak_pcrs(void **state)
{
    struct scene *scene = *state;
    static const struct {
        unsigned indexes[2];
        size_t count;
        int result;
    } cases[] = {{{0, 0}, 1, 0},  {{8, 0}, 1, -1}, {{1, 2}, 2, 0},
                 {{1, 0}, 1, -1}, {{2, 0}, 1, -1}, {{3, 4}, 2, -1}};
    scene_reset(scene);
    scene_sign(scene);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct flags flags = {.pcr_count = cases[i].count};
        struct error err = {0};
        CLEANUP(freep) struct check *check = mem_calloc(1, sizeof(*check));
        CLEANUP(arena_done) struct arena arena;
        struct check_input input = {.document = scene->document.data,
                                    .len = scene->document.len,
                                    .roots = &scene->roots,
                                    .flags = &flags};
        arena_init(&arena);
        for (size_t k = 0; k < cases[i].count; k++)
            flags.pcrs[k].index = cases[i].indexes[k];
        assert_int_equal(check_run(&input, &arena, check, &err), cases[i].result);
        if (cases[i].result < 0)
            assert_non_null(strstr(err.text, "--pcr must name"));
        else
            assert_string_equal(check->reason, "PCRMismatch");
    }
}

static void test_invalid_objects(void **state)
{
    struct scene *scene = *state;
    static const struct {
        const char *path, *json, *text;
    } cases[] = {
        {"status/attestation/evidence", "\"%%%\"", "status.attestation.evidence of ns/a is not base64"},
        {"status/instance", "7", "ns/a: .status.instance must be an object"},
        {"metadata/uid", NULL, "object without namespace, name, uid or resourceVersion"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *tree = make_object(scene);
        struct object *object = NULL;
        struct error err = {0};
        put(tree, cases[i].path, cases[i].json);
        CLEANUP(freep) char *text = json_dumps(tree, 0);
        json_decref(tree);
        assert_int_equal(object_decode(text, strlen(text), &object, &err), -1);
        assert_null(object);
        if (!strstr(err.text, cases[i].text))
            fail_msg("case %zu: %s", i, err.text);
    }
    json_t *tree = make_object(scene);
    put(tree, "spec/attestation/port", "\"x\"");
    CLEANUP(object_freep) struct object *object = decode(tree);
    CLEANUP(freep) struct check *check = mem_calloc(1, sizeof(*check));
    CLEANUP(arena_done) struct arena arena;
    static const struct flags no_flags;
    struct check_input input = {.document = "", .object = object, .roots = &scene->roots, .flags = &no_flags};
    struct error err = {0};
    arena_init(&arena);
    json_decref(tree);
    assert_int_equal(check_run(&input, &arena, check, &err), -1);
    assert_non_null(strstr(err.text, "the spec of ns/a cannot be acted upon"));
}

static void test_effective(void **state)
{
    struct scene *scene = *state;
    json_t *tree = make_object(scene);
    put(tree, "status/effective",
        "{\"attestation\":{\"protocol\":\"Oyster\",\"port\":1301},\"instance\":{\"iamInstanceProfile\":\"p\"}"
        "}");
    CLEANUP(object_freep) struct object *reported = decode(tree);
    assert_int_equal(reported->effective.attestation.protocol, ATTEST_OYSTER);
    assert_int_equal(reported->effective.attestation.port, 1301);
    assert_int_equal(reported->effective.attestation.max_age_seconds, 60);
    assert_string_equal(reported->effective.instance.iam_instance_profile, "p");
    put(tree, "spec/attestation/protocol", "\"Nautilus\"");
    put(tree, "spec/attestation/port", "3001");
    put(tree, "spec/attestation/maxAgeSeconds", "7");
    CLEANUP(object_freep) struct object *written = decode(tree);
    assert_int_equal(written->effective.attestation.protocol, ATTEST_NAUTILUS);
    assert_int_equal(written->effective.attestation.port, 3001);
    assert_int_equal(written->effective.attestation.max_age_seconds, 7);
    assert_string_equal(written->instance.private_ip, "192.0.2.7");
    json_decref(tree);
}

static void test_kinds(void **state)
{
    (void)state;
    assert_string_equal(object_strip_kind("teed/a"), "a");
    assert_string_equal(object_strip_kind("teedeployment/a"), "a");
    assert_string_equal(object_strip_kind("teedeployments/a"), "a");
    assert_string_equal(object_strip_kind("teedeployments.tee.dev/a"), "a");
    assert_null(object_strip_kind("a"));
    assert_null(object_strip_kind("pod/a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),    cmocka_unit_test(test_flags),
        cmocka_unit_test(test_weak_pcrs), cmocka_unit_test(test_invalid_objects),
        cmocka_unit_test(test_effective), cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, scene_new, scene_free);
}
