/* The DER reader: what is DER is read, what is only BER is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "nitro/der.h"

static size_t bytes_of(const char *hex, uint8_t *ret, size_t size)
{
    size_t len = strlen(hex) / 2;
    assert_true(len <= size);
    assert_int_equal(hex_decode(hex, ret, len), 0);
    return len;
}

static void test_elements(void **state)
{
    static const struct {
        const char *name, *hex;
        int result;
        size_t len;
    } cases[] = {
        {"empty contents", "3000", 0, 0},
        {"one byte", "040141", 0, 1},
        {"rest is left", "0401414242", 0, 1},
        {"nothing", "", -1, 0},
        {"tag alone", "04", -1, 0},
        {"cut contents", "040241", -1, 0},
        {"indefinite length", "30800000", -1, 0},
        {"long form of a short length", "04810141", -1, 0},
        {"two octets for a short length", "0482000141", -1, 0},
        {"three octets", "0483000001ff", -1, 0},
        {"length of 2^32", "048500ffffffff", -1, 0},
        {"reserved length", "04ff", -1, 0},
        {"cut length", "0482ff", -1, 0},
        {"tag of several bytes", "1f8101", -1, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t bytes[16];
        struct der_reader reader;
        struct der_item item = {.len = 0};
        der_init(&reader, bytes, bytes_of(cases[i].hex, bytes, sizeof(bytes)));
        int got = der_next(&reader, &item);
        if (got != cases[i].result || item.len != cases[i].len)
            fail_msg("%s: %d, %zu bytes", cases[i].name, got, item.len);
    }
}

/* Lengths at the borders of their forms. */
static void test_lengths(void **state)
{
    static const size_t lens[] = {127, 128, 255, 256, 65535};
    static uint8_t bytes[65535 + 4];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        size_t len = lens[i], head = len < 128 ? 2 : len < 256 ? 3 : 4;
        struct der_reader reader;
        struct der_item item;
        bytes[0] = DER_OCTET_STRING;
        bytes[1] = (uint8_t)(head == 2 ? len : 0x80 + head - 2);
        if (head == 4)
            bytes[2] = (uint8_t)(len >> 8);
        if (head > 2)
            bytes[head - 1] = (uint8_t)len;
        der_init(&reader, bytes, head + len);
        assert_int_equal(der_next(&reader, &item), 0);
        assert_int_equal(item.len, len);
        assert_int_equal(item.whole_len, head + len);
        assert_true(der_is_at_end(&reader));
        der_init(&reader, bytes, head + len - 1);
        assert_int_equal(der_next(&reader, &item), -1);
    }
}

static void read_item(const char *hex, uint8_t *bytes, size_t size, struct der_item *ret_item)
{
    struct der_reader reader;
    der_init(&reader, bytes, bytes_of(hex, bytes, size));
    assert_int_equal(der_next(&reader, ret_item), 0);
}

static void test_booleans_and_numbers(void **state)
{
    static const struct {
        const char *hex;
        int result, value;
    } bools[] = {{"010100", 0, 0}, {"0101ff", 0, 1}, {"010101", -1, 0}, {"0100", -1, 0}, {"0102ffff", -1, 0}},
      ints[] = {{"020100", 0, 0},
                {"02017f", 0, 127},
                {"02020080", 0, 128},
                {"02047fffffff", 0, 2147483647},
                {"0200", -1, 0},
                {"0201ff", -1, 0},
                {"02020001", -1, 0},
                {"020480000000", -1, 0},
                {"02050080000000", -1, 0},
                {"02050100000000", -1, 0},
                {"0209010000000000000000", -1, 0}};
    (void)state;
    uint8_t bytes[16];
    struct der_item item;
    for (size_t i = 0; i < ARRAY_LEN(bools); i++) {
        bool value = false;
        read_item(bools[i].hex, bytes, sizeof(bytes), &item);
        assert_int_equal(der_get_bool(&item, &value), bools[i].result);
        assert_int_equal(value, bools[i].value);
    }
    for (size_t i = 0; i < ARRAY_LEN(ints); i++) {
        int value = 0;
        read_item(ints[i].hex, bytes, sizeof(bytes), &item);
        assert_int_equal(der_get_int(&item, &value), ints[i].result);
        assert_int_equal(value, ints[i].value);
    }
}

static void test_times(void **state)
{
    static const struct {
        unsigned tag;
        const char *text;
        int result;
        int64_t seconds;
    } cases[] = {
        {DER_UTC_TIME, "191028132805Z", 0, 1572269285},
        {DER_UTC_TIME, "491028142805Z", 0, 2519044085},
        {DER_UTC_TIME, "500101000000Z", 0, -631152000},
        {DER_UTC_TIME, "000229000000Z", 0, 951782400},
        {DER_GENERALIZED_TIME, "20500101000000Z", 0, 2524608000},
        {DER_GENERALIZED_TIME, "99991231235959Z", 0, INT64_C(253402300799)},
        {DER_GENERALIZED_TIME, "20491231235959Z", -1, 0},
        {DER_UTC_TIME, "210229000000Z", -1, 0},
        {DER_UTC_TIME, "211301000000Z", -1, 0},
        {DER_UTC_TIME, "210100000000Z", -1, 0},
        {DER_UTC_TIME, "210101240000Z", -1, 0},
        {DER_UTC_TIME, "210101006000Z", -1, 0},
        {DER_UTC_TIME, "210101000060Z", -1, 0},
        {DER_UTC_TIME, "2101010000Z", -1, 0},
        {DER_UTC_TIME, "210101000000", -1, 0},
        {DER_UTC_TIME, "2101010000000", -1, 0},
        {DER_UTC_TIME, "210101000000+0000", -1, 0},
        {DER_UTC_TIME, "2101010000 0Z", -1, 0},
        {DER_UTC_TIME, "2101010000-1Z", -1, 0},
        {DER_GENERALIZED_TIME, "20500101000000.5Z", -1, 0},
        {DER_UTF8_STRING, "191028132805Z", -1, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct der_item item = {
            .tag = cases[i].tag, .data = (const uint8_t *)cases[i].text, .len = strlen(cases[i].text)};
        int64_t ms = 0;
        int got = der_get_time(&item, &ms);
        if (got != cases[i].result || ms != cases[i].seconds * 1000)
            fail_msg("%s: %d, %lld", cases[i].text, got, (long long)ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_booleans_and_numbers),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
