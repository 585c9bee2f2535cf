/* The scanners: whatever the chunk borders are, the same pieces come out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kube/json_scan.h"
#include "kube/object_identity.h"

static int put_piece(void *ctx, const char *text, size_t len, struct error *err)
{
    if (len > 3 && memcmp(text, "bad", 3) == 0)
        return error_set(err, ERROR_STOPPED, "Asked", "stop");
    buf_append(ctx, text, len);
    buf_putc(ctx, '|');
    return 0;
}

/* Scans `text` in chunks of `chunk` bytes; yields "pieces;resourceVersion;continue" or the error's reason. */
static char *scan_list(const char *text, size_t chunk)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 16);
    CLEANUP(list_scan_done) struct list_scan scan;
    list_scan_init(&scan, put_piece, &out);
    struct error err = {0};
    size_t len = strlen(text);
    int result = 0;
    for (size_t at = 0; result == 0 && at < len; at += chunk) {
        /* A heap copy lets the sanitizer see a read past the chunk. */
        size_t size = len - at < chunk ? len - at : chunk;
        CLEANUP(freep) char *copy = mem_dup(text + at, size);
        result = list_scan_feed(&scan, copy, size, &err);
    }
    if (result == 0)
        result = list_scan_finish(&scan, &err);
    if (result < 0)
        return mem_strdup(err.reason);
    buf_printf(&out, ";%s;%s", buf_text(&scan.resource_version), buf_text(&scan.continue_token));
    return buf_steal(&out);
}

static void test_lists(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"{\"metadata\":{\"resourceVersion\":\"12\"},\"items\":[]}", ";12;"},
        {"{\"items\":[{\"a\":1},{\"b\":[{},\"]}\"]}],\"metadata\":{\"continue\":\"xyz\",\"resourceVersion\":"
         "\"9\"}}",
         "{\"a\":1}|{\"b\":[{},\"]}\"]}|;9;xyz"},
        {"{\"items\":null,\"metadata\":{\"resourceVersion\":\"1\"}}\n", ";1;"},
        {"{\"items\":[ {\"k\":\"\\\"}\\\\\"} ,\n{} ],\"metadata\":{}}", "{\"k\":\"\\\"}\\\\\"}|{}|;;"},
        {"{\"items\":[{\"items\":[{\"x\":1}],\"metadata\":{\"resourceVersion\":\"77\"}}],"
         "\"metadata\":{\"resourceVersion\":\"5\",\"selfLink\":{\"resourceVersion\":\"6\"}}}",
         "{\"items\":[{\"x\":1}],\"metadata\":{\"resourceVersion\":\"77\"}}|;5;"},
        {"{\"x\":{\"items\":[{\"no\":1}]},\"items\":[1,\"two\",[{}],null],\"metadata\":null}", ";;"},
        {"{\"kind\":\"items\",\"items\":[{\"yes\":1}]}", "{\"yes\":1}|;;"},
        {"{\"metadata\":{\"x\":\"resourceVersion\",\"resourceVersion\":\"3\"}}", ";3;"},
        {"", "MalformedList"},
        {"[]", "MalformedList"},
        {"{\"items\":[{\"a\":1}", "MalformedList"},
        {"{\"items\":[]}}", "MalformedList"},
        {"{\"items\":[]} x", "MalformedList"},
        {"]", "MalformedList"},
        {"{\"metadata\":{\"resourceVersion\":\""
         "0123456789012345678901234567890123456789012345678901234567890123456789"
         "\"}}",
         "MalformedList"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t chunk = 1; chunk <= strlen(cases[i].text) + 1; chunk++) {
            CLEANUP(freep) char *got = scan_list(cases[i].text, chunk);
            if (strcmp(got, cases[i].expected) != 0)
                fail_msg("case %zu chunk %zu: %s", i, chunk, got);
        }
    }
}

/* What is whole is counted; what is too large is put together again from its pieces, until the empty one. */
struct taken {
    int whole_count;
    int end_count;
    struct buf skipped;
};

static int count_piece(void *ctx, const char *text, size_t len, struct error *err)
{
    (void)text;
    (void)len;
    (void)err;
    ((struct taken *)ctx)->whole_count++;
    return 0;
}

static int take_skipped(void *ctx, const char *text, size_t len, struct error *err)
{
    struct taken *taken = ctx;
    (void)err;
    taken->end_count += len == 0;
    return buf_append(&taken->skipped, text, len);
}

static void expect_taken(struct taken *taken, int whole_count, const char *skipped, size_t skipped_len)
{
    assert_int_equal(taken->whole_count, whole_count);
    assert_int_equal(taken->end_count, 1);
    assert_int_equal(taken->skipped.len, skipped_len);
    assert_memory_equal(taken->skipped.data, skipped, skipped_len);
    buf_done(&taken->skipped);
}

static void test_one_huge_item_costs_no_other(void **state)
{
    (void)state;
    static const size_t chunks[] = {4096, 1 << 20, 8 << 20};
    CLEANUP(freep) char *filler = mem_alloc(SCAN_MAX_ITEM_BYTES);
    memset(filler, 'x', SCAN_MAX_ITEM_BYTES);
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 3 * SCAN_MAX_ITEM_BYTES);
    buf_puts(&text, "{\"items\":[{\"a\":1},");
    size_t start = text.len;
    buf_puts(&text, "{\"b\":\"");
    buf_append(&text, filler, SCAN_MAX_ITEM_BYTES);
    buf_puts(&text, "\"}");
    size_t end = text.len;
    buf_puts(&text, ",{\"c\":1}],\"metadata\":{\"resourceVersion\":\"4\"}}");
    for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
        struct taken taken = {0};
        buf_init(&taken.skipped, 2 * SCAN_MAX_ITEM_BYTES);
        CLEANUP(list_scan_done) struct list_scan scan;
        list_scan_init(&scan, count_piece, &taken);
        scan.sink.oversized = take_skipped;
        struct error err = {0};
        for (size_t at = 0; at < text.len; at += chunks[i]) {
            size_t size = text.len - at < chunks[i] ? text.len - at : chunks[i];
            assert_int_equal(list_scan_feed(&scan, text.data + at, size, &err), 0);
        }
        assert_int_equal(list_scan_finish(&scan, &err), 0);
        expect_taken(&taken, 2, text.data + start, end - start);
        assert_int_equal(scan.sink.oversized_count, 1);
        assert_string_equal(buf_text(&scan.resource_version), "4");
    }
}

static void test_emit_can_stop_the_scan(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 100);
    CLEANUP(line_scan_done) struct line_scan scan;
    line_scan_init(&scan, put_piece, &out);
    struct error err = {0};
    assert_int_equal(line_scan_feed(&scan, "one\nbad line\ntwo\n", 17, &err), -1);
    assert_int_equal(err.kind, ERROR_STOPPED);
    assert_string_equal(buf_text(&out), "one|");
}

static void test_lines(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":1}\n\n\r\n{\"b\":2}\r\nrest without end";
    for (size_t chunk = 1; chunk < sizeof(text); chunk++) {
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 1000);
        CLEANUP(line_scan_done) struct line_scan scan;
        line_scan_init(&scan, put_piece, &out);
        struct error err = {0};
        for (size_t at = 0; at < strlen(text); at += chunk) {
            size_t size = strlen(text) - at < chunk ? strlen(text) - at : chunk;
            CLEANUP(freep) char *copy = mem_dup(text + at, size);
            assert_int_equal(line_scan_feed(&scan, copy, size, &err), 0);
        }
        assert_string_equal(buf_text(&out), "{\"a\":1}|{\"b\":2}\r|");
        assert_int_equal(scan.sink.count, 2);
    }
}

static void test_huge_line_is_skipped(void **state)
{
    (void)state;
    size_t len = 2 * SCAN_MAX_ITEM_BYTES + 1;
    CLEANUP(freep) char *filler = mem_alloc(len);
    memset(filler, 'x', len);
    struct taken taken = {0};
    buf_init(&taken.skipped, 2 * len);
    CLEANUP(line_scan_done) struct line_scan scan;
    line_scan_init(&scan, count_piece, &taken);
    scan.sink.oversized = take_skipped;
    struct error err = {0};
    assert_int_equal(line_scan_feed(&scan, "a\n", 2, &err), 0);
    assert_int_equal(line_scan_feed(&scan, filler, SCAN_MAX_ITEM_BYTES + 1, &err), 0);
    assert_int_equal(line_scan_feed(&scan, filler, SCAN_MAX_ITEM_BYTES, &err), 0);
    assert_int_equal(line_scan_feed(&scan, "\nb\n", 3, &err), 0);
    expect_taken(&taken, 2, filler, len);
    assert_int_equal(scan.sink.oversized_count, 1);
}

static void test_find(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *keys[4];
        const char *expected; /* NULL = absent */
    } cases[] = {
        {"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"7\"}}}", {"type"}, "\"ADDED\""},
        {"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"7\"}}}",
         {"object", "metadata", "resourceVersion"},
         "\"7\""},
        {" { \"a\" : [1,{\"b\":\"]\"}] , \"b\" : 12 , \"c\":null}", {"b"}, "12"},
        {"{\"a\":[1,{\"b\":\"]\"}],\"b\":12}", {"a"}, "[1,{\"b\":\"]\"}]"},
        {"{\"a\":{}}", {"a"}, "{}"},
        {"{\"a\":{}}", {"b"}, NULL},
        {"{\"a\":1}", {"a", "b"}, NULL},
        {"{\"a\\u0062\":1,\"b\":2}", {"b"}, "2"},
        {"[{\"a\":1}]", {"a"}, NULL},
        {"{\"a\":\"unfinished", {"a"}, NULL},
        {"{\"a\":{\"b\":1", {"a"}, NULL},
        {"{\"a\"", {"a"}, NULL},
        {"{\"a\":", {"a"}, NULL},
        {"{\"a\":}", {"a"}, NULL},
        {"{\"a\"1,\"b\":2}", {"b"}, NULL},
        {"{\"x\\", {"a"}, NULL},
        {"", {"a"}, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t len = strlen(cases[i].text);
        CLEANUP(freep) char *copy = mem_dup(cases[i].text, len ? len : 1);
        struct json_span got = json_find((struct json_span){copy, len}, cases[i].keys);
        if (!cases[i].expected) {
            assert_null(got.text);
            continue;
        }
        assert_int_equal(got.len, strlen(cases[i].expected));
        assert_memory_equal(got.text, cases[i].expected, got.len);
    }
}

#define META                                                                                                 \
    "\"metadata\":{\"annotations\":{\"name\":\"no\"},\"name\":\"a\",\"namespace\":\"ns\",\"uid\":\"u-1\"}"
#define ABOUT "\"name\":\"a\",\"namespace\":\"ns\",\"uid\":\"u-1\""
#define LONG  "0123456789012345678901234567890123456789012345678901234567890123"

/* In every chunking; "TYPE KEY UID", or NULL if it is not known whose text it is. */
static void expect_identity(const char *what, const char *text, bool is_event, const char *expected)
{
    for (size_t chunk = 1; chunk <= strlen(text) + 1; chunk++) {
        struct identity_scan scan;
        struct object_identity identity;
        char got[512];
        identity_scan_init(&scan, is_event);
        for (size_t at = 0; at < strlen(text); at += chunk) {
            size_t size = strlen(text) - at < chunk ? strlen(text) - at : chunk;
            CLEANUP(freep) char *copy = mem_dup(text + at, size);
            identity_scan_feed(&scan, copy, size);
        }
        bool is_found = identity_scan_finish(&scan, &identity);
        snprintf(got, sizeof(got), "%s %s %s", scan.type, identity.key, identity.uid);
        assert_int_equal(scan.len, strlen(text));
        if (is_found != (expected != NULL) || (is_found && strcmp(got, expected) != 0))
            fail_msg("%s, chunk %zu: %s", what, chunk, got);
    }
}

/* Of texts that no decoder takes, and of such as are too large for one. */
static void test_identity(void **state)
{
    (void)state;
    static const struct {
        const char *what, *text, *expected;
    } objects[] = {
        {"whole", "{\"kind\":\"T\"," META ",\"spec\":{}}", " ns/a u-1"},
        {"cut in spec", "{\"kind\":\"T\"," META ",\"spec\":{\"image\":\"x", " ns/a u-1"},
        {"cut in metadata", "{\"metadata\":{" ABOUT ",\"z\":\"x", " ns/a u-1"},
        {"not UTF-8 further on", "{" META ",\"spec\":\"\xff\xc0\"}", " ns/a u-1"},
        {"number past int64", "{" META ",\"spec\":99999999999999999999}", " ns/a u-1"},
        {"nonsense further on", "{" META ",\"spec\":nope}", " ns/a u-1"},
        {"metadata last", "{\"spec\":{\"a\":[{\"b\":\"\\\"}]\"},[],{}]},\"status\":null," META "}",
         " ns/a u-1"},
        {"names last", "{\"metadata\":{\"x\":{\"name\":\"n\",\"y\":[\"name\",\"n\"]},\"z\":[]," ABOUT "}}",
         " ns/a u-1"},
        {"with space", " \n{ \"metadata\" : {\t\"name\" :\n\"a\" , \"namespace\": \"ns\" } }\n", " ns/a "},
        {"decoys",
         "{\"spec\":{\"metadata\":{\"name\":\"n\"}},\"name\":\"n\",\"x\":[\"metadata\",{\"name\":"
         "\"n\"}]," META ",\"status\":{\"metadata\":{\"uid\":\"n\"}},\"uid\":\"n\"}",
         " ns/a u-1"},
        {"keys as values", "{\"kind\":\"metadata\",\"x\":{" ABOUT "}}", NULL},
        {"no colon", "{\"metadata\"{" ABOUT "}}", NULL},
        {"a list as metadata", "{\"metadata\":[{" ABOUT "}]}", NULL},
        {"in a list", "{\"x\":[{" META "}]}", NULL},
        {"twice", "{\"metadata\":{" ABOUT "}," META "}", " ns/a u-1"},
        {"the last one counts", "{\"metadata\":{" ABOUT ",\"name\":\"b\"}}", " ns/b u-1"},
        {"a name that is none", "{\"metadata\":{\"name\":{\"name\":\"n\"},\"namespace\":\"ns\"}}", NULL},
        {"an escape", "{\"metadata\":{\"name\":\"\\u0061\",\"namespace\":\"ns\"}}", NULL},
        {"an escaped key", "{\"metadata\":{\"n\\u0061me\":\"a\",\"namespace\":\"ns\"}}", NULL},
        {"a control character", "{\"metadata\":{\"name\":\"a\nb\",\"namespace\":\"ns\"}}", NULL},
        {"too long", "{\"metadata\":{\"name\":\"a\",\"namespace\":\"" LONG "\"}}", NULL},
        {"far too long", "{\"metadata\":{\"name\":\"" LONG LONG LONG LONG "\",\"namespace\":\"n\"}}", NULL},
        {"cut before the uid", "{\"metadata\":{\"name\":\"a\",\"namespace\":\"ns\",\"ui", " ns/a "},
        {"cut in the uid", "{\"metadata\":{\"name\":\"a\",\"namespace\":\"ns\",\"uid\":\"u-", " ns/a "},
        {"cut in the namespace", "{\"metadata\":{\"name\":\"a\",\"namespace\":\"ns", NULL},
        {"no metadata", "{\"spec\":" META "}", NULL},
        {"empty name", "{\"metadata\":{\"name\":\"\",\"namespace\":\"ns\",\"uid\":\"u\"}}", NULL},
        {"after the end", "{}" META "}", NULL},
        {"another one behind", "{\"a\":1}{" META "}", NULL},
        {"too many ends", "}}{" META "}", NULL},
        {"no object", "[" META "]", NULL},
        {"nothing", "", NULL},
    };
    static const struct {
        const char *what, *text, *expected;
    } events[] = {
        {"an event", "{\"type\":\"DELETED\",\"object\":{" META "}}", "DELETED ns/a u-1"},
        {"its type last", "{\"object\":{\"type\":\"T\"," META "},\"type\":\"ADDED\"}", "ADDED ns/a u-1"},
        {"no object in it", "{\"type\":\"ADDED\"," META "}", NULL},
        {"not its object", "{\"type\":\"ADDED\",\"x\":{\"object\":{" META "}}}", NULL},
        {"no type", "{\"object\":{" META "}}", " ns/a u-1"},
        {"a type of some length", "{\"type\":\"" LONG "\",\"object\":{" META "}}", " ns/a u-1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(objects); i++)
        expect_identity(objects[i].what, objects[i].text, false, objects[i].expected);
    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        expect_identity(events[i].what, events[i].text, true, events[i].expected);
    struct object_identity identity;
    static const char whole[] = "{" META "}";
    assert_true(object_identity_find((struct json_span){whole, strlen(whole)}, &identity));
    assert_string_equal(identity.key, "ns/a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_one_huge_item_costs_no_other),
        cmocka_unit_test(test_emit_can_stop_the_scan),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_huge_line_is_skipped),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
