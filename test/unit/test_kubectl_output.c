/* What reaches the terminal: formats to the byte, escaping, and the forms in which a document is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json_writer.h"
#include "document.h"
#include "kube/yaml_tree.h"
#include "measurements.h"
#include "output.h"
#include "printable.h"

#include <string.h>

static void test_printable(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {NULL, ""},
        {"plain text, 'quoted' \"too\" \\", "plain text, 'quoted' \"too\" \\"},
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x92", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x92"},
        {"a\nb\tc\rd", "a\\nb\\tc\\x0dd"},
        {"\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"},
        {"\x7f", "\\x7f"},
        {"\xc2\x9b"
         "31m",
         "\\u009b31m"}, /* CSI as one character */
        {"\x9b"
         "31m",
         "\xef\xbf\xbd"
         "31m"}, /* and as one byte */
        {"\xe2\x80\xae"
         "evil",
         "\\u202eevil"},
        {"\xe2\x80\xa8\xe2\x81\xa6\xe2\x80\x8f", "\\u2028\\u2066\\u200f"},
        {"\xc0\xaf\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd"},
        {"\xef\xbf\xbd", "\xef\xbf\xbd"},
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xff", "\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 1024);
        printable_put(&out, cases[i].text);
        if (strcmp(buf_text(&out), cases[i].shown) != 0)
            fail_msg("case %zu: '%s'", i, buf_text(&out));
    }
}

static void print(enum output_format format, const char *json, struct buf *out)
{
    CLEANUP(buf_done) struct buf data;
    buf_init(&data, OUTPUT_MAX);
    buf_puts(&data, json);
    output_data(format, &data, out);
}

static const char sample[] =
    "{\"z\":\"word\",\"a\":{\"n\":-1,\"yes\":true,\"none\":{},\"list\":[]},"
    "\"items\":[{\"index\":0,\"text\":\"4f\"},{\"index\":1,\"deep\":[\"x\",\"y z\"]}],"
    "\"null\":\"no\",\"e\":\"a\\nb: \\u001b\\u009b\\\"\"}";

static void test_json(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUTPUT_MAX);
    print(OUTPUT_JSON, sample, &out);
    assert_string_equal(buf_text(&out), "{\n"
                                        "  \"z\": \"word\",\n"
                                        "  \"a\": {\n"
                                        "    \"n\": -1,\n"
                                        "    \"yes\": true,\n"
                                        "    \"none\": {},\n"
                                        "    \"list\": []\n"
                                        "  },\n"
                                        "  \"items\": [\n"
                                        "    {\n"
                                        "      \"index\": 0,\n"
                                        "      \"text\": \"4f\"\n"
                                        "    },\n"
                                        "    {\n"
                                        "      \"index\": 1,\n"
                                        "      \"deep\": [\n"
                                        "        \"x\",\n"
                                        "        \"y z\"\n"
                                        "      ]\n"
                                        "    }\n"
                                        "  ],\n"
                                        "  \"null\": \"no\",\n"
                                        "  \"e\": \"a\\nb: \\u001b\\u009b\\\"\"\n"
                                        "}\n");
}

static void test_yaml(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUTPUT_MAX);
    print(OUTPUT_YAML, sample, &out);
    assert_string_equal(buf_text(&out), "z: word\n"
                                        "a:\n"
                                        "  \"n\": -1\n"
                                        "  \"yes\": true\n"
                                        "  none: {}\n"
                                        "  list: []\n"
                                        "items:\n"
                                        "- index: 0\n"
                                        "  text: \"4f\"\n"
                                        "- index: 1\n"
                                        "  deep:\n"
                                        "  - x\n"
                                        "  - \"y z\"\n"
                                        "\"null\": \"no\"\n"
                                        "e: \"a\\nb: \\u001b\\u009b\\\"\"\n");
}

/* Whatever the text, a YAML reader gets it back. */
static void test_yaml_texts_come_back(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "true",
        "No",
        "~",
        "null",
        "1",
        "0x1f",
        "1e3",
        "-",
        "- a",
        "a: b",
        "a #b",
        "#",
        "'",
        "\"",
        "\\",
        "*alias",
        "&x",
        "!tag",
        "%dir",
        "@at",
        "`",
        "{",
        "[x]",
        "a\nb",
        "a\tb",
        " lead",
        "trail ",
        "2026-01-02",
        "\xc2\x9b",
        "\xc2\x85",
        "\xe2\x80\xa8",
        "\xef\xbb\xbf",
        "\xf0\x9f\x94\x92",
        "\x7f",
        "e1",
        ".inf",
        "|",
        "?",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CLEANUP(buf_done) struct buf data, out;
        CLEANUP(yaml_tree_freep) struct yaml_tree *tree = NULL;
        struct json_writer writer;
        struct error err = {0};
        buf_init(&data, OUTPUT_MAX);
        buf_init(&out, OUTPUT_MAX);
        json_writer_init(&writer, &data);
        json_open_object(&writer, NULL);
        json_text(&writer, "key", texts[i]);
        json_close_object(&writer);
        output_data(OUTPUT_YAML, &data, &out);
        if (yaml_tree_load(buf_text(&out), out.len, &tree, &err) < 0)
            fail_msg("case %zu: %s: %s", i, buf_text(&out), err.text);
        const char *back = yaml_get_text(yaml_get_member(yaml_get_root(tree), "key"));
        if (!back || strcmp(back, texts[i]) != 0)
            fail_msg("case %zu: '%s' became '%s' by %s", i, texts[i], back ? back : "null", buf_text(&out));
        for (const char *c = buf_text(&out); *c; c++)
            assert_true((unsigned char)*c >= 0x20 || *c == '\n');
    }
}

static void test_lines(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUTPUT_MAX);
    output_line(&out, "Left out", NULL);
    output_line(&out, "Label",
                "a\x1b"
                "b");
    output_linef(&out, "Number", "%d of %s", 3, "x\ny");
    output_time(&out, "Never", 0, 1000);
    output_time(&out, "Time", 1000, 61000);
    assert_string_equal(buf_text(&out), "Label         a\\x1bb\n"
                                        "Number        3 of x\\ny\n"
                                        "Time          1970-01-01T00:00:01Z (60 s ago)\n");
}

static void test_ages(void **state)
{
    (void)state;
    static const struct {
        int64_t distance_s;
        const char *text;
    } cases[] = {
        {0, "just now"},
        {1, "1 s ago"},
        {119, "119 s ago"},
        {120, "2 min ago"},
        {7199, "119 min ago"},
        {7200, "2 h ago"},
        {172799, "47 h ago"},
        {172800, "2 days ago"},
        {-1, "in 1 s"},
        {-180, "in 3 min"},
        {-86400 * 400, "in 400 days"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 64);
        output_age(&out, 1000000000, 1000000000 + cases[i].distance_s * 1000);
        assert_string_equal(buf_text(&out), cases[i].text);
    }
}

static void test_documents(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        enum document_form form;
        const char *document;
    } cases[] = {
        {"\x84\x44\xa1", DOCUMENT_RAW, "\x84\x44\xa1"},
        {"hEShATgi\n", DOCUMENT_BASE64, "\x84\x44\xa1\x01\x38\x22"},
        {"hESh\r\nATgi", DOCUMENT_BASE64, "\x84\x44\xa1\x01\x38\x22"},
        {"8444A101 3822\n", DOCUMENT_HEX, "\x84\x44\xa1\x01\x38\x22"},
        {"not a document!", DOCUMENT_RAW, "not a document!"},
        {"", DOCUMENT_RAW, ""},
        {"\n", DOCUMENT_RAW, "\n"},
        {"844", DOCUMENT_RAW, "844"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_done) struct buf document;
        buf_init(&document, DOCUMENT_FILE_MAX);
        enum document_form form = document_decode(cases[i].file, strlen(cases[i].file), &document);
        if (form != cases[i].form || strcmp(buf_text(&document), cases[i].document) != 0)
            fail_msg("case %zu: %s of %zu bytes", i, document_form_name(form), document.len);
    }
}

static void test_set_names(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name;
    } cases[] = {
        {"hello", "hello"},
        {"My App_1.2", "my-app-1.2"},
        {"", "v1"},
        {"---", "v1"},
        {".hidden", "hidden"},
        {"a..", "a"},
        {"a--b", "a-b"},
        {"\xc3\xa9t\xc3\xa9", "t"},
        {"0123456789012345678901234567890123456789012345678901234567890123456789",
         "012345678901234567890123456789012345678901234567890123456789012"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char name[MEASUREMENTS_NAME_SIZE];
        measurements_make_name(cases[i].text, name);
        assert_string_equal(name, cases[i].name);
    }
}

/* The block that is pasted: zeros are left out. */
static void test_measurements(void **state)
{
    (void)state;
    uint8_t ones[ATTEST_PCR_BYTES], zero[ATTEST_PCR_BYTES] = {0};
    struct attest_pcr pcrs[MEASUREMENTS_PCRS_MAX];
    size_t count = 9;
    CLEANUP(buf_done) struct buf data, out;
    buf_init(&data, OUTPUT_MAX);
    buf_init(&out, OUTPUT_MAX);
    memset(ones, 0x11, sizeof(ones));
    measurements_fill((const uint8_t *const[]){ones, zero, NULL, ones}, pcrs, &count);
    assert_int_equal(count, 2);
    measurements_put_data("v1", pcrs, count, &data);
    output_data(OUTPUT_YAML, &data, &out);
#define ONES "111111111111111111111111111111111111111111111111"
    assert_string_equal(buf_text(&out), "measurements:\n"
                                        "- name: v1\n"
                                        "  pcrs:\n"
                                        "  - index: 0\n"
                                        "    sha384: \"" ONES ONES "\"\n"
                                        "  - index: 8\n"
                                        "    sha384: \"" ONES ONES "\"\n");
    buf_reset(&out);
    measurements_put_text(pcrs, count, &out);
    assert_string_equal(buf_text(&out), "PCR0          " ONES ONES "\nPCR8          " ONES ONES "\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_printable),    cmocka_unit_test(test_json),
        cmocka_unit_test(test_yaml),         cmocka_unit_test(test_yaml_texts_come_back),
        cmocka_unit_test(test_lines),        cmocka_unit_test(test_ages),
        cmocka_unit_test(test_documents),    cmocka_unit_test(test_set_names),
        cmocka_unit_test(test_measurements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
