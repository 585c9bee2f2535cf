/* observed_pack: hosts and memories in the bytes that they need, as long as no pass looks at them.
 *
 * Model: both are structs with room for the longest of everything; there is one of each per object, and most
 * are empty or short. What is unpacked equals what was packed in every field. Threads: none.
 * Ownership: a packed one is the caller's, base/pack.h.   Limits: none beyond the structs'.   Errors: cannot
 * fail. */
#ifndef TEE_RECONCILE_OBSERVED_PACK_H
#define TEE_RECONCILE_OBSERVED_PACK_H

#include "base/pack.h"
#include "reconcile/observed.h"

struct packed *host_pack(const struct host *host);
void host_unpack(const struct packed *packed, struct host *ret_host);
struct packed *memory_pack(const struct memory *memory);
void memory_unpack(const struct packed *packed, struct memory *ret_memory);

#endif
