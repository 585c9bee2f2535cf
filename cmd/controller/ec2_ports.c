/* The EC2 side of the ports: a few lines each over pkg/nitro. */
#include "ec2_ports.h"

#include "base/deadline.h"
#include "base/fnv.h"
#include "base/mem.h"
#include "ec2_host.h"
#include "launch_parts.h"
#include "nitro/console.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_MS = 30 * 1000, CONSOLE_MS = 5 * 1000, TAGS_MAX = 48 };

static int run_host(void *ctx, const struct launch_request *request, struct host *ret_host, struct error *err)
{
    struct controller *controller = ctx;
    CLEANUP(launch_parts_done) struct launch_parts parts = {0};
    struct ec2_instance launched = {0};
    if (launch_parts_make(request, &parts, err) < 0)
        return -1;
    if (ec2_run_instance(controller->ec2, &parts.launch, controller_change_timeout_ms(controller), &launched,
                         err) < 0)
        return -1;
    ec2_host_from(&launched, ret_host);
    ec2_instance_done(&launched);
    return 0;
}

/* Instances of one type and subnet start or lack capacity together. */
static int start_host(void *ctx, const char *id, struct error *err)
{
    struct controller *controller = ctx;
    struct host host;
    bool is_known = inventory_get(controller->inventory, id, &host);
    const struct ec2_batch_item item = {id, is_known ? fnv32_pair(host.type, host.subnet_id) : 0};
    return ec2_batch_ask(controller->batch, EC2_START, &item, err);
}

static int stop_host(void *ctx, const char *id, struct error *err)
{
    struct controller *controller = ctx;
    const struct ec2_batch_item item = {.id = id};
    return ec2_batch_ask(controller->batch, EC2_STOP, &item, err);
}

static int terminate_host(void *ctx, const char *id, struct error *err)
{
    struct controller *controller = ctx;
    const struct ec2_batch_item item = {.id = id};
    return ec2_batch_ask(controller->batch, EC2_TERMINATE, &item, err);
}

static int send_batch(void *ctx, enum ec2_verb verb, const struct ec2_query *ids, struct error *err)
{
    struct controller *controller = ctx;
    return ec2_change(controller->ec2, verb, ids, controller_change_timeout_ms(controller), err);
}

static bool may_send(void *ctx)
{
    struct controller *controller = ctx;
    return controller_lease_left_ms(controller) >= controller->config.lease_min_ms;
}

/* A change is seen by a look at EC2 that begins from now on; what was not changed has to be asked for again.
 */
static void batch_settled(void *ctx, const char *id, bool is_changed)
{
    struct controller *controller = ctx;
    struct host host;
    if (is_changed) {
        inventory_await(controller->inventory, id, clock_mono_ms(controller->clock));
        inventory_loop_want(controller);
        return;
    }
    inventory_await_no_more(controller->inventory, id);
    if (!inventory_get(controller->inventory, id, &host))
        return;
    CLEANUP(freep) char *key = store_owner_of(controller->store, host.deployment_id);
    if (key)
        workqueue_add(controller->queue, key, WORK_URGENT);
}

struct ec2_batch *ec2_ports_make_batch(struct controller *controller)
{
    struct ec2_batch_options options = {.clock = controller->clock,
                                        .send = send_batch,
                                        .may_act = may_send,
                                        .settled = batch_settled,
                                        .ctx = controller,
                                        .heartbeats = controller->heartbeats};
    return ec2_batch_new(&options);
}

struct found {
    struct host *hosts;
    size_t count;
};

static int collect(void *ctx, struct ec2_instance *instance, struct error *err)
{
    (void)err;
    struct found *found = ctx;
    if (found->count < HOSTS_MAX)
        ec2_host_from(instance, &found->hosts[found->count++]);
    return 0;
}

static int describe(struct controller *controller, const struct ec2_filter *filters, size_t count,
                    struct found *found, struct error *err)
{
    const struct ec2_query query = {.filters = filters, .filter_count = count};
    const struct ec2_handler handler = {.on_instance = collect, .ctx = found};
    return ec2_describe(controller->ec2, &query, &handler, deadline_cap_ms(READ_MS), err);
}

/* By the id first; an object that never had one is found by its namespace and name. */
static int find_for_adoption(struct controller *controller, const struct find_request *request,
                             struct found *found, struct error *err)
{
    const struct ec2_filter by_id = {"tag:tee-deployment-id", &request->value, 1};
    if (describe(controller, &by_id, 1, found, err) < 0)
        return -1;
    if (found->count > 0)
        return 0;
    const char *name_space = request->object->name_space;
    const char *name = request->object->name;
    const struct ec2_filter by_name[] = {{"tag:tee-namespace", &name_space, 1}, {"tag:tee-name", &name, 1}};
    return describe(controller, by_name, 2, found, err);
}

static int find_hosts(void *ctx, const struct find_request *request, struct host *ret_hosts,
                      size_t *ret_count, struct error *err)
{
    struct controller *controller = ctx;
    struct found found = {.hosts = ret_hosts};
    const char *cluster = controller->cluster_id;
    const struct ec2_filter token = {"client-token", &request->value, 1};
    const struct ec2_filter id = {"instance-id", &request->value, 1};
    const struct ec2_filter tags[] = {{"tag:tee-deployment-id", &request->value, 1},
                                      {"tag:tee-cluster-id", &cluster, 1}};
    int result = -1;
    switch (request->by) {
    case FIND_BY_TOKEN: result = describe(controller, &token, 1, &found, err); break;
    case FIND_BY_ID: result = describe(controller, &id, 1, &found, err); break;
    case FIND_BY_DEPLOYMENT_TAG: result = describe(controller, tags, 2, &found, err); break;
    case FIND_FOR_ADOPTION: result = find_for_adoption(controller, request, &found, err); break;
    }
    *ret_count = found.count;
    return result;
}

static int tag_host(void *ctx, const char *id, const struct tee_tag *tags, struct error *err)
{
    struct controller *controller = ctx;
    struct ec2_tag out[TAGS_MAX] = {{0}};
    for (size_t i = 0; tags[i].key && i + 1 < TAGS_MAX; i++)
        out[i] = (struct ec2_tag){tags[i].key, tags[i].value};
    return ec2_create_tags(controller->ec2, id, out, controller_change_timeout_ms(controller), err);
}

static int read_console(void *ctx, const char *id, char *ret_tail, size_t size, struct error *err)
{
    struct controller *controller = ctx;
    CLEANUP(buf_done) struct buf text;
    CLEANUP(buf_done) struct buf tail;
    buf_init(&tail, size);
    if (ec2_fetch_console(controller->ec2, id, deadline_cap_ms(CONSOLE_MS), &text, err) < 0)
        return -1;
    console_put_tail(buf_text(&text), text.len, size - 1, &tail);
    snprintf(ret_tail, size, "%s", buf_text(&tail));
    return 0;
}

void ec2_ports_fill(struct controller *controller)
{
    struct ports *ports = &controller->ports;
    ports->run_host = run_host;
    ports->start_host = start_host;
    ports->stop_host = stop_host;
    ports->terminate_host = terminate_host;
    ports->find_hosts = find_hosts;
    ports->tag_host = tag_host;
    ports->read_console = read_console;
}

struct putter {
    void (*put)(void *ctx, const struct host *host);
    void *ctx;
};

static int put_instance(void *ctx, struct ec2_instance *instance, struct error *err)
{
    (void)err;
    const struct putter *putter = ctx;
    struct host host;
    ec2_host_from(instance, &host);
    putter->put(putter->ctx, &host);
    return 0;
}

int ec2_ports_describe_some(struct controller *controller, const char *const *ids, size_t count,
                            void (*put)(void *ctx, const struct host *host), struct error *err)
{
    const char *cluster = controller->cluster_id;
    const struct ec2_filter filters[] = {{"instance-id", ids, count}, {"tag:tee-cluster-id", &cluster, 1}};
    const struct ec2_query query = {.filters = filters, .filter_count = 2, .is_patient = true};
    struct putter putter = {put, controller};
    const struct ec2_handler handler = {.on_instance = put_instance, .ctx = &putter};
    return ec2_describe(controller->ec2, &query, &handler, READ_MS, err);
}

int ec2_ports_describe_all(struct controller *controller, void (*put)(void *ctx, const struct host *host),
                           void *ctx, struct error *err)
{
    const char *cluster = controller->cluster_id;
    const struct ec2_filter filter = {"tag:tee-cluster-id", &cluster, 1};
    const struct ec2_query query = {.filters = &filter, .filter_count = 1, .is_patient = true};
    struct putter putter = {put, ctx};
    const struct ec2_handler handler = {.on_instance = put_instance, .ctx = &putter};
    return ec2_describe(controller->ec2, &query, &handler, READ_MS, err);
}

struct health_putter {
    const struct controller *controller;
    void (*put)(void *ctx, const char *id, const struct host_health *health);
    void *ctx;
};

static int put_status(void *ctx, const struct ec2_status *status, struct error *err)
{
    (void)err;
    const struct health_putter *putter = ctx;
    const struct clock *clock = putter->controller->clock;
    struct host_health health = {.since_ms = clock_mono_ms(clock), .since_wall_ms = clock_wall_ms(clock)};
    if (status->event_code[0]) {
        health.ailment = HOST_RETIRING;
        health.event_ms = status->event_ms;
    } else if (status->is_instance_impaired || status->is_system_impaired) {
        health.ailment = HOST_IMPAIRED;
    }
    if (health.ailment != HOST_WELL)
        putter->put(putter->ctx, status->id, &health);
    return 0;
}

int ec2_ports_describe_unhealthy(struct controller *controller,
                                 void (*put)(void *ctx, const char *id, const struct host_health *health),
                                 void *ctx, struct error *err)
{
    struct health_putter putter = {controller, put, ctx};
    const struct ec2_handler handler = {.on_status = put_status, .ctx = &putter};
    return ec2_describe_unhealthy(controller->ec2, &handler, READ_MS, err);
}
