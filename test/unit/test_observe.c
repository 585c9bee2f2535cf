/* What is believed about one key: rank, proof of death, and how old knowledge may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan_scene.h"
#include "reconcile/identity.h"
#include "reconcile/observe.h"

#include <stdio.h>
#include <string.h>

struct bench {
    struct store *store;
    struct inventory *inventory;
    struct teedeployment *want;
    struct memory memory;
    struct arena arena;
    struct moment now;
    struct reconcile_config config;
    struct observed seen;
};

static void bench_init(struct bench *bench, const char *status)
{
    memset(bench, 0, sizeof(*bench));
    bench->store = store_new();
    bench->inventory = inventory_new();
    bench->want = scene_object(NULL, NULL, status);
    bench->now = (struct moment){.wall_ms = SCENE_WALL_MS, .mono_ms = SCENE_MONO_MS};
    arena_init(&bench->arena);
    store_put(bench->store, bench->want);
    store_set_heard(bench->store, NULL, SCENE_MONO_MS);
}

static void bench_done(struct bench *bench)
{
    arena_done(&bench->arena);
    teedeployment_unref(bench->want);
    inventory_free(bench->inventory);
    store_free(bench->store);
}

static void ignore(void *ctx, const char *deployment_id)
{
    (void)ctx;
    (void)deployment_id;
}

static void list_hosts(struct bench *bench, const struct host *hosts, size_t count)
{
    inventory_begin(bench->inventory, SCENE_MONO_MS - 5000);
    for (size_t i = 0; i < count; i++)
        inventory_put(bench->inventory, &hosts[i], SCENE_MONO_MS - 5000);
    inventory_end(bench->inventory, ignore, NULL);
}

static const struct observed *look(struct bench *bench)
{
    struct observe_input input = {.store = bench->store,
                                  .inventory = bench->inventory,
                                  .want = bench->want,
                                  .config = &bench->config,
                                  .memory = &bench->memory,
                                  .now = bench->now,
                                  .arena = &bench->arena};
    observe(&input, &bench->seen);
    return &bench->seen;
}

#define AGED(name, word, at) .id = name, .state = word, .deployment_id = "nitro-u1", .launch_ms = at

/* Alive before dead, then the ledger's own, then the token's, then the oldest. */
static void test_rank(void **state)
{
    (void)state;
    static const struct {
        const char *status;
        struct host hosts[3];
        const char *order;
        size_t live_count;
    } cases[] = {
        {LEDGER_LIVE, {{AGED("i-8", HOST_RUNNING, 1)}, {AGED("i-1", HOST_RUNNING, 9)}}, "i-1 i-8 ", 2},
        {LEDGER_OPEN,
         {{AGED("i-8", HOST_RUNNING, 1)}, {AGED("i-9", HOST_PENDING, 9), .token = "t1"}},
         "i-9 i-8 ",
         2},
        {LEDGER_OPEN, {{AGED("i-8", HOST_RUNNING, 5)}, {AGED("i-9", HOST_RUNNING, 4)}}, "i-9 i-8 ", 2},
        {LEDGER_LIVE,
         {{SCENE_HOST("i-1", HOST_TERMINATED), .token = "t1"}, {SCENE_HOST("i-9", HOST_STOPPED)}},
         "i-9 i-1 ",
         1},
        {LEDGER_LIVE,
         {{AGED("i-9", HOST_RUNNING, 1), .token = "t1"},
          {AGED("i-8", HOST_RUNNING, 0)},
          {AGED("i-1", HOST_STOPPED, 9)}},
         "i-1 i-9 i-8 ",
         3},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench bench;
        char order[64] = "";
        bench_init(&bench, cases[i].status);
        size_t count = 0;
        while (count < ARRAY_LEN(cases[i].hosts) && cases[i].hosts[count].id[0])
            count++;
        list_hosts(&bench, cases[i].hosts, count);
        const struct observed *seen = look(&bench);
        for (size_t k = 0; k < seen->host_count; k++)
            snprintf(order + strlen(order), sizeof(order) - strlen(order), "%s ", seen->hosts[k].id);
        if (strcmp(order, cases[i].order) != 0 || seen->live_count != cases[i].live_count)
            fail_msg("case %zu: %s, %zu alive", i, order, seen->live_count);
        bench_done(&bench);
    }
}

/* Two empty look-ups of one subject, 60 s apart, of an attempt older than five minutes: nothing less. */
static void test_proof_of_absence(void **state)
{
    (void)state;
    static const struct {
        const char *status;
        const char *subject;
        int64_t at_ms[3]; /* empty look-ups; 0 ends them */
        int64_t found_ms; /* one that found something, before the last of them; 0 = none */
        int64_t age_ms;   /* of the attempt, beyond that of its scene: one minute or two hours */
        enum attempt_state expected;
    } cases[] = {
        {LEDGER_LIVE, "i-1", {0}, 0, 0, ATTEMPT_MISSING},
        {LEDGER_LIVE, "i-1", {1000}, 0, 0, ATTEMPT_MISSING},
        {LEDGER_LIVE, "i-1", {1000, 60999}, 0, 0, ATTEMPT_MISSING},
        {LEDGER_LIVE, "i-1", {1000, 61000}, 0, 0, ATTEMPT_DEAD},
        {LEDGER_LIVE, "i-1", {1000, 31000, 61000}, 0, 0, ATTEMPT_DEAD},
        {LEDGER_LIVE, "i-1", {1000, 61000}, 2000, 0, ATTEMPT_MISSING},
        {LEDGER_LIVE, "i-2", {1000, 61000}, 0, 0, ATTEMPT_MISSING},
        {LEDGER_LIVE, "i-1", {1000, 61000}, 0, -115 * 60 * 1000, ATTEMPT_MISSING},
        {LEDGER_LIVE, "i-1", {1000, 61000}, 0, -115 * 60 * 1000 + 1, ATTEMPT_DEAD},
        {LEDGER_OPEN, "t1", {1000, 61000}, 0, 0, ATTEMPT_OPEN},
        {LEDGER_OPEN, "t1", {1000, 61000}, 0, 240 * 1000, ATTEMPT_OPEN},
        {LEDGER_OPEN, "t1", {1000, 61000}, 0, 240 * 1000 + 1, ATTEMPT_DEAD},
        {LEDGER_OPEN, "t1", {1000, 60999}, 0, 240 * 1000 + 1, ATTEMPT_OPEN},
        {LEDGER_OPEN, "t1", {1000}, 0, 240 * 1000 + 1, ATTEMPT_OPEN},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench bench;
        bench_init(&bench, cases[i].status);
        list_hosts(&bench, NULL, 0);
        for (size_t k = 0; k < 3 && cases[i].at_ms[k]; k++) {
            if (k > 0 && cases[i].found_ms)
                lookups_note(&bench.memory.lookups, cases[i].subject, true, cases[i].found_ms);
            lookups_note(&bench.memory.lookups, cases[i].subject, false, cases[i].at_ms[k]);
        }
        bench.now.wall_ms += cases[i].age_ms;
        if (look(&bench)->attempt != cases[i].expected)
            fail_msg("case %zu: attempt state %d", i, bench.seen.attempt);
        bench_done(&bench);
    }
}

/* A list without the ledger's own host does not make another one under the tag its successor: a copy made by
 * hand carries our tags as well. It is nobody's until the ledger's is proven gone. */
static void test_another_host_under_the_tag(void **state)
{
    (void)state;
    struct bench bench;
    const struct host other = {SCENE_HOST("i-2", HOST_RUNNING)};
    bench_init(&bench, LEDGER_LIVE);
    list_hosts(&bench, &other, 1);
    assert_int_equal(look(&bench)->attempt, ATTEMPT_MISSING);
    assert_null(observed_host(&bench.seen));
    lookups_note(&bench.memory.lookups, "i-1", false, 1000);
    lookups_note(&bench.memory.lookups, "i-1", false, 61000);
    assert_int_equal(look(&bench)->attempt, ATTEMPT_LIVE);
    assert_string_equal(observed_host(&bench.seen)->id, "i-2");
    bench_done(&bench);
}

/* A look-up that found something proves nothing, however long ago the process began. */
static void test_found_is_no_proof(void **state)
{
    (void)state;
    struct bench bench;
    bench_init(&bench, LEDGER_LIVE);
    list_hosts(&bench, NULL, 0);
    lookups_note(&bench.memory.lookups, "i-1", true, 10 * 60 * 1000);
    assert_int_equal(look(&bench)->attempt, ATTEMPT_MISSING);
    bench_done(&bench);
}

static void test_attempt_states(void **state)
{
    (void)state;
    static const struct {
        const char *status;
        struct host host;
        enum attempt_state expected;
    } cases[] = {
        {"", {.id = ""}, ATTEMPT_NONE},
        {LEDGER_OPEN, {.id = ""}, ATTEMPT_OPEN},
        {LEDGER_OPEN, {SCENE_HOST("i-1", HOST_PENDING)}, ATTEMPT_LIVE},
        {LEDGER_OPEN, {SCENE_HOST("i-1", HOST_SHUTTING_DOWN), .token = "t1"}, ATTEMPT_ENDING},
        {LEDGER_OPEN, {SCENE_HOST("i-1", HOST_TERMINATED), .token = "t1"}, ATTEMPT_DEAD},
        {LEDGER_OPEN, {SCENE_HOST("i-1", HOST_TERMINATED), .token = "t0"}, ATTEMPT_OPEN},
        {LEDGER_LIVE, {SCENE_HOST("i-1", HOST_SHUTTING_DOWN)}, ATTEMPT_ENDING},
        {LEDGER_LIVE, {SCENE_HOST("i-1", HOST_TERMINATED)}, ATTEMPT_DEAD},
        {LEDGER_LIVE, {SCENE_HOST("i-2", HOST_TERMINATED), .token = "t1"}, ATTEMPT_MISSING},
        {"\"launch\":{\"attempt\":1,\"history\":[{\"attempt\":1}]}", {.id = ""}, ATTEMPT_DEAD},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench bench;
        bench_init(&bench, cases[i].status);
        list_hosts(&bench, &cases[i].host, cases[i].host.id[0] ? 1 : 0);
        if (look(&bench)->attempt != cases[i].expected)
            fail_msg("case %zu: attempt state %d", i, bench.seen.attempt);
        bench_done(&bench);
    }
}

/* An instance of the ledger counts although its tags are gone; one that was only found counts for a while. */
static void test_sources(void **state)
{
    (void)state;
    struct bench bench;
    struct host untagged = {SCENE_HOST("i-1", HOST_RUNNING)};
    untagged.deployment_id[0] = '\0';
    bench_init(&bench, LEDGER_LIVE);
    list_hosts(&bench, &untagged, 1);
    assert_int_equal(look(&bench)->attempt, ATTEMPT_LIVE);
    list_hosts(&bench, NULL, 0);
    bench.memory.found = (struct host){SCENE_HOST("i-1", HOST_PENDING)};
    bench.memory.found.state_since_ms = SCENE_MONO_MS;
    assert_int_equal(look(&bench)->attempt, ATTEMPT_LIVE);
    bench.now.mono_ms += 60 * 1000;
    assert_int_equal(look(&bench)->attempt, ATTEMPT_MISSING);
    bench.memory.found.state = HOST_TERMINATED;
    assert_int_equal(look(&bench)->attempt, ATTEMPT_DEAD);
    bench_done(&bench);
}

/* Who came second to a deployment id neither sees nor notes the owner's host; what its own ledger names it
 * sees. */
static void test_not_the_owner(void **state)
{
    (void)state;
    static const struct {
        const char *status;
        size_t seen;
    } cases[] = {{"", 0}, {LEDGER_LIVE, 1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench bench;
        struct host host = {SCENE_HOST("i-1", HOST_RUNNING)};
        bench_init(&bench, cases[i].status);
        list_hosts(&bench, &host, 1);
        assert_int_equal(look(&bench)->host_count, 1);
        CLEANUP(teedeployment_unrefp)
        struct teedeployment *older =
            scene_object("\"name\":\"older\",\"creationTimestamp\":\"2025-01-01T00:00:00Z\"",
                         "\"deploymentID\":\"nitro-u1\"", NULL);
        store_put(bench.store, older);
        assert_false(look(&bench)->is_owner);
        assert_int_equal(bench.seen.host_count, cases[i].seen);
        bench_done(&bench);
    }
}

static void test_freshness(void **state)
{
    (void)state;
    struct bench bench;
    bench_init(&bench, "");
    assert_false(look(&bench)->is_inventory_complete);
    list_hosts(&bench, NULL, 0);
    assert_true(look(&bench)->is_inventory_complete && bench.seen.is_inventory_fresh);
    inventory_await(bench.inventory, "i-other", SCENE_MONO_MS);
    assert_true(look(&bench)->is_inventory_fresh);
    snprintf(bench.memory.written_version, sizeof(bench.memory.written_version), "%s", "6");
    assert_false(look(&bench)->is_store_fresh);
    snprintf(bench.memory.written_version, sizeof(bench.memory.written_version), "%s", "5");
    assert_true(look(&bench)->is_store_fresh);
    bench.now.mono_ms += 90 * 1000;
    assert_false(look(&bench)->is_store_stale);
    bench.now.mono_ms += 1;
    assert_true(look(&bench)->is_store_stale);
    bench_done(&bench);
}

/* Whatever tells of the host: nothing is planned while a change of it is not seen. */
static void test_awaited(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *status;
        bool is_listed;
        bool is_found;
    } cases[] = {
        {"listed", "", true, false},
        {"the ledger's, which nobody lists", LEDGER_LIVE, false, false},
        {"found by a look-up", "", false, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench bench;
        struct host host = {SCENE_HOST("i-1", HOST_RUNNING)};
        bench_init(&bench, cases[i].status);
        list_hosts(&bench, &host, cases[i].is_listed ? 1 : 0);
        if (cases[i].is_found) {
            bench.memory.found = host;
            bench.memory.found.state_since_ms = SCENE_MONO_MS;
        }
        assert_true(look(&bench)->is_inventory_fresh);
        inventory_await(bench.inventory, "i-1", SCENE_MONO_MS);
        if (look(&bench)->is_inventory_fresh)
            fail_msg("%s", cases[i].what);
        bench_done(&bench);
    }
}

/* Hosts of other objects are left alone, whatever id they carry; taken for ours they would be replaced and
 * ended. EC2 may omit tags, and only a controller that sees a part of the objects does without such a host.
 */
static void test_hosts_of_others(void **state)
{
    (void)state;
    const uint32_t own = identity_digest("ns", "a"), other = identity_digest("ns", "b");
    const struct {
        const char *what;
        struct host host;
        bool is_partial;
        bool is_seen;
    } cases[] = {
        {"its own name", {AGED("i-8", HOST_RUNNING, 1), .cluster_id = "c", .name_digest = own}, false, true},
        {"its own name, of a part",
         {AGED("i-8", HOST_RUNNING, 1), .cluster_id = "c", .name_digest = own},
         true,
         true},
        {"another name",
         {AGED("i-8", HOST_RUNNING, 1), .cluster_id = "c", .name_digest = other},
         false,
         false},
        {"no name yet", {AGED("i-8", HOST_RUNNING, 1), .cluster_id = "c"}, false, true},
        {"no name tags",
         {AGED("i-8", HOST_RUNNING, 1), .cluster_id = "c", .name_digest = identity_digest("", "")},
         false,
         true},
        {"no name, of a part", {AGED("i-8", HOST_RUNNING, 1), .cluster_id = "c"}, true, false},
        {"another cluster",
         {AGED("i-8", HOST_RUNNING, 1), .cluster_id = "d", .name_digest = other},
         true,
         true},
        {"the ledger's", {AGED("i-1", HOST_RUNNING, 1), .cluster_id = "c", .name_digest = other}, true, true},
        {"the attempt's token",
         {AGED("i-8", HOST_RUNNING, 1), .cluster_id = "c", .name_digest = other, .token = "t1"},
         false,
         false},
        {"retained",
         {AGED("i-8", HOST_RUNNING, 1), .cluster_id = "c", .name_digest = own, .is_retained = true},
         false,
         false},
        {"retained, and the attempt's",
         {AGED("i-8", HOST_RUNNING, 1), .cluster_id = "c", .name_digest = own, .is_retained = true,
          .token = "t1"},
         false,
         true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench bench;
        bench_init(&bench, LEDGER_LIVE);
        assert_string_equal(bench.want->name_space, "ns");
        assert_string_equal(bench.want->name, "a");
        bench.config = (struct reconcile_config){.cluster_id = "c", .is_partial = cases[i].is_partial};
        list_hosts(&bench, &cases[i].host, 1);
        const struct observed *seen = look(&bench);
        if ((seen->host_count == 1) != cases[i].is_seen || (seen->foreign_host == NULL) != cases[i].is_seen)
            fail_msg("%s: %zu", cases[i].what, seen->host_count);
        bench_done(&bench);
    }
}

/* However many ended hosts carry the id: the living one is looked at. */
static void test_many_hosts(void **state)
{
    (void)state;
    struct bench bench;
    struct host hosts[HOSTS_MAX + 2];
    bench_init(&bench, LEDGER_OPEN);
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        hosts[i] = (struct host){SCENE_HOST("", HOST_TERMINATED)};
        snprintf(hosts[i].id, sizeof(hosts[i].id), "i-%zu", i);
    }
    hosts[0].state = HOST_RUNNING;
    list_hosts(&bench, hosts, ARRAY_LEN(hosts));
    assert_string_equal(observed_host(look(&bench))->id, "i-0");
    assert_int_equal(bench.seen.host_count, HOSTS_MAX);
    bench_done(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rank),
        cmocka_unit_test(test_proof_of_absence),
        cmocka_unit_test(test_found_is_no_proof),
        cmocka_unit_test(test_another_host_under_the_tag),
        cmocka_unit_test(test_attempt_states),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_not_the_owner),
        cmocka_unit_test(test_freshness),
        cmocka_unit_test(test_awaited),
        cmocka_unit_test(test_hosts_of_others),
        cmocka_unit_test(test_many_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
