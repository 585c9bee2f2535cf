/* Each filter name has a function that tests one value against an instance. */
#include "sim/filter.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

bool sim_wildcard_match(const char *pattern, const char *text)
{
    const char *star = NULL;
    const char *retry = NULL;
    while (*text) {
        const char *literal = *pattern == '\\' && pattern[1] ? pattern + 1 : pattern;
        bool is_escaped = literal != pattern;
        if (!is_escaped && *pattern == '*') {
            star = ++pattern;
            retry = text;
        } else if (*literal && ((!is_escaped && *literal == '?') || *literal == *text)) {
            pattern = literal + 1;
            text++;
        } else if (star) {
            pattern = star;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

bool sim_is_known(const struct sim_instance *instance, int64_t now_ms)
{
    return now_ms >= instance->launched_ms + instance->lag.unknown_ms;
}

bool sim_is_listed(const struct sim_instance *instance, int64_t now_ms)
{
    return now_ms >= instance->launched_ms + instance->lag.hidden_ms;
}

bool sim_has_tags(const struct sim_instance *instance, int64_t now_ms)
{
    return now_ms >= instance->launched_ms + instance->lag.no_tags_ms;
}

bool sim_has_address(const struct sim_instance *instance, int64_t now_ms)
{
    return instance->address != 0 && now_ms >= instance->launched_ms + instance->lag.no_ip_ms;
}

static const char *check_of(const struct sim_instance *instance, const char *set)
{
    if (instance->state != SIM_RUNNING)
        return "not-applicable";
    return set ? set : "ok";
}

const char *sim_system_check(const struct sim_instance *instance)
{
    return check_of(instance, instance->system_check);
}

const char *sim_instance_check(const struct sim_instance *instance)
{
    return check_of(instance, instance->instance_check);
}

struct probe {
    const struct sim_filter *filter;
    const struct sim_instance *instance;
    int64_t now_ms;
};

static bool match_tag(const struct probe *probe, const char *value)
{
    const struct sim_launch *launch = &probe->instance->launch;
    for (size_t i = 0; sim_has_tags(probe->instance, probe->now_ms) && i < launch->tag_count; i++)
        if (strcmp(launch->tags[i].key, probe->filter->tag_key) == 0)
            return sim_wildcard_match(value, launch->tags[i].value);
    return false;
}

static bool match_tag_key(const struct probe *probe, const char *value)
{
    const struct sim_launch *launch = &probe->instance->launch;
    for (size_t i = 0; sim_has_tags(probe->instance, probe->now_ms) && i < launch->tag_count; i++)
        if (sim_wildcard_match(value, launch->tags[i].key))
            return true;
    return false;
}

static bool match_id(const struct probe *probe, const char *value)
{
    return sim_wildcard_match(value, probe->instance->id);
}

static bool match_state(const struct probe *probe, const char *value)
{
    return sim_wildcard_match(value, sim_state_name(probe->instance->state));
}

static bool match_token(const struct probe *probe, const char *value)
{
    const char *token = probe->instance->launch.client_token;
    return token && sim_wildcard_match(value, token);
}

static bool match_enclave(const struct probe *probe, const char *value)
{
    return sim_wildcard_match(value, probe->instance->launch.has_enclave ? "true" : "false");
}

static bool match_event(const struct probe *probe, const char *value)
{
    return probe->instance->event_code[0] && sim_wildcard_match(value, probe->instance->event_code);
}

static bool match_system_check(const struct probe *probe, const char *value)
{
    return sim_wildcard_match(value, sim_system_check(probe->instance));
}

static bool match_instance_check(const struct probe *probe, const char *value)
{
    return sim_wildcard_match(value, sim_instance_check(probe->instance));
}

static const char describe[] = "DescribeInstances";
static const char status[] = "DescribeInstanceStatus";

/* action: the only one that knows the filter; NULL: both. */
static const struct {
    const char *name;
    const char *action;
    bool (*match)(const struct probe *probe, const char *value);
} kinds[] = {
    {"tag:", describe, match_tag},
    {"tag-key", describe, match_tag_key},
    {"instance-id", describe, match_id},
    {"instance-state-name", NULL, match_state},
    {"client-token", describe, match_token},
    {"enclave-options.enabled", describe, match_enclave},
    {"event.code", status, match_event},
    {"system-status.status", status, match_system_check},
    {"instance-status.status", status, match_instance_check},
};

static size_t find_kind(const char *name)
{
    for (size_t i = 1; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return i;
    return strncmp(name, "tag:", 4) == 0 && name[4] ? 0 : ARRAY_LEN(kinds);
}

static bool knows_filter(const struct sim_query *query, const char *name)
{
    size_t kind = find_kind(name);
    if (kind == ARRAY_LEN(kinds))
        return false;
    return !kinds[kind].action || strcmp(kinds[kind].action, sim_query_get(query, "Action")) == 0;
}

static int parse_values(const struct sim_query *query, int number, struct sim_filter *filter,
                        struct sim_fail *fail)
{
    for (int i = 1;; i++) {
        const char *value = sim_query_getf(query, "Filter.%d.Value.%d", number, i);
        if (!value)
            break;
        if (filter->count == SIM_MAX_FILTER_VALUES)
            return sim_fail_set(fail, 400, "FilterLimitExceeded",
                                "The maximum number of filter values specified on a single call is %d",
                                SIM_MAX_FILTER_VALUES);
        if (strlen(value) > SIM_MAX_FILTER_LEN)
            return sim_fail_set(fail, 400, "InvalidParameterValue", "A value of the filter '%s' is too long",
                                filter->name);
        if (!filter->values)
            filter->values = mem_calloc(SIM_MAX_FILTER_VALUES, sizeof(*filter->values));
        filter->values[filter->count++] = value;
    }
    if (filter->count == 0)
        return sim_fail_set(fail, 400, "InvalidParameterValue", "The filter '%s' has no value", filter->name);
    return 0;
}

static int parse_one(const struct sim_query *query, int number, struct sim_filters *filters,
                     struct sim_fail *fail)
{
    const char *name = sim_query_getf(query, "Filter.%d.Name", number);
    if (!name)
        return sim_fail_set(fail, 400, "MissingParameter",
                            "The request must contain the parameter Filter.%d.Name", number);
    if (number > SIM_MAX_FILTERS)
        return sim_fail_set(fail, 400, "FilterLimitExceeded",
                            "The maximum number of filters specified on a single call is %d",
                            SIM_MAX_FILTERS);
    if (!knows_filter(query, name))
        return sim_fail_set(fail, 400, "InvalidParameterValue", "The filter '%.200s' is invalid", name);
    struct sim_filter *filter = &filters->items[filters->count++];
    filter->name = name;
    filter->tag_key = find_kind(name) == 0 ? name + 4 : NULL;
    return parse_values(query, number, filter, fail);
}

int sim_filters_parse(const struct sim_query *query, struct sim_filters *ret_filters, struct sim_fail *fail)
{
    *ret_filters = (struct sim_filters){0};
    for (int i = 1;; i++) {
        char prefix[32];
        snprintf(prefix, sizeof(prefix), "Filter.%d.", i);
        if (!sim_query_has_prefix(query, prefix))
            return 0;
        if (parse_one(query, i, ret_filters, fail) < 0)
            return -1;
    }
}

void sim_filters_done(struct sim_filters *filters)
{
    for (size_t i = 0; i < filters->count; i++)
        free(filters->items[i].values);
    filters->count = 0;
}

bool sim_filters_match(const struct sim_filters *filters, const struct sim_instance *instance, int64_t now_ms)
{
    for (size_t i = 0; i < filters->count; i++) {
        const struct probe probe = {&filters->items[i], instance, now_ms};
        bool is_hit = false;
        for (size_t k = 0; k < probe.filter->count && !is_hit; k++)
            is_hit = kinds[find_kind(probe.filter->name)].match(&probe, probe.filter->values[k]);
        if (!is_hit)
            return false;
    }
    return true;
}

const struct sim_filter *sim_filters_find_indexed(const struct sim_filters *filters)
{
    for (size_t i = 0; i < filters->count; i++)
        if (filters->items[i].tag_key && filters->items[i].count == 1 &&
            !strpbrk(filters->items[i].values[0], "*?\\"))
            return &filters->items[i];
    return NULL;
}
