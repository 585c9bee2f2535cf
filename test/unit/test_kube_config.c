/* kubeconfig: which entry wins, what is refused, and that each message names file and field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "kube/config.h"
#include "kube/yaml_tree.h"

struct env {
    const char *kubeconfig, *host, *port, *home;
};

static const char *get_env(void *ctx, const char *name)
{
    const struct env *env = ctx;
    if (strcmp(name, "KUBECONFIG") == 0)
        return env->kubeconfig;
    if (strcmp(name, "KUBERNETES_SERVICE_HOST") == 0)
        return env->host;
    if (strcmp(name, "KUBERNETES_SERVICE_PORT") == 0)
        return env->port;
    return strcmp(name, "HOME") == 0 ? env->home : NULL;
}

static char dir[] = "/tmp/test-kube-config-XXXXXX";

static char *path_of(const char *name)
{
    return mem_printf("%s/%s", dir, name);
}

static void put_file(const char *name, const char *text)
{
    CLEANUP(freep) char *path = path_of(name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"a",           "b",   "token",        "ca.crt", "namespace",
                                        "pki/key.pem", "pki", ".kube/config", ".kube"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(freep) char *path = path_of(names[i]);
        remove(path);
    }
    return remove(dir);
}

#define HEAD    "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u, namespace: n}}]\n"
#define CLUSTER "clusters: [{name: k, cluster: {server: 'https://h:6443'}}]\n"

#define EXEC "client.authentication.k8s.io/"

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "current-context is not set"},
        {"just text", "current-context is not set"},
        {"a: [", "line "},
        {"a: &x 1\nb: *x\n", "line 2: aliases"},
        {"a: 1\n---\nb: 1\n", "more than one document"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
         "nested too deeply"},
        {"current-context: c\n", "there is no context 'c'"},
        {"current-context: c\ncontexts: [{name: c, context: {user: u}}]\n",
         "context 'c': cluster is missing"},
        {HEAD, "there is no cluster 'k'"},
        {HEAD "clusters: [{name: k}]", "cluster 'k': server is missing"},
        {HEAD "clusters: [{name: k, cluster: {server: [1]}}]", "cluster 'k': server must be text"},
        {HEAD "clusters: [{name: k, cluster: {server: 'h:6443'}}]", "server must begin with https://"},
        {HEAD "clusters: [{name: k, cluster: {server: 'https://'}}]", "server must be a URL"},
        {HEAD "clusters: [{name: k, cluster: {server: 'https://u:p@h'}}]", "server must be a URL"},
        {HEAD "clusters: [{name: k, cluster: {server: \"https://h\\0x\"}}]", "server must be text"},
        {HEAD "clusters: [{name: k, cluster: {server: 'https://h', insecure-skip-tls-verify: maybe}}]",
         "insecure-skip-tls-verify must be true or false"},
        {HEAD "clusters: [{name: k, cluster: {server: 'https://h', disable-compression: [1]}}]",
         "disable-compression must be true or false"},
        {HEAD "clusters: [{name: k, cluster: {server: 'https://h', certificate-authority-data: '!'}}]",
         "certificate-authority-data is not base64"},
        {HEAD "clusters: [{name: k, cluster: {server: 'https://h', certificate-authority-data: aGVsbG8=}}]",
         "certificate-authority-data does not hold PEM"},
        {HEAD "clusters: [{name: k, cluster: {server: 'https://h', certificate-authority: nope}}]",
         "certificate-authority names a file that cannot be read"},
        {HEAD CLUSTER, "there is no user 'u'"},
        {HEAD CLUSTER "users: [{name: u, user: {exec: {command: aws}}}]",
         "user 'u': exec.apiVersion must be"},
        {HEAD CLUSTER "users: [{name: u, user: {exec: {command: aws, apiVersion: " EXEC "v1alpha1}}}]",
         "exec.apiVersion must be client.authentication.k8s.io/v1 or"},
        {HEAD CLUSTER "users: [{name: u, user: {exec: {command: aws, apiVersion: " EXEC "v1}}}]",
         "exec.interactiveMode is missing"},
        {HEAD CLUSTER "users: [{name: u, user: {exec: {command: aws, apiVersion: " EXEC
                      "v1beta1, interactiveMode: Always}}}]",
         "exec.interactiveMode is Always, but nobody can be asked"},
        {HEAD CLUSTER "users: [{name: u, user: {exec: {apiVersion: " EXEC "v1beta1}}}]",
         "exec.command is missing"},
        {HEAD CLUSTER "users: [{name: u, user: {exec: {command: aws, args: [[]], apiVersion: " EXEC
                      "v1beta1}}}]",
         "exec.args must be a list"},
        {HEAD CLUSTER "users: [{name: u, user: {exec: {command: aws, env: [{value: x}], apiVersion: " EXEC
                      "v1beta1}}}]",
         "exec.env has a variable without a name"},
        {HEAD CLUSTER "users: [{name: u, user: {token: t, exec: {command: aws, apiVersion: " EXEC
                      "v1beta1}}}]",
         "exec is set together with a token"},
        {HEAD CLUSTER "users: [{name: u, user: {auth-provider: {name: oidc}}}]",
         "auth-provider is not supported; Kubernetes replaced it by exec"},
        {HEAD CLUSTER "users: [{name: u, user: {username: me}}]", "username is not supported"},
        {HEAD CLUSTER "users: [{name: u, user: {as: [root]}}]", "user 'u': as must be text"},
        {HEAD CLUSTER "users: [{name: u, user: {as: \"a\\nb\"}}]", "as holds a control character"},
        {HEAD CLUSTER "users: [{name: u, user: {as-uid: '7'}}]", "as is missing"},
        {HEAD CLUSTER "users: [{name: u, user: {as: a, as-groups: g}}]", "as-groups must be a list"},
        {HEAD CLUSTER "users: [{name: u, user: {as: a, as-groups: [[]]}}]", "as-groups must be text"},
        {HEAD CLUSTER "users: [{name: u, user: {as: a, as-user-extra: [x]}}]", "as-user-extra must be a map"},
        {HEAD CLUSTER "users: [{name: u, user: {as: a, as-user-extra: {'': [x]}}}]",
         "has a key that is empty"},
        {HEAD CLUSTER "users: [{name: u, user: {tokenFile: nope}}]", "tokenFile names a file"},
        {HEAD CLUSTER "users: [{name: u, user: {token: \"a\\nb\"}}]", "token holds a line end"},
        {HEAD CLUSTER "users: [{name: u, user: {client-certificate-data: LS0tLS1CRUdJTiBYLS0tLS0=}}]",
         "client-key is missing"},
    };
    CLEANUP(freep) char *path = path_of("a");
    struct env env = {0};
    struct kube_config_source source = {.kubeconfig = path, .get_env = get_env, .ctx = &env};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kube_config config = {0};
        struct error err = {0};
        put_file("a", cases[i].text);
        if (kube_config_load(&source, &config, &err) == 0 || !strstr(err.text, cases[i].message) ||
            !strstr(err.text, path))
            fail_msg("case %zu: wanted '%s', got '%s'", i, cases[i].message, err.text);
        assert_null(config.server);
    }
}

static void test_an_embedded_key(void **state)
{
    (void)state;
    CLEANUP(freep) char *path = path_of("a");
    put_file("a", "current-context: c\ncontexts:\n- {name: c, context: {cluster: k, user: u}}\n"
                  "clusters:\n- {name: k, cluster: {server: 'https://h'}}\nusers:\n- name: u\n  user:\n"
                  "    client-certificate-data: LS0tLS1CRUdJTiBYLS0tLS0=\n"
                  "    client-key-data: LS0tLS1CRUdJTiBYLS0tLS0=\n    client-key: absent-but-data-win\n");
    struct env env = {0};
    struct kube_config_source source = {.kubeconfig = path, .get_env = get_env, .ctx = &env};
    struct kube_config config = {0};
    struct error err = {0};
    if (kube_config_load(&source, &config, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(secret_reveal(config.key_pem), "-----BEGIN X-----");
    assert_null(config.key_file);
    assert_null(config.token);
    kube_config_done(&config);
}

static void test_all_fields(void **state)
{
    (void)state;
    CLEANUP(freep) char *path = path_of("a");
    CLEANUP(freep) char *pki = path_of("pki");
    CLEANUP(freep) char *key = path_of("pki/key.pem");
    mkdir(pki, 0700);
    put_file("pki/key.pem", "-----BEGIN X-----");
    put_file("token", "t");
    put_file("a",
             "contexts:\n- {name: other, context: {cluster: x}}\n- name: c\n  context: {cluster: k, user: u, "
             "namespace: n}\nclusters:\n- name: k\n  cluster:\n    server: https://h:6443/prefix/\n"
             "    tls-server-name: api\n    proxy-url: socks5://p:1\n    disable-compression: true\n    "
             "certificate-authority-data: |\n"
             "      LS0tLS1C\n      RUdJTiBYLS0tLS0=\nusers:\n- name: u\n  user:\n    token: secret\n"
             "    tokenFile: token\n    client-certificate-data: LS0tLS1CRUdJTiBYLS0tLS0=\n"
             "    client-certificate: absent-but-data-win\n    client-key: pki/key.pem\n    exec: ~\n");
    struct env env = {0};
    struct kube_config_source source = {.kubeconfig = path, .context = "c", .get_env = get_env, .ctx = &env};
    struct kube_config config = {0};
    struct error err = {0};
    if (kube_config_load(&source, &config, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(config.server, "https://h:6443/prefix");
    assert_string_equal(config.namespace, "n");
    assert_string_equal(config.tls_server_name, "api");
    assert_string_equal(config.proxy_url, "socks5://p:1");
    assert_string_equal(config.ca_pem, "-----BEGIN X-----");
    assert_null(config.ca_file);
    assert_string_equal(secret_reveal(config.token), "secret");
    assert_string_equal(strrchr(config.token_file, '/'), "/token");
    assert_string_equal(config.cert_pem, "-----BEGIN X-----");
    assert_string_equal(config.key_file, key);
    assert_false(config.insecure_skip_verify);
    assert_true(config.disable_compression);
    kube_config_done(&config);
}

static void test_first_file_wins(void **state)
{
    (void)state;
    put_file("a", "contexts: [{name: c, context: {cluster: k}}]\n"
                  "clusters: [{name: k, cluster: {server: 'https://first'}}]\n");
    put_file("b", "current-context: c\ncontexts: [{name: c, context: {cluster: other}}]\n"
                  "clusters: [{name: k, cluster: {server: 'https://second', proxy-url: 'http://p'}}]\n");
    CLEANUP(freep) char *list = mem_printf("%s/absent:%s/a::%s/b", dir, dir, dir);
    struct env env = {.kubeconfig = list, .host = "10.0.0.1", .port = "443"};
    struct kube_config_source source = {.get_env = get_env, .ctx = &env};
    struct kube_config config = {0};
    struct error err = {0};
    assert_int_equal(kube_config_load(&source, &config, &err), 0);
    assert_string_equal(config.server, "https://first");
    assert_null(config.proxy_url);
    assert_false(config.disable_compression);
    assert_null(config.namespace);
    kube_config_done(&config);
    env.kubeconfig = "/nowhere/a:/nowhere/b";
    assert_int_equal(kube_config_load(&source, &config, &err), -1);
    assert_non_null(strstr(err.text, "/nowhere/a:/nowhere/b"));
}

static void test_service_account(void **state)
{
    (void)state;
    put_file("token", "t");
    put_file("ca.crt", "c");
    put_file("namespace", "tee-system\n");
    struct env env = {.host = "fd00::1", .port = "443", .home = dir};
    struct kube_config_source source = {.get_env = get_env, .ctx = &env, .service_account_dir = dir};
    struct kube_config config = {0};
    struct error err = {0};
    assert_int_equal(kube_config_load(&source, &config, &err), 0);
    assert_string_equal(config.server, "https://[fd00::1]:443");
    assert_string_equal(config.namespace, "tee-system");
    assert_string_equal(strrchr(config.token_file, '/'), "/token");
    assert_string_equal(strrchr(config.ca_file, '/'), "/ca.crt");
    kube_config_done(&config);
    source.service_account_dir = "/nowhere";
    assert_int_equal(kube_config_load(&source, &config, &err), -1);
    assert_non_null(strstr(err.text, "/nowhere/token"));
}

static void test_home(void **state)
{
    (void)state;
    CLEANUP(freep) char *folder = path_of(".kube");
    mkdir(folder, 0700);
    struct env env = {.home = dir};
    struct kube_config_source source = {.get_env = get_env, .ctx = &env};
    struct kube_config config = {0};
    struct error err = {0};
    assert_int_equal(kube_config_load(&source, &config, &err), -1);
    assert_non_null(strstr(err.text, ".kube/config"));
    assert_non_null(strstr(err.text, "not in a pod"));
    put_file(".kube/config",
             "{\"current-context\":\"c\",\"contexts\":[{\"name\":\"c\",\"context\":{\"cluster\":\"k\"}}],"
             "\"clusters\":[{\"name\":\"k\",\"cluster\":{\"server\":\"http://127.0.0.1:1\"}}]}");
    assert_int_equal(kube_config_load(&source, &config, &err), 0);
    assert_string_equal(config.server, "http://127.0.0.1:1");
    kube_config_done(&config);
}

static void test_impersonation(void **state)
{
    (void)state;
    static const char *const expected[] = {
        "Impersonate-User: jane",           "Impersonate-Uid: 7",     "Impersonate-Group: a",
        "Impersonate-Group: system:b",      "Impersonate-Extra-x: 1", "Impersonate-Extra-acme.org%2Fy: 2",
        "Impersonate-Extra-acme.org%2Fy: 3"};
    CLEANUP(freep) char *path = path_of("a");
    struct env env = {0};
    struct kube_config_source source = {.kubeconfig = path, .get_env = get_env, .ctx = &env};
    struct kube_config config = {0};
    struct error err = {0};
    put_file("a", HEAD CLUSTER "users: [{name: u, user: {as: jane, as-uid: '7', as-groups: [a, 'system:b'],"
                               " as-user-extra: {x: ['1'], acme.org/y: ['2', '3']}}}]");
    assert_int_equal(kube_config_load(&source, &config, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(expected); i++)
        assert_string_equal(config.impersonation[i], expected[i]);
    assert_null(config.impersonation[ARRAY_LEN(expected)]);
    kube_config_done(&config);
    put_file("a", HEAD CLUSTER "users: [{name: u, user: {}}]");
    assert_int_equal(kube_config_load(&source, &config, &err), 0);
    assert_null(config.impersonation);
    kube_config_done(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),         cmocka_unit_test(test_an_embedded_key),
        cmocka_unit_test(test_all_fields),      cmocka_unit_test(test_first_file_wins),
        cmocka_unit_test(test_service_account), cmocka_unit_test(test_home),
        cmocka_unit_test(test_impersonation),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
