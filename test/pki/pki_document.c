/* Payload first, then the COSE envelope around it. The nine keys are written in the real order unless the
 * defects name another list; each value comes from the defects, else from the spec. */
#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "pki/cbor_writer.h"
#include "pki/pki_internal.h"

#include <openssl/ecdsa.h>
#include <string.h>

enum { COORDINATE_BYTES = 48, REAL_PCR_COUNT = 16 };

static const struct pki_defects no_defects;

static const struct pki_defects *defects_of(const struct pki_document_spec *spec)
{
    return spec->defects ? spec->defects : &no_defects;
}

static void pcr_value(const struct pki_document_spec *spec, int index, uint8_t ret_pcr[PKI_PCR_BYTES])
{
    const char *pcr4_id = defects_of(spec)->pcr4_instance_id;
    memset(ret_pcr, 0, PKI_PCR_BYTES);
    if (index <= 2 && !spec->debug)
        pki_sim_pcr(index, spec->image_digest, ret_pcr);
    else if (index == 3 && spec->role_arn)
        pki_measure(spec->role_arn, strlen(spec->role_arn), ret_pcr);
    else if (index == 4 && pcr4_id)
        pki_measure(pcr4_id, strlen(pcr4_id), ret_pcr);
    else if (index == 4)
        pki_measure(spec->module_id, pki_instance_id_len(spec->module_id), ret_pcr);
}

static void open_container(struct buf *out, enum cbor_major major, size_t count, bool indefinite)
{
    if (indefinite)
        cbor_write_indefinite(out, major);
    else
        cbor_write_head(out, major, count);
}

static void write_pcrs(struct buf *out, const struct pki_document_spec *spec)
{
    bool indefinite = defects_of(spec)->indefinite_pcrs;
    open_container(out, CBOR_MAJOR_MAP, REAL_PCR_COUNT, indefinite);
    for (int i = 0; i < REAL_PCR_COUNT; i++) {
        uint8_t pcr[PKI_PCR_BYTES];
        pcr_value(spec, i, pcr);
        cbor_write_head(out, CBOR_MAJOR_UINT, (uint64_t)i);
        cbor_write_bytes(out, pcr, sizeof(pcr));
    }
    if (indefinite)
        cbor_write_break(out);
}

static void write_cabundle(struct buf *out, const struct pki_defects *defects, const struct pki_chain *chain)
{
    const struct pki_span *bundle = defects->cabundle ? defects->cabundle : chain->der;
    size_t count = defects->cabundle ? defects->cabundle_count : PKI_LEAF;
    open_container(out, CBOR_MAJOR_ARRAY, count, defects->indefinite_cabundle);
    for (size_t i = 0; i < count; i++)
        cbor_write_bytes(out, bundle[i].data, bundle[i].len);
    if (defects->indefinite_cabundle)
        cbor_write_break(out);
}

static void write_optional(struct buf *out, struct pki_span span)
{
    if (span.data)
        cbor_write_bytes(out, span.data, span.len);
    else
        cbor_write_null(out);
}

static void write_value(struct buf *out, const char *key, const struct pki_document_spec *spec,
                        const struct pki_chain *chain)
{
    const struct pki_defects *defects = defects_of(spec);
    for (size_t i = 0; i < defects->value_count; i++)
        if (strcmp(defects->values[i].key, key) == 0) {
            buf_append(out, defects->values[i].cbor.data, defects->values[i].cbor.len);
            return;
        }
    if (strcmp(key, "module_id") == 0)
        cbor_write_text(out, spec->module_id);
    else if (strcmp(key, "digest") == 0)
        cbor_write_text(out, "SHA384");
    else if (strcmp(key, "timestamp") == 0)
        cbor_write_head(out, CBOR_MAJOR_UINT, (uint64_t)spec->timestamp_ms);
    else if (strcmp(key, "pcrs") == 0 || strcmp(key, "nitrotpm_pcrs") == 0)
        write_pcrs(out, spec);
    else if (strcmp(key, "certificate") == 0)
        write_optional(out, defects->certificate.data ? defects->certificate : chain->der[PKI_LEAF]);
    else if (strcmp(key, "cabundle") == 0)
        write_cabundle(out, defects, chain);
    else if (strcmp(key, "public_key") == 0)
        write_optional(out, spec->public_key);
    else if (strcmp(key, "user_data") == 0)
        write_optional(out, spec->user_data);
    else if (strcmp(key, "nonce") == 0)
        write_optional(out, spec->nonce);
    else
        cbor_write_head(out, CBOR_MAJOR_UINT, 1);
}

static void write_payload(struct buf *out, const struct pki_document_spec *spec,
                          const struct pki_chain *chain)
{
    static const char *const real_keys[] = {"module_id", "digest",     "timestamp", "pcrs",  "certificate",
                                            "cabundle",  "public_key", "user_data", "nonce", NULL};
    const struct pki_defects *defects = defects_of(spec);
    const char *const *keys = defects->keys ? defects->keys : real_keys;
    size_t count = 0;
    while (keys[count])
        count++;
    open_container(out, CBOR_MAJOR_MAP, count, !defects->definite_map);
    for (size_t i = 0; i < count; i++) {
        cbor_write_text(out, keys[i]);
        write_value(out, keys[i], spec, chain);
    }
    if (!defects->definite_map && !defects->missing_break)
        cbor_write_break(out);
    buf_append(out, defects->payload_tail.data, defects->payload_tail.len);
}

/* r and s, each big endian in the width of its own group's order, as COSE wants them. */
static void sign(EVP_PKEY *key, const struct buf *message, uint8_t ret_signature[2 * COORDINATE_BYTES])
{
    uint8_t der[160];
    size_t der_len = sizeof(der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    pki_check(ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha384(), NULL, key) == 1, "sign init");
    pki_check(EVP_DigestSign(ctx, der, &der_len, (const uint8_t *)message->data, message->len) == 1, "sign");
    EVP_MD_CTX_free(ctx);
    const uint8_t *at = der;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)der_len);
    pki_check(signature != NULL, "signature");
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), ret_signature, COORDINATE_BYTES);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), ret_signature + COORDINATE_BYTES, COORDINATE_BYTES);
    ECDSA_SIG_free(signature);
}

static void append_or(struct buf *out, struct pki_span odd, const char *right, size_t right_len)
{
    if (odd.data)
        buf_append(out, odd.data, odd.len);
    else
        buf_append(out, right, right_len);
}

static void write_envelope(struct buf *out, const struct pki_defects *defects, const struct buf *payload,
                           EVP_PKEY *key)
{
    struct pki_span header = {"\xa1\x01\x38\x22", 4};
    if (defects->protected_header.data)
        header = defects->protected_header;
    CLEANUP(buf_done) struct buf message;
    buf_init(&message, PKI_DOCUMENT_MAX);
    cbor_write_head(&message, CBOR_MAJOR_ARRAY, 4);
    cbor_write_text(&message, "Signature1");
    cbor_write_bytes(&message, header.data, header.len);
    cbor_write_bytes(&message, "", 0);
    cbor_write_bytes(&message, payload->data, payload->len);
    uint8_t signature[2 * COORDINATE_BYTES];
    sign(key, &message, signature);
    append_or(out, defects->outer_head, "\x84", 1);
    cbor_write_bytes(out, header.data, header.len);
    append_or(out, defects->unprotected_header, "\xa0", 1);
    cbor_write_bytes(out, payload->data, payload->len);
    struct pki_span right = {signature, sizeof(signature)};
    struct pki_span written = defects->signature.data ? defects->signature : right;
    cbor_write_bytes(out, written.data, written.len);
    buf_append(out, defects->document_tail.data, defects->document_tail.len);
}

void pki_document(struct pki *pki, const struct pki_document_spec *spec, struct buf *out)
{
    struct pki_signer signer;
    pki_get_signer(pki, spec, &signer);
    CLEANUP(buf_done) struct buf payload;
    buf_init(&payload, PKI_DOCUMENT_MAX);
    if (defects_of(spec)->payload.data)
        buf_append(&payload, defects_of(spec)->payload.data, defects_of(spec)->payload.len);
    else
        write_payload(&payload, spec, &signer.chain);
    write_envelope(out, defects_of(spec), &payload, signer.leaf_key);
    pki_check(buf_is_ok(out) && buf_is_ok(&payload), "document size");
}
