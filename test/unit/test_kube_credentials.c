/* Tokens and certificates that change under us, on a clock of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kube/credentials.h"
#include "trace.h"

static int64_t read_clock(void *ctx)
{
    return *(int64_t *)ctx;
}

/* NULL removes the file. */
static void put_file(const char *path, const char *text)
{
    if (!text) {
        remove(path);
        return;
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void note_change(void *ctx, const struct error *problem)
{
    trace_add(ctx, "%s", problem ? problem->reason : "good");
}

static void test_the_token_follows_its_file(void **state)
{
    (void)state;
    static const struct {
        const char *name, *file;
        int64_t at_ms;
        bool expire;
        const char *token; /* NULL = an error */
    } steps[] = {
        {"no file yet", NULL, 1000, false, NULL},
        {"empty file", "", 1000, false, NULL},
        {"not a token", "two words", 1000, false, NULL},
        {"first", "one\r\n", 2000, false, "one"},
        {"changed, not looked at yet", "two", 61999, false, "one"},
        {"a minute later", "two", 62000, false, "two"},
        {"asked for", "three", 62001, true, "three"},
        {"gone: the last one holds", NULL, 200000, false, "three"},
        {"half written: the last one holds", "", 300000, false, "three"},
        {"back", "four", 400000, false, "four"},
        {"no token: the last one holds", "two words", 500000, false, "four"},
        {"still none", NULL, 600000, false, "four"},
        {"back again", "five", 700000, false, "five"},
    };
    char path[] = "/tmp/test-kube-credentials-XXXXXX";
    close(mkstemp(path));
    int64_t now_ms = 0;
    const struct clock clock = {read_clock, read_clock, &now_ms};
    const struct kube_config config = {.token_file = path, .ca_pem = (char *)"CA"};
    struct trace trace;
    trace_init(&trace);
    struct kube_credentials *credentials = kube_credentials_new(&(struct kube_credentials_options){
        .config = &config, .clock = &clock, .changed = note_change, .ctx = &trace});
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        CLEANUP(kube_auth_unrefp) struct kube_auth *auth = NULL;
        struct error err = {0};
        now_ms = steps[i].at_ms;
        put_file(path, steps[i].file);
        if (steps[i].expire)
            kube_credentials_expire(credentials);
        int result = kube_credentials_get(credentials, 0, &auth, &err);
        if (result != (steps[i].token ? 0 : -1) ||
            (result == 0 && strcmp(secret_reveal(auth->token), steps[i].token) != 0))
            fail_msg("%s: %s", steps[i].name, result == 0 ? secret_reveal(auth->token) : err.text);
        if (result < 0)
            assert_non_null(strstr(err.text, path));
        else
            assert_string_equal(auth->ca_pem, "CA");
    }
    assert_string_equal(buf_text(&trace.text), "FileNotFound good BadToken good ");
    kube_credentials_free(credentials);
    trace_done(&trace);
    remove(path);
}

static void test_a_set_outlives_its_replacement(void **state)
{
    (void)state;
    int64_t now_ms = 0;
    const struct clock clock = {read_clock, read_clock, &now_ms};
    CLEANUP(secret_freep) struct secret *embedded = secret_new("embedded");
    const struct kube_config config = {.token = embedded, .token_file = (char *)"/nowhere/token"};
    struct kube_credentials *credentials =
        kube_credentials_new(&(struct kube_credentials_options){.config = &config, .clock = &clock});
    struct kube_auth *old = NULL;
    struct kube_auth *new = NULL;
    struct error err = {0};
    assert_int_equal(kube_credentials_get(credentials, 0, &old, &err), 0);
    assert_string_equal(secret_reveal(old->token), "embedded");
    kube_credentials_expire(credentials);
    assert_int_equal(kube_credentials_get(credentials, 0, &new, &err), 0);
    assert_ptr_not_equal(old, new);
    kube_credentials_free(credentials);
    assert_string_equal(secret_reveal(old->token), "embedded");
    assert_null(old->cert_pem);
    kube_auth_unref(old);
    kube_auth_unref(new);
}

/* An embedded pair is there as it stands, and a key file that cannot be read leaves what is embedded. */
static void test_an_embedded_key(void **state)
{
    (void)state;
    static const char *const files[] = {NULL, "/nowhere/key"};
    CLEANUP(secret_freep) struct secret *key = secret_new("key");
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        const struct kube_config config = {
            .cert_pem = (char *)"cert", .key_pem = key, .key_file = (char *)files[i]};
        struct kube_credentials *credentials = kube_credentials_new(
            &(struct kube_credentials_options){.config = &config, .clock = clock_real()});
        CLEANUP(kube_auth_unrefp) struct kube_auth *auth = NULL;
        struct error err = {0};
        assert_int_equal(kube_credentials_get(credentials, 0, &auth, &err), 0);
        kube_credentials_free(credentials);
        assert_string_equal(auth->cert_pem, "cert");
        assert_string_equal(secret_reveal(auth->key_pem), "key");
        assert_null(auth->token);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_token_follows_its_file),
        cmocka_unit_test(test_a_set_outlives_its_replacement),
        cmocka_unit_test(test_an_embedded_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
