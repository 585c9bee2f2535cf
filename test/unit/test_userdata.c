/* Everything of the configuration comes back, the script is bash, and no value gets out of its comment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "nitro/userdata.h"

#include <jansson.h>

static const char sha[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
static const struct userdata_port ports[] = {{"web", 443, 8443}, {"api", 8080, 8080}};
static const struct userdata_egress egress[] = {{"kms", "kms.eu-west-1.amazonaws.com", 443, 8000}};

static struct userdata_config sample(void)
{
    return (struct userdata_config){.image = "registry.example/app@sha256:00",
                                    .cpu_count = 2,
                                    .memory_mib = 512,
                                    .ports = ports,
                                    .port_count = 2,
                                    .egress = egress,
                                    .egress_count = 1,
                                    .attestation_protocol = "Native",
                                    .attestation_port = 1300};
}

static char *encode(const struct userdata_config *config)
{
    struct error err = {0};
    char *text = NULL;
    assert_int_equal(userdata_encode(config, &text, &err), 0);
    assert_true(strlen(text) <= USERDATA_MAX);
    return text;
}

static char *config_of(const char *text)
{
    char *json = userdata_find_config(text, strlen(text));
    assert_non_null(json);
    return json;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct userdata_config config = sample();
    CLEANUP(freep) char *text = encode(&config);
    CLEANUP(freep) char *json = config_of(text);
    assert_string_equal(
        json, "{\"version\":1,\"image\":\"registry.example/app@sha256:00\",\"enclave\":{\"cpuCount\":2,"
              "\"memoryMiB\":512,\"debugMode\":false},\"ports\":[{\"name\":\"web\",\"port\":443,"
              "\"enclavePort\":8443},{\"name\":\"api\",\"port\":8080,\"enclavePort\":8080}],\"egress\":[{"
              "\"name\":\"kms\",\"host\":\"kms.eu-west-1.amazonaws.com\",\"port\":443,\"vsockPort\":8000}],"
              "\"attestation\":{\"protocol\":\"Native\",\"port\":1300}}");
    config.image = NULL;
    config.eif_url = "s3://bucket/key";
    config.eif_sha256 = sha;
    config.debug_mode = true;
    config.port_count = config.egress_count = 0;
    config.attestation_protocol = "Disabled";
    config.attestation_port = 0;
    CLEANUP(freep) char *other_text = encode(&config);
    CLEANUP(freep) char *other = config_of(other_text);
    assert_non_null(strstr(other, "\"eif\":{\"url\":\"s3://bucket/key\",\"sha256\":\"0011"));
    assert_non_null(strstr(other, "\"debugMode\":true},\"ports\":[],\"egress\":[]"));
    assert_non_null(strstr(other, "\"attestation\":{\"protocol\":\"Disabled\"}}"));
}

/* The exit status of `bash -n`, here and for each program that the script writes. */
static int bash_check(const char *text, size_t len)
{
    FILE *bash = popen("bash -n", "w");
    assert_non_null(bash);
    assert_int_equal(fwrite(text, 1, len, bash), len);
    return pclose(bash);
}

static void test_script_is_bash(void **state)
{
    (void)state;
    struct userdata_config config = sample();
    CLEANUP(freep) char *text = encode(&config);
    assert_int_equal(strncmp(text, "#!/bin/bash\n", 12), 0);
    assert_int_equal(bash_check(text, strlen(text)), 0);
    int programs = 0;
    for (const char *at = text; (at = strstr(at, "<<'EOF'\n")) != NULL; programs++) {
        const char *end = strstr(at, "\nEOF\n");
        assert_non_null(end);
        at += strlen("<<'EOF'\n");
        assert_int_equal(bash_check(at, (size_t)(end - at) + 1), 0);
    }
    assert_int_equal(programs, 2);
}

static const char *const hostile[] = {
    "\"; touch /tmp/x; \"", "$(reboot)",      "`id`",        "a\n#tee-config-v1-end\nrm -rf /\n", "'\\''",
    "--output=/etc/passwd", "\r\n\t\x01\x7f", "\xc3\xa9\xff"};

/* Beside the line of base64, two scripts are equal whatever the values are. */
static void test_values_are_inert(void **state)
{
    (void)state;
    struct userdata_config config = sample();
    CLEANUP(freep) char *plain = encode(&config);
    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        struct userdata_egress evil = {hostile[i], hostile[i], 443, 8000};
        config.image = hostile[i];
        config.egress = &evil;
        CLEANUP(freep) char *text = encode(&config);
        const char *tail = strstr(text, "\n#tee-config-v1-end\n");
        assert_string_equal(tail, strstr(plain, "\n#tee-config-v1-end\n"));
        const char *block = strstr(text, "begin\n#") + strlen("begin\n#");
        assert_int_equal(strspn(block, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="),
                         (size_t)(tail - block));
        CLEANUP(freep) char *json = config_of(text);
        json_t *tree = json_loads(json, 0, NULL);
        assert_non_null(tree);
        if (i + 1 < ARRAY_LEN(hostile))
            assert_string_equal(json_string_value(json_object_get(tree, "image")), hostile[i]);
        json_decref(tree);
    }
}

static void expect_invalid(const struct userdata_config *config, const char *reason)
{
    struct error err = {0};
    char *text = NULL;
    assert_int_equal(userdata_encode(config, &text, &err), -1);
    assert_null(text);
    assert_int_equal(err.kind, ERROR_INVALID);
    assert_string_equal(err.reason, reason);
}

static void test_limits(void **state)
{
    (void)state;
    struct userdata_config config = sample();
    config.eif_url = "https://x";
    expect_invalid(&config, "Invalid");
    config.image = NULL;
    config.eif_sha256 = "12";
    expect_invalid(&config, "Invalid");
    config.eif_sha256 = sha;
    config.port_count = USERDATA_PORTS_MAX + 1;
    expect_invalid(&config, "Invalid");
    config.port_count = 0;
    config.attestation_port = 0;
    expect_invalid(&config, "Invalid");
    config.attestation_port = 65536;
    expect_invalid(&config, "Invalid");
    config.attestation_port = 1300;
    config.cpu_count = 0;
    expect_invalid(&config, "Invalid");
    config.cpu_count = 2;
    CLEANUP(freep) char *text = encode(&config);
    CLEANUP(freep) char *long_url = mem_calloc(1, USERDATA_MAX);
    memset(long_url, 'x', 1 + (USERDATA_MAX - strlen(text)));
    config.eif_url = long_url;
    expect_invalid(&config, "UserDataTooLarge");
    memset(long_url, 0, USERDATA_MAX);
    memset(long_url, 'x', USERDATA_MAX - 1);
    expect_invalid(&config, "UserDataTooLarge");
}

static const struct {
    const char *text;
    const char *json;
} find_cases[] = {
    {"#tee-config-v1-begin\n#e30=\n#tee-config-v1-end\n", "{}"},
    {"#!/bin/bash\n#tee-config-v1-begin\n#e30=\n#tee-config-v1-end", "{}"},
    {"#tee-config-v1-begin\n#e3\n#0=\n#tee-config-v1-end\n", "{}"},
    {"", NULL},
    {"#!/bin/bash\necho\n", NULL},
    {" #tee-config-v1-begin\n#e30=\n#tee-config-v1-end\n", NULL},
    {"#tee-config-v1-begin\n#tee-config-v1-end\n", NULL},
    {"#tee-config-v1-begin\n#e30=\n", NULL},
    {"#tee-config-v1-begin\n#e30=", NULL},
    {"#tee-config-v1-begin\ne30=\n#tee-config-v1-end\n", NULL},
    {"#tee-config-v1-begin\n#e3!=\n#tee-config-v1-end\n", NULL},
    {"#tee-config-v1-begin\n#ewB9\n#tee-config-v1-end\n", NULL}, /* a NUL inside */
};

static void test_find(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(find_cases); i++) {
        size_t len = strlen(find_cases[i].text);
        CLEANUP(freep) char *exact = mem_alloc(len + 1);
        memcpy(exact, find_cases[i].text, len);
        CLEANUP(freep) char *json = userdata_find_config(exact, len);
        if (find_cases[i].json)
            assert_string_equal(json, find_cases[i].json);
        else
            assert_null(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_script_is_bash),
        cmocka_unit_test(test_values_are_inert), cmocka_unit_test(test_limits), cmocka_unit_test(test_find)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
