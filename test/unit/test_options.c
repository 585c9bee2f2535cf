/* The command line: every flag in both spellings, and what is said of a wrong one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "options.h"

#include <string.h>

enum { MAX_ARGS = 24 };

/* argv of the texts up to NULL, behind the program's name. */
static int parse(const char *const *texts, struct options *ret_options, struct error *err)
{
    char *argv[MAX_ARGS + 1] = {(char *)(uintptr_t) "tee-controller"};
    int argc = 1;
    for (; *texts; texts++)
        argv[argc++] = (char *)(uintptr_t)*texts; /* argv is char *; nothing is written */
    return options_parse(argc, argv, ret_options, err);
}

static void parse_well(const char *const *texts, struct options *ret_options)
{
    struct error err = {0};
    if (parse(texts, ret_options, &err) < 0)
        fail_msg("%s: %s", texts[0], err.text);
}

#define ARGS(...)  ((const char *const[]){__VA_ARGS__, NULL})
#define AT(member) offsetof(struct options, member)

static void test_defaults(void **state)
{
    (void)state;
    struct options options;
    static const char *const none[] = {NULL};
    parse_well(none, &options);
    assert_null(options.kubeconfig);
    assert_null(options.context);
    assert_null(options.selector);
    assert_null(options.leader_elect_namespace);
    assert_true(options.leader_elect);
    assert_int_equal(options.lease_duration_s, 15);
    assert_int_equal(options.renew_deadline_s, 10);
    assert_int_equal(options.retry_period_s, 2);
    assert_string_equal(options.metrics_address, ":8080");
    assert_string_equal(options.health_address, ":8081");
    assert_int_equal(options.workers, 16);
    assert_int_equal(options.inventory_interval_s, 60);
    assert_int_equal(options.orphan_sweep_interval_s, 120);
    assert_int_equal(options.ec2_share_percent, 100);
    assert_int_equal(options.attestation_port, 1300);
    assert_int_equal(options.max_launches_per_hour, 6);
    assert_int_equal(options.max_launches_per_hour_total, 60);
    assert_int_equal(options.max_instances, 0);
    assert_int_equal(options.cache_limit_mib, 0);
    assert_int_equal(options.root_count, 0);
    assert_int_equal(options.log_level, LOG_LEVEL_INFO);
    assert_int_equal(options.log_format, LOG_FORMAT_JSON);
    assert_false(options.allow_debug || options.allow_unmeasured || options.allow_adoption ||
                 options.require_ami_per_object || options.read_only || options.show_version ||
                 options.show_help);
}

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        const char *flag;
        size_t offset;
    } cases[] = {
        {"--kubeconfig", AT(kubeconfig)},
        {"--context", AT(context)},
        {"--selector", AT(selector)},
        {"--leader-elect-namespace", AT(leader_elect_namespace)},
        {"--metrics-bind-address", AT(metrics_address)},
        {"--health-probe-bind-address", AT(health_address)},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char joined[80];
        struct options options;
        snprintf(joined, sizeof(joined), "%s=a=b,c", cases[i].flag);
        parse_well(ARGS(joined), &options);
        assert_string_equal(*(const char **)((char *)&options + cases[i].offset), "a=b,c");
        parse_well(ARGS(cases[i].flag, "--x"), &options); /* whatever follows is the value */
        assert_string_equal(*(const char **)((char *)&options + cases[i].offset), "--x");
    }
}

static void test_switches(void **state)
{
    (void)state;
    static const struct {
        const char *flag;
        size_t offset;
    } cases[] = {
        {"--leader-elect", AT(leader_elect)},
        {"--allow-debug-enclaves", AT(allow_debug)},
        {"--allow-unmeasured", AT(allow_unmeasured)},
        {"--allow-adoption", AT(allow_adoption)},
        {"--require-ami-per-object", AT(require_ami_per_object)},
        {"--read-only", AT(read_only)},
        {"--version", AT(show_version)},
        {"--help", AT(show_help)},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char on[80];
        char off[80];
        char wrong[80];
        struct options options;
        struct error err = {0};
        snprintf(on, sizeof(on), "%s=true", cases[i].flag);
        snprintf(off, sizeof(off), "%s=false", cases[i].flag);
        snprintf(wrong, sizeof(wrong), "%s=1", cases[i].flag);
        parse_well(ARGS(off, cases[i].flag), &options);
        assert_true(*((bool *)((char *)&options + cases[i].offset)));
        parse_well(ARGS(off, on), &options);
        assert_true(*((bool *)((char *)&options + cases[i].offset)));
        parse_well(ARGS(on, off), &options); /* the last one counts */
        assert_false(*((bool *)((char *)&options + cases[i].offset)));
        assert_int_equal(parse(ARGS(wrong), &options, &err), -1);
        snprintf(wrong, sizeof(wrong), "%s must be true or false (see --help)", cases[i].flag);
        assert_string_equal(err.text, wrong);
        /* A switch takes no value from the next argument. */
        assert_int_equal(parse(ARGS(cases[i].flag, "false"), &options, &err), -1);
        assert_string_equal(err.text, "unexpected argument 'false' (see --help)");
    }
}

static const struct {
    const char *flag;
    size_t offset;
    int min, max;
    const char *beside; /* keeps the three times of the lease in order */
} numbers[] = {
    {"--leader-elect-lease-duration", AT(lease_duration_s), 3, 600, "--leader-elect-renew-deadline=2"},
    {"--leader-elect-renew-deadline", AT(renew_deadline_s), 2, 599, "--leader-elect-lease-duration=600"},
    {"--leader-elect-retry-period", AT(retry_period_s), 1, 60, "--leader-elect-renew-deadline=599"},
    {"--workers", AT(workers), 1, 256, NULL},
    {"--inventory-interval", AT(inventory_interval_s), 1, 3600, NULL},
    {"--attestation-port", AT(attestation_port), 1, 65535, NULL},
    {"--max-launches-per-hour", AT(max_launches_per_hour), 1, 1000, NULL},
    {"--max-launches-per-hour-total", AT(max_launches_per_hour_total), 1, 10000, NULL},
    {"--orphan-sweep-interval", AT(orphan_sweep_interval_s), 0, 3600, NULL},
    {"--max-instances", AT(max_instances), 1, 50000, NULL},
    {"--cache-limit-mib", AT(cache_limit_mib), 1, 65535, NULL},
    {"--kube-api-qps", AT(kube_api_qps), 1, 1000, NULL},
    {"--kube-api-burst", AT(kube_api_burst), 1, 1000, "--kube-api-qps=1"},
};

/* Both bounds are taken, in both spellings. */
static void test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        for (int k = 0; k < 2; k++) {
            char text[16];
            char joined[80];
            struct options options;
            int value = k ? numbers[i].max : numbers[i].min;
            snprintf(text, sizeof(text), "%d", value);
            snprintf(joined, sizeof(joined), "%s=%d", numbers[i].flag, value);
            const char *beside = numbers[i].beside ? numbers[i].beside : "--read-only";
            const char *long_lease =
                strstr(beside, "599") ? "--leader-elect-lease-duration=600" : "--read-only";
            const char *retry =
                strstr(numbers[i].flag, "retry") ? "--read-only" : "--leader-elect-retry-period=1";
            parse_well(ARGS(retry, beside, long_lease, joined), &options);
            assert_int_equal(*(int *)((char *)&options + numbers[i].offset), value);
            parse_well(ARGS(retry, beside, long_lease, numbers[i].flag, text), &options);
            assert_int_equal(*(int *)((char *)&options + numbers[i].offset), value);
        }
}

static void test_wrong_numbers(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "0", "-1", "+1", " 1", "1 ", "x", "1x", "0x10", "1.5", "65536", "1e3", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        for (size_t k = 0; k < ARRAY_LEN(wrong); k++) {
            char wanted[160];
            struct options options;
            struct error err = {0};
            int max = strstr(numbers[i].flag, "renew") ? 600 : numbers[i].max;
            if (numbers[i].min == 0 && strcmp(wrong[k], "0") == 0)
                continue; /* off */
            if (parse(ARGS(numbers[i].flag, wrong[k]), &options, &err) == 0)
                fail_msg("%s took '%s'", numbers[i].flag, wrong[k]);
            snprintf(wanted, sizeof(wanted), "%s must be a whole number from %d to %d (see --help)",
                     numbers[i].flag, numbers[i].min, max);
            assert_string_equal(err.text, wanted);
        }
}

static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum log_level level;
    } levels[] = {{"error", LOG_LEVEL_ERROR},
                  {"warn", LOG_LEVEL_WARN},
                  {"info", LOG_LEVEL_INFO},
                  {"debug", LOG_LEVEL_DEBUG}};
    struct options options;
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        char joined[40];
        snprintf(joined, sizeof(joined), "--log-level=%s", levels[i].text);
        parse_well(ARGS(joined), &options);
        assert_int_equal(options.log_level, levels[i].level);
        parse_well(ARGS("--log-level", levels[i].text), &options);
        assert_int_equal(options.log_level, levels[i].level);
    }
    parse_well(ARGS("--log-format", "text"), &options);
    assert_int_equal(options.log_format, LOG_FORMAT_TEXT);
    parse_well(ARGS("--log-format=text", "--log-format=json"), &options);
    assert_int_equal(options.log_format, LOG_FORMAT_JSON);
    parse_well(ARGS("--attestation-root", "a.pem", "--attestation-root=b.pem"), &options);
    assert_int_equal(options.root_count, 2);
    assert_string_equal(options.roots[0], "a.pem");
    assert_string_equal(options.roots[1], "b.pem");
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *args[12];
        const char *text;
    } cases[] = {
        {{"run"}, "unexpected argument 'run' (see --help)"},
        {{""}, "unexpected argument '' (see --help)"},
        {{"-h"}, "unexpected argument '-h' (see --help)"},
        {{"--"}, "unexpected argument '--' (see --help)"},
        {{"--worker=3"}, "unknown flag --worker (see --help)"},
        {{"--workersx", "3"}, "unknown flag --workersx (see --help)"},
        {{"--=3"}, "unknown flag -- (see --help)"},
        {{"--read-only", "--kubeconfig"}, "--kubeconfig needs a value: FILE"},
        {{"--workers"}, "--workers needs a value: N"},
        {{"--ec2-rate-share=0"}, "--ec2-rate-share must be a number from 0.01 to 100 (see --help)"},
        {{"--ec2-rate-share=101"}, "--ec2-rate-share must be a number from 0.01 to 100 (see --help)"},
        {{"--ec2-rate-share=half"}, "--ec2-rate-share must be a number from 0.01 to 100 (see --help)"},
        {{"--attestation-root"}, "--attestation-root needs a value: FILE"},
        {{"--log-level", "loud"}, "--log-level must be error, warn, info or debug (see --help)"},
        {{"--log-level="}, "--log-level must be error, warn, info or debug (see --help)"},
        {{"--log-format=xml"}, "--log-format must be json or text (see --help)"},
        {{"--leader-elect-lease-duration=10"},
         "--leader-elect-lease-duration must be longer than --leader-elect-renew-deadline (see --help)"},
        {{"--leader-elect-renew-deadline=6", "--leader-elect-retry-period=5"},
         "--leader-elect-renew-deadline must be more than 1.2 times --leader-elect-retry-period (see "
         "--help)"},
        {{"--attestation-root=1", "--attestation-root=2", "--attestation-root=3", "--attestation-root=4",
          "--attestation-root=5", "--attestation-root=6", "--attestation-root=7", "--attestation-root=8",
          "--attestation-root=9"},
         "--attestation-root must be given at most 8 times (see --help)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct options options = {.workers = -7};
        struct error err = {0};
        if (parse(cases[i].args, &options, &err) == 0)
            fail_msg("case %zu was taken", i);
        assert_int_equal(err.kind, ERROR_INVALID);
        assert_string_equal(err.text, cases[i].text);
        assert_int_equal(options.workers, -7); /* untouched */
    }
}

/* --help has a line for each flag that is tested here. */
static void test_help(void **state)
{
    (void)state;
    CLEANUP(freep) char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    options_print_help(out);
    fclose(out);
    size_t lines = 0;
    for (const char *at = strstr(text, "\n  --"); at; at = strstr(at + 1, "\n  --"))
        lines++;
    assert_int_equal(lines, 32); /* 6 texts, 8 switches, 13 numbers, share, root, namespaces, level, format */
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        assert_non_null(strstr(text, numbers[i].flag));
}

static void test_namespaces(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        size_t count;
        const char *last, *error;
    } cases[] = {
        {"a", 1, "a", NULL},
        {"team-a,team-b,0", 3, "0", NULL},
        {"", 0, NULL, "names of namespaces"},
        {"a,", 0, NULL, "names of namespaces"},
        {",a", 0, NULL, "names of namespaces"},
        {"a b", 0, NULL, "names of namespaces"},
        {"A", 0, NULL, "names of namespaces"},
        {"-a", 0, NULL, "names of namespaces"},
        {"a-", 0, NULL, "names of namespaces"},
        {"a/b", 0, NULL, "names of namespaces"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1, NULL, NULL},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0, NULL, "names of namespaces"},
        {"a,b,a", 0, NULL, "all different"},
        {"0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31", 32, "31",
         NULL},
        {"0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32", 0, NULL,
         "at most 32"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *argv[] = {"tee-controller", "--namespaces", (char *)(uintptr_t)cases[i].value, NULL};
        struct options options;
        struct error err = {0};
        int result = options_parse(3, argv, &options, &err);
        assert_int_equal(result, cases[i].error ? -1 : 0);
        if (cases[i].error) {
            assert_non_null(strstr(err.text, cases[i].error));
            continue;
        }
        assert_int_equal(options.namespace_count, cases[i].count);
        if (cases[i].last)
            assert_string_equal(options.namespaces[cases[i].count - 1], cases[i].last);
    }
}

static void test_burst_follows_the_rate(void **state)
{
    (void)state;
    struct options options;
    struct error err = {0};
    parse_well(ARGS("--log-level=info", "--log-format=json"), &options);
    assert_int_equal(options.kube_api_qps, 0);
    parse_well(ARGS("--kube-api-qps=20", "--log-format=json"), &options);
    assert_int_equal(options.kube_api_burst, 40);
    parse_well(ARGS("--kube-api-qps=900", "--log-format=json"), &options);
    assert_int_equal(options.kube_api_burst, 1000);
    parse_well(ARGS("--kube-api-qps=20", "--kube-api-burst=3"), &options);
    assert_int_equal(options.kube_api_burst, 3);
    assert_int_equal(parse(ARGS("--kube-api-burst=3"), &options, &err), -1);
    assert_string_equal(err.text, "--kube-api-burst must be given together with --kube-api-qps (see --help)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),      cmocka_unit_test(test_texts),
        cmocka_unit_test(test_switches),      cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_wrong_numbers), cmocka_unit_test(test_words),
        cmocka_unit_test(test_errors),        cmocka_unit_test(test_help),
        cmocka_unit_test(test_namespaces),    cmocka_unit_test(test_burst_follows_the_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
