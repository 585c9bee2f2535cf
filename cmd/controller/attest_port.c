/* The enclave side of the ports: asks a host for its document and has it judged. */
#include "base/encoding.h"
#include "base/mem.h"
#include "controller.h"
#include "nitro/attest.h"
#include "nitro/attest_fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PERMITS = 12, PERMITS_FAILING = 4, KEY_X25519_BYTES = 32 };

void attest_permits_init(struct attest_permits *permits)
{
    mutex_init(&permits->mutex);
    hmap_init(&permits->failing);
}

void attest_permits_done(struct attest_permits *permits)
{
    while (permits->idle_count > 0)
        http_client_free(permits->idle[--permits->idle_count]);
    hmap_done(&permits->failing, NULL);
    pthread_mutex_destroy(&permits->mutex);
}

/* Hosts that did not answer last time share a few permits, so that dead ones cannot starve the others. */
static bool take_permit(struct attest_permits *permits, const char *key, bool *ret_failing,
                        struct http_client **ret_client)
{
    LOCK_SCOPE(&permits->mutex);
    *ret_failing = hmap_get(&permits->failing, key) != NULL;
    if (permits->in_flight >= PERMITS || (*ret_failing && permits->failing_in_flight >= PERMITS_FAILING))
        return false;
    permits->in_flight++;
    permits->failing_in_flight += *ret_failing ? 1 : 0;
    *ret_client = permits->idle_count > 0 ? permits->idle[--permits->idle_count] : NULL;
    return true;
}

static void return_permit(struct attest_permits *permits, const char *key, bool failing, bool has_failed,
                          struct http_client *client)
{
    LOCK_SCOPE(&permits->mutex);
    permits->in_flight--;
    permits->failing_in_flight -= failing ? 1 : 0;
    permits->idle[permits->idle_count++] = client;
    if (has_failed)
        hmap_set(&permits->failing, key, permits);
    else
        hmap_remove(&permits->failing, key);
}

/* The policy of nitro in plain bytes, made from the spec's text. */
struct policy {
    struct attest_policy policy;
    struct attest_measurement sets[ATTEST_MEASUREMENTS_MAX];
    struct attest_pcr pcrs[ATTEST_MEASUREMENTS_MAX][32];
    uint8_t user_data_sha256[32];
    uint8_t public_key_sha256[32];
};

static void fill_set(const struct tee_measurement *from, struct attest_measurement *to,
                     struct attest_pcr *pcrs)
{
    *to = (struct attest_measurement){.name = from->name,
                                      .pcrs = pcrs,
                                      .not_before_ms = from->not_before_ms,
                                      .not_after_ms = from->not_after_ms};
    for (size_t i = 0; i < from->pcr_count && i < 32; i++) {
        pcrs[i].index = (unsigned)from->pcrs[i].index;
        /* A value that is not hex matches nothing: it stays in the set as an impossible one. */
        if (hex_decode(from->pcrs[i].sha384, pcrs[i].value, ATTEST_PCR_BYTES) < 0)
            memset(pcrs[i].value, 0xff, ATTEST_PCR_BYTES);
        to->pcr_count++;
    }
}

static int fill_digest(const char *text, const char *field, uint8_t digest[32], const uint8_t **ret,
                       struct error *err)
{
    if (!text)
        return 0;
    if (hex_decode(text, digest, 32) < 0)
        return error_set(err, ERROR_INVALID, "Invalid", "spec.attestation.%s must be 64 hex digits", field);
    *ret = digest;
    return 0;
}

static void fill_role(const struct attest_request *request, struct attest_policy *policy)
{
    policy->role_arn = request->effective->attestation.instance_role_arn;
    if (policy->role_arn)
        policy->role_check = ATTEST_ROLE_ARN;
    else
        policy->role_check = request->has_profile ? ATTEST_ROLE_UNCHECKED : ATTEST_ROLE_NONE;
}

static int fill_policy(const struct controller *controller, const struct attest_request *request,
                       struct policy *ret, struct error *err)
{
    const struct tee_attestation_spec *spec = &request->effective->attestation;
    const struct attest_protocol *protocol = attest_protocol_find(attest_protocol_names[spec->protocol]);
    struct attest_policy *policy = &ret->policy;
    policy->roots = &controller->roots;
    policy->now_ms = clock_wall_ms(controller->clock);
    policy->max_age_ms = (int64_t)spec->max_age_seconds * 1000;
    policy->instance_id = request->host->id;
    /* A preset without a nonce is not rejected for it: VerifiedWithoutNonce is a verdict, and plan.c says
     * what for. */
    policy->require_nonce = protocol && protocol->nonce_bytes > 0;
    policy->allow_debug = controller->options->allow_debug && request->effective->debug_mode;
    fill_role(request, policy);
    policy->measurements = ret->sets;
    policy->measurement_count = spec->measurement_count;
    for (size_t i = 0; i < spec->measurement_count; i++)
        fill_set(&spec->measurements[i], &ret->sets[i], ret->pcrs[i]);
    if (fill_digest(spec->user_data_sha256, "userDataSHA256", ret->user_data_sha256,
                    &policy->user_data_sha256, err) < 0)
        return -1;
    return fill_digest(spec->public_key_sha256, "publicKeySHA256", ret->public_key_sha256,
                       &policy->public_key_sha256, err);
}

static const char *hex_text(struct arena *arena, const void *data, size_t len)
{
    char *text = arena_calloc(arena, 2 * len + 1, 1);
    hex_encode(data, len, text);
    return text;
}

static void copy_pcrs(const struct attest_result *result, struct arena *arena,
                      struct tee_attestation_status *verdict)
{
    static const uint8_t zero[ATTEST_PCR_BYTES];
    struct tee_pcr_value *pcrs = arena_calloc(arena, ATTEST_PCR_COUNT, sizeof(*pcrs));
    for (unsigned i = 0; i < ATTEST_PCR_COUNT; i++) {
        bool is_present = result->pcr_mask >> i & 1;
        bool is_always_shown = i <= 4 || i == 8;
        if (!is_present || (!is_always_shown && memcmp(result->pcrs[i], zero, sizeof(zero)) == 0))
            continue;
        pcrs[verdict->pcr_count].index = (int)i;
        hex_encode(result->pcrs[i], ATTEST_PCR_BYTES, pcrs[verdict->pcr_count++].sha384);
    }
    verdict->pcrs = pcrs;
}

static void copy_key(const struct attest_result *result, struct arena *arena,
                     struct tee_attestation_status *verdict)
{
    if (result->public_key_len == 0)
        return;
    CLEANUP(freep) char *text = base64_encode(result->public_key, result->public_key_len);
    uint8_t digest[SHA256_BYTES];
    sha256(result->public_key, result->public_key_len, digest);
    verdict->public_key = arena_strdup(arena, text);
    verdict->public_key_type = result->public_key_len == KEY_X25519_BYTES ? "X25519" : "DER";
    verdict->public_key_fingerprint = hex_text(arena, digest, sizeof(digest));
}

static void copy_claims(const struct attest_request *request, const struct attest_result *result,
                        struct tee_attestation_status *verdict)
{
    struct arena *arena = request->arena;
    verdict->claims[0] = (struct tee_claim){"instance_id", arena_strdup(arena, result->instance_id)};
    verdict->claims[1] =
        (struct tee_claim){"enclave_cpu_count", arena_printf(arena, "%d", request->effective->cpu_count)};
    verdict->claims[2] =
        (struct tee_claim){"enclave_memory_mb", arena_printf(arena, "%d", request->effective->memory_mib)};
    verdict->claim_count = 3;
}

static void copy_result(const struct attest_request *request, const struct attest_result *result,
                        struct tee_attestation_status *verdict)
{
    struct arena *arena = request->arena;
    bool is_good = result->verdict == ATTEST_VERIFIED || result->verdict == ATTEST_VERIFIED_WITHOUT_NONCE;
    *verdict = (struct tee_attestation_status){
        .verdict = attest_verdict_name(result->verdict),
        .reason = is_good ? NULL : attest_result_reason(result),
        .message = result->message[0] ? arena_strdup(arena, result->message) : "The document was verified",
        .nonce_verified = result->nonce_verified,
        .instance_bound = result->instance_bound,
        .role_bound = result->role_bound,
    };
    if (!result->has_claims)
        return;
    verdict->document_ms = result->document_timestamp_ms;
    verdict->module_id = arena_strdup(arena, result->module_id);
    verdict->enclave_launched_ms = result->launched_at_ms;
    verdict->leaf_not_after_ms = result->leaf_not_after_ms;
    verdict->root_sha256 = hex_text(arena, result->root_sha256, sizeof(result->root_sha256));
    if (result->matched_name[0])
        verdict->matched_measurement = arena_strdup(arena, result->matched_name);
    if (result->has_user_data)
        verdict->user_data_sha256 =
            hex_text(arena, result->user_data_sha256, sizeof(result->user_data_sha256));
    copy_pcrs(result, arena, verdict);
    copy_key(result, arena, verdict);
    copy_claims(request, result, verdict);
}

static int judge(struct controller *controller, const struct attest_request *request,
                 struct attest_evidence *evidence, struct attest_reply *ret_reply, struct error *err)
{
    CLEANUP(freep) struct policy *policy = mem_calloc(1, sizeof(*policy));
    if (fill_policy(controller, request, policy, err) < 0)
        return -1;
    attest_evidence_apply(evidence, &policy->policy);
    CLEANUP(freep) struct attest_result *result = mem_calloc(1, sizeof(*result));
    attest_verify(buf_text(&evidence->document), evidence->document.len, &policy->policy, result);
    copy_result(request, result, &ret_reply->verdict);
    ret_reply->has_document = true;
    ret_reply->document_len = evidence->document.len;
    ret_reply->document = mem_dup(buf_text(&evidence->document), evidence->document.len);
    return 0;
}

static void clear_reply(struct attest_reply *reply)
{
    *reply = (struct attest_reply){0};
}

/* An answer that breaks the protocol is a rejected document, not an absent one. */
static int malformed(struct attest_reply *reply, const struct attest_request *request,
                     const struct error *err)
{
    reply->has_document = true;
    reply->verdict = (struct tee_attestation_status){.verdict = "Rejected",
                                                     .reason = "MalformedDocument",
                                                     .message = arena_strdup(request->arena, err->text)};
    return 0;
}

static int take_answer(struct controller *controller, const struct attest_request *request,
                       struct attest_evidence *evidence, struct attest_reply *reply, struct error *err)
{
    reply->has_connected = true;
    if (evidence->answer == ATTEST_ANSWER_DOCUMENT)
        return judge(controller, request, evidence, reply, err);
    if (evidence->answer == ATTEST_ANSWER_BOOTING) {
        snprintf(reply->boot_phase, sizeof(reply->boot_phase), "%s", native_phase_name(evidence->boot.phase));
        reply->boot_seconds = evidence->boot.seconds;
        return error_set(err, ERROR_UNAVAILABLE, "Booting", "the host is still booting (phase %s)",
                         reply->boot_phase);
    }
    return error_set(err, ERROR_UNAVAILABLE, "Refused", "the host answered with HTTP status %ld",
                     evidence->status);
}

static int ask(struct controller *controller, const struct attest_request *request,
               struct http_client *client, struct attest_reply *reply, struct error *err)
{
    const struct tee_attestation_spec *spec = &request->effective->attestation;
    struct attest_fetch fetch = {.protocol = attest_protocol_find(attest_protocol_names[spec->protocol]),
                                 .address = request->host->private_ip,
                                 .port = (uint16_t)spec->port,
                                 .stop = &controller->stop};
    struct attest_evidence evidence = {0};
    if (attest_fetch(client, &fetch, &evidence, err) < 0)
        return strcmp(err->reason, "MalformedDocument") == 0 ? malformed(reply, request, err) : -1;
    int result = take_answer(controller, request, &evidence, reply, err);
    attest_evidence_done(&evidence);
    return result;
}

static int attest(void *ctx, const struct attest_request *request, struct attest_reply *ret_reply,
                  struct error *err)
{
    struct controller *controller = ctx;
    struct http_client *client = NULL;
    bool failing = false;
    clear_reply(ret_reply);
    if (!take_permit(&controller->permits, request->object->key, &failing, &client))
        return error_set(err, ERROR_THROTTLED, "NoPermit", "too many attestation requests are in flight");
    if (!client)
        client = http_client_new();
    int result = ask(controller, request, client, ret_reply, err);
    return_permit(&controller->permits, request->object->key, failing, result < 0, client);
    return result;
}

void attest_port_fill(struct controller *controller)
{
    controller->ports.attest = attest;
}
