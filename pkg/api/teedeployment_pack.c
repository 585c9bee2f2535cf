/* The walk names every field that an object of the store must keep. */
#include "api/teedeployment_pack.h"

#include "base/pack.h"

#include <string.h>

enum { MAX_PACKED_BYTES = 8 * 1024 * 1024 };

static void walk_root_volume(struct pack *pack, struct tee_root_volume *volume)
{
    PACK(pack, volume->present);
    PACK(pack, volume->encrypted);
    if (!volume->present)
        return;
    PACK(pack, volume->size_gib);
    pack_text(pack, &volume->type);
    PACK(pack, volume->iops);
    PACK(pack, volume->throughput);
    pack_text(pack, &volume->kms_key_id);
}

static void walk_texts(struct pack *pack, const char ***texts, size_t *count)
{
    const char **list = pack_list(pack, *texts, count, sizeof(**texts));
    for (size_t i = 0; i < *count; i++)
        pack_text(pack, &list[i]);
    if (pack_reads(pack))
        *texts = list;
}

static void walk_instance_spec(struct pack *pack, struct tee_instance_spec *spec)
{
    pack_text(pack, &spec->ami_id);
    pack_text(pack, &spec->instance_type);
    walk_texts(pack, &spec->subnet_ids, &spec->subnet_count);
    walk_texts(pack, &spec->security_group_ids, &spec->security_group_count);
    pack_text(pack, &spec->key_name);
    pack_text(pack, &spec->iam_instance_profile);
    walk_root_volume(pack, &spec->root_volume);
    struct tee_tag *tags = pack_list(pack, spec->tags, &spec->tag_count, sizeof(*tags));
    for (size_t i = 0; i < spec->tag_count; i++) {
        pack_text(pack, &tags[i].key);
        pack_text(pack, &tags[i].value);
    }
    if (pack_reads(pack))
        spec->tags = tags;
}

static void walk_measurement(struct pack *pack, struct tee_measurement *set)
{
    pack_text(pack, &set->name);
    PACK(pack, set->not_before_ms);
    PACK(pack, set->not_after_ms);
    struct tee_pcr *pcrs = pack_list(pack, set->pcrs, &set->pcr_count, sizeof(*pcrs));
    for (size_t i = 0; i < set->pcr_count; i++) {
        PACK(pack, pcrs[i].index);
        pack_hex(pack, &pcrs[i].sha384);
    }
    if (pack_reads(pack))
        set->pcrs = pcrs;
}

static void walk_attestation_spec(struct pack *pack, struct tee_attestation_spec *spec)
{
    PACK(pack, spec->protocol);
    PACK(pack, spec->port);
    PACK(pack, spec->require_nonce);
    pack_text(pack, &spec->instance_role_arn);
    PACK(pack, spec->interval_seconds);
    PACK(pack, spec->valid_seconds);
    PACK(pack, spec->max_age_seconds);
    struct tee_measurement *sets =
        pack_list(pack, spec->measurements, &spec->measurement_count, sizeof(*sets));
    for (size_t i = 0; i < spec->measurement_count; i++)
        walk_measurement(pack, &sets[i]);
    if (pack_reads(pack))
        spec->measurements = sets;
    pack_hex(pack, &spec->user_data_sha256);
    pack_hex(pack, &spec->public_key_sha256);
    PACK(pack, spec->on_rejected);
}

static void walk_network(struct pack *pack, struct tee_spec *spec)
{
    struct tee_port *ports = pack_list(pack, spec->ports, &spec->port_count, sizeof(*ports));
    for (size_t i = 0; i < spec->port_count; i++) {
        pack_text(pack, &ports[i].name);
        PACK(pack, ports[i].port);
        PACK(pack, ports[i].enclave_port);
    }
    struct tee_egress *egress = pack_list(pack, spec->egress, &spec->egress_count, sizeof(*egress));
    for (size_t i = 0; i < spec->egress_count; i++) {
        pack_text(pack, &egress[i].name);
        pack_text(pack, &egress[i].host);
        PACK(pack, egress[i].port);
        PACK(pack, egress[i].vsock_port);
    }
    if (pack_reads(pack)) {
        spec->ports = ports;
        spec->egress = egress;
    }
}

static void walk_spec(struct pack *pack, struct tee_spec *spec)
{
    PACK(pack, spec->desired_state);
    pack_text(pack, &spec->image);
    pack_text(pack, &spec->eif_url);
    pack_hex(pack, &spec->eif_sha256);
    PACK(pack, spec->cpu_count);
    PACK(pack, spec->memory_mib);
    PACK(pack, spec->debug_mode);
    walk_instance_spec(pack, &spec->instance);
    walk_network(pack, spec);
    walk_attestation_spec(pack, &spec->attestation);
    PACK(pack, spec->deletion_policy);
    PACK(pack, spec->update_strategy);
    pack_text(pack, &spec->deployment_id);
    PACK(pack, spec->launch_seconds);
    PACK(pack, spec->boot_seconds);
}

static void walk_past(struct pack *pack, struct ledger_past *past)
{
    PACK(pack, past->attempt);
    pack_hex(pack, &past->token);
    pack_text(pack, &past->subnet_id);
    PACK(pack, past->started_ms);
    PACK(pack, past->ended_ms);
    pack_text(pack, &past->result);
    pack_text(pack, &past->instance_id);
    pack_text(pack, &past->reason);
    PACK(pack, past->generation);
}

static void walk_ledger(struct pack *pack, struct ledger *ledger)
{
    PACK(pack, ledger->attempt);
    pack_hex(pack, &ledger->token);
    pack_hex(pack, &ledger->hash);
    PACK(pack, ledger->hash_version);
    pack_text(pack, &ledger->subnet_id);
    PACK(pack, ledger->started_ms);
    pack_text(pack, &ledger->result);
    pack_text(pack, &ledger->instance_id);
    PACK(pack, ledger->instance_launch_ms);
    pack_text(pack, &ledger->module_id);
    pack_hex(pack, &ledger->policy_hash);
    pack_text(pack, &ledger->halted.reason);
    PACK(pack, ledger->halted.generation);
    PACK(pack, ledger->halted.at_ms);
    PACK(pack, ledger->history_count);
    for (size_t i = 0; i < ledger->history_count; i++)
        walk_past(pack, &ledger->history[i]);
}

static void walk_pcr_values(struct pack *pack, struct tee_attestation_status *status)
{
    struct tee_pcr_value *pcrs = pack_list(pack, status->pcrs, &status->pcr_count, sizeof(*pcrs));
    for (size_t i = 0; i < status->pcr_count; i++) {
        const char *digits = pcrs[i].sha384;
        PACK(pack, pcrs[i].index);
        pack_hex(pack, &digits);
        if (pack_reads(pack))
            memcpy(pcrs[i].sha384, digits, strlen(digits) + 1);
    }
    if (pack_reads(pack))
        status->pcrs = pcrs;
}

static void walk_verdict(struct pack *pack, struct tee_attestation_status *status)
{
    pack_text(pack, &status->verdict);
    pack_text(pack, &status->reason);
    pack_text(pack, &status->message);
    PACK(pack, status->verified_ms);
    PACK(pack, status->valid_until_ms);
    PACK(pack, status->next_ms);
    PACK(pack, status->document_ms);
    pack_text(pack, &status->matched_measurement);
    walk_pcr_values(pack, status);
    pack_text(pack, &status->module_id);
    PACK(pack, status->enclave_launched_ms);
    PACK(pack, status->nonce_verified);
    PACK(pack, status->instance_bound);
    PACK(pack, status->role_bound);
    pack_text(pack, &status->public_key);
    pack_text(pack, &status->public_key_type);
    pack_hex(pack, &status->public_key_fingerprint);
    pack_hex(pack, &status->user_data_sha256);
    PACK(pack, status->leaf_not_after_ms);
    pack_hex(pack, &status->root_sha256);
    PACK(pack, status->claim_count);
    for (size_t i = 0; i < status->claim_count; i++) {
        pack_word(pack, &status->claims[i].key, claim_names, CLAIM_NAMES);
        pack_text(pack, &status->claims[i].value);
    }
}

static void walk_conditions(struct pack *pack, struct conditions *conditions)
{
    static const char *const words[] = {"True", "False", "Unknown"};
    PACK(pack, conditions->count);
    for (size_t i = 0; i < conditions->count; i++) {
        struct condition *condition = &conditions->items[i];
        pack_word(pack, &condition->type, condition_types, CONDITION_TYPES);
        pack_word(pack, &condition->status, words, ARRAY_LEN(words));
        pack_text(pack, &condition->reason);
        PACK(pack, condition->observed_generation);
        PACK(pack, condition->transition_ms);
    }
}

static void walk_status(struct pack *pack, struct tee_status *status)
{
    PACK(pack, status->observed_generation);
    walk_ledger(pack, &status->launch);
    walk_verdict(pack, &status->attestation);
    walk_conditions(pack, &status->conditions);
    pack_text(pack, &status->last_handled);
}

static void walk(struct pack *pack, struct teedeployment *object)
{
    pack_text(pack, &object->name_space);
    pack_text(pack, &object->name);
    pack_text(pack, &object->uid);
    pack_text(pack, &object->resource_version);
    PACK(pack, object->generation);
    PACK(pack, object->creation_ms);
    PACK(pack, object->is_deleting);
    PACK(pack, object->finalizer_index);
    PACK(pack, object->finalizer_count);
    PACK(pack, object->is_paused);
    PACK(pack, object->wants_adoption);
    pack_text(pack, &object->reconcile_requested);
    pack_text(pack, &object->invalid);
    walk_spec(pack, &object->spec);
    walk_status(pack, &object->status);
    pack_bytes(pack, object->status_digest, sizeof(object->status_digest));
}

struct packed *teedeployment_pack(const struct teedeployment *object)
{
    CLEANUP(buf_done) struct buf bytes;
    buf_init(&bytes, MAX_PACKED_BYTES); /* twice what the decoder admits */
    struct pack pack = pack_writer(&bytes);
    walk(&pack, (struct teedeployment *)(uintptr_t)object); /* writing: the walk changes nothing */
    return packed_new(&bytes);
}

struct teedeployment *teedeployment_unpack(struct packed *packed)
{
    struct teedeployment *object = teedeployment_new();
    object->packed = packed_ref(packed);
    struct pack pack = pack_reader(packed, &object->arena);
    walk(&pack, object);
    teedeployment_derive(object);
    return object;
}
