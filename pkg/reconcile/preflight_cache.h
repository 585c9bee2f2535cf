/* preflight_cache: what was found out about launches, shared by all objects that would make the same one.
 *
 * Model: preflight_key() -> struct preflight. Who finds nothing useful begins to ask; while one asks, the
 * others are told to come back. What was not wanted for longest gives way. Losing it all (a restart) costs a
 * dry run a key, never correctness. Threads: any; one mutex. Ownership: the cache copies;
 * preflight_cache_get() copies into the caller's arena. Limits: PREFLIGHT_CACHE_MAX launches. Errors: none.
 */
#ifndef TEE_RECONCILE_PREFLIGHT_CACHE_H
#define TEE_RECONCILE_PREFLIGHT_CACHE_H

#include "base/arena.h"
#include "reconcile/preflight.h"

enum { PREFLIGHT_CACHE_MAX = 4096 };

struct preflight_cache;

struct preflight_cache *preflight_cache_new(void);
struct preflight_cache *preflight_cache_free(struct preflight_cache *cache);
/* state PREFLIGHT_NONE if nothing is known. */
void preflight_cache_get(struct preflight_cache *cache, const char *key, struct arena *arena,
                         struct preflight *ret_known);
/* False: somebody else is asking. True must be followed by preflight_cache_end(). */
bool preflight_cache_begin(struct preflight_cache *cache, const char *key);
/* result NULL: nothing was found out, and what was known before stays. */
void preflight_cache_end(struct preflight_cache *cache, const char *key, const struct preflight *result);
/* RunInstances said otherwise. */
void preflight_cache_forget(struct preflight_cache *cache, const char *key);

#endif
