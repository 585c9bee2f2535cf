/* warnings: what the API server warns of, each text once.
 *
 * Model: PURE. A Warning header is `299 agent "text"` (RFC 7234, section 5.5; Kubernetes sends this code
 * only). The same text comes with every request that gives rise to it, so a text that was taken is not given
 * again. Threads: none.   Ownership: the caller's memory.   Limits: a text is cut at 511 bytes; after 256
 * different ones nothing is new any more.   Errors: what is no such header is not new. */
#ifndef TEE_KUBE_WARNINGS_H
#define TEE_KUBE_WARNINGS_H

#include "base/hmap.h"

#include <stdbool.h>

enum { WARNING_SIZE = 512 };

struct warnings {
    struct hmap seen; /* text -> this */
};

void warnings_init(struct warnings *warnings);
void warnings_done(struct warnings *warnings);
/* True and the text, with control characters as blanks, the first time. */
bool warnings_take(struct warnings *warnings, const char *header, char ret_text[WARNING_SIZE]);

#endif
