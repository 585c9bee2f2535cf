/* attest_policy: whether a genuine document is the one that was asked for.
 *
 * Model: what the caller expects, in plain types, and one function per step of the procedure that compares a
 * document with it. They run only on a document whose chain and signature are good. What is absent from the
 * policy is not compared, and the findings say so; a measurement set counts only if it pins the image (PCR0,
 * or PCR1 and PCR2, or PCR8). Threads: any.   Ownership: everything is borrowed.   Limits:
 * ATTEST_MEASUREMENTS_MAX sets; role ARN 2048 bytes. Errors: one reason per step; see attest_reason.h. */
#ifndef TEE_NITRO_ATTEST_POLICY_H
#define TEE_NITRO_ATTEST_POLICY_H

#include "base/cleanup.h"
#include "base/error.h"
#include "nitro/attest_chain.h"
#include "nitro/attest_doc.h"
#include "nitro/attest_root.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ATTEST_MEASUREMENTS_MAX = 8, ATTEST_MAX_AGE_MS = 60 * 1000, ATTEST_ID_SIZE = 32 };

struct attest_pcr {
    unsigned index;
    uint8_t value[ATTEST_PCR_BYTES];
};

struct attest_measurement {
    const char *name;
    const struct attest_pcr *pcrs;
    size_t pcr_count;
    int64_t not_before_ms; /* 0 = always */
    int64_t not_after_ms;
};

enum attest_role_check {
    ATTEST_ROLE_UNCHECKED, /* a profile without a role ARN in the spec */
    ATTEST_ROLE_NONE,      /* no instance profile: PCR3 must be zero */
    ATTEST_ROLE_ARN
};

struct attest_policy {
    const struct attest_roots *roots;
    struct attest_cache *cache; /* or NULL; spares work, and changes no verdict */
    int64_t now_ms;
    bool at_document_time;   /* stored evidence: neither age nor expiry by now is looked at */
    int64_t max_age_ms;      /* 0 = ATTEST_MAX_AGE_MS */
    const char *instance_id; /* NULL = any, and instance_bound stays false */
    const char *region;      /* NULL = any */
    const uint8_t *nonce;    /* the one issued for this request, or NULL; if issued, it must come back */
    size_t nonce_len;
    bool require_nonce; /* with nonce NULL: refuse with NonceMissing */
    bool allow_debug;   /* verdict Debug in place of DebugEnclave */
    enum attest_role_check role_check;
    const char *role_arn;
    const struct attest_measurement *measurements;
    size_t measurement_count;
    const uint8_t *user_data_sha256; /* 32 bytes each, or NULL = not compared */
    const uint8_t *public_key_sha256;
    const uint8_t *tls_cert_sha256; /* Nitriding: user_data bytes 2..34 must be this */
};

/* What the checks saw; starts all zero with matched = -1. */
struct attest_findings {
    bool is_nonce_verified;
    bool is_instance_bound;
    bool is_role_bound;
    bool is_debug;
    int matched; /* index of the measurement set, or -1 */
    char instance_id[ATTEST_ID_SIZE];
    char region[ATTEST_ID_SIZE];
    int64_t launched_at_ms;
};

MUST_CHECK int attest_policy_check_time(const struct attest_policy *policy, const struct attest_doc *doc,
                                        struct error *err);
MUST_CHECK int attest_policy_check_nonce(const struct attest_policy *policy, const struct attest_doc *doc,
                                         struct attest_findings *findings, struct error *err);
/* Instance, region and role. */
MUST_CHECK int attest_policy_check_binding(const struct attest_policy *policy, const struct attest_doc *doc,
                                           const struct attest_chain *chain, struct attest_findings *findings,
                                           struct error *err);
MUST_CHECK int attest_policy_check_debug(const struct attest_policy *policy, const struct attest_doc *doc,
                                         struct attest_findings *findings, struct error *err);
/* Whether the set says which image runs. */
bool attest_measurement_counts(const struct attest_measurement *set);
/* No set that counts is no failure: matched stays -1. */
MUST_CHECK int attest_policy_check_measurements(const struct attest_policy *policy,
                                                const struct attest_doc *doc,
                                                struct attest_findings *findings, struct error *err);
/* public_key, user_data and the TLS certificate. */
MUST_CHECK int attest_policy_check_keys(const struct attest_policy *policy, const struct attest_doc *doc,
                                        struct error *err);

#endif
