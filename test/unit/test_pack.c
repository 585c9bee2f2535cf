/* pack: what was written comes back, in the bytes that it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/pack.h"

#include <string.h>

static const char *const words[] = {NULL, "True", "False"};

struct thing {
    int64_t number;
    int small;
    bool flag;
    const char *text;
    const char *hex;
    const char *word;
    char inside[8];
};

static void walk(struct pack *pack, struct thing *thing)
{
    PACK(pack, thing->number);
    PACK(pack, thing->small);
    PACK(pack, thing->flag);
    pack_text(pack, &thing->text);
    pack_hex(pack, &thing->hex);
    pack_word(pack, &thing->word, words, ARRAY_LEN(words));
    pack_chars(pack, thing->inside, sizeof(thing->inside));
}

static void expect_text(const char *got, const char *wanted)
{
    assert_string_equal(got ? got : "(null)", wanted ? wanted : "(null)");
}

static void test_round_trip(void **state)
{
    (void)state;
    static const struct {
        struct thing thing;
        size_t bytes; /* packed */
    } cases[] = {
        {{0}, 3 + 1 + 1 + 1 + 1},
        {{.number = 63, .small = -64, .flag = true, .text = ""}, 3 + 2 + 1 + 1 + 1},
        {{.number = 64}, 4 + 1 + 1 + 1 + 1},
        {{.number = INT64_MAX, .small = INT32_MIN}, 10 + 5 + 1 + 1 + 1 + 1 + 1},
        {{.number = INT64_MIN, .small = INT32_MAX}, 10 + 5 + 1 + 1 + 1 + 1 + 1},
        {{.text = "i-0123"}, 3 + 8 + 1 + 1 + 1},
        {{.hex = "00ff7f"}, 3 + 1 + 4 + 1 + 1},
        {{.hex = "00FF"}, 3 + 1 + 7 + 1 + 1}, /* not what hex_encode() writes: kept as it is */
        {{.hex = "abc"}, 3 + 1 + 6 + 1 + 1},
        {{.hex = ""}, 3 + 1 + 3 + 1 + 1},
        {{.word = "False"}, 3 + 1 + 1 + 1 + 1},
        {{.word = "Perhaps"}, 3 + 1 + 1 + 10 + 1},
        {{.inside = "1234567"}, 3 + 1 + 1 + 1 + 10}, /* an odd number of digits is no hex */
        {{.inside = "123456"}, 3 + 1 + 1 + 1 + 4},
        {{.inside = "10.0.1"}, 3 + 1 + 1 + 1 + 9},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_done) struct buf bytes;
        buf_init(&bytes, 1024);
        struct thing thing = cases[i].thing;
        struct pack writer = pack_writer(&bytes);
        walk(&writer, &thing);
        assert_memory_equal(&thing, &cases[i].thing, sizeof(thing));
        if (bytes.len != cases[i].bytes)
            fail_msg("case %zu: %zu bytes", i, bytes.len);
        CLEANUP(arena_done) struct arena arena;
        arena_init(&arena);
        struct thing again = {.text = "left", .hex = "over", .word = "from", .inside = "before"};
        struct packed *packed = packed_new(&bytes);
        struct pack reader = pack_reader(packed, &arena);
        walk(&reader, &again);
        assert_ptr_equal(reader.at, reader.end);
        assert_int_equal(again.number, thing.number);
        assert_int_equal(again.small, thing.small);
        assert_int_equal(again.flag, thing.flag);
        expect_text(again.text, thing.text);
        expect_text(again.hex, thing.hex);
        expect_text(again.word, thing.word);
        expect_text(again.inside, thing.inside);
        packed_unref(packed);
    }
}

static void walk_list(struct pack *pack, int **list, size_t *count)
{
    int *items = pack_list(pack, *list, count, sizeof(*items));
    for (size_t i = 0; i < *count; i++)
        PACK(pack, items[i]);
    if (pack_reads(pack))
        *list = items;
}

static void test_list(void **state)
{
    (void)state;
    int numbers[] = {5, -7, 1000};
    for (size_t count = 0; count <= ARRAY_LEN(numbers); count++) {
        CLEANUP(buf_done) struct buf bytes;
        buf_init(&bytes, 1024);
        struct pack writer = pack_writer(&bytes);
        int *list = numbers;
        size_t written = count;
        walk_list(&writer, &list, &written);
        CLEANUP(arena_done) struct arena arena;
        arena_init(&arena);
        struct packed *packed = packed_new(&bytes);
        struct pack reader = pack_reader(packed, &arena);
        int *again = NULL;
        size_t again_count = 99;
        walk_list(&reader, &again, &again_count);
        assert_int_equal(again_count, count);
        if (count > 0)
            assert_memory_equal(again, numbers, count * sizeof(numbers[0]));
        else
            assert_null(again);
        packed_unref(packed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
