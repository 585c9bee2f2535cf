/* The decoder alone: heads, containers, what it refuses, and that no count makes it do anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "nitro/cbor.h"
#include "pki/cbor_writer.h"

/* An exact heap copy, so that the address sanitizer sees a read past the end. */
static uint8_t *bytes_of(const char *hex, size_t *ret_len)
{
    size_t len = strlen(hex) / 2;
    uint8_t *bytes = mem_alloc(len ? len : 1);
    assert_int_equal(hex_decode(hex, bytes, len), 0);
    *ret_len = len;
    return bytes;
}

static const struct {
    const char *hex;
    int expected;
    enum cbor_type type;
    uint64_t value;
    size_t len;
} item_cases[] = {
    {"00", 0, CBOR_UINT, 0, 0},
    {"17", 0, CBOR_UINT, 23, 0},
    {"1818", 0, CBOR_UINT, 24, 0},
    {"190100", 0, CBOR_UINT, 256, 0},
    {"1a00010000", 0, CBOR_UINT, 65536, 0},
    {"1b0000000100000000", 0, CBOR_UINT, UINT64_C(1) << 32, 0},
    {"1bffffffffffffffff", 0, CBOR_UINT, UINT64_MAX, 0},
    {"3822", 0, CBOR_NEGATIVE, 34, 0},
    {"40", 0, CBOR_BYTES, 0, 0},
    {"43010203", 0, CBOR_BYTES, 3, 3},
    {"6161", 0, CBOR_TEXT, 1, 1},
    {"80", 0, CBOR_ARRAY, 0, 0},
    {"8100", 0, CBOR_ARRAY, 1, 0},
    {"a10000", 0, CBOR_MAP, 1, 0},
    {"9f", 0, CBOR_ARRAY, 0, 0},
    {"bf", 0, CBOR_MAP, 0, 0},
    {"d2", 0, CBOR_TAG, 18, 0},
    {"f6", 0, CBOR_NULL, 0, 0},
    {"f4", 0, CBOR_SIMPLE, 0, 0},
    {"f820", 0, CBOR_SIMPLE, 0, 0},
    {"fb0000000000000000", 0, CBOR_SIMPLE, 0, 0},
    {"", -1, 0, 0, 0},
    {"1817", -1, 0, 0, 0}, /* not the shortest form */
    {"1900ff", -1, 0, 0, 0},
    {"1a0000ffff", -1, 0, 0, 0},
    {"1b00000000ffffffff", -1, 0, 0, 0},
    {"18", -1, 0, 0, 0}, /* cut */
    {"1b00000000", -1, 0, 0, 0},
    {"4301", -1, 0, 0, 0},
    {"5bffffffffffffffff", -1, 0, 0, 0},
    {"1c", -1, 0, 0, 0}, /* reserved */
    {"1f", -1, 0, 0, 0},
    {"5f4101ff", -1, 0, 0, 0}, /* chunked */
    {"7f6161ff", -1, 0, 0, 0},
    {"df", -1, 0, 0, 0},
    {"ff", -1, 0, 0, 0}, /* a break where nothing is open */
    {"f810", -1, 0, 0, 0},
    {"fc", -1, 0, 0, 0},
    {"81", -1, 0, 0, 0}, /* counts beyond the input */
    {"a100", -1, 0, 0, 0},
    {"9b8000000000000000", -1, 0, 0, 0},
    {"bb7fffffffffffffff0000", -1, 0, 0, 0},
};

static void test_items(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(item_cases); i++) {
        struct cbor_reader reader;
        struct cbor_item item;
        size_t len;
        CLEANUP(freep) uint8_t *bytes = bytes_of(item_cases[i].hex, &len);
        cbor_init(&reader, bytes, len);
        if (cbor_next(&reader, &item) != item_cases[i].expected)
            fail_msg("%s", item_cases[i].hex);
        if (item_cases[i].expected < 0)
            continue;
        assert_int_equal(item.type, item_cases[i].type);
        assert_int_equal(item.value, item_cases[i].value);
        assert_int_equal(item.len, item_cases[i].len);
    }
}

static void test_skip(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        int expected;
        size_t left;
    } cases[] = {
        {"00", 0, 0},
        {"0000", 0, 1},
        {"8000", 0, 1},
        {"83010203f6", 0, 1},
        {"9f0102ff00", 0, 1},
        {"bf00016161f6ff", 0, 0},
        {"a201820203048000", 0, 1},
        {"c2410100", 0, 1},
        {"d281d2d20100", 0, 1},
        {"8181818100", 0, 0},
        {"818181818100", -1, 0}, /* five deep */
        {"9f9f9f9fffffffff", 0, 0},
        {"9f9f9f9f9fffffffffff", -1, 0},
        {"bf00ff", -1, 0}, /* a key without a value */
        {"9f01", -1, 0},
        {"bf", -1, 0},
        {"8200", -1, 0},
        {"a1ff00", -1, 0},
        {"82ff00", -1, 0},
        {"d2", -1, 0},
        {"d2ff", -1, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cbor_reader reader;
        size_t len;
        CLEANUP(freep) uint8_t *bytes = bytes_of(cases[i].hex, &len);
        cbor_init(&reader, bytes, len);
        if (cbor_skip(&reader) != cases[i].expected)
            fail_msg("%s", cases[i].hex);
        if (cases[i].expected == 0)
            assert_int_equal(reader.end - reader.at, cases[i].left);
        if (cases[i].expected == 0)
            assert_int_equal(reader.depth, 0);
    }
}

static void test_containers(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        int members; /* -1 = malformed */
    } cases[] = {
        {"80", 0}, {"83010203", 3}, {"9fff", 0}, {"9f0102ff", 2}, {"9f0102", -1}, {"a2010203f6", 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cbor_reader reader;
        struct cbor_item item;
        struct cbor_container container;
        size_t len;
        int more, members = 0;
        CLEANUP(freep) uint8_t *bytes = bytes_of(cases[i].hex, &len);
        cbor_init(&reader, bytes, len);
        assert_int_equal(cbor_next(&reader, &item), 0);
        assert_int_equal(cbor_enter(&reader, &item, &container), 0);
        while ((more = cbor_has_member(&reader, &container)) > 0) {
            assert_int_equal(cbor_skip(&reader), 0);
            if (item.type == CBOR_MAP)
                assert_int_equal(cbor_skip(&reader), 0);
            members++;
        }
        assert_int_equal(more < 0 ? -1 : members, cases[i].members);
    }
}

static void test_enter_wants_a_container(void **state)
{
    (void)state;
    struct cbor_reader reader;
    struct cbor_item item;
    struct cbor_container container;
    cbor_init(&reader, "\x00", 1);
    assert_int_equal(cbor_next(&reader, &item), 0);
    assert_int_equal(cbor_enter(&reader, &item, &container), -1);
    assert_int_equal(cbor_expect(&reader, CBOR_UINT, &item), -1);
}

/* What the test PKI writes, the decoder must read back. */
static void test_written_heads_are_read(void **state)
{
    (void)state;
    static const uint64_t values[] = {
        0, 23, 24, 255, 256, 65535, 65536, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct cbor_reader reader;
        struct cbor_item item;
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 16);
        cbor_write_head(&out, CBOR_MAJOR_UINT, values[i]);
        cbor_init(&reader, out.data, out.len);
        assert_int_equal(cbor_expect(&reader, CBOR_UINT, &item), 0);
        assert_int_equal(item.value, values[i]);
        assert_true(cbor_is_at_end(&reader));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_skip),
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_enter_wants_a_container),
        cmocka_unit_test(test_written_heads_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
