/* stories: what happens to objects and hosts, told as steps. Each is run once plainly (scenario: its trace is
 * compared with expected/NAME.txt) and then again and again with a fault at each effect (torture).
 * Threads: none.   Ownership: constants.   Limits: none.   Errors: failed tests are counted. */
#ifndef TEE_TEST_STORIES_H
#define TEE_TEST_STORIES_H

#include "world.h"

struct story {
    const char *name;
    void (*tell)(struct world *world);
    bool is_final_free; /* faults may change how it ends (timeouts are part of the story) */
};

/* Runs the test once for each story from the first (0) in steps (1: all), which is its *state; returns how
 * many failed. */
int stories_run(const char *group, void (*test)(void **state), size_t first, size_t step);

#endif
