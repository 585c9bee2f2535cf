/* readiness: whether the process may be counted on, and what it lacks if not.
 *
 * Model: each thing that may go wrong has a slot, which holds what it last said and is cleared when it is
 * well again; readiness_put() is PURE and makes the answer of /readyz from the slots and a few facts. Not
 * ready: start-up is under way; the objects were not listed, the API server is not heard, refuses us or knows
 * no such objects; the installed definition is older than what we write; EC2 was never looked at or refuses
 * us. All else that fails is shown beside an ok, because it passes. Threads: none; the owner has a lock.
 * Ownership: values.   Limits: 255 bytes a slot.   Errors: cannot fail. */
#ifndef TEE_CONTROLLER_READINESS_H
#define TEE_CONTROLLER_READINESS_H

#include "base/buf.h"
#include "base/error.h"

struct readiness_slot {
    enum error_kind kind; /* ERROR_NONE = well */
    char text[256];
};

struct readiness {
    struct readiness_slot start;      /* what start-up waits for */
    struct readiness_slot definition; /* of the custom resource */
    struct readiness_slot inventory;
};

struct readiness_facts {
    const struct readiness *readiness;
    const struct readiness_slot *watch; /* of the scope that is worst off */
    bool is_listed;
    bool is_stale;
    int64_t silent_ms;
    bool has_inventory;
    bool is_leader;
};

/* err NULL: well. */
void readiness_slot_set(struct readiness_slot *slot, const struct error *err);
/* The one that says more: refused before failed before well. */
const struct readiness_slot *readiness_worse(const struct readiness_slot *a, const struct readiness_slot *b);
/* The body, a line a part; true = ready. */
bool readiness_put(const struct readiness_facts *facts, struct buf *out);

#endif
