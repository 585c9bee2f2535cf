/* launch_parts: the EC2 request for one launch, and what it points to.
 *
 * Model: one way from a launch_request of the reconciler to a struct ec2_launch, so that what is tried dry is
 * what is run. Threads: none. Ownership: the parts own what `launch` points to, but for what the request
 * lends; they may not be moved. Limits: LAUNCH_TAGS_MAX tags. Errors: userdata.h's. */
#ifndef TEE_CONTROLLER_LAUNCH_PARTS_H
#define TEE_CONTROLLER_LAUNCH_PARTS_H

#include "nitro/ec2_ask.h"
#include "reconcile/ports.h"

enum { LAUNCH_TAGS_MAX = 48 };

struct launch_parts {
    struct arena arena;
    char *user_data;
    struct ec2_tag tags[LAUNCH_TAGS_MAX];
    struct ec2_root_volume volume;
    struct ec2_launch launch;
};

MUST_CHECK int launch_parts_make(const struct launch_request *request, struct launch_parts *ret_parts,
                                 struct error *err);
void launch_parts_done(struct launch_parts *parts);

#endif
