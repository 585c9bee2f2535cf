/* ref: an atomic reference count to embed in an immutable object.
 *
 * Model: starts at one; the caller that drops it to zero frees the object.
 * Threads: any.   Ownership: see the embedding object.   Limits: none.   Errors: cannot fail. */
#ifndef TEE_BASE_REF_H
#define TEE_BASE_REF_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>

struct ref {
    atomic_int count;
};

static inline void ref_init(struct ref *ref)
{
    atomic_init(&ref->count, 1);
}

static inline void ref_get(struct ref *ref)
{
    int old = atomic_fetch_add_explicit(&ref->count, 1, memory_order_relaxed);
    assert(old > 0);
    (void)old;
}

/* True when this was the last reference. */
static inline bool ref_put(struct ref *ref)
{
    int old = atomic_fetch_sub_explicit(&ref->count, 1, memory_order_acq_rel);
    assert(old > 0);
    return old == 1;
}

#endif
