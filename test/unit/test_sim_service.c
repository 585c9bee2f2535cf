/* The simulator over loopback: signatures, scripted faults, metadata, and each defect of an enclave as the
 * verifier sees it. Time moves by the admin interface alone. */
#include "base/clock.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "nitro/attest.h"
#include "nitro/attest_fetch.h"
#include "nitro/attest_root.h"
#include "nitro/userdata.h"
#include "pki/pki.h"
#include "sim_scene.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define DESCRIBE "Action=DescribeInstances&Version=2016-11-15"
#define DIGEST   "abababababababababababababababababababababababababababababababab"
#define OTHER    "0000000000000000000000000000000000000000000000000000000000000000"

static char *make_run(const char *token)
{
    const struct userdata_config config = {.image = "registry.example/app@sha256:" DIGEST,
                                           .cpu_count = 2,
                                           .memory_mib = 512,
                                           .attestation_protocol = "Native",
                                           .attestation_port = 1300};
    CLEANUP(freep) char *text = NULL;
    struct error err = {0};
    assert_int_equal(userdata_encode(&config, &text, &err), 0);
    CLEANUP(freep) char *base64 = base64_encode(text, strlen(text));
    CLEANUP(buf_done) struct buf escaped;
    buf_init(&escaped, 1 << 20);
    for (const char *at = base64; *at; at++)
        if (strchr("+/=", *at))
            buf_printf(&escaped, "%%%02X", (unsigned)*at);
        else
            buf_putc(&escaped, *at);
    return mem_printf(
        "Action=RunInstances&Version=2016-11-15&ImageId=ami-12345678&InstanceType=m5.xlarge&MinCount=1"
        "&MaxCount=1&EnclaveOptions.Enabled=true&IamInstanceProfile.Name=web&ClientToken=%s"
        "&UserData=%s",
        token, buf_text(&escaped));
}

static int run(struct sim_scene *scene, const char *token, int64_t timeout_ms)
{
    CLEANUP(freep) char *body = make_run(token);
    return sim_scene_ec2(scene, body, timeout_ms, NULL);
}

static void advance(struct sim_scene *scene, int64_t ms)
{
    CLEANUP(freep) char *body = mem_printf("{\"advanceMs\":%lld}", (long long)ms);
    sim_scene_http(scene, "POST", "/_sim/clock", body, NULL);
    assert_int_equal(scene->status, 200);
}

static void admin(struct sim_scene *scene, const char *method, const char *path, const char *body)
{
    sim_scene_http(scene, method, path, body, NULL);
    if (scene->status != 200)
        fail_msg("%s %s: %ld %s", method, path, scene->status, scene->body);
}

static void change(struct sim_scene *scene, const char *body)
{
    CLEANUP(freep) char *path = mem_printf("/_sim/instances/%s", scene->id);
    admin(scene, "POST", path, body);
}

static void signatures(void **state)
{
    static const struct {
        struct sim_signing signing;
        long status;
        const char *code;
    } cases[] = {
        {{.is_unsigned = false}, 200, "<DescribeInstancesResponse"},
        {{.is_unsigned = true}, 403, "<Code>MissingAuthenticationToken<"},
        {{.keys = {"test", "wrong", NULL}}, 403, "<Code>SignatureDoesNotMatch<"},
        {{.keys = {"nobody", "test", NULL}}, 401, "<Code>AuthFailure<"},
        {{.keys = {"test", "test", "stray"}}, 401, "<Code>AuthFailure<"},
        {{.region = "eu-west-1"}, 403, "<Code>SignatureDoesNotMatch<"},
        {{.skew_ms = -16 * 60 * 1000}, 400, "<Code>RequestExpired<"},
        {{.skew_ms = 16 * 60 * 1000}, 400, "<Code>RequestExpired<"},
        {{.skew_ms = 60 * 1000}, 200, "<DescribeInstancesResponse"},
    };
    struct sim_scene *scene = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(sim_scene_ec2(scene, DESCRIBE, 0, &cases[i].signing), 0);
        if (scene->status != cases[i].status || !strstr(scene->body, cases[i].code))
            fail_msg("case %zu: %ld %s", i, scene->status, scene->body);
    }
}

static void metadata_keys_sign(void **state)
{
    static const char *const ttl[] = {"x-aws-ec2-metadata-token-ttl-seconds: 60", NULL};
    struct sim_scene *scene = *state;
    sim_scene_http(scene, "GET", "/latest/meta-data/placement/region", NULL, NULL);
    assert_int_equal(scene->status, 401);
    sim_scene_http(scene, "PUT", "/latest/api/token", NULL, NULL);
    assert_int_equal(scene->status, 400);
    sim_scene_http(scene, "PUT", "/latest/api/token", NULL, ttl);
    assert_int_equal(scene->status, 200);
    CLEANUP(freep) char *session = mem_printf("x-aws-ec2-metadata-token: %s", scene->body);
    const char *const headers[] = {session, NULL};
    sim_scene_http(scene, "GET", "/latest/meta-data/iam/security-credentials/", NULL, headers);
    CLEANUP(freep) char *path = mem_printf("/latest/meta-data/iam/security-credentials/%s", scene->body);
    sim_scene_http(scene, "GET", path, NULL, headers);
    CLEANUP(freep) char *id = sim_scene_find(scene, "\"AccessKeyId\":\"", "\"");
    CLEANUP(freep) char *secret = sim_scene_find(scene, "\"SecretAccessKey\":\"", "\"");
    CLEANUP(freep) char *token = sim_scene_find(scene, "\"Token\":\"", "\"");
    struct sim_signing signing = {.keys = {id, secret, token}};
    sim_scene_ec2(scene, DESCRIBE, 0, &signing);
    assert_int_equal(scene->status, 200);
    signing.keys.session_token = NULL;
    sim_scene_ec2(scene, DESCRIBE, 0, &signing);
    assert_int_equal(scene->status, 401);
}

/* What each fault does to the answer and to the account. */
static void faults(void **state)
{
    static const struct {
        const char *fault;
        long status; /* 0 = no answer */
        bool has_effect;
    } cases[] = {
        {"{\"action\":\"RunInstances\",\"code\":\"RequestLimitExceeded\"}", 503, false},
        {"{\"action\":\"RunInstances\",\"code\":\"Odd\",\"httpStatus\":418}", 418, false},
        {"{\"action\":\"RunInstances\",\"code\":\"InternalError\",\"commit\":true}", 500, true},
        {"{\"action\":\"RunInstances\",\"cut\":\"before\"}", 0, false},
        {"{\"action\":\"RunInstances\",\"cut\":\"after\"}", 0, true},
        {"{\"action\":\"RunInstances\",\"hold\":true}", 0, true},
        {"{\"latencyMs\":20}", 200, true},
    };
    struct sim_scene *scene = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(freep) char *token = mem_printf("fault%zu", i);
        CLEANUP(freep) char *quoted = mem_printf("\"token\":\"%s\"", token);
        admin(scene, "POST", "/_sim/faults", cases[i].fault);
        run(scene, token, 2000);
        if (scene->status != cases[i].status)
            fail_msg("case %zu: %ld %s", i, scene->status, scene->body);
        admin(scene, "GET", "/_sim/instances", NULL);
        if ((strstr(scene->body, quoted) != NULL) != cases[i].has_effect)
            fail_msg("case %zu: %s", i, scene->body);
        assert_int_equal(run(scene, token, 0), 0);
        assert_int_equal(scene->status, 200);
    }
    admin(scene, "GET", "/_sim/calls?action=RunInstances", NULL);
    assert_non_null(strstr(scene->body, "\"count\":14"));
    sim_scene_http(scene, "POST", "/_sim/faults", "{\"acton\":\"x\"}", NULL);
    assert_int_equal(scene->status, 400);
}

static void *launch_in_thread(void *ctx)
{
    struct sim_scene *scene = ctx;
    run(scene, "held", 0);
    return NULL;
}

static void held_call_is_released(void **state)
{
    struct sim_scene *scene = *state;
    struct sim_scene other = *scene;
    other.client = http_client_new();
    other.body = mem_strdup("");
    admin(scene, "POST", "/_sim/faults", "{\"action\":\"RunInstances\",\"hold\":true}");
    pthread_t thread = thread_start("held", launch_in_thread, &other);
    do
        admin(scene, "GET", "/_sim/instances", NULL);
    while (!strstr(scene->body, "\"token\":\"held\""));
    admin(scene, "DELETE", "/_sim/faults", NULL);
    thread_join(thread);
    assert_int_equal(other.status, 200);
    http_client_free(other.client);
    free(other.body);
}

static int fetch(struct sim_scene *scene, const char *protocol, int64_t timeout_ms,
                 struct attest_evidence *ret_evidence)
{
    const struct attest_protocol *preset = attest_protocol_find(protocol);
    const struct attest_fetch wanted = {
        .protocol = preset,
        .address = scene->address,
        .port = (uint16_t)enclave_host_get_port(scene->enclaves, strcmp(preset->scheme, "https") == 0),
        .total_timeout_ms = timeout_ms,
    };
    struct error err = {0};
    return attest_fetch(scene->client, &wanted, ret_evidence, &err);
}

static void verify(struct sim_scene *scene, const struct attest_evidence *evidence, struct attest_result *ret)
{
    CLEANUP(attest_roots_done) struct attest_roots roots;
    struct error err = {0};
    struct pki *pki = pki_new(scene->dir, &err);
    attest_roots_init(&roots);
    assert_int_equal(attest_roots_add_pem(&roots, pki_root_pem(pki), &err), 0);
    pki_free(pki);
    struct attest_pcr pcr = {.index = 0};
    pki_sim_pcr(0, DIGEST, pcr.value);
    struct attest_measurement set = {"image", &pcr, 1, 0, 0};
    struct attest_policy policy = {
        .roots = &roots,
        .now_ms = clock_wall_ms(clock_real()),
        .instance_id = scene->id,
        .region = "us-east-1",
        .role_check = ATTEST_ROLE_ARN,
        .role_arn = "arn:aws:iam::000000000000:role/web",
        .measurements = &set,
        .measurement_count = 1,
    };
    attest_evidence_apply(evidence, &policy);
    attest_verify(buf_text(&evidence->document), evidence->document.len, &policy, ret);
}

static void check(struct sim_scene *scene, const char *protocol, const char *expected)
{
    CLEANUP(attest_evidence_done) struct attest_evidence evidence = {0};
    struct attest_result result;
    assert_int_equal(fetch(scene, protocol, 0, &evidence), 0);
    assert_int_equal(evidence.answer, ATTEST_ANSWER_DOCUMENT);
    verify(scene, &evidence, &result);
    if (strcmp(attest_result_reason(&result), expected) != 0)
        fail_msg("%s: %s, not %s: %s", protocol, attest_result_reason(&result), expected, result.message);
}

static void launch_and_boot(struct sim_scene *scene)
{
    assert_int_equal(run(scene, "boot", 0), 0);
    advance(scene, 2000);
}

static void an_enclave_lives(void **state)
{
    struct sim_scene *scene = *state;
    struct attest_evidence evidence = {0};
    run(scene, "life", 0);
    assert_int_equal(fetch(scene, "Native", 0, &evidence), -1); /* pending: reset */
    advance(scene, 1000);
    assert_int_equal(fetch(scene, "Native", 0, &evidence), 0);
    assert_int_equal(evidence.answer, ATTEST_ANSWER_BOOTING);
    attest_evidence_done(&evidence);
    advance(scene, 1000);
    check(scene, "Native", "Verified");
    check(scene, "Nitriding", "Verified");
    check(scene, "Oyster", "VerifiedWithoutNonce");
    check(scene, "Nautilus", "VerifiedWithoutNonce");
    change(scene, "{\"enclave\":{\"crash\":true}}");
    assert_int_equal(fetch(scene, "Native", 0, &evidence), 0);
    assert_int_equal(evidence.answer, ATTEST_ANSWER_BOOTING);
    assert_int_equal(evidence.boot.phase, NATIVE_PHASE_FAILED);
    attest_evidence_done(&evidence);
    change(scene, "{\"stop\":true}");
    assert_int_equal(fetch(scene, "Native", 0, &evidence), -1);
}

static void defects(void **state)
{
    static const struct {
        const char *name;
        const char *reason;
    } cases[] = {
        {"none", "Verified"},
        {"wrongPcr", "PCRMismatch"},
        {"debug", "DebugEnclave"},
        {"wrongInstance", "WrongInstance"},
        {"stale", "Stale"},
        {"future", "FromFuture"},
        {"replayNonce", "NonceMismatch"},
        {"wrongNonce", "NonceMismatch"},
        {"foreignRoot", "UntrustedRoot"},
        {"malformed", "MalformedDocument"},
        {"wrongRole", "WrongRole"},
        {"noNonce", "NonceMissing"},
        {"expiredChain", "CertificateExpired"},
        {"badChain", "BadChain"},
        {"badSignature", "BadSignature"},
        {"wrongAlgorithm", "UnsupportedAlgorithm"},
    };
    struct sim_scene *scene = *state;
    launch_and_boot(scene);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(freep) char *body = mem_printf("{\"enclave\":{\"defect\":\"%s\"}}", cases[i].name);
        change(scene, body);
        check(scene, "Native", cases[i].reason);
    }
    change(scene, "{\"enclave\":{\"clear\":true,\"digest\":\"" OTHER "\"}}");
    check(scene, "Native", "PCRMismatch");
    change(scene, "{\"enclave\":{\"clear\":true}}");
    check(scene, "Native", "Verified");
}

static void bodies_without_end_and_idle_clients(void **state)
{
    struct sim_scene *scene = *state;
    struct attest_evidence evidence = {0};
    launch_and_boot(scene);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)enclave_host_get_port(scene->enclaves, false))};
    inet_pton(AF_INET, scene->address, &address.sin_addr);
    CLEANUP(closep) int idle = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(idle, (struct sockaddr *)&address, sizeof(address)), 0);
    check(scene, "Native", "Verified");
    change(scene, "{\"enclave\":{\"defect\":\"endless\"}}");
    assert_int_equal(fetch(scene, "Native", 0, &evidence), -1);
    change(scene, "{\"enclave\":{\"defect\":\"slow\"}}");
    assert_int_equal(fetch(scene, "Native", 300, &evidence), -1);
    change(scene, "{\"enclave\":{\"clear\":true}}");
    check(scene, "Native", "Verified");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(signatures, sim_scene_setup, sim_scene_teardown),
        cmocka_unit_test_setup_teardown(metadata_keys_sign, sim_scene_setup, sim_scene_teardown),
        cmocka_unit_test_setup_teardown(faults, sim_scene_setup, sim_scene_teardown),
        cmocka_unit_test_setup_teardown(held_call_is_released, sim_scene_setup, sim_scene_teardown),
        cmocka_unit_test_setup_teardown(an_enclave_lives, sim_scene_setup, sim_scene_teardown),
        cmocka_unit_test_setup_teardown(defects, sim_scene_setup, sim_scene_teardown),
        cmocka_unit_test_setup_teardown(bodies_without_end_and_idle_clients, sim_scene_setup,
                                        sim_scene_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
