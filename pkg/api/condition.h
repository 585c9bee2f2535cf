/* condition: Kubernetes conditions, merged without noise.
 *
 * Model: the set is rebuilt in each pass from what is seen; condition_put() carries over the time of the last
 * transition from the set that was read, so that it moves only when the status word flips (metav1's rule).
 * Abnormal-true types (Reconciling, Stalled) are simply not put when they do not hold.
 * Threads: none.   Ownership: texts are borrowed, the caller's arena.
 * Limits: 16 conditions; a message is cut to 1 KiB at a character's border (the CRD admits more).
 * Errors: cannot fail. */
#ifndef TEE_API_CONDITION_H
#define TEE_API_CONDITION_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONDITION_TYPES = 9, CONDITIONS_MAX = 16, CONDITION_MESSAGE_MAX = 1024 };

extern const char *const condition_types[CONDITION_TYPES]; /* ours */

struct condition {
    const char *type;
    const char *status; /* True, False, Unknown */
    const char *reason;
    const char *message;
    int64_t observed_generation;
    int64_t transition_ms;
};

struct conditions {
    struct condition items[CONDITIONS_MAX];
    size_t count;
};

/* Another manager's conditions are none of our business: neither read nor compared. */
bool condition_is_ours(const char *type);
/* NULL if absent. */
const struct condition *condition_find(const struct conditions *set, const char *type);
/* Appends or replaces; `before` is what was read back, now_ms the time if the status word is another. */
void condition_put(struct conditions *set, const struct conditions *before, struct condition condition,
                   int64_t now_ms);
/* At most max bytes of text, cut at a character's border. */
const char *text_cut(struct arena *arena, const char *text, size_t max);

#endif
