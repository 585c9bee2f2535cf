/* capacity: where EC2 had no room a moment ago.
 *
 * Model: InsufficientInstanceCapacity is about a type in a zone, not about an object: what one object was
 * told, the others need not ask again. It is remembered per type and subnet for CAPACITY_SHORT_MS, and no
 * longer, as room comes and goes. Losing the memory costs one refused call. Threads: any; one mutex.
 * Ownership: texts are copied. Limits: what was refused within those minutes. Errors: none. */
#ifndef TEE_RECONCILE_CAPACITY_H
#define TEE_RECONCILE_CAPACITY_H

#include "api/spec.h"
#include "reconcile/observed.h"

enum { CAPACITY_SHORT_MS = 180 * 1000 };

struct capacity;

struct capacity *capacity_new(void);
struct capacity *capacity_free(struct capacity *capacity);
/* subnet_id NULL: EC2 chose it. */
void capacity_note(struct capacity *capacity, const char *type, const char *subnet_id, int64_t mono_ms);
/* Until when, monotonic, there is no room for a host of that type and subnet to start; 0 = nobody was told
 * so. */
int64_t capacity_free_ms(struct capacity *capacity, const struct host *host, int64_t mono_ms);
/* How the subnets of an effective spec stand; one that lists none has one place, EC2's choice. */
void capacity_look(struct capacity *capacity, const struct tee_instance_spec *instance, int64_t mono_ms,
                   struct capacity_view *ret_view);

#endif
