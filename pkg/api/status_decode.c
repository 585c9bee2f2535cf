/* Reads back ledger, verdict and conditions. */
#include "api/status.h"

#include "base/cleanup.h"
#include "base/encoding.h"

#include <stdlib.h>
#include <string.h>

static void decode_past(const struct json_reader *reader, struct ledger_past *past)
{
    past->attempt = (int)json_read_int(reader, "attempt", 0, INT32_MAX, 0);
    past->token = json_read_string(reader, "token", 64);
    past->subnet_id = json_read_string(reader, "subnetID", 64);
    past->started_ms = json_read_time(reader, "startedAt");
    past->ended_ms = json_read_time(reader, "endedAt");
    past->result = json_read_string(reader, "result", 64);
    past->instance_id = json_read_string(reader, "instanceID", 64);
    past->reason = json_read_string(reader, "reason", 1024);
    past->generation = json_read_int(reader, "generation", 0, INT64_MAX, 0);
}

static void decode_ledger(const struct json_reader *status, struct ledger *ledger)
{
    struct json_reader reader = json_reader_child(status, "launch");
    ledger->attempt = (int)json_read_int(&reader, "attempt", 0, INT32_MAX, 0);
    ledger->token = json_read_string(&reader, "token", 64);
    ledger->hash = json_read_string(&reader, "hash", 64);
    ledger->hash_version = (int)json_read_int(&reader, "hashVersion", 0, INT32_MAX, 0);
    ledger->subnet_id = json_read_string(&reader, "subnetID", 64);
    ledger->started_ms = json_read_time(&reader, "startedAt");
    ledger->result = json_read_string(&reader, "result", 64);
    ledger->instance_id = json_read_string(&reader, "instanceID", 64);
    ledger->instance_launch_ms = json_read_time(&reader, "instanceLaunchTime");
    ledger->module_id = json_read_string(&reader, "moduleID", 256);
    ledger->policy_hash = json_read_string(&reader, "policyHash", 64);
    struct json_reader halted = json_reader_child(&reader, "halted");
    ledger->halted.reason = json_read_string(&halted, "reason", 128);
    ledger->halted.generation = json_read_int(&halted, "generation", 0, INT64_MAX, 0);
    ledger->halted.at_ms = json_read_time(&halted, "at");
    ledger->history_count = json_read_count(&reader, "history", LEDGER_HISTORY_MAX);
    for (size_t i = 0; i < ledger->history_count; i++) {
        struct json_reader item = json_reader_item(&reader, "history", i);
        decode_past(&item, &ledger->history[i]);
    }
}

static void decode_pcrs(const struct json_reader *reader, struct tee_attestation_status *status)
{
    status->pcr_count = json_read_count(reader, "pcrs", STATUS_PCRS_MAX);
    struct tee_pcr_value *pcrs = arena_calloc(reader->arena, status->pcr_count, sizeof(*pcrs));
    for (size_t i = 0; i < status->pcr_count; i++) {
        struct json_reader item = json_reader_item(reader, "pcrs", i);
        pcrs[i].index = (int)json_read_int(&item, "index", 0, 31, 0);
        const char *value = json_read_string(&item, "sha384", 96);
        snprintf(pcrs[i].sha384, sizeof(pcrs[i].sha384), "%s", value ? value : "");
    }
    status->pcrs = pcrs;
}

const char *const claim_names[CLAIM_NAMES] = {"instance_id", "enclave_cpu_count", "enclave_memory_mb"};

static void decode_claims(const struct json_reader *reader, struct tee_attestation_status *status)
{
    struct json_reader claims = json_reader_child(reader, "claims");
    for (size_t i = 0; i < CLAIM_NAMES; i++) {
        const char *value = json_read_string(&claims, claim_names[i], 1024);
        if (value)
            status->claims[status->claim_count++] = (struct tee_claim){claim_names[i], value};
    }
}

static void decode_attestation(const struct json_reader *parent, struct tee_attestation_status *status)
{
    struct json_reader reader = json_reader_child(parent, "attestation");
    status->verdict = json_read_string(&reader, "verdict", 64);
    status->reason = json_read_string(&reader, "reason", 128);
    status->message = json_read_string(&reader, "message", 4096);
    status->verified_ms = json_read_time(&reader, "verifiedAt");
    status->valid_until_ms = json_read_time(&reader, "validUntil");
    status->next_ms = json_read_time(&reader, "nextAt");
    status->document_ms = json_read_time(&reader, "documentTimestamp");
    status->matched_measurement = json_read_string(&reader, "matchedMeasurement", 64);
    decode_pcrs(&reader, status);
    status->module_id = json_read_string(&reader, "moduleID", 256);
    status->enclave_launched_ms = json_read_time(&reader, "enclaveLaunchedAt");
    status->nonce_verified = json_read_bool(&reader, "nonceVerified") == 1;
    status->instance_bound = json_read_bool(&reader, "instanceBound") == 1;
    status->role_bound = json_read_bool(&reader, "roleBound") == 1;
    struct json_reader key = json_reader_child(&reader, "publicKey");
    status->public_key = json_read_string(&key, "value", 2048);
    status->public_key_type = json_read_string(&key, "keyType", 64);
    status->public_key_fingerprint = json_read_string(&key, "fingerprint", 64);
    status->user_data_sha256 = json_read_string(&reader, "userDataSHA256", 64);
    status->leaf_not_after_ms = json_read_time(&reader, "leafNotAfter");
    status->root_sha256 = json_read_string(&reader, "rootSHA256", 64);
    decode_claims(&reader, status);
}

static void decode_conditions(const struct json_reader *reader, struct conditions *conditions)
{
    size_t count = json_read_count(reader, "conditions", SIZE_MAX);
    for (size_t i = 0; i < count && conditions->count < CONDITIONS_MAX; i++) {
        struct json_reader item = json_reader_item(reader, "conditions", i);
        struct condition condition = {
            .type = json_read_string(&item, "type", 316),
            .status = json_read_string(&item, "status", 16),
            .reason = json_read_string(&item, "reason", 1024),
            .message = json_read_string(&item, "message", 32768),
            .observed_generation = json_read_int(&item, "observedGeneration", 0, INT64_MAX, 0),
            .transition_ms = json_read_time(&item, "lastTransitionTime"),
        };
        if (condition.type && condition.status && condition_is_ours(condition.type))
            conditions->items[conditions->count++] = condition;
    }
}

void status_decode(const struct json_reader *reader, struct tee_status *ret_status)
{
    *ret_status = (struct tee_status){0};
    ret_status->observed_generation = json_read_int(reader, "observedGeneration", -1, INT64_MAX, -1);
    decode_ledger(reader, &ret_status->launch);
    decode_attestation(reader, &ret_status->attestation);
    decode_conditions(reader, &ret_status->conditions);
    ret_status->last_handled = json_read_string(reader, "lastHandledReconcileAt", 256);
}

static void drop_evidence(json_t *status)
{
    json_t *attestation = json_copy(json_object_get(status, "attestation"));
    json_object_del(attestation, "evidence");
    json_object_del(attestation, "evidenceSHA256");
    if (json_object_size(attestation) > 0)
        json_object_set(status, "attestation", attestation);
    else
        json_object_del(status, "attestation");
    json_decref(attestation);
}

static void keep_our_conditions(json_t *status)
{
    const json_t *all = json_object_get(status, "conditions");
    if (!all)
        return;
    json_t *ours = json_array();
    size_t i;
    json_t *one;
    json_array_foreach(all, i, one)
    {
        const char *type = json_string_value(json_object_get(one, "type"));
        if (type && condition_is_ours(type))
            json_array_append(ours, one);
    }
    if (json_array_size(ours) > 0)
        json_object_set(status, "conditions", ours);
    else /* as if nobody had any */
        json_object_del(status, "conditions");
    json_decref(ours);
}

int status_digest(const json_t *status, uint8_t ret_digest[32])
{
    json_t *copy = json_copy((json_t *)(uintptr_t)status); /* shallow; takes no const, changes nothing */
    drop_evidence(copy);
    keep_our_conditions(copy);
    char *text = copy ? json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(copy);
    if (!text)
        return -1;
    sha256(text, strlen(text), ret_digest);
    free(text);
    return 0;
}

int status_digest_text(const char *json, size_t len, uint8_t ret_digest[32])
{
    json_t *tree = json_loadb(json, len, 0, NULL);
    int result = tree ? status_digest(tree, ret_digest) : -1;
    json_decref(tree);
    return result;
}
