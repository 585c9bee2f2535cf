/* attest_reason: why an attestation document was not accepted, one word per step of the procedure.
 *
 * Model: each verification step is a function that returns 0, or -1 with err->reason set by attest_refuse()
 * to the name that the API gives the step. Threads: any.   Ownership: constants.   Limits: none.   Errors:
 * cannot fail. */
#ifndef TEE_NITRO_ATTEST_REASON_H
#define TEE_NITRO_ATTEST_REASON_H

#include "base/error.h"

enum attest_reason {
    ATTEST_REASON_NONE,
    ATTEST_MALFORMED_DOCUMENT,
    ATTEST_UNSUPPORTED_ALGORITHM,
    ATTEST_UNTRUSTED_ROOT,
    ATTEST_BAD_CHAIN,
    ATTEST_CERTIFICATE_EXPIRED, /* or not valid yet */
    ATTEST_BAD_SIGNATURE,
    ATTEST_STALE,
    ATTEST_FROM_FUTURE,
    ATTEST_NONCE_MISMATCH,
    ATTEST_NONCE_MISSING,
    ATTEST_WRONG_INSTANCE,
    ATTEST_WRONG_ROLE,
    ATTEST_DEBUG_ENCLAVE,
    ATTEST_PCR_MISMATCH,
    ATTEST_NO_EXPECTED_PCRS,
    ATTEST_KEY_MISMATCH,
    ATTEST_USER_DATA_MISMATCH,
    ATTEST_MEASUREMENT_EXPIRED,
    ATTEST_REASON_COUNT
};

/* The API's name; "" for ATTEST_REASON_NONE. */
const char *attest_reason_name(enum attest_reason reason);
/* ATTEST_REASON_COUNT if no reason has that name. */
enum attest_reason attest_reason_find(const char *name);
/* error_set() with ERROR_UNTRUSTED and the reason's name; yields -1. */
int attest_refuse(struct error *err, enum attest_reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
