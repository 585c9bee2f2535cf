/* What the handler hears, in whatever pieces the bytes come, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "nitro/xml.h"

static int note_start(void *ctx, const char *path, struct error *err)
{
    (void)err;
    return buf_printf(ctx, "<%s\n", path);
}

static int note_end(void *ctx, const char *path, const char *text, struct error *err)
{
    if (strcmp(text, "refuse") == 0)
        return error_set(err, ERROR_CONFLICT, "Refused", "refused");
    return buf_printf(ctx, ">%s=%s\n", path, text);
}

static int parse(const char *text, size_t len, size_t piece, struct buf *heard, struct error *err)
{
    struct xml_handler handler = {.ctx = heard, .on_start = note_start, .on_end = note_end};
    struct xml *xml = xml_new(&handler);
    int result = 0;
    for (size_t at = 0; at < len && result == 0; at += piece)
        result = xml_feed(xml, text + at, piece < len - at ? piece : len - at, err);
    if (result == 0)
        result = xml_finish(xml, err);
    else
        assert_int_equal(xml_finish(xml, NULL), -1);
    xml_free(xml);
    return result;
}

static void test_every_split(void **state)
{
    static const char text[] =
        "<?xml version=\"1.0\"?>\n<R xmlns='urn:x' xmlns:p='urn:p'> <a>1 &amp; 2</a>\n"
        "<p:set><item><k q='z'>\xc3\xa4<![CDATA[<x>]]></k></item><item/></p:set></R>\n";
    (void)state;
    for (size_t piece = 1; piece <= sizeof(text); piece++) {
        CLEANUP(buf_done) struct buf heard;
        buf_init(&heard, 4096);
        assert_int_equal(parse(text, strlen(text), piece, &heard, NULL), 0);
        assert_string_equal(
            buf_text(&heard),
            "<R\n<R/a\n>R/a=1 & 2\n<R/set\n<R/set/item\n<R/set/item/k\n>R/set/item/k=\xc3\xa4<x>\n"
            ">R/set/item=\n<R/set/item\n>R/set/item=\n>R/set=\n>R=\n");
    }
}

static const struct {
    const char *text;
    const char *reason;
} bad_cases[] = {
    {"", "XmlTruncated"},
    {"<a>", "XmlTruncated"},
    {"<a><b>x</b>", "XmlTruncated"},
    {"<a", "XmlTruncated"},
    {"<a></b>", "XmlMalformed"},
    {"Bad gateway", "XmlMalformed"},
    {"<a/><b/>", "XmlMalformed"},
    {"<a>&other;</a>", "XmlMalformed"},
    {"<a>\x01</a>", "XmlMalformed"},
    {"<!DOCTYPE html><html/>", "XmlForbidden"},
    {"<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "XmlForbidden"},
    {"<a><b>refuse</b></a>", "Refused"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_cases); i++) {
        for (size_t piece = 1; piece < 64; piece += 62) {
            struct error err = {0};
            CLEANUP(buf_done) struct buf heard;
            buf_init(&heard, 4096);
            assert_int_equal(parse(bad_cases[i].text, strlen(bad_cases[i].text), piece, &heard, &err), -1);
            assert_string_equal(err.reason, bad_cases[i].reason);
        }
    }
}

/* A chain of `depth` elements, the innermost with `len` bytes of text. */
static int parse_deep(int depth, size_t len, const char *name)
{
    struct error err = {0};
    struct xml_handler silent = {0};
    struct xml *xml = xml_new(&silent);
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < depth; i++)
        buf_printf(&text, "<%s>", name);
    for (size_t i = 0; i < len; i++)
        buf_putc(&text, 'x');
    for (int i = 0; i < depth; i++)
        buf_printf(&text, "</%s>", name);
    assert_true(buf_is_ok(&text));
    int result = xml_feed(xml, text.data, text.len, &err);
    if (result == 0)
        result = xml_finish(xml, &err);
    else
        assert_string_equal(err.reason, "XmlTooLarge");
    xml_free(xml);
    return result;
}

static void test_bounds(void **state)
{
    char name[101];
    (void)state;
    memset(name, 'n', 100);
    name[100] = '\0';
    assert_int_equal(parse_deep(XML_DEPTH_MAX, 1, "a"), 0);
    assert_int_equal(parse_deep(XML_DEPTH_MAX + 1, 1, "a"), -1);
    assert_int_equal(parse_deep(1, XML_TEXT_MAX, "a"), 0);
    assert_int_equal(parse_deep(1, XML_TEXT_MAX + 1, "a"), -1);
    assert_int_equal(parse_deep(10, 1, name), 0);
    assert_int_equal(parse_deep(11, 1, name), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_split), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
