/* list: everything there is of one resource, as it is now.
 *
 * Model: pages of 500 without a resourceVersion, which the API server answers from a quorum and not from its
 * watch cache (docs: "Resource versions", unset = most recent), and the further pages as of the same moment.
 * For those who conclude something from what is absent: an answer that fails, is cut, or holds an object that
 * is too large to be looked at is an error, never a short list. Threads: any.   Ownership: all borrowed.
 * Limits: json_scan.h's an object; two minutes a page.   Errors: client.h's; TooLarge; each() may end it with
 * an error of its own. */
#ifndef TEE_KUBE_LIST_H
#define TEE_KUBE_LIST_H

#include "kube/client.h"
#include "kube/json_scan.h"

/* path: of the collection, kube_path(). Objects that were handed out before an error are to be forgotten. */
MUST_CHECK int kube_list(struct kube_client *client, const char *path, struct stop *stop, scan_emit *each,
                         void *ctx, struct error *err);

#endif
