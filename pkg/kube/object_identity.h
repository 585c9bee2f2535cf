/* object_identity: whose text this is, when the text cannot be read as a whole. PURE.
 *
 * Model: the API server writes apiVersion, kind and metadata before all else, so that the identity stands
 * near the beginning and is found without reading the rest: in a text that is cut, that is no valid JSON
 * further on, or that has bytes that are no UTF-8. Threads: any.   Ownership: copies. Limits: the lengths
 * that Kubernetes allows.   Errors: false; a part that is missing, longer or written with escapes is as good
 * as absent. */
#ifndef TEE_KUBE_OBJECT_IDENTITY_H
#define TEE_KUBE_OBJECT_IDENTITY_H

#include "kube/json_scan.h"

struct object_identity {
    char name_space[64];
    char name[254];
    char uid[129];
    char key[320]; /* namespace/name */
};

/* False: at least one of the three was not found, and nothing is to be made of the others. */
bool object_identity_find(struct json_span object, struct object_identity *ret_identity);

#endif
