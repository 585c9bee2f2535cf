/* Which edits of tags are seen, and when they are put back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "plan_scene.h"
#include "reconcile/identity.h"

#include <stdio.h>
#include <string.h>

static void test_digest(void **state)
{
    (void)state;
    assert_int_equal(identity_digest("a", "b"), identity_digest("a", "b"));
    assert_int_not_equal(identity_digest("a", "b"), identity_digest("b", "a"));
    assert_int_not_equal(identity_digest("ab", "c"), identity_digest("a", "bc"));
    assert_int_not_equal(identity_digest("", ""), 0);
}

static void test_edits(void **state)
{
    (void)state;
    static const struct {
        const char *id, *cluster, *deployment, *name;
        const char *keys; /* "" = nothing is put back */
        const char *title;
    } rows[] = {
        {"i-1", "cluster", "nitro-u1", "a", "", "tee-nitro-u1"},
        {"i-1", "cluster", "nitro-u1", "a", "Name", "my host"},
        {"i-1", "cluster", "nitro-u1", "a", "", NULL},
        {"i-1", "", "nitro-u1", "a", "tee-cluster-id", NULL},
        {"i-1", "other", "nitro-9", "z", "", NULL}, /* adoption's to take */
        {"i-1", "cluster", "", "a", "tee-deployment-id", NULL},
        {"i-1", "cluster", "nitro-9", "a", "tee-deployment-id", NULL},
        {"i-1", "cluster", "nitro-u1", "z", "tee-namespace or tee-name", NULL},
        {"i-1", "", "", "", "tee-cluster-id, tee-deployment-id, tee-namespace or tee-name", NULL},
        {"i-2", "", "nitro-9", "z", "", NULL}, /* not the one that the ledger names */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char keys[IDENTITY_TEXT_MAX];
        struct plan_scene scene;
        const struct scene_input input = {.status = LEDGER_LIVE,
                                          .hosts = {{SCENE_HOST("i-1", HOST_RUNNING)}}};
        plan_scene_init(&scene, &input);
        struct host *host = &scene.seen.hosts[0];
        snprintf(host->id, sizeof(host->id), "%s", rows[i].id);
        snprintf(host->cluster_id, sizeof(host->cluster_id), "%s", rows[i].cluster);
        snprintf(host->deployment_id, sizeof(host->deployment_id), "%s", rows[i].deployment);
        host->title_digest = rows[i].title ? identity_text_digest(rows[i].title) : 0;
        host->name_digest =
            identity_digest(scene.want->name_space, rows[i].name[0] == 'a' ? scene.want->name : "z");
        assert_int_equal(identity_is_edited(&scene.in, host, keys), rows[i].keys[0] != '\0');
        assert_string_equal(keys, rows[i].keys);
        enum plan_action action = plan_next(&scene.in).action;
        assert_int_equal(action == PLAN_RESTORE_IDENTITY, rows[i].keys[0] != '\0');
        plan_scene_done(&scene);
    }
}

static void test_when(void **state)
{
    (void)state;
    static const struct {
        int64_t age_ms;
        int64_t tried_ago_ms; /* 0 = never */
        bool read_only, is_restored;
    } rows[] = {
        {IDENTITY_GRACE_MS + 1, 0, false, true},
        {IDENTITY_GRACE_MS, 0, false, false},
        {IDENTITY_GRACE_MS + 1, IDENTITY_AGAIN_MS - 1, false, false},
        {IDENTITY_GRACE_MS + 1, IDENTITY_AGAIN_MS, false, true},
        {IDENTITY_GRACE_MS + 1, 0, true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct plan_scene scene;
        const struct scene_input input = {.status = LEDGER_LIVE,
                                          .hosts = {{SCENE_HOST("i-1", HOST_RUNNING)}}};
        plan_scene_init(&scene, &input);
        struct host *host = &scene.seen.hosts[0];
        host->cluster_id[0] = '\0';
        host->launch_ms = SCENE_WALL_MS - rows[i].age_ms;
        scene.config.read_only = rows[i].read_only;
        scene.memory.identity_tried_ms = rows[i].tried_ago_ms ? SCENE_MONO_MS - rows[i].tried_ago_ms : 0;
        assert_int_equal(identity_is_to_restore(&scene.in, host), rows[i].is_restored);
        plan_scene_done(&scene);
    }
}

static void test_adoptable(void **state)
{
    (void)state;
    static const struct {
        const char *cluster, *name_space, *name;
        bool is_partial, is_adoptable;
    } rows[] = {
        {"other", "ns", "a", false, true},         {"other", "ns", "z", false, true},
        {"other", "elsewhere", "a", false, false}, {"cluster", "elsewhere", "a", false, false},
        {"cluster", "ns", "z", false, true},       {"cluster", "ns", "z", true, false},
        {"cluster", "ns", "a", true, true},        {"other", "", "", false, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct plan_scene scene;
        plan_scene_init(&scene, &(struct scene_input){0});
        struct host host = {.id = "i-1"};
        struct reconcile_config config = {.cluster_id = "cluster", .is_partial = rows[i].is_partial};
        snprintf(host.cluster_id, sizeof(host.cluster_id), "%s", rows[i].cluster);
        host.name_digest = identity_digest(rows[i].name_space, rows[i].name);
        if (rows[i].name_space[0])
            host.namespace_digest = identity_text_digest(rows[i].name_space);
        assert_int_equal(identity_is_adoptable(&config, scene.want, &host), rows[i].is_adoptable);
        plan_scene_done(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_digest), cmocka_unit_test(test_edits),
                                       cmocka_unit_test(test_when), cmocka_unit_test(test_adoptable)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
