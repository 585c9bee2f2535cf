/* kubectl-tee over genuine documents and forged ones, as a person runs it: exit codes and last lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "program.h"

#include <dirent.h>
#include <string.h>

enum { SKIPPED = 77 };

/* PCR0 of v53, as the index of the documents gives its start. */
#define V53_PCR0                                                                                             \
    "2984ab215649c40ffe8f8b80cfadee47f1b06760f7d9257981f64b2758c347fafa6c733591b25e75ae7e9d1cb86ad5df"

static char *folder(void)
{
    const char *root = getenv("TEE_TEST_VECTORS");
    return mem_printf("%s/attestation", root ? root : "../shared/vectors");
}

/* The path of the one document whose name starts so. */
static char *find(const char *prefix)
{
    CLEANUP(freep) char *dir_path = folder();
    DIR *dir = opendir(dir_path);
    struct dirent *entry;
    char *path = NULL;
    while (dir && !path && (entry = readdir(dir)))
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
            path = mem_printf("%s/%s", dir_path, entry->d_name);
    closedir(dir);
    if (!path)
        fail_msg("%s is missing", prefix);
    return path;
}

static int64_t today(void *ctx)
{
    (void)ctx;
    return INT64_C(1795392000000); /* 2026-11-23: after the newest of the documents */
}

/* Yields the exit code; ret_last is the last line. */
static int run(const char *path, const char *const *more, char ret_last[256])
{
    static const struct clock clock = {.wall_ms = today, .mono_ms = today};
    char *argv[8] = {(char *)(uintptr_t) "kubectl-tee", (char *)(uintptr_t) "verify",
                     (char *)(uintptr_t)path};
    int argc = 3;
    CLEANUP(freep) char *out = NULL;
    size_t len = 0;
    for (; *more; more++)
        argv[argc++] = (char *)(uintptr_t)*more; /* argv is char *; nothing is written */
    struct program program = {.in = stdin, .out = open_memstream(&out, &len), .err = stderr, .clock = &clock};
    int code = program_run(&program, argc, argv);
    fclose(program.out);
    assert_true(len > 0 && out[len - 1] == '\n');
    out[len - 1] = '\0';
    const char *line = strrchr(out, '\n');
    snprintf(ret_last, 256, "%s", line ? line + 1 : out);
    return code;
}

static void test_last_lines(void **state)
{
    (void)state;
    static const struct {
        const char *prefix;
        const char *args[4];
        int code;
        const char *last;
    } cases[] = {
        {"v53", {"--pcr=0=" V53_PCR0}, 0, "VerifiedWithoutNonce"},
        {"v53", {"--pcr=0=" V53_PCR0, "--instance-id=i-07859a25773d39fcc"}, 0, "VerifiedWithoutNonce"},
        {"v53", {"--pcr=0=" V53_PCR0, "--at=2025-04-29T10:33:00Z"}, 0, "VerifiedWithoutNonce"},
        {"v53", {"--pcr=0=" V53_PCR0, "--at=2025-04-29T10:34:00Z"}, 1, "Rejected: Stale: "},
        {"v53", {"--pcr=0=" V53_PCR0, "--at=now"}, 1, "Rejected: CertificateExpired: "},
        {"v53", {"--pcr=0=" V53_PCR0, "--nonce=00"}, 1, "Rejected: Nonce"},
        {"v53", {NULL}, 1, "Rejected: NoExpectedPCRs: "},
        {"v53", {"--instance-id=i-0123456789abcdef0"}, 1, "Rejected: WrongInstance: "},
        {"v02", {"--pcr=0=" V53_PCR0}, 1, "Rejected: PCRMismatch: "},
        {"v01", {NULL}, 1, "Rejected: DebugEnclave: "},
        {"x01", {NULL}, 1, "Rejected: BadSignature: "},
        {"x02", {NULL}, 1, "Rejected: UntrustedRoot: "},
        {"x03", {NULL}, 1, "Rejected: UntrustedRoot: "},
        {"x04", {NULL}, 1, "Rejected: MalformedDocument: "},
        {"x05", {NULL}, 1, "Rejected: MalformedDocument: "},
        {"x06", {NULL}, 1, "Rejected: MalformedDocument: "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(freep) char *path = find(cases[i].prefix);
        char last[256];
        int code = run(path, cases[i].args, last);
        if (code != cases[i].code || strncmp(last, cases[i].last, strlen(cases[i].last)) != 0)
            fail_msg("case %zu, %s: exit %d: %s", i, cases[i].prefix, code, last);
    }
}

/* Without an expectation no genuine document is more than measured, or debug. */
static void test_all(void **state)
{
    (void)state;
    CLEANUP(freep) char *dir_path = folder();
    DIR *dir = opendir(dir_path);
    struct dirent *entry;
    size_t count = 0;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] != 'v')
            continue;
        CLEANUP(freep) char *path = mem_printf("%s/%s", dir_path, entry->d_name);
        const char *wanted =
            strstr(path, "_debug") ? "Rejected: DebugEnclave: " : "Rejected: NoExpectedPCRs: ";
        char last[256];
        static const char *const none[] = {NULL};
        if (run(path, none, last) != 1 || strncmp(last, wanted, strlen(wanted)) != 0)
            fail_msg("%s: %s", entry->d_name, last);
        count++;
    }
    closedir(dir);
    assert_int_equal(count, 26);
}

int main(void)
{
    CLEANUP(freep) char *dir_path = folder();
    DIR *dir = opendir(dir_path);
    if (!dir) {
        printf("vectors: SKIPPED (kubectl-tee over attestation documents)\n");
        return SKIPPED;
    }
    closedir(dir);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_last_lines), cmocka_unit_test(test_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
