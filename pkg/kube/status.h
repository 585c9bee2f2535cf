/* status: what the API server's answer means.
 *
 * Model: an HTTP status and the metav1.Status in the body become a struct kube_status (facts) and from there
 * a struct error (what a caller does). A body that is not a Status, or was cut, still yields the code. The
 * same decoder reads the Status inside an ERROR event of a watch. PURE. | code | kind | | 400, 405, 406, 413,
 * 415, 422 | INVALID, the server's message quoted | | 422 of a JSON patch that does not fit the object any
 * more | CONFLICT | | 500 "failed to create typed patch object" | UNAVAILABLE for 60 s, reason CRDOutdated:
 * the CRD lacks a field | | 401, 403 | DENIED |   | 404 | ABSENT |   | 409, 410 | CONFLICT |   | 429 |
 * THROTTLED | | all else | UNAVAILABLE | Threads: none.   Ownership: by value.   Limits: reason 63, message
 * 255 bytes, cut; a wait that the server names counts as 60 s at most.   Errors: cannot fail. */
#ifndef TEE_KUBE_STATUS_H
#define TEE_KUBE_STATUS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kube_status {
    int code; /* 0: there was no answer */
    char reason[64];
    char message[256];
    int64_t retry_after_ms;
    bool is_version_too_large; /* the server has not seen the asked resourceVersion yet */
};

/* http_status 0 takes the code from the body. */
void kube_status_decode(int http_status, const char *body, size_t len, struct kube_status *ret_status);
/* Is it "that resourceVersion is gone", in either form? */
bool kube_status_is_expired(const struct kube_status *status);
/* Yields -1. */
int kube_status_to_error(const struct kube_status *status, struct error *err);

#endif
