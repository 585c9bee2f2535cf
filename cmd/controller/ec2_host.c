/* Field by field: what EC2 left out is empty. */
#include "ec2_host.h"

#include "reconcile/drift.h"
#include "reconcile/identity.h"

#include <stdio.h>
#include <string.h>

static enum host_state state_of(enum ec2_state state)
{
    switch (state) {
    case EC2_STATE_PENDING: return HOST_PENDING;
    case EC2_STATE_RUNNING: return HOST_RUNNING;
    case EC2_STATE_STOPPING: return HOST_STOPPING;
    case EC2_STATE_STOPPED: return HOST_STOPPED;
    case EC2_STATE_SHUTTING_DOWN: return HOST_SHUTTING_DOWN;
    case EC2_STATE_TERMINATED: break;
    }
    return HOST_TERMINATED;
}

static void copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

_Static_assert((int)HOST_TAGS_MAX == (int)EC2_OTHER_TAGS_MAX, "an instance's tags are copied as they are");

void ec2_host_from(const struct ec2_instance *instance, struct host *ret_host)
{
    *ret_host = (struct host){.state = state_of(instance->state), .launch_ms = instance->launch_time_ms};
    copy(ret_host->id, sizeof(ret_host->id), instance->id);
    copy(ret_host->image_id, sizeof(ret_host->image_id), instance->image_id);
    copy(ret_host->type, sizeof(ret_host->type), instance->type);
    copy(ret_host->zone, sizeof(ret_host->zone), instance->zone);
    copy(ret_host->subnet_id, sizeof(ret_host->subnet_id), instance->subnet_id);
    copy(ret_host->private_ip, sizeof(ret_host->private_ip), instance->private_ip);
    copy(ret_host->public_ip, sizeof(ret_host->public_ip), instance->public_ip);
    copy(ret_host->token, sizeof(ret_host->token), instance->client_token);
    copy(ret_host->deployment_id, sizeof(ret_host->deployment_id),
         ec2_instance_tag(instance, "tee-deployment-id"));
    copy(ret_host->cluster_id, sizeof(ret_host->cluster_id), ec2_instance_tag(instance, "tee-cluster-id"));
    copy(ret_host->launch_hash, sizeof(ret_host->launch_hash), ec2_instance_tag(instance, "tee-launch-hash"));
    const char *name_space = ec2_instance_tag(instance, "tee-namespace");
    const char *name = ec2_instance_tag(instance, "tee-name");
    ret_host->name_digest = identity_digest(name_space ? name_space : "", name ? name : "");
    ret_host->namespace_digest = name_space ? identity_text_digest(name_space) : 0;
    const char *title = ec2_instance_tag(instance, "Name");
    ret_host->title_digest = title ? identity_text_digest(title) : 0;
    ret_host->group_digest = instance->security_group_count == 0
                                 ? 0
                                 : drift_group_digest((const char *const *)instance->security_group_ids,
                                                      instance->security_group_count);
    ret_host->are_tags_told = instance->tag_count + instance->other_tag_count > 0;
    ret_host->tag_count = (int)instance->other_tag_count;
    memcpy(ret_host->tag_digests, instance->other_tags, sizeof(ret_host->tag_digests));
    const char *retained = ec2_instance_tag(instance, "tee-retained");
    ret_host->is_retained = retained && strcmp(retained, "false") != 0; /* adoption says so */
    ret_host->is_spot = instance->lifecycle && strcmp(instance->lifecycle, "spot") == 0;
    ret_host->lacks_enclave = instance->enclave == EC2_ENCLAVE_OFF;
    copy(ret_host->state_reason, sizeof(ret_host->state_reason), instance->state_reason_code);
}
