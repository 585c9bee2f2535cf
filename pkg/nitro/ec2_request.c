/* A body is written pair by pair into one bounded buffer; its state is looked at once, at the end. */
#include "nitro/ec2_request.h"

#include "base/buf.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "base/url.h"
#include "nitro/ec2_types.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    BODY_MAX = 4 << 20,
    KEY_MAX = 128,
    IDS_MAX = 1000,
    FILTERS_MAX = 50,
    FILTER_VALUES_MAX = 200,
    FILTER_VALUE_MAX = 255,
    TAGS_MAX = 50,
    TAG_KEY_MAX = 128,
    TAG_VALUE_MAX = 256,
    TOKEN_MAX = 64,
    USER_DATA_MAX = 16384,
    TYPES_MAX = 100,
    SUBNETS_MAX = 16
};

static const char root_device[] = "/dev/xvda"; /* of Amazon Linux 2023 */

static int invalid(struct error *err, const char *what)
{
    return error_set(err, ERROR_INVALID, "Invalid", "%s", what);
}

/* Keys are ours and need no escape. A NULL value leaves the pair out. */
__attribute__((format(printf, 3, 4))) static void put(struct buf *body, const char *value, const char *format,
                                                      ...)
{
    char key[KEY_MAX];
    va_list args;
    if (!value)
        return;
    va_start(args, format);
    vsnprintf(key, sizeof(key), format, args);
    va_end(args);
    buf_printf(body, "&%s=", key);
    url_put_encoded(body, value);
}

static void put_positive(struct buf *body, int value, const char *key)
{
    if (value > 0)
        buf_printf(body, "&%s=%d", key, value);
}

static void begin(struct buf *body, const char *action)
{
    buf_init(body, BODY_MAX);
    buf_printf(body, "Action=%s&Version=2016-11-15", action);
}

static int finish(struct buf *body, char **ret_body, struct error *err)
{
    if (!buf_is_ok(body))
        return invalid(err, "the request is too long");
    *ret_body = buf_steal(body);
    return 0;
}

static int put_ids(struct buf *body, const char *const *ids, size_t count, struct error *err)
{
    if (count == 0 || count > IDS_MAX)
        return invalid(err, "one to 1000 instance ids are needed");
    for (size_t i = 0; i < count; i++)
        put(body, ids[i], "InstanceId.%zu", i + 1);
    return 0;
}

static int check_tags(const struct ec2_tag *tags, size_t count, struct error *err)
{
    if (count > TAGS_MAX)
        return invalid(err, "more than 50 tags");
    for (size_t i = 0; i < count; i++) {
        size_t key_len = strlen(tags[i].key);
        if (key_len == 0 || key_len > TAG_KEY_MAX || strlen(tags[i].value) > TAG_VALUE_MAX)
            return error_set(err, ERROR_INVALID, "Invalid", "tag '%.128s': key or value has a wrong length",
                             tags[i].key);
    }
    return 0;
}

static void put_tag_specification(struct buf *body, const struct ec2_launch *launch)
{
    static const char *const resources[] = {"instance", "volume", "network-interface"};
    if (launch->tag_count == 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(resources); i++) {
        put(body, resources[i], "TagSpecification.%zu.ResourceType", i + 1);
        for (size_t j = 0; j < launch->tag_count; j++) {
            put(body, launch->tags[j].key, "TagSpecification.%zu.Tag.%zu.Key", i + 1, j + 1);
            put(body, launch->tags[j].value, "TagSpecification.%zu.Tag.%zu.Value", i + 1, j + 1);
        }
    }
}

static void put_root_volume(struct buf *body, const struct ec2_root_volume *volume)
{
    if (!volume)
        return;
    put(body, root_device, "BlockDeviceMapping.1.DeviceName");
    put_positive(body, volume->size_gib, "BlockDeviceMapping.1.Ebs.VolumeSize");
    put(body, volume->type, "BlockDeviceMapping.1.Ebs.VolumeType");
    put_positive(body, volume->iops, "BlockDeviceMapping.1.Ebs.Iops");
    put_positive(body, volume->throughput, "BlockDeviceMapping.1.Ebs.Throughput");
    if (volume->encrypted >= 0)
        put(body, volume->encrypted ? "true" : "false", "BlockDeviceMapping.1.Ebs.Encrypted");
    put(body, volume->kms_key_id, "BlockDeviceMapping.1.Ebs.KmsKeyId");
    put(body, "true", "BlockDeviceMapping.1.Ebs.DeleteOnTermination");
}

static void put_user_data(struct buf *body, const struct ec2_launch *launch)
{
    if (launch->user_data_len == 0)
        return;
    CLEANUP(freep) char *text = base64_encode(launch->user_data, launch->user_data_len);
    put(body, text, "UserData");
}

static int check_launch(const struct ec2_launch *launch, struct error *err)
{
    if (!launch->image_id || !launch->type)
        return invalid(err, "a launch needs an AMI and an instance type");
    size_t token_len = launch->client_token ? strlen(launch->client_token) : 0;
    if (token_len == 0 || token_len > TOKEN_MAX)
        return invalid(err, "a launch needs a client token of at most 64 bytes");
    if (launch->user_data_len > USER_DATA_MAX)
        return error_set(err, ERROR_INVALID, "UserDataTooLarge", "user data exceeds 16384 bytes");
    if (launch->security_group_count > EC2_GROUPS_MAX)
        return invalid(err, "more than 16 security groups");
    return check_tags(launch->tags, launch->tag_count, err);
}

int ec2_request_run(const struct ec2_launch *launch, char **ret_body, struct error *err)
{
    if (check_launch(launch, err) < 0)
        return -1;
    CLEANUP(buf_done) struct buf body;
    begin(&body, "RunInstances");
    put(&body, launch->image_id, "ImageId");
    put(&body, launch->type, "InstanceType");
    buf_puts(&body, "&MinCount=1&MaxCount=1");
    put(&body, launch->client_token, "ClientToken");
    put(&body, launch->subnet_id, "SubnetId");
    for (size_t i = 0; i < launch->security_group_count; i++)
        put(&body, launch->security_group_ids[i], "SecurityGroupId.%zu", i + 1);
    put(&body, launch->key_name, "KeyName");
    if (launch->profile)
        put(&body, launch->profile, "IamInstanceProfile.%s",
            strncmp(launch->profile, "arn:", 4) == 0 ? "Arn" : "Name");
    buf_puts(&body, "&EnclaveOptions.Enabled=true");
    buf_puts(&body, "&MetadataOptions.HttpTokens=required&MetadataOptions.HttpPutResponseHopLimit=1");
    put_root_volume(&body, launch->root_volume);
    put_tag_specification(&body, launch);
    put_user_data(&body, launch);
    if (launch->is_dry_run)
        buf_puts(&body, "&DryRun=true");
    return finish(&body, ret_body, err);
}

static int put_filter(struct buf *body, const struct ec2_filter *filter, size_t number, struct error *err)
{
    if (filter->value_count == 0 || filter->value_count > FILTER_VALUES_MAX)
        return invalid(err, "a filter needs one to 200 values");
    put(body, filter->name, "Filter.%zu.Name", number);
    for (size_t i = 0; i < filter->value_count; i++) {
        if (strlen(filter->values[i]) > FILTER_VALUE_MAX)
            return invalid(err, "a filter's value exceeds 255 bytes");
        put(body, filter->values[i], "Filter.%zu.Value.%zu", number, i + 1);
    }
    return 0;
}

static int put_filters(struct buf *body, const struct ec2_query *query, struct error *err)
{
    if (query->filter_count == 0 || query->filter_count > FILTERS_MAX)
        return invalid(err, "ids or one to 50 filters are needed");
    for (size_t i = 0; i < query->filter_count; i++) {
        if (put_filter(body, &query->filters[i], i + 1, err) < 0)
            return -1;
    }
    return 0;
}

static int put_page(struct buf *body, const struct ec2_query *query, const char *next_token, char **ret_body,
                    struct error *err)
{
    if (put_filters(body, query, err) < 0)
        return -1;
    put_positive(body, EC2_PAGE_SIZE, "MaxResults");
    put(body, next_token, "NextToken");
    return finish(body, ret_body, err);
}

int ec2_request_describe(const struct ec2_query *query, const char *next_token, char **ret_body,
                         struct error *err)
{
    CLEANUP(buf_done) struct buf body;
    begin(&body, "DescribeInstances");
    if (query->id_count > 0 && (query->filter_count > 0 || next_token))
        return invalid(err, "ids exclude filters and paging");
    if (query->id_count > 0)
        return put_ids(&body, query->ids, query->id_count, err) < 0 ? -1 : finish(&body, ret_body, err);
    return put_page(&body, query, next_token, ret_body, err);
}

int ec2_request_describe_status(const struct ec2_query *query, const char *next_token, char **ret_body,
                                struct error *err)
{
    CLEANUP(buf_done) struct buf body;
    begin(&body, "DescribeInstanceStatus");
    return put_page(&body, query, next_token, ret_body, err);
}

const char *ec2_verb_action(enum ec2_verb verb)
{
    static const char *const actions[] = {"StartInstances", "StopInstances", "TerminateInstances"};
    return actions[verb];
}

int ec2_request_change(enum ec2_verb verb, const char *const *ids, size_t id_count, char **ret_body,
                       struct error *err)
{
    CLEANUP(buf_done) struct buf body;
    begin(&body, ec2_verb_action(verb));
    return put_ids(&body, ids, id_count, err) < 0 ? -1 : finish(&body, ret_body, err);
}

int ec2_request_console(const char *id, char **ret_body, struct error *err)
{
    CLEANUP(buf_done) struct buf body;
    begin(&body, "GetConsoleOutput");
    put(&body, id, "InstanceId");
    put(&body, "true", "Latest");
    return finish(&body, ret_body, err);
}

int ec2_request_create_tags(const char *id, const struct ec2_tag *tags, size_t tag_count, char **ret_body,
                            struct error *err)
{
    CLEANUP(buf_done) struct buf body;
    begin(&body, "CreateTags");
    if (tag_count == 0)
        return invalid(err, "no tags");
    if (check_tags(tags, tag_count, err) < 0)
        return -1;
    put(&body, id, "ResourceId.1");
    for (size_t i = 0; i < tag_count; i++) {
        put(&body, tags[i].key, "Tag.%zu.Key", i + 1);
        put(&body, tags[i].value, "Tag.%zu.Value", i + 1);
    }
    return finish(&body, ret_body, err);
}

int ec2_request_describe_types(const char *const *types, size_t type_count, char **ret_body,
                               struct error *err)
{
    CLEANUP(buf_done) struct buf body;
    begin(&body, "DescribeInstanceTypes");
    if (type_count == 0 || type_count > TYPES_MAX)
        return invalid(err, "one to 100 instance types are needed");
    for (size_t i = 0; i < type_count; i++)
        put(&body, types[i], "InstanceType.%zu", i + 1);
    return finish(&body, ret_body, err);
}

int ec2_request_describe_image(const char *id, char **ret_body, struct error *err)
{
    CLEANUP(buf_done) struct buf body;
    begin(&body, "DescribeImages");
    put(&body, id, "ImageId.1");
    return finish(&body, ret_body, err);
}

int ec2_request_describe_subnets(const char *const *ids, size_t id_count, char **ret_body, struct error *err)
{
    CLEANUP(buf_done) struct buf body;
    begin(&body, "DescribeSubnets");
    if (id_count == 0 || id_count > SUBNETS_MAX)
        return invalid(err, "one to 16 subnets are needed");
    for (size_t i = 0; i < id_count; i++)
        put(&body, ids[i], "SubnetId.%zu", i + 1);
    return finish(&body, ret_body, err);
}
