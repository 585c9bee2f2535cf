/* Hashes are taken over canonical JSON written field by field, so that they depend on nothing but the spec.
 */
#include "reconcile/ledger.h"

#include "base/cleanup.h"
#include "base/json_writer.h"

#include <stdio.h>
#include <string.h>

enum { MAX_CANONICAL_BYTES = 1024 * 1024, HOUR_MS = 3600 * 1000 };

static void put_number(struct json_writer *writer, const char *key, int64_t value)
{
    if (value != 0)
        json_int(writer, key, value);
}

static void put_root_volume(struct json_writer *writer, const struct tee_root_volume *volume)
{
    if (!volume->present)
        return;
    json_open_object(writer, "rootVolume");
    put_number(writer, "sizeGiB", volume->size_gib);
    json_text(writer, "type", volume->type);
    put_number(writer, "iops", volume->iops);
    put_number(writer, "throughput", volume->throughput);
    if (volume->encrypted >= 0)
        json_bool(writer, "encrypted", volume->encrypted == 1);
    json_text(writer, "kmsKeyID", volume->kms_key_id);
    json_close_object(writer);
}

static void put_network(struct json_writer *writer, const struct tee_spec *spec)
{
    json_open_array(writer, "ports");
    for (size_t i = 0; i < spec->port_count; i++) {
        json_text(writer, NULL, spec->ports[i].name ? spec->ports[i].name : "");
        json_int(writer, NULL, spec->ports[i].port);
        json_int(writer, NULL, spec->ports[i].enclave_port);
    }
    json_close_array(writer);
    json_open_array(writer, "egress");
    for (size_t i = 0; i < spec->egress_count; i++) {
        json_text(writer, NULL, spec->egress[i].name ? spec->egress[i].name : "");
        json_text(writer, NULL, spec->egress[i].host ? spec->egress[i].host : "");
        json_int(writer, NULL, spec->egress[i].port);
        json_int(writer, NULL, spec->egress[i].vsock_port);
    }
    json_close_array(writer);
}

static void digest_buf(struct buf *buf, char ret_hash[SHA256_HEX_SIZE])
{
    sha256_hex(buf_text(buf), buf->len, ret_hash);
}

void ledger_hash(const struct tee_spec *spec, char ret_hash[SHA256_HEX_SIZE])
{
    CLEANUP(buf_done) struct buf buf;
    buf_init(&buf, MAX_CANONICAL_BYTES);
    struct json_writer writer;
    json_writer_init(&writer, &buf);
    json_open_object(&writer, NULL);
    json_text(&writer, "amiID", spec->instance.ami_id);
    json_text(&writer, "instanceType", spec->instance.instance_type);
    json_text(&writer, "keyName", spec->instance.key_name);
    json_text(&writer, "iamInstanceProfile", spec->instance.iam_instance_profile);
    put_root_volume(&writer, &spec->instance.root_volume);
    json_text(&writer, "image", spec->image);
    json_text(&writer, "eifURL", spec->eif_url);
    json_text(&writer, "eifSHA256", spec->eif_sha256);
    put_number(&writer, "cpuCount", spec->cpu_count);
    put_number(&writer, "memoryMiB", spec->memory_mib);
    put_number(&writer, "debugMode", spec->debug_mode);
    put_network(&writer, spec);
    json_text(&writer, "protocol", attest_protocol_names[spec->attestation.protocol]);
    put_number(&writer, "attestationPort", spec->attestation.port);
    json_close_object(&writer);
    digest_buf(&buf, ret_hash);
}

static void put_measurements(struct json_writer *writer, const struct tee_attestation_spec *spec)
{
    json_open_array(writer, "measurements");
    for (size_t i = 0; i < spec->measurement_count; i++) {
        const struct tee_measurement *set = &spec->measurements[i];
        json_open_object(writer, NULL);
        json_text(writer, "name", set->name);
        put_number(writer, "notBefore", set->not_before_ms);
        put_number(writer, "notAfter", set->not_after_ms);
        for (size_t k = 0; k < set->pcr_count; k++) {
            char key[16];
            snprintf(key, sizeof(key), "pcr%d", set->pcrs[k].index);
            json_text(writer, key, set->pcrs[k].sha384 ? set->pcrs[k].sha384 : "");
        }
        json_close_object(writer);
    }
    json_close_array(writer);
}

void ledger_policy_hash(const struct tee_spec *spec, const char *roots_digest, char ret_hash[SHA256_HEX_SIZE])
{
    const struct tee_attestation_spec *attestation = &spec->attestation;
    CLEANUP(buf_done) struct buf buf;
    buf_init(&buf, MAX_CANONICAL_BYTES);
    struct json_writer writer;
    json_writer_init(&writer, &buf);
    json_open_object(&writer, NULL);
    json_text(&writer, "roots", roots_digest);
    put_number(&writer, "debugMode", spec->debug_mode);
    json_text(&writer, "protocol", attest_protocol_names[attestation->protocol]);
    put_number(&writer, "port", attestation->port);
    json_int(&writer, "requireNonce", attestation->require_nonce);
    json_text(&writer, "instanceRoleARN", attestation->instance_role_arn);
    put_number(&writer, "intervalSeconds", attestation->interval_seconds);
    put_number(&writer, "validSeconds", attestation->valid_seconds);
    put_number(&writer, "maxAgeSeconds", attestation->max_age_seconds);
    put_measurements(&writer, attestation);
    json_text(&writer, "userDataSHA256", attestation->user_data_sha256);
    json_text(&writer, "publicKeySHA256", attestation->public_key_sha256);
    put_number(&writer, "onRejected", attestation->on_rejected);
    json_close_object(&writer);
    digest_buf(&buf, ret_hash);
}

void ledger_token(const struct ledger_call *call, char ret_token[SHA256_HEX_SIZE])
{
    CLEANUP(buf_done) struct buf buf;
    buf_init(&buf, 4096);
    /* Fields cannot contain a line feed, so no two lists of fields have one text. */
    buf_printf(&buf, "%s\n%s\n%s\n%s\n%s\n%d", call->cluster_id, call->deployment_id, call->hash, call->type,
               call->subnet ? call->subnet : "", call->attempt);
    digest_buf(&buf, ret_token);
}

bool ledger_is_open(const struct ledger *ledger)
{
    return ledger->token && !ledger->result && !ledger->instance_id;
}

static bool is_counted(const struct ledger_past *past, int64_t wall_ms)
{
    return past->instance_id && past->started_ms > wall_ms - HOUR_MS;
}

static void drop_one(struct ledger *ledger, int64_t wall_ms)
{
    size_t victim = 0;
    while (victim < ledger->history_count && is_counted(&ledger->history[victim], wall_ms))
        victim++;
    if (victim == ledger->history_count)
        victim = 0;
    ledger->history_count--;
    memmove(ledger->history + victim, ledger->history + victim + 1,
            sizeof(ledger->history[0]) * (ledger->history_count - victim));
}

void ledger_close(struct ledger *ledger, const char *result, const char *reason, int64_t wall_ms)
{
    if (!ledger->token && !ledger->instance_id)
        return;
    if (ledger->history_count == LEDGER_HISTORY_MAX)
        drop_one(ledger, wall_ms);
    ledger->history[ledger->history_count++] = (struct ledger_past){.attempt = ledger->attempt,
                                                                    .token = ledger->token,
                                                                    .subnet_id = ledger->subnet_id,
                                                                    .started_ms = ledger->started_ms,
                                                                    .ended_ms = wall_ms,
                                                                    .result = result,
                                                                    .instance_id = ledger->instance_id,
                                                                    .reason = reason};
    ledger->token = NULL;
    ledger->result = NULL;
    ledger->instance_id = NULL;
    ledger->instance_launch_ms = 0;
    ledger->subnet_id = NULL;
    ledger->started_ms = 0;
    ledger->module_id = NULL;
    ledger->policy_hash = NULL;
}

/* In the order of preference; after a lack of capacity the next one has its turn, and those where others were
 * just refused are passed over. */
static const char *choose_subnet(const struct ledger *ledger, const struct ledger_launch *launch)
{
    const struct tee_instance_spec *instance = &launch->effective->instance;
    size_t count = instance->subnet_count, short_of = 0;
    if (count == 0)
        return NULL;
    for (size_t i = ledger->history_count; i > 0; i--) {
        const char *result = ledger->history[i - 1].result;
        if (!result || strcmp(result, "InsufficientCapacity") != 0)
            break;
        short_of++;
    }
    for (size_t i = 0; i < count; i++) {
        size_t index = (short_of + i) % count;
        if (index >= 32 || !(launch->short_mask >> index & 1))
            return instance->subnet_ids[index];
    }
    return instance->subnet_ids[short_of % count];
}

void ledger_begin(struct ledger *ledger, const struct ledger_launch *launch, struct arena *arena)
{
    char hash[SHA256_HEX_SIZE];
    char token[SHA256_HEX_SIZE];
    ledger_hash(&launch->want->spec, hash);
    ledger->attempt++;
    ledger->subnet_id = choose_subnet(ledger, launch);
    const struct ledger_call call = {.cluster_id = launch->cluster_id,
                                     .deployment_id = launch->want->deployment_id,
                                     .hash = hash,
                                     .type = launch->effective->instance.instance_type,
                                     .subnet = ledger->subnet_id,
                                     .attempt = ledger->attempt};
    ledger_token(&call, token);
    ledger->hash = arena_strdup(arena, hash);
    ledger->hash_version = LAUNCH_HASH_VERSION;
    ledger->token = arena_strdup(arena, token);
    ledger->started_ms = launch->wall_ms;
}

int ledger_launches_in_hour(const struct ledger *ledger, int64_t wall_ms)
{
    int count = ledger->instance_id && ledger->started_ms > wall_ms - HOUR_MS ? 1 : 0;
    for (size_t i = 0; i < ledger->history_count; i++)
        count += is_counted(&ledger->history[i], wall_ms);
    return count;
}

int64_t ledger_budget_frees_ms(const struct ledger *ledger, int64_t wall_ms)
{
    int64_t since_ms = wall_ms - HOUR_MS, oldest_ms = wall_ms;
    if (ledger->instance_id && ledger->started_ms > since_ms)
        oldest_ms = ledger->started_ms;
    for (size_t i = 0; i < ledger->history_count; i++) {
        const struct ledger_past *past = &ledger->history[i];
        if (is_counted(past, wall_ms) && past->started_ms < oldest_ms)
            oldest_ms = past->started_ms;
    }
    return oldest_ms + HOUR_MS;
}

int ledger_failures(const struct ledger *ledger)
{
    int count = 0;
    for (size_t i = ledger->history_count; i > 0 && !ledger->history[i - 1].instance_id; i--)
        count++;
    return count;
}

int64_t ledger_not_before_ms(const struct ledger *ledger)
{
    int failures = ledger_failures(ledger);
    if (failures == 0)
        return 0;
    const struct ledger_past *last = &ledger->history[ledger->history_count - 1];
    bool is_slow = last->result &&
                   (strcmp(last->result, "Unauthorized") == 0 || strcmp(last->result, "QuotaExceeded") == 0);
    int64_t wait_ms = is_slow ? 300 * 1000 : (int64_t)5000 << (failures < 8 ? failures : 8);
    return last->ended_ms + (wait_ms > 900 * 1000 ? 900 * 1000 : wait_ms);
}

bool ledger_is_refused(const struct ledger *ledger, int64_t generation)
{
    if (ledger->token || ledger->instance_id || ledger->history_count == 0)
        return false;
    const struct ledger_past *last = &ledger->history[ledger->history_count - 1];
    return last->generation == generation;
}
