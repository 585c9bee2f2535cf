#include "pki/chain_oracle.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

static X509 *decode(struct pki_span der)
{
    const unsigned char *at = der.data;
    X509 *cert = d2i_X509(NULL, &at, (long)der.len);
    if (cert && at != (const unsigned char *)der.data + der.len) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

static bool verify(X509 *root, X509 *leaf, STACK_OF(X509) * between, int64_t at_ms)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    bool ok = X509_STORE_add_cert(store, root) == 1 && X509_STORE_CTX_init(ctx, store, leaf, between) == 1;
    if (ok) {
        X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), (time_t)(at_ms / 1000));
        ok = X509_verify_cert(ctx) == 1;
    }
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return ok;
}

bool chain_oracle_accepts(const struct pki_span *der, size_t count, int64_t at_ms)
{
    X509 *root = decode(der[0]), *leaf = decode(der[count - 1]);
    STACK_OF(X509) *between = sk_X509_new_null();
    for (size_t i = 1; i + 1 < count; i++) {
        X509 *cert = decode(der[i]);
        if (cert)
            sk_X509_push(between, cert);
    }
    bool ok = root && leaf && verify(root, leaf, between, at_ms);
    X509_free(root);
    X509_free(leaf);
    sk_X509_pop_free(between, X509_free);
    ERR_clear_error();
    return ok;
}

static int64_t time_ms(const ASN1_TIME *time)
{
    struct tm parts;
    return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) * 1000 : -1;
}

static void read_key(X509 *cert, uint8_t ret_key[97])
{
    char group[32] = "";
    size_t len = 0;
    EVP_PKEY *key = X509_get0_pubkey(cert);
    memset(ret_key, 0, 97);
    if (key && EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
        strcmp(group, "secp384r1") == 0)
        EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, ret_key, 97, &len);
}

static void read_extensions(X509 *cert, struct chain_oracle_cert *read)
{
    BASIC_CONSTRAINTS *constraints = X509_get_ext_d2i(cert, NID_basic_constraints, NULL, NULL);
    ASN1_BIT_STRING *usage = X509_get_ext_d2i(cert, NID_key_usage, NULL, NULL);
    read->is_ca = constraints && constraints->ca;
    if (constraints && constraints->pathlen)
        read->path_len = ASN1_INTEGER_get(constraints->pathlen);
    read->may_sign_data = usage && ASN1_BIT_STRING_get_bit(usage, 0);
    read->may_sign_certificates = usage && ASN1_BIT_STRING_get_bit(usage, 5);
    BASIC_CONSTRAINTS_free(constraints);
    ASN1_BIT_STRING_free(usage);
}

bool chain_oracle_read(struct pki_span der, struct chain_oracle_cert *ret_cert)
{
    X509 *cert = decode(der);
    struct chain_oracle_cert read = {.path_len = -1};
    bool ok = cert != NULL;
    if (ok) {
        read.not_before_ms = time_ms(X509_get0_notBefore(cert));
        read.not_after_ms = time_ms(X509_get0_notAfter(cert));
        read_extensions(cert, &read);
        read_key(cert, read.key);
        if (X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, read.cn, sizeof(read.cn)) <
            0)
            read.cn[0] = '\0';
        *ret_cert = read;
    }
    X509_free(cert);
    ERR_clear_error();
    return ok;
}
