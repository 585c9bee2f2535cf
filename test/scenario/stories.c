/* One function per story; rows are those of the state table in behaviour.md section 3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "story_steps.h"

#include <string.h>

static void delete_and_settle(struct world *world)
{
    world_say(world, "the object is deleted");
    world_delete(world, "a");
    world_settle(world);
}

static void whole_life(struct world *world)
{
    up(world);
    world_say(world, "stopped");
    world_apply(world, "a", stopped);
    world_settle(world);
    world_say(world, "started again");
    world_apply(world, "a", running);
    world_settle(world);
    world_say(world, "somebody terminates the host");
    world_end_host(world, world_host(world));
    world_settle(world);
    delete_and_settle(world);
}

static void launch(struct world *world)
{
    up(world);
}

static void attested_again(struct world *world)
{
    up(world);
    world_say(world, "an interval passes");
    world_run(world, 700 * 1000);
}

/* A verdict was given under a policy; under another one it says nothing. */
static void policy_changed(struct world *world)
{
    up(world);
    world_say(world, "the user wants younger documents");
    world_apply(world, "a", "{" IMAGE ",\"attestation\":{\"maxAgeSeconds\":60}}");
    world_run(world, 10 * 1000);
}

static void inventory_away_at_start(struct world *world)
{
    world->is_ec2_away = true;
    world_apply(world, "a", running);
    world_run(world, 30 * 1000);
    world_say(world, "EC2 is back");
    world->is_ec2_away = false;
    world_settle(world);
}

static void own_write_unseen(struct world *world)
{
    world_apply(world, "a", running);
    world->is_watch_held = true;
    world_run(world, 60 * 1000);
    world_say(world, "the watch speaks again");
    world->is_watch_held = false;
    world_annotate(world, "a", "x", "y");
    world_settle(world);
}

static void paused(struct world *world)
{
    up(world);
    world_annotate(world, "a", "tee.dev/paused", "true");
    world_say(world, "paused; then stopped and deleted by the user");
    world_apply(world, "a", stopped);
    world_settle(world);
    world_delete(world, "a");
    world_run(world, 60 * 1000);
    world_say(world, "no longer paused");
    world_annotate(world, "a", "tee.dev/paused", "false");
    world_settle(world);
}

static void deleted_before_launch(struct world *world)
{
    world_apply(world, "a", stopped);
    world_settle(world);
    delete_and_settle(world);
}

static void deleted_while_launching(struct world *world)
{
    world_apply(world, "a", running);
    world_run(world, 100);
    delete_and_settle(world);
}

/* The terminated host of the first attempt is still shown: it says nothing of the second. */
static void deleted_after_an_earlier_host(struct world *world)
{
    up(world);
    world->run_error = "IdempotentParameterMismatch";
    world->run_error_count = 1;
    world_end_host(world, world_host(world));
    world_run(world, 60 * 1000);
    delete_and_settle(world);
    world_run(world, 600 * 1000);
}

static void retained(struct world *world)
{
    world_apply(world, "a", "{" IMAGE ",\"deletionPolicy\":\"Retain\"}");
    world_settle(world);
    delete_and_settle(world);
}

static void invalid_spec(struct world *world)
{
    world_apply(world, "a", "{" IMAGE ",\"enclave\":{\"debugMode\":true}}");
    world_settle(world);
    world_say(world, "put right");
    world_apply(world, "a", running);
    world_settle(world);
}

static void deployment_id_taken(struct world *world)
{
    world_apply(world, "a", "{" IMAGE ",\"deploymentID\":\"mine\"}");
    world_settle(world);
    world_say(world, "a second object claims the id, and is deleted");
    world_apply(world, "b", "{" IMAGE ",\"deploymentID\":\"mine\"}");
    world_settle(world);
    world_delete(world, "b");
    world_settle(world);
}

/* The second object finds no room in the cache: it is told so and left alone, until the first is gone. An
 * object that is deleted needs none. */
static void cache_full(struct world *world)
{
    up(world);
    store_set_limit(world->store, store_bytes(world->store) + 100);
    world->config.cache_limit_mib = 1;
    world_apply(world, "b", running);
    world_run(world, 600 * 1000);
    world_say(world, "the first object is deleted");
    world_delete(world, "a");
    world_run(world, 600 * 1000);
    world_settle(world);
}

static void duplicate(struct world *world)
{
    up(world);
    world_say(world, "a stranger with our deployment id and no token of ours is left alone");
    world_add_host(world, "nitro-uid-1", "");
    world_settle(world);
    delete_and_settle(world);
}

static void answer_lost_and_hidden(struct world *world)
{
    world_apply(world, "a", running);
    world_run(world, 100);
    world_say(world, "the instance is not listed for a while");
    world_host(world)->is_hidden = true;
    world_run(world, 40 * 1000);
    world_host(world)->is_hidden = false;
    for (size_t i = 0; i < world->host_count; i++)
        world->hosts[i].is_hidden = false;
    world_settle(world);
}

static void token_mismatch(struct world *world)
{
    world->run_error = "IdempotentParameterMismatch";
    world->run_error_count = 1;
    world_apply(world, "a", running);
    world_run(world, 600 * 1000);
    world_settle(world);
}

static void wants_stopped_from_the_start(struct world *world)
{
    world_apply(world, "a", stopped);
    world_settle(world);
}

static void adopted(struct world *world)
{
    world->config.allow_adoption = true;
    struct world_host *host = world_add_host(world, "old-id", "");
    snprintf(host->host.cluster_id, sizeof(host->host.cluster_id), "cluster-0");
    world_run(world, 5000);
    world_apply(world, "a", "{" IMAGE ",\"deploymentID\":\"old-id\",\"desiredState\":\"Stopped\"}");
    world_annotate(world, "a", "tee.dev/adopt", "by-tag");
    world_settle(world);
    world_say(world, "wants it running");
    world_apply(world, "a", "{" IMAGE ",\"deploymentID\":\"old-id\"}");
    world_settle(world);
}

/* The annotation alone launches nothing; allowed, it takes two looks to say that nobody is there. */
static void nothing_to_adopt(struct world *world)
{
    world_apply(world, "a", running);
    world_annotate(world, "a", "tee.dev/adopt", "by-tag");
    world_settle(world);
    world_say(world, "the controller is started with --allow-adoption");
    world->config.allow_adoption = true;
    world_restart(world);
    world_settle(world);
}

/* A host that its object left behind is not taken by who merely claims its id. */
static void retained_and_claimed(struct world *world)
{
    world->config.allow_adoption = true;
    world_apply(world, "a", "{" IMAGE ",\"deploymentID\":\"shared\",\"deletionPolicy\":\"Retain\"}");
    world_settle(world);
    delete_and_settle(world);
    world_say(world, "another object claims the id");
    world_apply(world, "b", "{" IMAGE ",\"deploymentID\":\"shared\"}");
    world_run(world, 60 * 1000);
    world_say(world, "and says that it wants the host");
    world_annotate(world, "b", "tee.dev/adopt", "by-tag");
    world_settle(world);
}

static void restored_with_status(struct world *world)
{
    up(world);
    world_say(world, "another cluster gets a copy of the object, its status and all");
    world->config.cluster_id = "cluster-2";
    world_restart(world);
    world_run(world, 30 * 1000);
    world_say(world, "and deletes it");
    world_delete(world, "a");
    world_run(world, 600 * 1000);
    world_settle(world);
}

static void cluster_tag_edited(struct world *world)
{
    up(world);
    world_say(world, "a hand on the tag that names the cluster");
    snprintf(world_host(world)->host.cluster_id, sizeof(world->hosts[0].host.cluster_id), "cluster-2");
    world_run(world, 600 * 1000);
    world_settle(world);
}

/* The host falls out of what is listed as ours, then under another object's id; then it bears another's name.
 */
static void tags_edited(struct world *world)
{
    up(world);
    world_run(world, 360 * 1000);
    world_say(world, "tee-cluster-id is removed");
    world_host(world)->host.cluster_id[0] = '\0';
    world_run(world, 300 * 1000);
    world_say(world, "tee-deployment-id and tee-name are edited");
    struct host *host = &world_host(world)->host;
    snprintf(host->deployment_id, sizeof(host->deployment_id), "nitro-other");
    host->name_digest = 1;
    world_run(world, 900 * 1000);
    world_settle(world);
}

static void replaced_on_change(struct world *world)
{
    up(world);
    world_say(world, "another instance type");
    world_apply(world, "a", "{" IMAGE ",\"instance\":{\"instanceType\":\"c5.xlarge\"}}");
    world_settle(world);
}

static void drift_on_delete(struct world *world)
{
    world_apply(world, "a", "{" IMAGE ",\"updateStrategy\":\"OnDelete\"}");
    world_settle(world);
    world_say(world, "another instance type, but OnDelete");
    world_apply(world, "a",
                "{" IMAGE ",\"updateStrategy\":\"OnDelete\",\"instance\":{\"instanceType\":\"c5.xlarge\"}}");
    world_settle(world);
}

static void default_changed(struct world *world)
{
    up(world);
    world_say(world, "the controller's default type changes: nothing is replaced");
    world->config.instance_type = "c5.xlarge";
    world_restart(world);
    world_settle(world);
}

static void edit_taken_back(struct world *world)
{
    static const char other[] =
        "{" IMAGE ",\"desiredState\":\"Stopped\",\"instance\":{\"instanceType\":\"c5.xlarge\"}}";
    up(world);
    world_apply(world, "b", other); /* so that the other launch is known to be possible */
    world_run(world, 1000);
    world_say(world, "an edit that replaces is taken back before it was acted upon, and the watch is late");
    world_apply(world, "a", "{" IMAGE ",\"instance\":{\"instanceType\":\"c5.xlarge\"}}");
    world->is_watch_held = true;
    world_apply(world, "a", running);
    world_run(world, 5 * 1000);
    world->is_watch_held = false;
    world_annotate(world, "a", "x", "y");
    world_settle(world);
}

static void boot_timeout(struct world *world)
{
    world_apply(world, "a", "{" IMAGE ",\"timeouts\":{\"bootSeconds\":60}}");
    world_run(world, 100);
    world_host(world)->is_unreachable = true;
    world_host(world)->console = "Error: Unable to find a match: socat";
    world_run(world, 90 * 1000);
    world_say(world, "the enclave answers at last");
    for (size_t i = 0; i < world->host_count; i++)
        world->hosts[i].is_unreachable = false;
    world_run(world, 1300 * 1000);
}

/* Each boot that fails is told once: not again when the status that says so has to be written twice, nor by a
 * controller that starts anew, but again after a stop and start of the host. */
static void boot_failed_again(struct world *world)
{
    static const char short_boot[] = "{" IMAGE ",\"timeouts\":{\"bootSeconds\":60}}";
    world_apply(world, "a", short_boot);
    world_run(world, 100);
    world_host(world)->is_unreachable = true;
    world_run(world, 60 * 1000);
    if (world->fault_mode == FAULT_NONE && world->random == 0) { /* the status, after attest */
        world->fault_at = world->effect_count + 2;
        world->fault_mode = FAULT_BEFORE;
    }
    world_run(world, 150 * 1000);
    world_restart(world);
    world_run(world, 1200 * 1000);
    world_say(world, "stopped and started");
    world_apply(world, "a", "{" IMAGE ",\"desiredState\":\"Stopped\",\"timeouts\":{\"bootSeconds\":60}}");
    world_run(world, 30 * 1000);
    world_host(world)->console = "tee-eif: eif.sha256: the file behind eif.url has another digest";
    world_apply(world, "a", short_boot);
    world_run(world, 120 * 1000);
}

static void rejected_and_put_right(struct world *world)
{
    up(world);
    world_say(world, "another image is measured");
    world_host(world)->verdict = "Rejected";
    world_host(world)->reason = "PCRMismatch";
    world_annotate(world, "a", "tee.dev/reconcile-requested-at", "1");
    world_settle(world);
    world_say(world, "put right");
    world_host(world)->verdict = NULL;
    world_annotate(world, "a", "tee.dev/reconcile-requested-at", "2");
    world_settle(world);
}

static void rejected_and_stopped(struct world *world)
{
    static const char spec[] = "{" IMAGE ",\"attestation\":{\"onRejected\":\"Stop\"}}";
    world_apply(world, "a", spec);
    world_settle(world);
    world_host(world)->verdict = "Rejected";
    world_host(world)->reason = "PCRMismatch";
    world_annotate(world, "a", "tee.dev/reconcile-requested-at", "1");
    world_settle(world);
    world_say(world, "put right and asked to go on");
    world_host(world)->verdict = NULL;
    world_annotate(world, "a", "tee.dev/reconcile-requested-at", "2");
    world_settle(world);
}

static void rejected_and_terminated(struct world *world)
{
    world_apply(world, "a", "{" IMAGE ",\"attestation\":{\"onRejected\":\"Terminate\"}}");
    world_settle(world);
    world_host(world)->verdict = "Rejected";
    world_host(world)->reason = "PCRMismatch";
    world_annotate(world, "a", "tee.dev/reconcile-requested-at", "1");
    world_settle(world);
}

static void unreachable_and_lapsed(struct world *world)
{
    world_apply(world, "a", "{" IMAGE ",\"attestation\":{\"intervalSeconds\":60}}");
    world_run(world, 60 * 1000);
    world_host(world)->is_unreachable = true;
    world_run(world, 400 * 1000);
    world_say(world, "reachable again");
    for (size_t i = 0; i < world->host_count; i++)
        world->hosts[i].is_unreachable = false;
    world_run(world, 130 * 1000);
}

static void impaired_and_replaced(struct world *world)
{
    up(world);
    world_host(world)->ailment = HOST_IMPAIRED;
    world_say(world, "its status checks fail for two minutes");
    world_run(world, 120 * 1000);
    world_host(world)->ailment = HOST_WELL;
    world_run(world, 60 * 1000);
    world_say(world, "and again, for good");
    world_host(world)->ailment = HOST_IMPAIRED;
    world_run(world, 320 * 1000);
    world_settle(world);
}

static void retired_a_few_at_a_time(struct world *world)
{
    world_apply(world, "a", running);
    world_apply(world, "b", running);
    world_settle(world);
    world_say(world, "EC2 will retire both");
    world->hosts[0].ailment = world->hosts[1].ailment = HOST_RETIRING;
    world_run(world, 20 * 60 * 1000);
    world_settle(world);
}

static void retired_but_on_delete(struct world *world)
{
    world_apply(world, "a", "{" IMAGE ",\"updateStrategy\":\"OnDelete\"}");
    world_settle(world);
    world_host(world)->ailment = HOST_RETIRING;
    world_run(world, 600 * 1000);
    world_settle(world);
}

static void standby(struct world *world)
{
    world->lease_ms = 0;
    world_apply(world, "a", running);
    world_run(world, 20 * 1000);
    world_say(world, "the lease is ours");
    world->lease_ms = 15000;
    world_settle(world);
}

static void recreated_under_its_name(struct world *world)
{
    up(world);
    delete_and_settle(world);
    world_say(world, "a new object of the same name");
    up(world);
}

static void terminated_and_forgotten(struct world *world)
{
    up(world);
    world_say(world, "the host vanishes without a trace");
    struct world_host *host = world_host(world);
    host->host.state = HOST_TERMINATED;
    host->is_forgotten = true;
    world_run(world, 200 * 1000);
    world_settle(world);
}

static const struct story stories[] = {
    {"launch", launch, false},
    {"whole-life", whole_life, false},
    {"attested-again", attested_again, false},
    {"row-00-inventory-away", inventory_away_at_start, false},
    {"row-00-own-write-unseen", own_write_unseen, false},
    {"row-01-paused", paused, false},
    {"row-02-deleted-before-launch", deleted_before_launch, false},
    {"row-02-deleted-while-launching", deleted_while_launching, false},
    {"row-02-deleted-after-an-earlier-host", deleted_after_an_earlier_host, true},
    {"row-02-retained", retained, false},
    {"row-03-invalid", invalid_spec, false},
    {"row-03-deployment-id-taken", deployment_id_taken, false},
    {"row-03-cache-full", cache_full, false},
    {"row-04-standby", standby, false},
    {"row-05-duplicate", duplicate, false},
    {"row-06-hidden-instance", answer_lost_and_hidden, false},
    {"row-06-token-mismatch", token_mismatch, false},
    {"row-07-wants-stopped", wants_stopped_from_the_start, false},
    {"row-06-restored-with-status", restored_with_status, true},
    {"row-06-cluster-tag-edited", cluster_tag_edited, true},
    {"row-05-tags-edited", tags_edited, false},
    {"row-08-adopted", adopted, false},
    {"row-08-nothing-to-adopt", nothing_to_adopt, false},
    {"row-08-retained-and-claimed", retained_and_claimed, false},
    {"row-10-replaced", replaced_on_change, false},
    {"row-10-on-delete", drift_on_delete, false},
    {"row-10-edit-taken-back", edit_taken_back, false},
    {"row-10-default-changed", default_changed, false},
    {"row-10-impaired", impaired_and_replaced, true},
    {"row-10-retired-a-few-at-a-time", retired_a_few_at_a_time, true},
    {"row-10-retired-on-delete", retired_but_on_delete, true},
    {"row-13-boot-timeout", boot_timeout, true},
    {"row-13-boot-failed-again", boot_failed_again, true},
    {"row-14-policy-changed", policy_changed, false},
    {"row-14-unreachable-and-lapsed", unreachable_and_lapsed, true},
    {"row-15-rejected-and-put-right", rejected_and_put_right, false},
    {"row-15-rejected-and-stopped", rejected_and_stopped, false},
    {"row-15-rejected-and-terminated", rejected_and_terminated, true},
    {"row-09-terminated-and-forgotten", terminated_and_forgotten, false},
    {"recreated-under-its-name", recreated_under_its_name, false},
};

static void add(struct CMUnitTest *test, const struct story *story, void (*run)(void **state))
{
    *test =
        (struct CMUnitTest){.name = story->name, .test_func = run, .initial_state = (void *)(uintptr_t)story};
}

int stories_run(const char *group, void (*test)(void **state), size_t first, size_t step)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, -1);
    struct CMUnitTest tests[ARRAY_LEN(stories) + LAUNCH_STORIES] = {0};
    size_t count = 0;
    for (size_t i = first; i < ARRAY_LEN(tests); i += step)
        add(&tests[count++], i < ARRAY_LEN(stories) ? &stories[i] : &launch_stories[i - ARRAY_LEN(stories)],
            test);
    return _cmocka_run_group_tests(group, tests, count, NULL, NULL);
}
