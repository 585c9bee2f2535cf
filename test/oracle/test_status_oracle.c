/* The oracle itself: a good status passes, and each rule is seen to refuse. */
#include "status_oracle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TIME "2026-01-02T03:04:05Z"
#define CONDITION(type, status)                                                                              \
    "{\"type\":\"" type "\",\"status\":\"" status                                                            \
    "\",\"reason\":\"R\",\"message\":\"\",\"observedGeneration\":2,"                                         \
    "\"lastTransitionTime\":\"" TIME "\"}"
#define OTHERS                                                                                               \
    CONDITION("PreflightSucceeded", "True")                                                                  \
    "," CONDITION("HostLaunched", "True") "," CONDITION("HostBooted", "True") "," CONDITION(                 \
        "EnclaveRunning", "True") "," CONDITION("Attested", "True") "," CONDITION("Drifted", "False")
#define OBJECT(metadata, phase, conditions)                                                                  \
    "{\"metadata\":{\"generation\":2" metadata "},\"status\":{\"observedGeneration\":2,\"phase\":\"" phase   \
    "\",\"conditions\":[" conditions "]}}"

static const char good[] = OBJECT("", "Running", OTHERS "," CONDITION("Ready", "True"));
static const char working[] =
    OBJECT("", "Provisioning", OTHERS "," CONDITION("Ready", "False") "," CONDITION("Reconciling", "True"));
static const char stuck[] =
    OBJECT("", "Failed", OTHERS "," CONDITION("Ready", "False") "," CONDITION("Stalled", "True"));

static json_t *load(const char *text)
{
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    return object;
}

/* The first `from` in the text becomes `to`. */
static json_t *changed(const char *text, const char *from, const char *to)
{
    char buffer[4096];
    const char *at = strstr(text, from);
    assert_non_null(at);
    snprintf(buffer, sizeof(buffer), "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return load(buffer);
}

static void test_good_ones_pass(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *kstatus;
    } rows[] = {{good, "Current"},
                {working, "InProgress"},
                {stuck, "Failed"},
                {OBJECT(",\"deletionTimestamp\":\"" TIME "\"", "Terminating",
                        OTHERS "," CONDITION("Ready", "False") "," CONDITION("Reconciling", "True")),
                 "Terminating"}};
    char why[300];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *object = load(rows[i].text);
        assert_true(status_oracle_accepts(object, NULL, why, sizeof(why)));
        assert_string_equal(status_oracle_kstatus(object), rows[i].kstatus);
        json_decref(object);
    }
}

static void test_each_rule_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *from, *to, *why;
    } rows[] = {
        {good, "Attested", "Attempted", "Attested: is there from the first status on"},
        {good, "\"Ready\"", "\"Steady\"", "Ready: is there from the first status on"},
        {working, "\"Reconciling\",\"status\":\"True\"", "\"Reconciling\",\"status\":\"False\"",
         "Reconciling: is there only while it is True"},
        {good, "\"Drifted\",\"status\":\"False\"", "\"Drifted\",\"status\":\"false\"",
         "Drifted: status is True, False or Unknown"},
        {good, "\"reason\":\"R\"", "\"reason\":\"\"", "PreflightSucceeded: reason is CamelCase"},
        {good, "\"reason\":\"R\"", "\"reason\":\"two words\"", "PreflightSucceeded: reason is CamelCase"},
        {good, "\"message\":\"\",", "", "PreflightSucceeded: message is there"},
        {good, TIME, "2026-01-02 03:04", "PreflightSucceeded: lastTransitionTime is RFC 3339"},
        {good, "\"observedGeneration\":2,\"lastTransitionTime\"", "\"lastTransitionTime\"",
         "PreflightSucceeded: observedGeneration is a number"},
        {good, "\"observedGeneration\":2,\"lastTransitionTime\"",
         "\"observedGeneration\":3,\"lastTransitionTime\"",
         "PreflightSucceeded: observedGeneration is not ahead"},
        {good, "\"observedGeneration\":2,\"lastTransitionTime\"",
         "\"observedGeneration\":1,\"lastTransitionTime\"",
         "PreflightSucceeded: Ready=True speaks of the present generation"},
        {good, "\"Attested\"", "\"Drifted\"", "Attested: is there from the first status on"},
        {good, "{\"type\":\"Ready\"", CONDITION("Ready", "True") ",{\"type\":\"Ready\"",
         "Ready: a type is there once"},
        {working, "\"Ready\",\"status\":\"False\"", "\"Ready\",\"status\":\"True\"", "Ready: not True with"},
        {good, "\"Ready\",\"status\":\"True\"", "\"Ready\",\"status\":\"Unknown\"", "Ready: not True with"},
        {stuck, "{\"type\":\"Ready\"", CONDITION("Reconciling", "True") ",{\"type\":\"Ready\"",
         "Ready: not both"},
        {stuck, "Failed", "Running", "Running: the phase Failed is Stalled"},
        {working, "Provisioning", "Failed", "Failed: the phase Failed is Stalled"},
        {working, "\"status\":{\"observedGeneration\":2", "\"status\":{\"observedGeneration\":3",
         "observedGeneration: is a generation that was there"},
    };
    char why[300];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *object = changed(rows[i].text, rows[i].from, rows[i].to);
        assert_false(status_oracle_accepts(object, NULL, why, sizeof(why)));
        why[strlen(rows[i].why)] = '\0';
        assert_string_equal(why, rows[i].why);
        json_decref(object);
    }
}

static void test_what_was_before(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *why; /* of the status before; why NULL: accepted */
    } rows[] = {
        {"Running", "Provisioning", NULL},
        {"\"Ready\",\"status\":\"True\"", "\"Ready\",\"status\":\"False\"", NULL},
        {"Running", "Running", NULL},
        {TIME, "2026-01-01T00:00:00Z", "PreflightSucceeded: lastTransitionTime moves only when status does"},
        {"\"status\":{\"observedGeneration\":2", "\"status\":{\"observedGeneration\":3",
         "observedGeneration: does not go back"},
        {"\"Ready\",\"status\":\"True\",\"reason\":\"R\",\"message\":\"\",\"observedGeneration\":2,"
         "\"lastTransitionTime\":\"2026",
         "\"Ready\",\"status\":\"False\",\"reason\":\"R\",\"message\":\"\",\"observedGeneration\":2,"
         "\"lastTransitionTime\":\"2027",
         "Ready: lastTransitionTime does not go back"},
        /* the schema's default, before anybody wrote */
        {"\"conditions\":", "\"unwritten\":", NULL},
    };
    char why[300];
    json_t *object = load(good);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *before = changed(good, rows[i].from, rows[i].to);
        bool is_accepted = status_oracle_accepts(object, before, why, sizeof(why));
        assert_string_equal(why, rows[i].why ? rows[i].why : "");
        assert_int_equal(is_accepted, rows[i].why == NULL);
        assert_int_equal(status_oracle_is_change(object, before), strcmp(rows[i].from, rows[i].to) != 0);
        json_decref(before);
    }
    json_decref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good_ones_pass),
                                       cmocka_unit_test(test_each_rule_refuses),
                                       cmocka_unit_test(test_what_was_before)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
