/* ec2_limit: how often each action of EC2 may be called.
 *
 * Model: PURE. AWS counts the calls of an account in each region in two token buckets an action: one of
 * requests, one of the instances they name ("Request throttling for the Amazon EC2 API"). We keep the same
 * buckets at a share of the published sizes and do not send what they would refuse. Other clients draw on the
 * account too: where EC2 throttles all the same, our bucket is emptied and its rate halved, at most once a
 * second and down to a sixteenth, and from then on regains a twentieth of the full rate each ten seconds.
 * Actions have buckets of their own, so that reads never starve writes, nor creations deletions. Who is
 * refused is given a time of his own to come back, one after the other at the present rate: a thousand that
 * wait do not ask a thousand times a second. A patient one, of which there are one or two, does not queue
 * behind those: it comes back when there is a token, and takes it if it is the first. Threads: none; the
 * caller locks.   Ownership: the caller's memory. Limits: a time of at most 10 minutes. Errors: cannot fail.
 */
#ifndef TEE_NITRO_EC2_LIMIT_H
#define TEE_NITRO_EC2_LIMIT_H

#include "base/bucket.h"

#include <stddef.h>

enum ec2_lane_id {
    EC2_LANE_RUN,
    EC2_LANE_START,
    EC2_LANE_STOP,
    EC2_LANE_TERMINATE,
    EC2_LANE_TAG,
    EC2_LANE_DESCRIBE, /* DescribeInstances */
    EC2_LANE_READ,     /* all other reads together */
    EC2_LANE_CHANGE,   /* all other changes together */
    EC2_LANE_COUNT
};

struct ec2_lane {
    struct bucket requests;
    struct bucket resources;
    int64_t full_requests; /* per 1000 s, at the share */
    int64_t full_resources;
    int factor;           /* thousandths of the full rate */
    int64_t throttled_ms; /* of the last halving */
    int64_t recovered_ms;
    int64_t last_slot_ms; /* given to the last who was refused */
    int64_t sent_count;
    int64_t throttled_count; /* by EC2 */
    int64_t held_count;      /* by ourselves */
};

struct ec2_limit {
    struct ec2_lane lanes[EC2_LANE_COUNT];
};

struct ec2_limit_ask {
    int resource_count; /* instances named */
    bool is_patient;
};

/* share_percent: of the published buckets; 1 to 10000. */
void ec2_limit_init(struct ec2_limit *limit, int share_percent, int64_t now_ms);
/* By the action's name, such as "RunInstances". */
enum ec2_lane_id ec2_limit_lane(const char *action);
/* Of the lane: the action's name, or "OtherReads" and "OtherChanges". */
const char *ec2_limit_lane_name(enum ec2_lane_id id);
/* 0: send it now. Else when to ask again, in ms; nothing was taken. */
int64_t ec2_limit_take(struct ec2_limit *limit, enum ec2_lane_id id, const struct ec2_limit_ask *ask,
                       int64_t now_ms);
/* EC2 answered that it was too much. */
void ec2_limit_note_throttle(struct ec2_limit *limit, enum ec2_lane_id id, int64_t now_ms);
/* Requests per second at present. */
double ec2_limit_rate(struct ec2_limit *limit, enum ec2_lane_id id, int64_t now_ms);

#endif
