/* ec2_ask: what is asked of EC2.
 *
 * Model: plain structs, from which ec2_request.h makes the form and for which ec2.h makes the call.
 * Threads: none.   Ownership: all is borrowed.   Limits: EC2's.   Errors: none. */
#ifndef TEE_NITRO_EC2_ASK_H
#define TEE_NITRO_EC2_ASK_H

#include <stdbool.h>
#include <stddef.h>

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
