/* outcome: what follows from how a pass ended. The program's only switch over error kinds.
 *
 * Model: PURE. A pass ends without an error and a wish when to be looked at again, or with an error whose
 * kind decides between a quiet new look, the queue's back-off and a slow retry. Threads: none.   Ownership:
 * values.   Limits: none.   Errors: cannot fail. */
#ifndef TEE_RECONCILE_OUTCOME_H
#define TEE_RECONCILE_OUTCOME_H

#include "base/error.h"

#include <stdbool.h>

enum outcome_kind {
    OUTCOME_DONE,     /* there is no object: nothing to do until something happens */
    OUTCOME_REQUEUE,  /* again after delay_ms; forgets failures */
    OUTCOME_WAIT,     /* again after delay_ms; says nothing of failures: it was put off, or only asked for */
    OUTCOME_BACK_OFF, /* a failure: again after the queue's back-off, or delay_ms if that is longer */
    OUTCOME_TERMINAL  /* a failure that only a change of the object can end; looked at after delay_ms */
};

struct outcome {
    enum outcome_kind kind;
    int64_t delay_ms;
    int64_t generation; /* of the spec that the pass looked at; 0 = it saw no object */
    bool is_quiet;      /* a conflict or a race: logged at debug, not counted as an error */
    struct error error;
};

struct outcome outcome_done(void);
struct outcome outcome_requeue(int64_t delay_ms);
struct outcome outcome_wait(int64_t delay_ms);
struct outcome outcome_from_error(const struct error *err);

#endif
