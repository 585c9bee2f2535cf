/* ec2_batch: stop, start and terminate of many instances in few calls, without a worker that waits.
 *
 * Model: a worker leaves an instance id and goes on: "asked, look again". Ids of one verb are gathered until
 * none came for 100 ms and the last call was begun a second ago, for 1 s at most, or until there are 500, and
 * go out in one call; where ten or more have come, 3 s take the second's place; terminations first, then
 * stops, then starts. That a call succeeded is not told: EC2 shows the new state. That it failed is kept for
 * each id, its key is told to look, and the next ask for the same is answered with the error. One bad id
 * fails a whole call: those that the message names are taken out, else the batch is halved, down to single
 * calls. Where three in a row were refused for want of a permission, or of capacity in one place, the rest of
 * the batch is told the same, and instances of one place share a call. Throttled batches wait. The fence
 * holds: the worker's live GET and look at the lease came before it asked, at most a second before the call
 * in a quiet program, or 3 s; may_act() looks at the lease again right before each call, and an id whose ask
 * is older than 5 s (a throttle, a split, a slow call before it) is dropped, so that its key asks again with
 * a new GET. What an object's owner changes within that time is as late as if the change had come while the
 * call was under way. Threads: ec2_batch_ask() from any; ec2_batch_step() from one, which ec2_batch_start()
 * provides. No lock is held in a callback. Ownership: ids are copied. Limits: errors are kept for 60 s.
 * Errors: ec2_batch_ask(): what EC2 said to this id; ERROR_THROTTLED "Batched" while an ask is under way. */
#ifndef TEE_NITRO_EC2_BATCH_H
#define TEE_NITRO_EC2_BATCH_H

#include "base/heartbeat.h"
#include "nitro/ec2_request.h"

#include <stdint.h>

enum { EC2_BATCH_MAX = 500 };

struct ec2_batch;

struct ec2_batch_options {
    const struct clock *clock;
    int (*send)(void *ctx, enum ec2_verb verb, const struct ec2_query *ids, struct error *err);
    bool (*may_act)(void *ctx);
    /* The id was changed, or else its key should look again. */
    void (*settled)(void *ctx, const char *id, bool is_changed);
    void *ctx;
    struct heartbeats *heartbeats; /* of the thread; may be NULL */
};

struct ec2_batch_item {
    const char *id;
    uint32_t place; /* of those that compete for the same capacity: one call has ids of one place; 0 = any */
};

struct ec2_batch *ec2_batch_new(const struct ec2_batch_options *options);
/* Ends the thread, if there is one. Asking goes on to be safe, and nothing comes of it. */
void ec2_batch_stop(struct ec2_batch *batch);
/* Stops it, if it was not; what was not sent is dropped. */
struct ec2_batch *ec2_batch_free(struct ec2_batch *batch);
void ec2_batch_start(struct ec2_batch *batch);
MUST_CHECK int ec2_batch_ask(struct ec2_batch *batch, enum ec2_verb verb, const struct ec2_batch_item *item,
                             struct error *err);
/* Makes at most one call. Returns when to step again, in ms; -1 = when somebody asks. */
int64_t ec2_batch_step(struct ec2_batch *batch);

#endif
