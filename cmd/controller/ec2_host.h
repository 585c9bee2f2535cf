/* ec2_host: an instance as EC2 tells it, in the words of the reconciler.
 *
 * Model: PURE. One function; of the tags the host keeps the values of ours and the digests of all others.
 * Threads: any.   Ownership: values; nothing is taken out of the instance.   Limits: longer texts are cut.
 * Errors: cannot fail. */
#ifndef TEE_CONTROLLER_EC2_HOST_H
#define TEE_CONTROLLER_EC2_HOST_H

#include "nitro/ec2_types.h"
#include "reconcile/observed.h"

void ec2_host_from(const struct ec2_instance *instance, struct host *ret_host);

#endif
