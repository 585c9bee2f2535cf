/* One EC2 or STS call of ours, for scripts: `ec2_probe ACTION JSON` sends it to AWS_ENDPOINT_URL_EC2 or _STS
 * with the keys of the environment and prints what it understood as one line of JSON. Exit 1: the error's
 * reason and text. The JSON has the members `ids`, `filters` ({name: [values]}), `tags` ({key: value}) and
 * those of a launch; at STS `role`, `session`, `externalId`, `duration`, `token` (of a web identity) and
 * `message`. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json_writer.h"
#include "nitro/sts.h"
#include "nitro/sts_denial.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXTS_MAX = 64, FILTERS_MAX = 8, CALL_MS = 30 * 1000, OUTPUT_MAX = 16 << 20 };

#define NOWHERE "http://127.0.0.1:1" /* where no endpoint of the service was named */

struct texts {
    const char *values[TEXTS_MAX];
    size_t count;
};

struct probe {
    struct ec2 *ec2;
    struct ec2 *sts;
    struct aws_credentials *credentials;
    const struct aws_credentials_options *keys;
    json_t *input;
    struct json_writer out;
};

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void read_texts(const json_t *array, struct texts *ret_texts)
{
    size_t index = 0;
    json_t *value = NULL;
    json_array_foreach(array, index, value) if (index < TEXTS_MAX) ret_texts->values[ret_texts->count++] =
        json_string_value(value);
}

/* Ends with a NULL key. */
static size_t read_tags(const json_t *input, struct ec2_tag tags[TEXTS_MAX])
{
    size_t count = 0;
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(json_object_get(input, "tags"), key, value) if (count + 1 < TEXTS_MAX) tags[count++] =
        (struct ec2_tag){key, json_string_value(value)};
    tags[count] = (struct ec2_tag){0};
    return count;
}

static int put_instance(void *ctx, struct ec2_instance *instance, struct error *err)
{
    (void)err;
    struct json_writer *out = ctx;
    json_open_object(out, NULL);
    json_text(out, "id", instance->id);
    json_int(out, "state", instance->state);
    json_text(out, "type", instance->type);
    json_text(out, "image", instance->image_id);
    json_text(out, "subnet", instance->subnet_id);
    json_text(out, "zone", instance->zone);
    json_text(out, "address", instance->private_ip);
    json_text(out, "token", instance->client_token);
    json_bool(out, "enclave", instance->enclave == EC2_ENCLAVE_ON);
    json_open_object(out, "tags");
    for (size_t i = 0; i < instance->tag_count; i++)
        json_text(out, instance->tags[i].key, instance->tags[i].value);
    json_close_object(out);
    json_close_object(out);
    return 0;
}

static int describe(struct probe *probe, struct error *err)
{
    struct texts ids = {.count = 0}, values[FILTERS_MAX] = {{.count = 0}};
    struct ec2_filter filters[FILTERS_MAX];
    size_t count = 0;
    const char *name = NULL;
    json_t *array = NULL;
    read_texts(json_object_get(probe->input, "ids"), &ids);
    json_object_foreach(json_object_get(probe->input, "filters"), name, array)
    {
        if (count == FILTERS_MAX)
            break;
        read_texts(array, &values[count]);
        filters[count] = (struct ec2_filter){name, values[count].values, values[count].count};
        count++;
    }
    const struct ec2_query query = {
        .ids = ids.values, .id_count = ids.count, .filters = filters, .filter_count = count};
    const struct ec2_handler handler = {.ctx = &probe->out, .on_instance = put_instance};
    return ec2_describe(probe->ec2, &query, &handler, CALL_MS, err);
}

static int run_or_try(struct probe *probe, bool is_dry_run, struct error *err)
{
    const json_t *input = probe->input;
    struct ec2_tag tags[TEXTS_MAX];
    struct texts groups = {.count = 0};
    struct ec2_instance launched = {0};
    struct ec2_fault ignored;
    const json_t *volume = json_object_get(input, "volume");
    const char *user_data = text_of(input, "userData");
    read_texts(json_object_get(input, "groups"), &groups);
    const struct ec2_root_volume root = {.size_gib = (int)json_integer_value(json_object_get(volume, "size")),
                                         .type = text_of(volume, "type"),
                                         .encrypted = json_is_true(json_object_get(volume, "encrypted"))};
    const struct ec2_launch launch = {.image_id = text_of(input, "image"),
                                      .type = text_of(input, "type"),
                                      .subnet_id = text_of(input, "subnet"),
                                      .security_group_ids = groups.values,
                                      .security_group_count = groups.count,
                                      .key_name = text_of(input, "key"),
                                      .profile = text_of(input, "profile"),
                                      .root_volume = volume ? &root : NULL,
                                      .tags = tags,
                                      .tag_count = read_tags(input, tags),
                                      .user_data = user_data,
                                      .user_data_len = user_data ? strlen(user_data) : 0,
                                      .client_token = text_of(input, "token")};
    if (is_dry_run)
        return ec2_dry_run(probe->ec2, &launch, CALL_MS, &ignored, err);
    if (ec2_run_instance(probe->ec2, &launch, CALL_MS, &launched, err) < 0)
        return -1;
    int result = put_instance(&probe->out, &launched, err);
    ec2_instance_done(&launched);
    return result;
}

static int change(struct probe *probe, enum ec2_verb verb, struct error *err)
{
    struct texts ids = {.count = 0};
    read_texts(json_object_get(probe->input, "ids"), &ids);
    const struct ec2_query query = {.ids = ids.values, .id_count = ids.count};
    return ec2_change(probe->ec2, verb, &query, CALL_MS, err);
}

static int create_tags(struct probe *probe, const char *id, struct error *err)
{
    struct ec2_tag tags[TEXTS_MAX];
    read_tags(probe->input, tags);
    return ec2_create_tags(probe->ec2, id, tags, CALL_MS, err);
}

static int put_status(void *ctx, const struct ec2_status *status, struct error *err)
{
    (void)err;
    struct json_writer *out = ctx;
    json_open_object(out, NULL);
    json_text(out, "id", status->id);
    json_bool(out, "instance", status->is_instance_impaired);
    json_bool(out, "system", status->is_system_impaired);
    json_text(out, "event", status->event_code);
    json_close_object(out);
    return 0;
}

static int describe_unhealthy(struct probe *probe, struct error *err)
{
    const struct ec2_handler handler = {.on_status = put_status, .ctx = &probe->out};
    return ec2_describe_unhealthy(probe->ec2, &handler, CALL_MS, err);
}

static int look_at(struct probe *probe, const char *action, const struct texts *ids, struct error *err)
{
    const struct ec2_query query = {.ids = ids->values, .id_count = ids->count};
    struct ec2_image image;
    struct ec2_type type;
    struct ec2_subnet subnets[TEXTS_MAX];
    CLEANUP(buf_done) struct buf console;
    buf_init(&console, EC2_CONSOLE_MAX);
    if (strcmp(action, "DescribeImages") == 0)
        return ec2_fetch_image(probe->ec2, ids->values[0], CALL_MS, &image, err);
    if (strcmp(action, "DescribeInstanceTypes") == 0) {
        if (ec2_fetch_type(probe->ec2, ids->values[0], CALL_MS, &type, err) < 0)
            return -1;
        json_bool(&probe->out, NULL, type.has_enclave_support);
        return 0;
    }
    if (strcmp(action, "DescribeSubnets") == 0)
        return ec2_fetch_subnets(probe->ec2, &query, CALL_MS, subnets, err);
    if (strcmp(action, "GetConsoleOutput") == 0)
        return ec2_fetch_console(probe->ec2, ids->values[0], CALL_MS, &console, err);
    return error_set(err, ERROR_INVALID, "Usage", "unknown action %s", action);
}

static int assume(struct probe *probe, bool has_base, struct error *err)
{
    CLEANUP(aws_identity_unrefp) struct aws_identity *base = NULL;
    CLEANUP(aws_identity_unrefp) struct aws_identity *taken = NULL;
    const json_t *input = probe->input;
    if (has_base && aws_credentials_get(probe->credentials, &base, err) < 0)
        return -1;
    CLEANUP(secret_freep) struct secret *token = secret_new(text_of(input, "token"));
    const struct sts_role role = {.arn = text_of(input, "role"),
                                  .session_name = text_of(input, "session"),
                                  .external_id = text_of(input, "externalId"),
                                  .token = token,
                                  .base = has_base ? &base->keys : NULL,
                                  .provider = "profile",
                                  .duration_s = (int)json_integer_value(json_object_get(input, "duration"))};
    if (sts_assume(probe->keys, &role, &taken, err) < 0)
        return -1;
    json_text(&probe->out, NULL, taken->keys.access_key_id);
    json_text(&probe->out, NULL, secret_reveal(taken->keys.secret_access_key));
    json_text(&probe->out, NULL, secret_reveal(taken->keys.session_token));
    json_int(&probe->out, NULL, taken->expires_ms / 1000);
    return 0;
}

static int decode(struct probe *probe, struct error *err)
{
    struct sts_denial denial;
    if (sts_decode_denial(probe->sts, text_of(probe->input, "message"), CALL_MS, &denial, err) < 0)
        return -1;
    json_text(&probe->out, NULL, denial.action);
    json_text(&probe->out, NULL, denial.resource);
    json_text(&probe->out, NULL, denial.principal);
    return 0;
}

static int call_sts(struct probe *probe, const char *action, struct error *err)
{
    if (strcmp(action, "DecodeAuthorizationMessage") == 0)
        return decode(probe, err);
    return assume(probe, strcmp(action, "AssumeRole") == 0, err);
}

static int call(struct probe *probe, const char *action, struct error *err)
{
    struct texts ids = {.count = 0};
    read_texts(json_object_get(probe->input, "ids"), &ids);
    if (strncmp(action, "AssumeRole", 10) == 0 || strcmp(action, "DecodeAuthorizationMessage") == 0)
        return call_sts(probe, action, err);
    if (strcmp(action, "RunInstances") == 0 || strcmp(action, "RunInstances.DryRun") == 0)
        return run_or_try(probe, action[strlen("RunInstances")] != '\0', err);
    if (strcmp(action, "DescribeInstances") == 0)
        return describe(probe, err);
    if (strcmp(action, "DescribeInstanceStatus") == 0)
        return describe_unhealthy(probe, err);
    for (enum ec2_verb verb = EC2_START; verb <= EC2_TERMINATE; verb++)
        if (strcmp(action, ec2_verb_action(verb)) == 0)
            return change(probe, verb, err);
    if (ids.count == 0)
        return error_set(err, ERROR_INVALID, "Usage", "%s needs ids", action);
    if (strcmp(action, "CreateTags") == 0)
        return create_tags(probe, ids.values[0], err);
    return look_at(probe, action, &ids, err);
}

static int run_with(struct probe *probe, const struct aws_config *config, const char *action,
                    struct error *err)
{
    struct ec2_options options = {.endpoint = config->ec2_endpoint ? config->ec2_endpoint : NOWHERE,
                                  .region = config->region,
                                  .ca_file = config->ca_bundle,
                                  .credentials = probe->credentials,
                                  .clock = clock_real(),
                                  .stop = probe->keys->stop};
    if (ec2_new(&options, &probe->ec2, err) < 0)
        return -1;
    options.service = "sts";
    options.endpoint = config->sts_endpoint ? config->sts_endpoint : NOWHERE;
    int result = ec2_new(&options, &probe->sts, err) < 0 ? -1 : call(probe, action, err);
    ec2_free(probe->sts);
    ec2_free(probe->ec2);
    return result;
}

static int run(const char *action, const char *input, struct buf *out, struct error *err)
{
    struct aws_config config;
    struct stop stop;
    const struct aws_credentials_options keys = {
        .environment = environment_real(), .config = &config, .clock = clock_real(), .stop = &stop};
    struct probe probe = {.keys = &keys, .input = json_loads(input, 0, NULL)};
    if (!probe.input)
        return error_set(err, ERROR_INVALID, "Usage", "the second argument is no JSON");
    if (aws_config_init(environment_real(), &config, err) < 0)
        return -1;
    stop_init(&stop);
    probe.credentials = aws_credentials_new(&keys);
    json_writer_init(&probe.out, out);
    json_open_array(&probe.out, NULL);
    int result = run_with(&probe, &config, action, err);
    json_close_array(&probe.out);
    aws_credentials_free(probe.credentials);
    stop_done(&stop);
    aws_config_done(&config);
    json_decref(probe.input);
    return result;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUTPUT_MAX);
    if (argc != 3) {
        fputs("usage: ec2_probe ACTION JSON\n", stderr);
        return 2;
    }
    if (run(argv[1], argv[2], &out, &err) < 0 || !buf_is_ok(&out)) {
        fprintf(stderr, "%s: %s\n", err.reason, err.text);
        return 1;
    }
    puts(buf_text(&out));
    return 0;
}
