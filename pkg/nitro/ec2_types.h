/* ec2_types: instances as EC2 describes them, and what is asked of EC2.
 *
 * Model: what comes from EC2 (struct ec2_instance, ec2_change, ec2_type, ec2_image,
 * ec2_subnet, ec2_status) owns its strings; what goes to EC2
 * (struct ec2_launch, ec2_query, ec2_tag) borrows them. A string that EC2 left out is NULL: shortly after a
 * launch that is normal for addresses and even for tags. Threads: none.
 * Ownership: ec2_instance_done(); the rest is plain.
 * Limits: EC2_GROUPS_MAX security groups and EC2_TAGS_MAX tags are kept of an instance, of the tags only Name
 * and tee-*; more are dropped. Errors: none. */
#ifndef TEE_NITRO_EC2_TYPES_H
#define TEE_NITRO_EC2_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EC2_GROUPS_MAX = 16, EC2_TAGS_MAX = 16, EC2_ID_SIZE = 64, EC2_PAGE_SIZE = 1000 };

/* EC2's own codes: the low byte of instanceState/code. */
enum ec2_state {
    EC2_STATE_PENDING = 0,
    EC2_STATE_RUNNING = 16,
    EC2_STATE_SHUTTING_DOWN = 32,
    EC2_STATE_TERMINATED = 48,
    EC2_STATE_STOPPING = 64,
    EC2_STATE_STOPPED = 80
};

struct ec2_owned_tag {
    char *key;
    char *value;
};

struct ec2_instance {
    char *id;
    enum ec2_state state;
    char *type;
    char *image_id;
    char *zone;
    char *subnet_id;
    char *private_ip;
    char *public_ip;
    int64_t launch_time_ms; /* Unix time; moves at each start */
    char *client_token;
    bool is_enclave_enabled;
    char *profile_arn;
    char *lifecycle; /* "spot", "scheduled"; NULL = on demand */
    char *state_reason_code;
    char *security_group_ids[EC2_GROUPS_MAX];
    size_t security_group_count;
    struct ec2_owned_tag tags[EC2_TAGS_MAX];
    size_t tag_count;
};

void ec2_instance_done(struct ec2_instance *instance);
/* NULL if the instance has no such tag, or EC2 did not say. */
const char *ec2_instance_tag(const struct ec2_instance *instance, const char *key);

/* One entry of the answer of start, stop and terminate. */
struct ec2_change {
    char id[EC2_ID_SIZE];
    enum ec2_state previous;
    enum ec2_state current;
};

struct ec2_type {
    char name[EC2_ID_SIZE];
    bool has_enclave_support;
    bool is_bare_metal;
    bool is_arm64;
    int vcpu_count;
    int threads_per_core; /* vCPUs of one core; 0 = EC2 did not say */
    int64_t memory_mib;
};

struct ec2_image {
    char id[EC2_ID_SIZE];
    char state[24]; /* "available", "pending", "failed", ... */
    bool is_arm64;
    char root_device[32];      /* such as "/dev/xvda" */
    char root_device_type[24]; /* "ebs" or "instance-store" */
};

struct ec2_subnet {
    char id[EC2_ID_SIZE];
    char zone[32];
    int64_t free_addresses;
};

/* What DescribeInstanceStatus says of an instance. Of several events the earliest that will stop or
 * retire it. */
struct ec2_status {
    char id[EC2_ID_SIZE];
    bool is_instance_impaired; /* its own check: the guest does not answer */
    bool is_system_impaired;   /* the host under it */
    char event_code[32];       /* "instance-retirement" or "instance-stop"; "" = none */
    char event_text[128];
    int64_t event_ms; /* Unix time, not before; 0 = not said */
};

struct ec2_tag {
    const char *key;
    const char *value;
};

/* Of the AMI where a member is 0 or NULL. */
struct ec2_root_volume {
    int size_gib;
    const char *type;
    int iops;
    int throughput;
    int encrypted; /* 1, 0, or -1 = the AMI's */
    const char *kms_key_id;
};

struct ec2_launch {
    const char *image_id;
    const char *type;
    const char *subnet_id; /* or NULL */
    const char *const *security_group_ids;
    size_t security_group_count;
    const char *key_name;                      /* or NULL */
    const char *profile;                       /* name or ARN, or NULL */
    const struct ec2_root_volume *root_volume; /* or NULL */
    const struct ec2_tag *tags;                /* for the instance, its volumes and its network interfaces */
    size_t tag_count;
    const void *user_data;
    size_t user_data_len;
    const char *client_token; /* required */
    bool is_dry_run;
};

struct ec2_filter {
    const char *name; /* such as "tag:tee-cluster-id" */
    const char *const *values;
    size_t value_count;
};

/* Ids or filters, not both: EC2 refuses paging with ids. */
struct ec2_query {
    const char *const *ids;
    size_t id_count;
    const struct ec2_filter *filters;
    size_t filter_count;
    bool is_patient; /* see ec2.h */
};

#endif
