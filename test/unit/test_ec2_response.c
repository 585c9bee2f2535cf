/* Answers as EC2 sends them, whole and in single bytes, cut, and from something that is not EC2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fnv.h"
#include "nitro/ec2_response.h"

#define INSTANCE                                                                                             \
    "<item><networkInterfaceSet><item><privateIpAddress>10.9.9.9</"                                          \
    "privateIpAddress><groupSet><item><groupId>"                                                             \
    "sg-9</groupId></item></groupSet></item></networkInterfaceSet><tagSet><item><value>v1</value><key>tee-a" \
    "</key></item><item><key>other</key><value>x</value></item><item><key>Name</key><value/></item></"       \
    "tagSet>"                                                                                                \
    "<groupSet><item><groupId>sg-1</groupId><groupName>n</groupName></item><item><groupId>sg-2</groupId></"  \
    "item>"                                                                                                  \
    "</groupSet><instanceId>i-1</instanceId><imageId>ami-1</imageId><instanceState><code>272</"              \
    "code><name>running"                                                                                     \
    "</name></instanceState><stateReason><code>Server.InternalError</code><message>m</message></"            \
    "stateReason>"                                                                                           \
    "<instanceType>m5.xlarge</instanceType><launchTime>2026-01-02T03:04:05.000Z</launchTime><placement>"     \
    "<availabilityZone>eu-west-1a</availabilityZone></placement><privateIpAddress>10.0.0.1</"                \
    "privateIpAddress>"                                                                                      \
    "<ipAddress>1.2.3.4</ipAddress><subnetId>subnet-1</subnetId><clientToken>tok</"                          \
    "clientToken><enclaveOptions>"                                                                           \
    "<enabled>true</enabled></enclaveOptions><iamInstanceProfile><arn>arn:p</arn><id>I</id></"               \
    "iamInstanceProfile>"                                                                                    \
    "<instanceLifecycle>spot</instanceLifecycle><reason/></item>"
#define BARE "<item><instanceId>i-2</instanceId><instanceState><code>0</code></instanceState></item>"
#define NS   " xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\""

static int note_instance(void *ctx, struct ec2_instance *instance, struct error *err)
{
    (void)err;
    assert_int_equal(instance->other_tag_count, instance->tag_count > 0 ? 1 : 0);
    if (instance->other_tag_count > 0)
        assert_int_equal(instance->other_tags[0], fnv32_pair("other", "x"));
    buf_printf(
        ctx, "%s %d %s %s %s %s %s %s %lld %s %d %s %s %s %zu %s %zu %s;", instance->id, instance->state,
        instance->type ? instance->type : "-", instance->image_id ? instance->image_id : "-",
        instance->zone ? instance->zone : "-", instance->subnet_id ? instance->subnet_id : "-",
        instance->private_ip ? instance->private_ip : "-", instance->public_ip ? instance->public_ip : "-",
        (long long)instance->launch_time_ms, instance->client_token ? instance->client_token : "-",
        (int)instance->enclave, instance->profile_arn ? instance->profile_arn : "-",
        instance->lifecycle ? instance->lifecycle : "-",
        instance->state_reason_code ? instance->state_reason_code : "-", instance->security_group_count,
        instance->security_group_count ? instance->security_group_ids[0] : "-", instance->tag_count,
        ec2_instance_tag(instance, "tee-a") ? ec2_instance_tag(instance, "tee-a") : "-");
    free(STEAL(instance->id));
    return 0;
}

static int note_change(void *ctx, const struct ec2_change *change, struct error *err)
{
    if (strcmp(change->id, "i-refuse") == 0)
        return error_set(err, ERROR_STOPPED, "Refused", "refused");
    return buf_printf(ctx, "%s %d>%d;", change->id, change->previous, change->current);
}

static int note_image(void *ctx, const struct ec2_image *image, struct error *err)
{
    (void)err;
    return buf_printf(ctx, "%s %s %d %s %s;", image->id, image->state, image->is_arm64, image->root_device,
                      image->root_device_type);
}

static int note_output(void *ctx, const char *base64, struct error *err)
{
    (void)err;
    return buf_printf(ctx, "output %s;", base64);
}

static int note_subnet(void *ctx, const struct ec2_subnet *subnet, struct error *err)
{
    (void)err;
    return buf_printf(ctx, "%s %s %lld;", subnet->id, subnet->zone, (long long)subnet->free_addresses);
}

static int note_status(void *ctx, const struct ec2_status *status, struct error *err)
{
    (void)err;
    return buf_printf(ctx, "%s %d%d %s %lld %s;", status->id, status->is_instance_impaired,
                      status->is_system_impaired, status->event_code, (long long)status->event_ms,
                      status->event_text);
}

static int note_text(void *ctx, const char *text, struct error *err)
{
    (void)err;
    return buf_printf(ctx, "decoded %s;", text);
}

static int note_type(void *ctx, const struct ec2_type *type, struct error *err)
{
    (void)err;
    return buf_printf(ctx, "%s %d %d %d %d/%d %lld;", type->name, type->has_enclave_support,
                      type->is_bare_metal, type->is_arm64, type->vcpu_count, type->threads_per_core,
                      (long long)type->memory_mib);
}

#define FULL                                                                                                 \
    "i-1 16 m5.xlarge ami-1 eu-west-1a subnet-1 10.0.0.1 1.2.3.4 1767323045000 tok 1 arn:p spot "            \
    "Server.InternalError 2 sg-1 2 v1;"
#define BARE_TEXT "i-2 0 - - - - - - 0 - 0 - - - 0 - 0 -;"

static const struct {
    const char *action;
    const char *body;
    const char *heard;
    const char *reason; /* NULL: success */
    enum error_kind kind;
} cases[] = {
    {"DescribeInstances",
     "<?xml version=\"1.0\"?>\n<DescribeInstancesResponse" NS
     "><requestId>r</requestId><nextToken>next</nextToken>"
     "<reservationSet><item><groupSet/><instancesSet>" INSTANCE BARE
     "</instancesSet></item><item><instancesSet>" BARE
     "</instancesSet></item></reservationSet></DescribeInstancesResponse>",
     FULL BARE_TEXT BARE_TEXT "next", NULL, ERROR_NONE},
    {"DescribeInstances",
     "<DescribeInstancesResponse><reservationSet/><nextToken/></DescribeInstancesResponse>", "", NULL,
     ERROR_NONE},
    {"RunInstances",
     "<RunInstancesResponse" NS "><reservationId>r</reservationId><instancesSet>" INSTANCE
     "</instancesSet></RunInstancesResponse>",
     FULL, NULL, ERROR_NONE},
    {"StopInstances",
     "<StopInstancesResponse><instancesSet><item><instanceId>i-1</instanceId><currentState><code>64</code></"
     "currentState>"
     "<previousState><code>16</code></previousState></item></instancesSet></StopInstancesResponse>",
     "i-1 16>64;", NULL, ERROR_NONE},
    {"CreateTags", "<CreateTagsResponse><return>true</return></CreateTagsResponse>", "", NULL, ERROR_NONE},
    {"DescribeInstanceTypes",
     "<DescribeInstanceTypesResponse><instanceTypeSet><item><instanceType>m6g.large</"
     "instanceType><bareMetal>false"
     "</bareMetal><nitroEnclavesSupport>supported</nitroEnclavesSupport><vCpuInfo><defaultVCpus>2</"
     "defaultVCpus>"
     "<defaultCores>2</defaultCores><defaultThreadsPerCore>1</defaultThreadsPerCore></"
     "vCpuInfo><memoryInfo><sizeInMiB>8192</sizeInMiB></"
     "memoryInfo><processorInfo><supportedArchitectures><item>"
     "arm64</item></supportedArchitectures></processorInfo></item></instanceTypeSet></"
     "DescribeInstanceTypesResponse>",
     "m6g.large 1 0 1 2/1 8192;", NULL, ERROR_NONE},
    {"DescribeImages",
     "<DescribeImagesResponse><imagesSet><item><imageId>ami-1</imageId><imageState>available</imageState>"
     "<architecture>arm64</architecture><rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</"
     "rootDeviceName><blockDeviceMapping><item><deviceName>/dev/xvda</deviceName></item></"
     "blockDeviceMapping></item><item><imageId>ami-2</imageId><imageState>pending</imageState><architecture>"
     "x86_64</architecture></item></imagesSet></DescribeImagesResponse>",
     "ami-1 available 1 /dev/xvda ebs;ami-2 pending 0  ;", NULL, ERROR_NONE},
    {"GetConsoleOutput",
     "<GetConsoleOutputResponse" NS "><requestId>r</requestId><instanceId>i-1</instanceId><timestamp>t</"
     "timestamp><output>YQ==\n</output></GetConsoleOutputResponse>",
     "output YQ==\n;", NULL, ERROR_NONE},
    {"GetConsoleOutput", "<GetConsoleOutputResponse><output/></GetConsoleOutputResponse>", "", NULL,
     ERROR_NONE},
    {"DecodeAuthorizationMessage",
     "<DecodeAuthorizationMessageResponse><DecodeAuthorizationMessageResult><DecodedMessage>{&quot;a&quot;:1}"
     "</"
     "DecodedMessage></DecodeAuthorizationMessageResult></DecodeAuthorizationMessageResponse>",
     "decoded {\"a\":1};", NULL, ERROR_NONE},
    {"DescribeInstanceStatus",
     "<DescribeInstanceStatusResponse" NS "><instanceStatusSet>"
     "<item><instanceId>i-1</instanceId><instanceState><code>16</code></instanceState><eventsSet>"
     "<item><instanceEventId>e</instanceEventId><code>system-reboot</code><description>[Completed] "
     "reboot</description>"
     "<notBefore>2026-01-01T00:00:00.000Z</notBefore></item>"
     "<item><code>system-maintenance</code><description>earlier, and harmless</description>"
     "<notBefore>2026-01-01T00:00:00.000Z</notBefore></item>"
     "<item><code>instance-stop</code><description>later</description><notBefore>2026-01-02T03:04:06.000Z</"
     "notBefore></item>"
     "<item><code>instance-retirement</code><description>The instance is running on degraded "
     "hardware</description>"
     "<notBefore>2026-01-02T03:04:05.000Z</notBefore></item></eventsSet>"
     "<systemStatus><status>ok</status><details><item><name>reachability</name><status>passed</status></"
     "item></details>"
     "</systemStatus><instanceStatus><status>impaired</status></instanceStatus></item>"
     "<item><instanceId>i-2</instanceId><systemStatus><status>impaired</status></"
     "systemStatus><instanceStatus><status>"
     "initializing</status></instanceStatus></item></instanceStatusSet></DescribeInstanceStatusResponse>",
     "i-1 10 instance-retirement 1767323045000 The instance is running on degraded hardware;i-2 01  0 ;",
     NULL, ERROR_NONE},
    {"DescribeSubnets",
     "<DescribeSubnetsResponse><subnetSet><item><subnetId>subnet-1</subnetId><availableIpAddressCount>251</"
     "availableIpAddressCount><availabilityZone>eu-west-1b</availabilityZone></item></subnetSet></"
     "DescribeSubnetsResponse>",
     "subnet-1 eu-west-1b 251;", NULL, ERROR_NONE},
    {"StopInstances",
     "<StopInstancesResponse><instancesSet><item><instanceId>i-refuse</instanceId><currentState><code>64</"
     "code>"
     "</currentState></item></instancesSet></StopInstancesResponse>",
     "", "Refused", ERROR_STOPPED},
    {"DescribeInstances",
     "<DescribeInstancesResponse><reservationSet><item><instancesSet>" BARE "</instancesSet></item>",
     BARE_TEXT, "XmlTruncated", ERROR_UNAVAILABLE},
    {"DescribeInstances",
     "<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId></"
     "item>"
     "</instancesSet></item></reservationSet></DescribeInstancesResponse>",
     "", "UnexpectedAnswer", ERROR_UNAVAILABLE},
    {"StartInstances",
     "<StartInstancesResponse><instancesSet><item><instanceId>i-1</instanceId><currentState><code>17</code>"
     "</currentState></item></instancesSet></StartInstancesResponse>",
     "", "UnexpectedAnswer", ERROR_UNAVAILABLE},
    {"DescribeInstances", "<html><body>Sign in</body></html>", "", "UnexpectedAnswer", ERROR_UNAVAILABLE},
    {"DescribeInstances", "<RunInstancesResponse/>", "", "UnexpectedAnswer", ERROR_UNAVAILABLE},
    {"DescribeInstances", "upstream connect error", "", "XmlMalformed", ERROR_UNAVAILABLE},
    {"DescribeInstances", "", "", "XmlTruncated", ERROR_UNAVAILABLE},
    {"RunInstances",
     "<Response><Errors><Error><Code>InternalError</Code><Message>m</Message></Error></Errors></Response>",
     "", "InternalError", ERROR_UNAVAILABLE},
};

static void check(size_t number, size_t piece)
{
    CLEANUP(buf_done) struct buf heard;
    struct error err = {0};
    buf_init(&heard, 8192);
    struct ec2_handler handler = {&heard,      note_instance, note_change, note_type, note_image,
                                  note_subnet, note_status,   note_output, note_text};
    struct ec2_response *response = ec2_response_new(cases[number].action, &handler);
    const char *body = cases[number].body;
    size_t len = strlen(body);
    int result = 0;
    for (size_t at = 0; at < len && result == 0; at += piece)
        result = ec2_response_sink(response, body + at, piece < len - at ? piece : len - at, &err);
    if (result == 0)
        result = ec2_response_finish(response, &err);
    if (result == 0 && ec2_response_next_token(response))
        buf_puts(&heard, ec2_response_next_token(response));
    ec2_response_free(response);
    assert_int_equal(result, cases[number].reason ? -1 : 0);
    assert_string_equal(err.reason, cases[number].reason ? cases[number].reason : "");
    assert_int_equal(err.kind, cases[number].kind);
    assert_string_equal(buf_text(&heard), cases[number].heard);
}

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check(i, 1);
        check(i, 7);
        check(i, 1 << 20);
    }
}

static const struct {
    const char *body;
    const char *code;
    const char *message;
} faults[] = {
    {"<Response><Errors><Error><Code>A.B</Code><Message>m "
     "&lt;1&gt;</Message></Error></Errors><RequestID>r</RequestID>"
     "</Response>",
     "A.B", "m <1>"},
    {"<ErrorResponse "
     "xmlns=\"https://sts\"><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>m</Message>"
     "</Error><RequestId>r</RequestId></ErrorResponse>",
     "ExpiredToken", "m"},
    {"<ErrorResponse><Errors><Error><Code>AuthFailure</Code><Message>m</Message></Error></Errors></"
     "ErrorResponse>",
     "AuthFailure", "m"},
    {"<Response><Errors><Error><Code>First</Code><Message>1</Message></Error><Error><Code>Second</"
     "Code><Message>2"
     "</Message></Error></Errors></Response>",
     "First", "1"},
    {"<Response><Errors><Error><Code>Cut</Code><Mess", "Cut", ""},
    {"<html><Error><Code>x</Code></Error></html>", "", ""},
    {"502 Bad Gateway", "", ""},
    {"", "", ""},
};

static void test_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        struct ec2_fault fault;
        ec2_response_read_fault(faults[i].body, strlen(faults[i].body), &fault);
        assert_string_equal(fault.code, faults[i].code);
        assert_string_equal(fault.message, faults[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_faults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
