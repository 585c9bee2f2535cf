/* Tables of environments: what is read from them, and what is refused in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "nitro/aws_config.h"

/* ctx is "NAME=value\nNAME=value"; the found value stays valid as long as the struct. */
struct fake_environment {
    const char *text;
    char value[512];
};

static const char *fake_get(void *ctx, const char *name)
{
    struct fake_environment *fake = ctx;
    size_t len = strlen(name);
    for (const char *line = fake->text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && line[len] == '=') {
            size_t value_len = strcspn(line + len + 1, "\n");
            assert_true(value_len < sizeof(fake->value));
            memcpy(fake->value, line + len + 1, value_len);
            fake->value[value_len] = '\0';
            return fake->value;
        }
    }
    return NULL;
}

static void check_text(const char *environment, const char *seen, const char *wanted)
{
    if (wanted ? !seen || strcmp(seen, wanted) != 0 : seen != NULL)
        fail_msg("%s: %s instead of %s", environment, seen ? seen : "NULL", wanted ? wanted : "NULL");
}

static void test_cloud(void **state)
{
    (void)state;
    static const struct {
        const char *environment;
        const char *region;
        const char *ec2;
        const char *sts;
        const char *imds;
        bool disabled;
    } cases[] = {
        {"", NULL, "https://ec2.r-1.amazonaws.com", "https://sts.r-1.amazonaws.com", "http://169.254.169.254",
         false},
        {"AWS_REGION=\nAWS_DEFAULT_REGION=eu-west-1", "eu-west-1", "https://ec2.eu-west-1.amazonaws.com",
         "https://sts.eu-west-1.amazonaws.com", "http://169.254.169.254", false},
        {"AWS_REGION=cn-north-1\nAWS_DEFAULT_REGION=eu-west-1", "cn-north-1",
         "https://ec2.cn-north-1.amazonaws.com.cn", "https://sts.cn-north-1.amazonaws.com.cn",
         "http://169.254.169.254", false},
        {"AWS_REGION=us-gov-west-1", "us-gov-west-1", "https://ec2.us-gov-west-1.amazonaws.com",
         "https://sts.us-gov-west-1.amazonaws.com", "http://169.254.169.254", false},
        {"AWS_REGION=us-isob-east-1", "us-isob-east-1", "https://ec2.us-isob-east-1.sc2s.sgov.gov",
         "https://sts.us-isob-east-1.sc2s.sgov.gov", "http://169.254.169.254", false},
        {"AWS_REGION=eusc-de-east-1\nAWS_ENDPOINT_URL=http://127.0.0.1:8080/", "eusc-de-east-1",
         "http://127.0.0.1:8080", "http://127.0.0.1:8080", "http://169.254.169.254", false},
        {"AWS_REGION=a\nAWS_ENDPOINT_URL=https://all\nAWS_ENDPOINT_URL_EC2=https://[::1]:9", "a",
         "https://[::1]:9", "https://all", "http://169.254.169.254", false},
        {"AWS_REGION=a\nAWS_ENDPOINT_URL=https://all\nAWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true", "a",
         "https://ec2.a.amazonaws.com", "https://sts.a.amazonaws.com", "http://169.254.169.254", false},
        {"AWS_REGION=a\nAWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:1/\n"
         "AWS_EC2_METADATA_DISABLED=TRUE",
         "a", "https://ec2.a.amazonaws.com", "https://sts.a.amazonaws.com", "http://127.0.0.1:1", true},
        {"AWS_REGION=a\nAWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=ipv6\nAWS_EC2_METADATA_DISABLED=false", "a",
         "https://ec2.a.amazonaws.com", "https://sts.a.amazonaws.com", "http://[fd00:ec2::254]", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_environment fake = {.text = cases[i].environment};
        const struct environment environment = {fake_get, &fake};
        struct aws_config config;
        struct error err = {0};
        if (aws_config_init(&environment, &config, &err) < 0)
            fail_msg("%s: %s", cases[i].environment, err.text);
        const char *region = config.region ? config.region : "r-1";
        CLEANUP(freep) char *ec2 = aws_config_make_endpoint(&config, "ec2", region);
        CLEANUP(freep) char *sts = aws_config_make_endpoint(&config, "sts", region);
        check_text(cases[i].environment, config.region, cases[i].region);
        check_text(cases[i].environment, ec2, cases[i].ec2);
        check_text(cases[i].environment, sts, cases[i].sts);
        check_text(cases[i].environment, config.imds_endpoint, cases[i].imds);
        check_text(cases[i].environment, config.ca_bundle, NULL);
        assert_int_equal(config.imds_disabled, cases[i].disabled);
        aws_config_done(&config);
    }
}

static void test_deployment_defaults(void **state)
{
    (void)state;
    struct fake_environment fake = {.text = "AWS_NITRO_AMI_ID=ami-1\nAWS_NITRO_KEY_NAME="};
    const struct environment environment = {fake_get, &fake};
    struct nitro_config config;
    struct error err = {0};
    assert_int_equal(nitro_config_init(&environment, true, &config, &err), 0);
    assert_string_equal(config.ami_id, "ami-1");
    assert_string_equal(config.instance_type, "m5.xlarge");
    assert_null(config.subnet_id);
    assert_null(config.security_group_id);
    assert_null(config.key_name);
    assert_null(config.iam_instance_profile);
    assert_int_equal(config.cpu_count, 2);
    assert_int_equal(config.memory_mib, 512);
    nitro_config_done(&config);
    fake.text = "";
    assert_int_equal(nitro_config_init(&environment, false, &config, &err), 0);
    assert_null(config.ami_id);
    nitro_config_done(&config);
}

static void test_deployment_values(void **state)
{
    (void)state;
    struct fake_environment fake = {
        .text = "AWS_NITRO_AMI_ID=ami-0a\nAWS_NITRO_INSTANCE_TYPE=u7i-12tb.224xlarge\n"
                "AWS_NITRO_SUBNET_ID=subnet-1\nAWS_NITRO_SECURITY_GROUP_ID=sg-2\nAWS_NITRO_KEY_NAME=my key\n"
                "AWS_NITRO_IAM_INSTANCE_PROFILE=arn:aws:iam::123456789012:instance-profile/a/b\n"
                "AWS_NITRO_ENCLAVE_CPU_COUNT=192\nAWS_NITRO_ENCLAVE_MEMORY_MB=1048576"};
    const struct environment environment = {fake_get, &fake};
    struct nitro_config config;
    struct error err = {0};
    assert_int_equal(nitro_config_init(&environment, true, &config, &err), 0);
    assert_string_equal(config.instance_type, "u7i-12tb.224xlarge");
    assert_string_equal(config.subnet_id, "subnet-1");
    assert_string_equal(config.security_group_id, "sg-2");
    assert_string_equal(config.key_name, "my key");
    assert_string_equal(config.iam_instance_profile, "arn:aws:iam::123456789012:instance-profile/a/b");
    assert_int_equal(config.cpu_count, 192);
    assert_int_equal(config.memory_mib, 1048576);
    nitro_config_done(&config);
}

/* Each is one bad variable, and the text names it. */
static void test_refusals(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "AWS_REGION=EU",
        "AWS_REGION=eu west",
        "AWS_REGION=-a",
        "AWS_DEFAULT_REGION=a/b",
        "AWS_REGION=a.evil",
        "AWS_ENDPOINT_URL=ftp://x",
        "AWS_ENDPOINT_URL=https://",
        "AWS_ENDPOINT_URL=https:///x",
        "AWS_ENDPOINT_URL_EC2=https://user@host",
        "AWS_ENDPOINT_URL_EC2=https://h/?q",
        "AWS_ENDPOINT_URL=host",
        "AWS_ENDPOINT_URL_STS=https://a b",
        "AWS_ENDPOINT_URL_STS=http://h\r",
        "AWS_CA_BUNDLE=/a\x01",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT=169.254.169.254",
        "AWS_EC2_METADATA_DISABLED=1",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=v5",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=yes",
        "AWS_NITRO_AMI_ID=i-1",
        "AWS_NITRO_AMI_ID=ami-",
        "AWS_NITRO_AMI_ID=ami-1 ",
        "AWS_NITRO_AMI_ID=ami-a_b",
        "AWS_NITRO_INSTANCE_TYPE=M5",
        "AWS_NITRO_SUBNET_ID=sn-1",
        "AWS_NITRO_SECURITY_GROUP_ID=default",
        "AWS_NITRO_KEY_NAME=a\tb",
        "AWS_NITRO_IAM_INSTANCE_PROFILE=a b",
        "AWS_NITRO_ENCLAVE_CPU_COUNT=0",
        "AWS_NITRO_ENCLAVE_CPU_COUNT=193",
        "AWS_NITRO_ENCLAVE_CPU_COUNT=two",
        "AWS_NITRO_ENCLAVE_CPU_COUNT=2.0",
        "AWS_NITRO_ENCLAVE_CPU_COUNT= 2",
        "AWS_NITRO_ENCLAVE_CPU_COUNT=-2",
        "AWS_NITRO_ENCLAVE_CPU_COUNT=0x2",
        "AWS_NITRO_ENCLAVE_CPU_COUNT=18446744073709551618",
        "AWS_NITRO_ENCLAVE_MEMORY_MB=63",
        "AWS_NITRO_ENCLAVE_MEMORY_MB=1048577",
        "AWS_NITRO_ENCLAVE_MEMORY_MB=512M",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_environment fake = {.text = cases[i]};
        const struct environment environment = {fake_get, &fake};
        CLEANUP(freep) char *variable = mem_strndup(cases[i], strcspn(cases[i], "="));
        CLEANUP(freep) char *wanted = mem_printf("%s must be a", variable);
        struct aws_config config;
        struct nitro_config nitro;
        struct error err = {0};
        bool is_nitro = strncmp(cases[i], "AWS_NITRO_", 10) == 0;
        int result = is_nitro ? nitro_config_init(&environment, false, &nitro, &err)
                              : aws_config_init(&environment, &config, &err);
        bool is_named = strncmp(err.text, wanted, strlen(wanted) - 1) == 0;
        if (result != -1 || err.kind != ERROR_INVALID || !is_named)
            fail_msg("%s: %s", cases[i], err.text);
    }
}

static void test_the_image_is_required(void **state)
{
    (void)state;
    struct fake_environment fake = {.text = "AWS_NITRO_AMI_ID="};
    const struct environment environment = {fake_get, &fake};
    struct nitro_config config;
    struct error err = {0};
    assert_int_equal(nitro_config_init(&environment, true, &config, &err), -1);
    assert_non_null(strstr(err.text, "AWS_NITRO_AMI_ID"));
}

static void test_the_process_has_an_environment(void **state)
{
    (void)state;
    assert_int_equal(setenv("TEE_TEST_EMPTY", "", 1), 0);
    assert_int_equal(setenv("TEE_TEST_SET", "x", 1), 0);
    assert_null(environment_find(environment_real(), "TEE_TEST_EMPTY"));
    assert_string_equal(environment_find(environment_real(), "TEE_TEST_SET"), "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cloud),
        cmocka_unit_test(test_deployment_defaults),
        cmocka_unit_test(test_deployment_values),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_the_image_is_required),
        cmocka_unit_test(test_the_process_has_an_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
