/* The strict parser, fault scripts and wildcards of the simulator, as tables. */
#include "base/cleanup.h"
#include "sim/fault.h"
#include "sim/filter.h"
#include "sim/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void parse_cases(void **state)
{
    static const char *const patterns[] = {"Id.N", "Filter.N.Name", "Filter.N.Value.M", "Name", NULL};
    static const struct {
        const char *body;
        const char *code; /* NULL = accepted */
    } cases[] = {
        {"", NULL},
        {"Action=A&Version=1&Name=a%20b+c", NULL},
        {"Id.1=a&Id.2=b&Id.10=c", "InvalidParameterValue"},
        {"Id.1=a&Id.3=b", "InvalidParameterValue"},
        {"Id.0=a", "UnknownParameter"},
        {"Id.=a", "UnknownParameter"},
        {"Id.N=a", "UnknownParameter"},
        {"Id.1x=a", "UnknownParameter"},
        {"name=a", "UnknownParameter"},
        {"Filter.1.Name=a&Filter.1.Value.1=b&Filter.2.Name=c", NULL},
        {"Filter.2.Name=a", "InvalidParameterValue"},
        {"Filter.1.Value.2=a", "InvalidParameterValue"},
        {"Name=a&Name=b", "InvalidParameterValue"},
        {"Name=%00", "MalformedQueryString"},
        {"Name=%4", "MalformedQueryString"},
        {"Name=%zz", "MalformedQueryString"},
        {"=a", "MalformedQueryString"},
        {"&&Name=a&", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(sim_query_done) struct sim_query query;
        struct sim_fail fail = {0};
        int result = sim_query_parse(&query, cases[i].body, strlen(cases[i].body), &fail);
        if (result == 0)
            result = sim_query_check(&query, patterns, &fail);
        if ((result < 0) != (cases[i].code != NULL) || strcmp(fail.code, cases[i].code ? cases[i].code : ""))
            fail_msg("case %zu '%s': %s", i, cases[i].body, fail.code);
    }
}

static void values_are_decoded(void **state)
{
    static const char body[] = "Name=a%20b+c%26&Limit=12&Flag=true&Bad=x";
    CLEANUP(sim_query_done) struct sim_query query;
    struct sim_fail fail = {0};
    long limit = 0;
    bool flag = false;
    (void)state;
    assert_int_equal(sim_query_parse(&query, body, strlen(body), &fail), 0);
    assert_string_equal(sim_query_get(&query, "Name"), "a b c&");
    assert_int_equal(sim_query_number(&query, "Limit", 0, &limit, &fail), 0);
    assert_int_equal(limit, 12);
    assert_int_equal(sim_query_bool(&query, "Flag", &flag, &fail), 0);
    assert_true(flag);
    assert_int_equal(sim_query_number(&query, "Bad", 0, &limit, &fail), -1);
    assert_int_equal(sim_query_bool(&query, "Bad", &flag, &fail), -1);
    assert_null(sim_query_get(&query, "None"));
}

static void wildcards(void **state)
{
    static const struct {
        const char *pattern;
        const char *text;
        bool is_match;
    } cases[] = {
        {"a", "a", true},         {"a", "A", false},      {"*", "", true},      {"a*", "abc", true},
        {"*c", "abc", true},      {"a*c", "abcd", false}, {"a?c", "abc", true}, {"a?c", "ac", false},
        {"a\\*", "a*", true},     {"a\\*", "ab", false},  {"\\?", "?", true},   {"\\?", "x", false},
        {"*a*b*", "xaxbx", true}, {"", "a", false},       {"**", "abc", true},  {"a\\\\", "a\\", true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (sim_wildcard_match(cases[i].pattern, cases[i].text) != cases[i].is_match)
            fail_msg("'%s' on '%s'", cases[i].pattern, cases[i].text);
}

static void faults_skip_and_count(void **state)
{
    struct sim_faults faults = {0};
    struct sim_fault taken;
    (void)state;
    sim_faults_add(&faults, &(struct sim_fault){.action = "Run", .count = 2, .skip = 1, .code = "A"});
    sim_faults_add(&faults, &(struct sim_fault){.action = "*", .count = 1, .code = "B"});
    assert_true(sim_faults_take(&faults, "Run", &taken)); /* skips A, meets B */
    assert_string_equal(taken.code, "B");
    assert_false(sim_faults_take(&faults, "Stop", &taken));
    assert_true(sim_faults_take(&faults, "Run", &taken));
    assert_string_equal(taken.code, "A");
    assert_true(sim_faults_take(&faults, "Run", &taken));
    assert_false(sim_faults_take(&faults, "Run", &taken));
    assert_int_equal(sim_fault_status(&(struct sim_fault){.code = "RequestLimitExceeded"}), 503);
    assert_int_equal(sim_fault_status(&(struct sim_fault){.code = "X", .http_status = 418}), 418);
    assert_true(sim_fault_is_capacity("InsufficientInstanceCapacity"));
    assert_false(sim_fault_is_capacity("InternalError"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_cases),
        cmocka_unit_test(values_are_decoded),
        cmocka_unit_test(wildcards),
        cmocka_unit_test(faults_skip_and_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
