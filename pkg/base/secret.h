/* secret: a text that nobody is told.
 *
 * Model: an opaque type. A pointer to it fits neither the %s of a printf-like function nor a pair of a log
 * line, so that telling a secret does not compile (test/unit/refused). secret_reveal() is the one way to the
 * text; it stands where the text is sent, written to a file or computed with, and hack/lint.sh forbids it in
 * what is told or formatted. A secret never changes; NULL is none, to every function here. Threads: any.
 * Ownership: a struct secret * is released with secret_free(), which wipes it; a const struct secret * is
 * borrowed, and so is what is revealed. Limits: those of whoever read the text. Copies that libraries make of
 * it (the parsers, libcurl, OpenSSL) are theirs and are not wiped here.   Errors: cannot fail. */
#ifndef TEE_BASE_SECRET_H
#define TEE_BASE_SECRET_H

#include <stddef.h>

struct secret;

struct secret *secret_new(const char *text);
struct secret *secret_new_len(const char *text, size_t len);
/* Of a text that was allocated for this: it is wiped and freed. */
struct secret *secret_take(char *text);
struct secret *secret_copy(const struct secret *secret);
/* The prefix with the secret behind it, such as a header's line. */
struct secret *secret_prefixed(const char *prefix, const struct secret *secret);
const char *secret_reveal(const struct secret *secret);
void secret_free(struct secret *secret);
void secret_freep(struct secret **secret); /* for CLEANUP */

#endif
