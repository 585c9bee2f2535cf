/* attest: the verdict over one attestation document.
 *
 * Model: attest_verify() takes the bytes and a policy and runs the procedure in its fixed order: envelope,
 * headers, payload, chain, signature, time, nonce, instance and role, debug, PCRs, keys. The first step that
 * fails gives the reason. It is a pure function: no I/O and no clock; the policy's cache of CA certificates
 * spares work and changes no verdict. A result starts as Rejected, and one assignment in attest.c makes it
 * anything else. What the document says is copied into the result only once its signature is good
 * (has_claims), of a rejected document too, for people to see why. Threads: any. Ownership: the result is
 * plain memory. Limits: documents of 1 to 16384 bytes. Errors: none; a bad document is a verdict. */
#ifndef TEE_NITRO_ATTEST_H
#define TEE_NITRO_ATTEST_H

#include "nitro/attest_policy.h"
#include "nitro/attest_reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ATTEST_DOCUMENT_MAX = 16384, ATTEST_MESSAGE_SIZE = 256, ATTEST_NAME_SIZE = 64 };

enum attest_verdict {
    ATTEST_REJECTED,
    ATTEST_VERIFIED,
    ATTEST_VERIFIED_WITHOUT_NONCE,
    ATTEST_MEASURED_ONLY, /* genuine and fresh, but nothing says which image is expected */
    ATTEST_DEBUG          /* genuine, from a debug enclave that the policy tolerates */
};

struct attest_result {
    enum attest_verdict verdict;
    enum attest_reason reason; /* NONE for Verified and VerifiedWithoutNonce */
    char message[ATTEST_MESSAGE_SIZE];
    uint8_t document_sha256[32];

    bool has_claims; /* what follows was signed by the hypervisor */
    char module_id[ATTEST_MODULE_ID_MAX + 1];
    char instance_id[ATTEST_ID_SIZE]; /* "" if module_id names none */
    char region[ATTEST_ID_SIZE];
    int64_t launched_at_ms; /* of the enclave, from module_id; informative; 0 = unknown */
    int64_t document_timestamp_ms;
    uint32_t pcr_mask; /* bit i: PCR i is present */
    uint8_t pcrs[ATTEST_PCR_COUNT][ATTEST_PCR_BYTES];
    uint8_t public_key[ATTEST_FIELD_MAX];
    size_t public_key_len;
    bool has_user_data;
    uint8_t user_data_sha256[32];
    int64_t leaf_not_after_ms;
    uint8_t root_sha256[32];
    size_t unknown_keys;

    bool nonce_verified;
    bool instance_bound;
    bool role_bound;
    int matched_measurement; /* index into the policy, or -1 */
    char matched_name[ATTEST_NAME_SIZE];
};

void attest_verify(const void *document, size_t len, const struct attest_policy *policy,
                   struct attest_result *ret_result);
const char *attest_verdict_name(enum attest_verdict verdict);
/* The reason's name, or the verdict's where there is none to give: what a condition's reason field holds. */
const char *attest_result_reason(const struct attest_result *result);

#endif
