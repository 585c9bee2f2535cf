/* Heartbeats: promises on a clock of the test's, and that each long-lived thread keeps its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heartbeat.h"
#include "base/mem.h"
#include "base/thread.h"
#include "fake_api.h"
#include "kube/event_queue.h"
#include "kube/leader.h"
#include "kube/watcher.h"
#include "nitro/ec2_batch.h"
#include "reconcile/workers.h"

#include <stdlib.h>

enum { HOUR_MS = 3600 * 1000 };

/* All threads of a test read this clock for their heartbeats, and the real one for their work. */
struct bed {
    atomic_int_least64_t now_ms;
    struct clock clock;
    struct heartbeats *heartbeats;
    const char *_Atomic silent; /* as seen from the inside of a step, an hour into it */
    atomic_int seen;
};

static int64_t bed_now(void *ctx)
{
    return atomic_load(&((struct bed *)ctx)->now_ms);
}

static void bed_init(struct bed *bed)
{
    *bed = (struct bed){.now_ms = 1000, .clock = {bed_now, bed_now, bed}};
    bed->heartbeats = heartbeats_new(&bed->clock);
}

static const char *find_silent(struct bed *bed)
{
    int64_t late_ms = 0;
    return heartbeats_find_silent(bed->heartbeats, &late_ms);
}

/* Called by a thread in the middle of a step: the step takes an hour. */
static void hang(struct bed *bed)
{
    if (atomic_load(&bed->seen))
        return;
    atomic_fetch_add(&bed->now_ms, HOUR_MS);
    atomic_store(&bed->silent, find_silent(bed));
    atomic_store(&bed->seen, 1);
}

/* The thread is named while it hangs, and not any more once it has gone on. */
static void check_named(struct bed *bed, const char *name)
{
    struct stop never;
    stop_init(&never);
    for (int i = 0; i < 500 && (!atomic_load(&bed->seen) || find_silent(bed)); i++)
        stop_wait(&never, 10);
    stop_done(&never);
    assert_true(atomic_load(&bed->seen));
    assert_non_null(bed->silent);
    assert_string_equal(bed->silent, name);
    assert_null(find_silent(bed));
}

/* And has left when it ended: nothing is missed a day later. */
static void bed_done(struct bed *bed)
{
    atomic_fetch_add(&bed->now_ms, 24 * HOUR_MS);
    assert_null(find_silent(bed));
    heartbeats_free(bed->heartbeats);
}

static void test_promises(void **state)
{
    (void)state;
    struct bed bed;
    bed_init(&bed);
    int64_t late_ms = -1;
    struct heartbeat *a = heartbeat_join(bed.heartbeats, "a");
    struct heartbeat *b = heartbeat_join(bed.heartbeats, "b");
    bed.now_ms += HOUR_MS;
    assert_null(heartbeats_find_silent(bed.heartbeats, &late_ms));
    assert_int_equal(late_ms, 0);
    heartbeat_promise(a, 5000);
    heartbeat_promise(b, -7000);
    bed.now_ms += HEARTBEAT_MARGIN_MS;
    assert_null(find_silent(&bed));
    bed.now_ms += 1;
    assert_string_equal(heartbeats_find_silent(bed.heartbeats, &late_ms), "b");
    assert_int_equal(late_ms, 1);
    heartbeat_rest(b);
    bed.now_ms += 5000;
    assert_string_equal(heartbeats_find_silent(bed.heartbeats, &late_ms), "a");
    assert_int_equal(late_ms, 1);
    heartbeat_leave(a);
    assert_null(find_silent(&bed));
    assert_ptr_equal(heartbeat_join(bed.heartbeats, "c"), a);
    heartbeat_leave(a);
    heartbeat_leave(b);
    heartbeat_promise(heartbeat_join(NULL, "none"), 1);
    bed_done(&bed);
}

static bool may_work(void *ctx)
{
    (void)ctx;
    return true;
}

static void observe(void *ctx, const char *key, const struct outcome *outcome, int64_t duration_ms)
{
    (void)key;
    (void)outcome;
    (void)duration_ms;
    hang(ctx);
}

static void test_worker(void **state)
{
    (void)state;
    struct bed bed;
    bed_init(&bed);
    const struct reconcile_config config = {.max_launches_per_hour = 1};
    struct store *store = store_new();
    struct inventory *inventory = inventory_new();
    struct workqueue *queue = workqueue_new(clock_real());
    const struct reconciler_options options = {
        .config = &config, .store = store, .inventory = inventory, .clock = clock_real()};
    struct reconciler *reconciler = reconciler_new(&options);
    const struct workers_options workers = {.queue = queue,
                                            .reconciler = reconciler,
                                            .clock = clock_real(),
                                            .count = 2,
                                            .may_work = may_work,
                                            .observe = observe,
                                            .ctx = &bed,
                                            .heartbeats = bed.heartbeats};
    struct workers *running = workers_start(&workers);
    workqueue_add(queue, "ns/gone", WORK_URGENT);
    check_named(&bed, "worker");
    workqueue_stop(queue);
    workers_free(running);
    reconciler_free(reconciler);
    workqueue_free(queue);
    inventory_free(inventory);
    store_free(store);
    bed_done(&bed);
}

static int send_ids(void *ctx, enum ec2_verb verb, const struct ec2_query *ids, struct error *err)
{
    (void)verb;
    (void)ids;
    (void)err;
    hang(ctx);
    return 0;
}

static void settled(void *ctx, const char *id, bool is_changed)
{
    (void)ctx;
    (void)id;
    (void)is_changed;
}

/* Asking is safe as long as the batch is there, also when its thread has ended. */
static void test_batch(void **state)
{
    (void)state;
    struct bed bed;
    bed_init(&bed);
    const struct ec2_batch_options options = {clock_real(), send_ids, may_work,
                                              settled,      &bed,     bed.heartbeats};
    struct ec2_batch *batch = ec2_batch_new(&options);
    ec2_batch_start(batch);
    assert_int_equal(ec2_batch_ask(batch, EC2_STOP, &(struct ec2_batch_item){.id = "i-1"}, NULL), 0);
    check_named(&bed, "batch");
    ec2_batch_stop(batch);
    assert_int_equal(ec2_batch_ask(batch, EC2_STOP, &(struct ec2_batch_item){.id = "i-2"}, NULL), 0);
    ec2_batch_free(batch);
    bed_done(&bed);
}

/* The hanging end of each request of the three threads below. */
static struct fake_reply answer(void *ctx, const char *request)
{
    (void)request;
    hang(ctx);
    return (struct fake_reply){.status = 404};
}

struct server {
    struct fake_api *api;
    struct kube_config config;
    struct kube_client *client;
};

static void server_init(struct server *server, struct bed *bed)
{
    *server = (struct server){.api = fake_api_start(answer, bed)};
    server->config.server = mem_printf("http://127.0.0.1:%d", fake_api_get_port(server->api));
    server->client =
        kube_client_new(&(struct kube_client_options){.config = &server->config, .clock = clock_real()});
}

static void server_done(struct server *server)
{
    kube_client_free(server->client);
    kube_config_done(&server->config);
    fake_api_stop(server->api);
}

static void test_events(void **state)
{
    (void)state;
    struct bed bed;
    struct server server;
    static const struct event_source source = {"tee.dev/controller", "host"};
    const struct event event = {.api_version = "v1",
                                .kind = "Pod",
                                .name_space = "ns",
                                .name = "a",
                                .uid = "u",
                                .reason = "R",
                                .action = "A",
                                .note = "N"};
    bed_init(&bed);
    server_init(&server, &bed);
    struct event_queue *queue = event_queue_start(server.client, &source, bed.heartbeats);
    event_queue_emit(queue, &event);
    check_named(&bed, "events");
    event_queue_free(queue);
    server_done(&server);
    bed_done(&bed);
}

static void gained(void *ctx, int64_t transitions)
{
    (void)ctx;
    (void)transitions;
}

static void lost(void *ctx)
{
    (void)ctx;
}

static void test_leader(void **state)
{
    (void)state;
    struct bed bed;
    struct server server;
    struct leader *leader = NULL;
    struct error err = {0};
    bed_init(&bed);
    server_init(&server, &bed);
    const struct leader_options options = {.config = &server.config,
                                           .name_space = "ns",
                                           .name = "lock",
                                           .identity = "a",
                                           .times = {3000, 2000, 400},
                                           .gained = gained,
                                           .lost = lost,
                                           .heartbeats = bed.heartbeats};
    assert_int_equal(leader_start(&options, &leader, &err), 0);
    check_named(&bed, "leader");
    leader_free(leader);
    server_done(&server);
    bed_done(&bed);
}

static void begin_list(void *ctx)
{
    (void)ctx;
}

static void failed(void *ctx, const struct error *err)
{
    (void)ctx;
    (void)err;
}

static void test_watcher(void **state)
{
    (void)state;
    struct bed bed;
    struct server server;
    bed_init(&bed);
    server_init(&server, &bed);
    const struct watcher_options options = {.client = server.client,
                                            .path = "/apis/tee.dev/v1alpha1/teedeployments",
                                            .owner = {.begin_list = begin_list, .failed = failed},
                                            .heartbeats = bed.heartbeats};
    struct watcher *watcher = watcher_start(&options);
    check_named(&bed, "watcher");
    watcher_free(watcher);
    server_done(&server);
    bed_done(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_promises), cmocka_unit_test(test_worker), cmocka_unit_test(test_batch),
        cmocka_unit_test(test_events),   cmocka_unit_test(test_leader), cmocka_unit_test(test_watcher),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
