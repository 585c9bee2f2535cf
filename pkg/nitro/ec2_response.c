/* The path of an element says what it is. A record begins at one of a few paths, and inside it the rest of
 * the path is looked up in the table of that record's fields.
 */
#include "nitro/ec2_response.h"

#include "base/clock.h"
#include "base/fnv.h"
#include "base/mem.h"
#include "nitro/xml.h"

#include <stdio.h>
#include <string.h>

enum record {
    RECORD_NONE,
    RECORD_INSTANCE,
    RECORD_CHANGE,
    RECORD_TYPE,
    RECORD_IMAGE,
    RECORD_SUBNET,
    RECORD_STATUS
};

struct ec2_response {
    struct xml *xml;
    const char *action;
    struct ec2_handler handler;
    bool has_root; /* the answer is one to our action */
    char *next_token;
    struct ec2_fault fault;
    enum record record;
    size_t base; /* length of the record's own path and the slash behind it */
    bool has_state;
    struct ec2_instance instance;
    struct ec2_owned_tag tag; /* the one being read */
    struct ec2_change change;
    struct ec2_type type;
    struct ec2_image image;
    struct ec2_subnet subnet;
    struct ec2_status status;
    struct ec2_status event; /* the one being read: only what concerns an event */
};

static const struct {
    const char *path; /* behind the root */
    enum record record;
} records[] = {
    {"reservationSet/item/instancesSet/item", RECORD_INSTANCE}, /* DescribeInstances */
    {"instancesSet/item", RECORD_CHANGE},                       /* start, stop, terminate */
    {"instanceTypeSet/item", RECORD_TYPE},
    {"imagesSet/item", RECORD_IMAGE},
    {"subnetSet/item", RECORD_SUBNET},
    {"instanceStatusSet/item", RECORD_STATUS},
};

static const struct {
    const char *path;
    size_t offset;
} instance_texts[] = {
    {"clientToken", offsetof(struct ec2_instance, client_token)},
    {"iamInstanceProfile/arn", offsetof(struct ec2_instance, profile_arn)},
    {"imageId", offsetof(struct ec2_instance, image_id)},
    {"instanceId", offsetof(struct ec2_instance, id)},
    {"instanceLifecycle", offsetof(struct ec2_instance, lifecycle)},
    {"instanceType", offsetof(struct ec2_instance, type)},
    {"ipAddress", offsetof(struct ec2_instance, public_ip)},
    {"placement/availabilityZone", offsetof(struct ec2_instance, zone)},
    {"privateIpAddress", offsetof(struct ec2_instance, private_ip)},
    {"stateReason/code", offsetof(struct ec2_instance, state_reason_code)},
    {"subnetId", offsetof(struct ec2_instance, subnet_id)},
};

static void set_text(char **field, const char *text)
{
    free(*field);
    *field = *text ? mem_strdup(text) : NULL;
}

/* The high byte of a state code is for EC2's own use. */
static int read_state(const char *text, enum ec2_state *ret_state, struct error *err)
{
    char *end = NULL;
    long code = strtol(text, &end, 10) & 0xff;
    if (end == text || *end != '\0' || code % 16 != 0 || code > EC2_STATE_STOPPED)
        return error_set(err, ERROR_UNAVAILABLE, "UnexpectedAnswer", "unknown instance state '%.32s'", text);
    *ret_state = (enum ec2_state)code;
    return 0;
}

static enum ec2_enclave read_enclave(const char *text)
{
    if (strcmp(text, "true") == 0)
        return EC2_ENCLAVE_ON;
    return strcmp(text, "false") == 0 ? EC2_ENCLAVE_OFF : EC2_ENCLAVE_UNKNOWN;
}

static void keep_tag(struct ec2_response *response)
{
    struct ec2_instance *instance = &response->instance;
    struct ec2_owned_tag *tag = &response->tag;
    bool is_ours = tag->key && (strcmp(tag->key, "Name") == 0 || strncmp(tag->key, "tee-", 4) == 0);
    if (is_ours && instance->tag_count < EC2_TAGS_MAX) {
        struct ec2_owned_tag *kept = &instance->tags[instance->tag_count++];
        kept->key = STEAL(tag->key);
        kept->value = tag->value ? STEAL(tag->value) : mem_strdup("");
    } else if (!is_ours && tag->key && instance->other_tag_count < EC2_OTHER_TAGS_MAX) {
        instance->other_tags[instance->other_tag_count++] =
            fnv32_pair(tag->key, tag->value ? tag->value : "");
    }
    set_text(&tag->key, "");
    set_text(&tag->value, "");
}

static bool read_instance_text(struct ec2_response *response, const char *field, const char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(instance_texts); i++) {
        if (strcmp(field, instance_texts[i].path) != 0)
            continue;
        set_text((char **)((char *)&response->instance + instance_texts[i].offset), text);
        return true;
    }
    return false;
}

static int read_instance(struct ec2_response *response, const char *field, const char *text,
                         struct error *err)
{
    struct ec2_instance *instance = &response->instance;
    if (strncmp(field, "tagSet/", 7) == 0) {
        if (strcmp(field, "tagSet/item/key") == 0)
            set_text(&response->tag.key, text);
        else if (strcmp(field, "tagSet/item/value") == 0)
            set_text(&response->tag.value, text);
        else if (strcmp(field, "tagSet/item") == 0)
            keep_tag(response);
    } else if (read_instance_text(response, field, text)) {
        return 0;
    } else if (strcmp(field, "instanceState/code") == 0) {
        response->has_state = true;
        return read_state(text, &instance->state, err);
    } else if (strcmp(field, "launchTime") == 0) {
        time_parse(text, &instance->launch_time_ms);
    } else if (strcmp(field, "enclaveOptions/enabled") == 0) {
        instance->enclave = read_enclave(text);
    } else if (strcmp(field, "groupSet/item/groupId") == 0 &&
               instance->security_group_count < EC2_GROUPS_MAX) {
        instance->security_group_ids[instance->security_group_count++] = mem_strdup(text);
    }
    return 0;
}

static int read_change(struct ec2_response *response, const char *field, const char *text, struct error *err)
{
    struct ec2_change *change = &response->change;
    if (strcmp(field, "instanceId") == 0)
        snprintf(change->id, sizeof(change->id), "%s", text);
    else if (strcmp(field, "previousState/code") == 0)
        return read_state(text, &change->previous, err);
    else if (strcmp(field, "currentState/code") == 0) {
        response->has_state = true;
        return read_state(text, &change->current, err);
    }
    return 0;
}

static void read_type(struct ec2_type *type, const char *field, const char *text)
{
    if (strcmp(field, "instanceType") == 0)
        snprintf(type->name, sizeof(type->name), "%s", text);
    else if (strcmp(field, "nitroEnclavesSupport") == 0)
        type->has_enclave_support = strcmp(text, "supported") == 0;
    else if (strcmp(field, "bareMetal") == 0)
        type->is_bare_metal = strcmp(text, "true") == 0;
    else if (strcmp(field, "processorInfo/supportedArchitectures/item") == 0)
        type->is_arm64 = type->is_arm64 || strcmp(text, "arm64") == 0;
    else if (strcmp(field, "vCpuInfo/defaultVCpus") == 0)
        type->vcpu_count = (int)strtol(text, NULL, 10);
    else if (strcmp(field, "vCpuInfo/defaultThreadsPerCore") == 0)
        type->threads_per_core = (int)strtol(text, NULL, 10);
    else if (strcmp(field, "memoryInfo/sizeInMiB") == 0)
        type->memory_mib = strtoll(text, NULL, 10);
}

static void read_image(struct ec2_image *image, const char *field, const char *text)
{
    if (strcmp(field, "imageId") == 0)
        snprintf(image->id, sizeof(image->id), "%s", text);
    else if (strcmp(field, "imageState") == 0)
        snprintf(image->state, sizeof(image->state), "%s", text);
    else if (strcmp(field, "architecture") == 0)
        image->is_arm64 = strncmp(text, "arm64", 5) == 0;
    else if (strcmp(field, "rootDeviceName") == 0)
        snprintf(image->root_device, sizeof(image->root_device), "%s", text);
    else if (strcmp(field, "rootDeviceType") == 0)
        snprintf(image->root_device_type, sizeof(image->root_device_type), "%s", text);
}

static void read_subnet(struct ec2_subnet *subnet, const char *field, const char *text)
{
    if (strcmp(field, "subnetId") == 0)
        snprintf(subnet->id, sizeof(subnet->id), "%s", text);
    else if (strcmp(field, "availabilityZone") == 0)
        snprintf(subnet->zone, sizeof(subnet->zone), "%s", text);
    else if (strcmp(field, "availableIpAddressCount") == 0)
        subnet->free_addresses = strtoll(text, NULL, 10);
}

/* EC2 keeps events that are over for a week, and says so only here ("Scheduled events for your instances").
 */
static bool is_over(const char *description)
{
    return strncmp(description, "[Completed]", 11) == 0 || strncmp(description, "[Canceled]", 10) == 0;
}

/* Reboots and maintenance are events as well. */
static bool ends_host(const char *code)
{
    return strcmp(code, "instance-retirement") == 0 || strcmp(code, "instance-stop") == 0;
}

static void keep_event(struct ec2_status *status, const struct ec2_status *event)
{
    bool is_earlier = !status->event_code[0] || event->event_ms < status->event_ms;
    if (!ends_host(event->event_code) || is_over(event->event_text) || !is_earlier)
        return;
    memcpy(status->event_code, event->event_code, sizeof(status->event_code));
    memcpy(status->event_text, event->event_text, sizeof(status->event_text));
    status->event_ms = event->event_ms;
}

static void read_status(struct ec2_response *response, const char *field, const char *text)
{
    struct ec2_status *status = &response->status;
    struct ec2_status *event = &response->event;
    if (strcmp(field, "instanceId") == 0)
        snprintf(status->id, sizeof(status->id), "%s", text);
    else if (strcmp(field, "instanceStatus/status") == 0)
        status->is_instance_impaired = strcmp(text, "impaired") == 0;
    else if (strcmp(field, "systemStatus/status") == 0)
        status->is_system_impaired = strcmp(text, "impaired") == 0;
    else if (strcmp(field, "eventsSet/item/code") == 0)
        snprintf(event->event_code, sizeof(event->event_code), "%s", text);
    else if (strcmp(field, "eventsSet/item/description") == 0)
        snprintf(event->event_text, sizeof(event->event_text), "%s", text);
    else if (strcmp(field, "eventsSet/item/notBefore") == 0)
        time_parse(text, &event->event_ms);
    else if (strcmp(field, "eventsSet/item") == 0) {
        keep_event(status, event);
        *event = (struct ec2_status){0};
    }
}

static void forget_record(struct ec2_response *response)
{
    ec2_instance_done(&response->instance);
    set_text(&response->tag.key, "");
    set_text(&response->tag.value, "");
    response->change = (struct ec2_change){0};
    response->type = (struct ec2_type){0};
    response->image = (struct ec2_image){0};
    response->subnet = (struct ec2_subnet){0};
    response->status = response->event = (struct ec2_status){0};
    response->has_state = false;
    response->record = RECORD_NONE;
}

static int unexpected(const struct ec2_response *response, const char *what, struct error *err)
{
    return error_set(err, ERROR_UNAVAILABLE, "UnexpectedAnswer", "%s: %s", response->action, what);
}

static int emit_instance(struct ec2_response *response, struct error *err)
{
    const struct ec2_handler *handler = &response->handler;
    if (!response->instance.id || !response->has_state)
        return unexpected(response, "an instance without id or state", err);
    return handler->on_instance ? handler->on_instance(handler->ctx, &response->instance, err) : 0;
}

static int emit_change(struct ec2_response *response, struct error *err)
{
    const struct ec2_handler *handler = &response->handler;
    if (!response->change.id[0] || !response->has_state)
        return unexpected(response, "a change without id or state", err);
    return handler->on_change ? handler->on_change(handler->ctx, &response->change, err) : 0;
}

static int emit(struct ec2_response *response, struct error *err)
{
    const struct ec2_handler *handler = &response->handler;
    switch (response->record) {
    case RECORD_INSTANCE: return emit_instance(response, err);
    case RECORD_CHANGE: return emit_change(response, err);
    case RECORD_TYPE: return handler->on_type ? handler->on_type(handler->ctx, &response->type, err) : 0;
    case RECORD_IMAGE: return handler->on_image ? handler->on_image(handler->ctx, &response->image, err) : 0;
    case RECORD_SUBNET:
        return handler->on_subnet ? handler->on_subnet(handler->ctx, &response->subnet, err) : 0;
    case RECORD_STATUS:
        return handler->on_status ? handler->on_status(handler->ctx, &response->status, err) : 0;
    case RECORD_NONE: break;
    }
    return 0;
}

static int on_root(struct ec2_response *response, const char *root, struct error *err)
{
    size_t len = strlen(response->action);
    response->has_root = strncmp(root, response->action, len) == 0 && strcmp(root + len, "Response") == 0;
    if (response->has_root || strcmp(root, "Response") == 0 || strcmp(root, "ErrorResponse") == 0)
        return 0;
    return unexpected(response, "the answer is not one of EC2", err);
}

static int on_start(void *ctx, const char *path, struct error *err)
{
    struct ec2_response *response = ctx;
    const char *rest = strchr(path, '/');
    if (!rest)
        return on_root(response, path, err);
    if (response->record != RECORD_NONE || !response->has_root)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(records); i++) {
        if (strcmp(rest + 1, records[i].path) != 0)
            continue;
        bool is_run = strcmp(response->action, "RunInstances") == 0;
        response->record = is_run ? RECORD_INSTANCE : records[i].record;
        response->base = strlen(path) + 1;
    }
    return 0;
}

/* A refusal by IAM ends with its reasons, which only STS can read. */
static void read_message(struct ec2_fault *fault, const char *text)
{
    static const char marker[] = "Encoded authorization failure message: ";
    const char *found = strstr(text, marker);
    size_t len = found ? (size_t)(found - text) : strlen(text);
    while (found && len > 0 && text[len - 1] == ' ')
        len--;
    snprintf(fault->message, sizeof(fault->message), "%.*s", (int)len, text);
    if (found)
        snprintf(fault->encoded, sizeof(fault->encoded), "%.*s",
                 (int)strcspn(found + strlen(marker), " \r\n"), found + strlen(marker));
}

/* Response/Errors/Error/Code at EC2, ErrorResponse/Error/Code at STS. */
static void read_fault(struct ec2_fault *fault, const char *path, const char *text)
{
    const char *error = strstr(path, "/Error/");
    if (!error)
        return;
    if (strcmp(error, "/Error/Code") == 0 && !fault->code[0])
        snprintf(fault->code, sizeof(fault->code), "%s", text);
    else if (strcmp(error, "/Error/Message") == 0 && !fault->message[0])
        read_message(fault, text);
}

static int read_field(struct ec2_response *response, const char *field, const char *text, struct error *err)
{
    switch (response->record) {
    case RECORD_INSTANCE: return read_instance(response, field, text, err);
    case RECORD_CHANGE: return read_change(response, field, text, err);
    case RECORD_TYPE: read_type(&response->type, field, text); break;
    case RECORD_IMAGE: read_image(&response->image, field, text); break;
    case RECORD_SUBNET: read_subnet(&response->subnet, field, text); break;
    case RECORD_STATUS: read_status(response, field, text); break;
    case RECORD_NONE: break;
    }
    return 0;
}

static int on_end(void *ctx, const char *path, const char *text, struct error *err)
{
    struct ec2_response *response = ctx;
    if (response->record != RECORD_NONE) {
        if (strlen(path) >= response->base)
            return read_field(response, path + response->base, text, err);
        int result = emit(response, err);
        forget_record(response);
        return result;
    }
    const char *rest = strchr(path, '/');
    if (!response->has_root)
        read_fault(&response->fault, path, text);
    else if (rest && strcmp(rest, "/nextToken") == 0)
        set_text(&response->next_token, text);
    else if (rest && response->handler.on_text &&
             strcmp(rest, "/DecodeAuthorizationMessageResult/DecodedMessage") == 0)
        return response->handler.on_text(response->handler.ctx, text, err);
    else if (rest && strcmp(rest, "/output") == 0 && response->handler.on_output && *text)
        return response->handler.on_output(response->handler.ctx, text, err);
    return 0;
}

struct ec2_response *ec2_response_new(const char *action, const struct ec2_handler *handler)
{
    struct ec2_response *response = mem_calloc(1, sizeof(*response));
    struct xml_handler xml_handler = {.ctx = response, .on_start = on_start, .on_end = on_end};
    response->action = action;
    response->handler = *handler;
    response->xml = xml_new(&xml_handler);
    return response;
}

struct ec2_response *ec2_response_free(struct ec2_response *response)
{
    if (!response)
        return NULL;
    xml_free(response->xml);
    forget_record(response);
    free(response->next_token);
    free(response);
    return NULL;
}

int ec2_response_sink(void *ctx, const char *data, size_t len, struct error *err)
{
    struct ec2_response *response = ctx;
    return xml_feed(response->xml, data, len, err);
}

int ec2_response_finish(struct ec2_response *response, struct error *err)
{
    if (xml_finish(response->xml, err) < 0)
        return error_wrap(err, "%s", response->action);
    return response->has_root ? 0 : ec2_error_set(err, response->action, &response->fault, 200);
}

const char *ec2_response_next_token(const struct ec2_response *response)
{
    return response->next_token;
}

void ec2_response_read_fault(const char *body, size_t len, struct ec2_fault *ret_fault)
{
    static const struct ec2_handler nobody = {0};
    struct ec2_response *response = ec2_response_new("(none)", &nobody);
    /* Of a body that is cut or is no XML, what was understood counts. */
    (void)!xml_feed(response->xml, body, len, NULL);
    *ret_fault = response->fault;
    ec2_response_free(response);
}
