/* The simulator's STS and container credentials, and our own client of STS against them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/encoding.h"
#include "base/mem.h"
#include "nitro/sts.h"
#include "sim/front.h"
#include "sim_scene.h"

#define ROLE "arn:aws:iam::000000000000:role/test"

/* A token whose claims are the JSON; '+' and '/' of base64 do not come up in it. */
static char *make_token(const char *audience, int64_t left_s)
{
    CLEANUP(freep)
    char *claims = mem_printf("{\"sub\":\"a\",\"aud\":[\"%s\"],\"exp\":%lld}", audience,
                              (long long)(clock_wall_ms(clock_real()) / 1000 + left_s));
    CLEANUP(freep) char *part = base64_encode(claims, strlen(claims));
    part[strcspn(part, "=")] = '\0';
    return mem_printf("e30.%s.c2ln", part);
}

/* NULL: it was assumed; otherwise the reason of the refusal. ret_identity may be NULL. */
static void assume(struct sim_scene *scene, const struct sts_role *role, const char *reason,
                   struct aws_identity **ret_identity)
{
    struct aws_config config = {.region = mem_strdup("us-east-1"), .imds_disabled = true};
    const struct aws_credentials_options options = {.config = &config, .clock = clock_real()};
    struct aws_identity *identity = NULL;
    struct error err = {0};
    config.sts_endpoint = mem_printf("http://127.0.0.1:%d", front_get_port(scene->front));
    int result = sts_assume(&options, role, &identity, &err);
    if ((result == 0) != (reason == NULL) || (reason && strcmp(err.reason, reason) != 0))
        fail_msg("'%s' instead of '%s' (%s)", err.reason, reason ? reason : "keys", err.text);
    aws_config_done(&config);
    if (ret_identity)
        *ret_identity = identity;
    else
        aws_identity_unref(identity);
}

static void test_signed_roles(void **state)
{
    static const struct {
        struct sim_signing_keys keys;
        const char *role;
        const char *external;
        const char *reason;
    } cases[] = {
        {{"test", "test", NULL}, ROLE, NULL, NULL},
        {{"test", "wrong", NULL}, ROLE, NULL, "SignatureDoesNotMatch"},
        {{"test", "test", "token"}, ROLE, NULL, "InvalidClientTokenId"},
        {{"nobody", "test", NULL}, ROLE, NULL, "InvalidClientTokenId"},
        {{"test", "test", NULL}, ROLE "-denied", NULL, "AccessDenied"},
        {{"test", "test", NULL}, ROLE "-external", NULL, "AccessDenied"},
        {{"test", "test", NULL}, ROLE "-external", "other", "AccessDenied"},
        {{"test", "test", NULL}, ROLE "-external", "tee-external", NULL},
        {{"test", "test", NULL}, "arn:aws:iam::111111111111:role/test", NULL, "AccessDenied"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(secret_freep) struct secret *secret = secret_new(cases[i].keys.secret_access_key);
        CLEANUP(secret_freep) struct secret *token = secret_new(cases[i].keys.session_token);
        const struct aws_keys keys = {cases[i].keys.access_key_id, secret, token};
        const struct sts_role role = {
            .arn = cases[i].role, .external_id = cases[i].external, .base = &keys, .provider = "profile"};
        assume(*state, &role, cases[i].reason, NULL);
    }
}

/* What STS gave is good for another role, and without its token it is not. */
static void test_roles_in_a_chain(void **state)
{
    CLEANUP(aws_identity_unrefp) struct aws_identity *first = NULL;
    CLEANUP(secret_freep) struct secret *token = secret_take(make_token("sts.amazonaws.com", 60));
    const struct sts_role web = {.arn = ROLE, .token = token, .provider = "web-identity"};
    assume(*state, &web, NULL, &first);
    struct aws_keys keys = first->keys;
    const struct sts_role next = {.arn = ROLE, .base = &keys, .provider = "profile"};
    assume(*state, &next, NULL, NULL);
    keys.session_token = NULL;
    assume(*state, &next, "InvalidClientTokenId", NULL);
}

static void test_tokens(void **state)
{
    CLEANUP(freep) char *expired = make_token("sts.amazonaws.com", -1);
    CLEANUP(freep) char *other = make_token("pods.eks.amazonaws.com", 60);
    const struct {
        const char *token;
        const char *reason;
    } cases[] = {{expired, "ExpiredTokenException"},
                 {other, "InvalidIdentityToken"},
                 {"abcd", "InvalidIdentityToken"},
                 {"a.b.c", "InvalidIdentityToken"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(secret_freep) struct secret *token = secret_new(cases[i].token);
        const struct sts_role role = {.arn = ROLE, .token = token, .provider = "web-identity"};
        assume(*state, &role, cases[i].reason, NULL);
    }
}

static void expect(struct sim_scene *scene, long status, const char *text)
{
    if (scene->status != status || !strstr(scene->body, text))
        fail_msg("%ld %s instead of %ld %s", scene->status, scene->body, status, text);
}

static void test_the_scope_and_the_form(void **state)
{
    struct sim_scene *scene = *state;
    static const struct sim_signing nobody = {.is_unsigned = true};
    static const char caller[] = "Action=GetCallerIdentity&Version=2011-06-15";
    assert_int_equal(sim_scene_ec2(scene, caller, 0, NULL), 0); /* signed for ec2 */
    expect(scene, 403, "<Code>SignatureDoesNotMatch</Code>");
    assert_int_equal(sim_scene_ec2(scene, caller, 0, &nobody), 0);
    expect(scene, 403, "<Code>MissingAuthenticationToken</Code>");
    assert_int_equal(
        sim_scene_ec2(scene, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&Foo=1", 0, &nobody), 0);
    expect(scene, 400, "<Code>ValidationError</Code>");
    assert_int_equal(sim_scene_ec2(scene,
                                   "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" ROLE
                                   "&RoleSessionName=x&WebIdentityToken=a",
                                   0, &nobody),
                     0);
    expect(scene, 400, "<Code>InvalidIdentityToken</Code>");
}

static void test_containers(void **state)
{
    struct sim_scene *scene = *state;
    CLEANUP(freep) char *token = make_token("pods.eks.amazonaws.com", 60);
    CLEANUP(freep) char *expired = make_token("pods.eks.amazonaws.com", -1);
    CLEANUP(freep) char *other = make_token("sts.amazonaws.com", 60);
    const struct {
        const char *token;
        long status;
        const char *text;
    } cases[] = {{token, 200, "\"AccessKeyId\""},
                 {expired, 400, "ExpiredTokenException"},
                 {other, 400, "InvalidTokenException"},
                 {NULL, 400, "InvalidRequestException"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(freep)
        char *header = cases[i].token ? mem_printf("Authorization: %s", cases[i].token) : NULL;
        const char *const headers[] = {header, NULL};
        assert_int_equal(sim_scene_http(scene, "GET", "/v1/credentials", NULL, headers), 0);
        expect(scene, cases[i].status, cases[i].text);
    }
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, sim_scene_setup, sim_scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(test_signed_roles),           SCENE(test_roles_in_a_chain), SCENE(test_tokens),
        SCENE(test_the_scope_and_the_form), SCENE(test_containers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
