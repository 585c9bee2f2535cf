/* Unit tables of pkg/base: text forms, buffers, maps and heaps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/crc32.h"
#include "base/encoding.h"
#include "base/error.h"
#include "base/heap.h"
#include "base/hmap.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/url.h"

static void test_buf_ceiling_is_sticky(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf buf;
    buf_init(&buf, 8);
    assert_int_equal(buf_puts(&buf, "12345678"), 0);
    assert_int_equal(buf_putc(&buf, '9'), -1);
    assert_false(buf_is_ok(&buf));
    assert_int_equal(buf_append(&buf, "", 0), -1);
    buf_reset(&buf);
    assert_int_equal(buf_printf(&buf, "%d", 12345678), 0);
    assert_int_equal(buf_printf(&buf, "%d", 1), -1);
    assert_string_equal(buf_text(&buf), "12345678");
}

static void test_json_writer_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in, *out;
        size_t len;
    } cases[] = {
        {"plain", "abc", "\"abc\"", 3},
        {"quote and backslash", "\"\\", "\"\\\"\\\\\"", 2},
        {"control and NUL", "\n\0\x1f", "\"\\n\\u0000\\u001f\"", 3},
        {"valid UTF-8", "\xc3\xa4\xf0\x9f\x98\x80", "\"\xc3\xa4\xf0\x9f\x98\x80\"", 6},
        {"overlong", "\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\"", 2},
        {"surrogate", "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"", 3},
        {"cut sequence", "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"", 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_done) struct buf buf;
        buf_init(&buf, 256);
        struct json_writer writer;
        json_writer_init(&writer, &buf);
        json_text_len(&writer, NULL, cases[i].in, cases[i].len);
        assert_string_equal(buf_text(&buf), cases[i].out);
    }
}

static void test_json_writer_places_commas(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf buf;
    buf_init(&buf, 256);
    struct json_writer writer;
    json_writer_init(&writer, &buf);
    json_open_object(&writer, NULL);
    json_open_array(&writer, "a");
    json_int(&writer, NULL, 1);
    json_open_object(&writer, NULL);
    json_close_object(&writer);
    json_close_array(&writer);
    json_text(&writer, "absent", NULL);
    json_bool(&writer, "b", true);
    json_close_object(&writer);
    assert_string_equal(buf_text(&buf), "{\"a\":[1,{}],\"b\":true}");
}

static void test_time_round_trip(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; /* -1 = refused */
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-23T21:48:18Z", INT64_C(1795470498000)},
        {"2026-11-23T21:48:18.250000Z", INT64_C(1795470498250)},
        {"2026-11-23T22:48:18+01:00", INT64_C(1795470498000)},
        {"2026-11-23T21:48:18", -1},
        {"2026-13-23T21:48:18Z", -1},
        {"2026-11-23T21:48:18.Z", -1},
        {"2026-11-23T21:48:18Zx", -1},
        {"", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = -1;
        assert_int_equal(time_parse(cases[i].text, &ms), cases[i].ms < 0 ? -1 : 0);
        assert_int_equal(ms, cases[i].ms);
    }
    char text[TIME_TEXT_SIZE];
    time_format(INT64_C(1795470498250), text);
    assert_string_equal(text, "2026-11-23T21:48:18Z");
    time_format_micro(INT64_C(1795470498250), text);
    assert_string_equal(text, "2026-11-23T21:48:18.250000Z");
}

static void test_base64_is_strict(void **state)
{
    (void)state;
    static const struct {
        const char *text, *data; /* data NULL = refused */
    } cases[] = {{"", ""},          {"Zg==", "f"},  {"Zm8=", "fo"}, {"Zm9v", "foo"}, {"Zm9vYmFy", "foobar"},
                 {"Zg=", NULL},     {"Zh==", NULL}, {"Zm9=", NULL}, {"Zm 9", NULL},  {"====", NULL},
                 {"Zg==Zg==", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(freep) uint8_t *data = NULL;
        size_t len = 0;
        int result = base64_decode(cases[i].text, strlen(cases[i].text), &data, &len);
        assert_int_equal(result, cases[i].data ? 0 : -1);
        if (!cases[i].data)
            continue;
        assert_int_equal(len, strlen(cases[i].data));
        assert_memory_equal(data, cases[i].data, len);
        CLEANUP(freep) char *text = base64_encode(data, len);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_hex_is_exact(void **state)
{
    (void)state;
    uint8_t data[2] = {0};
    assert_int_equal(hex_decode("aBcD", data, 2), 0);
    assert_int_equal(data[0] << 8 | data[1], 0xabcd);
    assert_int_equal(hex_decode("abc", data, 2), -1);
    assert_int_equal(hex_decode("abcde", data, 2), -1);
    assert_int_equal(hex_decode("abcg", data, 2), -1);
}

static void test_error_wrap_keeps_kind(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(error_set(&err, ERROR_ABSENT, "Gone", "no '%s'", "x"), -1);
    assert_int_equal(error_wrap(&err, "start of '%s'", "i-1"), -1);
    assert_string_equal(err.text, "start of 'i-1': no 'x'");
    assert_int_equal(err.kind, ERROR_ABSENT);
    for (int i = 0; i < 40; i++)
        error_wrap(&err, "a long context that repeats");
    assert_true(strlen(err.text) < sizeof(err.text));
}

static void test_hmap_many(void **state)
{
    (void)state;
    struct hmap map;
    hmap_init(&map);
    char key[16];
    for (intptr_t i = 1; i <= 1000; i++) {
        snprintf(key, sizeof(key), "k%d", (int)i);
        assert_null(hmap_set(&map, key, (void *)i));
    }
    assert_int_equal((intptr_t)hmap_set(&map, "k7", (void *)7007), 7);
    assert_int_equal((intptr_t)hmap_get(&map, "k7"), 7007);
    struct hmap_iter iter = {0};
    size_t seen = 0;
    while (hmap_next(&map, &iter)) {
        seen++;
        if ((intptr_t)iter.value % 2 == 0) {
            snprintf(key, sizeof(key), "%s", iter.key);
            hmap_remove(&map, key);
        }
    }
    assert_int_equal(seen, 1000);
    assert_int_equal(map.count, 500);
    assert_null(hmap_get(&map, "k8"));
    hmap_done(&map, NULL);
}

struct item {
    int order;
    size_t index;
};

static bool item_before(const void *a, const void *b)
{
    return ((const struct item *)a)->order < ((const struct item *)b)->order;
}

static void item_place(void *item, size_t index)
{
    ((struct item *)item)->index = index;
}

static void test_url_keeps_what_is_unreserved(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf buf;
    buf_init(&buf, 200);
    url_put_encoded(&buf, "aZ09-._~ /%\xc3\xa9");
    buf_putc(&buf, ' ');
    url_put_encoded_keeping(&buf, "/a\0b%", 5, "/%");
    assert_string_equal(buf_text(&buf), "aZ09-._~%20%2F%25%C3%A9 /a%00b%");
}

static void test_heap_order_and_removal(void **state)
{
    (void)state;
    struct heap heap;
    heap_init(&heap, item_before, item_place);
    struct item items[50];
    for (int i = 0; i < 50; i++) {
        items[i] = (struct item){.order = (i * 37) % 50};
        heap_push(&heap, &items[i]);
    }
    heap_remove(&heap, items[10].index);
    items[11].order = -1;
    heap_update(&heap, items[11].index);
    assert_ptr_equal(heap_peek(&heap), &items[11]);
    int last = -2;
    while (heap.count > 0) {
        struct item *top = heap_peek(&heap);
        assert_true(top->order > last && top != &items[10]);
        last = top->order;
        heap_remove(&heap, 0);
    }
    heap_done(&heap);
}

/* The check value of the catalogue of CRC algorithms, and that how the bytes are cut does not matter. */
static void test_crc32(void **state)
{
    (void)state;
    struct crc32 crc;
    crc32_init(&crc);
    assert_int_equal(crc32_value(&crc), 0);
    crc32_update(&crc, "123456789", 9);
    assert_int_equal(crc32_value(&crc), 0xcbf43926);
    for (size_t cut = 0; cut <= 43; cut++) {
        crc32_init(&crc);
        crc32_update(&crc, "The quick brown fox jumps over the lazy dog", cut);
        crc32_update(&crc, &"The quick brown fox jumps over the lazy dog"[cut], 43 - cut);
        assert_int_equal(crc32_value(&crc), 0x414fa339);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_ceiling_is_sticky),
        cmocka_unit_test(test_json_writer_escapes),
        cmocka_unit_test(test_json_writer_places_commas),
        cmocka_unit_test(test_time_round_trip),
        cmocka_unit_test(test_base64_is_strict),
        cmocka_unit_test(test_hex_is_exact),
        cmocka_unit_test(test_error_wrap_keeps_kind),
        cmocka_unit_test(test_hmap_many),
        cmocka_unit_test(test_heap_order_and_removal),
        cmocka_unit_test(test_url_keeps_what_is_unreserved),
        cmocka_unit_test(test_crc32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
