/* show_output: the state of one object, for a person or as data.
 *
 * Model: PURE. Everything is what the status says; nothing is verified here (`verify` does that). The
 * certificates are read out of the stored document and are as good as that. A PCR is compared with the
 * measurement sets of the spec: the names of the sets that hold its value, or "differs" where sets name the
 * PCR and none has the value. Threads: none.   Ownership: the buf is the caller's.   Limits: the buf's
 * ceiling.   Errors: sticky in the buf. */
#ifndef TEE_KUBECTL_SHOW_OUTPUT_H
#define TEE_KUBECTL_SHOW_OUTPUT_H

#include "object.h"

void show_put_text(const struct object *object, int64_t now_ms, struct buf *out);
/* One JSON object. */
void show_put_data(const struct object *object, struct buf *out);

#endif
