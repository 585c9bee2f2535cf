/* What is shown of a console: a table of lines, and secrets that must not appear wherever the text is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "nitro/console.h"

#define KEY_ID    "AKIAIOSFODNN7EXAMPLE"
#define SECRET    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define HEX       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define BASE64    "IQoJb3JpZ2luX2VjEJ3//////////wEaCXVzLWVhc3QtMSJHMEUCIQDx+Ag=="
#define WEB_TOKEN "eyJhbGciOi.eyJzdWIi.c2lnbmF0"

static const struct {
    const char *line;
    const char *shown;
} lines[] = {
    /* What a person needs stays. */
    {"[   12.3] cloud-init[1412]: Error: Unable to find a match: socat",
     "[   12.3] cloud-init[1412]: Error: Unable to find a match: socat"},
    {"tee-eif[99]: eif.sha256: the file behind eif.url has another digest",
     "tee-eif[99]: eif.sha256: the file behind eif.url has another digest"},
    {"systemd[1]: tee-eif.service: Main process exited, code=exited, status=1/FAILURE",
     "systemd[1]: tee-eif.service: Main process exited, code=exited, status=1/FAILURE"},
    {"/usr/libexec/tee/host: line 8: /run/tee/phase", "/usr/libexec/tee/host: line 8: /run/tee/phase"},
    {"fatal error: An error occurred (403) when calling the HeadObject operation: Forbidden",
     "fatal error: An error occurred (403) when calling the HeadObject operation: Forbidden"},
    {"/usr/lib/systemd/systemd-networkd-wait-online: timeout",
     "/usr/lib/systemd/systemd-networkd-wait-online: timeout"},
    {"Key type asymmetric registered", "Key type asymmetric registered"},
    /* Form: escapes, control characters, other alphabets. */
    {"\x1b[0;31m[FAILED]\x1b[0m Failed to start \x1b]0;title\atee-eif.", "[FAILED] Failed to start tee-eif."},
    {"a\tb\x01\x7f\xc3\xa4  ", "a b??"},
    {"50%\r100%", "50%\n100%"},
    {"", ""},
    {"a\n\n   \nb", "a\nb"},
    /* Names of secrets. */
    {"password=hunter2 and more", "password= [redacted]"},
    {"PASSWORD: hunter2", "PASSWORD: [redacted]"},
    {"db_passwd : hunter2", "db_passwd [redacted]"},
    {"export AWS_SECRET_ACCESS_KEY=x", "export AWS_SECRET_ACCESS_KEY= [redacted]"},
    {"{\"SecretAccessKey\" : \"x\", \"a\": 1}", "{\"SecretAccessKey [redacted]"},
    {"{'Token':'x'}", "{'Token [redacted]"},
    {"Authorization: Bearer x y", "Authorization: [redacted]"},
    {"curl -H \"X-aws-ec2-metadata-token: abc\"", "curl -H \"[redacted]: [redacted]"},
    {"sent bearer abc", "sent bearer [redacted]"},
    {"login --password hunter2 host", "login --password [redacted]"},
    {"api_key=1", "api_key= [redacted]"},
    {"a=1&signature=2", "a=1&signature= [redacted]"},
    {HEX ":token=x", "[redacted]:token= [redacted]"},
    /* URLs. */
    {"GET https://b.s3.amazonaws.com/k.eif?X-Amz-Credential=abc&b=c failed",
     "GET https://b.s3.amazonaws.com/k.eif?[redacted] failed"},
    {"url=https://user:pw@host:8443/p#frag.", "url=https://[redacted]@host:8443/p#[redacted]"},
    {"<s3://bucket/app.eif>", "<s3://bucket/app.eif>"},
    {"https://h/" HEX "/x", "https://h/[redacted]/x"},
    {"https://h?a=b@c", "https://h?[redacted]"},
    {HEX "://h/p", "[redacted]://h/p"},
    /* Runs. */
    {"id " KEY_ID ".", "id [redacted]."},
    {"got " SECRET " here", "got [redacted] here"},
    {"sha256:" HEX, "sha256:[redacted]"},
    {"x " BASE64 " y", "x [redacted] y"},
    {"jwt " WEB_TOKEN ", ok", "jwt [redacted], ok"},
    {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJk9 root@ip", "ssh-ed25519 [redacted] root@ip"},
    /* PEM. */
    {"a\n-----BEGIN PRIVATE KEY-----\nMC4CAQAw\nabc=\n-----END PRIVATE KEY-----\nb", "a\n[redacted]\nb"},
    {"MC4CAQAw\nabc=\n-----END PRIVATE KEY-----\nb", "[redacted]\nb"},
    {"a\n-----BEGIN PRIVATE KEY-----\nMC4CAQAw", "a"},
};

static char *tail_of(const char *text, size_t len, size_t max_bytes)
{
    struct buf out;
    buf_init(&out, 4096);
    console_put_tail(text, len, max_bytes, &out);
    return buf_steal(&out);
}

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        CLEANUP(freep) char *exact = mem_dup(lines[i].line, strlen(lines[i].line));
        CLEANUP(freep) char *shown = tail_of(exact, strlen(lines[i].line), 1000);
        assert_string_equal(shown, lines[i].shown);
    }
}

/* Whole lines, from the end; what is said last is what counts. */
static void test_bounds(void **state)
{
    (void)state;
    static const struct {
        size_t max_bytes;
        const char *shown;
    } cases[] = {{100, "one\ntwo\nthree"},
                 {13, "one\ntwo\nthree"},
                 {12, "two\nthree"},
                 {9, "two\nthree"},
                 {8, "three"},
                 {5, "three"},
                 {4, ""},
                 {0, ""}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(freep) char *shown = tail_of("one\ntwo\nthree\n", 14, cases[i].max_bytes);
        assert_string_equal(shown, cases[i].shown);
    }
    char wide[1000];
    memset(wide, '.', sizeof(wide));
    CLEANUP(freep) char *shown = tail_of(wide, sizeof(wide), 1000);
    assert_int_equal(strlen(shown), CONSOLE_LINE_MAX);
    assert_string_equal(shown + CONSOLE_LINE_MAX - 3, "...");
}

/* A long line is cut after its secrets were found, so that no cut leaves the beginning of one. */
static void test_secret_across_the_cut(void **state)
{
    (void)state;
    static const char *const secrets[] = {KEY_ID, SECRET, HEX, BASE64, WEB_TOKEN};
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        for (size_t before = 100; before < 200; before++) {
            char line[400];
            memset(line, '.', before);
            size_t len =
                before + (size_t)snprintf(line + before, sizeof(line) - before, " %s end", secrets[i]);
            for (size_t max_bytes = 0; max_bytes < 200; max_bytes += 7) {
                CLEANUP(freep) char *shown = tail_of(line, len, max_bytes);
                char start[9] = {0};
                memcpy(start, secrets[i], 8);
                assert_null(strstr(shown, start));
                assert_true(strlen(shown) <= max_bytes);
            }
        }
    }
}

/* Any bytes: what comes out is printable and within its bounds. */
static void test_any_bytes(void **state)
{
    (void)state;
    static const char pieces[] = "\x1b[]m:=/?#@-\"' \r\n\t\0\xff"
                                 "keyKEY0=://eyJ-----BEGIN -----END ";
    uint32_t random = 1;
    for (int round = 0; round < 2000; round++) {
        char text[300];
        size_t len = (size_t)round % sizeof(text);
        for (size_t i = 0; i < len; i++) {
            random = random * 1664525 + 1013904223;
            text[i] = pieces[(random >> 16) % (sizeof(pieces) - 1)];
        }
        CLEANUP(freep) char *exact = mem_dup(text, len);
        CLEANUP(freep) char *shown = tail_of(exact, len, 200);
        assert_true(strlen(shown) <= 200);
        for (const char *at = shown; *at; at++)
            assert_true(*at == '\n' || (*at >= ' ' && *at < 0x7f));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_bounds),
                                       cmocka_unit_test(test_secret_across_the_cut),
                                       cmocka_unit_test(test_any_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
