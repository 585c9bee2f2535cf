/* What a secret leaves in memory is seen at free(), which the linker leads here (--wrap). */
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct {
    const char *text; /* NULL: nothing is looked at */
    size_t size;
    bool is_freed;
    bool is_wiped;
} watched;

void __real_free(void *pointer);
void __wrap_free(void *pointer);

void __wrap_free(void *pointer)
{
    if (watched.text && pointer && !watched.is_freed) {
        watched.is_freed = true;
        watched.is_wiped = true;
        for (size_t i = 0; i < watched.size; i++)
            if (watched.text[i] != '\0')
                watched.is_wiped = false;
    }
    __real_free(pointer);
}

static void watch(const char *text)
{
    watched.text = text;
    watched.size = strlen(text) + 1;
    watched.is_freed = watched.is_wiped = false;
}

static void expect_wiped(void)
{
    watched.text = NULL;
    assert_true(watched.is_freed);
    assert_true(watched.is_wiped);
}

static void test_text(void **state)
{
    (void)state;
    CLEANUP(secret_freep) struct secret *secret = secret_new("s3cret");
    CLEANUP(secret_freep) struct secret *part = secret_new_len("s3cret and more", 6);
    CLEANUP(secret_freep) struct secret *empty = secret_new("");
    assert_string_equal(secret_reveal(secret), "s3cret");
    assert_string_equal(secret_reveal(part), "s3cret");
    assert_string_equal(secret_reveal(empty), "");
}

static void test_none(void **state)
{
    (void)state;
    struct secret *none = NULL;
    assert_null(secret_new(NULL));
    assert_null(secret_new_len(NULL, 0));
    assert_null(secret_take(NULL));
    assert_null(secret_copy(NULL));
    assert_null(secret_prefixed("Authorization: ", NULL));
    assert_null(secret_reveal(NULL));
    secret_free(NULL);
    secret_freep(&none);
}

/* A copy lives on when its source is wiped. */
static void test_copies(void **state)
{
    (void)state;
    struct secret *secret = secret_new("s3cret");
    CLEANUP(secret_freep) struct secret *copy = secret_copy(secret);
    CLEANUP(secret_freep) struct secret *line = secret_prefixed("Authorization: Bearer ", secret);
    secret_freep(&secret);
    assert_null(secret);
    assert_string_equal(secret_reveal(copy), "s3cret");
    assert_string_equal(secret_reveal(line), "Authorization: Bearer s3cret");
}

static void test_wiped_when_freed(void **state)
{
    (void)state;
    struct secret *secret = secret_new("s3cret");
    struct secret *line = secret_prefixed("token: ", secret);
    watch(secret_reveal(secret));
    secret_free(secret);
    expect_wiped();
    watch(secret_reveal(line));
    secret_freep(&line);
    expect_wiped();
}

static void test_wiped_when_taken(void **state)
{
    (void)state;
    char *text = mem_strdup("s3cret");
    watch(text);
    CLEANUP(secret_freep) struct secret *secret = secret_take(text);
    expect_wiped();
    assert_string_equal(secret_reveal(secret), "s3cret");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_wiped_when_freed),
        cmocka_unit_test(test_wiped_when_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
