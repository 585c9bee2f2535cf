/* status: what the controller answers, typed; to JSON, and the parts that are read back.
 *
 * Model: one struct tee_status is the whole that the field manager `tee-controller` applies (an apply deletes
 * what its manager leaves out). Read back are: the ledger `launch`, which is the only part that decides
 * anything; the verdict, which counts again after a restart only while instance, launch time and policy are
 * the same; and the conditions, for their transition times. Evidence belongs to a second manager and is never
 * held. Threads: read-only after decoding.   Ownership: an arena's. Limits: strings are cut to the CRD's
 * bounds by the encoder.   Errors: as json_read.h. */
#ifndef TEE_API_STATUS_H
#define TEE_API_STATUS_H

#include "api/condition.h"
#include "api/spec.h"
#include "base/json_writer.h"

enum { LEDGER_HISTORY_MAX = 8, STATUS_PCRS_MAX = 32 };

struct ledger_past {
    int attempt;
    const char *token;
    const char *subnet_id;
    int64_t started_ms;
    int64_t ended_ms;
    const char *result;
    const char *instance_id;
    const char *reason;
    int64_t generation; /* of the spec that EC2 refused; 0: it ended otherwise */
};

struct ledger_halt {
    const char *reason; /* NULL: not halted */
    int64_t generation;
    int64_t at_ms;
};

/* status.launch. token NULL and instance_id NULL: no attempt was ever written. */
struct ledger {
    int attempt;
    const char *token;
    const char *hash;
    int hash_version;
    const char *subnet_id;
    int64_t started_ms;
    const char *result; /* NULL while open; Launched, Adopted, or why the attempt is dead */
    const char *instance_id;
    int64_t instance_launch_ms;
    const char *module_id;
    const char *policy_hash;
    struct ledger_halt halted;
    struct ledger_past history[LEDGER_HISTORY_MAX]; /* the newest last */
    size_t history_count;
};

struct tee_instance_status {
    const char *id; /* NULL: none */
    const char *state;
    const char *type;
    const char *image_id;
    const char *availability_zone;
    const char *subnet_id;
    const char *private_ip;
    const char *public_ip;
    int64_t launch_ms;
    const char *capacity_type;
};

struct tee_pcr_value {
    int index;
    char sha384[97];
};

enum { CLAIM_NAMES = 3 };
extern const char *const claim_names[CLAIM_NAMES];

struct tee_claim {
    const char *key;
    const char *value;
};

/* status.attestation without the evidence. verdict NULL: nothing was ever tried. */
struct tee_attestation_status {
    const char *verdict;
    const char *reason;
    const char *message;
    int64_t verified_ms;
    int64_t valid_until_ms;
    int64_t next_ms;
    int64_t document_ms;
    const char *matched_measurement;
    const struct tee_pcr_value *pcrs;
    size_t pcr_count;
    const char *module_id;
    int64_t enclave_launched_ms;
    bool nonce_verified;
    bool instance_bound;
    bool role_bound;
    const char *public_key; /* base64 */
    const char *public_key_type;
    const char *public_key_fingerprint;
    const char *user_data_sha256;
    int64_t leaf_not_after_ms;
    const char *root_sha256;
    struct tee_claim claims[4];
    size_t claim_count;
};

struct tee_status {
    int64_t observed_generation;
    const char *phase;
    const char *deployment_id;
    struct tee_instance_status instance;
    const struct tee_port *ports; /* the mapping, shown with the instance's address */
    size_t port_count;
    const char *endpoint_address; /* NULL: no endpoints yet */
    struct ledger launch;
    const char *boot_phase; /* NULL: the host says nothing */
    int64_t boot_seconds;
    struct tee_attestation_status attestation;
    const struct tee_spec
        *effective; /* only fields that were absent are set; NULL before configuration is known */
    struct conditions conditions;
    const char *last_handled;
};

/* reader points at .status; evidence and everything computed anew is skipped. */
void status_decode(const struct json_reader *reader, struct tee_status *ret_status);
/* The value of .status, as one JSON object. */
void status_encode(const struct tee_status *status, struct buf *out);
/* {"attestation":{...}} with only the evidence, for the second field manager; {} without a document. */
void status_encode_evidence(const void *document, size_t len, struct buf *out);
/* A digest of a status value in which neither member order, white space, evidence nor the
 * conditions of other managers count. */
int status_digest(const json_t *status, uint8_t ret_digest[32]);
/* The same of its text; -1 if it is not JSON. */
int status_digest_text(const char *json, size_t len, uint8_t ret_digest[32]);

#endif
