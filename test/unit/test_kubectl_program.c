/* The whole program in memory: what it prints, to the byte, and how it ends. */
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
#include "fake_api.h"
#include "pki/eif_cases.h"
#include "program.h"

#include <string.h>
#include <sys/stat.h>

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

struct run {
    int code;
    char *out;
    char *err;
};

static void run_done(struct run *run)
{
    free(run->out);
    free(run->err);
}

static int64_t now(void *ctx)
{
    (void)ctx;
    return scene_now_ms;
}

static const char *no_env(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return NULL;
}

/* With the bytes as standard input. */
static void run(const char *const *texts, const void *input, size_t input_len, struct run *ret_run)
{
    static const struct clock clock = {.wall_ms = now, .mono_ms = now};
    char *argv[24] = {(char *)(uintptr_t) "kubectl-tee"};
    int argc = 1;
    size_t out_len = 0, err_len = 0;
    for (; *texts; texts++)
        argv[argc++] = (char *)(uintptr_t)*texts; /* argv is char *; nothing is written */
    struct program program = {.in = tmpfile(),
                              .out = open_memstream(&ret_run->out, &out_len),
                              .err = open_memstream(&ret_run->err, &err_len),
                              .clock = &clock,
                              .get_env = no_env};
    assert_non_null(program.in);
    assert_int_equal(fwrite(input, 1, input_len, program.in), input_len);
    rewind(program.in);
    ret_run->code = program_run(&program, argc, argv);
    fclose(program.in);
    fclose(program.out);
    fclose(program.err);
}

static void test_usage(void **state)
{
    (void)state;
    static const struct {
        const char *args[4];
        int code;
        const char *out, *err;
    } cases[] = {
        {{"--version"}, 0, "kubectl-tee " TEE_VERSION "\n", ""},
        {{"--help"}, 0, "Usage: kubectl tee COMMAND [flags]", ""},
        {{NULL}, 2, "", "Usage: kubectl tee COMMAND [flags]"},
        {{"verify", "--help"}, 0, "Usage: kubectl tee verify FILE|NAME [flags]", ""},
        {{"measure", "-h"}, 0, "Usage: kubectl tee measure EIF [flags]", ""},
        {{"pin", "--help"}, 0, "Usage: kubectl tee pin NAME [flags]", ""},
        {{"show", "--help"}, 0, "Usage: kubectl tee show NAME [flags]", ""},
        {{"iam", "--help"}, 0, "Usage: kubectl tee iam [flags]", ""},
        {{"shwo"}, 2, "", "error: unknown command shwo\nSee 'kubectl tee --help' for usage.\n"},
        {{"--shwo"}, 2, "", "error: unknown flag --shwo\nSee 'kubectl tee --help' for usage.\n"},
        {{"show"}, 2, "", "error: NAME is missing\nSee 'kubectl tee show --help' for usage.\n"},
        {{"show", "a", "--live"},
         2,
         "",
         "error: unknown flag --live\nSee 'kubectl tee show --help' for usage.\n"},
        {{"show", "a", "b\x1b[31m"}, 2, "", "error: unexpected argument 'b\\x1b[31m' after 'a'\n"},
        {{"show", "a/b"}, 2, "", "error: 'a/b' is neither a file nor the name of a TeeDeployment\n"},
        {{"show", "teed/"}, 2, "", "error: 'teed/' is neither a file nor the name of a TeeDeployment\n"},
        {{"show", "a"}, 2, "", "error: no --kubeconfig, no KUBECONFIG, not in a pod: "},
        {{"verify", "-", "--live"},
         2,
         "",
         "error: --live needs the name of a TeeDeployment, and '-' is a file\n"},
        {{"verify", "a", "--address=192.0.2.7"}, 2, "", "error: --address goes with --live\n"},
        {{"verify", "a", "--root=/nowhere.pem"}, 2, "", "error: --root: "},
        {{"measure", "/nowhere.eif"}, 2, "", "error: cannot read /nowhere.eif: No such file or directory\n"},
        {{"measure", "/"}, 2, "", "error: / is no regular file, not an enclave image\n"},
        {{"measure", "/dev/null"}, 2, "", "error: /dev/null is no regular file, not an enclave image\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(run_done) struct run shown = {0};
        run(cases[i].args, "", 0, &shown);
        bool is_out = cases[i].out[0] ? strstr(shown.out, cases[i].out) != NULL : !shown.out[0];
        bool is_err = cases[i].err[0] ? strstr(shown.err, cases[i].err) != NULL : !shown.err[0];
        if (shown.code != cases[i].code || !is_out || !is_err)
            fail_msg("case %zu: exit %d\n%s\n%s", i, shown.code, shown.out, shown.err);
    }
}

static char *write_file(const char *suffix, const void *data, size_t len)
{
    char *path = mem_printf("/tmp/unit-kubectl-XXXXXX%s", suffix);
    int fd = mkstemps(path, (int)strlen(suffix));
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    close(fd);
    return path;
}

/* The last line of the text, without its line break. */
static const char *last_line(char *text)
{
    size_t len = strlen(text);
    assert_true(len > 0 && text[len - 1] == '\n');
    text[len - 1] = '\0';
    const char *line = strrchr(text, '\n');
    return line ? line + 1 : text;
}

struct hex {
    char text[2 * ATTEST_PCR_BYTES + 1];
};

static struct hex hex_of(const void *data, size_t len)
{
    struct hex hex;
    hex_encode(data, len, hex.text);
    return hex;
}

static struct hex sha256_of(const void *data, size_t len)
{
    uint8_t digest[SHA256_BYTES];
    sha256(data, len, digest);
    return hex_of(digest, sizeof(digest));
}

/* A PCR that was extended once. */
static struct hex pcr_of(const char *text)
{
    uint8_t pcr[ATTEST_PCR_BYTES];
    pki_measure(text, strlen(text), pcr);
    return hex_of(pcr, sizeof(pcr));
}

/* What verify says of the scene's document when everything fits. */
static char *describe(const struct scene *scene)
{
    static const uint8_t zero[ATTEST_PCR_BYTES];
    const struct pki_span *key = &scene->spec.public_key, *user_data = &scene->spec.user_data;
    return mem_printf("Document      standard input (raw)\n"
                      "SHA-256       %s (%zu bytes)\n"
                      "Checked at    the document's own time\n"
                      "Module        " SCENE_MODULE_ID "\n"
                      "Instance      " SCENE_INSTANCE_ID ", eu-west-1: as expected\n"
                      "Role          " SCENE_ROLE ": as expected\n"
                      "Nonce         the one that was asked with\n"
                      "Signed at     2027-01-15T07:59:58Z (2 s ago)\n"
                      "Enclave since 2027-01-15T07:59:39Z (20 s ago)\n"
                      "Root SHA-256  %s\n"
                      "PCR0          %s\n"
                      "PCR1          %s\n"
                      "PCR2          %s\n"
                      "PCR3          %s\n"
                      "PCR4          %s\n"
                      "PCR8          %s\n"
                      "Public key    X25519, SHA-256 %s\n"
                      "User data     %s\n"
                      "Matches       --pcr\n"
                      "Verified\n",
                      sha256_of(scene->document.data, scene->document.len).text, scene->document.len,
                      sha256_of(scene->roots.items[0].der, scene->roots.items[0].len).text,
                      hex_of(scene->pcrs[0].value, ATTEST_PCR_BYTES).text,
                      hex_of(scene->pcrs[1].value, ATTEST_PCR_BYTES).text,
                      hex_of(scene->pcrs[2].value, ATTEST_PCR_BYTES).text, pcr_of(SCENE_ROLE).text,
                      pcr_of(SCENE_INSTANCE_ID).text, hex_of(zero, sizeof(zero)).text,
                      sha256_of(key->data, key->len).text, sha256_of(user_data->data, user_data->len).text);
}

static void test_verify_text(void **state)
{
    struct scene *scene = *state;
    char pcr[3][128];
    scene_reset(scene);
    scene_sign(scene);
    for (unsigned i = 0; i < ARRAY_LEN(pcr); i++)
        snprintf(pcr[i], sizeof(pcr[i]), "--pcr=%u=%s", i,
                 hex_of(scene->pcrs[i].value, ATTEST_PCR_BYTES).text);
    struct hex nonce = hex_of(scene->nonce, sizeof(scene->nonce));
    const char *pem = pki_root_pem(scene->pki);
    CLEANUP(freep) char *root = write_file(".pem", pem, strlen(pem));
    CLEANUP(freep) char *wanted = describe(scene);
    CLEANUP(run_done) struct run shown = {0};
    run(ARGS("verify", "-", "--root", root, pcr[0], pcr[1], pcr[2], "--nonce", nonce.text, "--instance-id",
             SCENE_INSTANCE_ID, "--role-arn", SCENE_ROLE),
        scene->document.data, scene->document.len, &shown);
    remove(root);
    assert_int_equal(shown.code, 0);
    assert_string_equal(shown.err, "");
    assert_string_equal(shown.out, wanted);
}

/* The same document in three forms; then what is wrong is the last line. */
static void test_verify_forms(void **state)
{
    struct scene *scene = *state;
    scene_reset(scene);
    scene_sign(scene);
    const char *pem = pki_root_pem(scene->pki);
    CLEANUP(freep) char *root = write_file(".pem", pem, strlen(pem));
    CLEANUP(freep) char *raw = write_file(".cbor", scene->document.data, scene->document.len);
    CLEANUP(freep) char *text = base64_encode(scene->document.data, scene->document.len);
    CLEANUP(freep) char *base64 = write_file(".txt", text, strlen(text));
    CLEANUP(freep) char *digits = mem_alloc(2 * scene->document.len + 1);
    hex_encode(scene->document.data, scene->document.len, digits);
    CLEANUP(freep) char *hex = write_file(".hex", digits, strlen(digits));
    char pcr[128] = "--pcr=0=";
    hex_encode(scene->pcrs[0].value, ATTEST_PCR_BYTES, pcr + strlen(pcr));
    const struct {
        const char *path, *form, *flag;
        int code;
        const char *last;
    } cases[] = {
        {raw, "(raw)", pcr, 0, "VerifiedWithoutNonce"},
        {base64, "(base64)", pcr, 0, "VerifiedWithoutNonce"},
        {hex, "(hex)", pcr, 0, "VerifiedWithoutNonce"},
        {raw, "(raw)", "--live=false", 1,
         "Rejected: NoExpectedPCRs: the document is genuine, but no expected PCRs are given"},
        {raw, "(raw)", "--nonce=00", 1, "Rejected: NonceMismatch: the document answers another request"},
        {"/dev/null", "(raw)", pcr, 1, "Rejected: MalformedDocument: the document has 0 bytes"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(run_done) struct run shown = {0};
        run(ARGS("verify", cases[i].path, "--root", root, cases[i].flag), "", 0, &shown);
        bool has_form = strstr(shown.out, cases[i].form) != NULL;
        bool has_hint = strstr(shown.out, "\nFreshness     not proven") != NULL;
        const char *last = last_line(shown.out);
        if (shown.code != cases[i].code || strcmp(last, cases[i].last) != 0 || !has_form ||
            has_hint != (cases[i].code == 0))
            fail_msg("case %zu: exit %d: %s", i, shown.code, last);
        CLEANUP(run_done) struct run data = {0};
        run(ARGS("verify", cases[i].path, "--root", root, cases[i].flag, "-ojson"), "", 0, &data);
        assert_int_equal(data.code, cases[i].code);
        assert_non_null(strstr(data.out, cases[i].code ? "\"accepted\": false" : "\"accepted\": true"));
    }
    const char *const paths[] = {root, raw, base64, hex};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        remove(paths[i]);
}

static void test_measure(void **state)
{
    (void)state;
    CLEANUP(freep) struct eif_case *eif = mem_calloc(1, sizeof(*eif));
    CLEANUP(buf_done) struct buf file;
    CLEANUP(run_done) struct run text = {0}, yaml = {0}, named = {0}, damaged = {0};
    buf_init(&file, 2 * EIF_CASE_BYTES);
    eif_case_make(0, eif);
    eif_write(&eif->image, &file);
    CLEANUP(freep) char *path = write_file("_App.eif", file.data, file.len);
    file.data[file.len / 2] ^= 1;
    CLEANUP(freep) char *bad = write_file(".eif", file.data, file.len);
    run(ARGS("measure", path), "", 0, &text);
    run(ARGS("measure", "-o", "yaml", path), "", 0, &yaml);
    run(ARGS("measure", path, "--name=v2", "-oyaml"), "", 0, &named);
    run(ARGS("measure", bad), "", 0, &damaged);
    remove(path);
    remove(bad);
    assert_int_equal(text.code | yaml.code | named.code, 0);
    CLEANUP(freep) char *start = mem_printf("Image         %s\nFormat        EIF version ", path);
    assert_int_equal(strncmp(text.out, start, strlen(start)), 0);
    const char *pcr0 = strstr(text.out, "PCR0          ");
    assert_non_null(pcr0);
    CLEANUP(freep) char *value = mem_strndup(pcr0 + 14, 96);
    CLEANUP(freep)
    char *block = mem_printf("measurements:\n- name: v2\n  pcrs:\n  - index: 0\n    sha384: \"%s\"\n"
                             "  - index: 1\n",
                             value);
    assert_int_equal(strncmp(named.out, block, strlen(block)), 0);
    assert_int_equal(strncmp(yaml.out, "measurements:\n- name: unit-kubectl-", 35), 0);
    assert_non_null(strstr(yaml.out, "-app\n  pcrs:\n"));
    assert_null(strstr(yaml.out, "index: 8"));
    assert_int_equal(damaged.code, 2);
    assert_string_equal(damaged.out, "");
    assert_int_equal(strncmp(damaged.err, "error: /tmp/unit-kubectl-", 25), 0);
}

static struct fake_reply answer(void *ctx, const char *request)
{
    (void)ctx;
    if (strncmp(request, "GET /apis/tee.dev/v1alpha1/namespaces/prod/teedeployments/a ", 60) == 0)
        return (struct fake_reply){
            .status = 200,
            .body = mem_strdup(
                "{\"metadata\":{\"namespace\":\"prod\",\"name\":\"a\",\"uid\":\"u\",\"resourceVersion\":"
                "\"1\"},"
                "\"spec\":{\"image\":\"r/a@sha256:00\",\"attestation\":{\"measurements\":[{\"name\":\"v1\","
                "\"pcrs\":[{\"index\":0,\"sha384\":\"aa\"},{\"index\":1,\"sha384\":\"bb\"}]},{\"name\":"
                "\"v2\","
                "\"pcrs\":[{\"index\":0,\"sha384\":\"aa\"}]}]}},"
                "\"status\":{\"phase\":\"Running\",\"instance\":{\"id\":\"i-1\",\"state\":\"running\"},"
                "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"reason\":\"Verified\","
                "\"message\":\"\\u001b[2J\",\"lastTransitionTime\":\"2027-01-15T07:00:00Z\"}],"
                "\"attestation\":{\"verdict\":\"Verified\",\"message\":\"well\","
                "\"validUntil\":\"2027-01-15T08:30:00Z\",\"documentTimestamp\":\"2027-01-15T07:59:00Z\","
                "\"nonceVerified\":true,\"pcrs\":[{\"index\":0,\"sha384\":\"aa\"},{\"index\":1,\"sha384\":"
                "\"cc\"},"
                "{\"index\":3,\"sha384\":\"00\"}]}}}")};
    if (strstr(request, "/new "))
        return (struct fake_reply){.status = 200,
                                   .body = mem_strdup("{\"metadata\":{\"namespace\":\"prod\",\"name\":"
                                                      "\"new\",\"uid\":\"u\",\"resourceVersion\":\"1\"},"
                                                      "\"spec\":{\"image\":\"r/a@sha256:00\"}}")};
    static const struct {
        const char *name, *body;
        int code;
    } refusals[] = {
        {"/b ",
         "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"code\":404,\"message\":\"teedeployments.tee.dev "
         "\\\"b\\\" not found\"}",
         404},
        {"/c ",
         "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"code\":403,\"message\":\"c is "
         "forbidden\\n\\u001b[m\"}",
         403},
        {"/d ", "404 page not found", 404},
        {"/e ",
         "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"code\":404,\"message\":\"the server could not find "
         "the requested "
         "resource\"}",
         404},
        {"/f ", "oh", 500},
    };
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (strstr(request, refusals[i].name))
            return (struct fake_reply){.status = refusals[i].code, .body = mem_strdup(refusals[i].body)};
    return (struct fake_reply){.status = 400};
}

/* A kubeconfig whose context names the namespace prod. */
static char *write_kubeconfig(int port)
{
    CLEANUP(freep)
    char *text =
        mem_printf("apiVersion: v1\ncurrent-context: x\ncontexts: [{name: x, context: {cluster: k, user: u, "
                   "namespace: prod}}]\nclusters: [{name: k, cluster: {server: 'http://127.0.0.1:%d'}}]\n"
                   "users: [{name: u, user: {token: t}}]\n",
                   port);
    return write_file(".yaml", text, strlen(text));
}

static void test_show(void **state)
{
    (void)state;
    struct fake_api *api = fake_api_start(answer, NULL);
    CLEANUP(freep) char *config = write_kubeconfig(fake_api_get_port(api));
    CLEANUP(run_done)
    struct run shown = {0}, data = {0}, none = {0}, pinned = {0};
    run(ARGS("show", "a", "--kubeconfig", config), "", 0, &shown);
    run(ARGS("show", "teed/a", "--kubeconfig", config, "-o", "yaml"), "", 0, &data);
    run(ARGS("verify", "a", "--kubeconfig", config), "", 0, &none);
    run(ARGS("pin", "a", "--kubeconfig", config), "", 0, &pinned);
    remove(config);
    assert_string_equal(shown.err, "");
    assert_string_equal(
        shown.out, "TeeDeployment prod/a\n"
                   "Phase         Running\n"
                   "Image         r/a@sha256:00\n"
                   "Ready         True, Verified (60 min ago): \\x1b[2J\n"
                   "Instance      i-1, running, unknown type in unknown zone\n"
                   "Address       none\n"
                   "Verdict       Verified: well\n"
                   "Valid until   2027-01-15T08:30:00Z (in 29 min)\n"
                   "Document of   2027-01-15T07:59:00Z (60 s ago)\n"
                   "Bound to      nonce\n"
                   "\n"
                   "PCR   SHA-384                                                                          "
                   "                 expected by\n"
                   "0     aa  v1, v2\n"
                   "1     cc  differs\n"
                   "3     00\n"
                   "\n"
                   "This is what the status says; kubectl tee verify repeats the check.\n");
    assert_int_equal(shown.code, 0);
    assert_int_equal(data.code, 0);
    assert_non_null(strstr(data.out, "  message: \"\\u001b[2J\"\n"));
    assert_non_null(strstr(data.out, "  - index: 0\n    sha384: aa\n    expectedBy: \"v1, v2\"\n"));
    assert_int_equal(none.code, 2);
    assert_string_equal(none.err,
                        "error: prod/a holds no evidence yet: Pending: no controller has looked at it\n");
    assert_int_equal(pinned.code, 2);
    assert_string_equal(pinned.out, "");
    fake_api_stop(api);
}

/* Nothing but a spec: no controller was there yet. */
static void test_show_without_status(void **state)
{
    (void)state;
    struct fake_api *api = fake_api_start(answer, NULL);
    CLEANUP(freep) char *config = write_kubeconfig(fake_api_get_port(api));
    CLEANUP(run_done) struct run shown = {0}, data = {0};
    run(ARGS("show", "new", "--kubeconfig", config), "", 0, &shown);
    run(ARGS("show", "new", "--kubeconfig", config, "-oyaml"), "", 0, &data);
    remove(config);
    fake_api_stop(api);
    assert_int_equal(shown.code | data.code, 0);
    assert_string_equal(shown.out,
                        "TeeDeployment prod/new\n"
                        "Image         r/a@sha256:00\n"
                        "Attestation   none yet; no controller has looked at this object: does one run, "
                        "and does its selector admit it?\n");
    assert_string_equal(data.out, "namespace: prod\nname: new\nimage: \"r/a@sha256:00\"\nconditions: []\n");
}

/* What the server says is said as kubectl says it, on one line. */
static void test_server_errors(void **state)
{
    (void)state;
    static const struct {
        const char *name, *start;
    } cases[] = {
        {"b", "Error from server (NotFound): teedeployments.tee.dev \"b\" not found\n"},
        {"c", "Error from server (Forbidden): c is forbidden\\n\\x1b[m\n"},
        {"d", "error: the server doesn't have a resource type \"teedeployments\": is the CRD installed"},
        {"e", "error: the server doesn't have a resource type \"teedeployments\": is the CRD installed"},
        {"f", "error: teedeployments \"f\": GET /apis/tee.dev/v1alpha1/namespaces/other/teedeployments/f: "},
    };
    struct fake_api *api = fake_api_start(answer, NULL);
    CLEANUP(freep) char *config = write_kubeconfig(fake_api_get_port(api));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(run_done) struct run shown = {0};
        run(ARGS("show", cases[i].name, "--kubeconfig", config, "-n", "other"), "", 0, &shown);
        if (shown.code != 2 || shown.out[0] ||
            strncmp(shown.err, cases[i].start, strlen(cases[i].start)) != 0 || strchr(shown.err, '\n')[1])
            fail_msg("%s: exit %d: %s", cases[i].name, shown.code, shown.err);
    }
    remove(config);
    fake_api_stop(api);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage),         cmocka_unit_test(test_verify_text),
        cmocka_unit_test(test_verify_forms),  cmocka_unit_test(test_measure),
        cmocka_unit_test(test_show),          cmocka_unit_test(test_show_without_status),
        cmocka_unit_test(test_server_errors),
    };
    return cmocka_run_group_tests(tests, scene_new, scene_free);
}
