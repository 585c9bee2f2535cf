/* The thread that describes what is ours at EC2, all of it each interval. In between it looks at the hosts in
 * motion alone, so that an end of motion is seen within seconds and costs a call for 200 of them. */
#include "base/mem.h"
#include "controller.h"
#include "ec2_ports.h"
#include "outdated.h"

#include <stdlib.h>

static const struct log logger = LOG_ROOT("inventory");

enum {
    WANTED_DELAY_MS = 2000,
    PART_DELAY_MS = 3000,
    BACK_OFF_FIRST_MS = 1000,
    BACK_OFF_MAX_MS = 30 * 1000,
    STEP_MAX_MS = 180 * 1000
};

static void changed(void *ctx, const char *deployment_id)
{
    struct controller *controller = ctx;
    CLEANUP(freep) char *key = store_owner_of(controller->store, deployment_id);
    if (key)
        workqueue_add(controller->queue, key, WORK_URGENT);
}

void inventory_loop_promise(struct controller *controller)
{
    heartbeat_promise(controller->inventory_loop.heartbeat, STEP_MAX_MS);
}

static void put_host(void *ctx, const struct host *host)
{
    struct controller *controller = ctx;
    inventory_loop_promise(controller); /* there may be many pages */
    inventory_put(controller->inventory, host, clock_mono_ms(controller->clock));
}

/* What waited for a look at EC2 is looked at when the first one is there; nothing else wakes it soon. */
static void wake(void *ctx, const char *key)
{
    workqueue_add(((struct controller *)ctx)->queue, key, WORK_BACKGROUND);
}

static int describe(struct controller *controller)
{
    struct error err = {0};
    bool is_first = inventory_completed_ms(controller->inventory) == 0;
    inventory_loop_promise(controller);
    inventory_begin(controller->inventory, clock_mono_ms(controller->clock));
    if (ec2_ports_describe_all(controller, put_host, controller, &err) < 0) {
        inventory_abandon(controller->inventory);
        log_warn(&logger, "Inventory pass failed", STR("error", err.text));
        telemetry_set_ready(controller, &controller->readiness.inventory, &err);
        return -1;
    }
    inventory_end(controller->inventory, changed, controller);
    orphan_sweep_run(controller);
    telemetry_set_ready(controller, &controller->readiness.inventory, NULL);
    if (is_first)
        store_each_key(controller->store, wake, controller);
    return 0;
}

static void put_health(void *ctx, const char *id, const struct host_health *health)
{
    inventory_put_health(((struct controller *)ctx)->inventory, id, health);
}

/* Which of them fail, after each whole look that was due. Without an answer nothing is concluded, nor was the
 * look at EC2 in vain: it is told once. */
static void describe_health(struct controller *controller)
{
    struct error err = {0};
    struct inventory_loop *loop = &controller->inventory_loop;
    inventory_loop_promise(controller);
    inventory_begin_health(controller->inventory, clock_mono_ms(controller->clock));
    if (ec2_ports_describe_unhealthy(controller, put_health, controller, &err) < 0) {
        if (!loop->is_health_away)
            log_warn(&logger, "Hosts that fail cannot be looked for", STR("error", err.text));
        loop->is_health_away = true;
        return;
    }
    loop->is_health_away = false;
    inventory_end_health(controller->inventory, changed, controller);
}

/* A failure is the next whole pass's to report. */
static void describe_moving(struct controller *controller, char (*ids)[HOST_ID_SIZE], size_t count)
{
    const char *list[INVENTORY_PART_MAX];
    struct error err = {0};
    inventory_begin_part(controller->inventory, clock_mono_ms(controller->clock));
    for (size_t first = 0; first < count; first += INVENTORY_PART_MAX) {
        inventory_loop_promise(controller);
        size_t part = count - first < INVENTORY_PART_MAX ? count - first : INVENTORY_PART_MAX;
        for (size_t i = 0; i < part; i++)
            list[i] = ids[first + i];
        if (ec2_ports_describe_some(controller, list, part, put_host, &err) < 0) {
            log_debug(&logger, "Look at hosts in motion failed", STR("error", err.text));
            break;
        }
    }
    inventory_end_part(controller->inventory, changed, controller);
}

static size_t calls_for(size_t count, size_t per_call)
{
    return (count + per_call - 1) / per_call;
}

/* False: so many are in motion that a look at everything costs less. */
static bool look_at_moving(struct controller *controller)
{
    char(*ids)[HOST_ID_SIZE] = NULL;
    size_t count = inventory_list_moving(controller->inventory, &ids);
    size_t parts = calls_for(count, INVENTORY_PART_MAX);
    bool is_cheaper =
        parts <= 1 || parts <= calls_for(inventory_count(controller->inventory), INVENTORY_PAGE);
    if (is_cheaper && count > 0)
        describe_moving(controller, ids, count);
    free(ids);
    return is_cheaper;
}

/* The earliest wish counts. */
static void look_by(struct inventory_loop *loop, int64_t at_ms)
{
    LOCK_SCOPE(&loop->mutex);
    if (loop->part_ms > 0 && loop->part_ms <= at_ms)
        return;
    loop->part_ms = at_ms;
    pthread_cond_signal(&loop->cond);
}

static void look_again_if_moving(struct controller *controller)
{
    if (inventory_has_moving(controller->inventory))
        look_by(&controller->inventory_loop, clock_mono_ms(controller->clock) + PART_DELAY_MS);
}

enum turn { TURN_NONE, TURN_PART, TURN_WHOLE };

/* Until the next pass is due, or hosts in motion are; TURN_NONE when stopped. Wishes from now on are for a
 * later turn. */
static enum turn wait_for_turn(struct inventory_loop *loop, const struct clock *clock, int64_t due_ms)
{
    LOCK_SCOPE(&loop->mutex);
    while (!loop->is_stopped) {
        int64_t now_ms = clock_mono_ms(clock);
        bool is_part_due = loop->part_ms > 0 && now_ms >= loop->part_ms;
        if (is_part_due || now_ms >= due_ms) {
            loop->part_ms = 0;
            return now_ms >= due_ms ? TURN_WHOLE : TURN_PART;
        }
        bool is_part_next = loop->part_ms > 0 && loop->part_ms < due_ms;
        cond_wait_until(&loop->cond, &loop->mutex, is_part_next ? loop->part_ms : due_ms);
    }
    return TURN_NONE;
}

static void *loop_run(void *ctx)
{
    struct controller *controller = ctx;
    int64_t back_off_ms = BACK_OFF_FIRST_MS;
    int64_t due_ms = 0;
    int64_t health_due_ms = 0;
    struct inventory_loop *loop = &controller->inventory_loop;
    loop->heartbeat = heartbeat_join(controller->heartbeats, "inventory");
    for (;;) {
        heartbeat_promise(loop->heartbeat, due_ms - clock_mono_ms(controller->clock));
        enum turn turn = wait_for_turn(loop, controller->clock, due_ms);
        if (turn == TURN_NONE)
            break;
        if (turn == TURN_PART && look_at_moving(controller)) {
            look_again_if_moving(controller);
            continue;
        }
        int64_t start_ms = clock_mono_ms(controller->clock);
        int64_t next_ms = start_ms + (int64_t)controller->options->inventory_interval_s * 1000;
        bool is_done = describe(controller) == 0;
        if (is_done && start_ms >= health_due_ms) {
            describe_health(controller);
            if (atomic_load(&controller->is_outdated))
                outdated_check(controller);
            mem_give_back(); /* here because it comes once per interval and nobody waits */
            health_due_ms = next_ms;
        }
        look_again_if_moving(controller);
        if (is_done) {
            due_ms = next_ms;
            back_off_ms = BACK_OFF_FIRST_MS;
            continue;
        }
        due_ms = clock_mono_ms(controller->clock) + back_off_ms;
        back_off_ms = back_off_ms * 2 < BACK_OFF_MAX_MS ? back_off_ms * 2 : BACK_OFF_MAX_MS;
    }
    heartbeat_leave(loop->heartbeat);
    return NULL;
}

void inventory_loop_start(struct controller *controller)
{
    struct inventory_loop *loop = &controller->inventory_loop;
    mutex_init(&loop->mutex);
    cond_init(&loop->cond);
    loop->sweep = sweep_new();
    loop->thread = thread_start("inventory", loop_run, controller);
    loop->is_started = true;
}

void inventory_loop_stop(struct controller *controller)
{
    struct inventory_loop *loop = &controller->inventory_loop;
    if (!loop->is_started)
        return;
    mutex_lock(&loop->mutex);
    loop->is_stopped = true;
    pthread_cond_broadcast(&loop->cond);
    mutex_unlock(&loop->mutex);
    thread_join(loop->thread);
    loop->sweep = sweep_free(loop->sweep);
    pthread_cond_destroy(&loop->cond);
    pthread_mutex_destroy(&loop->mutex);
    loop->is_started = false;
}

void inventory_loop_want(struct controller *controller)
{
    struct inventory_loop *loop = &controller->inventory_loop;
    if (loop->is_started)
        look_by(loop, clock_mono_ms(controller->clock) + WANTED_DELAY_MS);
}
