/* What each provider refuses, and what it sends: web identity, container, profile and process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fake_api.h"
#include "nitro/credentials_process.h"
#include "nitro/credentials_source.h"
#include "nitro/profile_file.h"
#include "nitro/sts.h"

#define KEYS                                                                                                 \
    "\"AccessKeyId\":\"AK1\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":\"2026-01-01T06:00:"   \
    "00Z\""
#define STS_OK                                                                                               \
    "<R><AssumeRoleResult><Credentials><AccessKeyId>AK1</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"   \
    "<SessionToken>t</SessionToken><Expiration>2026-01-01T06:00:00Z</Expiration></Credentials>"              \
    "</AssumeRoleResult></R>"
#define ROLE "arn:aws:iam::123456789012:role/test"

struct scene {
    const char *environment; /* lines */
    char *value;
    int64_t now_ms;
    int status;
    const char *body;
    const char *headers;
    int good_after; /* requests that are answered with a 503 first */
    int count;
    struct fake_api *api;
    struct environment source;
    struct clock clock;
    struct aws_config config;
    struct aws_skew skew;
    struct aws_credentials_options options;
    char folder[64];
    char told[64];
};

static const char *get_variable(void *ctx, const char *name)
{
    struct scene *scene = ctx;
    size_t len = strlen(name);
    const char *line = scene->environment;
    while (line && !(strncmp(line, name, len) == 0 && line[len] == '='))
        line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
    free(scene->value);
    scene->value = line ? mem_strndup(line + len + 1, strcspn(line + len + 1, "\n")) : NULL;
    return scene->value;
}

static int64_t get_now_ms(void *ctx)
{
    return ((struct scene *)ctx)->now_ms;
}

static struct fake_reply play(void *ctx, const char *request)
{
    struct scene *scene = ctx;
    (void)request;
    if (++scene->count <= scene->good_after)
        return (struct fake_reply){503, NULL, NULL, FAKE_WHOLE};
    return (struct fake_reply){scene->status, mem_strdup(scene->body), scene->headers, FAKE_WHOLE};
}

static int open_scene(void **state)
{
    struct scene *scene = mem_calloc(1, sizeof(*scene));
    assert_int_equal(time_parse("2026-01-01T00:00:00Z", &scene->now_ms), 0);
    scene->environment = "";
    scene->status = 200;
    scene->body = "{" KEYS "}";
    scene->api = fake_api_start(play, scene);
    scene->source = (struct environment){get_variable, scene};
    scene->clock = (struct clock){get_now_ms, get_now_ms, scene};
    scene->config.region = mem_strdup("eu-west-1");
    scene->config.sts_endpoint = mem_printf("http://127.0.0.1:%d", fake_api_get_port(scene->api));
    scene->config.imds_disabled = true;
    scene->options = (struct aws_credentials_options){.environment = &scene->source,
                                                      .config = &scene->config,
                                                      .clock = &scene->clock,
                                                      .skew = &scene->skew};
    snprintf(scene->folder, sizeof(scene->folder), "/tmp/credentials-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    static const char *const names[] = {"token", "config", "credentials"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(freep) char *path = mem_printf("%s/%s", scene->folder, names[i]);
        remove(path);
    }
    remove(scene->folder);
    fake_api_stop(scene->api);
    aws_config_done(&scene->config);
    free(scene->value);
    free(scene);
    return 0;
}

static void put_file(struct scene *scene, const char *name, const char *text)
{
    CLEANUP(freep) char *path = mem_printf("%s/%s", scene->folder, name);
    CLEANUP(fclosep) FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
}

/* reason NULL: the provider must succeed; "": it must have no inputs. */
static void expect(struct scene *scene, credentials_source *source, const char *reason)
{
    CLEANUP(aws_identity_unrefp) struct aws_identity *identity = NULL;
    struct error err = {0};
    int result = source(&scene->options, &identity, &err);
    const char *got = result < 0 ? err.reason : identity ? NULL : "";
    if ((got == NULL) != (reason == NULL) || (got && strcmp(got, reason) != 0))
        fail_msg("'%s' instead of '%s': %s (%s)", got ? got : "keys", reason ? reason : "keys", err.text,
                 scene->environment);
}

static bool has_sent(struct scene *scene, size_t index, const char *text)
{
    const char *request = fake_api_get_request(scene->api, index);
    return request && strstr(request, text);
}

/* Nothing may be sent to an address that is refused. */
static void test_addresses_of_containers(void **state)
{
    static const struct {
        const char *url;
        bool is_ok;
    } cases[] = {
        {"http://127.0.0.1:1/x", true},
        {"http://127.9.9.9:1/x", true},
        {"http://localhost:1/x", true},
        {"http://[::1]:1/x", true},
        {"https://127.0.0.1:1/x", true},
        {"http://127.0.0.1.example.invalid/x", false},
        {"http://127.1/x", false},
        {"http://10.0.0.1/x", false},
        {"http://169.254.169.254/x", false},
        {"http://169.254.170.20/x", false},
        {"http://[fd00:ec2::24]/x", false},
        {"http://[::1].example.invalid/x", false},
        {"http://127.0.0.1@example.invalid/x", false},
        {"http://example.invalid/?127.0.0.1", false},
        {"http://example.invalid\\@127.0.0.1/x", false},
        {"http:///x", false},
        {"ftp://127.0.0.1/x", false},
        {"file:///etc/passwd", false},
        {"127.0.0.1/x", false},
        {"http://127.0.0.1/a b", false},
        {"http://127.0.0.1/a\rb", false},
    };
    struct scene *scene = *state;
    struct stop stop;
    stop_init(&stop);
    stop_request(&stop); /* so that a try ends at once where there is nobody */
    scene->options.stop = &stop;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(freep) char *line = mem_printf("AWS_CONTAINER_CREDENTIALS_FULL_URI=%s", cases[i].url);
        scene->environment = line;
        expect(scene, credentials_from_container, cases[i].is_ok ? "Stopped" : "BadEnvironment");
    }
    scene->environment = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=x@example.invalid/";
    expect(scene, credentials_from_container, "BadEnvironment");
    stop_done(&stop);
}

static void test_the_token_of_a_container(void **state)
{
    struct scene *scene = *state;
    int port = fake_api_get_port(scene->api);
    CLEANUP(freep)
    char *file = mem_printf("AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:%d/c\n"
                            "AWS_CONTAINER_AUTHORIZATION_TOKEN=other\n"
                            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=%s/token",
                            port, scene->folder);
    CLEANUP(freep)
    char *plain = mem_printf("AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:%d/c\n"
                             "AWS_CONTAINER_AUTHORIZATION_TOKEN=Basic abc",
                             port);
    CLEANUP(freep) char *broken = mem_printf("%s\rX: y", plain);
    scene->environment = file;
    expect(scene, credentials_from_container, "FileNotFound");
    put_file(scene, "token", "first\r\nX: y\n");
    expect(scene, credentials_from_container, "BadTokenFile");
    put_file(scene, "token", "first\n");
    expect(scene, credentials_from_container, NULL);
    put_file(scene, "token", "second");
    expect(scene, credentials_from_container, NULL);
    scene->environment = broken;
    expect(scene, credentials_from_container, "BadEnvironment");
    scene->environment = plain;
    expect(scene, credentials_from_container, NULL);
    assert_true(has_sent(scene, 0, "\r\nAuthorization: first\r\n"));
    assert_true(has_sent(scene, 1, "\r\nAuthorization: second\r\n"));
    assert_true(has_sent(scene, 2, "\r\nAuthorization: Basic abc\r\n"));
    assert_int_equal(scene->count, 3);
}

static void test_answers_of_containers(void **state)
{
    static char large[12 * 1024];
    static const struct {
        int status;
        const char *body;
        const char *reason;
    } cases[] = {
        {200, "{\"code\":\"AccessDenied\",\"message\":\"no\"}", "CredentialsRefused"},
        {200, "{" KEYS ",\"Token\":\"x\"}", "ContainerFailed"},
        {200, "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\"}", "ContainerFailed"},
        {200, "{\"AccessKeyId\":\"a\\n\",\"SecretAccessKey\":\"s\",\"Expiration\":\"2026-01-01T06:00:00Z\"}",
         "ContainerFailed"},
        {200, "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"Expiration\":\"2026-01-01T00:00:00Z\"}",
         "CredentialsExpired"},
        {200, large, "BodyTooLarge"},
        {403, "secret text", "ContainerRefused"},
        {302, "", "ContainerRefused"},
    };
    struct scene *scene = *state;
    CLEANUP(freep)
    char *line =
        mem_printf("AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:%d/c", fake_api_get_port(scene->api));
    memset(large, ' ', sizeof(large) - 1);
    scene->environment = line;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        scene->status = cases[i].status;
        scene->body = cases[i].body;
        expect(scene, credentials_from_container, cases[i].reason);
    }
    assert_int_equal(scene->count, ARRAY_LEN(cases));
    scene->status = 200;
    scene->body = "{" KEYS "}";
    scene->count = 0;
    scene->good_after = 2;
    expect(scene, credentials_from_container, NULL);
    assert_int_equal(scene->count, 3);
}

static void test_web_identity(void **state)
{
    struct scene *scene = *state;
    CLEANUP(freep) char *file = mem_printf("AWS_WEB_IDENTITY_TOKEN_FILE=%s/token", scene->folder);
    CLEANUP(freep) char *whole = mem_printf("%s\nAWS_ROLE_ARN=" ROLE "\nAWS_ROLE_SESSION_NAME=s-1", file);
    CLEANUP(freep) char *bad_name = mem_printf("%s x", whole);
    CLEANUP(freep) char *bad_role = mem_printf("%s\nAWS_ROLE_ARN=arn:aws:iam::1 x", file);
    scene->body = STS_OK;
    scene->environment = "AWS_ROLE_ARN=" ROLE;
    expect(scene, credentials_from_web, "");
    scene->environment = file;
    expect(scene, credentials_from_web, "BadEnvironment");
    scene->environment = whole;
    expect(scene, credentials_from_web, "FileNotFound");
    put_file(scene, "token", "");
    expect(scene, credentials_from_web, "BadTokenFile");
    put_file(scene, "token", "abc");
    expect(scene, credentials_from_web, "BadRole");
    put_file(scene, "token", "jwt-1\n");
    expect(scene, credentials_from_web, NULL);
    put_file(scene, "token", "jwt-2\n");
    expect(scene, credentials_from_web, NULL);
    scene->environment = bad_name;
    expect(scene, credentials_from_web, "BadRole");
    scene->environment = bad_role;
    expect(scene, credentials_from_web, "BadRole");
    assert_int_equal(scene->count, 2);
    assert_true(has_sent(scene, 0,
                         "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A"
                         "123456789012%3Arole%2Ftest&RoleSessionName=s-1&WebIdentityToken=jwt-1"));
    assert_true(has_sent(scene, 1, "&WebIdentityToken=jwt-2"));
    assert_false(has_sent(scene, 0, "Authorization"));
}

static void test_answers_of_sts(void **state)
{
    static const struct {
        int status;
        const char *body;
        const char *reason;
        int tries;
    } cases[] = {
        {400, "<ErrorResponse><Error><Code>IDPCommunicationError</Code></Error></ErrorResponse>",
         "IDPCommunicationError", 3},
        {400, "<ErrorResponse><Error><Code>InvalidIdentityToken</Code></Error></ErrorResponse>",
         "InvalidIdentityToken", 3},
        {403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>", "AccessDenied", 1},
        {400, "<ErrorResponse><Error><Code>ExpiredTokenException</Code></Error></ErrorResponse>",
         "ExpiredTokenException", 1},
        {200, "<R><AssumeRoleResult/></R>", "StsFailed", 1},
        {200, "<R><Credentials><AccessKeyId>AK1</AccessKeyId></Credentials></R>", "StsFailed", 1},
        {200, "<!DOCTYPE x>" STS_OK, "XmlForbidden", 1},
        {200, "<R><AssumeRoleResult>", "XmlTruncated", 1},
    };
    struct scene *scene = *state;
    CLEANUP(freep)
    char *whole = mem_printf("AWS_WEB_IDENTITY_TOKEN_FILE=%s/token\nAWS_ROLE_ARN=" ROLE, scene->folder);
    put_file(scene, "token", "jwt-1");
    scene->environment = whole;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        scene->status = cases[i].status;
        scene->body = cases[i].body;
        scene->count = 0;
        expect(scene, credentials_from_web, cases[i].reason);
        assert_int_equal(scene->count, cases[i].tries);
    }
}

/* Our clock is seven hours slow: the keys that we get would look as if they ended long from now; it is
 * corrected by the Date of the answer, and what is signed next has AWS's time. */
static void test_the_clock_is_corrected(void **state)
{
    struct scene *scene = *state;
    CLEANUP(secret_freep) struct secret *secret = secret_new("secret");
    const struct aws_keys base = {"AKBASE", secret, NULL};
    const struct sts_role role = {
        .arn = ROLE, .external_id = "ext:1", .base = &base, .provider = "profile", .duration_s = 900};
    CLEANUP(aws_identity_unrefp) struct aws_identity *identity = NULL;
    struct error err = {0};
    scene->headers = "Date: Thu, 01 Jan 2026 07:00:00 GMT\r\n";
    scene->status = 403;
    scene->body = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>";
    assert_int_equal(sts_assume(&scene->options, &role, &identity, &err), -1);
    assert_int_equal(scene->count, 2);
    assert_true(has_sent(scene, 0, "X-Amz-Date: 20260101T000000Z"));
    assert_true(has_sent(scene, 1, "X-Amz-Date: 20260101T070000Z"));
    assert_true(has_sent(scene, 1, "Credential=AKBASE/20260101/eu-west-1/sts/aws4_request"));
    assert_true(has_sent(scene, 1, "&ExternalId=ext%3A1&DurationSeconds=900"));
    scene->status = 200;
    scene->body = STS_OK;
    assert_int_equal(sts_assume(&scene->options, &role, &identity, &err), -1);
    assert_string_equal(err.reason, "CredentialsExpired");
    scene->headers = "Date: Thu, 01 Jan 2026 00:03:00 GMT\r\n";
    assert_int_equal(sts_assume(&scene->options, &role, &identity, &err), 0);
    assert_int_equal(aws_skew_get(&scene->skew), 3 * 60 * 1000);
}

static void test_profiles_that_are_refused(void **state)
{
    static const struct {
        const char *config;
        const char *reason; /* NULL: keys; "": no inputs */
    } cases[] = {
        {"", ""},
        {"[profile other]\naws_access_key_id=a\n", ""},
        {"[default]\nregion = eu-west-1\n", ""},
        {"[default]\naws_access_key_id = a # note\naws_secret_access_key = b\n", NULL},
        {"[profile default]\nAWS_ACCESS_KEY_ID=a\naws_secret_access_key=b", NULL},
        {"[default]\naws_access_key_id = a\n", "BadProfile"},
        {"[default]\nnonsense\n", "BadProfile"},
        {"[default\n", "BadProfile"},
        {"key = value\n", "BadProfile"},
        {"[default]\nrole_arn = " ROLE "\n", "BadProfile"},
        {"[default]\nrole_arn = " ROLE "\nsource_profile = b\ncredential_source = Environment\n",
         "BadProfile"},
        {"[default]\nrole_arn = " ROLE "\nsource_profile = b\n", "BadProfile"},
        {"[default]\nrole_arn = " ROLE "\nsource_profile = b\n[profile b]\nregion = x\n", "BadProfile"},
        {"[default]\nrole_arn = " ROLE "\nsource_profile = b\n[profile b]\nrole_arn = " ROLE
         "\nsource_profile = default\n",
         "BadProfile"},
        {"[default]\nrole_arn = " ROLE "\ncredential_source = Elsewhere\n", "BadProfile"},
        {"[default]\nrole_arn = " ROLE "\ncredential_source = Environment\n", "BadProfile"},
        {"[default]\nrole_arn = " ROLE "\nsource_profile = b\nmfa_serial = x\n[profile b]\n", "BadProfile"},
        {"[default]\nrole_arn = " ROLE "\nsource_profile = b\nduration_seconds = 9\n[profile b]\n",
         "BadProfile"},
        {"[default]\nsso_session = x\n", "BadProfile"},
        {"[default]\nrole_arn = " ROLE "\nsource_profile = default\naws_access_key_id = a\n"
         "aws_secret_access_key = b\n",
         NULL},
        {"[default]\ncredential_process = /nowhere/program\n", "BadProcess"},
        {"[default]\ncredential_process = sh -c 'exit 3'\n", "ProcessFailed"},
        {"[default]\ncredential_process = sh -c 'kill -9 $$'\n", "ProcessFailed"},
        {"[default]\ncredential_process = head -c 70000 /dev/zero\n", "ProcessFailed"},
        {"[default]\ncredential_process = echo '{\"Version\": 2," KEYS "}'\n", "BadProcess"},
        {"[default]\ncredential_process = echo '{\"Version\": 1," KEYS "}'\n", NULL},
        {"[default]\ncredential_process = echo 'x\n", "BadProcess"},
    };
    struct scene *scene = *state;
    CLEANUP(freep) char *line = mem_printf("AWS_CONFIG_FILE=%s/config", scene->folder);
    CLEANUP(freep) char *named = mem_printf("%s\nAWS_PROFILE=absent", line);
    scene->body = STS_OK;
    scene->environment = line;
    expect(scene, credentials_from_profile, "BadProfile"); /* the named file is not there */
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        put_file(scene, "config", cases[i].config);
        expect(scene, credentials_from_profile, cases[i].reason);
    }
    scene->environment = named;
    expect(scene, credentials_from_profile, "BadProfile");
}

/* A message of the parser names the line and never repeats it: a secret may stand there. */
static void test_messages_hold_no_secret(void **state)
{
    struct profile_files files = {.items = NULL};
    struct error err = {0};
    (void)state;
    assert_int_equal(profile_files_add(&files, "[default]\nTOPSECRET\n", "config", false, &err), -1);
    assert_null(strstr(err.text, "TOPSECRET"));
    assert_non_null(strstr(err.text, "line 2"));
    profile_files_done(&files);
}

static void test_splitting(void **state)
{
    static const struct {
        const char *line;
        const char *words; /* each followed by '|'; NULL: refused */
    } cases[] = {
        {"a b  c", "a|b|c|"},
        {" 'a b' \"c d\"e", "a b|c de|"},
        {"a '' b", "a||b|"},
        {"a \\\"b \"x\\\"y\" 'x\\y'", "a|\"b|x\"y|x\\y|"},
        {"a $HOME `id` ; b | c > d", "a|$HOME|`id`|;|b|||c|>|d|"},
        {"a 'b", NULL},
        {"", NULL},
        {"''", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *words[PROCESS_ARGUMENTS_MAX + 1] = {NULL};
        CLEANUP(buf_done) struct buf got;
        buf_init(&got, 1024);
        int result = process_split(cases[i].line, words, NULL);
        assert_int_equal(result, cases[i].words ? 0 : -1);
        for (size_t j = 0; words[j]; j++) {
            buf_printf(&got, "%s|", words[j]);
            free(words[j]);
        }
        assert_string_equal(buf_text(&got), cases[i].words ? cases[i].words : "");
    }
}

static void note(void *ctx, const char *provider)
{
    struct scene *scene = ctx;
    size_t len = strlen(scene->told);
    snprintf(scene->told + len, sizeof(scene->told) - len, "%s,", provider);
}

static void test_the_order_and_who_won(void **state)
{
    struct scene *scene = *state;
    CLEANUP(freep)
    char *container =
        mem_printf("AWS_CONFIG_FILE=%s/config\nAWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:%d/c",
                   scene->folder, fake_api_get_port(scene->api));
    CLEANUP(freep) char *env = mem_printf("%s\nAWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b", container);
    put_file(scene, "config", "[default]\naws_access_key_id=a\naws_secret_access_key=b\n");
    scene->options.on_provider = note;
    scene->options.callback_ctx = scene;
    struct aws_credentials *credentials = aws_credentials_new(&scene->options);
    const char *const environments[] = {container, container, env};
    for (size_t i = 0; i < ARRAY_LEN(environments); i++) {
        struct aws_identity *identity = NULL;
        struct error err = {0};
        scene->environment = environments[i];
        assert_int_equal(aws_credentials_get(credentials, &identity, &err), 0);
        aws_credentials_refuse(credentials, identity);
        aws_identity_unref(identity);
    }
    aws_credentials_free(credentials);
    assert_string_equal(scene->told, "container,env,");
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(test_addresses_of_containers),
        SCENE(test_the_token_of_a_container),
        SCENE(test_answers_of_containers),
        SCENE(test_web_identity),
        SCENE(test_answers_of_sts),
        SCENE(test_the_clock_is_corrected),
        SCENE(test_profiles_that_are_refused),
        cmocka_unit_test(test_messages_hold_no_secret),
        cmocka_unit_test(test_splitting),
        SCENE(test_the_order_and_who_won),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
