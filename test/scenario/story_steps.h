/* story_steps: what the files of stories share: specs, first steps and their tables.
 *
 * Threads: none.   Ownership: constants.   Limits: none.   Errors: none. */
#ifndef TEE_TEST_STORY_STEPS_H
#define TEE_TEST_STORY_STEPS_H

#include "stories.h"

#define IMAGE                                                                                                \
    "\"image\":\"registry.example/app@sha256:"                                                               \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""

enum { LAUNCH_STORIES = 21 };
extern const struct story launch_stories[LAUNCH_STORIES]; /* row 9: money, capacity, preflight */

static const char running[] = "{" IMAGE "}";
static const char stopped[] = "{" IMAGE ",\"desiredState\":\"Stopped\"}";

/* Object "a" wants to run, and time passes. */
static inline void up(struct world *world)
{
    world_apply(world, "a", running);
    world_settle(world);
}

#endif
