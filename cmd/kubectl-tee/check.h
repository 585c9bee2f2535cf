/* check: one document, judged for a person.
 *
 * Model: PURE. check_run() fills the policy from the object's spec (pkg/evidence, the controller's own step),
 * lets flags replace parts of it, and verifies. For evidence that is stored in a status it then compares what
 * the status says with what the check found, field by field. The last word is `verdict`: accepted, or the
 * first of: the check's reason; StatusMismatch; the controller's own rejection where it rests on what a
 * stored document cannot show (its nonce, its time); Lapsed. It starts as rejected, and one assignment
 * accepts. Threads: none.   Ownership: texts live in the arena; the rest is borrowed. Limits:
 * CHECK_DIFFERENCES_MAX differences are named. Errors: ERROR_INVALID for a policy that makes no sense. */
#ifndef TEE_KUBECTL_CHECK_H
#define TEE_KUBECTL_CHECK_H

#include "evidence/evidence_policy.h"
#include "flags.h"
#include "nitro/attest.h"
#include "nitro/attest_fetch.h"
#include "object.h"

enum { CHECK_DIFFERENCES_MAX = 16 };

struct check_input {
    const void *document;
    size_t len;
    const struct object *object;        /* NULL: a file, of which no spec says what to expect */
    const struct attest_evidence *live; /* fetched just now; NULL: stored */
    const struct attest_roots *roots;
    const struct flags *flags;
    int64_t now_ms;
};

struct check {
    struct evidence_policy policy;
    struct attest_result result;
    bool is_accepted;
    const char *reason; /* NULL if accepted */
    const char *message;
    bool is_compared; /* status and evidence */
    const char *differences[CHECK_DIFFERENCES_MAX];
    size_t difference_count;
};

MUST_CHECK int check_run(const struct check_input *input, struct arena *arena, struct check *ret_check,
                         struct error *err);
/* The roots of --root, or AWS's. */
MUST_CHECK int check_load_roots(const struct flags *flags, struct attest_roots *roots, struct error *err);

#endif
