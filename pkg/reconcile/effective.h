/* effective: the values in force, where the spec is silent.
 *
 * Model: PURE. The defaults that an operator may set come from the controller's environment under the seed's
 * names (AWS_NITRO_*); the rest are constants of api.md. struct reconcile_config is all that the process was
 * told once. Threads: read-only.   Ownership: results point into spec, config and the given arena. Limits:
 * none.   Errors: cannot fail; what cannot work is spec_problem()'s answer. */
#ifndef TEE_RECONCILE_EFFECTIVE_H
#define TEE_RECONCILE_EFFECTIVE_H

#include "api/spec.h"

struct reconcile_config {
    const char *ami_id; /* NULL with --require-ami-per-object */
    const char *instance_type;
    const char *subnet_id;         /* or NULL */
    const char *security_group_id; /* or NULL */
    const char *key_name;          /* or NULL */
    const char *iam_instance_profile;
    int cpu_count;
    int memory_mib;
    int attestation_port; /* of Native */
    const char *cluster_id;
    const char *roots_digest; /* hex SHA-256 over the trusted roots: part of the policy's hash */
    bool allow_debug;
    bool allow_unmeasured;
    bool allow_adoption;
    bool read_only;
    bool is_partial; /* not all objects of the cluster are looked after: others' hosts are in the inventory */
    int max_launches_per_hour; /* of one object */
    int max_launches_per_hour_total;
    int max_instances;    /* 0 = no limit */
    int cache_limit_mib;  /* 0 = no limit; of the store, for the text that says so */
    int64_t lease_min_ms; /* no change is begun with less of the lease left */
};

/* Every field set. */
void effective_fill(const struct tee_spec *spec, const struct reconcile_config *config, struct arena *arena,
                    struct tee_spec *ret_effective);
/* Only the fields that the spec leaves absent: what status.effective reports. */
void effective_report(const struct tee_spec *spec, const struct tee_spec *effective,
                      struct tee_spec *ret_report);
/* What passes the schema and still cannot work, as a sentence that names the field; NULL if nothing. */
const char *spec_problem(const struct tee_spec *effective, const struct reconcile_config *config);

#endif
