/* Credential plugins: what they are given, what they may print, and when they run again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "kube/credentials.h"
#include "kube/exec_plugin.h"
#include "trace.h"

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

enum { WAIT_MS = 20000 };

struct scene {
    char folder[64];
    char *config_file;
    struct kube_config config;
    struct kube_credentials *credentials;
    struct clock clock;
    atomic_int_least64_t now_ms; /* of that clock, which the plugin's thread reads as well */
    struct trace trace;          /* what is told of it */
};

static int64_t read_clock(void *ctx)
{
    return atomic_load((atomic_int_least64_t *)ctx);
}

static void note_change(void *ctx, const struct error *problem)
{
    trace_add(ctx, "%s", problem ? problem->reason : "good");
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
    trace_init(&scene->trace);
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
    scene->credentials = kube_credentials_new(&(struct kube_credentials_options){
        .config = &scene->config, .clock = &scene->clock, .changed = note_change, .ctx = &scene->trace});
}

static int get(struct scene *scene, int64_t wait_ms, struct kube_auth **ret_auth, struct error *err)
{
    return kube_credentials_get(scene->credentials, clock_mono_ms(clock_real()) + wait_ms, ret_auth, err);
}

/* Asks until the plugin's new token is there. */
static void await_token(struct scene *scene, const char *token)
{
    int64_t deadline_ms = clock_mono_ms(clock_real()) + WAIT_MS;
    for (bool is_there = false; !is_there; poll(NULL, 0, 1)) {
        CLEANUP(kube_auth_unrefp) struct kube_auth *auth = NULL;
        struct error err = {0};
        assert_int_equal(get(scene, WAIT_MS, &auth, &err), 0);
        is_there = strcmp(secret_reveal(auth->token), token) == 0;
        assert_true(clock_mono_ms(clock_real()) < deadline_ms);
    }
}

static void scene_done(struct scene *scene)
{
    static const char *const names[] = {"config", "plugin", "count", "given", "answer", "go"};
    kube_credentials_free(scene->credentials);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(freep) char *path = mem_printf("%s/%s", scene->folder, names[i]);
        remove(path);
    }
    assert_int_equal(remove(scene->folder), 0);
    kube_config_done(&scene->config);
    trace_done(&scene->trace);
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
    if (get(&scene, WAIT_MS, &auth, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(secret_reveal(auth->token), "t");
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

/* Prints token 1, 2, ...; `answer` says until when, or makes it fail. */
static const char counting_plugin[] = "#!/bin/sh\necho x >> \"$FOLDER/count\"\n"
                                      "n=$(wc -l < \"$FOLDER/count\")\n. \"$FOLDER/answer\"\n";
#define PRINT(end) "echo '" ANSWER "{\"expirationTimestamp\":\"" end "\",\"token\":\"'$n'\"}}'\n"
#define HANG       "while [ ! -e \"$FOLDER/go\" ]; do sleep 0.05; done\n"

static void test_when_it_runs_again(void **state)
{
    (void)state;
    static const struct {
        const char *name, *answer;
        int64_t at_ms;
        bool expire;
        const char *token; /* NULL = an error */
        const char *then;  /* once the plugin has run beside; NULL = it does not */
    } steps[] = {
        {"it fails, and nothing is known", "exit 1\n", 1000000, false, NULL, NULL},
        {"first", PRINT("1970-01-01T01:00:00Z"), 1000000, false, "2", NULL},
        {"kept", PRINT("1970-01-01T01:00:00Z"), 3569999, false, "2", NULL},
        {"30 s before the end", PRINT("1970-01-01T02:00:00Z"), 3570000, false, "2", "3"},
        {"a 401 at once", PRINT("1970-01-01T02:00:00Z"), 3574999, true, "3", NULL},
        {"which is forgotten", PRINT("1970-01-01T02:00:00Z"), 3575000, false, "3", NULL},
        {"a 401 later", PRINT("1970-01-01T02:00:00Z"), 3575000, true, "4", NULL},
        {"ended, but it fails", "exit 1\n", 7200000, false, "4", NULL},
        {"and is left alone", PRINT("1970-01-01T03:00:00Z"), 7204999, false, "4", NULL},
        {"for 5 s", PRINT("1970-01-01T03:00:00Z"), 7205000, false, "6", NULL},
    };
    struct scene scene;
    scene_init(&scene, "installHint: none");
    put_file(&scene, "plugin", counting_plugin);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        CLEANUP(kube_auth_unrefp) struct kube_auth *auth = NULL;
        struct error err = {0};
        scene.now_ms = steps[i].at_ms;
        put_file(&scene, "answer", steps[i].answer);
        if (steps[i].expire)
            kube_credentials_expire(scene.credentials);
        int result = get(&scene, WAIT_MS, &auth, &err);
        if (result != (steps[i].token ? 0 : -1) ||
            (result == 0 && strcmp(secret_reveal(auth->token), steps[i].token) != 0))
            fail_msg("%s: %s", steps[i].name, result == 0 ? secret_reveal(auth->token) : err.text);
        if (steps[i].then)
            await_token(&scene, steps[i].then);
    }
    assert_true(trace_wait(&scene.trace, "ProcessFailed good"));
    assert_string_equal(buf_text(&scene.trace.text), "ProcessFailed good ");
    scene_done(&scene);
}

/* Who has a credential that is still good does not wait for one that hangs; who has none waits no longer than
 * he may. */
static void test_one_that_hangs(void **state)
{
    (void)state;
    struct scene scene;
    struct kube_auth *auth = NULL;
    struct error err = {0};
    scene_init(&scene, "installHint: none");
    put_file(&scene, "plugin", counting_plugin);
    put_file(&scene, "answer", HANG PRINT("1970-01-01T01:00:00Z"));
    assert_int_equal(get(&scene, 100, &auth, &err), -1);
    assert_int_equal(err.kind, ERROR_UNAVAILABLE);
    assert_string_equal(err.reason, "Timeout");
    put_file(&scene, "go", "");
    await_token(&scene, "1");
    CLEANUP(freep) char *go = mem_printf("%s/go", scene.folder);
    remove(go);
    scene.now_ms = 3570000;
    int64_t start_ms = clock_mono_ms(clock_real());
    for (int i = 0; i < 3; i++) {
        assert_int_equal(get(&scene, WAIT_MS, &auth, &err), 0);
        assert_string_equal(secret_reveal(auth->token), "1");
        kube_auth_unref(auth);
    }
    assert_true(clock_mono_ms(clock_real()) - start_ms < 5000);
    scene.now_ms = 3600000; /* ended: it is waited for, and what there is must do */
    start_ms = clock_mono_ms(clock_real());
    assert_int_equal(get(&scene, 100, &auth, &err), 0);
    assert_true(clock_mono_ms(clock_real()) - start_ms >= 100);
    assert_string_equal(secret_reveal(auth->token), "1");
    kube_auth_unref(auth);
    put_file(&scene, "go", "");
    await_token(&scene, "2");
    scene_done(&scene);
}

static void test_no_program(void **state)
{
    (void)state;
    struct scene scene;
    struct error err = {0};
    struct kube_auth *auth = NULL;
    scene_init(&scene, "installHint: Get it from the shop.");
    assert_int_equal(get(&scene, WAIT_MS, &auth, &err), -1);
    assert_int_equal(err.kind, ERROR_INVALID);
    assert_non_null(strstr(err.text, "/plugin'. Get it from the shop."));
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_may_print),  cmocka_unit_test(test_what_it_is_given),
        cmocka_unit_test(test_when_it_runs_again), cmocka_unit_test(test_one_that_hangs),
        cmocka_unit_test(test_no_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
