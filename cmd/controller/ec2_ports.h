/* ec2_ports: EC2 as the reconciler's ports and the inventory's loop want it.
 *
 * Model: adapters of a few lines over nitro/ec2.h; what EC2 says becomes a struct host or a struct
 * host_health. Threads: any.   Ownership: the controller is borrowed.   Limits: 30 s a look, of the looks at
 * everything 30 s a page.   Errors: ec2.h's. */
#ifndef TEE_CONTROLLER_EC2_PORTS_H
#define TEE_CONTROLLER_EC2_PORTS_H

#include "controller.h"

/* So many values a filter has, and so many instances a page. */
enum { INVENTORY_PART_MAX = 200, INVENTORY_PAGE = 1000 };

void ec2_ports_fill(struct controller *controller);
struct ec2_batch *ec2_ports_make_batch(struct controller *controller);
/* One describe of everything that is ours; calls put() for each. */
MUST_CHECK int ec2_ports_describe_all(struct controller *controller,
                                      void (*put)(void *ctx, const struct host *host), void *ctx,
                                      struct error *err);
/* One describe of up to INVENTORY_PART_MAX ids, as a filter: an unknown one fails nothing. */
MUST_CHECK int ec2_ports_describe_some(struct controller *controller, const char *const *ids, size_t count,
                                       void (*put)(void *ctx, const struct host *host), struct error *err);
/* Calls put() for each host of the account that fails, also for those that are not ours. */
MUST_CHECK int ec2_ports_describe_unhealthy(struct controller *controller,
                                            void (*put)(void *ctx, const char *id,
                                                        const struct host_health *health),
                                            void *ctx, struct error *err);

#endif
