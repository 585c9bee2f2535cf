/* The simulated account by itself: each call is a form body at a time of the test's choosing. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "sim/sts_decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define VERSION "&Version=2016-11-15"
#define RUN     "Action=RunInstances&ImageId=ami-12345678&InstanceType=m5.xlarge&MinCount=1&MaxCount=1" VERSION

enum { LAUNCH_MS = 100, STOP_MS = 50, HOUR_MS = 3600 * 1000 };

struct scene {
    struct world *world;
    struct buf out;
    struct sim_fail fail;
    int64_t now_ms;
    char id[SIM_ID_SIZE]; /* of the last launch */
};

static int setup(void **state)
{
    struct scene *scene = mem_calloc(1, sizeof(*scene));
    const struct world_options options = {
        .seed = 7, .boot_ms = 10, .launch_ms = LAUNCH_MS, .stop_ms = STOP_MS, .max_instances = 12000};
    scene->world = world_new(&options);
    scene->now_ms = 1000000;
    buf_init(&scene->out, (size_t)64 << 20);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    world_free(scene->world);
    buf_done(&scene->out);
    free(scene);
    return 0;
}

/* Yields the error's code, "" for success. */
static const char *call(struct scene *scene, const char *body)
{
    CLEANUP(sim_query_done) struct sim_query query;
    struct sim_call made = {.world = scene->world,
                            .query = &query,
                            .now_ms = scene->now_ms,
                            .out = &scene->out,
                            .request_id = "r"};
    buf_reset(&scene->out);
    scene->fail = (struct sim_fail){0};
    int result = sim_query_parse(&query, body, strlen(body), &made.fail);
    if (result == 0)
        result = sim_ec2_call(&made);
    if (result < 0)
        scene->fail = made.fail;
    const char *id = strstr(buf_text(&scene->out), "<instanceId>");
    if (id)
        snprintf(scene->id, sizeof(scene->id), "%.*s", 19, id + 12);
    return scene->fail.code;
}

static const char *call_on(struct scene *scene, const char *action, const char *more)
{
    CLEANUP(freep) char *body = mem_printf("Action=%s&InstanceId.1=%s%s" VERSION, action, scene->id, more);
    return call(scene, body);
}

static bool shows(const struct scene *scene, const char *text)
{
    return strstr(buf_text(&scene->out), text) != NULL;
}

static void refusals(void **state)
{
    static const struct {
        const char *body;
        const char *code;
        int status;
    } cases[] = {
        {"Version=2016-11-15", "MissingAction", 400},
        {"Action=DescribeVolumes" VERSION, "InvalidAction", 400},
        {"Action=DescribeInstances&Version=2010-01-01", "InvalidAction", 400},
        {RUN "&Colour=red", "UnknownParameter", 400},
        {RUN "&DryRun=true", "DryRunOperation", 412},
        {RUN "&DryRun=yes", "InvalidParameterValue", 400},
        {RUN "&DryRun=true&SubnetId=subnet-00000000000000404", "InvalidSubnetID.NotFound", 400},
        {RUN "&SubnetId=subnet-00000000000000507", "InsufficientFreeAddressesInSubnet", 400},
        {"Action=RunInstances&ImageId=ami-00000000000000503&InstanceType=m5.xlarge&MinCount=1&MaxCount="
         "1" VERSION,
         "InvalidAMIID.Unavailable", 400},
        {"Action=RunInstances&ImageId=ami-12345a64&InstanceType=m5.xlarge&MinCount=1&MaxCount=1" VERSION,
         "InvalidParameterValue", 400},
        {"Action=DescribeImages" VERSION, "MissingParameter", 400},
        {"Action=DescribeImages&ImageId.1=ami-12345678&ImageId.2=ami-00000000000000404" VERSION,
         "InvalidAMIID.NotFound", 400},
        {"Action=DescribeImages&ImageId.1=ami-12345678&DryRun=true" VERSION, "DryRunOperation", 412},
        {"Action=DescribeSubnets&SubnetId.1=subnet-00000000000000404" VERSION, "InvalidSubnetID.NotFound",
         400},
        {"Action=GetConsoleOutput" VERSION, "MissingParameter", 400},
        {"Action=GetConsoleOutput&InstanceId=x" VERSION, "InvalidInstanceID.Malformed", 400},
        {"Action=GetConsoleOutput&InstanceId=i-00000000" VERSION, "InvalidInstanceID.NotFound", 400},
        {"Action=DescribeSubnets&SubnetId.1=net" VERSION, "InvalidSubnetID.Malformed", 400},
        {RUN "&SubnetId=subnet-00000000000000404", "InvalidSubnetID.NotFound", 400},
        {RUN "&SubnetId=net-1", "InvalidSubnetID.Malformed", 400},
        {RUN "&SecurityGroupId.1=sg-00000000000000404", "InvalidGroup.NotFound", 400},
        {RUN "&UserData=%21", "InvalidUserData.Malformed", 400},
        {RUN "&MetadataOptions.HttpPutResponseHopLimit=65", "InvalidParameterValue", 400},
        {RUN "&Placement.AvailabilityZone=us-west-1a", "InvalidParameterValue", 400},
        {RUN "&Placement.AvailabilityZone=us-east-1a&SubnetId=subnet-00000001", "InvalidParameterCombination",
         400},
        {RUN "&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=aws%3Ax",
         "InvalidParameterValue", 400},
        {RUN "&TagSpecification.1.ResourceType=pig", "InvalidParameterValue", 400},
        {RUN "&ClientToken=" /* 65 */ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "InvalidClientToken", 400},
        {"Action=RunInstances&InstanceType=m5.xlarge&MinCount=1&MaxCount=1" VERSION, "MissingParameter", 400},
        {"Action=RunInstances&ImageId=ami-00000000000000404&MinCount=1&MaxCount=1" VERSION,
         "InvalidAMIID.NotFound", 400},
        {"Action=RunInstances&ImageId=amy&MinCount=1&MaxCount=1" VERSION, "InvalidAMIID.Malformed", 400},
        {"Action=RunInstances&ImageId=ami-12345678&InstanceType=m5.large&MinCount=1&MaxCount=1"
         "&EnclaveOptions.Enabled=true" VERSION,
         "UnsupportedOperation", 400},
        {"Action=RunInstances&ImageId=ami-12345678&InstanceType=z9.big&MinCount=1&MaxCount=1" VERSION,
         "InvalidParameterValue", 400},
        {"Action=DescribeInstances&MaxResults=4" VERSION, "InvalidParameterValue", 400},
        {"Action=DescribeInstances&MaxResults=1001" VERSION, "InvalidParameterValue", 400},
        {"Action=DescribeInstances&MaxResults=5&InstanceId.1=i-12345678" VERSION,
         "InvalidParameterCombination", 400},
        {"Action=DescribeInstances&NextToken=abc" VERSION, "InvalidNextToken", 400},
        {"Action=DescribeInstances&InstanceId.1=i-1" VERSION, "InvalidInstanceID.Malformed", 400},
        {"Action=DescribeInstances&InstanceId.1=i-12345678" VERSION, "InvalidInstanceID.NotFound", 400},
        {"Action=DescribeInstances&Filter.1.Name=vpc&Filter.1.Value.1=x" VERSION, "InvalidParameterValue",
         400},
        {"Action=DescribeInstances&Filter.1.Name=tag-key" VERSION, "InvalidParameterValue", 400},
        {"Action=StopInstances" VERSION, "MissingParameter", 400},
        {"Action=CreateTags&ResourceId.1=i-12345678&Tag.1.Key=a" VERSION, "InvalidInstanceID.NotFound", 400},
        {"Action=DescribeInstanceTypes&InstanceType.1=z9.big" VERSION, "InvalidInstanceType", 400},
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *code = call(scene, cases[i].body);
        if (strcmp(code, cases[i].code) != 0 || scene->fail.status != cases[i].status)
            fail_msg("case %zu '%s': %s %d", i, cases[i].body, code, scene->fail.status);
    }
    assert_int_equal(world_count(scene->world), 0);
}

static void user_data_has_a_limit(void **state)
{
    struct scene *scene = *state;
    char text[21848 + 1];
    memset(text, 'A', sizeof(text));
    text[21848] = '\0'; /* 16386 bytes */
    CLEANUP(freep) char *over = mem_printf(RUN "&UserData=%s", text);
    assert_string_equal(call(scene, over), "InvalidUserData.Malformed");
    text[21846] = text[21847] = '='; /* 16384 bytes */
    CLEANUP(freep) char *full = mem_printf(RUN "&UserData=%.21846s%%3D%%3D", text);
    assert_string_equal(call(scene, full), "");
}

/* Which calls each state allows, and what comes of it. */
static void states(void **state)
{
    struct scene *scene = *state;
    assert_string_equal(call(scene, RUN "&EnclaveOptions.Enabled=true"), "");
    assert_true(shows(scene, "<name>pending</name>"));
    assert_true(shows(scene, "<enclaveOptions><enabled>true</enabled></enclaveOptions>"));
    assert_string_equal(call_on(scene, "StopInstances", ""), "IncorrectInstanceState");
    assert_string_equal(call_on(scene, "StartInstances", ""), "");
    scene->now_ms += LAUNCH_MS;
    call_on(scene, "DescribeInstances", "");
    assert_true(shows(scene, "<name>running</name>"));
    assert_string_equal(call_on(scene, "StopInstances", "&DryRun=true"), "DryRunOperation");
    assert_string_equal(call_on(scene, "StopInstances", ""), "");
    assert_true(shows(scene, "<currentState><code>64</code><name>stopping</name></currentState>"
                             "<previousState><code>16</code><name>running</name></previousState>"));
    assert_string_equal(call_on(scene, "StartInstances", ""), "IncorrectInstanceState");
    scene->now_ms += STOP_MS;
    assert_string_equal(call_on(scene, "StartInstances", ""), "");
    assert_true(shows(scene, "<name>stopped</name></previousState>"));
    scene->now_ms += LAUNCH_MS;
    assert_string_equal(call_on(scene, "TerminateInstances", ""), "");
    assert_int_equal(world_find(scene->world, scene->id)->boot_count, 2);
    assert_string_equal(call_on(scene, "StopInstances", ""), "IncorrectInstanceState");
    scene->now_ms += STOP_MS;
    assert_string_equal(call_on(scene, "TerminateInstances", ""), "");
    assert_true(shows(scene, "<currentState><code>48</code>"));
    call_on(scene, "DescribeInstances", "");
    assert_true(shows(scene, "Client.UserInitiatedShutdown"));
    assert_false(shows(scene, "privateIpAddress"));
    scene->now_ms += HOUR_MS;
    assert_string_equal(call_on(scene, "DescribeInstances", ""), "InvalidInstanceID.NotFound");
    assert_int_equal(world_count(scene->world), 0);
}

static void client_tokens(void **state)
{
    struct scene *scene = *state;
    char first[SIM_ID_SIZE];
    assert_string_equal(call(scene, RUN "&ClientToken=t&SubnetId=subnet-00000000"), "");
    memcpy(first, scene->id, sizeof(first));
    assert_string_equal(call(scene, RUN "&SubnetId=subnet-00000000&ClientToken=t"), "");
    assert_string_equal(scene->id, first);
    assert_string_equal(call(scene, RUN "&SubnetId=subnet-00000000&ClientToken=t&KeyName=k"),
                        "IdempotentParameterMismatch");
    /* Another zone is another scope; so is the region. */
    assert_string_equal(call(scene, RUN "&ClientToken=t&SubnetId=subnet-00000001"), "");
    assert_string_not_equal(scene->id, first);
    assert_string_equal(call(scene, RUN "&ClientToken=t"), "");
    assert_int_equal(world_count(scene->world), 3);
    memcpy(scene->id, first, sizeof(first));
    call_on(scene, "TerminateInstances", "");
    assert_string_equal(call(scene, RUN "&ClientToken=t&SubnetId=subnet-00000000"),
                        "IdempotentInstanceTerminated");
    scene->now_ms += 2 * HOUR_MS;
    assert_string_equal(call(scene, RUN "&ClientToken=t&SubnetId=subnet-00000000"),
                        "IdempotentInstanceTerminated");
}

static void failed_launch_binds_its_token(void **state)
{
    struct scene *scene = *state;
    static const char body[] = RUN "&ClientToken=t";
    CLEANUP(sim_query_done) struct sim_query query;
    struct sim_call failed = {.world = scene->world, .query = &query, .now_ms = scene->now_ms};
    sim_query_parse(&query, body, strlen(body), &failed.fail);
    sim_ec2_bind_failed(&failed);
    assert_string_equal(call(scene, RUN "&ClientToken=t&KeyName=k"), "IdempotentParameterMismatch");
    assert_string_equal(call(scene, body), "");
    assert_int_equal(world_count(scene->world), 1);
}

static void launch_tagged(struct scene *scene, int number)
{
    CLEANUP(freep)
    char *body = mem_printf(RUN "&ClientToken=c%d&TagSpecification.1.ResourceType=instance"
                                "&TagSpecification.1.Tag.1.Key=n&TagSpecification.1.Tag.1.Value=%d"
                                "&TagSpecification.1.Tag.2.Key=all&TagSpecification.1.Tag.2.Value=yes",
                            number, number);
    assert_string_equal(call(scene, body), "");
}

static size_t count_shown(const struct scene *scene)
{
    size_t count = 0;
    for (const char *at = buf_text(&scene->out); (at = strstr(at, "<instanceId>")); at++)
        count++;
    return count;
}

static void filters(void **state)
{
    static const struct {
        const char *filter;
        size_t shown;
    } cases[] = {
        {"tag:n&Filter.1.Value.1=3", 1},
        {"tag:n&Filter.1.Value.1=3&Filter.1.Value.2=4&Filter.1.Value.3=99", 2},
        {"tag:n&Filter.1.Value.1=1%2A", 3},
        {"tag:all&Filter.1.Value.1=yes", 12},
        {"tag:all&Filter.1.Value.1=YES", 0},
        {"tag-key&Filter.1.Value.1=al%3F", 12},
        {"client-token&Filter.1.Value.1=c7", 1},
        {"instance-state-name&Filter.1.Value.1=running", 0},
        {"instance-state-name&Filter.1.Value.1=pending&Filter.2.Name=tag:n&Filter.2.Value.1=5", 1},
        {"enclave-options.enabled&Filter.1.Value.1=true", 0},
        {"instance-id&Filter.1.Value.1=i-00000000", 0},
    };
    struct scene *scene = *state;
    for (int i = 0; i < 12; i++)
        launch_tagged(scene, i);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(freep)
        char *body = mem_printf("Action=DescribeInstances&Filter.1.Name=%s" VERSION, cases[i].filter);
        assert_string_equal(call(scene, body), "");
        if (count_shown(scene) != cases[i].shown)
            fail_msg("case %zu: %zu", i, count_shown(scene));
    }
}

static void pages(void **state)
{
    struct scene *scene = *state;
    CLEANUP(freep) char *token = mem_strdup("");
    size_t seen = 0;
    int page_count = 0;
    for (int i = 0; i < 12; i++)
        launch_tagged(scene, i);
    do {
        CLEANUP(freep)
        char *body = mem_printf("Action=DescribeInstances&MaxResults=5&Filter.1.Name=tag:all"
                                "&Filter.1.Value.1=yes&NextToken=%s" VERSION,
                                token);
        assert_string_equal(call(scene, body), "");
        seen += count_shown(scene);
        page_count++;
        const char *next = strstr(buf_text(&scene->out), "<nextToken>");
        free(token);
        token = next ? mem_strndup(next + 11, 32) : NULL;
        if (page_count == 1) {
            CLEANUP(freep) char *other = mem_printf("Action=DescribeInstances&NextToken=%s" VERSION, token);
            assert_string_equal(call(scene, other), "InvalidNextToken");
        }
    } while (token);
    assert_int_equal(seen, 12);
    assert_int_equal(page_count, 3);
}

static void lag_hides(void **state)
{
    struct scene *scene = *state;
    world_get_options(scene->world)->lag = (struct sim_lag){10, 20, 30, 40};
    launch_tagged(scene, 1);
    assert_string_equal(call_on(scene, "DescribeInstances", ""), "InvalidInstanceID.NotFound");
    scene->now_ms += 10;
    assert_string_equal(call_on(scene, "DescribeInstances", ""), "");
    call(scene, "Action=DescribeInstances" VERSION);
    assert_int_equal(count_shown(scene), 0);
    scene->now_ms += 10;
    call(scene, "Action=DescribeInstances" VERSION);
    assert_int_equal(count_shown(scene), 1);
    assert_false(shows(scene, "tagSet"));
    call(scene, "Action=DescribeInstances&Filter.1.Name=tag:all&Filter.1.Value.1=yes" VERSION);
    assert_int_equal(count_shown(scene), 0);
    scene->now_ms += 10;
    call(scene, "Action=DescribeInstances&Filter.1.Name=tag:all&Filter.1.Value.1=yes" VERSION);
    assert_true(shows(scene, "tagSet"));
    assert_false(shows(scene, "privateIpAddress"));
    scene->now_ms += 10;
    call(scene, "Action=DescribeInstances" VERSION);
    assert_true(shows(scene, "<privateIpAddress>127.64.0.5</privateIpAddress>"));
}

static void tags_and_types(void **state)
{
    struct scene *scene = *state;
    launch_tagged(scene, 1);
    CLEANUP(freep)
    char *body = mem_printf(
        "Action=CreateTags&ResourceId.1=%s&Tag.1.Key=n&Tag.1.Value=%%3Ca%%26b%%3E" VERSION, scene->id);
    assert_string_equal(call(scene, body), "");
    call(scene, "Action=DescribeInstances&Filter.1.Name=tag:n&Filter.1.Value.1=1" VERSION);
    assert_int_equal(count_shown(scene), 0);
    call(scene, "Action=DescribeInstances&Filter.1.Name=tag:n&Filter.1.Value.1=%3Ca%26b%3E" VERSION);
    assert_true(shows(scene, "<value>&lt;a&amp;b&gt;</value>"));
    assert_string_equal(call(scene, "Action=DescribeInstanceTypes&InstanceType.1=m6g.large" VERSION), "");
    assert_true(shows(scene, "<nitroEnclavesSupport>supported</nitroEnclavesSupport>"));
    assert_true(shows(scene, "<defaultThreadsPerCore>1</defaultThreadsPerCore>"));
    call(scene, "Action=DescribeImages&ImageId.1=ami-12345a64&ImageId.2=ami-00000000000000503" VERSION);
    assert_true(shows(scene, "<architecture>arm64</architecture>"));
    assert_true(shows(scene, "<imageState>pending</imageState>"));
    call(scene,
         "Action=DescribeSubnets&SubnetId.1=subnet-00000001&SubnetId.2=subnet-00000000000000507" VERSION);
    assert_true(shows(scene, "<availableIpAddressCount>4091<"));
    assert_true(shows(scene, "<availableIpAddressCount>0<"));
    assert_true(shows(scene, "<availabilityZone>us-east-1b<"));
    call(scene, "Action=DescribeInstanceStatus" VERSION);
    assert_int_equal(count_shown(scene), 0);
    call(scene, "Action=DescribeInstanceStatus&IncludeAllInstances=true" VERSION);
    assert_int_equal(count_shown(scene), 1);
    assert_string_equal(
        call(scene, "Action=DescribeInstanceStatus&Filter.1.Name=event.code&Filter.1.Value.1=a" VERSION), "");
    assert_string_equal(
        call(scene, "Action=DescribeInstanceStatus&Filter.1.Name=tag:a&Filter.1.Value.1=a" VERSION),
        "InvalidParameterValue");
    assert_string_equal(
        call(scene, "Action=DescribeInstances&Filter.1.Name=event.code&Filter.1.Value.1=a" VERSION),
        "InvalidParameterValue");
}

static void console(void **state)
{
    struct scene *scene = *state;
    assert_string_equal(call(scene, RUN), "");
    CLEANUP(freep)
    char *body = mem_printf("Action=GetConsoleOutput&Latest=true&InstanceId=%s" VERSION, scene->id);
    assert_string_equal(call(scene, body), "");
    assert_false(shows(scene, "<output>"));
    scene->now_ms += LAUNCH_MS;
    assert_string_equal(call(scene, body), "");
    assert_true(shows(scene, "<output>WyAgICAwLjAwMDAwMF0gTGludXg"));
    world_find(scene->world, scene->id)->console = mem_strdup("hello");
    assert_string_equal(call(scene, body), "");
    assert_true(shows(scene, "<output>aGVsbG8=\n</output>"));
}

static const char *decode(struct scene *scene, const char *body)
{
    CLEANUP(sim_query_done) struct sim_query query;
    struct sim_call made = {.query = &query, .out = &scene->out, .request_id = "r"};
    buf_reset(&scene->out);
    scene->fail = (struct sim_fail){0};
    if (sim_query_parse(&query, body, strlen(body), &made.fail) < 0 || sim_sts_call(&made) < 0)
        scene->fail = made.fail;
    return scene->fail.code;
}

/* A refusal's encoded part is read back, and nothing else is. */
static void denials(void **state)
{
    static const char sts[] = "Action=DecodeAuthorizationMessage&Version=2011-06-15";
    struct scene *scene = *state;
    struct sim_fail denial = {0};
    sim_sts_denial(&denial, "RunInstances");
    assert_int_equal(denial.status, 403);
    const char *encoded = strstr(denial.message, "message: ");
    assert_non_null(encoded);
    CLEANUP(freep) char *good = mem_printf("%s&EncodedMessage=%s", sts, encoded + strlen("message: "));
    CLEANUP(freep) char *damaged = mem_printf("%s&EncodedMessage=AAAA", sts);
    assert_string_equal(decode(scene, good), "");
    assert_true(shows(scene, "&quot;action&quot;:&quot;ec2:RunInstances&quot;"));
    assert_string_equal(decode(scene, damaged), "InvalidAuthorizationMessageException");
    assert_string_equal(decode(scene, sts), "ValidationError");
    assert_string_equal(decode(scene, "Action=GetCallerIdentity&Version=2011-06-15"), "InvalidAction");
    sim_sts_error(&scene->out, &scene->fail, "r");
    assert_true(shows(scene, "<ErrorResponse xmlns="));
}

static void ten_thousand(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 10000; i++)
        launch_tagged(scene, i);
    call(scene, "Action=DescribeInstances&Filter.1.Name=tag:n&Filter.1.Value.1=9876" VERSION);
    assert_int_equal(count_shown(scene), 1);
    scene->now_ms += LAUNCH_MS;
    call(scene,
         "Action=DescribeInstances&MaxResults=1000&Filter.1.Name=tag:all&Filter.1.Value.1=yes" VERSION);
    assert_int_equal(count_shown(scene), 1000);
    assert_true(shows(scene, "<name>running</name>"));
    assert_false(shows(scene, "<name>pending</name>"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(user_data_has_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(states, setup, teardown),
        cmocka_unit_test_setup_teardown(client_tokens, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_launch_binds_its_token, setup, teardown),
        cmocka_unit_test_setup_teardown(filters, setup, teardown),
        cmocka_unit_test_setup_teardown(pages, setup, teardown),
        cmocka_unit_test_setup_teardown(lag_hides, setup, teardown),
        cmocka_unit_test_setup_teardown(tags_and_types, setup, teardown),
        cmocka_unit_test_setup_teardown(console, setup, teardown),
        cmocka_unit_test_setup_teardown(denials, setup, teardown),
        cmocka_unit_test_setup_teardown(ten_thousand, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
