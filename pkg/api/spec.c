/* One straight list of fields per object of the schema; bounds repeat the CRD's, because the CRD that is
 * installed may be another version than ours. */
#include "api/spec.h"

#include "base/cleanup.h"

const char *const desired_state_names[3] = {NULL, "Running", "Stopped"};
const char *const deletion_policy_names[3] = {NULL, "Delete", "Retain"};
const char *const update_strategy_names[3] = {NULL, "Replace", "OnDelete"};
const char *const on_rejected_names[4] = {NULL, "Report", "Stop", "Terminate"};
const char *const attest_protocol_names[6] = {NULL, "Native", "Nitriding", "Oyster", "Nautilus", "Disabled"};

#define READ_ENUM(reader, key, names) json_read_enum(reader, key, names, ARRAY_LEN(names), 0)

static void decode_root_volume(const struct json_reader *instance, struct tee_root_volume *volume)
{
    struct json_reader reader = json_reader_child(instance, "rootVolume");
    volume->present = reader.object != NULL;
    volume->size_gib = (int)json_read_int(&reader, "sizeGiB", 8, 16384, 0);
    volume->type = json_read_string(&reader, "type", 8);
    volume->iops = (int)json_read_int(&reader, "iops", 100, 256000, 0);
    volume->throughput = (int)json_read_int(&reader, "throughput", 125, 2000, 0);
    volume->encrypted = json_read_bool(&reader, "encrypted");
    volume->kms_key_id = json_read_string(&reader, "kmsKeyID", 2048);
}

static void decode_tags(const struct json_reader *instance, struct tee_instance_spec *spec)
{
    struct json_reader reader = json_reader_child(instance, "tags");
    size_t count = json_object_size(reader.object);
    if (count > 40) {
        json_read_fail(instance, "tags", "at most 40 tags");
        return;
    }
    struct tee_tag *tags = arena_calloc(instance->arena, count, sizeof(*tags));
    const char *key;
    json_t *value;
    json_t *object =
        (json_t *)(uintptr_t)reader.object; /* jansson's iterator takes no const; nothing is changed */
    json_object_foreach(object, key, value)
    {
        const char *text = json_read_string(&reader, key, 256);
        if (text)
            tags[spec->tag_count++] = (struct tee_tag){arena_strdup(instance->arena, key), text};
    }
    spec->tags = tags;
}

static void decode_instance(const struct json_reader *parent, struct tee_instance_spec *spec)
{
    struct json_reader reader = json_reader_child(parent, "instance");
    spec->ami_id = json_read_string(&reader, "amiID", 64);
    spec->instance_type = json_read_string(&reader, "instanceType", 64);
    spec->subnet_ids = json_read_strings(&reader, "subnetIDs", 16, &spec->subnet_count);
    spec->security_group_ids =
        json_read_strings(&reader, "securityGroupIDs", 16, &spec->security_group_count);
    spec->key_name = json_read_string(&reader, "keyName", 255);
    spec->iam_instance_profile = json_read_string(&reader, "iamInstanceProfile", 2048);
    decode_root_volume(&reader, &spec->root_volume);
    decode_tags(&reader, spec);
}

static void decode_ports(const struct json_reader *parent, struct tee_spec *spec)
{
    spec->port_count = json_read_count(parent, "ports", 16);
    struct tee_port *ports = arena_calloc(parent->arena, spec->port_count, sizeof(*ports));
    for (size_t i = 0; i < spec->port_count; i++) {
        struct json_reader reader = json_reader_item(parent, "ports", i);
        ports[i].name = json_read_string(&reader, "name", 63);
        ports[i].port = (int)json_read_int(&reader, "port", 1, 65535, 0);
        ports[i].enclave_port = json_read_int(&reader, "enclavePort", 1, UINT32_MAX - 1, ports[i].port);
    }
    spec->ports = ports;
}

static void decode_egress(const struct json_reader *parent, struct tee_spec *spec)
{
    spec->egress_count = json_read_count(parent, "egress", 32);
    struct tee_egress *egress = arena_calloc(parent->arena, spec->egress_count, sizeof(*egress));
    for (size_t i = 0; i < spec->egress_count; i++) {
        struct json_reader reader = json_reader_item(parent, "egress", i);
        egress[i].name = json_read_string(&reader, "name", 63);
        egress[i].host = json_read_string(&reader, "host", 253);
        egress[i].port = (int)json_read_int(&reader, "port", 1, 65535, 0);
        egress[i].vsock_port = (int)json_read_int(&reader, "vsockPort", 1024, 65535, 0);
    }
    spec->egress = egress;
}

static void decode_pcrs(const struct json_reader *set, struct tee_measurement *measurement)
{
    measurement->pcr_count = json_read_count(set, "pcrs", 32);
    struct tee_pcr *pcrs = arena_calloc(set->arena, measurement->pcr_count, sizeof(*pcrs));
    for (size_t i = 0; i < measurement->pcr_count; i++) {
        struct json_reader reader = json_reader_item(set, "pcrs", i);
        pcrs[i].index = (int)json_read_int(&reader, "index", 0, 31, 0);
        pcrs[i].sha384 = json_read_string(&reader, "sha384", 96);
        if (!pcrs[i].sha384)
            json_read_fail(&reader, "sha384", "96 hex digits");
    }
    measurement->pcrs = pcrs;
}

static void decode_measurements(const struct json_reader *parent, struct tee_attestation_spec *spec)
{
    spec->measurement_count = json_read_count(parent, "measurements", 8);
    struct tee_measurement *sets = arena_calloc(parent->arena, spec->measurement_count, sizeof(*sets));
    for (size_t i = 0; i < spec->measurement_count; i++) {
        struct json_reader reader = json_reader_item(parent, "measurements", i);
        sets[i].name = json_read_string(&reader, "name", 63);
        decode_pcrs(&reader, &sets[i]);
        sets[i].not_before_ms = json_read_time(&reader, "notBefore");
        sets[i].not_after_ms = json_read_time(&reader, "notAfter");
    }
    spec->measurements = sets;
}

static void decode_attestation(const struct json_reader *parent, struct tee_attestation_spec *spec)
{
    struct json_reader reader = json_reader_child(parent, "attestation");
    spec->protocol = (enum attestation_protocol)READ_ENUM(&reader, "protocol", attest_protocol_names);
    spec->port = (int)json_read_int(&reader, "port", 1, 65535, 0);
    spec->require_nonce = json_read_bool(&reader, "requireNonce");
    spec->instance_role_arn = json_read_string(&reader, "instanceRoleARN", 2048);
    spec->interval_seconds = (int)json_read_int(&reader, "intervalSeconds", 60, 3600, 0);
    spec->valid_seconds = (int)json_read_int(&reader, "validSeconds", 60, 10800, 0);
    spec->max_age_seconds = (int)json_read_int(&reader, "maxAgeSeconds", 1, 3600, 0);
    decode_measurements(&reader, spec);
    spec->user_data_sha256 = json_read_string(&reader, "userDataSHA256", 64);
    spec->public_key_sha256 = json_read_string(&reader, "publicKeySHA256", 64);
    spec->on_rejected = (enum on_rejected)READ_ENUM(&reader, "onRejected", on_rejected_names);
}

static void decode_software(const struct json_reader *reader, struct tee_spec *spec)
{
    spec->image = json_read_string(reader, "image", 512);
    struct json_reader eif = json_reader_child(reader, "eif");
    spec->eif_url = json_read_string(&eif, "url", 1024);
    spec->eif_sha256 = json_read_string(&eif, "sha256", 64);
    if (reader->object && !spec->image && !spec->eif_url)
        json_read_fail(reader, "image", "set, or eif");
    struct json_reader enclave = json_reader_child(reader, "enclave");
    spec->cpu_count = (int)json_read_int(&enclave, "cpuCount", 1, 192, 0);
    spec->memory_mib = (int)json_read_int(&enclave, "memoryMiB", 64, 1048576, 0);
    spec->debug_mode = json_read_bool(&enclave, "debugMode") == 1;
}

void spec_decode(const struct json_reader *reader, struct tee_spec *ret_spec)
{
    struct tee_spec *spec = ret_spec;
    *spec = (struct tee_spec){0};
    spec->desired_state = (enum desired_state)READ_ENUM(reader, "desiredState", desired_state_names);
    decode_software(reader, spec);
    decode_instance(reader, &spec->instance);
    decode_ports(reader, spec);
    decode_egress(reader, spec);
    decode_attestation(reader, &spec->attestation);
    spec->deletion_policy = (enum deletion_policy)READ_ENUM(reader, "deletionPolicy", deletion_policy_names);
    spec->update_strategy = (enum update_strategy)READ_ENUM(reader, "updateStrategy", update_strategy_names);
    spec->deployment_id = json_read_string(reader, "deploymentID", 63);
    struct json_reader timeouts = json_reader_child(reader, "timeouts");
    spec->launch_seconds = (int)json_read_int(&timeouts, "launchSeconds", 60, 3600, 0);
    spec->boot_seconds = (int)json_read_int(&timeouts, "bootSeconds", 60, 7200, 0);
}
