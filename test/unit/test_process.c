/* Programs that print, fail, hang and print too much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"

static void test_how_a_run_ends(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        int64_t timeout_ms;
        const char *output;  /* NULL: it fails */
        const char *message; /* of the failure */
    } cases[] = {
        {"printf '%s' \"$NAME\"; cat", 10000, "value", NULL},
        {"echo out; echo err >&2", 10000, "out\n", NULL},
        {"exit 3", 10000, NULL, "setting: the program ended with exit code 3"},
        {"kill -9 $$", 10000, NULL, "setting: the program was ended by a signal"},
        {"head -c 200 /dev/zero; sleep 60", 10000, NULL, "setting: the program printed more than 100 bytes"},
        {"sleep 60 & sleep 60", 300, NULL, "setting: the program did not end within 300 ms"},
        {"exec >&-; sleep 60", 300, NULL, "setting: the program did not end within 300 ms"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *arguments[] = {(char *)"sh", (char *)"-c", (char *)cases[i].script, NULL};
        char *environment[] = {(char *)"NAME=value", (char *)"PATH=/usr/bin:/bin", NULL};
        const struct process process = {.what = "setting",
                                        .arguments = arguments,
                                        .environment = environment,
                                        .timeout_ms = cases[i].timeout_ms};
        struct error err = {0};
        CLEANUP(buf_done) struct buf out;
        int64_t start_ms = clock_mono_ms(clock_real());
        buf_init(&out, 100);
        int result = process_run(&process, &out, &err);
        if (result != (cases[i].output ? 0 : -1))
            fail_msg("%s: %s", cases[i].script, err.text);
        assert_string_equal(result == 0 ? buf_text(&out) : err.text,
                            result == 0 ? cases[i].output : cases[i].message);
        assert_true(clock_mono_ms(clock_real()) - start_ms < 20000);
    }
}

static void test_no_program_and_no_time(void **state)
{
    (void)state;
    char *arguments[] = {(char *)"/nowhere/program", NULL};
    struct stop stop;
    struct process process = {.what = "setting", .arguments = arguments, .timeout_ms = 1000, .stop = &stop};
    struct error err = {0};
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 100);
    stop_init(&stop);
    assert_int_equal(process_run(&process, &out, &err), -1);
    assert_int_equal(err.kind, ERROR_INVALID);
    assert_non_null(strstr(err.text, "setting: '/nowhere/program': "));
    stop_request(&stop);
    arguments[0] = (char *)"cat";
    assert_int_equal(process_run(&process, &out, &err), -1);
    assert_int_equal(err.kind, ERROR_STOPPED);
    stop_done(&stop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_a_run_ends),
        cmocka_unit_test(test_no_program_and_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
