/* One function for each part that takes more than a line. */
#include "evidence/evidence_status.h"

#include "base/cleanup.h"
#include "base/encoding.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_X25519_BYTES = 32 };

static const char *hex_text(struct arena *arena, const void *data, size_t len)
{
    char *text = arena_calloc(arena, 2 * len + 1, 1);
    hex_encode(data, len, text);
    return text;
}

static void copy_pcrs(const struct attest_result *result, struct arena *arena,
                      struct tee_attestation_status *status)
{
    static const uint8_t zero[ATTEST_PCR_BYTES];
    struct tee_pcr_value *pcrs = arena_calloc(arena, ATTEST_PCR_COUNT, sizeof(*pcrs));
    for (unsigned i = 0; i < ATTEST_PCR_COUNT; i++) {
        bool is_present = result->pcr_mask >> i & 1;
        bool is_always_shown = i <= 4 || i == 8;
        if (!is_present || (!is_always_shown && memcmp(result->pcrs[i], zero, sizeof(zero)) == 0))
            continue;
        pcrs[status->pcr_count].index = (int)i;
        hex_encode(result->pcrs[i], ATTEST_PCR_BYTES, pcrs[status->pcr_count++].sha384);
    }
    status->pcrs = pcrs;
}

static void copy_key(const struct attest_result *result, struct arena *arena,
                     struct tee_attestation_status *status)
{
    if (result->public_key_len == 0)
        return;
    CLEANUP(freep) char *text = base64_encode(result->public_key, result->public_key_len);
    uint8_t digest[SHA256_BYTES];
    sha256(result->public_key, result->public_key_len, digest);
    status->public_key = arena_strdup(arena, text);
    status->public_key_type = result->public_key_len == KEY_X25519_BYTES ? "X25519" : "DER";
    status->public_key_fingerprint = hex_text(arena, digest, sizeof(digest));
}

static void copy_claims(const struct attest_result *result, const struct tee_spec *effective,
                        struct arena *arena, struct tee_attestation_status *status)
{
    status->claims[0] = (struct tee_claim){"instance_id", arena_strdup(arena, result->instance_id)};
    status->claims[1] =
        (struct tee_claim){"enclave_cpu_count", arena_printf(arena, "%d", effective->cpu_count)};
    status->claims[2] =
        (struct tee_claim){"enclave_memory_mb", arena_printf(arena, "%d", effective->memory_mib)};
    status->claim_count = 3;
}

void evidence_status_fill(const struct attest_result *result, const struct tee_spec *effective,
                          struct arena *arena, struct tee_attestation_status *ret_status)
{
    struct tee_attestation_status *status = ret_status;
    bool is_good = result->verdict == ATTEST_VERIFIED || result->verdict == ATTEST_VERIFIED_WITHOUT_NONCE;
    *status = (struct tee_attestation_status){
        .verdict = attest_verdict_name(result->verdict),
        .reason = is_good ? NULL : attest_result_reason(result),
        .message = result->message[0] ? arena_strdup(arena, result->message) : "The document was verified",
        .nonce_verified = result->nonce_verified,
        .instance_bound = result->instance_bound,
        .role_bound = result->role_bound,
    };
    if (!result->has_claims)
        return;
    status->document_ms = result->document_timestamp_ms;
    status->module_id = arena_strdup(arena, result->module_id);
    status->enclave_launched_ms = result->launched_at_ms;
    status->leaf_not_after_ms = result->leaf_not_after_ms;
    status->root_sha256 = hex_text(arena, result->root_sha256, sizeof(result->root_sha256));
    if (result->matched_name[0])
        status->matched_measurement = arena_strdup(arena, result->matched_name);
    if (result->has_user_data)
        status->user_data_sha256 =
            hex_text(arena, result->user_data_sha256, sizeof(result->user_data_sha256));
    copy_pcrs(result, arena, status);
    copy_key(result, arena, status);
    copy_claims(result, effective, arena, status);
}
