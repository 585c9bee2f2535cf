/* RunInstances: every parameter is judged first; the client token decides last whether to launch. One call
 * launches one instance. */
#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "sim/capacity.h"
#include "sim/ec2.h"
#include "sim/xml_out.h"

#include <stdlib.h>
#include <string.h>

enum {
    USER_DATA_MAX = 16384,
    TEXT_MAX = 8 * 1024 * 1024,
    MAX_TOKEN = 64,
    MAX_TAG_KEY = 128,
    MAX_TAG_VALUE = 256,
    MAX_HOPS = 64
};

static int missing(struct sim_call *call, const char *name)
{
    return sim_fail_set(&call->fail, 400, "MissingParameter", "The request must contain the parameter %s",
                        name);
}

static int invalid(struct sim_call *call, const char *name, const char *value)
{
    return sim_fail_set(&call->fail, 400, "InvalidParameterValue",
                        "Value (%.200s) for parameter %s is invalid.", value, name);
}

static int read_image(struct sim_call *call, struct sim_launch *launch)
{
    const char *image = sim_query_get(call->query, "ImageId");
    if (!image)
        return missing(call, "ImageId");
    launch->image_id = mem_strdup(image);
    if (sim_check_resource(call, image, "ami-", "InvalidAMIID") < 0)
        return -1;
    if (!sim_image_is_available(image))
        return sim_fail_set(&call->fail, 400, "InvalidAMIID.Unavailable",
                            "The image ID '%.100s' is not available", image);
    return 0;
}

static int read_counts(struct sim_call *call)
{
    long low = 0;
    long high = 0;
    if (!sim_query_get(call->query, "MinCount"))
        return missing(call, "MinCount");
    if (!sim_query_get(call->query, "MaxCount"))
        return missing(call, "MaxCount");
    if (sim_query_number(call->query, "MinCount", 0, &low, &call->fail) < 0 ||
        sim_query_number(call->query, "MaxCount", 0, &high, &call->fail) < 0)
        return -1;
    if (low < 1 || low > high)
        return invalid(call, "MinCount", sim_query_get(call->query, "MinCount"));
    if (low > 1)
        return sim_fail_set(&call->fail, 400, "InstanceLimitExceeded", "One call launches one instance here");
    return 0;
}

static int read_type(struct sim_call *call, struct sim_launch *launch)
{
    const char *name = sim_query_get(call->query, "InstanceType");
    if (!name)
        return missing(call, "InstanceType");
    const struct sim_type *type = sim_type_find(name);
    if (!type)
        return sim_fail_set(&call->fail, 400, "InvalidParameterValue",
                            "Invalid value '%.100s' for InstanceType.", name);
    launch->type = mem_strdup(name);
    if (strcmp(type->architecture, sim_image_architecture(launch->image_id)) != 0)
        return sim_fail_set(
            &call->fail, 400, "InvalidParameterValue",
            "The architecture '%s' of the specified instance type does not match the "
            "architecture '%s' of the specified AMI. Specify an instance type and an AMI that "
            "have matching architectures, and try again.",
            type->architecture, sim_image_architecture(launch->image_id));
    if (sim_query_bool(call->query, "EnclaveOptions.Enabled", &launch->has_enclave, &call->fail) < 0)
        return -1;
    if (launch->has_enclave && !type->has_enclaves)
        return sim_fail_set(&call->fail, 400, "UnsupportedOperation",
                            "The instance type '%s' does not support Nitro Enclaves.", name);
    return 0;
}

/* Zone of the launch, and the zone its token is bound in ("" = the whole region). */
static int read_zone(struct sim_call *call, char ret_zone[16], char ret_scope[16])
{
    const char *subnet = sim_query_get(call->query, "SubnetId");
    const char *zone = sim_query_get(call->query, "Placement.AvailabilityZone");
    char letter = 'a';
    if (subnet) {
        if (sim_check_resource(call, subnet, "subnet-", "InvalidSubnetID") < 0)
            return -1;
        letter = sim_subnet_zone(subnet);
    }
    if (zone) {
        if (strncmp(zone, SIM_REGION, strlen(SIM_REGION)) != 0 || strlen(zone) != strlen(SIM_REGION) + 1 ||
            !strchr("abc", zone[strlen(SIM_REGION)]))
            return sim_fail_set(&call->fail, 400, "InvalidParameterValue",
                                "Invalid availability zone: [%.60s]", zone);
        if (subnet && zone[strlen(SIM_REGION)] != letter)
            return sim_fail_set(&call->fail, 400, "InvalidParameterCombination",
                                "The availability zone and the subnet's do not agree");
        letter = zone[strlen(SIM_REGION)];
    }
    snprintf(ret_zone, 16, SIM_REGION "%c", letter);
    snprintf(ret_scope, 16, "%s", subnet || zone ? ret_zone : "");
    return 0;
}

static int read_place(struct sim_call *call, struct sim_launch *launch)
{
    char zone[16];
    char scope[16];
    long hops = 0;
    const char *group = sim_query_get(call->query, "SecurityGroupId.1");
    const char *subnet = sim_query_get(call->query, "SubnetId");
    if (read_zone(call, zone, scope) < 0)
        return -1;
    launch->zone = mem_strdup(zone);
    launch->subnet_id = mem_strdup(subnet);
    launch->key_name = mem_strdup(sim_query_get(call->query, "KeyName"));
    for (int i = 1; group; group = sim_query_getf(call->query, "SecurityGroupId.%d", ++i)) {
        if (sim_check_resource(call, group, "sg-", "InvalidGroup") < 0)
            return -1;
        if (launch->group_count == SIM_MAX_GROUPS)
            return sim_fail_set(&call->fail, 400, "SecurityGroupsPerInterfaceLimitExceeded",
                                "The maximum number of security groups per interface has been reached.");
        launch->group_ids[launch->group_count++] = mem_strdup(group);
    }
    if (sim_query_number(call->query, "MetadataOptions.HttpPutResponseHopLimit", 1, &hops, &call->fail) < 0)
        return -1;
    if (hops < 1 || hops > MAX_HOPS)
        return invalid(call, "MetadataOptions.HttpPutResponseHopLimit",
                       sim_query_get(call->query, "MetadataOptions.HttpPutResponseHopLimit"));
    return 0;
}

static int read_profile(struct sim_call *call, struct sim_launch *launch)
{
    const char *name = sim_query_get(call->query, "IamInstanceProfile.Name");
    const char *arn = sim_query_get(call->query, "IamInstanceProfile.Arn");
    if (name && arn)
        return sim_fail_set(&call->fail, 400, "InvalidParameterCombination",
                            "The parameter 'iamInstanceProfile.name' may not be used in combination with "
                            "'iamInstanceProfile.arn'");
    if (arn && (strncmp(arn, "arn:aws:iam::", 13) != 0 || !strchr(arn, '/')))
        return sim_fail_set(&call->fail, 400, "InvalidParameterValue",
                            "Value (%.200s) for parameter iamInstanceProfile.arn is invalid. Invalid IAM "
                            "Instance Profile ARN",
                            arn);
    if (arn)
        name = strrchr(arn, '/') + 1;
    launch->profile = mem_strdup(name);
    return 0;
}

static int read_user_data(struct sim_call *call, struct sim_launch *launch)
{
    const char *text = sim_query_get(call->query, "UserData");
    uint8_t *data = NULL;
    if (!text || !*text)
        return 0;
    if (base64_decode(text, strlen(text), &data, &launch->user_data_len) < 0)
        return sim_fail_set(&call->fail, 400, "InvalidUserData.Malformed",
                            "Invalid BASE64 encoding of user data.");
    launch->user_data = mem_alloc(launch->user_data_len + 1);
    memcpy(launch->user_data, data, launch->user_data_len);
    launch->user_data[launch->user_data_len] = '\0';
    free(data);
    if (launch->user_data_len > USER_DATA_MAX)
        return sim_fail_set(&call->fail, 400, "InvalidUserData.Malformed", "User data is limited to %d bytes",
                            USER_DATA_MAX);
    return 0;
}

int sim_check_tag(struct sim_call *call, const char *key, const char *value)
{
    if (!key || !*key || strlen(key) > MAX_TAG_KEY)
        return sim_fail_set(&call->fail, 400, "InvalidParameterValue",
                            "Tag key must be 1 to %d characters long", MAX_TAG_KEY);
    if (strncmp(key, "aws:", 4) == 0)
        return sim_fail_set(&call->fail, 400, "InvalidParameterValue",
                            "Tag keys starting with 'aws:' are reserved for internal use");
    if (value && strlen(value) > MAX_TAG_VALUE)
        return sim_fail_set(&call->fail, 400, "InvalidParameterValue",
                            "Tag value exceeds the maximum length of %d characters", MAX_TAG_VALUE);
    return 0;
}

static int add_tag(struct sim_call *call, struct sim_launch *launch, const char *key, const char *value)
{
    if (sim_check_tag(call, key, value) < 0)
        return -1;
    for (size_t i = 0; i < launch->tag_count; i++)
        if (strcmp(launch->tags[i].key, key) == 0)
            return sim_fail_set(&call->fail, 400, "InvalidParameterValue",
                                "Duplicate tag key '%.128s' specified.", key);
    if (launch->tag_count == SIM_MAX_TAGS)
        return sim_fail_set(&call->fail, 400, "TagLimitExceeded", "More than %d tags", SIM_MAX_TAGS);
    launch->tags[launch->tag_count++] = (struct sim_tag){mem_strdup(key), mem_strdup(value ? value : "")};
    return 0;
}

static int read_tags(struct sim_call *call, struct sim_launch *launch)
{
    for (int i = 1;; i++) {
        const char *type = sim_query_getf(call->query, "TagSpecification.%d.ResourceType", i);
        char prefix[40];
        snprintf(prefix, sizeof(prefix), "TagSpecification.%d.", i);
        if (!sim_query_has_prefix(call->query, prefix))
            return 0;
        if (!type || (strcmp(type, "instance") != 0 && strcmp(type, "volume") != 0 &&
                      strcmp(type, "network-interface") != 0))
            return sim_fail_set(&call->fail, 400, "InvalidParameterValue",
                                "'%.100s' is not a valid taggable resource type for this operation.",
                                type ? type : "null");
        for (int k = 1; strcmp(type, "instance") == 0; k++) {
            const char *key = sim_query_getf(call->query, "TagSpecification.%d.Tag.%d.Key", i, k);
            const char *value = sim_query_getf(call->query, "TagSpecification.%d.Tag.%d.Value", i, k);
            if (!key && !value)
                break;
            if (add_tag(call, launch, key, value) < 0)
                return -1;
        }
    }
}

static int read_token(struct sim_call *call, struct sim_launch *launch)
{
    const char *token = sim_query_get(call->query, "ClientToken");
    if (!token)
        return 0;
    for (const char *at = token; *at; at++)
        if (*at < 0x20 || *at > 0x7e)
            token = "";
    if (!*token || strlen(token) > MAX_TOKEN)
        return sim_fail_set(&call->fail, 400, "InvalidClientToken",
                            "A client token has 1 to %d ASCII characters", MAX_TOKEN);
    launch->client_token = mem_strdup(token);
    return 0;
}

/* What two calls with one token must have in common: all parameters but the token itself. */
static void fingerprint(const struct sim_query *query, char ret_text[72])
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, TEXT_MAX);
    for (size_t i = 0; i < query->count; i++)
        if (strcmp(query->params[i].key, "ClientToken") != 0)
            buf_printf(&text, "%s=%zu:%s\n", query->params[i].key, strlen(query->params[i].value),
                       query->params[i].value);
    sha256_hex(buf_text(&text), text.len, ret_text);
}

void sim_ec2_bind_failed(struct sim_call *call)
{
    const char *token = sim_query_get(call->query, "ClientToken");
    char zone[16];
    char scope[16];
    struct sim_token bound = {0};
    if (!token || read_zone(call, zone, scope) < 0 || world_find_token(call->world, scope, token))
        return;
    fingerprint(call->query, bound.fingerprint);
    world_bind_token(call->world, scope, token, &bound);
}

/* *ret_instance stays NULL if the token is new or its launch failed. */
static int check_token(struct sim_call *call, const char *scope, const char *print,
                       struct sim_instance **ret_instance)
{
    const char *token = sim_query_get(call->query, "ClientToken");
    const struct sim_token *bound = token ? world_find_token(call->world, scope, token) : NULL;
    if (!bound)
        return 0;
    if (strcmp(bound->fingerprint, print) != 0)
        return sim_fail_set(&call->fail, 400, "IdempotentParameterMismatch",
                            "Arguments on this idempotent request are inconsistent with arguments used in "
                            "previous request(s).");
    if (bound->sequence == 0)
        return 0;
    struct sim_instance *instance = world_find_sequence(call->world, bound->sequence);
    if (!instance || instance->state == SIM_TERMINATED || instance->state == SIM_SHUTTING_DOWN)
        return sim_fail_set(&call->fail, 400, "IdempotentInstanceTerminated",
                            "The instance launched with this client token has been terminated.");
    *ret_instance = instance;
    return 0;
}

static int launch_new(struct sim_call *call, struct sim_launch *launch, const char *scope, const char *print,
                      struct sim_instance **ret_instance)
{
    if (launch->subnet_id && sim_subnet_is_full(launch->subnet_id)) {
        sim_ec2_bind_failed(call);
        return sim_fail_set(&call->fail, 400, "InsufficientFreeAddressesInSubnet",
                            "There are not enough free addresses in subnet '%s' to satisfy the requested "
                            "number of instances.",
                            launch->subnet_id);
    }
    if (sim_capacity_check(call, launch, 1) < 0) {
        sim_ec2_bind_failed(call);
        return -1;
    }
    if (world_count(call->world) >= world_get_options(call->world)->max_instances)
        return sim_fail_set(&call->fail, 400, "InstanceLimitExceeded",
                            "You have requested more instances than your current instance limit allows.");
    CLEANUP(freep) char *token = mem_strdup(launch->client_token);
    struct sim_instance *instance = world_launch(call->world, launch, call->now_ms);
    struct sim_token bound = {.sequence = instance->sequence};
    snprintf(bound.fingerprint, sizeof(bound.fingerprint), "%s", print);
    if (token)
        world_bind_token(call->world, scope, token, &bound);
    sim_call_touch(call, instance->id);
    *ret_instance = instance;
    return 0;
}

static void write_reservation(struct sim_call *call, const struct sim_instance *instance)
{
    sim_xml_open(call->out, "RunInstances", call->request_id);
    sim_xml_text(call->out, "reservationId", instance->reservation_id);
    buf_puts(call->out, "<ownerId>" SIM_ACCOUNT "</ownerId><groupSet/><instancesSet><item>");
    sim_xml_instance(call->out, instance, call->now_ms);
    buf_puts(call->out, "</item></instancesSet>");
    sim_xml_close(call->out, "RunInstances");
}

int sim_run_instances(struct sim_call *call)
{
    CLEANUP(sim_launch_done) struct sim_launch launch = {0};
    struct sim_instance *instance = NULL;
    char zone[16];
    char scope[16];
    char print[72];
    if (read_image(call, &launch) < 0 || read_counts(call) < 0 || read_type(call, &launch) < 0 ||
        read_place(call, &launch) < 0 || read_profile(call, &launch) < 0 ||
        read_user_data(call, &launch) < 0 || read_tags(call, &launch) < 0 || read_token(call, &launch) < 0)
        return -1;
    if (sim_check_dry_run(call) < 0 || read_zone(call, zone, scope) < 0)
        return -1;
    fingerprint(call->query, print);
    if (check_token(call, scope, print, &instance) < 0)
        return -1;
    if (!instance && launch_new(call, &launch, scope, print, &instance) < 0)
        return -1;
    write_reservation(call, instance);
    return 0;
}
