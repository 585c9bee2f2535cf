/* teedeployment_pack: an object in the bytes that it needs, as long as nobody looks at it.
 *
 * Model: a decoded object has room for the longest ledger and every condition, 2.2 KiB and its texts; most of
 * it is empty. Packed it takes a third of that; teedeployment_unpack() makes the whole again, in a few
 * microseconds. Left out are the messages of the conditions (they are written anew, never read) and what
 * follows from other fields. Threads: a packed object is immutable: any.   Ownership: reference-counted; an
 * unpacked object holds a reference, for its texts lie in the packed one.   Limits: the decoder's.
 * Errors: cannot fail. */
#ifndef TEE_API_TEEDEPLOYMENT_PACK_H
#define TEE_API_TEEDEPLOYMENT_PACK_H

#include "api/teedeployment.h"
#include "base/pack.h"

struct packed *teedeployment_pack(const struct teedeployment *object);
struct teedeployment *teedeployment_unpack(struct packed *packed);

#endif
