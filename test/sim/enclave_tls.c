/* Key, certificate and context in one go; none of it can fail but for want of memory or entropy. */
#include "sim/enclave_tls.h"

#include "base/encoding.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>

enum { DAY_S = 24 * 60 * 60 };

static X509 *self_sign(EVP_PKEY *key)
{
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(cert), DAY_S);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"enclave.invalid", -1, -1, 0);
    X509_set_issuer_name(cert, name);
    X509_set_pubkey(cert, key);
    if (X509_sign(cert, key, EVP_sha256()) <= 0)
        abort();
    return cert;
}

SSL_CTX *enclave_tls_new(uint8_t ret_cert_sha256[32])
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!key || !context)
        abort();
    X509 *cert = self_sign(key);
    unsigned char *der = NULL;
    int len = i2d_X509(cert, &der);
    if (len <= 0 || SSL_CTX_use_certificate(context, cert) != 1 || SSL_CTX_use_PrivateKey(context, key) != 1)
        abort();
    sha256(der, (size_t)len, ret_cert_sha256);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    OPENSSL_free(der);
    X509_free(cert);
    EVP_PKEY_free(key);
    return context;
}
