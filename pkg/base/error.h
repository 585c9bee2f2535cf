/* error: what went wrong, by value.
 *
 * Model: a fallible function returns 0 or -1 and takes `struct error *err` last. `kind` is for code: a kind
 * exists only where the reconciler's outcome treats it differently. `reason` (CamelCase) is for a condition,
 * `text` for people. A lookup that finds nothing succeeds with NULL; ERROR_ABSENT means that something acted
 * upon is gone. Bugs of our own are asserts, never errors. Threads: none; the struct lives on the caller's
 * stack.   Ownership: nothing to free. Limits: reason 31, text 255 bytes; longer text is cut.   Errors:
 * cannot fail. */
#ifndef TEE_BASE_ERROR_H
#define TEE_BASE_ERROR_H

#include <stdint.h>

enum error_kind {
    ERROR_NONE,
    ERROR_INVALID,     /* the request or the input is wrong; no retry until it changes */
    ERROR_ABSENT,      /* the thing acted upon does not exist */
    ERROR_CONFLICT,    /* somebody else wrote first, or the state does not allow it now; read again */
    ERROR_THROTTLED,   /* the peer asked to slow down */
    ERROR_UNAVAILABLE, /* network, timeout, 5xx: the outcome of a mutation is UNKNOWN */
    ERROR_DENIED,      /* not allowed (RBAC, IAM, bad credentials) */
    ERROR_CAPACITY,    /* no capacity in this place, certainly not done */
    ERROR_QUOTA,       /* an account limit, certainly not done */
    ERROR_UNTRUSTED,   /* evidence or a peer failed verification */
    ERROR_STOPPED,     /* we are shutting down, or may not act any more */
    ERROR_KIND_COUNT
};

struct error {
    enum error_kind kind;
    int64_t retry_after_ms; /* 0 = the peer named no time */
    char reason[32];
    char text[256];
};

/* Fills err and yields -1, so that `return error_set(...)` reports and returns. err may be NULL. */
int error_set(struct error *err, enum error_kind kind, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Prefixes err->text with "context: ", keeps the rest; yields -1. */
int error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
void error_clear(struct error *err);

#endif
