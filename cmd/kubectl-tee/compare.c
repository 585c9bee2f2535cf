/* A fact that the status leaves out is no difference: it misleads nobody. */
#include "compare.h"

#include "base/encoding.h"
#include "base/mem.h"
#include "evidence/evidence_status.h"

#include <string.h>

struct differences {
    struct arena *arena;
    const char **texts;
    size_t count;
};

static void note(struct differences *differences, const char *field, const char *said, const char *found)
{
    if (differences->count < CHECK_DIFFERENCES_MAX)
        differences->texts[differences->count++] =
            arena_printf(differences->arena, "%s is %s in status, %s by the evidence", field, said,
                         found ? found : "absent");
}

static void compare_text(struct differences *differences, const char *field, const char *said,
                         const char *found)
{
    if (said && (!found || strcmp(said, found) != 0))
        note(differences, field, said, found);
}

/* The status holds whole seconds. */
static void compare_time(struct differences *differences, const char *field, int64_t said_ms,
                         int64_t found_ms)
{
    char said[TIME_TEXT_SIZE], found[TIME_TEXT_SIZE];
    if (said_ms <= 0 || said_ms / 1000 == found_ms / 1000)
        return;
    time_format(said_ms, said);
    time_format(found_ms, found);
    note(differences, field, said, found_ms > 0 ? found : NULL);
}

static const char *find_pcr(const struct tee_attestation_status *status, int index)
{
    for (size_t i = 0; i < status->pcr_count; i++)
        if (status->pcrs[i].index == index)
            return status->pcrs[i].sha384;
    return NULL;
}

static void compare_pcrs(struct differences *differences, const struct tee_attestation_status *said,
                         const struct tee_attestation_status *found)
{
    for (size_t i = 0; i < said->pcr_count; i++) {
        char field[16];
        snprintf(field, sizeof(field), "PCR%d", said->pcrs[i].index);
        compare_text(differences, field, said->pcrs[i].sha384, find_pcr(found, said->pcrs[i].index));
    }
}

/* NULL also where it is empty: a check that ended before the binding did not get that far. */
static const char *find_claim(const struct tee_attestation_status *status, const char *key)
{
    for (size_t i = 0; i < status->claim_count; i++)
        if (strcmp(status->claims[i].key, key) == 0)
            return status->claims[i].value[0] ? status->claims[i].value : NULL;
    return NULL;
}

static void compare_facts(struct differences *differences, const struct tee_attestation_status *said,
                          const struct tee_attestation_status *found)
{
    compare_text(differences, "moduleID", said->module_id, found->module_id);
    if (find_claim(found, "instance_id"))
        compare_text(differences, "claims.instance_id", find_claim(said, "instance_id"),
                     find_claim(found, "instance_id"));
    compare_pcrs(differences, said, found);
    compare_time(differences, "documentTimestamp", said->document_ms, found->document_ms);
    compare_text(differences, "publicKey.value", said->public_key, found->public_key);
    compare_text(differences, "publicKey.fingerprint", said->public_key_fingerprint,
                 found->public_key_fingerprint);
    compare_text(differences, "userDataSHA256", said->user_data_sha256, found->user_data_sha256);
    compare_text(differences, "rootSHA256", said->root_sha256, found->root_sha256);
    compare_time(differences, "leafNotAfter", said->leaf_not_after_ms, found->leaf_not_after_ms);
}

bool compare_is_beyond_evidence(const struct tee_attestation_status *status)
{
    static const char *const reasons[] = {"Stale",        "FromFuture",         "NonceMismatch",
                                          "NonceMissing", "CertificateExpired", "MeasurementExpired",
                                          "KeyMismatch"};
    for (size_t i = 0; status->reason && i < ARRAY_LEN(reasons); i++)
        if (strcmp(status->reason, reasons[i]) == 0)
            return true;
    return false;
}

static bool is_policy_of_flags(const struct flags *flags)
{
    return flags->pcr_count > 0 || flags->has_nonce || flags->instance_id || flags->role_arn ||
           flags->time == FLAGS_TIME_NOW || flags->time == FLAGS_TIME_GIVEN;
}

/* With or without a nonce is one verdict here, as the nonce is not in the status. Expired says only that some
 * verdict was good once. */
static void compare_verdict(struct differences *differences, const struct tee_attestation_status *said,
                            const struct attest_result *result)
{
    bool is_said_good =
        strcmp(said->verdict, "Verified") == 0 || strcmp(said->verdict, "VerifiedWithoutNonce") == 0;
    bool is_found_good =
        result->verdict == ATTEST_VERIFIED || result->verdict == ATTEST_VERIFIED_WITHOUT_NONCE;
    const char *word = said->reason && !is_said_good ? said->reason : said->verdict;
    if (strcmp(said->verdict, "Expired") == 0 || compare_is_beyond_evidence(said))
        return;
    if (is_said_good != is_found_good)
        note(differences, "verdict", word, attest_result_reason(result));
    else if (!is_said_good)
        compare_text(differences, "reason", said->reason, attest_result_reason(result));
}

size_t compare_status(const struct check_input *input, const struct attest_result *result,
                      struct arena *arena, const char *ret_differences[CHECK_DIFFERENCES_MAX])
{
    struct differences differences = {.arena = arena, .texts = ret_differences};
    const struct tee_attestation_status *said = &input->object->deployment->status.attestation;
    struct tee_attestation_status found;
    char digest[SHA256_HEX_SIZE];
    sha256_hex(input->document, input->len, digest);
    evidence_status_fill(result, &input->object->effective, arena, &found);
    compare_text(&differences, "evidenceSHA256",
                 input->object->evidence_sha256 ? input->object->evidence_sha256 : "absent", digest);
    if (result->has_claims) /* what is not signed states no facts; the check itself refuses it */
        compare_facts(&differences, said, &found);
    if (said->verdict && !is_policy_of_flags(input->flags))
        compare_verdict(&differences, said, result);
    return differences.count;
}
