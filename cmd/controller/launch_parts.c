/* User data, tags and the root volume of a launch. */
#include "launch_parts.h"

#include "base/arena.h"
#include "nitro/userdata.h"

#include <stdlib.h>
#include <string.h>

static int make_user_data(const struct tee_spec *effective, char **ret_text, struct error *err)
{
    struct userdata_port ports[USERDATA_PORTS_MAX];
    struct userdata_egress egress[USERDATA_EGRESS_MAX];
    for (size_t i = 0; i < effective->port_count && i < USERDATA_PORTS_MAX; i++)
        ports[i] = (struct userdata_port){effective->ports[i].name, effective->ports[i].port,
                                          effective->ports[i].enclave_port};
    for (size_t i = 0; i < effective->egress_count && i < USERDATA_EGRESS_MAX; i++)
        egress[i] = (struct userdata_egress){effective->egress[i].name, effective->egress[i].host,
                                             effective->egress[i].port, effective->egress[i].vsock_port};
    bool is_disabled = effective->attestation.protocol == ATTEST_DISABLED;
    struct userdata_config config = {
        .image = effective->image,
        .eif_url = effective->eif_url,
        .eif_sha256 = effective->eif_sha256,
        .cpu_count = effective->cpu_count,
        .memory_mib = effective->memory_mib,
        .debug_mode = effective->debug_mode,
        .ports = ports,
        .port_count = effective->port_count,
        .egress = egress,
        .egress_count = effective->egress_count,
        .attestation_protocol = attest_protocol_names[effective->attestation.protocol],
        .attestation_port = is_disabled ? 0 : effective->attestation.port,
    };
    return userdata_encode(&config, ret_text, err);
}

/* Identity first, then the user's own. */
static size_t make_tags(const struct launch_request *request, struct arena *arena, struct ec2_tag *tags)
{
    const struct teedeployment *object = request->object;
    size_t count = 0;
    tags[count++] = (struct ec2_tag){"Name", arena_printf(arena, "tee-%s", object->deployment_id)};
    tags[count++] = (struct ec2_tag){"tee-deployment-id", object->deployment_id};
    tags[count++] = (struct ec2_tag){"tee-cluster-id", request->cluster_id};
    tags[count++] = (struct ec2_tag){"tee-namespace", object->name_space};
    tags[count++] = (struct ec2_tag){"tee-name", object->name};
    tags[count++] = (struct ec2_tag){"tee-launch-hash",
                                     arena_printf(arena, "v%d-%s", request->hash_version, request->hash)};
    const struct tee_instance_spec *instance = &request->effective->instance;
    for (size_t i = 0; i < instance->tag_count && count < LAUNCH_TAGS_MAX; i++)
        tags[count++] = (struct ec2_tag){instance->tags[i].key, instance->tags[i].value};
    return count;
}

static struct ec2_root_volume make_root_volume(const struct tee_root_volume *volume)
{
    return (struct ec2_root_volume){.size_gib = volume->size_gib,
                                    .type = volume->type,
                                    .iops = volume->iops,
                                    .throughput = volume->throughput,
                                    .encrypted = volume->encrypted,
                                    .kms_key_id = volume->kms_key_id};
}

int launch_parts_make(const struct launch_request *request, struct launch_parts *ret_parts, struct error *err)
{
    struct launch_parts *parts = ret_parts;
    const struct tee_instance_spec *instance = &request->effective->instance;
    arena_init(&parts->arena);
    parts->user_data = NULL;
    if (make_user_data(request->effective, &parts->user_data, err) < 0)
        return -1;
    parts->volume = make_root_volume(&instance->root_volume);
    parts->launch = (struct ec2_launch){.image_id = instance->ami_id,
                                        .type = instance->instance_type,
                                        .subnet_id = request->subnet_id,
                                        .security_group_ids = instance->security_group_ids,
                                        .security_group_count = instance->security_group_count,
                                        .key_name = instance->key_name,
                                        .profile = instance->iam_instance_profile,
                                        .root_volume = instance->root_volume.present ? &parts->volume : NULL,
                                        .tags = parts->tags,
                                        .tag_count = make_tags(request, &parts->arena, parts->tags),
                                        .user_data = parts->user_data,
                                        .user_data_len = strlen(parts->user_data),
                                        .client_token = request->token};
    return 0;
}

void launch_parts_done(struct launch_parts *parts)
{
    arena_done(&parts->arena);
    free(parts->user_data);
}
