/* The published buckets, and additive increase after multiplicative decrease. */
#include "nitro/ec2_limit.h"

#include "base/cleanup.h"

#include <string.h>

enum {
    FULL = 1000,
    FACTOR_MIN = FULL / 16,
    HALVE_INTERVAL_MS = 1000,
    RECOVER_INTERVAL_MS = 10 * 1000,
    RECOVER_STEP = FULL / 20,
    SLOT_MAX_MS = 10 * 60 * 1000,
    BURST_MAX = 1000
};

/* AWS: "Request throttling for the Amazon EC2 API". No resource bucket is 0. */
static const struct {
    const char *name;
    int burst, per_second;
    int resource_burst, resource_per_second;
} published[EC2_LANE_COUNT] = {
    [EC2_LANE_RUN] = {"RunInstances", 5, 2, 1000, 2},
    [EC2_LANE_START] = {"StartInstances", 5, 2, 1000, 2},
    [EC2_LANE_STOP] = {"StopInstances", 50, 5, 1000, 20},
    [EC2_LANE_TERMINATE] = {"TerminateInstances", 100, 5, 1000, 20},
    [EC2_LANE_TAG] = {"CreateTags", 100, 10, 0, 0},
    [EC2_LANE_DESCRIBE] = {"DescribeInstances", 100, 20, 0, 0},
    [EC2_LANE_READ] = {"OtherReads", 100, 20, 0, 0},
    [EC2_LANE_CHANGE] = {"OtherChanges", 50, 5, 0, 0},
};

static int scale(int64_t value, int share_percent, int max)
{
    int64_t scaled = value * share_percent / 100;
    if (scaled > max)
        return max;
    return scaled > 1 ? (int)scaled : 1;
}

static void set_rates(struct ec2_lane *lane, int64_t now_ms)
{
    bucket_set_rate(&lane->requests, lane->full_requests * lane->factor / FULL, now_ms);
    bucket_set_rate(&lane->resources, lane->full_resources * lane->factor / FULL, now_ms);
}

void ec2_limit_init(struct ec2_limit *limit, int share_percent, int64_t now_ms)
{
    *limit = (struct ec2_limit){0};
    for (size_t i = 0; i < EC2_LANE_COUNT; i++) {
        struct ec2_lane *lane = &limit->lanes[i];
        lane->factor = FULL;
        lane->full_requests = (int64_t)published[i].per_second * 10 * share_percent;
        lane->full_resources = (int64_t)published[i].resource_per_second * 10 * share_percent;
        bucket_init(&lane->requests, 0, scale(published[i].burst, share_percent, BURST_MAX), now_ms);
        bucket_init(&lane->resources, 0, scale(published[i].resource_burst, share_percent, BURST_MAX),
                    now_ms);
        set_rates(lane, now_ms);
    }
}

enum ec2_lane_id ec2_limit_lane(const char *action)
{
    for (size_t i = 0; i < EC2_LANE_COUNT; i++)
        if (strcmp(published[i].name, action) == 0)
            return (enum ec2_lane_id)i;
    bool is_read = strncmp(action, "Describe", 8) == 0 || strncmp(action, "Get", 3) == 0;
    return is_read ? EC2_LANE_READ : EC2_LANE_CHANGE;
}

const char *ec2_limit_lane_name(enum ec2_lane_id id)
{
    return published[id].name;
}

static void recover(struct ec2_lane *lane, int64_t now_ms)
{
    int64_t steps = (now_ms - lane->recovered_ms) / RECOVER_INTERVAL_MS;
    if (lane->factor == FULL || steps <= 0)
        return;
    int64_t factor = lane->factor + steps * RECOVER_STEP;
    lane->factor = factor < FULL ? (int)factor : FULL;
    lane->recovered_ms += steps * RECOVER_INTERVAL_MS;
    set_rates(lane, now_ms);
}

/* The time when the tokens are there, and after whoever was refused before. */
static int64_t next_slot_ms(struct ec2_lane *lane, int64_t wait_ms, int64_t now_ms)
{
    int64_t spacing_ms = 1000 * 1000 / lane->requests.per_1000_s;
    int64_t slot_ms = now_ms + wait_ms;
    if (slot_ms < lane->last_slot_ms + spacing_ms)
        slot_ms = lane->last_slot_ms + spacing_ms;
    if (slot_ms > now_ms + SLOT_MAX_MS)
        slot_ms = now_ms + SLOT_MAX_MS;
    lane->last_slot_ms = slot_ms;
    return slot_ms - now_ms;
}

int64_t ec2_limit_take(struct ec2_limit *limit, enum ec2_lane_id id, const struct ec2_limit_ask *ask,
                       int64_t now_ms)
{
    struct ec2_lane *lane = &limit->lanes[id];
    int resources = published[id].resource_burst > 0 ? ask->resource_count : 0;
    recover(lane, now_ms);
    int64_t wait_ms = bucket_wait_ms(&lane->requests, 1, now_ms);
    int64_t resource_ms = bucket_wait_ms(&lane->resources, resources, now_ms);
    wait_ms = wait_ms > resource_ms ? wait_ms : resource_ms;
    if (wait_ms > 0) {
        lane->held_count++;
        return ask->is_patient ? wait_ms : next_slot_ms(lane, wait_ms, now_ms);
    }
    lane->sent_count++;
    (void)bucket_take(&lane->requests, now_ms);
    (void)bucket_take_many(&lane->resources, resources, now_ms);
    return 0;
}

void ec2_limit_note_throttle(struct ec2_limit *limit, enum ec2_lane_id id, int64_t now_ms)
{
    struct ec2_lane *lane = &limit->lanes[id];
    bool is_same = lane->throttled_count > 0 && now_ms - lane->throttled_ms < HALVE_INTERVAL_MS;
    lane->throttled_count++;
    bucket_drain(&lane->requests, now_ms);
    if (is_same) /* calls that were under way together are one answer */
        return;
    recover(lane, now_ms);
    lane->factor = lane->factor / 2 > FACTOR_MIN ? lane->factor / 2 : FACTOR_MIN;
    lane->throttled_ms = lane->recovered_ms = now_ms;
    set_rates(lane, now_ms);
}

double ec2_limit_rate(struct ec2_limit *limit, enum ec2_lane_id id, int64_t now_ms)
{
    recover(&limit->lanes[id], now_ms);
    return (double)limit->lanes[id].requests.per_1000_s / 1000;
}
