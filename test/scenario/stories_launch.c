/* What a launch, a start or a stop waits for or is refused for: limits, capacity, preflight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "story_steps.h"

#include <stdio.h>
#include <string.h>

static void capacity_short(struct world *world)
{
    world->run_error = "InsufficientInstanceCapacity";
    world->run_error_count = 2;
    world_apply(world, "a", "{" IMAGE ",\"instance\":{\"subnetIDs\":[\"subnet-a\",\"subnet-b\"]}}");
    world_settle(world);
}

/* Two launches an hour for all: the third object waits, says until when, and has its turn. */
static void budget_of_all(struct world *world)
{
    world->config.max_launches_per_hour_total = 2;
    world_apply(world, "a", running);
    world_settle(world);
    world_apply(world, "b", running);
    world_settle(world);
    world_apply(world, "c", running);
    world_run(world, 120 * 1000);
    world_say(world, "an hour later");
    world_run(world, 3600 * 1000);
    world_settle(world);
}

/* One instance for all: the second object waits until the first one's host is gone. */
static void instances_of_all(struct world *world)
{
    world->config.max_instances = 1;
    up(world);
    world_apply(world, "b", running);
    world_run(world, 120 * 1000);
    world_say(world, "the first object is deleted");
    world_delete(world, "a");
    world_run(world, 180 * 1000);
    world_settle(world);
}

/* The first object is refused in its first subnet; the second does not even ask there, for three minutes. */
static void capacity_of_others(struct world *world)
{
    static const char spec[] = "{" IMAGE ",\"instance\":{\"subnetIDs\":[\"subnet-a\",\"subnet-b\"]}}";
    world->run_error = "InsufficientInstanceCapacity";
    world->run_error_count = 1;
    world_apply(world, "a", spec);
    world_run(world, 30 * 1000);
    world_apply(world, "b", spec);
    world_settle(world);
}

static void launch_refused(struct world *world)
{
    world->run_error = "InvalidAMIID.NotFound";
    world->run_error_count = 1;
    world_apply(world, "a", running);
    world_settle(world);
    world_say(world, "another AMI");
    world_apply(world, "a", "{" IMAGE ",\"instance\":{\"amiID\":\"ami-1\"}}");
    world_settle(world);
}

static void launch_throttled(struct world *world)
{
    world->run_error = "RequestLimitExceeded";
    world->run_error_count = 3;
    up(world);
}

/* Told once, when it has lasted two minutes. */
static void launch_throttled_for_long(struct world *world)
{
    world->run_error = "RequestLimitExceeded";
    world->run_error_count = 17;
    world_apply(world, "a", running);
    world_run(world, 1000 * 1000);
    world_settle(world);
}

static void launch_denied(struct world *world)
{
    world->run_error = "UnauthorizedOperation";
    world->run_error_count = 1;
    world_apply(world, "a", running);
    world_run(world, 400 * 1000);
    world_settle(world);
}

/* A request cuts the back-off short, also for the preflight that comes first. */
static void launch_denied_and_asked(struct world *world)
{
    world->run_error = "UnauthorizedOperation";
    world->run_error_count = 1;
    world_apply(world, "a", running);
    world_run(world, 10 * 1000);
    world_say(world, "asked to reconcile");
    world_annotate(world, "a", "tee.dev/reconcile-requested-at", "1");
    world_settle(world);
}

/* Denied before anything is launched; allowed later, and noticed at once by other credentials. */
static void preflight_denied(struct world *world)
{
    world->dry_run_error = "UnauthorizedOperation";
    world->dry_run_error_count = 3;
    world_apply(world, "a", running);
    world_run(world, 100 * 1000);
    world_say(world, "other credentials, which may as little");
    world->keys = 2;
    world_run(world, 40 * 1000);
    world_say(world, "allowed, and found out in due time");
    world_run(world, 300 * 1000);
    world_settle(world);
}

/* Nothing but another spec helps, and nothing is asked again meanwhile. */
static void preflight_refused(struct world *world)
{
    world_apply(world, "a", "{" IMAGE ",\"instance\":{\"instanceType\":\"t3.medium\"}}");
    world_settle(world);
    world_say(world, "asked to reconcile: it is looked at again");
    world_annotate(world, "a", "tee.dev/reconcile-requested-at", "1");
    world_settle(world);
    world_say(world, "another type");
    world_apply(world, "a", running);
    world_settle(world);
}

/* What cannot be found out delays a launch and prevents none. */
static void preflight_throttled(struct world *world)
{
    world->dry_run_error = "RequestLimitExceeded";
    world->dry_run_error_count = 1000;
    up(world);
}

/* What our own share of the rate holds back was not asked, and makes nobody unsure. */
static void preflight_held(struct world *world)
{
    world->dry_run_error = "Held";
    world->dry_run_error_count = 6;
    up(world);
}

/* The old host lives, and is looked after, until EC2 would launch the new one. */
static void replaced_when_possible(struct world *world)
{
    world_apply(world, "a", "{" IMAGE ",\"attestation\":{\"intervalSeconds\":60}}");
    world_run(world, 60 * 1000);
    world_say(world, "a type without enclaves");
    world_apply(world, "a",
                "{" IMAGE
                ",\"attestation\":{\"intervalSeconds\":60},\"instance\":{\"instanceType\":\"t3.medium\"}}");
    world_run(world, 70 * 1000);
    world_say(world, "a good type, but EC2 is throttling for a while");
    world->dry_run_error = "RequestLimitExceeded";
    world->dry_run_error_count = 5;
    world_apply(world, "a",
                "{" IMAGE
                ",\"attestation\":{\"intervalSeconds\":60},\"instance\":{\"instanceType\":\"c5.xlarge\"}}");
    world_run(world, 200 * 1000);
}

/* One dry run for all objects that would make the same launch; without one for a stopped object's restart. */
static void preflight_shared(struct world *world)
{
    world_apply(world, "a", running);
    world_apply(world, "b", running);
    world_apply(world, "c", stopped);
    world_run(world, 20 * 1000);
    world_settle(world);
}

/* Not terminal, and the host is kept: its disk may matter to somebody. */
static void start_short(struct world *world)
{
    up(world);
    world_say(world, "stopped");
    world_apply(world, "a", stopped);
    world_settle(world);
    world_say(world, "started, and EC2 has no room");
    world->start_short_count = 2;
    world_apply(world, "a", running);
    world_run(world, 30 * 1000);
    world_settle(world);
}

/* One edit of two objects, and one launch left in the hour: the other keeps its host until there is another.
 */
static void replaced_within_the_budget(struct world *world)
{
    static const char other[] = "{" IMAGE ",\"instance\":{\"instanceType\":\"c5.xlarge\"}}";
    world->config.max_launches_per_hour_total = 3;
    world_apply(world, "a", running);
    world_apply(world, "b", running);
    world_settle(world);
    world_say(world, "another instance type for both");
    world_apply(world, "a", other);
    world_apply(world, "b", other);
    world_run(world, 300 * 1000);
    world_say(world, "an hour later");
    world_run(world, 3600 * 1000);
    world_settle(world);
}

/* EC2 answered with an instance, and found out later that it has no room for it: the next subnet. */
static void ended_without_capacity(struct world *world)
{
    world_apply(world, "a", "{" IMAGE ",\"instance\":{\"subnetIDs\":[\"subnet-a\",\"subnet-b\"]}}");
    world_run(world, 100);
    struct world_host *host = world_host(world);
    snprintf(host->host.state_reason, sizeof(host->host.state_reason), "Server.InsufficientInstanceCapacity");
    world_end_host(world, host);
    world_settle(world);
}

/* A host without enclaves can serve nothing, and EC2 does not change that. */
static void launched_without_enclaves(struct world *world)
{
    up(world);
    world_say(world, "EC2 says that the instance has no enclaves");
    world_host(world)->host.lacks_enclave = true;
    world_settle(world);
}

/* EC2 says that the instance cannot be stopped: that is told, and asked for again until somebody helped. */
static void stop_refused(struct world *world)
{
    up(world);
    world->stop_refused_count = 2;
    world_apply(world, "a", stopped);
    world_run(world, 300 * 1000);
    world_settle(world);
}

/* The launch was made, its answer lost, and the right to launch taken away: the refusal says nothing of the
 * host.
 */
static void refused_after_a_lost_answer(struct world *world)
{
    world->loses_run_answer = true;
    world->run_error = "UnauthorizedOperation";
    world->run_error_count = 1;
    up(world);
}

const struct story launch_stories[LAUNCH_STORIES] = {
    {"row-09-capacity-short", capacity_short, false},
    {"row-09-budget-of-all", budget_of_all, false},
    {"row-09-instances-of-all", instances_of_all, false},
    {"row-09-capacity-of-others", capacity_of_others, false},
    {"row-11-start-short", start_short, false},
    {"row-07-stop-refused", stop_refused, false},
    {"row-09-ended-without-capacity", ended_without_capacity, false},
    {"row-10-without-enclaves", launched_without_enclaves, false},
    {"row-09-refused", launch_refused, false},
    {"row-09-throttled", launch_throttled, false},
    {"row-09-throttled-for-long", launch_throttled_for_long, false},
    {"row-09-denied", launch_denied, false},
    {"row-09-denied-and-asked", launch_denied_and_asked, false},
    {"row-06-refused-after-a-lost-answer", refused_after_a_lost_answer, false},
    {"row-09-preflight-denied", preflight_denied, false},
    {"row-09-preflight-refused", preflight_refused, false},
    {"row-09-preflight-throttled", preflight_throttled, false},
    {"row-09-preflight-held", preflight_held, false},
    {"row-09-preflight-shared", preflight_shared, false},
    {"row-10-replaced-when-possible", replaced_when_possible, false},
    {"row-10-replaced-within-the-budget", replaced_within_the_budget, false},
};
