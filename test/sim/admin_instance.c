/* The admin interface's view of instances, and what it can do to one of them. */
#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "sim/service_internal.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_instance(struct json_writer *writer, const struct sim_instance *instance)
{
    char address[16];
    char key[2 * SIM_KEY_BYTES + 1];
    uint32_t a = instance->address;
    snprintf(address, sizeof(address), "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
    hex_encode(instance->public_key, SIM_KEY_BYTES, key);
    json_open_object(writer, NULL);
    json_text(writer, "id", instance->id);
    json_text(writer, "state", sim_state_name(instance->state));
    json_text(writer, "type", instance->launch.type);
    json_text(writer, "zone", instance->launch.zone);
    json_text(writer, "token", instance->launch.client_token);
    json_text(writer, "profile", instance->launch.profile);
    json_text(writer, "privateIp", a ? address : NULL);
    json_bool(writer, "enclave", instance->launch.has_enclave);
    json_int(writer, "bootCount", instance->boot_count);
    json_text(writer, "moduleId", *instance->module_id ? instance->module_id : NULL);
    json_text(writer, "publicKey", instance->boot_count > 0 ? key : NULL);
    json_text(writer, "digest", instance->config.is_valid ? instance->config.digest : NULL);
    json_text(writer, "defect", sim_defect_name(instance->defect));
    json_open_object(writer, "tags");
    for (size_t i = 0; i < instance->launch.tag_count; i++)
        json_text(writer, instance->launch.tags[i].key, instance->launch.tags[i].value);
    json_close_object(writer);
    json_close_object(writer);
}

void sim_admin_list_instances(struct sim_service *service, struct sim_reply *reply)
{
    struct json_writer writer;
    json_writer_init(&writer, &reply->body);
    json_open_object(&writer, NULL);
    json_open_array(&writer, "instances");
    const struct sim_instance *instance = world_next(service->world, 0);
    for (; instance; instance = world_next(service->world, instance->sequence))
        write_instance(&writer, instance);
    json_close_array(&writer);
    json_int(&writer, "count", (int64_t)world_count(service->world));
    json_close_object(&writer);
}

struct wish {
    int terminate;
    int stop;
    int crash;
    int clear;
    json_int_t started_ago_ms; /* -1: as it is */
    int protect;               /* -1: as it is */
    const char *group;
    const char *system_check; /* "ok" or "impaired" */
    const char *instance_check;
    const char *event_code;
    json_int_t event_in_ms;
    const char *console;
    const char *defect;
    const char *digest;
    enum sim_defect parsed_defect;
    char parsed_digest[ENCLAVE_DIGEST_SIZE];
};

static bool is_check(const char *text)
{
    return !text || strcmp(text, "ok") == 0 || strcmp(text, "impaired") == 0;
}

static int check_wish(struct wish *wish, json_error_t *error)
{
    if (!is_check(wish->system_check) || !is_check(wish->instance_check)) {
        snprintf(error->text, sizeof(error->text), "a check is 'ok' or 'impaired'");
        return -1;
    }
    while (wish->defect && wish->parsed_defect < SIM_DEFECT_COUNT &&
           strcmp(sim_defect_name(wish->parsed_defect), wish->defect) != 0)
        wish->parsed_defect++;
    if (wish->parsed_defect == SIM_DEFECT_COUNT) {
        snprintf(error->text, sizeof(error->text), "unknown defect");
        return -1;
    }
    if (wish->digest && enclave_digest_parse(wish->digest, wish->parsed_digest) < 0) {
        snprintf(error->text, sizeof(error->text), "digest is not 64 or 96 hex digits");
        return -1;
    }
    return 0;
}

static int read_lag(json_t *lag, struct sim_instance *instance, json_error_t *error)
{
    json_int_t values[4] = {instance->lag.unknown_ms, instance->lag.hidden_ms, instance->lag.no_tags_ms,
                            instance->lag.no_ip_ms};
    if (!lag)
        return 0;
    if (json_unpack_ex(lag, error, JSON_STRICT, "{s?I, s?I, s?I, s?I}", "unknownMs", &values[0], "hiddenMs",
                       &values[1], "noTagsMs", &values[2], "noIpMs", &values[3]) < 0)
        return -1;
    instance->lag = (struct sim_lag){values[0], values[1], values[2], values[3]};
    return 0;
}

static int read_wish(const struct sim_request *request, struct wish *wish, json_t **ret_root,
                     json_t **ret_lag, json_error_t *error)
{
    json_t *enclave = NULL;
    json_t *health = NULL;
    *ret_root = json_loadb(request->body, request->body_len, 0, error);
    if (!*ret_root ||
        json_unpack_ex(*ret_root, error, JSON_STRICT, "{s?o, s?b, s?b, s?b, s?I, s?s, s?s, s?o, s?o}", "lag",
                       ret_lag, "terminate", &wish->terminate, "stop", &wish->stop, "protected",
                       &wish->protect, "startedAgoMs", &wish->started_ago_ms, "group", &wish->group,
                       "console", &wish->console, "enclave", &enclave, "health", &health) < 0)
        return -1;
    if (health && json_unpack_ex(health, error, JSON_STRICT, "{s?s, s?s, s?s, s?I}", "system",
                                 &wish->system_check, "instance", &wish->instance_check, "event",
                                 &wish->event_code, "eventInMs", &wish->event_in_ms) < 0)
        return -1;
    if (enclave &&
        json_unpack_ex(enclave, error, JSON_STRICT, "{s?b, s?s, s?s, s?b}", "crash", &wish->crash, "defect",
                       &wish->defect, "digest", &wish->digest, "clear", &wish->clear) < 0)
        return -1;
    return check_wish(wish, error);
}

/* As by ModifyInstanceAttribute: this one instead of all others. */
static void set_group(struct sim_launch *launch, const char *group)
{
    while (launch->group_count > 0)
        free(launch->group_ids[--launch->group_count]);
    launch->group_ids[launch->group_count++] = mem_strdup(group);
}

static const char *constant_of(const char *check)
{
    return strcmp(check, "ok") == 0 ? "ok" : "impaired";
}

static void apply_health(struct sim_instance *instance, const struct wish *wish, int64_t now_ms)
{
    if (wish->system_check)
        instance->system_check = constant_of(wish->system_check);
    if (wish->instance_check)
        instance->instance_check = constant_of(wish->instance_check);
    if (!wish->event_code)
        return;
    snprintf(instance->event_code, sizeof(instance->event_code), "%s", wish->event_code);
    instance->event_ms = now_ms + wish->event_in_ms;
}

static void apply_wish(struct sim_service *service, struct sim_instance *instance, const struct wish *wish)
{
    int64_t now_ms = sim_service_now_ms(service);
    if (wish->clear) {
        instance->is_crashed = false;
        instance->defect = SIM_DEFECT_NONE;
        instance->swapped_digest[0] = '\0';
    }
    if (wish->console) {
        free(instance->console);
        instance->console = mem_strdup(wish->console);
    }
    if (wish->started_ago_ms >= 0)
        instance->started_ms = now_ms - wish->started_ago_ms;
    if (wish->protect >= 0)
        instance->is_protected = wish->protect;
    if (wish->group)
        set_group(&instance->launch, wish->group);
    apply_health(instance, wish, now_ms);
    if (wish->crash)
        instance->is_crashed = true;
    if (wish->defect)
        instance->defect = wish->parsed_defect;
    if (wish->digest)
        memcpy(instance->swapped_digest, wish->parsed_digest, sizeof(instance->swapped_digest));
    if (wish->stop && instance->state == SIM_RUNNING)
        world_stop(service->world, instance, now_ms);
    if (wish->terminate && instance->state != SIM_SHUTTING_DOWN && instance->state != SIM_TERMINATED)
        world_terminate(service->world, instance, now_ms);
}

void sim_admin_change_instance(struct sim_service *service, const char *id, const struct sim_request *request,
                               struct sim_reply *reply)
{
    struct sim_instance *instance = world_find(service->world, id);
    struct wish wish = {.started_ago_ms = -1, .protect = -1};
    json_error_t error = {0};
    CLEANUP(json_decrefp) json_t *root = NULL;
    json_t *lag = NULL;
    if (!instance) {
        sim_admin_refuse(reply, 404, "no such instance");
        return;
    }
    if (read_wish(request, &wish, &root, &lag, &error) < 0 || read_lag(lag, instance, &error) < 0) {
        sim_admin_refuse(reply, 400, error.text);
        return;
    }
    apply_wish(service, instance, &wish);
    struct json_writer writer;
    json_writer_init(&writer, &reply->body);
    write_instance(&writer, instance);
}
