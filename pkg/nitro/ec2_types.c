/* Release and look-up for what EC2 described. */
#include "nitro/ec2_types.h"

#include <stdlib.h>
#include <string.h>

void ec2_instance_done(struct ec2_instance *instance)
{
    char *const texts[] = {
        instance->id,          instance->type,       instance->image_id,         instance->zone,
        instance->subnet_id,   instance->private_ip, instance->public_ip,        instance->client_token,
        instance->profile_arn, instance->lifecycle,  instance->state_reason_code};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        free(texts[i]);
    for (size_t i = 0; i < instance->security_group_count; i++)
        free(instance->security_group_ids[i]);
    for (size_t i = 0; i < instance->tag_count; i++) {
        free(instance->tags[i].key);
        free(instance->tags[i].value);
    }
    *instance = (struct ec2_instance){0};
}

const char *ec2_instance_tag(const struct ec2_instance *instance, const char *key)
{
    for (size_t i = 0; i < instance->tag_count; i++) {
        if (strcmp(instance->tags[i].key, key) == 0)
            return instance->tags[i].value;
    }
    return NULL;
}
