/* The table of actions, and what several of them need. */
#include "sim/ec2.h"

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "sim/filter.h"
#include "sim/xml_out.h"

#include <stdlib.h>
#include <string.h>

static const char *const run_patterns[] = {"ImageId",
                                           "InstanceType",
                                           "MinCount",
                                           "MaxCount",
                                           "ClientToken",
                                           "UserData",
                                           "SubnetId",
                                           "SecurityGroupId.N",
                                           "KeyName",
                                           "EbsOptimized",
                                           "EnclaveOptions.Enabled",
                                           "IamInstanceProfile.Arn",
                                           "IamInstanceProfile.Name",
                                           "Placement.AvailabilityZone",
                                           "Placement.Tenancy",
                                           "MetadataOptions.HttpTokens",
                                           "MetadataOptions.HttpPutResponseHopLimit",
                                           "MetadataOptions.HttpEndpoint",
                                           "MetadataOptions.InstanceMetadataTags",
                                           "BlockDeviceMapping.N.DeviceName",
                                           "BlockDeviceMapping.N.Ebs.VolumeSize",
                                           "BlockDeviceMapping.N.Ebs.VolumeType",
                                           "BlockDeviceMapping.N.Ebs.Encrypted",
                                           "BlockDeviceMapping.N.Ebs.KmsKeyId",
                                           "BlockDeviceMapping.N.Ebs.DeleteOnTermination",
                                           "BlockDeviceMapping.N.Ebs.Iops",
                                           "BlockDeviceMapping.N.Ebs.Throughput",
                                           "TagSpecification.N.ResourceType",
                                           "TagSpecification.N.Tag.M.Key",
                                           "TagSpecification.N.Tag.M.Value",
                                           "InstanceInitiatedShutdownBehavior",
                                           "DisableApiTermination",
                                           NULL};
static const char *const describe_patterns[] = {"InstanceId.N", "Filter.N.Name", "Filter.N.Value.M",
                                                "MaxResults",   "NextToken",     NULL};
static const char *const status_patterns[] = {"InstanceId.N",
                                              "Filter.N.Name",
                                              "Filter.N.Value.M",
                                              "MaxResults",
                                              "NextToken",
                                              "IncludeAllInstances",
                                              NULL};
static const char *const types_patterns[] = {"InstanceType.N", "MaxResults", "NextToken", NULL};
static const char *const images_patterns[] = {"ImageId.N", NULL};
static const char *const subnets_patterns[] = {"SubnetId.N", NULL};
static const char *const console_patterns[] = {"InstanceId", "Latest", NULL};
static const char *const start_patterns[] = {"InstanceId.N", NULL};
static const char *const stop_patterns[] = {"InstanceId.N", "Force", "Hibernate", "SkipOsShutdown", NULL};
static const char *const terminate_patterns[] = {"InstanceId.N", "Force", "SkipOsShutdown", NULL};
static const char *const tags_patterns[] = {"ResourceId.N", "Tag.N.Key", "Tag.N.Value", NULL};

static const struct {
    const char *name;
    const char *const *patterns;
    int (*run)(struct sim_call *call);
} actions[] = {
    {"RunInstances", run_patterns, sim_run_instances},
    {"DescribeInstances", describe_patterns, sim_describe_instances},
    {"DescribeInstanceStatus", status_patterns, sim_describe_instance_status},
    {"DescribeInstanceTypes", types_patterns, sim_describe_instance_types},
    {"DescribeImages", images_patterns, sim_describe_images},
    {"DescribeSubnets", subnets_patterns, sim_describe_subnets},
    {"GetConsoleOutput", console_patterns, sim_get_console_output},
    {"StartInstances", start_patterns, sim_start_instances},
    {"StopInstances", stop_patterns, sim_stop_instances},
    {"TerminateInstances", terminate_patterns, sim_terminate_instances},
    {"CreateTags", tags_patterns, sim_create_tags},
};

int sim_ec2_call(struct sim_call *call)
{
    const char *action = sim_query_get(call->query, "Action");
    const char *version = sim_query_get(call->query, "Version");
    if (!action || !*action)
        return sim_fail_set(&call->fail, 400, "MissingAction",
                            "The request must contain the parameter Action");
    world_advance(call->world, call->now_ms);
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (strcmp(actions[i].name, action) != 0)
            continue;
        if (!version || strcmp(version, "2016-11-15") != 0)
            break;
        if (sim_query_check(call->query, actions[i].patterns, &call->fail) < 0)
            return -1;
        return actions[i].run(call);
    }
    return sim_fail_set(&call->fail, 400, "InvalidAction",
                        "The action %.100s is not valid for this web service, version %.20s.", action,
                        version ? version : "(none)");
}

bool sim_is_dry_run(const struct sim_query *query)
{
    const char *text = sim_query_get(query, "DryRun");
    return text && strcmp(text, "true") == 0;
}

int sim_check_dry_run(struct sim_call *call)
{
    bool is_dry_run = false;
    if (sim_query_bool(call->query, "DryRun", &is_dry_run, &call->fail) < 0)
        return -1;
    if (is_dry_run)
        return sim_fail_set(&call->fail, 412, "DryRunOperation",
                            "Request would have succeeded, but DryRun flag is set.");
    return 0;
}

bool sim_is_id(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);
    if (strncmp(text, prefix, len) != 0)
        return false;
    size_t digits = strspn(text + len, "0123456789abcdef");
    return digits >= 8 && digits <= 17 && text[len + digits] == '\0';
}

void sim_call_touch(struct sim_call *call, const char *id)
{
    size_t len = strlen(call->touched);
    snprintf(call->touched + len, sizeof(call->touched) - len, "%s%s", len > 0 ? "," : "", id);
}

/* Names the ids that do not exist, as many as the message holds. */
static void add_missing(struct sim_fail *fail, size_t *count, const char *id)
{
    size_t len = strlen(fail->message);
    if (*count == 0)
        fail->message[len = 0] = '\0';
    snprintf(fail->message + len, sizeof(fail->message) - len, "%s%s", *count ? ", " : "", id);
    (*count)++;
}

static int refuse_missing(struct sim_fail *fail, size_t count)
{
    char ids[400];
    snprintf(ids, sizeof(ids), "%.399s", fail->message);
    return sim_fail_set(
        fail, 400, "InvalidInstanceID.NotFound",
        count == 1 ? "The instance ID '%s' does not exist" : "The instance IDs '%s' do not exist", ids);
}

static size_t count_ids(const struct sim_query *query, const char *prefix)
{
    size_t count = 0;
    while (sim_query_getf(query, "%s.%zu", prefix, count + 1))
        count++;
    return count;
}

int sim_find_named(struct sim_call *call, const char *prefix, struct sim_instance ***ret_list,
                   size_t *ret_count)
{
    size_t count = count_ids(call->query, prefix);
    size_t missing = 0;
    CLEANUP(freep) struct sim_instance **list = mem_calloc(count + 1, sizeof(struct sim_instance *));
    for (size_t i = 0; i < count; i++) {
        const char *id = sim_query_getf(call->query, "%s.%zu", prefix, i + 1);
        if (!sim_is_id(id, "i-"))
            return sim_fail_set(&call->fail, 400, "InvalidInstanceID.Malformed", "Invalid id: \"%.100s\"",
                                id);
        list[i] = world_find(call->world, id);
        if (!list[i] || !sim_is_known(list[i], call->now_ms))
            add_missing(&call->fail, &missing, id);
    }
    if (missing > 0)
        return refuse_missing(&call->fail, missing);
    *ret_list = STEAL(list);
    *ret_count = count;
    return 0;
}

static const struct sim_type types[] = {
    {"m5.xlarge", "x86_64", 4, 16384, false, true},  {"m5.2xlarge", "x86_64", 8, 32768, false, true},
    {"c5.xlarge", "x86_64", 4, 8192, false, true},   {"m6g.large", "arm64", 2, 8192, false, true},
    {"t3.medium", "x86_64", 2, 4096, false, false},  {"m5.large", "x86_64", 2, 8192, false, false},
    {"m5.metal", "x86_64", 96, 393216, true, false},
};

const struct sim_type *sim_type_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

const struct sim_type *sim_type_at(size_t index)
{
    return index < ARRAY_LEN(types) ? &types[index] : NULL;
}
