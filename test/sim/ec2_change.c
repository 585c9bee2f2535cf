/* StartInstances, StopInstances, TerminateInstances and CreateTags: all named instances are found and judged
 * before the first one changes. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "sim/capacity.h"
#include "sim/ec2.h"
#include "sim/xml_out.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_IDS = 1000 };

struct change {
    const char *action;
    const char *verb;
    bool (*is_allowed)(int state);
    bool (*is_needed)(int state);
    void (*make)(struct world *world, struct sim_instance *instance, int64_t now_ms);
    bool is_end;
    bool needs_room;
};

static bool may_start(int state)
{
    return state == SIM_PENDING || state == SIM_RUNNING || state == SIM_STOPPED;
}

static bool may_stop(int state)
{
    return state == SIM_RUNNING || state == SIM_STOPPING || state == SIM_STOPPED;
}

static bool may_terminate(int state)
{
    (void)state;
    return true;
}

static bool is_stopped(int state)
{
    return state == SIM_STOPPED;
}

static bool is_running(int state)
{
    return state == SIM_RUNNING;
}

static bool is_alive(int state)
{
    return state != SIM_SHUTTING_DOWN && state != SIM_TERMINATED;
}

static int find_all(struct sim_call *call, const char *prefix, struct sim_instance ***ret_list,
                    size_t *ret_count)
{
    if (!sim_query_getf(call->query, "%s.1", prefix))
        return sim_fail_set(&call->fail, 400, "MissingParameter", "The request must contain the parameter %s",
                            prefix);
    if (sim_find_named(call, prefix, ret_list, ret_count) < 0)
        return -1;
    if (*ret_count <= MAX_IDS)
        return 0;
    free(STEAL(*ret_list));
    return sim_fail_set(&call->fail, 400, "InvalidParameterValue", "More than %d ids", MAX_IDS);
}

static int check_states(struct sim_call *call, const struct change *change, struct sim_instance **list,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (change->is_end && list[i]->is_protected)
            return sim_fail_set(&call->fail, 400, "OperationNotPermitted",
                                "The instance '%s' may not be terminated. Modify its 'disableApiTermination' "
                                "instance attribute and try again.",
                                list[i]->id);
        if (!change->is_allowed(list[i]->state))
            return sim_fail_set(&call->fail, 400, "IncorrectInstanceState",
                                "The instance '%s' is not in a state from which it can be %s (it is %s).",
                                list[i]->id, change->verb, sim_state_name(list[i]->state));
    }
    return 0;
}

static bool is_same_place(const struct sim_launch *a, const struct sim_launch *b)
{
    return strcmp(a->type, b->type) == 0 &&
           strcmp(a->subnet_id ? a->subnet_id : "", b->subnet_id ? b->subnet_id : "") == 0;
}

/* All of them find a place, or none is started. */
static int check_capacity(struct sim_call *call, struct sim_instance **list, size_t count)
{
    for (size_t i = 0; call->capacity && i < count; i++) {
        size_t wanted = 0;
        for (size_t k = 0; k < count; k++)
            wanted += is_stopped(list[k]->state) && is_same_place(&list[k]->launch, &list[i]->launch);
        if (is_stopped(list[i]->state) && sim_capacity_check(call, &list[i]->launch, wanted) < 0)
            return -1;
    }
    return 0;
}

static int change_all(struct sim_call *call, const struct change *change)
{
    CLEANUP(freep) struct sim_instance **list = NULL;
    size_t count = 0;
    if (find_all(call, "InstanceId", &list, &count) < 0 || check_states(call, change, list, count) < 0 ||
        sim_check_dry_run(call) < 0 || (change->needs_room && check_capacity(call, list, count) < 0))
        return -1;
    sim_xml_open(call->out, change->action, call->request_id);
    buf_puts(call->out, "<instancesSet>");
    for (size_t i = 0; i < count; i++) {
        int before = list[i]->state;
        if (change->is_needed(before)) {
            change->make(call->world, list[i], call->now_ms);
            sim_call_touch(call, list[i]->id);
        }
        buf_puts(call->out, "<item>");
        sim_xml_text(call->out, "instanceId", list[i]->id);
        sim_xml_state(call->out, "currentState", list[i]->state);
        sim_xml_state(call->out, "previousState", before);
        buf_puts(call->out, "</item>");
    }
    buf_puts(call->out, "</instancesSet>");
    sim_xml_close(call->out, change->action);
    return 0;
}

int sim_start_instances(struct sim_call *call)
{
    static const struct change change = {"StartInstances", "started", may_start, is_stopped,
                                         world_start,      false,     true};
    return change_all(call, &change);
}

int sim_stop_instances(struct sim_call *call)
{
    static const struct change change = {"StopInstances", "stopped", may_stop, is_running,
                                         world_stop,      false,     false};
    return change_all(call, &change);
}

int sim_terminate_instances(struct sim_call *call)
{
    static const struct change change = {"TerminateInstances", "terminated", may_terminate, is_alive,
                                         world_terminate,      true,         false};
    return change_all(call, &change);
}

static bool has_tag(const struct sim_instance *instance, const char *key)
{
    for (size_t i = 0; i < instance->launch.tag_count; i++)
        if (strcmp(instance->launch.tags[i].key, key) == 0)
            return true;
    return false;
}

static int check_new_tags(struct sim_call *call, struct sim_instance **list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t tags = list[i]->launch.tag_count;
        for (int k = 1; k == 1 || sim_query_getf(call->query, "Tag.%d.Key", k); k++) {
            const char *key = sim_query_getf(call->query, "Tag.%d.Key", k);
            if (sim_check_tag(call, key, sim_query_getf(call->query, "Tag.%d.Value", k)) < 0)
                return -1;
            tags += !has_tag(list[i], key);
        }
        if (tags > SIM_MAX_TAGS)
            return sim_fail_set(&call->fail, 400, "TagLimitExceeded", "More than %d tags", SIM_MAX_TAGS);
    }
    return 0;
}

int sim_create_tags(struct sim_call *call)
{
    CLEANUP(freep) struct sim_instance **list = NULL;
    size_t count = 0;
    if (find_all(call, "ResourceId", &list, &count) < 0 || check_new_tags(call, list, count) < 0 ||
        sim_check_dry_run(call) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const char *key = NULL;
        for (int k = 1; (key = sim_query_getf(call->query, "Tag.%d.Key", k)); k++) {
            const char *value = sim_query_getf(call->query, "Tag.%d.Value", k);
            world_set_tag(call->world, list[i], key, value ? value : "");
        }
        sim_call_touch(call, list[i]->id);
    }
    sim_xml_open(call->out, "CreateTags", call->request_id);
    buf_puts(call->out, "<return>true</return>");
    sim_xml_close(call->out, "CreateTags");
    return 0;
}
