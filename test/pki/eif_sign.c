/* The Sig_structure of RFC 9052, section 4.4, is built whole, unlike the code under test, which digests it in
 * pieces. */
#include "pki/eif_sign.h"

#include "base/cleanup.h"
#include "pki/cbor_writer.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 64 << 10, DER_MAX = 160, PCR_BYTES = 48 };

void eif_signer_new(const char *group, struct pki_cert *ret_cert)
{
    struct pki_cert_spec spec = {.level = PKI_ROOT,
                                 .cn = "image signer",
                                 .not_before_s = 1700000000,
                                 .not_after_s = 1900000000,
                                 .group = group,
                                 .digest = "SHA256"};
    pki_cert_issue(&spec, NULL, ret_cert);
}

void eif_write_pem(const struct pki_cert *cert, struct buf *out)
{
    char *text;
    BIO *bio = BIO_new(BIO_s_mem());
    pki_check(bio && PEM_write_bio_X509(bio, cert->cert) == 1, "PEM");
    long len = BIO_get_mem_data(bio, &text);
    buf_append(out, text, (size_t)len);
    BIO_free(bio);
}

void eif_write_numbers(const void *data, size_t len, struct buf *out)
{
    const uint8_t *bytes = data;
    cbor_write_head(out, CBOR_MAJOR_ARRAY, len);
    for (size_t i = 0; i < len; i++)
        cbor_write_head(out, CBOR_MAJOR_UINT, bytes[i]);
}

static void write_bytes(const struct eif_signature_spec *spec, const struct buf *bytes, struct buf *out)
{
    if (spec->has_byte_strings)
        cbor_write_bytes(out, bytes->data, bytes->len);
    else
        eif_write_numbers(bytes->data, bytes->len, out);
}

struct scheme {
    int bits;
    int algorithm;
    const char *digest;
    int coordinate_bytes;
};

static struct scheme scheme_of(EVP_PKEY *key)
{
    static const struct scheme schemes[] = {
        {256, -7, "SHA256", 32}, {384, -35, "SHA384", 48}, {521, -36, "SHA512", 66}};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (schemes[i].bits == EVP_PKEY_get_bits(key))
            return schemes[i];
    pki_check(false, "a key of 256, 384 or 521 bits");
    return schemes[0];
}

static void sign_raw(EVP_PKEY *key, const struct scheme *scheme, const struct buf *text, uint8_t *ret_raw)
{
    uint8_t der[DER_MAX];
    const uint8_t *at = der;
    size_t len = sizeof(der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, EVP_get_digestbyname(scheme->digest), NULL, key) == 1 &&
              EVP_DigestSign(ctx, der, &len, (const uint8_t *)text->data, text->len) == 1;
    pki_check(ok, "sign");
    EVP_MD_CTX_free(ctx);
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)len);
    pki_check(signature != NULL, "signature");
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), ret_raw, scheme->coordinate_bytes);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), ret_raw + scheme->coordinate_bytes, scheme->coordinate_bytes);
    ECDSA_SIG_free(signature);
}

static void write_payload(const uint8_t *pcr0, struct buf *out)
{
    cbor_write_head(out, CBOR_MAJOR_MAP, 2);
    cbor_write_text(out, "register_index");
    cbor_write_head(out, CBOR_MAJOR_UINT, 0);
    cbor_write_text(out, "register_value");
    eif_write_numbers(pcr0, PCR_BYTES, out);
}

void eif_sign_pcr0(const struct eif_signature_spec *spec, struct buf *out)
{
    EVP_PKEY *key = spec->key ? spec->key : spec->cert->key;
    struct scheme scheme = scheme_of(key);
    int algorithm = spec->algorithm ? spec->algorithm : scheme.algorithm;
    CLEANUP(buf_done) struct buf header, payload, text;
    uint8_t raw[2 * 66];
    buf_init(&header, TEXT_MAX);
    buf_init(&payload, TEXT_MAX);
    buf_init(&text, TEXT_MAX);
    cbor_write_head(&header, CBOR_MAJOR_MAP, 1);
    cbor_write_head(&header, CBOR_MAJOR_UINT, 1);
    cbor_write_head(&header, CBOR_MAJOR_NEGATIVE, (uint64_t)(-1 - algorithm));
    write_payload(spec->pcr0, &payload);
    cbor_write_head(&text, CBOR_MAJOR_ARRAY, 4);
    cbor_write_text(&text, "Signature1");
    cbor_write_bytes(&text, header.data, header.len);
    cbor_write_bytes(&text, "", 0);
    cbor_write_bytes(&text, payload.data, payload.len);
    sign_raw(key, &scheme, &text, raw);
    cbor_write_head(out, CBOR_MAJOR_ARRAY, 4);
    cbor_write_bytes(out, header.data, header.len);
    cbor_write_head(out, CBOR_MAJOR_MAP, 0);
    cbor_write_bytes(out, payload.data, payload.len);
    cbor_write_bytes(out, raw, 2 * (size_t)scheme.coordinate_bytes);
}

void eif_write_signature(const struct eif_signature_spec *spec, struct buf *out)
{
    CLEANUP(buf_done) struct buf pem, cose;
    buf_init(&pem, TEXT_MAX);
    buf_init(&cose, TEXT_MAX);
    if (spec->pem.data)
        buf_append(&pem, spec->pem.data, spec->pem.len);
    else
        eif_write_pem(spec->cert, &pem);
    eif_sign_pcr0(spec, &cose);
    cbor_write_head(out, CBOR_MAJOR_ARRAY, 1);
    cbor_write_head(out, CBOR_MAJOR_MAP, 2);
    cbor_write_text(out, "signing_certificate");
    write_bytes(spec, &pem, out);
    cbor_write_text(out, "signature");
    write_bytes(spec, &cose, out);
}
