/* Credential plugins: what they are given, what they may print, and when they run again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "kube/credentials.h"
#include "kube/exec_plugin.h"

#define VERSION "client.authentication.k8s.io/v1"
#define ANSWER  "{\"apiVersion\":\"" VERSION "\",\"kind\":\"ExecCredential\",\"status\":"

static void test_what_it_may_print(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message; /* NULL: good */
    } cases[] = {
        {ANSWER "{\"token\":\"t\"}}", NULL},
        {ANSWER "{\"token\":\"t\",\"expirationTimestamp\":\"2026-01-01T00:00:00Z\"}}", NULL},
        {ANSWER "{\"clientCertificateData\":\"c\",\"clientKeyData\":\"k\"}}", NULL},
        {"", "must print an ExecCredential"},
        {"token", "must print an ExecCredential"},
        {"{\"apiVersion\":\"" VERSION "beta1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t\"}}",
         "must print an ExecCredential"},
        {"{\"apiVersion\":\"" VERSION "\",\"kind\":\"Status\",\"status\":{\"token\":\"t\"}}",
         "must print an ExecCredential"},
        {ANSWER "{}}", "neither a token nor"},
        {ANSWER "[]}", "neither a token nor"},
        {ANSWER "{\"token\":7}}", "neither a token nor"},
        {ANSWER "{\"token\":\"a b\"}}", "a token with a blank"},
        {ANSWER "{\"token\":\"a\\r\\nX: y\"}}", "a token with a blank"},
        {ANSWER "{\"clientCertificateData\":\"c\"}}", "without its key"},
        {ANSWER "{\"token\":\"t\",\"clientKeyData\":\"k\"}}", "without its key"},
        {ANSWER "{\"token\":\"t\",\"expirationTimestamp\":\"soon\"}}", "that is no time"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct exec_credential credential = {.token = NULL};
        struct error err = {0};
        int result = exec_credential_decode(cases[i].text, strlen(cases[i].text), VERSION, &credential, &err);
        if (result != (cases[i].message ? -1 : 0) || (result < 0 && !strstr(err.text, cases[i].message)))
            fail_msg("case %zu: wanted '%s', got '%s'", i, cases[i].message, err.text);
        exec_credential_done(&credential);
    }
}

struct scene {
    char folder[64];
    char *config_file;
    struct kube_config config;
    struct kube_credentials *credentials;
    struct clock clock;
    int64_t now_ms;
};

static int64_t read_clock(void *ctx)
{
    return *(int64_t *)ctx;
}

static const char *no_env(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return NULL;
}

static void put_file(const struct scene *scene, const char *name, const char *text)
{
    CLEANUP(freep) char *path = mem_printf("%s/%s", scene->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, 0700);
}

/* The plugin stands beside the kubeconfig. */
static void scene_init(struct scene *scene, const char *more)
{
    *scene = (struct scene){.folder = "/tmp/test-kube-exec-XXXXXX", .now_ms = 1000000};
    scene->clock = (struct clock){read_clock, read_clock, &scene->now_ms};
    assert_non_null(mkdtemp(scene->folder));
    scene->config_file = mem_printf("%s/config", scene->folder);
    CLEANUP(freep)
    char *text = mem_printf(
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
        "clusters: [{name: k, cluster: {server: 'https://h:6443', tls-server-name: api,\n"
        "  certificate-authority-data: LS0tLS1CRUdJTiBYLS0tLS0=}}]\nusers: [{name: u, user: {exec: {\n"
        "  apiVersion: " VERSION
        ", interactiveMode: Never, command: ./plugin, args: ['$HOME', 'two words'],\n"
        "  env: [{name: FOLDER, value: %s}, {name: HOME, value: /changed}], %s}}}]\n",
        scene->folder, more);
    put_file(scene, "config", text);
    const struct kube_config_source source = {.kubeconfig = scene->config_file, .get_env = no_env};
    struct error err = {0};
    if (kube_config_load(&source, &scene->config, &err) < 0)
        fail_msg("%s", err.text);
    scene->credentials = kube_credentials_new(&scene->config, &scene->clock);
}

static void scene_done(struct scene *scene)
{
    static const char *const names[] = {"config", "plugin", "count", "given", "answer"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(freep) char *path = mem_printf("%s/%s", scene->folder, names[i]);
        remove(path);
    }
    assert_int_equal(remove(scene->folder), 0);
    kube_credentials_free(scene->credentials);
    kube_config_done(&scene->config);
    free(scene->config_file);
}

static void test_what_it_is_given(void **state)
{
    (void)state;
    struct scene scene;
    struct error err = {0};
    CLEANUP(kube_auth_unrefp) struct kube_auth *auth = NULL;
    scene_init(&scene, "provideClusterInfo: true");
    put_file(&scene, "plugin",
             "#!/bin/sh\nprintf '%s|' \"$@\" \"$HOME\" \"$KUBERNETES_EXEC_INFO\" > \"$FOLDER/given\"\n"
             "test -n \"$PATH\" || exit 9\necho '" ANSWER "{\"token\":\"t\"}}'\n");
    if (kube_credentials_get(scene.credentials, &auth, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(auth->token, "t");
    assert_string_equal(auth->ca_pem, "-----BEGIN X-----");
    char given[1024] = "";
    CLEANUP(freep) char *path = mem_printf("%s/given", scene.folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(given, 1, sizeof(given) - 1, file) > 0);
    fclose(file);
    assert_string_equal(given,
                        "$HOME|two words|/changed|{\"apiVersion\":\"" VERSION
                        "\",\"kind\":\"ExecCredential\",\"spec\":{\"cluster\":{\"server\":"
                        "\"https://h:6443\",\"tls-server-name\":\"api\",\"certificate-authority-data\":"
                        "\"LS0tLS1CRUdJTiBYLS0tLS0=\"},\"interactive\":false}}|");
    scene_done(&scene);
}

static void test_when_it_runs_again(void **state)
{
    (void)state;
    /* Prints token 1, 2, ...; `answer` says until when, or makes it fail. */
    static const char plugin[] = "#!/bin/sh\necho x >> \"$FOLDER/count\"\nn=$(wc -l < \"$FOLDER/count\")\n"
                                 ". \"$FOLDER/answer\"\n";
#define PRINT(end) "echo '" ANSWER "{\"expirationTimestamp\":\"" end "\",\"token\":\"'$n'\"}}'\n"
    static const struct {
        const char *name, *answer;
        int64_t at_ms;
        bool expire;
        const char *token; /* NULL = an error */
    } steps[] = {
        {"it fails, and nothing is known", "exit 1\n", 1000000, false, NULL},
        {"first", PRINT("1970-01-01T01:00:00Z"), 1000000, false, "2"},
        {"kept", PRINT("1970-01-01T01:00:00Z"), 3589999, false, "2"},
        {"10 s before the end", PRINT("1970-01-01T02:00:00Z"), 3590000, false, "3"},
        {"a 401 at once", PRINT("1970-01-01T02:00:00Z"), 3594999, true, "3"},
        {"a 401 later", PRINT("1970-01-01T02:00:00Z"), 3595000, true, "4"},
        {"ended, but it fails", "exit 1\n", 7200000, false, "4"},
        {"and is left alone", PRINT("1970-01-01T03:00:00Z"), 7204999, false, "4"},
        {"for 5 s", PRINT("1970-01-01T03:00:00Z"), 7205000, false, "6"},
    };
    struct scene scene;
    scene_init(&scene, "installHint: none");
    put_file(&scene, "plugin", plugin);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        CLEANUP(kube_auth_unrefp) struct kube_auth *auth = NULL;
        struct error err = {0};
        scene.now_ms = steps[i].at_ms;
        put_file(&scene, "answer", steps[i].answer);
        if (steps[i].expire)
            kube_credentials_expire(scene.credentials);
        int result = kube_credentials_get(scene.credentials, &auth, &err);
        if (result != (steps[i].token ? 0 : -1) || (result == 0 && strcmp(auth->token, steps[i].token) != 0))
            fail_msg("%s: %s", steps[i].name, result == 0 ? auth->token : err.text);
    }
    scene_done(&scene);
}

static void test_no_program(void **state)
{
    (void)state;
    struct scene scene;
    struct error err = {0};
    struct kube_auth *auth = NULL;
    scene_init(&scene, "installHint: Get it from the shop.");
    assert_int_equal(kube_credentials_get(scene.credentials, &auth, &err), -1);
    assert_int_equal(err.kind, ERROR_INVALID);
    assert_non_null(strstr(err.text, "/plugin'. Get it from the shop."));
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_may_print),
        cmocka_unit_test(test_what_it_is_given),
        cmocka_unit_test(test_when_it_runs_again),
        cmocka_unit_test(test_no_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
