/* The facts come through pkg/evidence, so that they read as they do in a status. */
#include "verify_output.h"

#include "base/encoding.h"
#include "base/json_writer.h"
#include "evidence/evidence_status.h"
#include "printable.h"

#include <string.h>

/* What the check found, as a status would hold it. */
static void fill_facts(const struct verify_report *report, struct arena *arena,
                       struct tee_attestation_status *ret_facts)
{
    static const struct tee_spec nothing;
    const struct object *object = report->input->object;
    evidence_status_fill(&report->check->result, object ? &object->effective : &nothing, arena, ret_facts);
}

static void put_basis(const struct verify_report *report, struct buf *out)
{
    const struct attest_policy *policy = &report->check->policy.policy;
    char time[TIME_TEXT_SIZE], digest[SHA256_HEX_SIZE];
    sha256_hex(report->input->document, report->input->len, digest);
    output_line(out, "Document", report->source);
    output_linef(out, "SHA-256", "%s (%zu bytes)", digest, report->input->len);
    time_format(policy->now_ms, time);
    output_linef(out, "Checked at", "%s", policy->at_document_time ? "the document's own time" : time);
}

static const char *bound(bool is_bound, const void *is_asked)
{
    return is_bound ? "as expected" : is_asked ? "not as expected" : "not compared";
}

static void put_bindings(const struct verify_report *report, struct buf *out)
{
    const struct attest_result *result = &report->check->result;
    const struct attest_policy *policy = &report->check->policy.policy;
    output_linef(out, "Instance", "%s, %s: %s", result->instance_id[0] ? result->instance_id : "unknown",
                 result->region[0] ? result->region : "region unknown",
                 bound(result->instance_bound, policy->instance_id));
    if (policy->role_check == ATTEST_ROLE_ARN)
        output_linef(out, "Role", "%s: %s", policy->role_arn, bound(result->role_bound, policy));
    else if (policy->role_check == ATTEST_ROLE_NONE)
        output_linef(out, "Role", "none: %s", bound(result->role_bound, policy));
    else
        output_line(out, "Role", "not compared");
    if (result->nonce_verified)
        output_line(out, "Nonce", "the one that was asked with");
    else
        output_line(out, "Nonce", policy->nonce ? "not the one that was asked with" : "not compared");
}

static void put_facts(const struct verify_report *report, struct buf *out)
{
    CLEANUP(arena_done) struct arena arena;
    struct tee_attestation_status facts;
    int64_t now_ms = report->input->now_ms;
    arena_init(&arena);
    fill_facts(report, &arena, &facts);
    output_line(out, "Module", facts.module_id);
    put_bindings(report, out);
    output_time(out, "Signed at", facts.document_ms, now_ms);
    output_time(out, "Enclave since", facts.enclave_launched_ms, now_ms);
    output_line(out, "Root SHA-256", facts.root_sha256);
    for (size_t i = 0; i < facts.pcr_count; i++) {
        char label[16];
        snprintf(label, sizeof(label), "PCR%d", facts.pcrs[i].index);
        output_line(out, label, facts.pcrs[i].sha384);
    }
    if (facts.public_key)
        output_linef(out, "Public key", "%s, SHA-256 %s", facts.public_key_type,
                     facts.public_key_fingerprint);
    output_line(out, "User data", facts.user_data_sha256);
    output_line(out, "Matches", facts.matched_measurement);
}

static void put_comparison(const struct check *check, struct buf *out)
{
    if (!check->is_compared)
        return;
    if (check->difference_count == 0)
        output_line(out, "Status", "agrees with its evidence");
    for (size_t i = 0; i < check->difference_count; i++)
        output_linef(out, "Status", "differs: %s", check->differences[i]);
}

void verify_put_text(const struct verify_report *report, struct buf *out)
{
    const struct check *check = report->check;
    bool has_nonce = check->result.verdict == ATTEST_VERIFIED;
    put_basis(report, out);
    if (check->result.has_claims)
        put_facts(report, out);
    put_comparison(check, out);
    if (check->is_accepted && !has_nonce)
        output_line(out, "Freshness",
                    "not proven: no nonce was asked for; verify NAME --live asks with one of its own");
    if (check->reason && strcmp(check->reason, "NoExpectedPCRs") == 0)
        output_line(out, "Hint",
                    "give the expected PCRs with --pcr N=HEX, or in spec.attestation.measurements");
    if (check->is_accepted) {
        buf_printf(out, "%s\n", attest_verdict_name(check->result.verdict));
        return;
    }
    buf_puts(out, "Rejected: ");
    printable_put(out, check->reason);
    buf_puts(out, ": ");
    printable_put(out, check->message);
    buf_putc(out, '\n');
}

static void put_time(struct json_writer *writer, const char *key, int64_t ms)
{
    char text[TIME_TEXT_SIZE];
    if (ms <= 0)
        return;
    time_format(ms, text);
    json_text(writer, key, text);
}

static void put_data_facts(const struct verify_report *report, struct json_writer *writer)
{
    CLEANUP(arena_done) struct arena arena;
    struct tee_attestation_status facts;
    arena_init(&arena);
    fill_facts(report, &arena, &facts);
    json_text(writer, "moduleID", facts.module_id);
    json_text(writer, "instanceID", report->check->result.instance_id);
    json_text(writer, "region", report->check->result.region);
    put_time(writer, "documentTimestamp", facts.document_ms);
    put_time(writer, "enclaveLaunchedAt", facts.enclave_launched_ms);
    json_bool(writer, "nonceVerified", facts.nonce_verified);
    json_bool(writer, "instanceBound", facts.instance_bound);
    json_bool(writer, "roleBound", facts.role_bound);
    json_text(writer, "matchedMeasurement", facts.matched_measurement);
    json_open_array(writer, "pcrs");
    for (size_t i = 0; i < facts.pcr_count; i++) {
        json_open_object(writer, NULL);
        json_int(writer, "index", facts.pcrs[i].index);
        json_text(writer, "sha384", facts.pcrs[i].sha384);
        json_close_object(writer);
    }
    json_close_array(writer);
    if (facts.public_key) {
        json_open_object(writer, "publicKey");
        json_text(writer, "value", facts.public_key);
        json_text(writer, "keyType", facts.public_key_type);
        json_text(writer, "fingerprint", facts.public_key_fingerprint);
        json_close_object(writer);
    }
    json_text(writer, "userDataSHA256", facts.user_data_sha256);
    put_time(writer, "leafNotAfter", facts.leaf_not_after_ms);
    json_text(writer, "rootSHA256", facts.root_sha256);
}

void verify_put_data(const struct verify_report *report, struct buf *out)
{
    const struct check *check = report->check;
    const struct attest_policy *policy = &check->policy.policy;
    char digest[SHA256_HEX_SIZE];
    struct json_writer writer;
    sha256_hex(report->input->document, report->input->len, digest);
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_bool(&writer, "accepted", check->is_accepted);
    json_text(&writer, "verdict",
              check->is_accepted ? attest_verdict_name(check->result.verdict) : "Rejected");
    json_text(&writer, "reason", check->reason);
    json_text(&writer, "message", check->message);
    json_text(&writer, "source", report->source);
    json_text(&writer, "evidenceSHA256", digest);
    if (policy->at_document_time)
        json_text(&writer, "checkedAt", "document");
    else
        put_time(&writer, "checkedAt", policy->now_ms);
    if (check->result.has_claims)
        put_data_facts(report, &writer);
    if (check->is_compared) {
        json_open_array(&writer, "statusDifferences");
        for (size_t i = 0; i < check->difference_count; i++)
            json_text(&writer, NULL, check->differences[i]);
        json_close_array(&writer);
    }
    json_close_object(&writer);
}
