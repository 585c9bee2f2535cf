/* filter: the filters of DescribeInstances and DescribeInstanceStatus, and what a reader sees at all.
 *
 * Model: sim_filters_parse() refuses unknown names and too many values; an instance passes when each filter
 * has a value that matches. '*' and '?' are wildcards, '\' escapes them. What lag hides from a reader is
 * hidden from filters too. Threads: none.   Ownership: filters borrow from the query, sim_filters_done()
 * frees the lists. Limits: 50 filters of 200 values of 255 characters.   Errors: -1 with a sim_fail. */
#ifndef TEE_TEST_SIM_FILTER_H
#define TEE_TEST_SIM_FILTER_H

#include "sim/world.h"

enum { SIM_MAX_FILTERS = 50, SIM_MAX_FILTER_VALUES = 200, SIM_MAX_FILTER_LEN = 255 };

struct sim_filter {
    const char *name;
    const char *tag_key; /* of tag:KEY */
    const char **values;
    size_t count;
};

struct sim_filters {
    struct sim_filter items[SIM_MAX_FILTERS];
    size_t count;
};

int sim_filters_parse(const struct sim_query *query, struct sim_filters *ret_filters, struct sim_fail *fail);
void sim_filters_done(struct sim_filters *filters);
bool sim_filters_match(const struct sim_filters *filters, const struct sim_instance *instance,
                       int64_t now_ms);
/* The filter that the tag index can answer: tag:KEY with one plain value; NULL if none. */
const struct sim_filter *sim_filters_find_indexed(const struct sim_filters *filters);
bool sim_wildcard_match(const char *pattern, const char *text);

bool sim_is_known(const struct sim_instance *instance, int64_t now_ms);
bool sim_is_listed(const struct sim_instance *instance, int64_t now_ms);
bool sim_has_tags(const struct sim_instance *instance, int64_t now_ms);
bool sim_has_address(const struct sim_instance *instance, int64_t now_ms);
/* "ok", "impaired" or "not-applicable". */
const char *sim_system_check(const struct sim_instance *instance);
const char *sim_instance_check(const struct sim_instance *instance);

#endif
