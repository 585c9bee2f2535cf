/* The exact bytes of every request, and what is refused before it is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "nitro/ec2_request.h"

#define VERSION "&Version=2016-11-15"

static const char *const ids[] = {"i-1", "i-2"};
static const char *const groups[] = {"sg-1", "sg-2"};
static const struct ec2_tag tags[] = {{"Name", "tee-a b/\xc3\xa4"}, {"tee-x", ""}};

static void test_run_smallest(void **state)
{
    (void)state;
    struct ec2_launch launch = {.image_id = "ami-1", .type = "m5.xlarge", .client_token = "t"};
    CLEANUP(freep) char *body = NULL;
    assert_int_equal(ec2_request_run(&launch, &body, NULL), 0);
    assert_string_equal(body,
                        "Action=RunInstances" VERSION "&ImageId=ami-1&InstanceType=m5.xlarge&MinCount=1"
                        "&MaxCount=1&ClientToken=t&EnclaveOptions.Enabled=true&MetadataOptions.HttpTokens="
                        "required&MetadataOptions.HttpPutResponseHopLimit=1");
}

#define TAGS(n, kind)                                                                                        \
    "&TagSpecification." n ".ResourceType=" kind "&TagSpecification." n                                      \
    ".Tag.1.Key=Name&TagSpecification." n ".Tag.1.Value=tee-a%20b%2F%C3%A4&TagSpecification." n              \
    ".Tag.2.Key=tee-x&TagSpecification." n ".Tag.2.Value="

static void test_run_full(void **state)
{
    (void)state;
    struct ec2_root_volume volume = {20, "gp3", 3000, 125, 1, "arn:aws:kms:k"};
    struct ec2_launch launch = {
        "ami-1", "m5.xlarge", "subnet-1", groups,  2, "key", "arn:aws:iam::1:instance-profile/p",
        &volume, tags,        2,          "~\xff", 2, "t",   true};
    CLEANUP(freep) char *body = NULL;
    CLEANUP(freep) char *named = NULL;
    assert_int_equal(ec2_request_run(&launch, &body, NULL), 0);
    assert_string_equal(
        body,
        "Action=RunInstances" VERSION
        "&ImageId=ami-1&InstanceType=m5.xlarge&MinCount=1&MaxCount=1&ClientToken=t"
        "&SubnetId=subnet-1&SecurityGroupId.1=sg-1&SecurityGroupId.2=sg-2&KeyName=key&IamInstanceProfile.Arn="
        "arn%3Aaws%3Aiam%3A%3A1%3Ainstance-profile%2Fp&EnclaveOptions.Enabled=true&MetadataOptions."
        "HttpTokens="
        "required&MetadataOptions.HttpPutResponseHopLimit=1&BlockDeviceMapping.1.DeviceName=%2Fdev%2Fxvda"
        "&BlockDeviceMapping.1.Ebs.VolumeSize=20&BlockDeviceMapping.1.Ebs.VolumeType=gp3"
        "&BlockDeviceMapping.1.Ebs.Iops=3000&BlockDeviceMapping.1.Ebs.Throughput=125"
        "&BlockDeviceMapping.1.Ebs.Encrypted=true&BlockDeviceMapping.1.Ebs.KmsKeyId=arn%3Aaws%3Akms%3Ak"
        "&BlockDeviceMapping.1.Ebs.DeleteOnTermination=true" TAGS("1", "instance") TAGS("2", "volume")
            TAGS("3", "network-interface") "&UserData=fv8%3D&DryRun=true");
    launch.profile = "p&q=1";
    assert_int_equal(ec2_request_run(&launch, &named, NULL), 0);
    assert_non_null(strstr(named, "&IamInstanceProfile.Name=p%26q%3D1&"));
}

static void test_run_refused(void **state)
{
    (void)state;
    static char data[16385];
    char long_token[66] = "";
    struct ec2_tag many[51];
    struct error err = {0};
    char *body = NULL;
    const struct ec2_launch good = {.image_id = "ami-1", .type = "t", .client_token = "t"};
    struct ec2_launch bad[6] = {good, good, good, good, good, good};
    memset(long_token, 't', 65);
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = tags[0];
    bad[0].image_id = NULL;
    bad[1].client_token = NULL;
    bad[2].client_token = long_token;
    bad[3].user_data = data;
    bad[3].user_data_len = sizeof(data);
    bad[4].tags = many;
    bad[4].tag_count = ARRAY_LEN(many);
    bad[5].tags = &(struct ec2_tag){"", "v"};
    bad[5].tag_count = 1;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(ec2_request_run(&bad[i], &body, &err), -1);
        assert_int_equal(err.kind, ERROR_INVALID);
        assert_null(body);
    }
}

static void test_describe(void **state)
{
    (void)state;
    static const char *const states[] = {"pending", "a*"};
    const struct ec2_filter filters[] = {{"tag:tee-cluster-id", ids, 1}, {"instance-state-name", states, 2}};
    struct ec2_query query = {.filters = filters, .filter_count = 2};
    CLEANUP(freep) char *first = NULL;
    CLEANUP(freep) char *second = NULL;
    CLEANUP(freep) char *by_id = NULL;
    assert_int_equal(ec2_request_describe(&query, NULL, &first, NULL), 0);
    assert_string_equal(
        first, "Action=DescribeInstances" VERSION
               "&Filter.1.Name=tag%3Atee-cluster-id&Filter.1.Value.1=i-1&Filter.2.Name=instance-state-"
               "name&Filter.2.Value.1=pending&Filter.2.Value.2=a%2A&MaxResults=1000");
    assert_int_equal(ec2_request_describe(&query, "a+/=", &second, NULL), 0);
    assert_non_null(strstr(second, "&MaxResults=1000&NextToken=a%2B%2F%3D"));
    query.ids = ids;
    query.id_count = 2;
    assert_int_equal(ec2_request_describe(&query, NULL, &by_id, NULL), -1);
    query.filter_count = 0;
    assert_int_equal(ec2_request_describe(&query, "token", &by_id, NULL), -1);
    assert_int_equal(ec2_request_describe(&query, NULL, &by_id, NULL), 0);
    assert_string_equal(by_id, "Action=DescribeInstances" VERSION "&InstanceId.1=i-1&InstanceId.2=i-2");
    query.id_count = 0;
    assert_int_equal(ec2_request_describe(&query, NULL, &by_id, NULL), -1);
    const struct ec2_filter empty = {"x", NULL, 0};
    query.filters = &empty;
    query.filter_count = 1;
    assert_int_equal(ec2_request_describe(&query, NULL, &by_id, NULL), -1);
}

static void test_others(void **state)
{
    (void)state;
    static const char *const actions[] = {"StartInstances", "StopInstances", "TerminateInstances"};
    static const char *const types[] = {"m5.xlarge", "c6g.large"};
    for (int verb = EC2_START; verb <= EC2_TERMINATE; verb++) {
        CLEANUP(freep) char *body = NULL;
        CLEANUP(freep)
        char *want = mem_printf("Action=%s" VERSION "&InstanceId.1=i-1&InstanceId.2=i-2", actions[verb]);
        assert_int_equal(ec2_request_change((enum ec2_verb)verb, ids, 2, &body, NULL), 0);
        assert_string_equal(body, want);
    }
    CLEANUP(freep) char *tagging = NULL;
    CLEANUP(freep) char *listing = NULL;
    assert_int_equal(ec2_request_create_tags("i-1", tags, 2, &tagging, NULL), 0);
    assert_string_equal(tagging,
                        "Action=CreateTags" VERSION "&ResourceId.1=i-1&Tag.1.Key=Name&Tag.1.Value=tee-a%20b"
                        "%2F%C3%A4&Tag.2.Key=tee-x&Tag.2.Value=");
    assert_int_equal(ec2_request_describe_types(types, 2, &listing, NULL), 0);
    assert_string_equal(listing, "Action=DescribeInstanceTypes" VERSION
                                 "&InstanceType.1=m5.xlarge&InstanceType.2=c6g.large");
    CLEANUP(freep) char *image = NULL;
    CLEANUP(freep) char *subnets = NULL;
    assert_int_equal(ec2_request_describe_image("ami-1", &image, NULL), 0);
    assert_string_equal(image, "Action=DescribeImages" VERSION "&ImageId.1=ami-1");
    assert_int_equal(ec2_request_describe_subnets(ids, 2, &subnets, NULL), 0);
    assert_string_equal(subnets, "Action=DescribeSubnets" VERSION "&SubnetId.1=i-1&SubnetId.2=i-2");
    CLEANUP(freep) char *console = NULL;
    assert_int_equal(ec2_request_console("i-1", &console, NULL), 0);
    assert_string_equal(console, "Action=GetConsoleOutput" VERSION "&InstanceId=i-1&Latest=true");
    char *none = NULL;
    assert_int_equal(ec2_request_describe_subnets(ids, 0, &none, NULL), -1);
    assert_int_equal(ec2_request_describe_subnets(ids, 17, &none, NULL), -1);
    assert_int_equal(ec2_request_create_tags("i-1", tags, 0, &none, NULL), -1);
    assert_int_equal(ec2_request_change(EC2_STOP, ids, 0, &none, NULL), -1);
    assert_int_equal(ec2_request_describe_types(types, 0, &none, NULL), -1);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_run_smallest), cmocka_unit_test(test_run_full),
                                       cmocka_unit_test(test_run_refused), cmocka_unit_test(test_describe),
                                       cmocka_unit_test(test_others)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
