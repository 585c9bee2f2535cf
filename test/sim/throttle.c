/* The published table. It is written down a second time here, and the arithmetic is another one: our limiter
 * is what this tests. */
#include "sim/throttle.h"

#include "base/cleanup.h"

#include <string.h>

static const struct {
    const char *action;
    bool is_whole; /* of a call with neither filter nor page size */
    double capacity, per_second;
    double resource_capacity, resources_per_second; /* 0 = no such bucket */
} rows[] = {
    {"RunInstances", false, 5, 2, 1000, 2},
    {"StartInstances", false, 5, 2, 1000, 2},
    {"StopInstances", false, 50, 5, 1000, 20},
    {"TerminateInstances", false, 100, 5, 1000, 20},
    {"CreateTags", false, 100, 10, 0, 0},
    {"DescribeInstances", true, 50, 10, 0, 0},
    {"DescribeInstances", false, 100, 20, 0, 0},
    {"DescribeInstanceStatus", true, 50, 10, 0, 0},
    {"DescribeInstanceStatus", false, 100, 20, 0, 0},
    {"DescribeInstanceTypes", false, 100, 20, 0, 0},
    {"DescribeImages", false, 100, 20, 0, 0},
    {"DescribeSubnets", false, 100, 20, 0, 0},
    {"GetConsoleOutput", false, 100, 20, 0, 0},
};

_Static_assert(ARRAY_LEN(rows) <= SIM_THROTTLE_ROWS, "each row has its buckets");

static double scale(const struct sim_throttle *throttle, double value)
{
    return value * throttle->percent / 100;
}

static double size_of(const struct sim_throttle *throttle, double capacity)
{
    double size = scale(throttle, capacity);
    return size > 1 ? size : 1;
}

void sim_throttle_set(struct sim_throttle *throttle, int percent, int64_t now_ms)
{
    *throttle = (struct sim_throttle){.percent = percent};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        throttle->requests[i] = (struct sim_bucket){size_of(throttle, rows[i].capacity), now_ms};
        throttle->resources[i] = (struct sim_bucket){size_of(throttle, rows[i].resource_capacity), now_ms};
    }
}

static void fill(struct sim_bucket *bucket, double per_second, double size, int64_t now_ms)
{
    if (now_ms > bucket->filled_ms)
        bucket->tokens += per_second * (double)(now_ms - bucket->filled_ms) / 1000;
    bucket->tokens = bucket->tokens < size ? bucket->tokens : size;
    bucket->filled_ms = now_ms;
}

static double count_instances(const struct sim_query *query)
{
    int count = 0;
    while (sim_query_getf(query, "InstanceId.%d", count + 1))
        count++;
    return count > 0 ? count : 1; /* RunInstances, which makes one */
}

static int find_row(const struct sim_query *query)
{
    const char *action = sim_query_get(query, "Action");
    bool is_whole = !sim_query_has_prefix(query, "Filter.") && !sim_query_get(query, "MaxResults");
    for (size_t i = 0; action && i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].action, action) == 0 && (is_whole || !rows[i].is_whole))
            return (int)i;
    return -1;
}

int sim_throttle_take(struct sim_throttle *throttle, const struct sim_query *query, int64_t now_ms,
                      struct sim_fail *fail)
{
    int row = throttle->percent > 0 ? find_row(query) : -1;
    if (row < 0)
        return 0;
    struct sim_bucket *requests = &throttle->requests[row];
    struct sim_bucket *resources = &throttle->resources[row];
    double needed = rows[row].resource_capacity > 0 ? count_instances(query) : 0;
    fill(requests, scale(throttle, rows[row].per_second), size_of(throttle, rows[row].capacity), now_ms);
    fill(resources, scale(throttle, rows[row].resources_per_second),
         size_of(throttle, rows[row].resource_capacity), now_ms);
    if (requests->tokens < 1 || resources->tokens < needed)
        return sim_fail_set(fail, 503, "RequestLimitExceeded", "Request limit exceeded.");
    requests->tokens -= 1;
    resources->tokens -= needed;
    return 0;
}
