/* aws_config: what the environment says about AWS.
 *
 * Model: PURE but for the callback that reads a variable. Two readings: struct aws_config is about the cloud
 * (region, endpoints, certificates, metadata service), struct nitro_config holds the defaults of every
 * deployment (the AWS_NITRO_* variables). An empty variable counts as unset. A value that does not parse is
 * refused with the variable's name and what would be right, never replaced by a default.
 * Threads: any.   Ownership: both structs own their texts; _done() frees them.   Limits: see each variable.
 * Errors: ERROR_INVALID (BadEnvironment). */
#ifndef TEE_NITRO_AWS_CONFIG_H
#define TEE_NITRO_AWS_CONFIG_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>

/* Reads a variable: NULL if it is unset. The text is borrowed until the next call. */
typedef const char *environment_get(void *ctx, const char *name);

struct environment {
    environment_get *get;
    void *ctx;
};

/* getenv() of the process. */
const struct environment *environment_real(void);
/* As the callback, but NULL for an empty value as well. */
const char *environment_find(const struct environment *environment, const char *name);

struct aws_config {
    char *region;        /* AWS_REGION, AWS_DEFAULT_REGION; NULL: ask imds_fetch_region() */
    char *ec2_endpoint;  /* AWS_ENDPOINT_URL_EC2, AWS_ENDPOINT_URL; NULL: by the region */
    char *sts_endpoint;  /* AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL; NULL: by the region */
    char *ca_bundle;     /* AWS_CA_BUNDLE, a path; NULL: the system's store */
    char *imds_endpoint; /* AWS_EC2_METADATA_SERVICE_ENDPOINT(_MODE); never NULL, no slash at the end */
    bool imds_disabled;  /* AWS_EC2_METADATA_DISABLED */
    bool use_fips;       /* AWS_USE_FIPS_ENDPOINT */
    bool use_dualstack;  /* AWS_USE_DUALSTACK_ENDPOINT */
    bool ignore_urls;    /* AWS_IGNORE_CONFIGURED_ENDPOINT_URLS */
};

struct nitro_config {
    char *ami_id;               /* AWS_NITRO_AMI_ID; NULL only where that is allowed */
    char *instance_type;        /* AWS_NITRO_INSTANCE_TYPE, m5.xlarge */
    char *subnet_id;            /* AWS_NITRO_SUBNET_ID or NULL */
    char *security_group_id;    /* AWS_NITRO_SECURITY_GROUP_ID or NULL */
    char *key_name;             /* AWS_NITRO_KEY_NAME or NULL */
    char *iam_instance_profile; /* AWS_NITRO_IAM_INSTANCE_PROFILE, name or ARN, or NULL */
    int cpu_count;              /* AWS_NITRO_ENCLAVE_CPU_COUNT, 2; 1..192 */
    int memory_mib;             /* AWS_NITRO_ENCLAVE_MEMORY_MB, 512; 64..1048576 */
};

MUST_CHECK int aws_config_init(const struct environment *environment, struct aws_config *ret_config,
                               struct error *err);
/* Fills what the variables left open from the profile (AWS_PROFILE) of the files of profile_file.h: region,
 * endpoint_url (of a services section first), use_fips_endpoint, use_dualstack_endpoint. */
MUST_CHECK int aws_config_add_profile(const struct environment *environment, struct aws_config *config,
                                      struct error *err);
/* A FIPS or dual-stack endpoint and one that is named exclude each other. */
MUST_CHECK int aws_config_check(const struct aws_config *config, struct error *err);
void aws_config_done(struct aws_config *config);
MUST_CHECK int nitro_config_init(const struct environment *environment, bool is_ami_required,
                                 struct nitro_config *ret_config, struct error *err);
void nitro_config_done(struct nitro_config *config);

/* http or https, a host, no user and no query; the copy has no slash at the end. NULL if it is not so. */
char *aws_url_copy(const char *url);
/* True if the text can stand in a host name and in a signature. */
bool aws_region_is_valid(const char *region);
/* The configured endpoint of "ec2" or "sts", else that of the region's partition; the caller frees. */
char *aws_config_make_endpoint(const struct aws_config *config, const char *service, const char *region);

#endif
