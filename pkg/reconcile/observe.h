/* observe: puts inventory, memory and ledger together into what is believed about one key.
 *
 * Model: reads the store and the inventory under their own locks, decides nothing but rank and proof of
 * death. Threads: the key's worker.   Ownership: values; `owner` lives in the given arena.   Limits:
 * HOSTS_MAX hosts. Errors: cannot fail. */
#ifndef TEE_RECONCILE_OBSERVE_H
#define TEE_RECONCILE_OBSERVE_H

#include "reconcile/fleet.h"
#include "reconcile/inventory.h"
#include "reconcile/plan.h"
#include "reconcile/store.h"

struct observe_input {
    struct store *store;
    struct inventory *inventory;
    const struct reconcile_config *config;
    struct fleet *fleet; /* NULL: no limits are looked at */
    const struct teedeployment *want;
    struct memory *memory;
    struct moment now;
    struct arena *arena;
};

void observe(const struct observe_input *in, struct observed *ret_seen);
/* The host of that id, alive or not; NULL: it is not seen, or id is NULL. */
const struct host *observed_find(const struct observed *seen, const char *id);
/* Notes a look-up that found nothing, or (found) one that did. */
void lookups_note(struct lookups *lookups, const char *subject, bool found, int64_t mono_ms);
/* Two empty ones of the subject in a row, at least a minute apart. */
bool lookups_prove_absence(const struct lookups *lookups, const char *subject);

#endif
