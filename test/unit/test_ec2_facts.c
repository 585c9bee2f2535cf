/* What is asked of EC2 about a launch, a refusal or a host, over a real socket against answers that each test
 * writes. */
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
#include "ec2_scene.h"
#include "nitro/sts_denial.h"

#define DENIAL                                                                                               \
    "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized. Encoded "   \
    "authorization failure message: aB-_9==</Message></Error></Errors></Response>"

/* EC2 says yes by an error, and no answer of a dry run is asked for twice. */
static void test_dry_run(void **state)
{
    struct ec2_scene *scene = *state;
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
    struct ec2_scene *scene = *state;
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
    struct ec2_scene *scene = *state;
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
    struct ec2_scene *scene = *state;
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

int main(void)
{
    const struct CMUnitTest tests[] = {SCENE_TEST(test_dry_run), SCENE_TEST(test_decode_denial),
                                       cmocka_unit_test(test_read_denial), SCENE_TEST(test_image_and_subnets),
                                       SCENE_TEST(test_console)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
