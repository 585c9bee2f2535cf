/* ec2_call: one signed action, sent until it succeeds or may not be tried again. Private to ec2.c.
 *
 * Model: fill a call, perform it, look at next_token, release it. Performing it again with another body is
 * the next page; the deadline stays, unless ec2_call_begin_page() moves it. When a request fails and why it
 * is repeated: ec2.h. Threads: a call is one thread's; struct ec2 is everybody's. Ownership: body and handler
 * are borrowed; ec2_call_done() frees the rest.   Limits, errors: ec2.h's. */
#ifndef TEE_NITRO_EC2_CALL_H
#define TEE_NITRO_EC2_CALL_H

#include "nitro/ec2.h"

struct ec2_call {
    struct ec2 *ec2;
    const char *action;
    const char *subject; /* the instance it is about, the first of several; NULL = none */
    const char *body;
    int64_t begin_ms; /* monotonic */
    int64_t deadline_ms;
    struct ec2_handler handler;
    enum ec2_lane_id lane;
    int resource_count;        /* instances that it names or makes */
    bool is_patient;           /* waits for its turn and repeats what was throttled */
    char *next_token;          /* of the last answer, or NULL */
    bool has_handed_out;       /* a record of this answer reached the handler */
    bool is_single;            /* a failure that may pass is the caller's to repeat */
    bool is_launch;            /* a refusal after a try without an answer leaves the outcome open */
    bool has_refreshed;        /* the keys or the clock were corrected once */
    enum ec2_class last_class; /* of the last failure */
    struct ec2_fault fault;    /* of the last answer that was one */
};

void ec2_call_init(struct ec2_call *call, struct ec2 *ec2, const char *action, int64_t timeout_ms);
/* The next page has the timeout for itself. */
void ec2_call_begin_page(struct ec2_call *call, int64_t timeout_ms);
void ec2_call_done(struct ec2_call *call);
MUST_CHECK int ec2_call_perform(struct ec2_call *call, struct error *err);

#endif
