/* sigv4_text: how the signature sees a path and a query.
 *
 * Model: PURE. Appends the canonical form to a buffer: every byte but A-Z a-z 0-9 - _ . ~ becomes %XX, query
 * parameters are sorted by name and then by value. Threads: any.   Ownership: none is taken. Limits: the
 * buffer's, 64 query parameters.   Errors: the buffer fails. */
#ifndef TEE_NITRO_SIGV4_TEXT_H
#define TEE_NITRO_SIGV4_TEXT_H

#include "base/buf.h"

#include <stdbool.h>

/* The path before escaping. Unless keep is set, dot segments are resolved and double slashes merged. */
void sigv4_put_path(struct buf *out, const char *path, bool keep);
/* The query as it is sent: %XX is kept. */
void sigv4_put_query(struct buf *out, const char *query);

#endif
