/* The two forms of a log line: their keys, what they escape, and what a line that is too long gives up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"

static const struct log root = LOG_ROOT("controller");

static FILE *open_log(enum log_format format)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    log_configure(LOG_LEVEL_INFO, format, fileno(file));
    return file;
}

/* The one line that was written; the caller frees. */
static char *read_line(FILE *file)
{
    char *text = mem_calloc(1, 16384);
    rewind(file);
    size_t len = fread(text, 1, 16383, file);
    assert_true(len > 0 && strchr(text, '\n') == text + len - 1);
    return text;
}

static const char *text_of(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

/* The keys of controller-runtime's lines, in a chain of two contexts. */
static void test_json_has_the_usual_keys(void **state)
{
    (void)state;
    const struct log pass = {.parent = &root,
                             .fields = {DETAIL("controller", "teedeployment"),
                                        OBJECT("TeeDeployment", "default/web"), DETAIL("reconcileID", "77")}};
    CLEANUP(fclosep) FILE *file = open_log(LOG_FORMAT_JSON);
    log_error(&pass, "Pass failed", STR("reason", "Timeout"), STR("error", NULL), INT("attempt", 3));
    log_debug(&pass, "Not shown");
    CLEANUP(freep) char *line = read_line(file);
    json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    const json_t *object = json_object_get(json, "TeeDeployment");
    assert_string_equal(text_of(json, "level"), "error");
    assert_string_equal(text_of(json, "logger"), "controller");
    assert_string_equal(text_of(json, "msg"), "Pass failed");
    assert_string_equal(text_of(json, "controller"), "teedeployment");
    assert_string_equal(text_of(object, "name"), "web");
    assert_string_equal(text_of(object, "namespace"), "default");
    assert_string_equal(text_of(json, "name"), "web");
    assert_string_equal(text_of(json, "namespace"), "default");
    assert_string_equal(text_of(json, "reconcileID"), "77");
    assert_string_equal(text_of(json, "reason"), "Timeout");
    assert_null(json_object_get(json, "error"));
    assert_int_equal(json_integer_value(json_object_get(json, "attempt")), 3);
    json_decref(json);
}

static void test_text_is_for_people(void **state)
{
    (void)state;
    const struct log pass = {.parent = &root,
                             .fields = {OBJECT("TeeDeployment", "default/web"), DETAIL("reconcileID", "77")}};
    CLEANUP(fclosep) FILE *file = open_log(LOG_FORMAT_TEXT);
    log_warn(&pass, "Launch was refused", STR("error", "no \"room\""), BOOL("again", true));
    CLEANUP(freep) char *line = read_line(file);
    assert_string_equal(
        strstr(line, " warn "),
        " warn  Launch was refused object=\"default/web\" error=\"no \\\"room\\\"\" again=true\n");
}

static void test_what_steers_a_terminal_is_escaped(void **state)
{
    static const struct {
        const char *value;
        const char *told;
    } cases[] = {
        {"a\x1b[2J", "a\\u001b[2J"},
        {"a\x7f", "a\\u007f"},
        {"a\xc2\x9b"
         "2J",
         "a\\u009b2J"},
        {"a\xc2\x80", "a\\u0080"},
        {"a\xc2\x9f", "a\\u009f"},
        {"a\xc2\xa0", "a\xc2\xa0"},
        {"a\x9b", "a\xef\xbf\xbd"},
        {"a\nb", "a\\nb"},
        {"\xc3\xa9", "\xc3\xa9"},
    };
    static const enum log_format formats[] = {LOG_FORMAT_TEXT, LOG_FORMAT_JSON};
    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        CLEANUP(fclosep) FILE *file = open_log(formats[i % 2]);
        log_info(NULL, "Said", STR("what", cases[i / 2].value));
        CLEANUP(freep) char *line = read_line(file);
        CLEANUP(freep) char *told = mem_printf("\"%s\"", cases[i / 2].told);
        assert_non_null(strstr(line, told));
    }
}

/* The reason stays whole, the long error is cut between two characters. */
static void test_a_long_line_keeps_its_keys(void **state)
{
    (void)state;
    const struct log pass = {.parent = &root, .fields = {OBJECT("TeeDeployment", "default/web")}};
    CLEANUP(freep) char *error = mem_calloc(1, 20001);
    for (size_t i = 0; i < 20000; i += 2)
        memcpy(error + i, "\xc3\xa9", 2);
    CLEANUP(fclosep) FILE *file = open_log(LOG_FORMAT_JSON);
    log_error(&pass, "Pass failed", STR("reason", "Timeout"), STR("error", error), STR("last", "here"));
    CLEANUP(freep) char *line = read_line(file);
    assert_true(strlen(line) <= 8192);
    json_t *json = json_loads(line, 0, NULL);
    assert_string_equal(text_of(json, "name"), "web");
    assert_string_equal(text_of(json, "reason"), "Timeout");
    assert_string_equal(text_of(json, "last"), "here");
    assert_true(json_is_true(json_object_get(json, "truncated")));
    const char *told = text_of(json, "error");
    assert_true(strlen(told) >= 2048 && strncmp(told, error, strlen(told)) == 0);
    json_decref(json);
}

/* As many pairs as there may be, each of a long value that is escaped. */
static void test_the_longest_line_fits(void **state)
{
    (void)state;
    char text[500];
    memset(text, '\x01', sizeof(text));
    text[sizeof(text) - 1] = '\0';
#define FIVE STR("a", text), STR("b", text), STR("c", text), STR("d", text), STR("e", text)
    const struct log pass = {.fields = {OBJECT("TeeDeployment", text), STR("f", text)}};
    CLEANUP(fclosep) FILE *file = open_log(LOG_FORMAT_JSON);
    log_error(&pass, "Pass failed", FIVE, FIVE, FIVE, FIVE);
    CLEANUP(freep) char *line = read_line(file);
    json_t *json = json_loads(line, 0, NULL);
    assert_non_null(json);
    assert_true(json_is_true(json_object_get(json, "truncated")));
    json_decref(json);
}

static void test_uuid(void **state)
{
    (void)state;
    char one[UUID_TEXT_SIZE];
    char other[UUID_TEXT_SIZE];
    uuid_make(one);
    uuid_make(other);
    assert_int_equal(strlen(one), 36);
    assert_int_equal(strspn(one, "0123456789abcdef-"), 36);
    assert_true(one[8] == '-' && one[13] == '-' && one[14] == '4' && strchr("89ab", one[19]));
    assert_string_not_equal(one, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_has_the_usual_keys),
        cmocka_unit_test(test_text_is_for_people),
        cmocka_unit_test(test_what_steers_a_terminal_is_escaped),
        cmocka_unit_test(test_a_long_line_keeps_its_keys),
        cmocka_unit_test(test_the_longest_line_fits),
        cmocka_unit_test(test_uuid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
