/* url: percent-encoding for paths, queries and forms.
 *
 * Model: everything but letters, digits and "-._~" becomes %XX (RFC 3986, unreserved characters).
 * Threads: any.   Ownership: none.   Limits: the buf's ceiling.   Errors: sticky in the buf. */
#ifndef TEE_BASE_URL_H
#define TEE_BASE_URL_H

#include "base/buf.h"

void url_put_encoded(struct buf *out, const char *text);
/* The characters in `kept` are copied as they are, too. */
void url_put_encoded_keeping(struct buf *out, const char *text, size_t len, const char *kept);

#endif
