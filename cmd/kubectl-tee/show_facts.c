/* Reading only: what does not parse is left out. */
#include "show_facts.h"

#include "nitro/cose.h"

#include <string.h>

static void add(struct show_certificates *certificates, const struct attest_span *der)
{
    struct attest_cert_link ignored;
    const char *problem = NULL;
    if (certificates->count < SHOW_CERTIFICATES_MAX &&
        attest_cert_parse(der, &certificates->items[certificates->count], &ignored, &problem) == 0)
        certificates->count++;
}

void show_read_certificates(const struct object *object, struct show_certificates *ret_certificates)
{
    struct cose cose;
    struct attest_doc doc;
    struct error ignored = {0};
    ret_certificates->count = 0;
    if (!object->evidence || cose_parse(object->evidence, object->evidence_len, &cose, &ignored) < 0 ||
        attest_doc_parse(cose.payload, cose.payload_len, &doc, &ignored) < 0)
        return;
    for (size_t i = 0; i < doc.cabundle_count && i < ATTEST_BUNDLE_MAX; i++)
        add(ret_certificates, &doc.cabundle[i]);
    add(ret_certificates, &doc.certificate);
}

void show_put_matches(const struct object *object, const struct tee_pcr_value *pcr, struct buf *out)
{
    const struct tee_attestation_spec *spec = &object->deployment->spec.attestation;
    bool is_named = false, is_matched = false;
    for (size_t i = 0; i < spec->measurement_count; i++)
        for (size_t k = 0; k < spec->measurements[i].pcr_count; k++) {
            const struct tee_pcr *expected = &spec->measurements[i].pcrs[k];
            if (expected->index != pcr->index)
                continue;
            is_named = true;
            if (!expected->sha384 || strcmp(expected->sha384, pcr->sha384) != 0)
                continue;
            buf_printf(out, "%s%s", is_matched ? ", " : "",
                       spec->measurements[i].name ? spec->measurements[i].name : "unnamed");
            is_matched = true;
        }
    if (is_named && !is_matched)
        buf_puts(out, "differs");
}

void show_put_bound(const struct tee_attestation_status *attestation, struct buf *out)
{
    const struct {
        bool is_bound;
        const char *word;
    } words[] = {{attestation->nonce_verified, "nonce"},
                 {attestation->instance_bound, "instance"},
                 {attestation->role_bound, "role"}};
    bool is_any = false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (words[i].is_bound) {
            buf_printf(out, "%s%s", is_any ? ", " : "", words[i].word);
            is_any = true;
        }
    if (!is_any)
        buf_puts(out, "nothing");
}

void show_put_awaited(const struct object *object, struct buf *out)
{
    const struct teedeployment *deployment = object->deployment;
    const struct condition *attested = condition_find(&deployment->status.conditions, "Attested");
    const struct condition *ready = condition_find(&deployment->status.conditions, "Ready");
    const struct condition *why =
        ready && ready->reason && strcmp(ready->status, "True") != 0 ? ready : attested;
    buf_puts(out, "none yet");
    if (!why)
        buf_puts(out,
                 "; no controller has looked at this object: does one run, and does its selector admit it?");
    else
        buf_printf(out, "; %s: %s", why->reason ? why->reason : "Pending", why->message ? why->message : "");
    if (object->boot_phase)
        buf_printf(out, " (host boots: %s, %lld s)", object->boot_phase, (long long)object->boot_seconds);
}
