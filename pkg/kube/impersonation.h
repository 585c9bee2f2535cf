/* impersonation: the headers by which a user of the kubeconfig acts as somebody else.
 *
 * Model: PURE. `as`, `as-uid`, `as-groups` and `as-user-extra` become the lines Impersonate-User, -Uid,
 * -Group (one a group) and -Extra-KEY (one a value), as "User impersonation" in Kubernetes' page on
 * authentication has them; what a header name cannot hold in KEY is percent-encoded. The API server decides
 * whether we may. Threads: any.   Ownership: the result owns its lines.   Limits: 64 lines. Errors:
 * ERROR_INVALID (BadImpersonation): a value of another type, a control character, no `as`. */
#ifndef TEE_KUBE_IMPERSONATION_H
#define TEE_KUBE_IMPERSONATION_H

#include "base/cleanup.h"
#include "base/error.h"
#include "kube/yaml_tree.h"

/* *ret_headers ends with NULL, and is NULL where the user acts as itself; impersonation_free() it. */
MUST_CHECK int impersonation_decode(struct yaml_value user, char ***ret_headers, struct error *err);
void impersonation_free(char **headers);

#endif
