/* spec: what the user wrote, typed. Names and bounds are those of the CRD (manifests/, docs).
 *
 * Model: absent stays absent, because the launch hash covers the spec as written and because defaults belong
 * to the controller's configuration (reconcile/effective.h): strings are NULL, numbers 0, optional booleans
 * -1. Threads: read-only after decoding.   Ownership: everything points into the decoder's arena. Limits: the
 * CRD's.   Errors: see spec_decode(). */
#ifndef TEE_API_SPEC_H
#define TEE_API_SPEC_H

#include "api/json_read.h"

enum desired_state { DESIRED_ABSENT, DESIRED_RUNNING, DESIRED_STOPPED };
enum deletion_policy { DELETION_ABSENT, DELETION_DELETE, DELETION_RETAIN };
enum update_strategy { UPDATE_ABSENT, UPDATE_REPLACE, UPDATE_ON_DELETE };
enum on_rejected { ON_REJECTED_ABSENT, ON_REJECTED_REPORT, ON_REJECTED_STOP, ON_REJECTED_TERMINATE };
enum attestation_protocol {
    ATTEST_ABSENT,
    ATTEST_NATIVE,
    ATTEST_NITRIDING,
    ATTEST_OYSTER,
    ATTEST_NAUTILUS,
    ATTEST_DISABLED
};

struct tee_port {
    const char *name;
    int port;
    int64_t enclave_port;
};

struct tee_egress {
    const char *name;
    const char *host;
    int port;
    int vsock_port;
};

struct tee_tag {
    const char *key;
    const char *value;
};

struct tee_pcr {
    int index;
    const char *sha384; /* 96 lower-case hex digits */
};

struct tee_measurement {
    const char *name;
    const struct tee_pcr *pcrs;
    size_t pcr_count;
    int64_t not_before_ms;
    int64_t not_after_ms;
};

struct tee_root_volume {
    bool present;
    int size_gib;
    const char *type;
    int iops;
    int throughput;
    int encrypted;
    const char *kms_key_id;
};

struct tee_instance_spec {
    const char *ami_id;
    const char *instance_type;
    const char **subnet_ids;
    size_t subnet_count;
    const char **security_group_ids;
    size_t security_group_count;
    const char *key_name;
    const char *iam_instance_profile;
    struct tee_root_volume root_volume;
    const struct tee_tag *tags;
    size_t tag_count;
};

struct tee_attestation_spec {
    enum attestation_protocol protocol;
    int port;
    int require_nonce;
    const char *instance_role_arn;
    int interval_seconds;
    int valid_seconds;
    int max_age_seconds;
    const struct tee_measurement *measurements;
    size_t measurement_count;
    const char *user_data_sha256;
    const char *public_key_sha256;
    enum on_rejected on_rejected;
};

struct tee_spec {
    enum desired_state desired_state;
    const char *image;
    const char *eif_url;
    const char *eif_sha256;
    int cpu_count;
    int memory_mib;
    bool debug_mode;
    struct tee_instance_spec instance;
    const struct tee_port *ports;
    size_t port_count;
    const struct tee_egress *egress;
    size_t egress_count;
    struct tee_attestation_spec attestation;
    enum deletion_policy deletion_policy;
    enum update_strategy update_strategy;
    const char *deployment_id;
    int launch_seconds;
    int boot_seconds;
};

/* The words of the CRD, by enum value; NULL at the absent value. */
extern const char *const desired_state_names[3];
extern const char *const deletion_policy_names[3];
extern const char *const update_strategy_names[3];
extern const char *const on_rejected_names[4];
extern const char *const attest_protocol_names[6];

/* reader points at .spec. What is wrong goes into reader->err; the rest is still decoded. */
void spec_decode(const struct json_reader *reader, struct tee_spec *ret_spec);

#endif
