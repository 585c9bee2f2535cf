/* Plain OpenSSL; serial numbers are random, as the real ones are. */
#include "pki/pki_cert.h"

#include "base/mem.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pki_check(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "pki: %s failed\n", what);
    ERR_print_errors_fp(stderr);
    abort();
}

static void add_name(X509_NAME *name, const char *field, const char *value)
{
    pki_check(X509_NAME_add_entry_by_txt(name, field, MBSTRING_ASC, (const unsigned char *)value, -1, -1, 0),
              "name");
}

/* Root and region stop at OU; zonal, instance and leaf certificates carry a place as well. */
static void set_subject(X509 *cert, const struct pki_cert_spec *spec)
{
    X509_NAME *name = X509_get_subject_name(cert);
    bool has_place = spec->level >= PKI_ZONAL;
    add_name(name, "C", "US");
    if (has_place) {
        add_name(name, "ST", spec->level == PKI_ZONAL ? "WA" : "Washington");
        add_name(name, "L", "Seattle");
    }
    add_name(name, "O", "Amazon");
    add_name(name, "OU", "AWS");
    if (spec->cn[0])
        add_name(name, "CN", spec->cn);
}

static void set_serial(X509 *cert)
{
    uint8_t bytes[16];
    pki_check(RAND_bytes(bytes, sizeof(bytes)) == 1, "random");
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    pki_check(number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)), "serial");
    BN_free(number);
}

static void add_extension(X509 *cert, X509V3_CTX *ctx, int nid, const char *value)
{
    if (!value)
        return;
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
    pki_check(extension && X509_add_ext(cert, extension, -1), value);
    X509_EXTENSION_free(extension);
}

static void add_extensions(X509 *cert, X509 *issuer, const struct pki_cert_spec *spec)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    add_extension(cert, &ctx, NID_basic_constraints, spec->basic_constraints);
    add_extension(cert, &ctx, NID_key_usage, spec->key_usage);
    add_extension(cert, &ctx, NID_subject_key_identifier, spec->has_key_ids ? "hash" : NULL);
    bool has_authority = spec->has_key_ids && issuer != cert;
    add_extension(cert, &ctx, NID_authority_key_identifier, has_authority ? "keyid:always" : NULL);
    add_extension(cert, &ctx, NID_crl_distribution_points, spec->crl_url);
}

void pki_cert_encode(struct pki_cert *cert)
{
    unsigned char *der = NULL;
    int len = i2d_X509(cert->cert, &der);
    pki_check(len > 0, "encode");
    cert->der = mem_dup(der, (size_t)len);
    cert->der_len = (size_t)len;
    OPENSSL_free(der);
}

void pki_cert_issue(const struct pki_cert_spec *spec, const struct pki_cert *issuer,
                    struct pki_cert *ret_cert)
{
    struct pki_cert made = {.cert = X509_new()};
    if (spec->key)
        EVP_PKEY_up_ref(spec->key);
    made.key = spec->key ? spec->key : EVP_EC_gen(spec->group);
    pki_check(made.key && made.cert, "key");
    pki_check(X509_set_version(made.cert, X509_VERSION_3), "version");
    set_serial(made.cert);
    set_subject(made.cert, spec);
    const struct pki_cert *by = issuer ? issuer : &made;
    pki_check(X509_set_issuer_name(made.cert, X509_get_subject_name(by->cert)), "issuer");
    ASN1_TIME_set(X509_getm_notBefore(made.cert), spec->not_before_s);
    ASN1_TIME_set(X509_getm_notAfter(made.cert), spec->not_after_s);
    pki_check(X509_set_pubkey(made.cert, made.key), "public key");
    add_extensions(made.cert, by->cert, spec);
    pki_check(X509_sign(made.cert, by->key, EVP_get_digestbyname(spec->digest)), "sign");
    pki_cert_encode(&made);
    *ret_cert = made;
}

void pki_cert_done(struct pki_cert *cert)
{
    EVP_PKEY_free(cert->key);
    X509_free(cert->cert);
    free(cert->der);
    *cert = (struct pki_cert){0};
}
