/* The published cases of the credential chain, their recorded HTTP traffic played by a local server.
 *
 * What a case wants is compared with what our own order of providers gives. The recordings were edited by
 * hand and hold keys and roles that do not belong together; so of a request, its method and address are
 * compared, the action, and whether it was signed, not its values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "fake_api.h"
#include "http/client.h"
#include "nitro/credentials_source.h"

#define CHAIN   "default-credential-provider-chain/"
#define PROFILE "profile-provider/"

enum { MAX_STEPS = 16, MINUTE_MS = 60 * 1000 };

enum verdict { AS_PUBLISHED, REFUSED_BY_US, REPEATED_BY_US, PROFILE_ALONE };

/* Whatever is published and not listed here is run and must end as published. */
static const struct {
    const char *path;
    enum verdict verdict;
    const char *why;
} exceptions[] = {
    {CHAIN "e2e_fips_and_dual_stack_sso", REFUSED_BY_US, "single sign-on is out of scope"},
    {CHAIN "sso_assume_role", REFUSED_BY_US, "single sign-on is out of scope"},
    {CHAIN "ecs_assume_role", PROFILE_ALONE, "the chain asks the container before the profile"},
    {CHAIN "profile_overrides_web_identity", PROFILE_ALONE,
     "the chain asks the web identity before the profile"},
    {CHAIN "web_identity_token_invalid_jwt", REPEATED_BY_US, "STS says so also where it may pass"},
    {PROFILE "sso_credentials", REFUSED_BY_US, "single sign-on is out of scope"},
    {PROFILE "sso_override_global_env_url", REFUSED_BY_US, "single sign-on is out of scope"},
    {PROFILE "credential_process", REFUSED_BY_US, "it needs a shell, and we run none"},
    {PROFILE "credential_process_account_id_fallback", REFUSED_BY_US, "it needs a shell, and we run none"},
};

static const char *const cases[] = {
    CHAIN "e2e_fips_and_dual_stack_sso",
    CHAIN "ecs_assume_role",
    CHAIN "ecs_credentials",
    CHAIN "ecs_credentials_invalid_profile",
    CHAIN "eks_pod_identity_credentials",
    CHAIN "eks_pod_identity_no_token_file",
    CHAIN "environment_variables",
    CHAIN "environment_variables_blank",
    CHAIN "imds_assume_role",
    CHAIN "imds_config_with_no_creds",
    CHAIN "imds_default_chain_error",
    CHAIN "imds_default_chain_retries",
    CHAIN "imds_default_chain_success",
    CHAIN "imds_disabled",
    CHAIN "imds_no_iam_role",
    CHAIN "imds_token_fail",
    CHAIN "prefer_environment",
    CHAIN "profile_name",
    CHAIN "profile_overrides_web_identity",
    CHAIN "profile_static_keys",
    CHAIN "profile_static_keys_case_insensitive",
    CHAIN "sso_assume_role",
    CHAIN "sso_no_token_file",
    CHAIN "sso_server_error",
    CHAIN "web_identity_source_profile_no_env",
    CHAIN "web_identity_token_env",
    CHAIN "web_identity_token_invalid_jwt",
    CHAIN "web_identity_token_profile",
    CHAIN "web_identity_token_source_profile",
    PROFILE "assume_role_override_global_env_url",
    PROFILE "assume_role_override_global_profile_url",
    PROFILE "assume_role_override_service_env_url",
    PROFILE "assume_role_override_service_profile_url",
    PROFILE "credential_process",
    PROFILE "credential_process_account_id_fallback",
    PROFILE "credential_process_failure",
    PROFILE "credential_process_invalid",
    PROFILE "e2e_assume_role",
    PROFILE "e2e_fips_and_dual_stack_sts",
    PROFILE "empty_config",
    PROFILE "invalid_config",
    PROFILE "invalid_sso_credentials_config",
    PROFILE "region_override",
    PROFILE "retry_on_error",
    PROFILE "sso_credentials",
    PROFILE "sso_override_global_env_url",
    PROFILE "sso_token",
};

/* One recorded request and its answer; texts belong to the JSON of the traffic. */
struct step {
    const char *method;
    const char *uri;
    const char *body;
    bool is_signed;
    int status;
    const char *answer;
};

struct scene {
    char *root; /* of the case */
    char *home; /* a copy of its files, paths made real */
    json_t *variables;
    json_t *traffic;
    struct step steps[MAX_STEPS];
    size_t step_count;
    size_t at;
    bool is_repeated;  /* the last answer is the answer to whatever else is asked */
    char trouble[512]; /* the first request that was not the recorded one */
    int64_t now_ms;
    struct fake_api *api;
    char *value; /* of the variable that was asked for last */
};

static char *read_all(const char *path)
{
    struct buf text;
    struct error err = {0};
    buf_init(&text, 1 << 20);
    if (file_read(path, &text, &err) < 0) {
        buf_done(&text);
        return NULL;
    }
    return buf_steal(&text);
}

static json_t *read_json(const struct scene *scene, const char *name)
{
    CLEANUP(freep) char *path = mem_printf("%s/%s", scene->root, name);
    json_t *tree = json_load_file(path, 0, NULL);
    if (!tree)
        fail_msg("%s is not there or no JSON", path);
    return tree;
}

static char *replace(const char *text, const char *old, const char *new)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    for (const char *at = strstr(text, old); at; at = strstr(text, old)) {
        buf_append(&out, text, (size_t)(at - text));
        buf_puts(&out, new);
        text = at + strlen(old);
    }
    buf_puts(&out, text);
    return buf_steal(&out);
}

static void copy_home(struct scene *scene)
{
    static const char *const names[] = {"config", "credentials"};
    char folder[] = "/tmp/credentials-XXXXXX";
    assert_non_null(mkdtemp(folder));
    scene->home = mem_strdup(folder);
    CLEANUP(freep) char *aws = mem_printf("%s/.aws", folder);
    CLEANUP(freep) char *token = mem_printf("%s/fs/token.jwt", scene->root);
    assert_int_equal(mkdir(aws, 0700), 0);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(freep) char *from = mem_printf("%s/fs/home/.aws/%s", scene->root, names[i]);
        CLEANUP(freep) char *to = mem_printf("%s/%s", aws, names[i]);
        CLEANUP(freep) char *text = read_all(from);
        if (!text)
            continue;
        CLEANUP(freep) char *real = replace(text, "/token.jwt", token);
        CLEANUP(fclosep) FILE *file = fopen(to, "we");
        assert_non_null(file);
        fputs(real, file);
    }
}

static void remove_home(struct scene *scene)
{
    static const char *const names[] = {".aws/config", ".aws/credentials", ".aws", ""};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(freep) char *path = mem_printf("%s/%s", scene->home, names[i]);
        remove(path);
    }
    free(scene->home);
}

static const char *get_variable(void *ctx, const char *name)
{
    struct scene *scene = ctx;
    const char *value = json_string_value(json_object_get(scene->variables, name));
    free(scene->value);
    scene->value = NULL;
    if (value && strcmp(value, "/home") == 0)
        scene->value = mem_strdup(scene->home);
    else if (value && strcmp(value, "/token.jwt") == 0)
        scene->value = mem_printf("%s/fs/token.jwt", scene->root);
    else
        scene->value = mem_strdup(value);
    return scene->value;
}

static int64_t get_wall_ms(void *ctx)
{
    return ((struct scene *)ctx)->now_ms;
}

static const char *get_data(const json_t *action)
{
    return json_string_value(
        json_object_get(json_object_get(json_object_get(action, "Data"), "data"), "Utf8"));
}

static void read_request(struct step *step, const json_t *request)
{
    const char *method = json_string_value(json_object_get(request, "method"));
    step->method = method ? method : "GET";
    step->uri = json_string_value(json_object_get(request, "uri"));
    step->is_signed = json_object_get(json_object_get(request, "headers"), "authorization") != NULL;
}

static void read_traffic(struct scene *scene)
{
    size_t index = 0;
    json_t *event = NULL;
    struct step *step = NULL;
    json_array_foreach(json_object_get(scene->traffic, "events"), index, event)
    {
        const json_t *action = json_object_get(event, "action");
        const json_t *data = json_object_get(action, "Data");
        const json_t *request = json_object_get(json_object_get(action, "Request"), "request");
        const json_t *answer = json_object_get(json_object_get(action, "Response"), "response");
        if (request) {
            assert_true(scene->step_count < MAX_STEPS);
            step = &scene->steps[scene->step_count++];
            read_request(step, request);
        } else if (answer && step) {
            step->status = (int)json_integer_value(json_object_get(json_object_get(answer, "Ok"), "status"));
        } else if (data && step) {
            bool is_answer = step->status != 0;
            *(is_answer ? &step->answer : &step->body) = get_data(action);
        }
    }
}

/* An hour before the earliest end that the traffic names, so that nothing is over yet. */
static void set_clock(struct scene *scene)
{
    scene->now_ms = 1000LL * MINUTE_MS;
    int64_t first_ms = INT64_MAX;
    for (size_t i = 0; i < scene->step_count; i++) {
        const char *at = scene->steps[i].answer ? strstr(scene->steps[i].answer, "Expiration") : NULL;
        int64_t end_ms = 0;
        if (!at)
            continue;
        at += strcspn(at, "0123456789");
        CLEANUP(freep) char *text = mem_strndup(at, strcspn(at, "\"<"));
        if (time_parse(text, &end_ms) == 0 && end_ms < first_ms)
            first_ms = end_ms;
    }
    if (first_ms != INT64_MAX)
        scene->now_ms = first_ms - 60LL * MINUTE_MS;
}

static bool has_action(const char *request, const char *recorded)
{
    CLEANUP(freep) char *action = mem_strndup(recorded, strcspn(recorded, "&"));
    const char *body = strstr(request, "\r\n\r\n");
    return body && strncmp(body + 4, action, strlen(action)) == 0 && strchr("&", body[4 + strlen(action)]);
}

/* The address that was meant stands in a header of the test's, but for the metadata service. */
static bool is_as_recorded(const struct step *step, const char *request)
{
    static const char header[] = "X-Test-Url: ";
    const char *meant = strstr(request, header);
    const char *host = strstr(step->uri, "://") + 3;
    const char *slash = strchr(host, '/');
    CLEANUP(freep) char *whole = mem_printf("%s%s", step->uri, slash ? "" : "/");
    size_t method_len = strlen(step->method);
    if (strncmp(request, step->method, method_len) != 0 || request[method_len] != ' ')
        return false;
    const char *wanted = meant ? whole : slash ? slash : "/";
    const char *got = meant ? meant + sizeof(header) - 1 : request + method_len + 1;
    if (strncmp(got, wanted, strlen(wanted)) != 0 || !strchr(" \r", got[strlen(wanted)]))
        return false;
    bool is_sts = strstr(step->uri, "sts") || strstr(step->uri, "override");
    if (is_sts && step->is_signed != (strstr(request, "Authorization: AWS4-HMAC-SHA256 ") != NULL))
        return false;
    return !step->body || has_action(request, step->body);
}

static struct fake_reply play(void *ctx, const char *request)
{
    struct scene *scene = ctx;
    if (scene->is_repeated && scene->at == scene->step_count)
        scene->at--;
    const struct step *step = scene->at < scene->step_count ? &scene->steps[scene->at++] : NULL;
    if (!step || !is_as_recorded(step, request)) {
        if (!*scene->trouble)
            snprintf(scene->trouble, sizeof(scene->trouble), "%.400s", request);
        return (struct fake_reply){418, NULL, NULL, FAKE_WHOLE};
    }
    return (struct fake_reply){step->status, mem_strdup(step->answer), NULL, FAKE_WHOLE};
}

static int lead_to_server(void *ctx, struct http_client *client, const struct http_request *request,
                          struct http_response *ret_response, struct error *err)
{
    const struct scene *scene = ctx;
    const char *headers[12] = {NULL};
    size_t count = 0;
    const char *slash = strchr(strstr(request->url, "://") + 3, '/');
    CLEANUP(freep)
    char *url = mem_printf("http://127.0.0.1:%d%s", fake_api_get_port(scene->api), slash ? slash : "/");
    CLEANUP(freep) char *meant = mem_printf("X-Test-Url: %s", request->url);
    for (; request->headers[count]; count++)
        headers[count] = request->headers[count];
    headers[count] = meant;
    struct http_request local = *request;
    local.url = url;
    local.headers = headers;
    local.direct = true;
    return http_perform(client, &local, ret_response, err);
}

static int ask(struct scene *scene, bool is_profile, struct aws_identity **ret_identity, struct error *err)
{
    const struct environment environment = {get_variable, scene};
    const struct clock clock = {get_wall_ms, get_wall_ms, scene};
    CLEANUP(aws_config_done) struct aws_config config = {.region = NULL};
    const struct aws_credentials_options options = {.environment = &environment,
                                                    .config = &config,
                                                    .clock = &clock,
                                                    .exchange = lead_to_server,
                                                    .exchange_ctx = scene};
    if (aws_config_init(&environment, &config, err) < 0 ||
        aws_config_add_profile(&environment, &config, err) < 0)
        return -1;
    free(config.imds_endpoint);
    config.imds_endpoint = mem_printf("http://127.0.0.1:%d", fake_api_get_port(scene->api));
    if (is_profile) {
        int result = credentials_from_profile(&options, ret_identity, err);
        return result < 0 || *ret_identity ? result : error_set(err, ERROR_DENIED, "NotEnabled", "no inputs");
    }
    struct aws_credentials *credentials = aws_credentials_new(&options);
    int result = aws_credentials_get(credentials, ret_identity, err);
    aws_credentials_free(credentials);
    return result;
}

static void expect_text(const json_t *wanted, const char *key, const char *got)
{
    const char *text = json_string_value(json_object_get(wanted, key));
    if (text && (!got || strcmp(text, got) != 0))
        fail_msg("%s is %s instead of %s", key, got ? got : "absent", text);
}

static void compare(const struct scene *scene, const json_t *wanted, const struct aws_identity *got,
                    const struct error *err)
{
    if (!got)
        fail_msg("%s: %s (%s)", scene->root, err->text, scene->trouble);
    expect_text(wanted, "access_key_id", got->keys.access_key_id);
    expect_text(wanted, "secret_access_key", secret_reveal(got->keys.secret_access_key));
    expect_text(wanted, "session_token", secret_reveal(got->keys.session_token));
    const json_t *expiry = json_object_get(wanted, "expiry");
    if (expiry)
        assert_int_equal(got->expires_ms, json_integer_value(expiry) * 1000);
}

static void check(struct scene *scene, bool is_profile, bool is_refused)
{
    json_t *test = read_json(scene, "test-case.json");
    const json_t *wanted = json_object_get(json_object_get(test, "result"), "Ok");
    CLEANUP(aws_identity_unrefp) struct aws_identity *got = NULL;
    struct error err = {0};
    int result = ask(scene, is_profile, &got, &err);
    if (*scene->trouble)
        fail_msg("%s: not the recorded request: %s", scene->root, scene->trouble);
    if (wanted && !is_refused)
        compare(scene, wanted, got, &err);
    else if (result == 0)
        fail_msg("%s: credentials instead of an error", scene->root);
    else
        print_message("  error: %s\n", err.text);
    bool is_sso = strstr(scene->root, "/sso_") || strstr(scene->root, "_sso");
    if (!is_refused && !is_sso && scene->at != scene->step_count)
        fail_msg("%s: %zu of %zu recorded requests were made", scene->root, scene->at, scene->step_count);
    json_decref(test);
}

static void run_case(const char *vectors, const char *path, enum verdict verdict)
{
    struct scene scene = {.root = mem_printf("%s/credential-chain/%s", vectors, path)};
    scene.variables = read_json(&scene, "env.json");
    scene.traffic = read_json(&scene, "http-traffic.json");
    copy_home(&scene);
    read_traffic(&scene);
    set_clock(&scene);
    scene.api = fake_api_start(play, &scene);
    bool is_profile = verdict == PROFILE_ALONE || strncmp(path, PROFILE, strlen(PROFILE)) == 0;
    scene.is_repeated = verdict == REPEATED_BY_US;
    check(&scene, is_profile, verdict == REFUSED_BY_US);
    fake_api_stop(scene.api);
    remove_home(&scene);
    json_decref(scene.variables);
    json_decref(scene.traffic);
    free(scene.value);
    free(scene.root);
}

static void test_published_cases(void **state)
{
    const char *vectors = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum verdict verdict = AS_PUBLISHED;
        const char *why = "";
        for (size_t j = 0; j < ARRAY_LEN(exceptions); j++) {
            if (strcmp(exceptions[j].path, cases[i]) != 0)
                continue;
            verdict = exceptions[j].verdict;
            why = exceptions[j].why;
        }
        print_message("%s%s%s\n", cases[i],
                      verdict == PROFILE_ALONE   ? " with the profile alone: "
                      : verdict == REFUSED_BY_US ? " must be refused: "
                                                 : "",
                      why);
        run_case(vectors, cases[i], verdict);
    }
}

int main(void)
{
    const char *vectors = getenv("TEE_TEST_VECTORS");
    CLEANUP(freep) char *folder = mem_printf("%s/credential-chain", vectors ? vectors : "");
    if (access(folder, R_OK) < 0)
        return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_published_cases, (void *)vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
