/* Every story again, with the k-th effect failing before or after it took place, or being the last thing that
 * the process does, for every k; then with several faults at random places from a seed. Oracle: it converges
 * to the end that the plain run has; at no time are two hosts of one deployment alive; none is left behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "stories.h"

enum { SUMMARY_SIZE = 400 };

static const char *const mode_names[] = {"none", "before", "after", "crash"};

enum { SEEDS = 6 };

struct fault {
    int at;
    enum fault_mode mode;
    uint64_t seed; /* not 0: many faults, drawn anew for each effect */
};

/* Runs the story; returns the number of effects. */
static int tell(const struct story *story, struct fault fault, char *ret_summary, char *ret_broken)
{
    struct world *world = mem_calloc(1, sizeof(*world));
    world_init(world);
    world->fault_at = fault.at;
    world->fault_mode = fault.mode;
    world->random = fault.seed;
    story->tell(world);
    world->random = 0;
    world->fault_at = 0;
    if (fault.at > 0 || fault.seed > 0)
        world_settle(world);
    world_describe(world, ret_summary, SUMMARY_SIZE);
    memcpy(ret_broken, world->broken, sizeof(world->broken));
    int count = world->effect_count;
    if (getenv("TEE_TORTURE_TRACE"))
        print_message("%s", buf_text(&world->trace));
    world_done(world);
    free(world);
    return count;
}

static void check(const struct story *story, struct fault fault, const char *expected)
{
    char summary[SUMMARY_SIZE];
    char broken[160];
    tell(story, fault, summary, broken);
    if (broken[0])
        fail_msg("%s, effect %d %s, seed %d: %s", story->name, fault.at, mode_names[fault.mode],
                 (int)fault.seed, broken);
    if (!story->is_final_free && strcmp(summary, expected) != 0)
        fail_msg("%s, effect %d %s, seed %d:\n  plain run: %s\n  this run:  %s", story->name, fault.at,
                 mode_names[fault.mode], (int)fault.seed, expected, summary);
}

static void test_story(void **state)
{
    const struct story *story = *state;
    char expected[SUMMARY_SIZE];
    char broken[160];
    int count = tell(story, (struct fault){0}, expected, broken);
    assert_string_equal(broken, "");
    for (int k = 1; k <= count; k++)
        for (int mode = FAULT_BEFORE; mode <= FAULT_CRASH; mode++)
            check(story, (struct fault){.at = k, .mode = (enum fault_mode)mode}, expected);
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        check(story, (struct fault){.seed = seed * UINT64_C(0x9e3779b97f4a7c15)}, expected);
    print_message("%s: %d effects, %d runs\n", story->name, count, 3 * count + SEEDS);
}

/* Without arguments every story; FIRST STEP: the share of one of STEP processes. */
int main(int argc, char **argv)
{
    if (argc != 1 && argc != 3)
        return 2;
    size_t first = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    size_t step = argc == 3 ? strtoul(argv[2], NULL, 10) : 1;
    return step == 0 ? 2 : stories_run("torture", test_story, first, step);
}
