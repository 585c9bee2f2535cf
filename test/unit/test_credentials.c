/* Keys from the environment and from a metadata service that a test writes, on a clock of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fake_api.h"
#include "nitro/credentials.h"
#include "nitro/imds.h"

#define ENV_KEYS "AWS_ACCESS_KEY_ID=AKENV\nAWS_SECRET_ACCESS_KEY=senv"
#define KEYS     "\"AccessKeyId\":\"AK%d\",\"SecretAccessKey\":\"s\",\"Token\":\"t\""
#define WHOLE    "{\"Code\":\"Success\"," KEYS ",\"Expiration\":\"2026-01-01T06:00:00Z\"}"

static const char roles_path[] = "/latest/meta-data/iam/security-credentials/";
enum { CROWD = 8, HOUR_MS = 3600 * 1000, MINUTE_MS = 60 * 1000 };

struct scene {
    char environment[512];
    char value[512];
    atomic_llong wall_ms; /* and monotonic */
    atomic_llong jump_ms; /* of the wall clock alone */
    atomic_int token_status;
    atomic_int key_count;            /* answers with keys so far */
    const char *_Atomic keys_format; /* with %d for the count */
    const char *_Atomic role;
    struct stop *gate; /* answers with keys wait for it, if it is set */
    struct fake_api *api;
    struct clock clock;
    struct environment source;
    struct aws_config config;
    struct aws_credentials *credentials;
};

static const char *scene_get(void *ctx, const char *name)
{
    struct scene *scene = ctx;
    size_t len = strlen(name);
    const char *line = scene->environment;
    while (line && !(strncmp(line, name, len) == 0 && line[len] == '=')) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (!line)
        return NULL;
    snprintf(scene->value, sizeof(scene->value), "%.*s", (int)strcspn(line + len + 1, "\n"), line + len + 1);
    return scene->value;
}

static int64_t scene_mono_ms(void *ctx)
{
    return ((struct scene *)ctx)->wall_ms;
}

static int64_t scene_wall_ms(void *ctx)
{
    return scene_mono_ms(ctx) + ((struct scene *)ctx)->jump_ms;
}

static bool is_for(const char *request, const char *method, const char *path)
{
    CLEANUP(freep) char *start = mem_printf("%s %s HTTP/", method, path);
    return strncmp(request, start, strlen(start)) == 0;
}

/* The first %d of the text becomes the number. */
static struct fake_reply say(const char *text, int number)
{
    const char *mark = strstr(text, "%d");
    char *body = mark ? mem_printf("%.*s%d%s", (int)(mark - text), text, number, mark + 2) : mem_strdup(text);
    return (struct fake_reply){200, body, NULL, FAKE_WHOLE};
}

static struct fake_reply play(void *ctx, const char *request)
{
    struct scene *scene = ctx;
    CLEANUP(freep) char *keys_path = mem_printf("%srole-1", roles_path);
    if (is_for(request, "PUT", "/latest/api/token")) {
        if (!strcasestr(request, "x-aws-ec2-metadata-token-ttl-seconds: 21600"))
            return (struct fake_reply){400, NULL, NULL, FAKE_WHOLE};
        if (scene->token_status != 200)
            return (struct fake_reply){scene->token_status, NULL, NULL, FAKE_WHOLE};
        return say("TOKEN%d", 1);
    }
    if (!strcasestr(request, "x-aws-ec2-metadata-token: TOKEN1\r\n"))
        return (struct fake_reply){401, NULL, NULL, FAKE_WHOLE};
    if (is_for(request, "GET", "/latest/meta-data/placement/region"))
        return say(scene->role, 0);
    if (is_for(request, "GET", roles_path) && scene->role)
        return say(scene->role, 0);
    if (scene->gate)
        stop_wait(scene->gate, 20000);
    if (is_for(request, "GET", keys_path))
        return say(scene->keys_format, ++scene->key_count);
    return (struct fake_reply){404, NULL, NULL, FAKE_WHOLE};
}

static int open_scene(void **state)
{
    struct scene *scene = mem_calloc(1, sizeof(*scene));
    int64_t start_ms = 0;
    assert_int_equal(time_parse("2026-01-01T00:00:00Z", &start_ms), 0);
    scene->wall_ms = start_ms;
    scene->token_status = 200;
    scene->role = "role-1\n";
    scene->keys_format = WHOLE;
    scene->clock = (struct clock){scene_wall_ms, scene_mono_ms, scene};
    scene->source = (struct environment){scene_get, scene};
    scene->api = fake_api_start(play, scene);
    scene->config.imds_endpoint = mem_printf("http://127.0.0.1:%d", fake_api_get_port(scene->api));
    const struct aws_credentials_options options = {
        .environment = &scene->source, .config = &scene->config, .clock = &scene->clock};
    scene->credentials = aws_credentials_new(&options);
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    aws_credentials_free(scene->credentials);
    fake_api_stop(scene->api);
    aws_config_done(&scene->config);
    free(scene);
    return 0;
}

/* The access key that get yields now. */
static void expect_key(struct scene *scene, const char *wanted)
{
    CLEANUP(aws_identity_unrefp) struct aws_identity *identity = NULL;
    struct error err = {0};
    if (aws_credentials_get(scene->credentials, &identity, &err) < 0)
        fail_msg("%s instead of %s", err.text, wanted);
    assert_string_equal(identity->keys.access_key_id, wanted);
}

static void expect_error(struct scene *scene, enum error_kind kind, const char *reason)
{
    struct aws_identity *identity = NULL;
    struct error err = {0};
    assert_int_equal(aws_credentials_get(scene->credentials, &identity, &err), -1);
    if (err.kind != kind || strcmp(err.reason, reason) != 0)
        fail_msg("%s (%s) instead of %s", err.reason, err.text, reason);
}

static void test_environment(void **state)
{
    static const struct {
        const char *environment;
        const char *key; /* NULL: refused */
        const char *reason;
        enum error_kind kind;
    } cases[] = {
        {ENV_KEYS, "AKENV", NULL, ERROR_NONE},
        {ENV_KEYS "\nAWS_SESSION_TOKEN=tok", "AKENV", NULL, ERROR_NONE},
        {ENV_KEYS "\nAWS_CREDENTIAL_EXPIRATION=2026-01-01T00:00:01Z", "AKENV", NULL, ERROR_NONE},
        {ENV_KEYS "\nAWS_CREDENTIAL_EXPIRATION=2025-12-31T23:59:59Z", NULL, "CredentialsExpired",
         ERROR_DENIED},
        {ENV_KEYS "\nAWS_CREDENTIAL_EXPIRATION=soon", NULL, "BadEnvironment", ERROR_INVALID},
        {ENV_KEYS "\nAWS_SESSION_TOKEN=a\rb", NULL, "BadEnvironment", ERROR_INVALID},
        {"AWS_ACCESS_KEY_ID=a b\nAWS_SECRET_ACCESS_KEY=s", NULL, "BadEnvironment", ERROR_INVALID},
        {"AWS_ACCESS_KEY_ID=a", NULL, "BadEnvironment", ERROR_INVALID},
        {"AWS_SECRET_ACCESS_KEY=s\nAWS_ACCESS_KEY_ID=", NULL, "BadEnvironment", ERROR_INVALID},
        {"AWS_ACCESS_KEY_ID=\nAWS_SECRET_ACCESS_KEY=", NULL, "NoCredentials", ERROR_DENIED},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        void *opened = NULL;
        open_scene(&opened);
        struct scene *scene = opened;
        scene->config.imds_disabled = true;
        snprintf(scene->environment, sizeof(scene->environment), "%s", cases[i].environment);
        if (cases[i].key)
            expect_key(scene, cases[i].key);
        else
            expect_error(scene, cases[i].kind, cases[i].reason);
        assert_int_equal(scene->key_count, 0);
        close_scene(&opened);
    }
}

static void test_the_instance_gives_what_the_environment_lacks(void **state)
{
    struct scene *scene = *state;
    CLEANUP(aws_identity_unrefp) struct aws_identity *identity = NULL;
    struct error err = {0};
    assert_int_equal(aws_credentials_get(scene->credentials, &identity, &err), 0);
    assert_string_equal(identity->provider, "imds");
    assert_string_equal(identity->keys.access_key_id, "AK1");
    assert_string_equal(secret_reveal(identity->keys.secret_access_key), "s");
    assert_string_equal(secret_reveal(identity->keys.session_token), "t");
    assert_int_equal(identity->expires_ms, scene->wall_ms + 6 * HOUR_MS);
}

static void test_fresh_ones_are_kept_and_old_ones_renewed(void **state)
{
    struct scene *scene = *state;
    expect_key(scene, "AK1");
    expect_key(scene, "AK1");
    scene->wall_ms += 6 * HOUR_MS - 17 * MINUTE_MS;
    expect_key(scene, "AK1");
    scene->keys_format = "{" KEYS ",\"Expiration\":\"2026-01-01T12:00:00Z\"}";
    scene->wall_ms += 3 * MINUTE_MS;
    expect_key(scene, "AK2");
    expect_key(scene, "AK2");
    assert_int_equal(scene->key_count, 2);
}

static void test_old_ones_serve_while_the_service_is_away(void **state)
{
    struct scene *scene = *state;
    expect_key(scene, "AK1");
    scene->token_status = 503;
    scene->wall_ms += 6 * HOUR_MS - 10 * MINUTE_MS;
    expect_key(scene, "AK1");
    scene->wall_ms += 10 * MINUTE_MS - 1;
    expect_key(scene, "AK1");
    scene->wall_ms += 1;
    expect_error(scene, ERROR_UNAVAILABLE, "MetadataFailed");
    scene->token_status = 200;
    scene->keys_format = "{" KEYS ",\"Expiration\":\"2026-01-01T12:00:00Z\"}";
    expect_error(scene, ERROR_UNAVAILABLE, "MetadataFailed"); /* of the last fetch; the next is not yet due */
    scene->wall_ms += 75 * 1000;
    expect_key(scene, "AK2");
}

/* Without keys every call would ask for them: the failure is kept for 5 s, then for longer, and a jump of the
 * wall clock does not make that hours. */
static void test_failures_are_kept(void **state)
{
    struct scene *scene = *state;
    static const int waits_s[] = {5, 10, 20, 40, 60, 60};
    int failures = 0;
    scene->keys_format = "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}";
    for (size_t i = 0; i < ARRAY_LEN(waits_s); i++) {
        expect_error(scene, ERROR_DENIED, "CredentialsRefused");
        assert_int_equal(scene->key_count, ++failures);
        scene->wall_ms += waits_s[i] * 1000 - 1;
        expect_error(scene, ERROR_DENIED, "CredentialsRefused");
        assert_int_equal(scene->key_count, failures);
        scene->wall_ms += waits_s[i] * 1000 / 4 + 1;
    }
    scene->jump_ms = -HOUR_MS;
    scene->keys_format = WHOLE;
    expect_key(scene, "AK7");
    scene->keys_format = "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}";
    scene->wall_ms += 8 * HOUR_MS;
    expect_error(scene, ERROR_DENIED, "CredentialsRefused");
    scene->wall_ms += 5 * 1000 * 5 / 4; /* a success begins anew */
    expect_error(scene, ERROR_DENIED, "CredentialsRefused");
    assert_int_equal(scene->key_count, 9);
}

/* Refused once, and no better ones to be had: they may be good all the same, and are not thrown away. */
static void test_refused_ones_serve_while_there_are_no_others(void **state)
{
    struct scene *scene = *state;
    CLEANUP(aws_identity_unrefp) struct aws_identity *first = NULL;
    struct error err = {0};
    assert_int_equal(aws_credentials_get(scene->credentials, &first, &err), 0);
    scene->token_status = 503;
    for (int i = 0; i < 2; i++) { /* the second time no fetch is made: one failed just now */
        aws_credentials_refuse(scene->credentials, first);
        expect_key(scene, "AK1");
    }
    scene->wall_ms += 13 * 1000;
    expect_key(scene, "AK1");
    scene->wall_ms += 13 * 1000;
    scene->token_status = 200;
    expect_key(scene, "AK2"); /* others were looked for all the time */
}

/* What only compares keys never waits for a fetch, and never makes one. */
static void test_peek(void **state)
{
    struct scene *scene = *state;
    assert_null(aws_credentials_peek(scene->credentials));
    assert_int_equal(scene->key_count, 0);
    expect_key(scene, "AK1");
    scene->wall_ms += 7 * HOUR_MS;
    struct aws_identity *old = aws_credentials_peek(scene->credentials);
    assert_string_equal(old->keys.access_key_id, "AK1");
    aws_identity_unref(old);
    assert_int_equal(scene->key_count, 1);
}

/* A life shorter than the early start does not mean a fetch with each call. */
static void test_short_lives(void **state)
{
    struct scene *scene = *state;
    scene->keys_format = "{" KEYS ",\"Expiration\":\"2026-01-01T00:10:00Z\"}";
    expect_key(scene, "AK1");
    scene->wall_ms += 5 * MINUTE_MS - 1;
    expect_key(scene, "AK1");
    scene->wall_ms += 1;
    expect_key(scene, "AK2");
}

static void test_refused_ones_are_fetched_again(void **state)
{
    struct scene *scene = *state;
    CLEANUP(aws_identity_unrefp) struct aws_identity *first = NULL;
    struct error err = {0};
    assert_int_equal(aws_credentials_get(scene->credentials, &first, &err), 0);
    aws_credentials_refuse(scene->credentials, first);
    expect_key(scene, "AK2");
    aws_credentials_refuse(scene->credentials, first); /* no longer the one in use */
    expect_key(scene, "AK2");
    assert_string_equal(first->keys.access_key_id, "AK1");
}

/* As AWS's own clients do: the metadata service hands out old keys while what is behind it is away. */
static void test_expired_ones_of_the_instance_serve(void **state)
{
    struct scene *scene = *state;
    scene->keys_format = "{" KEYS ",\"Expiration\":\"2025-12-31T22:00:00Z\"}";
    expect_key(scene, "AK1");
    scene->wall_ms += 10 * MINUTE_MS - 1;
    expect_key(scene, "AK1");
    scene->wall_ms += 5 * MINUTE_MS;
    expect_key(scene, "AK2");
    scene->keys_format = WHOLE;
    scene->wall_ms += 15 * MINUTE_MS;
    expect_key(scene, "AK3");
    scene->wall_ms += HOUR_MS;
    expect_key(scene, "AK3");
}

static void test_bad_answers(void **state)
{
    static const struct {
        const char *format;
        enum error_kind kind;
        const char *reason;
    } cases[] = {
        {"{\"Code\":\"AssumeRoleUnauthorizedAccess\"}", ERROR_DENIED, "CredentialsRefused"},
        {"{\"Code\":\"Success\"," KEYS "}", ERROR_UNAVAILABLE, "MetadataFailed"},
        {"{" KEYS ",\"Expiration\":5}", ERROR_UNAVAILABLE, "MetadataFailed"},
        {"{" KEYS ",\"AccessKeyId\":\"x\",\"Expiration\":\"2026-01-01T06:00:00Z\"}", ERROR_UNAVAILABLE,
         "MetadataFailed"},
        {"{\"AccessKeyId\":\"a\\r\\nX: "
         "y\",\"SecretAccessKey\":\"s\",\"Expiration\":\"2026-01-01T06:00:00Z\"}",
         ERROR_UNAVAILABLE, "MetadataFailed"},
        {"{\"SecretAccessKey\":\"s\",\"Expiration\":\"2026-01-01T06:00:00Z\"}", ERROR_UNAVAILABLE,
         "MetadataFailed"},
        {"[]", ERROR_UNAVAILABLE, "MetadataFailed"},
        {"<html>", ERROR_UNAVAILABLE, "MetadataFailed"},
        {"", ERROR_UNAVAILABLE, "MetadataFailed"},
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        scene->keys_format = cases[i].format;
        scene->wall_ms += 75 * 1000; /* the failure of the last one is kept for so long */
        expect_error(scene, cases[i].kind, cases[i].reason);
    }
}

static void test_bad_services(void **state)
{
    struct scene *scene = *state;
    static const char *const roles[] = {"../../x", "..", "a b", "a?b", "\n"};
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        scene->role = roles[i];
        scene->wall_ms += 75 * 1000;
        expect_error(scene, ERROR_UNAVAILABLE, "MetadataFailed");
    }
    scene->role = NULL;
    scene->wall_ms += 75 * 1000;
    expect_error(scene, ERROR_DENIED, "NoInstanceRole");
    scene->token_status = 403;
    scene->wall_ms += 75 * 1000;
    expect_error(scene, ERROR_DENIED, "MetadataRefused");
    assert_int_equal(scene->key_count, 0);
}

static void test_the_region(void **state)
{
    struct scene *scene = *state;
    CLEANUP(freep) char *region = NULL;
    struct error err = {0};
    scene->role = "eu-central-1";
    assert_int_equal(imds_fetch_region(scene->config.imds_endpoint, NULL, &region, &err), 0);
    assert_string_equal(region, "eu-central-1");
    scene->role = "eu.example.com/";
    assert_int_equal(imds_fetch_region(scene->config.imds_endpoint, NULL, &region, &err), -1);
    assert_string_equal(err.reason, "MetadataFailed");
}

static void *join_crowd(void *ctx)
{
    expect_key(ctx, "AK1");
    return NULL;
}

static void test_a_crowd_fetches_once(void **state)
{
    struct scene *scene = *state;
    pthread_t threads[CROWD];
    for (size_t i = 0; i < CROWD; i++)
        threads[i] = thread_start("crowd", join_crowd, scene);
    for (size_t i = 0; i < CROWD; i++)
        thread_join(threads[i]);
    assert_int_equal(scene->key_count, 1);
}

static void *renew(void *ctx)
{
    expect_key(ctx, "AK2");
    return NULL;
}

/* The fetch cannot end before the main thread was served. */
static void test_others_go_on_while_one_fetches(void **state)
{
    struct scene *scene = *state;
    struct stop gate;
    stop_init(&gate);
    expect_key(scene, "AK1");
    scene->keys_format = "{" KEYS ",\"Expiration\":\"2026-01-01T12:00:00Z\"}";
    scene->wall_ms += 6 * HOUR_MS - 10 * MINUTE_MS;
    scene->gate = &gate;
    pthread_t thread = thread_start("renew", renew, scene);
    assert_true(fake_api_wait(scene->api, 5));
    expect_key(scene, "AK1");
    stop_request(&gate);
    thread_join(thread);
    expect_key(scene, "AK2");
    scene->gate = NULL;
    stop_done(&gate);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment),
        SCENE(test_the_instance_gives_what_the_environment_lacks),
        SCENE(test_fresh_ones_are_kept_and_old_ones_renewed),
        SCENE(test_old_ones_serve_while_the_service_is_away),
        SCENE(test_failures_are_kept),
        SCENE(test_refused_ones_serve_while_there_are_no_others),
        SCENE(test_peek),
        SCENE(test_short_lives),
        SCENE(test_refused_ones_are_fetched_again),
        SCENE(test_expired_ones_of_the_instance_serve),
        SCENE(test_bad_answers),
        SCENE(test_bad_services),
        SCENE(test_the_region),
        SCENE(test_a_crowd_fetches_once),
        SCENE(test_others_go_on_while_one_fetches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
