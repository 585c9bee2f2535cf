/* patch: the bodies that change our object. PURE.
 *
 * Model: each body carries the resourceVersion it was computed from, so that a stale write is refused with
 * 409: JSON patches replace the version as their first operation, a status apply has it in its metadata.
 * Removal of a finalizer tests that the element is still ours. Threads: none.   Ownership: texts are
 * borrowed.   Limits: the buf's ceiling.   Errors: sticky in the buf. */
#ifndef TEE_KUBE_PATCH_H
#define TEE_KUBE_PATCH_H

#include "base/buf.h"

#include <stddef.h>

struct patch_target {
    const char *api_version; /* "tee.dev/v1alpha1" */
    const char *kind;
    const char *name_space;
    const char *name;
    const char *resource_version;
};

/* present_count: how many finalizers the object has. For KUBE_PATCH_JSON. */
void patch_add_finalizer(struct buf *out, const char *resource_version, const char *finalizer,
                         size_t present_count);
/* index: where in the list it stands. For KUBE_PATCH_JSON. */
void patch_remove_finalizer(struct buf *out, const char *resource_version, const char *finalizer,
                            size_t index);
/* status_json is the whole of what the field manager owns. For KUBE_PATCH_APPLY on /status. */
void patch_apply_status(struct buf *out, const struct patch_target *target, const char *status_json);

#endif
