/* ec2_types: instances, and what else EC2 tells of them.
 *
 * Model: each of these owns its strings. A string that EC2 left out is NULL: shortly after a launch that is
 * normal for addresses and even for tags. Threads: none.   Ownership: ec2_instance_done(); the rest is plain.
 * Limits: EC2_GROUPS_MAX security groups and EC2_TAGS_MAX tags are kept of an instance, of the tags only Name
 * and tee-*, of all others a digest; more are dropped.   Errors: none. */
#ifndef TEE_NITRO_EC2_TYPES_H
#define TEE_NITRO_EC2_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EC2_GROUPS_MAX = 16,
    EC2_TAGS_MAX = 16,
    EC2_OTHER_TAGS_MAX = 50,
    EC2_ID_SIZE = 64,
    EC2_PAGE_SIZE = 1000
};

/* EC2's own codes: the low byte of instanceState/code. */
enum ec2_state {
    EC2_STATE_PENDING = 0,
    EC2_STATE_RUNNING = 16,
    EC2_STATE_SHUTTING_DOWN = 32,
    EC2_STATE_TERMINATED = 48,
    EC2_STATE_STOPPING = 64,
    EC2_STATE_STOPPED = 80
};

/* EC2 may leave the element out, which says nothing. */
enum ec2_enclave { EC2_ENCLAVE_UNKNOWN, EC2_ENCLAVE_ON, EC2_ENCLAVE_OFF };

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
    enum ec2_enclave enclave;
    char *profile_arn;
    char *lifecycle; /* "spot", "scheduled"; NULL = on demand */
    char *state_reason_code;
    char *security_group_ids[EC2_GROUPS_MAX];
    size_t security_group_count;
    struct ec2_owned_tag tags[EC2_TAGS_MAX];
    size_t tag_count;
    uint32_t other_tags[EC2_OTHER_TAGS_MAX]; /* fnv32_pair() of each */
    size_t other_tag_count;
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

#endif
