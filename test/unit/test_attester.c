/* The attester: its parts as tables, and the whole program over sockets with a double of the security module.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arguments.h"
#include "base/bucket.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "nitro/attest.h"
#include "nitro/attest_fetch.h"
#include "nsm_codec.h"
#include "pki/pki.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NONCE "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define GOOD  "GET /attestation?nonce=" NONCE " HTTP/1.1\r\nHost: e\r\n\r\n"

static void test_question(void **state)
{
    struct nsm_question question = {.nonce = {(const uint8_t *)"abc", 3}};
    CLEANUP(buf_done) struct buf out;
    char hex[256];
    (void)state;
    buf_init(&out, 4096);
    nsm_codec_encode(&question, &out);
    hex_encode(out.data, out.len, hex);
    assert_string_equal(hex, "a16b4174746573746174696f6e"
                             "a369757365725f64617461f6"
                             "656e6f6e636543616263"
                             "6a7075626c69635f6b6579f6");
    uint8_t field[NSM_FIELD_MAX] = {0};
    question = (struct nsm_question){{field, 23}, {field, 24}, {field, sizeof(field)}};
    buf_reset(&out);
    nsm_codec_encode(&question, &out);
    assert_int_equal(out.len, 13 + (11 + 1 + 23) + (6 + 2 + 24) + (11 + 3 + 1024));
}

static void test_nsm_answers(void **state)
{
    static const struct {
        const char *name, *hex;
        const char *text; /* NULL = good, with the document 01 02 */
    } cases[] = {
        {"document", "a16b4174746573746174696f6ea168646f63756d656e74420102", NULL},
        {"error", "a1654572726f726d496e707574546f6f4c61726765", "the security module refused: InputTooLarge"},
        {"error with other text", "a1654572726f7264266c743b",
         "the security module's answer has another form"},
        {"error without text", "a1654572726f7260", "the security module's answer has another form"},
        {"document empty", "a16b4174746573746174696f6ea168646f63756d656e7440",
         "the security module's answer has another form"},
        {"document as text", "a16b4174746573746174696f6ea168646f63756d656e74620102",
         "the security module's answer has another form"},
        {"other key inside", "a16b4174746573746174696f6ea168646f63756d656e75420102",
         "the security module's answer has another form"},
        {"two keys inside", "a16b4174746573746174696f6ea268646f63756d656e74420102616101",
         "the security module's answer has another form"},
        {"map of two that holds one", "a26b4174746573746174696f6ea168646f63756d656e74420102",
         "the security module's answer has another form"},
        {"other variant", "a16947657452616e646f6da0", "the security module's answer has another form"},
        {"plain text", "6b44657363726962654e534d", "the security module's answer has another form"},
        {"bytes after it", "a16b4174746573746174696f6ea168646f63756d656e7442010200",
         "the security module's answer has another form"},
        {"cut", "a16b4174746573746174696f6ea168646f63756d656e744201",
         "the security module's answer has another form"},
        {"nothing", "", "the security module's answer has another form"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t bytes[128];
        struct nsm_field document = {NULL, 0};
        struct error err = {.kind = ERROR_NONE};
        size_t len = strlen(cases[i].hex) / 2;
        assert_int_equal(hex_decode(cases[i].hex, bytes, len), 0);
        int got = nsm_codec_decode(bytes, len, &document, &err);
        if ((got < 0) != (cases[i].text != NULL) || strcmp(err.text, cases[i].text ? cases[i].text : "") != 0)
            fail_msg("%s: %d '%s'", cases[i].name, got, err.text);
        if (got == 0)
            assert_memory_equal(document.data, "\1\2", document.len);
    }
}

static void test_bucket(void **state)
{
    static const struct {
        int64_t at_ms;
        bool is_taken;
    } cases[] = {{0, true},        {0, true},       {0, true},       {0, true},       {0, false},
                 {499, false},     {500, true},     {501, false},    {1000, true},    {1499, false},
                 {1500, true},     {9000000, true}, {9000000, true}, {9000000, true}, {9000000, true},
                 {9000000, false}, {8999000, false}};
    struct bucket bucket;
    (void)state;
    bucket_init(&bucket, 2, 4, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (bucket_take(&bucket, cases[i].at_ms) != cases[i].is_taken)
            fail_msg("event %zu at %lld ms", i, (long long)cases[i].at_ms);
}

static void test_arguments(void **state)
{
    static char *const cases[][6] = {
        {"--listen", "vsock"},
        {"--listen", "vsock:"},
        {"--listen", "vsock:-1"},
        {"--listen=vsock:4294967295"},
        {"--listen", "tcp:1"},
        {"--listen", "tcp:1.2.3.4:x"},
        {"--listen", "tcp:1.2.3.4:65536"},
        {"--listen", "unix:"},
        {"--listen"},
        {"--listen="},
        {"--listne", "unix:/x"},
        {"--user-data-file"},
        {"program"},
        {"--"},
    };
    struct arguments parsed;
    struct error err;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *argv[8] = {"tee-attester"};
        int argc = 1;
        for (; cases[i][argc - 1]; argc++)
            argv[argc] = cases[i][argc - 1];
        if (arguments_parse(argc, argv, &parsed, &err) == 0)
            fail_msg("accepted: %s %s", argv[1], argv[2] ? argv[2] : "");
        assert_int_equal(err.kind, ERROR_INVALID);
        assert_true(err.text[0] == '-' || strncmp(err.text, "unknown", 7) == 0);
    }
    char *none[] = {"tee-attester", NULL};
    assert_int_equal(arguments_parse(1, none, &parsed, &err), 0);
    assert_int_equal(parsed.listen, LISTEN_VSOCK);
    assert_int_equal(parsed.port, 1300);
    assert_null(parsed.program);
    char *all[] = {
        "tee-attester", "--listen=tcp:127.0.0.1:0", "--user-data-file", "f", "--", "app", "--help", NULL};
    assert_int_equal(arguments_parse(7, all, &parsed, &err), 0);
    assert_int_equal(parsed.listen, LISTEN_TCP);
    assert_string_equal(parsed.host, "127.0.0.1");
    assert_string_equal(parsed.user_data_file, "f");
    assert_string_equal(parsed.program[0], "app");
    assert_string_equal(parsed.program[1], "--help");
    assert_false(parsed.show_help);
}

/* A running program. */
struct program {
    char dir[64];
    pid_t pid;
    uint16_t port;
    char errors[4096];
};

static int setup(void **state)
{
    struct program *program = mem_calloc(1, sizeof(*program));
    snprintf(program->dir, sizeof(program->dir), "/tmp/tee-attester-XXXXXX");
    assert_non_null(mkdtemp(program->dir));
    *state = program;
    return 0;
}

static int teardown(void **state)
{
    struct program *program = *state;
    char command[128];
    if (program->pid > 0) {
        kill(program->pid, SIGKILL);
        waitpid(program->pid, NULL, 0);
    }
    snprintf(command, sizeof(command), "rm -rf %s", program->dir);
    int failed = system(command);
    free(program);
    return failed;
}

static _Noreturn void run_child(const struct program *program, char *const *argv, int errors_fd)
{
    setenv("NSM_DOUBLE_DIR", program->dir, 1);
    /* The leak check traces the process, which one that must not be dumped does not allow. */
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    dup2(errors_fd, STDERR_FILENO);
    execvp(argv[0], argv);
    _exit(99);
}

/* Reads stderr until it says where it listens, or ends. */
static void read_start(struct program *program, int fd)
{
    size_t len = 0;
    ssize_t got;
    while (len + 1 < sizeof(program->errors) && !strstr(program->errors, "listening on") &&
           (got = read(fd, program->errors + len, sizeof(program->errors) - 1 - len)) > 0)
        len += (size_t)got;
    const char *tcp = strstr(program->errors, "tcp:127.0.0.1:");
    program->port = tcp ? (uint16_t)strtoul(tcp + 14, NULL, 10) : 0;
}

static void start(struct program *program, char *const *argv)
{
    int fds[2];
    memset(program->errors, 0, sizeof(program->errors));
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    program->pid = fork();
    if (program->pid == 0)
        run_child(program, argv, fds[1]);
    close(fds[1]);
    read_start(program, fds[0]);
    close(fds[0]);
}

static void start_on_tcp(struct program *program)
{
    char *argv[] = {ATTESTER_DOUBLE, "--listen", "tcp:127.0.0.1:0", NULL};
    start(program, argv);
    assert_int_not_equal(program->port, 0);
}

static int wait_for_end(struct program *program)
{
    int status = 0;
    assert_int_equal(waitpid(program->pid, &status, 0), program->pid);
    program->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int connect_to(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, address, len), 0);
    return fd;
}

static int connect_tcp(const struct program *program)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(program->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect_to((struct sockaddr *)&address, sizeof(address));
}

/* Everything until the peer's end; "" when it takes longer than that. */
static void read_answer(int fd, int timeout_ms, char *ret_answer, size_t size)
{
    size_t len = 0;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    memset(ret_answer, 0, size);
    while (len + 1 < size && poll(&poll_fd, 1, timeout_ms) > 0) {
        ssize_t got = read(fd, ret_answer + len, size - 1 - len);
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    close(fd);
}

static void ask(const struct program *program, const char *request, char *ret_answer, size_t size)
{
    int fd = connect_tcp(program);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    read_answer(fd, 5000, ret_answer, size);
}

static void fetch_and_verify(const struct program *program, struct attest_result *ret_result)
{
    struct http_client *client = http_client_new();
    struct attest_fetch fetch = {
        .protocol = attest_protocol_find("Native"), .address = "127.0.0.1", .port = program->port};
    struct attest_evidence evidence = {0};
    struct attest_roots roots;
    struct error err = {.kind = ERROR_NONE};
    struct attest_pcr pcr = {.index = 0};
    pki_sim_pcr(0, "00", pcr.value);
    struct attest_measurement set = {"v1", &pcr, 1, 0, 0};
    struct pki *pki = pki_new(program->dir, &err);
    attest_roots_init(&roots);
    assert_int_equal(attest_roots_add_pem(&roots, pki_root_pem(pki), &err), 0);
    if (attest_fetch(client, &fetch, &evidence, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(evidence.answer, ATTEST_ANSWER_DOCUMENT);
    struct attest_policy policy = {.roots = &roots,
                                   .now_ms = clock_wall_ms(clock_real()),
                                   .instance_id = "i-0123456789abcdef0",
                                   .require_nonce = true,
                                   .measurements = &set,
                                   .measurement_count = 1};
    attest_evidence_apply(&evidence, &policy);
    attest_verify(evidence.document.data, evidence.document.len, &policy, ret_result);
    attest_evidence_done(&evidence);
    attest_roots_done(&roots);
    pki_free(pki);
    http_client_free(client);
}

static void test_document(void **state)
{
    struct program *program = *state;
    struct attest_result results[3];
    for (int i = 0; i < 3; i++) {
        if (i != 1)
            start_on_tcp(program);
        fetch_and_verify(program, &results[i]);
        if (results[i].verdict != ATTEST_VERIFIED)
            fail_msg("%s: %s", attest_verdict_name(results[i].verdict), results[i].message);
        assert_true(results[i].nonce_verified);
        assert_int_equal(results[i].public_key_len, 32);
        assert_false(results[i].has_user_data);
        if (i != 0) {
            kill(program->pid, SIGTERM);
            assert_int_equal(wait_for_end(program), 0);
        }
    }
    /* One key for a boot, another for the next. */
    assert_memory_equal(results[0].public_key, results[1].public_key, 32);
    assert_memory_not_equal(results[0].public_key, results[2].public_key, 32);
}

static void test_user_data(void **state)
{
    struct program *program = *state;
    struct attest_result result;
    uint8_t digest[SHA256_BYTES];
    char path[128];
    snprintf(path, sizeof(path), "%s/user-data", program->dir);
    FILE *file = fopen(path, "we");
    fputs("version 7", file);
    fclose(file);
    char *argv[] = {ATTESTER_DOUBLE, "--listen", "tcp:127.0.0.1:0", "--user-data-file", path, NULL};
    start(program, argv);
    fetch_and_verify(program, &result);
    assert_int_equal(result.verdict, ATTEST_VERIFIED);
    sha256("version 7", 9, digest);
    assert_memory_equal(result.user_data_sha256, digest, sizeof(digest));
    /* Whatever a caller says of data or keys is no part of the document. */
    char answer[16384];
    ask(program, "GET /attestation?nonce=" NONCE "&user_data=00 HTTP/1.1\r\n\r\n", answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 400 ", 13);
}

static void test_statuses(void **state)
{
    static const struct {
        const char *request;
        const char *status;
    } cases[] = {
        {GOOD, "HTTP/1.1 200 OK\r\nContent-Type: application/cbor\r\n"},
        {"GET /attestation HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
        {"GET /attestation?nonce=00 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 "},
        {"POST /attestation?nonce=" NONCE " HTTP/1.1\r\n\r\n", "HTTP/1.1 405 "},
        {"\x16\x03\x01\r\n\r\n", "HTTP/1.1 400 "},
    };
    struct program *program = *state;
    char answer[16384];
    start_on_tcp(program);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ask(program, cases[i].request, answer, sizeof(answer));
        if (strncmp(answer, cases[i].status, strlen(cases[i].status)) != 0)
            fail_msg("case %zu: %.40s", i, answer);
    }
    char large[6000] = "GET /attestation?nonce=" NONCE " HTTP/1.1\r\nX: ";
    memset(large + strlen(large), 'x', sizeof(large) - strlen(large) - 1);
    ask(program, large, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 400 ", 13);
}

/* Four at once, then two a second; what is refused for another reason costs nothing. */
static void test_rate(void **state)
{
    struct program *program = *state;
    char answer[16384];
    int counts[2] = {0, 0};
    start_on_tcp(program);
    for (int i = 0; i < 10; i++)
        ask(program, "GET / HTTP/1.1\r\n\r\n", answer, sizeof(answer));
    for (int i = 0; i < 8; i++) {
        ask(program, GOOD, answer, sizeof(answer));
        bool is_refused = strncmp(answer, "HTTP/1.1 429 ", 13) == 0;
        counts[is_refused]++;
        if (is_refused)
            assert_non_null(strstr(answer, "\r\nRetry-After: 1\r\n"));
    }
    assert_in_range(counts[0], 4, 7);
    assert_in_range(counts[1], 1, 4);
}

static void test_module_refuses(void **state)
{
    static const struct {
        const char *error, *text;
    } cases[] = {{"InternalError", "the security module refused: InternalError"},
                 {"!garbage", "the security module's answer has another form"}};
    struct program *program = *state;
    char path[128], answer[16384];
    snprintf(path, sizeof(path), "%s/error", program->dir);
    start_on_tcp(program);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        FILE *file = fopen(path, "we");
        fputs(cases[i].error, file);
        fclose(file);
        ask(program, GOOD, answer, sizeof(answer));
        assert_memory_equal(answer, "HTTP/1.1 503 ", 13);
        assert_non_null(strstr(answer, cases[i].text));
    }
    unlink(path);
    ask(program, GOOD, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
}

/* More connections than there are places, each with a byte of a request: they lock nobody out, and end by
 * deadline. */
static void test_dripping_clients(void **state)
{
    struct program *program = *state;
    char answer[16384];
    int fds[40];
    start_on_tcp(program);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = connect_tcp(program);
        assert_int_equal(write(fds[i], "G", 1), 1);
    }
    int64_t start_ms = clock_mono_ms(clock_real());
    int fd = connect_tcp(program);
    const char *request = GOOD;
    assert_int_equal(write(fd, request, 30), 30);
    assert_int_equal(write(fd, request + 30, strlen(request) - 30), strlen(request) - 30);
    read_answer(fd, 5000, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
    assert_true(clock_mono_ms(clock_real()) - start_ms < 3000);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        read_answer(fds[i], 20000, answer, sizeof(answer));
        assert_string_equal(answer, "");
    }
    assert_true(clock_mono_ms(clock_real()) - start_ms < 15000);
}

static void test_unix_socket(void **state)
{
    struct program *program = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char listen[128], answer[16384];
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", program->dir);
    snprintf(listen, sizeof(listen), "unix:%s", address.sun_path);
    char *argv[] = {ATTESTER_DOUBLE, "--listen", listen, NULL};
    start(program, argv);
    int fd = connect_to((struct sockaddr *)&address, sizeof(address));
    assert_int_equal(write(fd, GOOD, strlen(GOOD)), strlen(GOOD));
    read_answer(fd, 5000, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
    kill(program->pid, SIGTERM);
    assert_int_equal(wait_for_end(program), 0);
    assert_int_equal(access(address.sun_path, F_OK), -1);
}

/* What the application writes when it is ready for a signal. */
static void await_file(const struct program *program, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", program->dir, name);
    for (int tries = 0; tries < 1000 && access(path, F_OK) != 0; tries++)
        poll(NULL, 0, 10);
    assert_int_equal(unlink(path), 0);
}

/* The application's end is ours, and signals reach it. */
static void test_application(void **state)
{
    static const struct {
        const char *script;
        int signal;
        int exit_code;
    } cases[] = {
        {"exit 7", 0, 7},
        {"kill -9 $$", 0, 128 + 9},
        {"trap 'exit 5' TERM; touch $NSM_DOUBLE_DIR/ready; while :; do sleep 0.05; done", SIGTERM, 5},
        {"trap 'exit 6' USR1; touch $NSM_DOUBLE_DIR/ready; while :; do sleep 0.05; done", SIGUSR1, 6},
        {"touch $NSM_DOUBLE_DIR/ready; exec sleep 20", SIGINT, 128 + 2},
    };
    struct program *program = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *argv[] = {ATTESTER_DOUBLE,         "--listen", "tcp:127.0.0.1:0", "--", "sh", "-c",
                        (char *)cases[i].script, NULL};
        start(program, argv);
        if (cases[i].signal) {
            await_file(program, "ready");
            kill(program->pid, cases[i].signal);
        }
        int got = wait_for_end(program);
        if (got != cases[i].exit_code)
            fail_msg("%s: %d", cases[i].script, got);
    }
    char *missing[] = {ATTESTER_DOUBLE, "--listen", "tcp:127.0.0.1:0", "--", "/nonexistent/app", NULL};
    start(program, missing);
    assert_int_equal(wait_for_end(program), 127);
    char *plain[] = {ATTESTER_DOUBLE, "--listen", "tcp:127.0.0.1:0", "--", "/etc/passwd", NULL};
    start(program, plain);
    assert_int_equal(wait_for_end(program), 126);
}

/* As the first process, it is the parent of all orphans: none of them stays a zombie. */
static void test_first_process(void **state)
{
    struct program *program = *state;
    char script[] = "(sleep 0.05 & sleep 0.05 &) ; sleep 0.6; "
                    "exit $(grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l)";
    char *probe[] = {"unshare", "--pid", "--fork", "--mount-proc", "true", NULL};
    start(program, probe);
    if (wait_for_end(program) != 0)
        skip(); /* not allowed to make a PID namespace here */
    char *argv[] = {"unshare",         "--pid", "--fork", "--mount-proc", ATTESTER_DOUBLE, "--listen",
                    "tcp:127.0.0.1:0", "--",    "sh",     "-c",           script,          NULL};
    start(program, argv);
    assert_int_equal(wait_for_end(program), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_question),
        cmocka_unit_test(test_nsm_answers),
        cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test_setup_teardown(test_document, setup, teardown),
        cmocka_unit_test_setup_teardown(test_user_data, setup, teardown),
        cmocka_unit_test_setup_teardown(test_statuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_module_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dripping_clients, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unix_socket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_application, setup, teardown),
        cmocka_unit_test_setup_teardown(test_first_process, setup, teardown),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
