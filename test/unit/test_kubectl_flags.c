/* kubectl-tee's command line: every flag in every spelling, and what is said of a wrong one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "flags.h"

#include <string.h>

#define HEX_48                                                                                               \
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *const all[] = {"kubeconfig",  "context",  "namespace", "output", "live",
                                  "address",     "at",       "root",      "pcr",    "nonce",
                                  "instance-id", "role-arn", "max-age",   "name",   NULL};

static int parse(const char *const *texts, const char *const *names, struct flags *ret_flags,
                 struct error *err)
{
    char *args[24];
    int count = 0;
    for (; *texts; texts++)
        args[count++] = (char *)(uintptr_t)*texts; /* argv is char *; nothing is written */
    return flags_parse(count, args, names, ret_flags, err);
}

static void parse_well(const char *const *texts, struct flags *ret_flags)
{
    struct error err = {0};
    if (parse(texts, all, ret_flags, &err) < 0)
        fail_msg("%s: %s", texts[0], err.text);
}

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        const char *flag;
        size_t offset;
    } cases[] = {
        {"--kubeconfig", offsetof(struct flags, kubeconfig)},
        {"--context", offsetof(struct flags, context)},
        {"--namespace", offsetof(struct flags, name_space)},
        {"-n", offsetof(struct flags, name_space)},
        {"--root", offsetof(struct flags, roots)},
        {"--instance-id", offsetof(struct flags, instance_id)},
        {"--role-arn", offsetof(struct flags, role_arn)},
        {"--name", offsetof(struct flags, set_name)},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char joined[80];
        struct flags flags;
        snprintf(joined, sizeof(joined), "%s=a.b", cases[i].flag);
        parse_well(ARGS(joined, "x"), &flags);
        assert_string_equal(*(const char **)((char *)&flags + cases[i].offset), "a.b");
        assert_string_equal(flags.argument, "x");
        parse_well(ARGS("x", cases[i].flag, "a.b"), &flags);
        assert_string_equal(*(const char **)((char *)&flags + cases[i].offset), "a.b");
        assert_string_equal(flags.argument, "x");
    }
    struct flags flags;
    parse_well(ARGS("-nprod", "-"), &flags);
    assert_string_equal(flags.name_space, "prod");
    assert_string_equal(flags.argument, "-");
    parse_well(ARGS("--", "--live"), &flags);
    assert_string_equal(flags.argument, "--live");
    assert_false(flags.live);
}

static void test_values(void **state)
{
    (void)state;
    struct flags flags;
    parse_well(ARGS("--live", "--address", "192.0.2.7:1301", "--max-age=9", "-oyaml"), &flags);
    assert_true(flags.live);
    assert_string_equal(flags.address, "192.0.2.7");
    assert_int_equal(flags.port, 1301);
    assert_int_equal(flags.max_age_s, 9);
    assert_int_equal(flags.format, OUTPUT_YAML);
    assert_int_equal(flags.time, FLAGS_TIME_DEFAULT);
    parse_well(ARGS("--live", "--live=false", "--address=192.0.2.7", "--at", "now", "-o", "text"), &flags);
    assert_false(flags.live);
    assert_int_equal(flags.port, 0);
    assert_int_equal(flags.time, FLAGS_TIME_NOW);
    assert_int_equal(flags.format, OUTPUT_TEXT);
    parse_well(ARGS("--at=document", "--output=json"), &flags);
    assert_int_equal(flags.time, FLAGS_TIME_DOCUMENT);
    assert_int_equal(flags.format, OUTPUT_JSON);
    parse_well(ARGS("--at", "1970-01-01T00:01:00Z"), &flags);
    assert_int_equal(flags.time, FLAGS_TIME_GIVEN);
    assert_int_equal(flags.time_ms, 60000);
    parse_well(ARGS("--pcr", "8=" HEX_48, "--pcr=31=" HEX_48, "--nonce", "00fF"), &flags);
    assert_int_equal(flags.pcr_count, 2);
    assert_int_equal(flags.pcrs[0].index, 8);
    assert_int_equal(flags.pcrs[1].index, 31);
    assert_int_equal(flags.pcrs[1].value[47], 0xff);
    assert_true(flags.has_nonce);
    assert_int_equal(flags.nonce_len, 2);
    assert_int_equal(flags.nonce[1], 0xff);
    parse_well(ARGS("-h"), &flags);
    assert_true(flags.show_help);
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *args[12];
        const char *text;
    } cases[] = {
        {{"a", "b"}, "unexpected argument 'b' after 'a'"},
        {{"--verbose"}, "unknown flag --verbose"},
        {{"--liv=true"}, "unknown flag --liv"},
        {{"-x"}, "unknown flag -x"},
        {{"--context"}, "--context needs a value: NAME"},
        {{"-n"}, "--namespace needs a value: NAME"},
        {{"--namespace="}, "--namespace must be no empty text"},
        {{"--live=yes"}, "--live must be true or false"},
        {{"-o", "xml"}, "--output must be text, json or yaml"},
        {{"--address", "host"}, "--address must be an IPv4 address, with :PORT or without"},
        {{"--address", "192.0.2.7:"}, "--address must be an IPv4 address, with :PORT or without"},
        {{"--address", "192.0.2.7:0"}, "--address must be an IPv4 address, with :PORT or without"},
        {{"--address", "192.0.2.7:65536"}, "--address must be an IPv4 address, with :PORT or without"},
        {{"--address", "1234567890123456:1"}, "--address must be an IPv4 address, with :PORT or without"},
        {{"--at", "yesterday"}, "--at must be now, document or a time like 2026-01-02T03:04:05Z"},
        {{"--pcr", HEX_48}, "--pcr must be N=HEX, N from 0 to 31 and 96 hex digits"},
        {{"--pcr", "32=" HEX_48}, "--pcr must be N=HEX, N from 0 to 31 and 96 hex digits"},
        {{"--pcr", "=" HEX_48}, "--pcr must be N=HEX, N from 0 to 31 and 96 hex digits"},
        {{"--pcr", "-1=" HEX_48}, "--pcr must be N=HEX, N from 0 to 31 and 96 hex digits"},
        {{"--pcr", "0=" HEX_48 "0"}, "--pcr must be N=HEX, N from 0 to 31 and 96 hex digits"},
        {{"--pcr", "0=00"}, "--pcr must be N=HEX, N from 0 to 31 and 96 hex digits"},
        {{"--pcr", "0=" HEX_48, "--pcr", "0=" HEX_48}, "--pcr names PCR0 twice"},
        {{"--nonce", ""}, "--nonce must be 1 to 512 bytes in hex"},
        {{"--nonce", "0"}, "--nonce must be 1 to 512 bytes in hex"},
        {{"--nonce", "zz"}, "--nonce must be 1 to 512 bytes in hex"},
        {{"--max-age", "0"}, "--max-age must be a number of seconds from 1 to 31536000"},
        {{"--max-age", "1h"}, "--max-age must be a number of seconds from 1 to 31536000"},
        {{"--max-age", "99999999999"}, "--max-age must be a number of seconds from 1 to 31536000"},
        {{"--name", "V1"},
         "--name must be at most 63 of a-z 0-9 - . and begin and end with a letter or digit"},
        {{"--name", "-"},
         "--name must be at most 63 of a-z 0-9 - . and begin and end with a letter or digit"},
        {{"--root=1", "--root=2", "--root=3", "--root=4", "--root=5", "--root=6", "--root=7", "--root=8",
          "--root=9"},
         "--root must be given at most 8 times"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct flags flags = {.port = -7};
        struct error err = {0};
        if (parse(cases[i].args, all, &flags, &err) == 0)
            fail_msg("case %zu was taken", i);
        assert_int_equal(err.kind, ERROR_INVALID);
        assert_string_equal(err.text, cases[i].text);
        assert_int_equal(flags.port, -7); /* untouched */
    }
}

/* A subcommand takes its own flags and --help. */
static void test_flags_of_others(void **state)
{
    (void)state;
    static const char *const few[] = {"output", NULL};
    struct flags flags;
    struct error err = {0};
    assert_int_equal(parse(ARGS("-o", "json", "--help"), few, &flags, &err), 0);
    assert_int_equal(parse(ARGS("--live"), few, &flags, &err), -1);
    assert_string_equal(err.text, "unknown flag --live");
    assert_int_equal(parse(ARGS("-n", "x"), few, &flags, &err), -1);
    assert_string_equal(err.text, "unknown flag -n");
}

static void test_help(void **state)
{
    (void)state;
    CLEANUP(freep) char *text = NULL;
    size_t len = 0, lines = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    flags_print_help(all, out);
    fclose(out);
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, ARRAY_LEN(all)); /* all but NULL, and --help */
    assert_non_null(strstr(text, "  -n, --namespace NAME       namespace of the object"));
    assert_non_null(strstr(text, "\n      --pcr N=HEX            expected PCR"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),           cmocka_unit_test(test_values), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_flags_of_others), cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
