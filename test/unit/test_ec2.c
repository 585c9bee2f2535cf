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
#include "base/encoding.h"
#include "base/mem.h"
#include "fake_api.h"
#include "nitro/sts_denial.h"

enum { REPLIES_MAX = 8, TIMEOUT_MS = 10000 };

#define INSTANCE(id)                                                                                         \
    "<item><instanceId>" id "</instanceId><instanceState><code>16</code></instanceState></item>"
#define PAGE(items, token)                                                                                   \
    "<DescribeInstancesResponse><reservationSet><item><instancesSet>" items                                  \
    "</instancesSet></item></reservationSet><nextToken>" token "</nextToken></DescribeInstancesResponse>"
#define FAULT(code)                                                                                          \
    "<Response><Errors><Error><Code>" code "</Code><Message>m</Message></Error></Errors></Response>"
#define STOPPED                                                                                              \
    "<StopInstancesResponse><instancesSet><item><instanceId>i-1</instanceId><currentState><code>64</code>"   \
    "</currentState></item></instancesSet></StopInstancesResponse>"

struct line {
    int status;
    const char *body;
    enum fake_how how;
    const char *headers;
};

struct scene {
    struct line lines[REPLIES_MAX];
    atomic_int asked;
    int delay_ms; /* before each answer */
    atomic_int keys_read;
    const char *const (*variables)[2]; /* instead of the keys; ended by a NULL name */
    struct fake_api *api;
    struct environment environment;
    struct aws_config config;
    struct aws_credentials *credentials;
    struct stop stop;
    struct ec2 *ec2;
};

static const char *get_variable(void *ctx, const char *name)
{
    struct scene *scene = ctx;
    if (scene->variables) {
        const char *const(*at)[2] = scene->variables;
        while ((*at)[0] && strcmp((*at)[0], name) != 0)
            at++;
        return (*at)[1];
    }
    if (strcmp(name, "AWS_ACCESS_KEY_ID") == 0) {
        scene->keys_read++;
        return "AKTEST";
    }
    if (strcmp(name, "AWS_SESSION_TOKEN") == 0)
        return "session";
    return strcmp(name, "AWS_SECRET_ACCESS_KEY") == 0 ? "secret" : NULL;
}

static struct fake_reply play(void *ctx, const char *request)
{
    struct scene *scene = ctx;
    int number = scene->asked++;
    (void)request;
    assert_true(number < REPLIES_MAX);
    if (scene->delay_ms > 0)
        stop_wait(&scene->stop, scene->delay_ms);
    const struct line *line = &scene->lines[number];
    return (struct fake_reply){line->status, mem_strdup(line->body ? line->body : ""), line->headers,
                               line->how};
}

static int open_scene(void **state)
{
    struct scene *scene = mem_calloc(1, sizeof(*scene));
    scene->environment = (struct environment){get_variable, scene};
    assert_int_equal(aws_config_init(&scene->environment, &scene->config, NULL), 0);
    stop_init(&scene->stop);
    scene->api = fake_api_start(play, scene);
    const struct aws_credentials_options keys = {
        .environment = &scene->environment, .config = &scene->config, .clock = clock_real()};
    scene->credentials = aws_credentials_new(&keys);
    CLEANUP(freep) char *endpoint = mem_printf("http://127.0.0.1:%d", fake_api_get_port(scene->api));
    const struct ec2_options options = {.endpoint = endpoint,
                                        .region = "eu-west-1",
                                        .credentials = scene->credentials,
                                        .clock = clock_real(),
                                        .stop = &scene->stop};
    assert_int_equal(ec2_new(&options, &scene->ec2, NULL), 0);
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    ec2_free(scene->ec2);
    aws_credentials_free(scene->credentials);
    fake_api_stop(scene->api);
    aws_config_done(&scene->config);
    stop_done(&scene->stop);
    free(scene);
    return 0;
}

static void script(struct scene *scene, const struct line *lines, size_t count)
{
    memcpy(scene->lines, lines, count * sizeof(*lines));
}
#define SCRIPT(scene, ...)                                                                                   \
    script((scene), (const struct line[]){__VA_ARGS__}, ARRAY_LEN(((const struct line[]){__VA_ARGS__})))

static int note_id(void *ctx, struct ec2_instance *instance, struct error *err)
{
    (void)err;
    return buf_printf(ctx, "%s;", instance->id);
}

static int describe(struct scene *scene, struct buf *ret_heard, struct error *err)
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
    struct scene *scene = *state;
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
    struct scene *scene = *state;
    struct error err = {0};
    CLEANUP(buf_done) struct buf heard;
    enum { PAGE_MS = 600, PATIENCE_MS = 1700 };
    buf_init(&heard, 64);
    static const char *const values[] = {"c"};
    static const struct ec2_filter filter = {"tag:tee-cluster-id", values, 1};
    struct ec2_query query = {.filters = &filter, .filter_count = 1, .is_patient = true};
    const struct ec2_handler handler = {.on_instance = note_id, .ctx = &heard};
    for (size_t i = 0; i < REPLIES_MAX; i++)
        scene->lines[i] = (struct line){200, PAGE(INSTANCE("i-1"), "more"), FAKE_WHOLE, NULL};
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
    struct scene *scene = *state;
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
    struct line lines[4];
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
        struct scene *scene = NULL;
        struct error err = {0};
        open_scene((void **)&scene);
        script(scene, retry_cases[i].lines, ARRAY_LEN(retry_cases[i].lines));
        int result = ec2_stop(scene->ec2, "i-1", TIMEOUT_MS, &err);
        assert_int_equal(result, retry_cases[i].reason ? -1 : 0);
        assert_int_equal(scene->asked, retry_cases[i].requests);
        if (retry_cases[i].reason) {
            assert_string_equal(err.reason, retry_cases[i].reason);
            assert_int_equal(err.kind, retry_cases[i].kind);
        }
        close_scene((void **)&scene);
    }
}

/* A worker is told when to come back, a thread of its own waits; neither sends what would be refused. */
static void test_rates(void **state)
{
    struct scene *scene = *state;
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
    struct scene *scene = *state;
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
    struct scene *scene = *state;
    struct line expired = {400, FAULT("ExpiredToken"), FAKE_WHOLE, NULL};
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
    struct scene *scene = *state;
    SCRIPT(scene,
           {403, FAULT("SignatureDoesNotMatch"), FAKE_WHOLE, "Date: Tue, 03 Jan 2040 10:00:00 GMT\r\n"},
           {200, STOPPED, FAKE_WHOLE, NULL});
    assert_int_equal(ec2_stop(scene->ec2, "i-1", TIMEOUT_MS, NULL), 0);
    assert_null(strstr(fake_api_get_request(scene->api, 0), "X-Amz-Date: 20400103T"));
    assert_non_null(strstr(fake_api_get_request(scene->api, 1), "X-Amz-Date: 20400103T"));
}

static void test_timeout(void **state)
{
    struct scene *scene = *state;
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
    struct scene *scene = ctx;
    for (int i = 0; i < 2; i++) {
        if (ec2_stop(scene->ec2, "i-1", TIMEOUT_MS, NULL) < 0)
            return ctx;
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    struct scene *scene = *state;
    pthread_t threads[REPLIES_MAX / 2];
    for (size_t i = 0; i < REPLIES_MAX; i++)
        scene->lines[i] = (struct line){200, STOPPED, FAKE_WHOLE, NULL};
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
    struct scene *scene = *state;
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
        struct scene *scene = NULL;
        struct ec2_instance instance;
        struct ec2_type type;
        struct error errors[3] = {{0}};
        open_scene((void **)&scene);
        scene->variables = cases[i].variables;
        assert_int_equal(ec2_run_instance(scene->ec2, &launch, TIMEOUT_MS, &instance, &errors[0]), -1);
        assert_int_equal(ec2_fetch_type(scene->ec2, "m5.xlarge", TIMEOUT_MS, &type, &errors[1]), -1);
        assert_int_equal(ec2_terminate(scene->ec2, "i-1", TIMEOUT_MS, &errors[2]), -1);
        for (size_t k = 0; k < ARRAY_LEN(errors); k++) {
            assert_int_equal(errors[k].kind, ERROR_DENIED);
            assert_string_equal(errors[k].reason, cases[i].reason);
        }
        assert_int_equal(scene->asked, 0);
        close_scene((void **)&scene);
    }
}

#define DENIAL                                                                                               \
    "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized. Encoded "   \
    "authorization failure message: aB-_9==</Message></Error></Errors></Response>"

/* EC2 says yes by an error, and no answer of a dry run is asked for twice. */
static void test_dry_run(void **state)
{
    struct scene *scene = *state;
    struct error err = {0};
    struct ec2_fault fault;
    const struct ec2_launch launch = {.image_id = "ami-1", .type = "m5.xlarge", .client_token = "t"};
    SCRIPT(scene, {412, FAULT("DryRunOperation"), FAKE_WHOLE, NULL}, {403, DENIAL, FAKE_WHOLE, NULL},
           {200,
            "<RunInstancesResponse><instancesSet>" INSTANCE("i-9") "</instancesSet></RunInstancesResponse>",
            FAKE_WHOLE, NULL},
           {503, FAULT("ServiceUnavailable"), FAKE_WHOLE, NULL});
    assert_int_equal(ec2_dry_run(scene->ec2, &launch, TIMEOUT_MS, &fault, &err), 0);
    assert_non_null(strstr(fake_api_get_request(scene->api, 0), "&DryRun=true"));
    assert_int_equal(ec2_dry_run(scene->ec2, &launch, TIMEOUT_MS, &fault, &err), -1);
    assert_int_equal(err.kind, ERROR_DENIED);
    assert_string_equal(fault.message, "You are not authorized.");
    assert_string_equal(fault.encoded, "aB-_9==");
    assert_int_equal(ec2_dry_run(scene->ec2, &launch, TIMEOUT_MS, &fault, &err), -1);
    assert_string_equal(err.reason, "DryRunIgnored");
    assert_non_null(strstr(err.text, "i-9"));
    assert_int_equal(ec2_dry_run(scene->ec2, &launch, TIMEOUT_MS, &fault, &err), -1);
    assert_int_equal(err.kind, ERROR_UNAVAILABLE);
    assert_int_equal(scene->asked, 4);
}

#define DECODED(document)                                                                                    \
    "<DecodeAuthorizationMessageResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"               \
    "<DecodeAuthorizationMessageResult><DecodedMessage>" document "</DecodedMessage>"                        \
    "</DecodeAuthorizationMessageResult></DecodeAuthorizationMessageResponse>"

static void test_decode_denial(void **state)
{
    struct scene *scene = *state;
    struct error err = {0};
    struct sts_denial denial = {.action = ""};
    struct ec2 *sts = NULL;
    CLEANUP(freep) char *endpoint = mem_printf("http://127.0.0.1:%d", fake_api_get_port(scene->api));
    const struct ec2_options options = {.endpoint = endpoint,
                                        .region = "eu-west-1",
                                        .credentials = scene->credentials,
                                        .clock = clock_real(),
                                        .stop = &scene->stop,
                                        .service = "sts"};
    assert_int_equal(ec2_new(&options, &sts, NULL), 0);
    SCRIPT(
        scene,
        {200,
         DECODED("{&quot;allowed&quot;:false,&quot;explicitDeny&quot;:true,&quot;context&quot;:{&quot;action"
                 "&quot;:&quot;ec2:RunInstances&quot;,&quot;resource&quot;:&quot;arn:r&quot;,&quot;principal"
                 "&quot;:{&quot;id&quot;:&quot;A&quot;,&quot;arn&quot;:&quot;arn:p&quot;}}}"),
         FAKE_WHOLE, NULL},
        {200, DECODED("{}"), FAKE_WHOLE, NULL},
        {200, "<DecodeAuthorizationMessageResponse/>", FAKE_WHOLE, NULL},
        {403,
         "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not allowed to "
         "sts:DecodeAuthorizationMessage</Message></Error></ErrorResponse>",
         FAKE_WHOLE, NULL});
    assert_int_equal(sts_decode_denial(sts, "a+/=", TIMEOUT_MS, &denial, &err), 0);
    assert_string_equal(denial.action, "ec2:RunInstances");
    assert_string_equal(denial.resource, "arn:r");
    assert_string_equal(denial.principal, "arn:p");
    assert_true(denial.is_explicit);
    const char *sent = fake_api_get_request(scene->api, 0);
    assert_non_null(strstr(sent, "Version=2011-06-15&EncodedMessage=a%2B%2F%3D"));
    assert_non_null(strstr(sent, "/eu-west-1/sts/aws4_request"));
    assert_int_equal(sts_decode_denial(sts, "a", TIMEOUT_MS, &denial, &err), -1);
    assert_string_equal(err.reason, "UnexpectedAnswer");
    assert_int_equal(sts_decode_denial(sts, "a", TIMEOUT_MS, &denial, &err), -1);
    assert_string_equal(err.reason, "UnexpectedAnswer");
    assert_int_equal(sts_decode_denial(sts, "a", TIMEOUT_MS, &denial, &err), -1);
    assert_int_equal(err.kind, ERROR_DENIED);
    ec2_free(sts);
}

static void test_read_denial(void **state)
{
    static const char *const broken[] = {"",
                                         "{",
                                         "null",
                                         "[1]",
                                         "{\"context\":7}",
                                         "{\"context\":{\"action\":7}}",
                                         "{\"context\":{\"resource\":\"r\"}}"};
    struct sts_denial denial;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(broken); i++)
        assert_int_equal(sts_read_denial(broken[i], &denial, NULL), -1);
    assert_int_equal(sts_read_denial("{\"context\":{\"action\":\"ec2:X\"}}", &denial, NULL), 0);
    assert_string_equal(denial.resource, "");
    assert_false(denial.is_explicit);
}

static void test_image_and_subnets(void **state)
{
    struct scene *scene = *state;
    struct error err = {0};
    struct ec2_image image;
    struct ec2_subnet subnets[2];
    static const char *const ids[] = {"subnet-1", "subnet-2"};
    const struct ec2_query query = {.ids = ids, .id_count = 2};
    SCRIPT(scene,
           {200,
            "<DescribeImagesResponse><imagesSet><item><imageId>ami-1</imageId><imageState>available</"
            "imageState></item></imagesSet></DescribeImagesResponse>",
            FAKE_WHOLE, NULL},
           {200, "<DescribeImagesResponse><imagesSet/></DescribeImagesResponse>", FAKE_WHOLE, NULL},
           {200,
            "<DescribeSubnetsResponse><subnetSet><item><subnetId>subnet-2</subnetId></item><item><subnetId>"
            "subnet-1</subnetId><availableIpAddressCount>7</availableIpAddressCount></item></subnetSet></"
            "DescribeSubnetsResponse>",
            FAKE_WHOLE, NULL},
           {200,
            "<DescribeSubnetsResponse><subnetSet><item><subnetId>subnet-1</subnetId></item></subnetSet></"
            "DescribeSubnetsResponse>",
            FAKE_WHOLE, NULL});
    assert_int_equal(ec2_fetch_image(scene->ec2, "ami-1", TIMEOUT_MS, &image, NULL), 0);
    assert_string_equal(image.state, "available");
    assert_int_equal(ec2_fetch_image(scene->ec2, "ami-1", TIMEOUT_MS, &image, &err), -1);
    assert_int_equal(err.kind, ERROR_INVALID);
    assert_int_equal(ec2_fetch_subnets(scene->ec2, &query, TIMEOUT_MS, subnets, NULL), 0);
    assert_int_equal(subnets[0].free_addresses, 7);
    assert_string_equal(subnets[1].id, "subnet-2");
    assert_int_equal(ec2_fetch_subnets(scene->ec2, &query, TIMEOUT_MS, subnets, &err), -1);
    assert_non_null(strstr(err.text, "subnet-2"));
}

#define CONSOLE(output) "<GetConsoleOutputResponse>" output "</GetConsoleOutputResponse>"

/* An answer as large as the service gives, in lines; one larger than that; none; and one that is no base64.
 */
static void test_console(void **state)
{
    struct scene *scene = *state;
    struct error err = {0};
    CLEANUP(freep) char *raw = mem_alloc(EC2_CONSOLE_MAX + 3);
    for (size_t i = 0; i < EC2_CONSOLE_MAX + 3; i++)
        raw[i] = (char)(i % 251);
    CLEANUP(freep) char *whole = base64_encode(raw, EC2_CONSOLE_MAX);
    CLEANUP(freep) char *longer = base64_encode(raw, EC2_CONSOLE_MAX + 3);
    CLEANUP(freep) char *full = mem_printf(CONSOLE("<output>%.76s\r\n%s\n</output>"), whole, whole + 76);
    CLEANUP(freep) char *over = mem_printf(CONSOLE("<output>%s</output>"), longer);
    SCRIPT(scene, {200, full, FAKE_WHOLE, NULL}, {200, over, FAKE_WHOLE, NULL},
           {200, CONSOLE("<instanceId>i-1</instanceId>"), FAKE_WHOLE, NULL},
           {200, CONSOLE("<output>?</output>"), FAKE_WHOLE, NULL},
           {400, FAULT("InvalidInstanceID.NotFound"), FAKE_WHOLE, NULL});
    for (size_t i = 0; i < 5; i++) {
        CLEANUP(buf_done) struct buf text;
        int result = ec2_fetch_console(scene->ec2, "i-1", TIMEOUT_MS, &text, &err);
        assert_int_equal(result, i < 3 ? 0 : -1);
        assert_int_equal(text.len, i < 2 ? EC2_CONSOLE_MAX : 0);
        if (i < 2)
            assert_memory_equal(text.data, raw + 3 * i, text.len);
    }
    assert_int_equal(err.kind, ERROR_ABSENT);
    assert_int_equal(scene->asked, 5);
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

#define SCENE_TEST(function) cmocka_unit_test_setup_teardown(function, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {SCENE_TEST(test_describe_pages),
                                       SCENE_TEST(test_slow_pages),
                                       cmocka_unit_test(test_no_keys),
                                       SCENE_TEST(test_dry_run),
                                       SCENE_TEST(test_decode_denial),
                                       cmocka_unit_test(test_read_denial),
                                       SCENE_TEST(test_image_and_subnets),
                                       SCENE_TEST(test_console),
                                       SCENE_TEST(test_request_is_signed),
                                       cmocka_unit_test(test_retries),
                                       SCENE_TEST(test_rates),
                                       SCENE_TEST(test_no_retry_after_records),
                                       SCENE_TEST(test_refused_keys_are_read_again_once_in_a_while),
                                       SCENE_TEST(test_clock_is_corrected),
                                       SCENE_TEST(test_timeout),
                                       SCENE_TEST(test_many_threads),
                                       SCENE_TEST(test_run_and_types),
                                       cmocka_unit_test(test_bad_endpoint)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
