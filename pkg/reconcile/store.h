/* store: key -> the object as the watch last told.
 *
 * Model: objects are kept packed (api/teedeployment_pack.h); an update replaces the whole. A list marks what
 * it brings; what is not marked when the list is complete is gone, and its key is reported. Where only some
 * namespaces are watched, each is a scope with lists of its own, and the store is complete when all are. An
 * index by deployment id answers which object is the oldest of those that claim one id. With a limit, a
 * newcomer that has no room is refused: its key and its claim are known, it is not. It has another chance
 * with each put; who is held stays, whatever it grows to, and one that is being deleted always has room,
 * because it makes some. Threads: any; one mutex, never held across a call out of the module. Ownership: the
 * store keeps a copy of its own; store_get() gives the caller one. Limits: memory, or store_set_limit().
 * Errors: cannot fail. */
#ifndef TEE_RECONCILE_STORE_H
#define TEE_RECONCILE_STORE_H

#include "api/teedeployment.h"

struct store;

struct store *store_new(void);
struct store *store_free(struct store *store);
/* NULL if absent; the caller unrefs. */
struct teedeployment *store_get(struct store *store, const char *key);
/* Copies. An older resourceVersion than one that was put since the last list began is dropped. False: what
 * the store has of the object is what it had. */
bool store_put(struct store *store, const struct teedeployment *object);
/* It is, for lack of room, and store_get() has nothing for that. */
bool store_is_refused(struct store *store, const char *key);
/* Of a refused one; NULL if it is not. The caller frees. */
char *store_refused_version(struct store *store, const char *key);
/* What a live read brought (NULL: no object) for a key of which seen_version was held or refused before. The
 * watch went on meanwhile, and what it told is the later word: a key that is gone stays gone, a newer form
 * stays, and only the form that was seen is removed. False: the watch told something else. */
bool store_refresh(struct store *store, const char *key, const char *seen_version,
                   const struct teedeployment *object);
/* The present list has it, in a form that cannot be read: what is held stays, if anything is. */
void store_keep(struct store *store, const char *key);
void store_remove(struct store *store, const char *key);
/* The only namespaces that there will be objects of; borrowed. Before threads start; never: all are one
 * scope, whose name is NULL. */
void store_set_scopes(struct store *store, const char *const *name_spaces, size_t count);
/* Bytes of objects past which no other is taken in; 0 = no limit. Before threads start. */
void store_set_limit(struct store *store, size_t bytes);
void store_begin_list(struct store *store, const char *scope);
/* Calls gone() for each key that the list did not bring, after it was removed. gone NULL: the list had
 * something that nobody could name, which may be any of them, and none is removed. */
void store_end_list(struct store *store, const char *scope, void (*gone)(void *ctx, const char *key),
                    void *ctx);
bool store_is_complete(struct store *store);
size_t store_count(struct store *store);
size_t store_refused_count(struct store *store);
/* Of the objects held. */
size_t store_bytes(struct store *store);
/* The scope's watch was heard at this monotonic time. */
void store_set_heard(struct store *store, const char *scope, int64_t mono_ms);
/* How long the watch was silent; of several, the most silent one. */
int64_t store_silent_ms(struct store *store, int64_t mono_ms);
/* One was silent for 90 s, or never heard: who destroys something on such a store may destroy what is wanted.
 */
bool store_is_stale(struct store *store, int64_t mono_ms);
/* Key of the oldest object with that deployment id, or NULL; the caller frees. */
char *store_owner_of(struct store *store, const char *deployment_id);
/* Calls each() for every key, on a copy of the keys. */
void store_each_key(struct store *store, void (*each)(void *ctx, const char *key), void *ctx);

#endif
