/* throttle: EC2's token buckets, "Request throttling for the Amazon EC2 API".
 *
 * Model: each action has a bucket of requests, and those that name instances a second one of these; a look at
 * all instances, without filter or page size, has a smaller one of its own. A call takes a token of each or
 * is refused with RequestLimitExceeded and takes none. What asks for more instances than its bucket can ever
 * hold is always refused. Time is the caller's. Threads: none.   Ownership: plain memory, zero = off. Limits:
 * sizes in percent of the published ones, at least one token; 0 = off. Errors: -1 with a sim_fail. */
#ifndef TEE_TEST_SIM_THROTTLE_H
#define TEE_TEST_SIM_THROTTLE_H

#include "sim/query.h"

#include <stdint.h>

enum { SIM_THROTTLE_ROWS = 16, SIM_THROTTLE_MAX_PERCENT = 1000 * 1000 };

struct sim_bucket {
    double tokens;
    int64_t filled_ms;
};

struct sim_throttle {
    int percent;
    struct sim_bucket requests[SIM_THROTTLE_ROWS];
    struct sim_bucket resources[SIM_THROTTLE_ROWS];
};

/* All buckets are full. */
void sim_throttle_set(struct sim_throttle *throttle, int percent, int64_t now_ms);
int sim_throttle_take(struct sim_throttle *throttle, const struct sim_query *query, int64_t now_ms,
                      struct sim_fail *fail);

#endif
