/* The Native protocol byte for byte: request heads whole and in pieces, answers, boot reports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "nitro/attest_protocol.h"
#include "nitro/native.h"

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define END   " HTTP/1.1\r\nHost: x\r\n\r\n"

static void test_request_table(void **state)
{
    (void)state;
    static const struct {
        const char *name, *head;
        enum native_status expected;
    } cases[] = {
        {"good", "GET /attestation?nonce=" HEX64 END, NATIVE_OK},
        {"good, no header", "GET /attestation?nonce=" HEX64 " HTTP/1.1\r\n\r\n", NATIVE_OK},
        {"good, 1.0", "GET /attestation?nonce=" HEX64 " HTTP/1.0\r\n\r\n", NATIVE_OK},
        {"empty", "", NATIVE_NEED_MORE},
        {"cut", "GET /attestation?nonce=" HEX64 " HTTP/1.1\r\nHost: x\r\n", NATIVE_NEED_MORE},
        {"no nonce", "GET /attestation" END, NATIVE_BAD_NONCE},
        {"empty query", "GET /attestation?" END, NATIVE_BAD_NONCE},
        {"upper case", "GET /attestation?nonce=A" HEX64 END, NATIVE_BAD_NONCE},
        {"one digit short", "GET /attestation?nonce=0112233445566778899aabbccddeeff" HEX64 END,
         NATIVE_BAD_NONCE},
        {"upper-case digit",
         "GET /attestation?nonce=A0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" END,
         NATIVE_BAD_NONCE},
        {"second parameter", "GET /attestation?nonce=" HEX64 "&x=1" END, NATIVE_BAD_NONCE},
        {"other parameter first", "GET /attestation?x=1&nonce=" HEX64 END, NATIVE_BAD_NONCE},
        {"other path", "GET /?nonce=" HEX64 END, NATIVE_BAD_PATH},
        {"longer path", "GET /attestation/raw?nonce=" HEX64 END, NATIVE_BAD_PATH},
        {"absolute form", "GET http://h/attestation?nonce=" HEX64 END, NATIVE_BAD_PATH},
        {"path before method", "POST /x" END, NATIVE_BAD_PATH},
        {"post", "POST /attestation?nonce=" HEX64 END, NATIVE_BAD_METHOD},
        {"head", "HEAD /attestation?nonce=" HEX64 END, NATIVE_BAD_METHOD},
        {"not HTTP", "hello\r\n\r\n", NATIVE_BAD_NONCE},
        {"HTTP/2", "GET /attestation?nonce=" HEX64 " HTTP/2\r\n\r\n", NATIVE_BAD_NONCE},
        {"two spaces", "GET  /attestation?nonce=" HEX64 END, NATIVE_BAD_NONCE},
        {"control byte", "GET /attest\x01", NATIVE_BAD_NONCE},
        {"nothing but ends", "\r\n\r\n", NATIVE_BAD_NONCE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t nonce[NATIVE_NONCE_BYTES] = {0};
        enum native_status got = native_request_parse(cases[i].head, strlen(cases[i].head), nonce);
        if (got != cases[i].expected)
            fail_msg("%s: got %d", cases[i].name, got);
        assert_int_equal(nonce[1], got == NATIVE_OK ? 0x11 : 0);
    }
}

static void test_request_byte_by_byte(void **state)
{
    (void)state;
    uint8_t nonce[NATIVE_NONCE_BYTES], got[NATIVE_NONCE_BYTES];
    for (size_t i = 0; i < sizeof(nonce); i++)
        nonce[i] = (uint8_t)(i * 9);
    char path[NATIVE_PATH_SIZE], head[256];
    native_request_path(nonce, path);
    int len = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n", path);
    for (int i = 0; i < len; i++)
        assert_int_equal(native_request_parse(head, (size_t)i, got), NATIVE_NEED_MORE);
    assert_int_equal(native_request_parse(head, (size_t)len, got), NATIVE_OK);
    assert_memory_equal(got, nonce, sizeof(nonce));
}

static void test_request_head_is_bounded(void **state)
{
    (void)state;
    char head[NATIVE_HEAD_MAX + 100];
    uint8_t nonce[NATIVE_NONCE_BYTES];
    memset(head, 'a', sizeof(head));
    memcpy(head, "GET / HTTP/1.1\r\nX: ", 19);
    assert_int_equal(native_request_parse(head, NATIVE_HEAD_MAX - 1, nonce), NATIVE_NEED_MORE);
    assert_int_equal(native_request_parse(head, NATIVE_HEAD_MAX, nonce), NATIVE_BAD_NONCE);
    memcpy(head + NATIVE_HEAD_MAX, "\r\n\r\n", 4);
    assert_int_equal(native_request_parse(head, sizeof(head), nonce), NATIVE_BAD_NONCE);
    static const char with_nul[] = "GET \0/ HTTP/1.1\r\n\r\n";
    assert_int_equal(native_request_parse(with_nul, sizeof(with_nul) - 1, nonce), NATIVE_BAD_NONCE);
}

static void test_answers(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 4096);
    native_answer_head(&out, 4500);
    assert_string_equal(buf_text(&out), "HTTP/1.1 200 OK\r\nContent-Type: application/cbor\r\n"
                                        "Content-Length: 4500\r\nConnection: close\r\n\r\n");
    static const struct {
        enum native_status status;
        const char *start;
    } cases[] = {
        {NATIVE_BAD_NONCE, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"},
        {NATIVE_BAD_PATH, "HTTP/1.1 404 Not Found\r\n"},
        {NATIVE_BAD_METHOD, "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\n"},
        {NATIVE_TOO_MANY, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\n"},
        {NATIVE_UNAVAILABLE, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_reset(&out);
        native_answer_refusal(&out, cases[i].status, "why");
        assert_memory_equal(out.data, cases[i].start, strlen(cases[i].start));
        assert_string_equal(out.data + out.len - 7, "\r\n\r\nwhy");
    }
    char reason[300];
    memset(reason, 'r', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    buf_reset(&out);
    native_answer_refusal(&out, NATIVE_BAD_NONCE, reason);
    assert_int_equal(strlen(strstr(out.data, "\r\n\r\n") + 4), NATIVE_REASON_MAX);
}

static void test_boot_round_trip(void **state)
{
    (void)state;
    for (int phase = 0; phase < NATIVE_PHASE_COUNT; phase++) {
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 4096);
        struct native_boot boot = {(enum native_phase)phase, 17 * phase}, got;
        native_answer_boot(&out, &boot);
        assert_non_null(strstr(out.data, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n"));
        const char *body = strstr(out.data, "\r\n\r\n") + 4;
        assert_int_equal(native_boot_decode(body, strlen(body), &got), 0);
        assert_int_equal(got.phase, boot.phase);
        assert_int_equal(got.seconds, boot.seconds);
    }
}

static void test_boot_table(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int expected;
    } cases[] = {
        {"{\"teeBoot\":{\"phase\":\"eif\",\"seconds\":12}}\n", 0},
        {"{\"teeBoot\":{\"phase\":\"eif\",\"seconds\":-1}}", -1},
        {"{\"teeBoot\":{\"phase\":\"eif\",\"seconds\":}}", -1},
        {"{\"teeBoot\":{\"phase\":\"eif\",\"seconds\":99999999999999999999}}", -1},
        {"{\"teeBoot\":{\"phase\":\"other\",\"seconds\":1}}", -1},
        {"{\"teeBoot\":{\"phase\":\"\",\"seconds\":1}}", -1},
        {"{\"teeBoot\":{\"phase\":\"eif\",\"seconds\":1}}x", -1},
        {"{\"teeBoot\":{\"phase\":\"eif\"}}", -1},
        {"{}", -1},
        {"", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct native_boot boot;
        if (native_boot_decode(cases[i].body, strlen(cases[i].body), &boot) != cases[i].expected)
            fail_msg("%s", cases[i].body);
    }
}

static void test_protocols(void **state)
{
    (void)state;
    assert_int_equal(attest_protocol_find("Native")->port, 1300);
    assert_int_equal(attest_protocol_find("Nitriding")->nonce_bytes, 20);
    assert_int_equal(attest_protocol_find("Oyster")->nonce_bytes, 0);
    assert_int_equal(attest_protocol_find("Nautilus")->encoding, ATTEST_ENCODING_JSON_HEX);
    assert_null(attest_protocol_find("Disabled"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_table),
        cmocka_unit_test(test_request_byte_by_byte),
        cmocka_unit_test(test_request_head_is_bounded),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_boot_round_trip),
        cmocka_unit_test(test_boot_table),
        cmocka_unit_test(test_protocols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
