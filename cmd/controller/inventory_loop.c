/* The thread that describes what is ours at EC2: each interval, and soon after a change of ours. */
#include "base/mem.h"
#include "controller.h"

#include <stdlib.h>

enum { WANTED_DELAY_MS = 2000, BACK_OFF_FIRST_MS = 1000, BACK_OFF_MAX_MS = 30 * 1000 };

static void changed(void *ctx, const char *deployment_id)
{
    struct controller *controller = ctx;
    CLEANUP(freep) char *key = store_owner_of(controller->store, deployment_id);
    if (key)
        workqueue_add(controller->queue, key, WORK_URGENT);
}

static void put_host(void *ctx, const struct host *host)
{
    struct controller *controller = ctx;
    inventory_put(controller->inventory, host, clock_mono_ms(controller->clock));
}

/* What waited for a look at EC2 is looked at when the first one is there. */
static void wake(void *ctx, const char *key)
{
    workqueue_add(((struct controller *)ctx)->queue, key, WORK_BACKGROUND);
}

static int describe(struct controller *controller)
{
    struct error err = {0};
    bool is_first = inventory_completed_ms(controller->inventory) == 0;
    inventory_begin(controller->inventory, clock_mono_ms(controller->clock));
    if (ec2_ports_describe_all(controller, put_host, controller, &err) < 0) {
        inventory_abandon(controller->inventory);
        log_warn(NULL, "Inventory pass failed", STR("error", err.text));
        readiness_set(controller, controller->readiness.inventory, &err);
        return -1;
    }
    inventory_end(controller->inventory, changed, controller);
    readiness_set(controller, controller->readiness.inventory, NULL);
    if (is_first)
        store_each_key(controller->store, wake, controller);
    return 0;
}

/* Until the next pass is due, or one is wanted; false when stopped. */
static bool wait_for_turn(struct inventory_loop *loop, const struct clock *clock, int64_t due_ms)
{
    LOCK_SCOPE(&loop->mutex);
    while (!loop->is_stopped) {
        int64_t until_ms = loop->wanted_ms > 0 && loop->wanted_ms < due_ms ? loop->wanted_ms : due_ms;
        if (clock_mono_ms(clock) >= until_ms) {
            loop->wanted_ms = 0;
            return true;
        }
        cond_wait_until(&loop->cond, &loop->mutex, until_ms);
    }
    return false;
}

static void *loop_run(void *ctx)
{
    struct controller *controller = ctx;
    int64_t back_off_ms = BACK_OFF_FIRST_MS;
    int64_t due_ms = 0;
    while (wait_for_turn(&controller->inventory_loop, controller->clock, due_ms)) {
        int64_t start_ms = clock_mono_ms(controller->clock);
        if (describe(controller) == 0) {
            due_ms = start_ms + (int64_t)controller->options->inventory_interval_s * 1000;
            back_off_ms = BACK_OFF_FIRST_MS;
            continue;
        }
        due_ms = clock_mono_ms(controller->clock) + back_off_ms;
        back_off_ms = back_off_ms * 2 < BACK_OFF_MAX_MS ? back_off_ms * 2 : BACK_OFF_MAX_MS;
    }
    return NULL;
}

void inventory_loop_start(struct controller *controller)
{
    struct inventory_loop *loop = &controller->inventory_loop;
    mutex_init(&loop->mutex);
    cond_init(&loop->cond);
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
    pthread_cond_destroy(&loop->cond);
    pthread_mutex_destroy(&loop->mutex);
    loop->is_started = false;
}

/* The earliest wish counts, and a pass comes at most this often. */
void inventory_loop_want(struct controller *controller)
{
    struct inventory_loop *loop = &controller->inventory_loop;
    if (!loop->is_started)
        return;
    LOCK_SCOPE(&loop->mutex);
    if (loop->wanted_ms == 0)
        loop->wanted_ms = clock_mono_ms(controller->clock) + WANTED_DELAY_MS;
    pthread_cond_signal(&loop->cond);
}
