/* What /readyz answers, as a table: the facts, whether they are enough, and the line that says why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "readiness.h"

#include <string.h>

static const struct readiness_slot well;
static const struct readiness_slot broken = {ERROR_UNAVAILABLE, "cut"};
static const struct readiness_slot refused = {ERROR_DENIED, "who are you"};
static const struct readiness_slot absent = {ERROR_ABSENT, "no such thing"};

static void test_answers(void **state)
{
    (void)state;
    static const struct readiness ready = {.start = {ERROR_NONE, ""}};
    static const struct readiness starting = {.start = {ERROR_UNAVAILABLE, "no server"}};
    static const struct readiness outdated = {.definition = {ERROR_UNAVAILABLE, "no field x"}};
    static const struct readiness no_hosts = {.inventory = {ERROR_UNAVAILABLE, "busy"}};
    static const struct readiness no_keys = {.inventory = {ERROR_DENIED, "AuthFailure"}};
    static const struct {
        const struct readiness_facts facts;
        bool is_ready;
        const char *line;
    } cases[] = {
        {{&ready, &well, true, false, 5, true, true}, true, "[+] store ok\n"},
        {{&ready, &well, true, false, 5, true, false}, true, "role: standby\n"},
        {{&ready, &well, true, false, 5, true, true}, true, "role: leader\n"},
        {{&starting, &well, true, false, 5, true, true}, false, "[-] start not ready: no server\n"},
        {{&ready, &well, false, true, 5, true, true}, false, "[-] store not ready\n"},
        {{&ready, &broken, false, true, 5, true, true}, false, "[-] store not ready: cut\n"},
        {{&ready, &broken, true, false, 5, true, true}, true, "[+] store ok: cut\n"},
        {{&ready, &refused, true, false, 5, true, true}, false, "[-] store not ready: who are you\n"},
        {{&ready, &absent, true, false, 5, true, true}, false, "[-] store not ready: no such thing\n"},
        {{&ready, &well, true, true, 97999, true, true},
         false,
         "[-] store not ready: the API server was not heard for 97 s\n"},
        {{&ready, &broken, true, true, 97000, true, true},
         false,
         "[-] store not ready: the API server was not heard for 97 s: cut\n"},
        {{&outdated, &well, true, false, 5, true, true}, false, "[-] definition not ready: no field x\n"},
        {{&ready, &well, true, false, 5, false, true}, false, "[-] inventory not ready\n"},
        {{&no_hosts, &well, true, false, 5, true, true}, true, "[+] inventory ok: busy\n"},
        {{&no_keys, &well, true, false, 5, true, true}, false, "[-] inventory not ready: AuthFailure\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 4096);
        assert_int_equal(readiness_put(&cases[i].facts, &out), cases[i].is_ready);
        assert_non_null(strstr(buf_text(&out), cases[i].line));
    }
}

static void test_slots(void **state)
{
    (void)state;
    struct readiness_slot slot = {0};
    struct error err = {0};
    error_set(&err, ERROR_DENIED, "X", "said");
    readiness_slot_set(&slot, &err);
    assert_int_equal(slot.kind, ERROR_DENIED);
    assert_string_equal(slot.text, "said");
    readiness_slot_set(&slot, NULL);
    assert_int_equal(slot.kind, ERROR_NONE);
    assert_string_equal(slot.text, "");
    assert_ptr_equal(readiness_worse(&well, &broken), &broken);
    assert_ptr_equal(readiness_worse(&refused, &broken), &refused);
    assert_ptr_equal(readiness_worse(&broken, &absent), &absent);
    assert_ptr_equal(readiness_worse(&broken, &well), &broken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_slots)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
