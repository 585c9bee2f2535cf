/* Calls over a real socket against answers that each test writes: what is sent, what is tried again, and what
 * is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "ec2_scene.h"

static int note_id(void *ctx, struct ec2_instance *instance, struct error *err)
{
    (void)err;
    return buf_printf(ctx, "%s;", instance->id);
}

static int describe(struct ec2_scene *scene, struct buf *ret_heard, struct error *err)
{
    static const char *const values[] = {"c"};
    static const struct ec2_filter filter = {"tag:tee-cluster-id", values, 1};
    static const struct ec2_query query = {.filters = &filter, .filter_count = 1};
    buf_init(ret_heard, 4096);
    const struct ec2_handler handler = {.ctx = ret_heard, .on_instance = note_id};
    return ec2_describe(scene->ec2, &query, &handler, TIMEOUT_MS, err);
}

static void test_describe_pages(void **state)
{
    struct ec2_scene *scene = *state;
    CLEANUP(buf_done) struct buf heard;
    SCRIPT(scene, {200, PAGE(INSTANCE("i-1"), "p2"), FAKE_WHOLE, NULL},
           {200, PAGE("", "p3"), FAKE_BYTES, NULL},
           {200, PAGE(INSTANCE("i-2") INSTANCE("i-3"), ""), FAKE_WHOLE, NULL});
    assert_int_equal(describe(scene, &heard, NULL), 0);
    assert_string_equal(buf_text(&heard), "i-1;i-2;i-3;");
    assert_null(strstr(fake_api_get_request(scene->api, 0), "NextToken"));
    assert_non_null(strstr(fake_api_get_request(scene->api, 1), "&NextToken=p2"));
    assert_non_null(strstr(fake_api_get_request(scene->api, 2), "&NextToken=p3"));
}

/* Many pages on a slow link, each of them in time: whoever has nothing else to do hears them all. */
static void test_slow_pages(void **state)
{
    struct ec2_scene *scene = *state;
    struct error err = {0};
    CLEANUP(buf_done) struct buf heard;
    enum { PAGE_MS = 600, PATIENCE_MS = 1700 };
    buf_init(&heard, 64);
    static const char *const values[] = {"c"};
    static const struct ec2_filter filter = {"tag:tee-cluster-id", values, 1};
    struct ec2_query query = {.filters = &filter, .filter_count = 1, .is_patient = true};
    const struct ec2_handler handler = {.on_instance = note_id, .ctx = &heard};
    for (size_t i = 0; i < REPLIES_MAX; i++)
        scene->lines[i] = (struct ec2_line){200, PAGE(INSTANCE("i-1"), "more"), FAKE_WHOLE, NULL};
    scene->lines[3].body = PAGE("", "");
    scene->delay_ms = PAGE_MS;
    assert_int_equal(ec2_describe(scene->ec2, &query, &handler, PATIENCE_MS, &err), 0);
    assert_string_equal(buf_text(&heard), "i-1;i-1;i-1;");
    query.is_patient = false;
    assert_int_equal(ec2_describe(scene->ec2, &query, &handler, PATIENCE_MS, &err), -1);
    assert_string_equal(err.reason, "Timeout");
}

static void test_request_is_signed(void **state)
{
    struct ec2_scene *scene = *state;
    SCRIPT(scene, {200, STOPPED, FAKE_WHOLE, NULL});
    assert_int_equal(ec2_stop(scene->ec2, "i-1", TIMEOUT_MS, NULL), 0);
    const char *request = fake_api_get_request(scene->api, 0);
    assert_int_equal(strncmp(request, "POST / HTTP/1.1\r\n", 17), 0);
    assert_non_null(strstr(request, "\r\nX-Amz-Security-Token: session\r\n"));
    assert_non_null(
        strstr(request, "\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"));
    assert_non_null(strstr(request, "\r\nUser-Agent: tee-controller/" TEE_VERSION "\r\n"));
    assert_non_null(strstr(request, "/eu-west-1/ec2/aws4_request, SignedHeaders=content-type;host;x-amz-date;"
                                    "x-amz-security-token, Signature="));
    assert_non_null(strstr(request, "\r\n\r\nAction=StopInstances&Version=2016-11-15&InstanceId.1=i-1"));
    const char *host = strstr(request, "\r\nHost: ");
    assert_non_null(host);
    assert_null(strstr(host + 2, "\r\nHost: "));
}

/* What a single stop does with these answers: the requests made, and the error's reason. */
static const struct {
    struct ec2_line lines[4];
    int requests;
    const char *reason; /* NULL: success */
    enum error_kind kind;
} retry_cases[] = {
    {{{500, FAULT("InternalError"), FAKE_WHOLE, NULL}, {200, STOPPED, FAKE_WHOLE, NULL}},
     2,
     NULL,
     ERROR_NONE},
    {{{503, FAULT("RequestLimitExceeded"), FAKE_WHOLE, NULL}, {200, STOPPED, FAKE_WHOLE, NULL}},
     1,
     "RequestLimitExceeded",
     ERROR_THROTTLED},
    {{{503, "<html>", FAKE_WHOLE, NULL}, {502, "", FAKE_WHOLE, NULL}, {503, "busy", FAKE_WHOLE, NULL}},
     3,
     "UnexpectedAnswer",
     ERROR_UNAVAILABLE},
    {{{200, STOPPED, FAKE_CUT, NULL}, {200, STOPPED, FAKE_WHOLE, NULL}}, 2, NULL, ERROR_NONE},
    {{{200, "<StopInst", FAKE_CUT, NULL}, {200, STOPPED, FAKE_WHOLE, NULL}}, 2, NULL, ERROR_NONE},
    {{{200, "<StopInst", FAKE_WHOLE, NULL}, {200, STOPPED, FAKE_WHOLE, NULL}}, 2, NULL, ERROR_NONE},
    {{{500, FAULT("InsufficientInstanceCapacity"), FAKE_WHOLE, NULL}},
     1,
     "InsufficientInstanceCapacity",
     ERROR_CAPACITY},
    {{{400, FAULT("InvalidInstanceID.NotFound"), FAKE_WHOLE, NULL}},
     1,
     "InvalidInstanceID.NotFound",
     ERROR_ABSENT},
    {{{403, FAULT("UnauthorizedOperation"), FAKE_WHOLE, NULL}}, 1, "UnauthorizedOperation", ERROR_DENIED},
    {{{400, FAULT("RequestExpired"), FAKE_WHOLE, NULL}, {200, STOPPED, FAKE_WHOLE, NULL}},
     2,
     NULL,
     ERROR_NONE},
    {{{401, FAULT("AuthFailure"), FAKE_WHOLE, NULL}, {401, FAULT("AuthFailure"), FAKE_WHOLE, NULL}},
     2,
     "AuthFailure",
     ERROR_DENIED},
};

static void test_retries(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(retry_cases); i++) {
        struct ec2_scene *scene = NULL;
        struct error err = {0};
        ec2_scene_open((void **)&scene);
        ec2_scene_script(scene, retry_cases[i].lines, ARRAY_LEN(retry_cases[i].lines));
        int result = ec2_stop(scene->ec2, "i-1", TIMEOUT_MS, &err);
        assert_int_equal(result, retry_cases[i].reason ? -1 : 0);
        assert_int_equal(scene->asked, retry_cases[i].requests);
        if (retry_cases[i].reason) {
            assert_string_equal(err.reason, retry_cases[i].reason);
            assert_int_equal(err.kind, retry_cases[i].kind);
        }
        ec2_scene_close((void **)&scene);
    }
}

/* A worker is told when to come back, a thread of its own waits; neither sends what would be refused. */
static void test_rates(void **state)
{
    struct ec2_scene *scene = *state;
    struct error err = {0};
    struct ec2_rate rate;
    CLEANUP(buf_done) struct buf heard;
    buf_init(&heard, 64);
    static const char *const values[] = {"c"};
    static const struct ec2_filter filter = {"tag:tee-cluster-id", values, 1};
    static const struct ec2_query worker = {.filters = &filter, .filter_count = 1};
    static const struct ec2_query patient = {.filters = &filter, .filter_count = 1, .is_patient = true};
    const struct ec2_handler handler = {.on_instance = note_id, .ctx = &heard};
    SCRIPT(scene, {503, FAULT("RequestLimitExceeded"), FAKE_WHOLE, "x-amz-retry-after: 70\r\n"},
           {200, PAGE(INSTANCE("i-1"), ""), FAKE_WHOLE, NULL}, {200, PAGE("", ""), FAKE_WHOLE, NULL},
           {503, FAULT("RequestLimitExceeded"), FAKE_WHOLE, "Retry-After: 7\r\n"});
    assert_int_equal(ec2_describe(scene->ec2, &patient, &handler, TIMEOUT_MS, &err), 0);
    assert_int_equal(scene->asked, 2);
    assert_int_equal(ec2_describe(scene->ec2, &patient, &handler, TIMEOUT_MS, &err), 0);
    assert_int_equal(ec2_describe(scene->ec2, &worker, &handler, TIMEOUT_MS, &err), -1);
    assert_string_equal(err.reason, "RequestLimitExceeded");
    assert_int_equal(err.retry_after_ms, 7000);
    assert_int_equal(ec2_describe(scene->ec2, &worker, &handler, TIMEOUT_MS, &err), -1);
    assert_string_equal(err.reason, EC2_REASON_RATE);
    assert_int_equal(err.kind, ERROR_THROTTLED);
    assert_true(err.retry_after_ms > 0);
    assert_int_equal(scene->asked, 4);
    ec2_get_rate(scene->ec2, EC2_LANE_DESCRIBE, &rate);
    assert_int_equal(rate.throttled_count, 2);
    assert_int_equal(rate.sent_count, 4);
    assert_true(rate.held_count >= 1);
    assert_true(rate.per_second <= 10);
}

/* A page that breaks behind its first instance is not asked for again: the caller heard that one already. */
static void test_no_retry_after_records(void **state)
{
    struct ec2_scene *scene = *state;
    struct error err = {0};
    CLEANUP(buf_done) struct buf heard;
    SCRIPT(scene, {200, PAGE(INSTANCE("i-1"), "p2"), FAKE_WHOLE, NULL},
           {200, "<DescribeInstancesResponse><reservationSet><item><instancesSet>" INSTANCE("i-2"), FAKE_CUT,
            NULL});
    assert_int_equal(describe(scene, &heard, &err), -1);
    assert_int_equal(err.kind, ERROR_UNAVAILABLE);
    assert_int_equal(scene->asked, 2);
}

static void test_refused_keys_are_read_again_once_in_a_while(void **state)
{
    struct ec2_scene *scene = *state;
    struct ec2_line expired = {400, FAULT("ExpiredToken"), FAKE_WHOLE, NULL};
    SCRIPT(scene, expired, expired, expired);
    assert_int_equal(ec2_stop(scene->ec2, "i-1", TIMEOUT_MS, NULL), -1);
    assert_int_equal(scene->asked, 2);
    int keys_read = scene->keys_read;
    assert_true(keys_read >= 2);
    assert_int_equal(ec2_stop(scene->ec2, "i-1", TIMEOUT_MS, NULL), -1);
    assert_int_equal(scene->asked, 3);
    assert_int_equal(scene->keys_read, keys_read);
}

static void test_clock_is_corrected(void **state)
{
    struct ec2_scene *scene = *state;
    SCRIPT(scene,
           {403, FAULT("SignatureDoesNotMatch"), FAKE_WHOLE, "Date: Tue, 03 Jan 2040 10:00:00 GMT\r\n"},
           {200, STOPPED, FAKE_WHOLE, NULL});
    assert_int_equal(ec2_stop(scene->ec2, "i-1", TIMEOUT_MS, NULL), 0);
    assert_null(strstr(fake_api_get_request(scene->api, 0), "X-Amz-Date: 20400103T"));
    assert_non_null(strstr(fake_api_get_request(scene->api, 1), "X-Amz-Date: 20400103T"));
}

static void test_timeout(void **state)
{
    struct ec2_scene *scene = *state;
    struct error err = {0};
    SCRIPT(scene, {200, "<StopInstancesResponse>", FAKE_HANG, NULL});
    assert_int_equal(ec2_stop(scene->ec2, "i-1", 300, &err), -1);
    assert_int_equal(err.kind, ERROR_UNAVAILABLE);
    assert_string_equal(err.reason, "Timeout");
    assert_int_equal(scene->asked, 1);
    stop_request(&scene->stop);
    assert_int_equal(ec2_stop(scene->ec2, "i-1", TIMEOUT_MS, &err), -1);
    assert_int_equal(err.kind, ERROR_STOPPED);
}

static void *stop_twice(void *ctx)
{
    struct ec2_scene *scene = ctx;
    for (int i = 0; i < 2; i++) {
        if (ec2_stop(scene->ec2, "i-1", TIMEOUT_MS, NULL) < 0)
            return ctx;
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    struct ec2_scene *scene = *state;
    pthread_t threads[REPLIES_MAX / 2];
    for (size_t i = 0; i < REPLIES_MAX; i++)
        scene->lines[i] = (struct ec2_line){200, STOPPED, FAKE_WHOLE, NULL};
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        threads[i] = thread_start("stop", stop_twice, scene);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *failed = scene;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(scene->asked, REPLIES_MAX);
}

static void test_run_and_types(void **state)
{
    struct ec2_scene *scene = *state;
    struct ec2_instance instance;
    struct ec2_type type;
    struct error err = {0};
    const struct ec2_launch launch = {.image_id = "ami-1", .type = "m5.xlarge", .client_token = "t"};
    SCRIPT(scene,
           {200,
            "<RunInstancesResponse><instancesSet>" INSTANCE("i-1") "</instancesSet></RunInstancesResponse>",
            FAKE_WHOLE, NULL},
           {200, "<RunInstancesResponse/>", FAKE_WHOLE, NULL},
           {200,
            "<DescribeInstanceTypesResponse><instanceTypeSet><item><instanceType>m5.xlarge</instanceType>"
            "<nitroEnclavesSupport>supported</nitroEnclavesSupport></item></instanceTypeSet>"
            "</DescribeInstanceTypesResponse>",
            FAKE_WHOLE, NULL},
           {200, "<DescribeInstanceTypesResponse/>", FAKE_WHOLE, NULL},
           {200, "<CreateTagsResponse><return>true</return></CreateTagsResponse>", FAKE_WHOLE, NULL});
    assert_int_equal(ec2_run_instance(scene->ec2, &launch, TIMEOUT_MS, &instance, NULL), 0);
    assert_string_equal(instance.id, "i-1");
    ec2_instance_done(&instance);
    assert_int_equal(ec2_run_instance(scene->ec2, &launch, TIMEOUT_MS, &instance, &err), -1);
    assert_int_equal(err.kind, ERROR_UNAVAILABLE);
    assert_int_equal(ec2_fetch_type(scene->ec2, "m5.xlarge", TIMEOUT_MS, &type, NULL), 0);
    assert_true(type.has_enclave_support);
    assert_int_equal(ec2_fetch_type(scene->ec2, "m9.none", TIMEOUT_MS, &type, &err), -1);
    assert_int_equal(err.kind, ERROR_INVALID);
    const struct ec2_tag tags[] = {{"tee-retained", "true"}, {NULL, NULL}};
    assert_int_equal(ec2_create_tags(scene->ec2, "i-1", tags, TIMEOUT_MS, NULL), 0);
    assert_non_null(strstr(fake_api_get_request(scene->api, 4), "ResourceId.1=i-1&Tag.1.Key=tee-retained"));
}

/* A launch whose first try had no answer may have been made, whatever the second is told; the caller looks it
 * up. Without a try before it, and for lack of room, a refusal is one. */
static void test_launch_with_an_open_try(void **state)
{
    struct ec2_scene *scene = *state;
    struct ec2_instance instance;
    struct error err = {0};
    const struct ec2_launch launch = {.image_id = "ami-1", .type = "m5.xlarge", .client_token = "t"};
    SCRIPT(scene, {503, "busy", FAKE_WHOLE, NULL}, {403, FAULT("UnauthorizedOperation"), FAKE_WHOLE, NULL},
           {403, FAULT("UnauthorizedOperation"), FAKE_WHOLE, NULL}, {503, "busy", FAKE_WHOLE, NULL},
           {500, FAULT("InsufficientInstanceCapacity"), FAKE_WHOLE, NULL});
    assert_int_equal(ec2_run_instance(scene->ec2, &launch, TIMEOUT_MS, &instance, &err), -1);
    assert_int_equal(err.kind, ERROR_UNAVAILABLE);
    assert_string_equal(err.reason, "UnauthorizedOperation");
    assert_int_equal(ec2_run_instance(scene->ec2, &launch, TIMEOUT_MS, &instance, &err), -1);
    assert_int_equal(err.kind, ERROR_DENIED);
    assert_int_equal(ec2_run_instance(scene->ec2, &launch, TIMEOUT_MS, &instance, &err), -1);
    assert_int_equal(err.kind, ERROR_CAPACITY);
}

/* Whatever is wrong with our own keys is no fault of the launch, of the type that is looked for or of the
 * instance that is to end; and without keys nothing is sent. */
static void test_no_keys(void **state)
{
    static const struct {
        const char *variables[3][2];
        const char *reason;
    } cases[] = {
        {{{"AWS_ACCESS_KEY_ID", "AK"}}, "BadEnvironment"},
        {{{"AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent/token"}, {"AWS_ROLE_ARN", "arn"}}, "FileNotFound"},
        {{{"AWS_WEB_IDENTITY_TOKEN_FILE", "/dev/null"}, {"AWS_ROLE_ARN", "arn"}}, "BadTokenFile"},
        {{{"AWS_PROFILE", "none"}, {"AWS_CONFIG_FILE", "/nonexistent"}}, "BadProfile"}};
    const struct ec2_launch launch = {.image_id = "ami-1", .type = "m5.xlarge", .client_token = "t"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ec2_scene *scene = NULL;
        struct ec2_instance instance;
        struct ec2_type type;
        struct error errors[3] = {{0}};
        ec2_scene_open((void **)&scene);
        scene->variables = cases[i].variables;
        assert_int_equal(ec2_run_instance(scene->ec2, &launch, TIMEOUT_MS, &instance, &errors[0]), -1);
        assert_int_equal(ec2_fetch_type(scene->ec2, "m5.xlarge", TIMEOUT_MS, &type, &errors[1]), -1);
        assert_int_equal(ec2_terminate(scene->ec2, "i-1", TIMEOUT_MS, &errors[2]), -1);
        for (size_t k = 0; k < ARRAY_LEN(errors); k++) {
            assert_int_equal(errors[k].kind, ERROR_DENIED);
            assert_string_equal(errors[k].reason, cases[i].reason);
        }
        assert_int_equal(scene->asked, 0);
        ec2_scene_close((void **)&scene);
    }
}

static void test_bad_endpoint(void **state)
{
    (void)state;
    struct error err = {0};
    struct ec2 *ec2 = NULL;
    const struct ec2_options options = {.endpoint = "ec2.amazonaws.com", .region = "r"};
    assert_int_equal(ec2_new(&options, &ec2, &err), -1);
    assert_int_equal(err.kind, ERROR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {SCENE_TEST(test_describe_pages),
                                       SCENE_TEST(test_slow_pages),
                                       cmocka_unit_test(test_no_keys),
                                       SCENE_TEST(test_request_is_signed),
                                       cmocka_unit_test(test_retries),
                                       SCENE_TEST(test_rates),
                                       SCENE_TEST(test_no_retry_after_records),
                                       SCENE_TEST(test_refused_keys_are_read_again_once_in_a_while),
                                       SCENE_TEST(test_clock_is_corrected),
                                       SCENE_TEST(test_timeout),
                                       SCENE_TEST(test_many_threads),
                                       SCENE_TEST(test_run_and_types),
                                       SCENE_TEST(test_launch_with_an_open_try),
                                       cmocka_unit_test(test_bad_endpoint)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
