/* inventory: every host that EC2 says is ours, by id and by deployment id.
 *
 * Model: filled by whole passes (begin, put..., end) of one paged describe. A pass that fails is given up
 * with inventory_abandon() and changes nothing. A host that a complete pass did not bring is dropped from the
 * inventory; that it is gone is for the reconciler to prove by look-ups. What differs from the pass before is
 * reported, so that its key is looked at. Between two passes the hosts in motion are put by themselves
 * (begin_part, list_moving, put..., end_part): those between two states, and those that are awaited because
 * we changed them. That reports what changed and concludes nothing of absence. What is known of an awaited
 * host is old until a look that began after the change brings it, or a whole one that did ends without it.
 * Threads: any; one mutex. One pass or part at a time.   Ownership: values are copied. Limits: memory, about
 * 0.4 KiB a host.   Errors: cannot fail. */
#ifndef TEE_RECONCILE_INVENTORY_H
#define TEE_RECONCILE_INVENTORY_H

#include "reconcile/observed.h"

struct inventory;

struct inventory *inventory_new(void);
struct inventory *inventory_free(struct inventory *inventory);
/* mono_ms: when the first request of the pass was sent. */
void inventory_begin(struct inventory *inventory, int64_t mono_ms);
void inventory_put(struct inventory *inventory, const struct host *host, int64_t mono_ms);
void inventory_abandon(struct inventory *inventory);
/* Calls changed() with the deployment id of each host that is new, other or no longer listed. */
void inventory_end(struct inventory *inventory, void (*changed)(void *ctx, const char *deployment_id),
                   void *ctx);
/* mono_ms: when its first request was sent. inventory_end_part() reports what was put since, as
 * inventory_end() does; a host that was not put stays as it was. */
void inventory_begin_part(struct inventory *inventory, int64_t mono_ms);
void inventory_end_part(struct inventory *inventory, void (*changed)(void *ctx, const char *deployment_id),
                        void *ctx);
/* Which hosts fail, by a look of its own: begin_health, put_health for each that does, end_health, which
 * reports as inventory_end() does. Who is not put is well; a look that fails is not ended. */
void inventory_begin_health(struct inventory *inventory, int64_t mono_ms);
void inventory_put_health(struct inventory *inventory, const char *id, const struct host_health *health);
void inventory_end_health(struct inventory *inventory, void (*changed)(void *ctx, const char *deployment_id),
                          void *ctx);
/* Begin of the last of those looks that was ended, 0 = there was none. */
int64_t inventory_health_ms(struct inventory *inventory);
/* EC2 was asked to change the host at mono_ms, or has just launched it. */
void inventory_await(struct inventory *inventory, const char *id, int64_t mono_ms);
/* What was asked for was not done. */
void inventory_await_no_more(struct inventory *inventory, const char *id);
bool inventory_is_awaited(struct inventory *inventory, const char *id);
/* Ids of the hosts that are pending, stopping, shutting down or awaited; the array is the caller's to free.
 */
size_t inventory_list_moving(struct inventory *inventory, char (**ret_ids)[HOST_ID_SIZE]);
bool inventory_has_moving(struct inventory *inventory);
/* Begin of the last complete pass, 0 = there was none. */
int64_t inventory_completed_ms(struct inventory *inventory);
size_t inventory_count(struct inventory *inventory);
/* Those of the last complete pass that were alive, less those that were seen to end since. */
size_t inventory_count_live(struct inventory *inventory);
/* Up to max hosts that carry the deployment id, the live ones first. */
size_t inventory_find(struct inventory *inventory, const char *deployment_id, struct host *ret_hosts,
                      size_t max);
bool inventory_get(struct inventory *inventory, const char *id, struct host *ret_host);
/* each() is called under the mutex: it may not call back. */
void inventory_each(struct inventory *inventory, void (*each)(void *ctx, const struct host *host), void *ctx);

#endif
