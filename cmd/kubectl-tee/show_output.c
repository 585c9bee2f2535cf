/* Text and data side by side, section by section. */
#include "show_output.h"

#include "base/json_writer.h"
#include "printable.h"
#include "show_facts.h"

#include <string.h>

static const char *image_of(const struct object *object)
{
    const struct tee_spec *spec = &object->deployment->spec;
    return spec->image ? spec->image : spec->eif_url;
}

static void put_text_condition(const struct object *object, const char *type, int64_t now_ms, struct buf *out)
{
    const struct condition *condition = condition_find(&object->deployment->status.conditions, type);
    if (!condition)
        return;
    CLEANUP(buf_done) struct buf value;
    buf_init(&value, OUTPUT_MAX);
    buf_printf(&value, "%s, %s", condition->status, condition->reason ? condition->reason : "no reason");
    if (condition->transition_ms > 0) {
        buf_puts(&value, " (");
        output_age(&value, condition->transition_ms, now_ms);
        buf_puts(&value, ")");
    }
    if (condition->message && condition->message[0])
        buf_printf(&value, ": %s", condition->message);
    output_line(out, type, buf_text(&value));
}

static void put_text_instance(const struct object *object, int64_t now_ms, struct buf *out)
{
    const struct tee_instance_status *instance = &object->instance;
    if (!instance->id)
        return;
    output_linef(out, "Instance", "%s, %s, %s in %s", instance->id,
                 instance->state ? instance->state : "unknown",
                 instance->type ? instance->type : "unknown type",
                 instance->availability_zone ? instance->availability_zone : "unknown zone");
    output_linef(out, "Address", "%s%s%s", instance->private_ip ? instance->private_ip : "none",
                 instance->public_ip ? ", public " : "", instance->public_ip ? instance->public_ip : "");
    output_time(out, "Launched", instance->launch_ms, now_ms);
}

static void put_text_pcrs(const struct object *object, struct buf *out)
{
    const struct tee_attestation_status *attestation = &object->deployment->status.attestation;
    if (attestation->pcr_count > 0)
        buf_printf(out, "\n%-5s %-96s  %s\n", "PCR", "SHA-384", "expected by");
    for (size_t i = 0; i < attestation->pcr_count; i++) {
        CLEANUP(buf_done) struct buf matches;
        buf_init(&matches, OUTPUT_MAX);
        show_put_matches(object, &attestation->pcrs[i], &matches);
        buf_printf(out, "%-5d ", attestation->pcrs[i].index);
        printable_put(out, attestation->pcrs[i].sha384);
        buf_puts(out, matches.len > 0 ? "  " : "");
        printable_put(out, buf_text(&matches));
        buf_putc(out, '\n');
    }
}

static void put_text_certificates(const struct object *object, struct buf *out)
{
    struct show_certificates certificates;
    show_read_certificates(object, &certificates);
    if (certificates.count > 0)
        buf_printf(out, "\n%-20s  %-20s  %s\n", "Valid from", "to", "Certificate");
    for (size_t i = 0; i < certificates.count; i++) {
        char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];
        time_format(certificates.items[i].not_before_ms, from);
        time_format(certificates.items[i].not_after_ms, to);
        buf_printf(out, "%-20s  %-20s  ", from, to);
        printable_put(out, certificates.items[i].cn);
        buf_putc(out, '\n');
    }
}

static void put_text_verdict(const struct object *object, int64_t now_ms, struct buf *out)
{
    const struct tee_attestation_status *attestation = &object->deployment->status.attestation;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, OUTPUT_MAX);
    if (!attestation->verdict) {
        show_put_awaited(object, &text);
        output_line(out, "Attestation", buf_text(&text));
        return;
    }
    output_linef(out, "Verdict", "%s%s%s: %s", attestation->verdict, attestation->reason ? ", " : "",
                 attestation->reason ? attestation->reason : "",
                 attestation->message ? attestation->message : "");
    output_time(out, "Verified at", attestation->verified_ms, now_ms);
    output_time(out, "Valid until", attestation->valid_until_ms, now_ms);
    output_time(out, "Next check", attestation->next_ms, now_ms);
    output_line(out, "Measurement", attestation->matched_measurement);
    output_line(out, "Module", attestation->module_id);
    output_time(out, "Enclave since", attestation->enclave_launched_ms, now_ms);
    output_time(out, "Document of", attestation->document_ms, now_ms);
    if (attestation->document_ms > 0) {
        show_put_bound(attestation, &text);
        output_line(out, "Bound to", buf_text(&text));
    }
    if (attestation->public_key_fingerprint)
        output_linef(out, "Public key", "%s, SHA-256 %s",
                     attestation->public_key_type ? attestation->public_key_type : "unknown type",
                     attestation->public_key_fingerprint);
    output_line(out, "User data", attestation->user_data_sha256);
    output_line(out, "Evidence", object->evidence_sha256);
    put_text_pcrs(object, out);
    put_text_certificates(object, out);
    buf_puts(out, "\nThis is what the status says; kubectl tee verify repeats the check.\n");
}

void show_put_text(const struct object *object, int64_t now_ms, struct buf *out)
{
    const struct teedeployment *deployment = object->deployment;
    output_line(out, "TeeDeployment", deployment->key);
    output_line(out, "Phase", object->phase);
    output_line(out, "Image", image_of(object));
    output_line(out, "Invalid", deployment->invalid);
    put_text_condition(object, "Ready", now_ms, out);
    put_text_condition(object, "Attested", now_ms, out);
    put_text_instance(object, now_ms, out);
    put_text_verdict(object, now_ms, out);
}

static void put_time(struct json_writer *writer, const char *key, int64_t ms)
{
    char text[TIME_TEXT_SIZE];
    if (ms <= 0)
        return;
    time_format(ms, text);
    json_text(writer, key, text);
}

static void put_data_conditions(const struct object *object, struct json_writer *writer)
{
    const struct conditions *conditions = &object->deployment->status.conditions;
    json_open_array(writer, "conditions");
    for (size_t i = 0; i < conditions->count; i++) {
        json_open_object(writer, NULL);
        json_text(writer, "type", conditions->items[i].type);
        json_text(writer, "status", conditions->items[i].status);
        json_text(writer, "reason", conditions->items[i].reason);
        json_text(writer, "message", conditions->items[i].message);
        put_time(writer, "lastTransitionTime", conditions->items[i].transition_ms);
        json_close_object(writer);
    }
    json_close_array(writer);
}

static void put_data_instance(const struct object *object, struct json_writer *writer)
{
    const struct tee_instance_status *instance = &object->instance;
    if (!instance->id)
        return;
    json_open_object(writer, "instance");
    json_text(writer, "id", instance->id);
    json_text(writer, "state", instance->state);
    json_text(writer, "type", instance->type);
    json_text(writer, "availabilityZone", instance->availability_zone);
    json_text(writer, "privateIP", instance->private_ip);
    json_text(writer, "publicIP", instance->public_ip);
    put_time(writer, "launchTime", instance->launch_ms);
    json_close_object(writer);
}

static void put_data_pcrs(const struct object *object, struct json_writer *writer)
{
    const struct tee_attestation_status *attestation = &object->deployment->status.attestation;
    json_open_array(writer, "pcrs");
    for (size_t i = 0; i < attestation->pcr_count; i++) {
        CLEANUP(buf_done) struct buf matches;
        buf_init(&matches, OUTPUT_MAX);
        show_put_matches(object, &attestation->pcrs[i], &matches);
        json_open_object(writer, NULL);
        json_int(writer, "index", attestation->pcrs[i].index);
        json_text(writer, "sha384", attestation->pcrs[i].sha384);
        json_text(writer, "expectedBy", matches.len > 0 ? buf_text(&matches) : NULL);
        json_close_object(writer);
    }
    json_close_array(writer);
}

static void put_data_certificates(const struct object *object, struct json_writer *writer)
{
    struct show_certificates certificates;
    show_read_certificates(object, &certificates);
    json_open_array(writer, "certificates");
    for (size_t i = 0; i < certificates.count; i++) {
        json_open_object(writer, NULL);
        json_text(writer, "commonName", certificates.items[i].cn);
        put_time(writer, "notBefore", certificates.items[i].not_before_ms);
        put_time(writer, "notAfter", certificates.items[i].not_after_ms);
        json_close_object(writer);
    }
    json_close_array(writer);
}

static void put_data_verdict(const struct object *object, struct json_writer *writer)
{
    const struct tee_attestation_status *attestation = &object->deployment->status.attestation;
    if (!attestation->verdict)
        return;
    json_open_object(writer, "attestation");
    json_text(writer, "verdict", attestation->verdict);
    json_text(writer, "reason", attestation->reason);
    json_text(writer, "message", attestation->message);
    put_time(writer, "verifiedAt", attestation->verified_ms);
    put_time(writer, "validUntil", attestation->valid_until_ms);
    put_time(writer, "nextAt", attestation->next_ms);
    json_text(writer, "matchedMeasurement", attestation->matched_measurement);
    json_text(writer, "moduleID", attestation->module_id);
    put_time(writer, "enclaveLaunchedAt", attestation->enclave_launched_ms);
    put_time(writer, "documentTimestamp", attestation->document_ms);
    json_bool(writer, "nonceVerified", attestation->nonce_verified);
    json_bool(writer, "instanceBound", attestation->instance_bound);
    json_bool(writer, "roleBound", attestation->role_bound);
    json_text(writer, "publicKeyType", attestation->public_key_type);
    json_text(writer, "publicKeyFingerprint", attestation->public_key_fingerprint);
    json_text(writer, "userDataSHA256", attestation->user_data_sha256);
    json_text(writer, "evidenceSHA256", object->evidence_sha256);
    put_data_pcrs(object, writer);
    put_data_certificates(object, writer);
    json_close_object(writer);
}

void show_put_data(const struct object *object, struct buf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_text(&writer, "namespace", object->deployment->name_space);
    json_text(&writer, "name", object->deployment->name);
    json_text(&writer, "phase", object->phase);
    json_text(&writer, "image", image_of(object));
    json_text(&writer, "invalid", object->deployment->invalid);
    put_data_conditions(object, &writer);
    put_data_instance(object, &writer);
    put_data_verdict(object, &writer);
    json_close_object(&writer);
}
