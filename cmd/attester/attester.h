/* attester: from a request to the bytes of its answer.
 *
 * Model: what is fixed at boot (user data, the public key) and what a request chooses (the nonce) become one
 * question to the security module; the rate of questions is bounded, as the module serves one at a time. The
 * key pair is made at boot and never written; its secret half stays in memory that is locked and not dumped,
 * for the delivery of secrets, which is not there yet. Threads: one.   Ownership: as named. Limits:
 * native.h's.   Errors: of attester_new() alone; a request always has an answer. */
#ifndef TEE_ATTESTER_ATTESTER_H
#define TEE_ATTESTER_ATTESTER_H

#include "base/buf.h"
#include "base/error.h"

#include <stdint.h>

struct attester;

/* user_data_file NULL = none. */
struct attester *attester_new(const char *user_data_file, struct error *err);
struct attester *attester_free(struct attester *attester);
/* head: everything received so far. False: the request is not whole yet. True: out is the whole answer. */
bool attester_answer(struct attester *attester, const char *head, size_t len, int64_t now_ms,
                     struct buf *out);

#endif
