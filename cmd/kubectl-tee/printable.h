/* printable: what others wrote, in a form that a terminal shows and never obeys.
 *
 * Model: PURE. Names, messages and module ids come from a document or from a cluster, and a terminal acts on
 * control characters. Those of C0 and C1, DEL, the line and paragraph separators and the marks that reverse
 * the order of text (Unicode's Bidi_Control) are written as \n, \t, \xNN or \uNNNN; bytes that are not UTF-8
 * become U+FFFD. The result is one line. Threads: any.   Ownership: the buf is the caller's.   Limits: the
 * buf's ceiling. Errors: sticky in the buf. */
#ifndef TEE_KUBECTL_PRINTABLE_H
#define TEE_KUBECTL_PRINTABLE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* NULL in, nothing out. */
void printable_put(struct buf *out, const char *text);
/* The character at text, and its length in bytes; U+FFFD and 1 for a byte that is not UTF-8. */
uint32_t utf8_next(const char *text, size_t len, size_t *ret_len);
/* Whether a terminal might obey it. */
bool printable_is_control(uint32_t c);

#endif
