/* What a pass leaves in the store and in the queue, around effects that the test answers. What passes do is
 * told by test/scenario. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "plan_scene.h"
#include "reconcile/workers.h"

#include <stdio.h>
#include <string.h>

#define KEY "ns/a"

struct scene {
    int64_t mono_ms;
    struct clock clock;
    struct reconcile_config config;
    struct ports ports;
    struct store *store;
    struct inventory *inventory;
    struct workqueue *queue;
    struct reconciler *reconciler;

    const char *live;                      /* version that a live read brings; NULL = no such object */
    void (*while_reading)(struct scene *); /* what the watch tells meanwhile */
};

static int64_t scene_mono_ms(void *ctx)
{
    return ((struct scene *)ctx)->mono_ms;
}

static int64_t scene_wall_ms(void *ctx)
{
    return SCENE_WALL_MS + ((struct scene *)ctx)->mono_ms;
}

static struct teedeployment *make(const char *version, const char *more, const char *spec)
{
    CLEANUP(freep)
    char *metadata = mem_printf("\"resourceVersion\":\"%s\"%s%s", version, more ? "," : "", more ? more : "");
    return scene_object(metadata, spec, NULL);
}

static void put(struct scene *scene, const char *version, const char *more, const char *spec)
{
    CLEANUP(teedeployment_unrefp) struct teedeployment *object = make(version, more, spec);
    store_put(scene->store, object);
}

static int get_object(void *ctx, const char *name_space, const char *name, struct teedeployment **ret_object,
                      struct error *err)
{
    (void)name_space, (void)name, (void)err;
    struct scene *scene = ctx;
    *ret_object = scene->live ? make(scene->live, NULL, NULL) : NULL;
    if (scene->while_reading)
        scene->while_reading(scene);
    return 0;
}

static int set_finalizer(void *ctx, const struct teedeployment *object, bool present, char *ret_version,
                         struct error *err)
{
    (void)ctx, (void)object, (void)present, (void)err;
    snprintf(ret_version, 66, "6");
    return 0;
}

static int apply_status(void *ctx, const struct teedeployment *object, const char *resource_version,
                        const char *manager, const char *status_json, char *ret_version, struct error *err)
{
    (void)ctx, (void)object, (void)resource_version, (void)manager, (void)status_json, (void)err;
    snprintf(ret_version, 66, "7");
    return 0;
}

static void emit_event(void *ctx, const struct teedeployment *object, const struct object_event *event)
{
    (void)ctx, (void)object, (void)event;
}

static int64_t lease_left_ms(void *ctx)
{
    (void)ctx;
    return 15000;
}

static void look_at_ec2(struct scene *scene)
{
    inventory_begin(scene->inventory, scene->mono_ms);
    inventory_end(scene->inventory, NULL, NULL);
}

static void init(struct scene *scene)
{
    *scene = (struct scene){
        .mono_ms = SCENE_MONO_MS,
        .clock = {.wall_ms = scene_wall_ms, .mono_ms = scene_mono_ms, .ctx = scene},
        .config = {.cluster_id = "cluster", .roots_digest = "roots", .lease_min_ms = 3000},
        .ports = {.ctx = scene,
                  .get_object = get_object,
                  .set_finalizer = set_finalizer,
                  .apply_status = apply_status,
                  .emit_event = emit_event,
                  .lease_left_ms = lease_left_ms},
        .store = store_new(),
        .inventory = inventory_new(),
    };
    scene->queue = workqueue_new(&scene->clock);
    const struct reconciler_options options = {.config = &scene->config,
                                               .ports = &scene->ports,
                                               .store = scene->store,
                                               .inventory = scene->inventory,
                                               .clock = &scene->clock};
    scene->reconciler = reconciler_new(&options);
    store_set_heard(scene->store, NULL, scene->mono_ms);
}

static void done(struct scene *scene)
{
    reconciler_free(scene->reconciler);
    workqueue_free(scene->queue);
    inventory_free(scene->inventory);
    store_free(scene->store);
}

static void take_deletion(struct scene *scene)
{
    store_remove(scene->store, KEY);
}

static void take_recreation(struct scene *scene)
{
    store_remove(scene->store, KEY);
    put(scene, "12", NULL, NULL);
}

struct read_case {
    const char *name;
    const char *live;
    void (*while_reading)(struct scene *);
    const char *then;
};

static const struct read_case read_cases[] = {
    {"the watch lags", "10", NULL, "10"},
    {"it is gone", NULL, NULL, NULL},
    {"deleted meanwhile", "10", take_deletion, NULL},
    {"created anew meanwhile", NULL, take_recreation, "12"},
    {"created anew after the read", "10", take_recreation, "12"},
};

static void expect_end(struct scene *scene, const struct read_case *c)
{
    CLEANUP(teedeployment_unrefp) struct teedeployment *held = store_get(scene->store, KEY);
    CLEANUP(freep) char *refused = store_refused_version(scene->store, KEY);
    const char *version = held ? held->resource_version : refused;
    if (strcmp(version ? version : "none", c->then ? c->then : "none") != 0)
        fail_msg("%s: the store has %s", c->name, version ? version : "none");
}

/* The watch does not show our own write for 10 s: the object is read, and the watch goes on meanwhile. Seen
 * to fail with what was read put or removed whatever the store has by then. */
static void test_own_write_is_not_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(read_cases); i++) {
        struct scene scene;
        init(&scene);
        look_at_ec2(&scene);
        put(&scene, "5", BARE, NULL);
        reconciler_pass(scene.reconciler, KEY); /* writes the finalizer and the status */
        scene.mono_ms += 11 * 1000;
        store_set_heard(scene.store, NULL, scene.mono_ms);
        scene.live = read_cases[i].live;
        scene.while_reading = read_cases[i].while_reading;
        reconciler_pass(scene.reconciler, KEY);
        expect_end(&scene, &read_cases[i]);
        done(&scene);
    }
}

/* The same for an object that the store has no room for, which is read in each pass. */
static void test_refused_object_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(read_cases); i++) {
        struct scene scene;
        init(&scene);
        store_set_limit(scene.store, 1);
        look_at_ec2(&scene);
        put(&scene, "5", BARE, NULL);
        scene.live = read_cases[i].live;
        scene.while_reading = read_cases[i].while_reading;
        reconciler_pass(scene.reconciler, KEY);
        expect_end(&scene, &read_cases[i]);
        done(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_write_is_not_seen),
        cmocka_unit_test(test_refused_object_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
