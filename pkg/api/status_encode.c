/* One function per object of the schema. Absent fields are left out, never null. */
#include "api/status.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/encoding.h"

#include <stdlib.h>
#include <string.h>

/* The API server refuses the whole status for one over-long string (422): each is cut to its bound first. */
static void put_text(struct json_writer *writer, const char *key, const char *value, size_t max)
{
    if (!value)
        return;
    size_t len = strlen(value);
    if (len > max) {
        len = max;
        while (len > 0 && ((unsigned char)value[len] & 0xc0) == 0x80)
            len--;
    }
    json_text_len(writer, key, value, len);
}

static void put_time(struct json_writer *writer, const char *key, int64_t ms)
{
    if (ms <= 0)
        return;
    char text[TIME_TEXT_SIZE];
    time_format(ms, text);
    json_text(writer, key, text);
}

static void put_past(struct json_writer *writer, const struct ledger_past *past)
{
    json_open_object(writer, NULL);
    json_int(writer, "attempt", past->attempt);
    put_text(writer, "token", past->token, 64);
    put_text(writer, "subnetID", past->subnet_id, 64);
    put_time(writer, "startedAt", past->started_ms);
    put_time(writer, "endedAt", past->ended_ms);
    put_text(writer, "result", past->result, 64);
    put_text(writer, "instanceID", past->instance_id, 64);
    put_text(writer, "reason", past->reason, 1024);
    if (past->generation > 0)
        json_int(writer, "generation", past->generation);
    json_close_object(writer);
}

static void put_halted(struct json_writer *writer, const struct ledger_halt *halted)
{
    if (!halted->reason)
        return;
    json_open_object(writer, "halted");
    put_text(writer, "reason", halted->reason, 128);
    json_int(writer, "generation", halted->generation);
    put_time(writer, "at", halted->at_ms);
    json_close_object(writer);
}

static void put_ledger(struct json_writer *writer, const struct ledger *ledger)
{
    if (!ledger->token && !ledger->instance_id && ledger->history_count == 0)
        return;
    json_open_object(writer, "launch");
    json_int(writer, "attempt", ledger->attempt);
    put_text(writer, "token", ledger->token, 64);
    put_text(writer, "hash", ledger->hash, 64);
    if (ledger->hash)
        json_int(writer, "hashVersion", ledger->hash_version);
    put_text(writer, "subnetID", ledger->subnet_id, 64);
    put_time(writer, "startedAt", ledger->started_ms);
    put_text(writer, "result", ledger->result, 64);
    put_text(writer, "instanceID", ledger->instance_id, 64);
    put_time(writer, "instanceLaunchTime", ledger->instance_launch_ms);
    put_text(writer, "moduleID", ledger->module_id, 256);
    put_text(writer, "policyHash", ledger->policy_hash, 64);
    put_halted(writer, &ledger->halted);
    if (ledger->history_count > 0) {
        json_open_array(writer, "history");
        for (size_t i = 0; i < ledger->history_count; i++)
            put_past(writer, &ledger->history[i]);
        json_close_array(writer);
    }
    json_close_object(writer);
}

static void put_instance(struct json_writer *writer, const struct tee_instance_status *instance)
{
    if (!instance->id)
        return;
    json_open_object(writer, "instance");
    put_text(writer, "id", instance->id, 64);
    put_text(writer, "state", instance->state, 32);
    put_text(writer, "type", instance->type, 64);
    put_text(writer, "imageID", instance->image_id, 64);
    put_text(writer, "availabilityZone", instance->availability_zone, 63);
    put_text(writer, "subnetID", instance->subnet_id, 64);
    put_text(writer, "privateIP", instance->private_ip, 45);
    put_text(writer, "publicIP", instance->public_ip, 45);
    put_time(writer, "launchTime", instance->launch_ms);
    put_text(writer, "capacityType", instance->capacity_type, 32);
    json_close_object(writer);
}

static void put_endpoints(struct json_writer *writer, const struct tee_status *status)
{
    if (!status->endpoint_address || status->port_count == 0)
        return;
    json_open_array(writer, "endpoints");
    for (size_t i = 0; i < status->port_count; i++) {
        json_open_object(writer, NULL);
        put_text(writer, "name", status->ports[i].name, 63);
        put_text(writer, "address", status->endpoint_address, 253);
        json_int(writer, "port", status->ports[i].port);
        json_int(writer, "enclavePort", status->ports[i].enclave_port);
        json_close_object(writer);
    }
    json_close_array(writer);
}

static void put_pcrs(struct json_writer *writer, const struct tee_attestation_status *attestation)
{
    if (attestation->pcr_count == 0)
        return;
    json_open_object(writer, "measurement");
    json_text(writer, "algorithm", "sha384");
    for (size_t i = 0; i < attestation->pcr_count; i++)
        if (attestation->pcrs[i].index == 0)
            json_text(writer, "digest", attestation->pcrs[i].sha384);
    json_close_object(writer);
    json_open_array(writer, "pcrs");
    for (size_t i = 0; i < attestation->pcr_count; i++) {
        json_open_object(writer, NULL);
        json_int(writer, "index", attestation->pcrs[i].index);
        json_text(writer, "sha384", attestation->pcrs[i].sha384);
        json_close_object(writer);
    }
    json_close_array(writer);
}

/* What only a parsed document can say. */
static void put_document_facts(struct json_writer *writer, const struct tee_attestation_status *attestation)
{
    put_time(writer, "documentTimestamp", attestation->document_ms);
    json_text(writer, "format", "NitroDocument");
    put_text(writer, "matchedMeasurement", attestation->matched_measurement, 63);
    put_pcrs(writer, attestation);
    put_text(writer, "moduleID", attestation->module_id, 256);
    put_time(writer, "enclaveLaunchedAt", attestation->enclave_launched_ms);
    json_bool(writer, "nonceVerified", attestation->nonce_verified);
    json_bool(writer, "instanceBound", attestation->instance_bound);
    json_bool(writer, "roleBound", attestation->role_bound);
    if (attestation->public_key) {
        json_open_object(writer, "publicKey");
        put_text(writer, "value", attestation->public_key, 2048);
        put_text(writer, "keyType", attestation->public_key_type, 64);
        put_text(writer, "fingerprint", attestation->public_key_fingerprint, 64);
        json_close_object(writer);
    }
    put_text(writer, "userDataSHA256", attestation->user_data_sha256, 64);
    put_time(writer, "leafNotAfter", attestation->leaf_not_after_ms);
    put_text(writer, "rootSHA256", attestation->root_sha256, 64);
    json_open_object(writer, "claims");
    for (size_t i = 0; i < attestation->claim_count; i++)
        put_text(writer, attestation->claims[i].key, attestation->claims[i].value, 1024);
    json_close_object(writer);
}

static void put_attestation(struct json_writer *writer, const struct tee_attestation_status *attestation)
{
    if (!attestation->verdict)
        return;
    json_open_object(writer, "attestation");
    put_text(writer, "verdict", attestation->verdict, 64);
    put_text(writer, "reason", attestation->reason, 128);
    put_text(writer, "message", attestation->message, 4096);
    put_time(writer, "verifiedAt", attestation->verified_ms);
    put_time(writer, "validUntil", attestation->valid_until_ms);
    put_time(writer, "nextAt", attestation->next_ms);
    if (attestation->document_ms > 0)
        put_document_facts(writer, attestation);
    json_close_object(writer);
}

static void put_list(struct json_writer *writer, const char *key, const char **list, size_t count)
{
    if (count == 0)
        return;
    json_open_array(writer, key);
    for (size_t i = 0; i < count; i++)
        json_text(writer, NULL, list[i]);
    json_close_array(writer);
}

static void put_number(struct json_writer *writer, const char *key, int value)
{
    if (value > 0)
        json_int(writer, key, value);
}

static void put_effective_instance(struct json_writer *writer, const struct tee_instance_spec *instance)
{
    json_open_object(writer, "instance");
    put_text(writer, "amiID", instance->ami_id, 64);
    put_text(writer, "instanceType", instance->instance_type, 64);
    put_list(writer, "subnetIDs", instance->subnet_ids, instance->subnet_count);
    put_list(writer, "securityGroupIDs", instance->security_group_ids, instance->security_group_count);
    put_text(writer, "keyName", instance->key_name, 255);
    put_text(writer, "iamInstanceProfile", instance->iam_instance_profile, 2048);
    json_close_object(writer);
}

static void put_effective_attestation(struct json_writer *writer,
                                      const struct tee_attestation_spec *attestation)
{
    json_open_object(writer, "attestation");
    json_text(writer, "protocol", attest_protocol_names[attestation->protocol]);
    put_number(writer, "port", attestation->port);
    if (attestation->require_nonce >= 0)
        json_bool(writer, "requireNonce", attestation->require_nonce == 1);
    put_number(writer, "intervalSeconds", attestation->interval_seconds);
    put_number(writer, "validSeconds", attestation->valid_seconds);
    put_number(writer, "maxAgeSeconds", attestation->max_age_seconds);
    json_text(writer, "onRejected", on_rejected_names[attestation->on_rejected]);
    json_close_object(writer);
}

static void put_effective(struct json_writer *writer, const struct tee_spec *effective)
{
    if (!effective)
        return;
    json_open_object(writer, "effective");
    json_text(writer, "desiredState", desired_state_names[effective->desired_state]);
    json_open_object(writer, "enclave");
    put_number(writer, "cpuCount", effective->cpu_count);
    put_number(writer, "memoryMiB", effective->memory_mib);
    json_close_object(writer);
    put_effective_instance(writer, &effective->instance);
    put_effective_attestation(writer, &effective->attestation);
    json_text(writer, "deletionPolicy", deletion_policy_names[effective->deletion_policy]);
    json_text(writer, "updateStrategy", update_strategy_names[effective->update_strategy]);
    json_open_object(writer, "timeouts");
    put_number(writer, "launchSeconds", effective->launch_seconds);
    put_number(writer, "bootSeconds", effective->boot_seconds);
    json_close_object(writer);
    json_close_object(writer);
}

static void put_conditions(struct json_writer *writer, const struct conditions *conditions)
{
    json_open_array(writer, "conditions");
    for (size_t i = 0; i < conditions->count; i++) {
        const struct condition *condition = &conditions->items[i];
        json_open_object(writer, NULL);
        json_text(writer, "type", condition->type);
        json_text(writer, "status", condition->status);
        put_text(writer, "reason", condition->reason, 1024);
        put_text(writer, "message", condition->message ? condition->message : "", CONDITION_MESSAGE_MAX);
        json_int(writer, "observedGeneration", condition->observed_generation);
        put_time(writer, "lastTransitionTime", condition->transition_ms);
        json_close_object(writer);
    }
    json_close_array(writer);
}

void status_encode(const struct tee_status *status, struct buf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_int(&writer, "observedGeneration", status->observed_generation);
    put_text(&writer, "phase", status->phase, 32);
    json_text(&writer, "provider", "aws_nitro");
    json_text(&writer, "lifecyclePolicy", "CloudManaged");
    put_text(&writer, "deploymentID", status->deployment_id, 63);
    put_instance(&writer, &status->instance);
    put_endpoints(&writer, status);
    put_ledger(&writer, &status->launch);
    if (status->boot_phase) {
        json_open_object(&writer, "boot");
        put_text(&writer, "phase", status->boot_phase, 32);
        json_int(&writer, "seconds", status->boot_seconds);
        json_close_object(&writer);
    }
    put_attestation(&writer, &status->attestation);
    put_effective(&writer, status->effective);
    put_conditions(&writer, &status->conditions);
    put_text(&writer, "lastHandledReconcileAt", status->last_handled, 256);
    json_close_object(&writer);
}

void status_encode_evidence(const void *document, size_t len, struct buf *out)
{
    if (!document) {
        buf_puts(out, "{}");
        return;
    }
    CLEANUP(freep) char *text = base64_encode(document, len);
    char digest[SHA256_HEX_SIZE];
    sha256_hex(document, len, digest);
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_open_object(&writer, "attestation");
    json_text(&writer, "evidence", text);
    json_text(&writer, "evidenceSHA256", digest);
    json_close_object(&writer);
    json_close_object(&writer);
}
