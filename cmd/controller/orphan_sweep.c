/* The two lists of a sweep and what comes of it; sweep.h decides. Runs in the inventory's thread, after a
 * complete look at EC2. The list of objects is asked for only when the store misses an object: in quiet times
 * never. */
#include "controller.h"

#include "base/buf.h"
#include "base/mem.h"
#include "kube/list.h"

#include <stdlib.h>

static const struct log logger = LOG_ROOT("sweep");

struct gathering {
    struct controller *controller;
    int64_t wall_ms;
};

static void add_host(void *ctx, const struct host *host)
{
    const struct gathering *gathering = ctx;
    struct controller *controller = gathering->controller;
    CLEANUP(freep) char *owner = store_owner_of(controller->store, host->deployment_id);
    sweep_add(controller->inventory_loop.sweep, host, owner != NULL, gathering->wall_ms);
}

static int claim(void *ctx, const char *text, size_t len, struct error *err)
{
    struct controller *controller = ctx;
    CLEANUP(teedeployment_unrefp) struct teedeployment *object = NULL;
    inventory_loop_promise(controller);
    if (teedeployment_decode(text, len, &object, err) < 0)
        return error_wrap(err, "an object that cannot be read may have a host");
    sweep_claim(controller->inventory_loop.sweep, object);
    return 0;
}

/* All of the cluster, whatever this controller itself looks after. */
static int claim_all(struct controller *controller, struct error *err)
{
    CLEANUP(freep) char *path = kube_ports_path(NULL, NULL);
    return kube_list(controller->kube, path, &controller->stop, claim, controller, err);
}

/* NULL: nothing speaks against a sweep. */
static const char *find_doubt(struct controller *controller)
{
    if (!store_is_complete(controller->store))
        return "the objects were not listed yet";
    if (store_is_stale(controller->store, clock_mono_ms(controller->clock)))
        return "the API server was not heard for 90 s";
    if (controller_lease_left_ms(controller) < controller->config.lease_min_ms)
        return "the lease is not ours";
    return NULL;
}

static void refuse(const struct sweep_result *result)
{
    CLEANUP(buf_done) struct buf ids;
    buf_init(&ids, 1024);
    for (size_t i = 0; i < result->id_count; i++)
        buf_printf(&ids, "%s%s", i > 0 ? " " : "", result->ids[i]);
    log_error(&logger,
              "Instances without a TeeDeployment are too many to be orphans, and none is terminated; if they "
              "are to go, "
              "terminate them by hand; if they are to stay, tag them tee-retained",
              INT("orphans", (long long)result->orphans), INT("instances", (long long)result->live),
              STR("ids", buf_text(&ids)));
}

static void end_orphans(struct controller *controller, const struct sweep_result *result)
{
    struct ports *ports = &controller->ports;
    for (size_t i = 0; i < result->id_count; i++) {
        struct error err = {0};
        if (ports->terminate_host(ports->ctx, result->ids[i], &err) < 0) {
            log_warn(&logger, "Orphan was not terminated", STR("instance", result->ids[i]),
                     STR("error", err.text));
            continue;
        }
        log_warn(&logger, "Instance has no TeeDeployment and is terminated", STR("instance", result->ids[i]));
        telemetry_count_orphan(controller);
    }
}

static void conclude(struct controller *controller)
{
    struct inventory_loop *loop = &controller->inventory_loop;
    struct sweep_result result;
    sweep_end(loop->sweep, clock_mono_ms(controller->clock), &result);
    telemetry_set_orphans(controller, result.orphans, result.is_refused);
    if (result.is_refused)
        refuse(&result);
    else if (!find_doubt(controller)) /* the list may have taken long */
        end_orphans(controller, &result);
}

void orphan_sweep_run(struct controller *controller)
{
    struct inventory_loop *loop = &controller->inventory_loop;
    int64_t now_ms = clock_mono_ms(controller->clock);
    int64_t interval_ms = (int64_t)controller->options->orphan_sweep_interval_s * 1000;
    /* Of an object in a namespace that is not watched nobody here could say that it is there. */
    bool is_blind = controller->options->namespace_count > 0;
    if (interval_ms == 0 || is_blind || controller->config.read_only || now_ms < loop->next_sweep_ms)
        return;
    loop->next_sweep_ms = now_ms + interval_ms;
    const char *doubt = find_doubt(controller);
    if (doubt) {
        log_debug(&logger, "Orphan sweep was left out", STR("reason", doubt));
        sweep_abandon(loop->sweep);
        return;
    }
    struct gathering gathering = {controller, clock_wall_ms(controller->clock)};
    struct error err = {0};
    inventory_loop_promise(controller);
    sweep_begin(loop->sweep);
    inventory_each(controller->inventory, add_host, &gathering);
    if (sweep_count_candidates(loop->sweep) > 0 && claim_all(controller, &err) < 0) {
        log_warn(&logger, "Orphan sweep was given up", STR("error", err.text));
        sweep_abandon(loop->sweep);
        return;
    }
    conclude(controller);
}
