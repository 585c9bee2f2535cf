/* status_parts: what the files that compute a status share.
 *
 * Model: PURE. A verdict is a condition's status, reason and message; each condition is one function from the
 * builder to its verdict. Threads: none. Ownership: texts are constants, the input's or of the arena. Limits:
 * messages are cut when they are put. Errors: none. */
#ifndef TEE_RECONCILE_STATUS_PARTS_H
#define TEE_RECONCILE_STATUS_PARTS_H

#include "reconcile/plan.h"

struct verdict {
    const char *status;
    const char *reason;
    const char *message;
};

struct builder {
    const struct plan_input *in;
    const struct host *host;
    struct arena *arena;
    struct tee_status *status;
};

/* The newest attempt that ended, or NULL. */
const struct ledger_past *status_last_attempt(const struct builder *builder);
struct verdict status_host_launched(const struct builder *builder);

#endif
