/* Each story's trace is its expectation, in expected/NAME.txt. TEE_UPDATE_EXPECTED=1 writes them anew: read
 * the difference before it is committed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "stories.h"

static char *read_file(const char *path)
{
    CLEANUP(fclosep) FILE *file = fopen(path, "r");
    if (!file)
        return mem_strdup("");
    char *text = mem_calloc(1, 1024 * 1024);
    size_t len = fread(text, 1, 1024 * 1024 - 1, file);
    text[len] = '\0';
    return text;
}

static void write_file(const char *path, const char *text)
{
    CLEANUP(fclosep) FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
}

/* Prints the first line that differs, which is where the story went another way. */
static void compare(const char *name, const char *expected, const char *actual)
{
    int line = 1;
    size_t start = 0;
    for (size_t i = 0;; i++) {
        if (expected[i] != actual[i]) {
            fail_msg("%s, line %d:\n  expected: %.*s\n  actual:   %.*s", name, line,
                     (int)strcspn(expected + start, "\n"), expected + start,
                     (int)strcspn(actual + start, "\n"), actual + start);
        }
        if (expected[i] == '\0')
            return;
        if (expected[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
}

static void test_story(void **state)
{
    const struct story *story = *state;
    struct world *world = mem_calloc(1, sizeof(*world));
    world_init(world);
    story->tell(world);
    char summary[400];
    world_describe(world, summary, sizeof(summary));
    buf_printf(&world->trace, "= %s\n", summary);
    CLEANUP(freep) char *path = mem_printf("%s/%s.txt", TEE_EXPECTED, story->name);
    if (getenv("TEE_UPDATE_EXPECTED"))
        write_file(path, buf_text(&world->trace));
    CLEANUP(freep) char *expected = read_file(path);
    assert_string_equal(world->broken, "");
    compare(story->name, expected, buf_text(&world->trace));
    world_done(world);
    free(world);
}

int main(void)
{
    return stories_run("scenario", test_story, 0, 1);
}
