/* url: percent-encoding for paths and queries.
 *
 * Model: everything but letters, digits and "-._~" is encoded (RFC 3986, unreserved characters).
 * Threads: any.   Ownership: none.   Limits: the buf's ceiling.   Errors: sticky in the buf. */
#ifndef TEE_KUBE_URL_H
#define TEE_KUBE_URL_H

#include "base/buf.h"

void url_put_encoded(struct buf *out, const char *text);

#endif
