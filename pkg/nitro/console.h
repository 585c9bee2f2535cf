/* console: what an instance's console ends with, made safe to show to whoever may read Events.
 *
 * Model: PURE. The text comes from a machine that others program, and what programs print while a host boots
 * may hold secrets. So escape sequences and control characters go, everything that looks like a secret
 * becomes "[redacted]", and of the rest the last whole lines that fit are kept. Looks like a secret:
 *   - what follows a name with password, secret, token, key, ... and '=' or ':', to the end of the line
 *   - what follows Bearer or Basic, or an option such as --password
 *   - of a URL the query, the fragment and the user
 *   - 24 or more characters of base64 or hex, a JSON web token, 16 or more capitals and digits (key ids of
 * AWS)
 *   - all of a PEM block
 * That errs towards hiding: a long path may go, too. It is a hint for people, never complete protection.
 * Threads: any.   Ownership: inputs are borrowed. Limits: CONSOLE_LINE_MAX bytes a line, then "...".
 * Errors: none; "" if there is nothing to show. */
#ifndef TEE_NITRO_CONSOLE_H
#define TEE_NITRO_CONSOLE_H

#include "base/buf.h"

enum { CONSOLE_LINE_MAX = 160 };

/* Appends at most max_bytes of printable ASCII in lines parted by newlines, none at the end. */
void console_put_tail(const char *text, size_t len, size_t max_bytes, struct buf *out);

#endif
