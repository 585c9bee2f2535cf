/* pki_cert: issues one certificate of the shape that Nitro chains have.
 *
 * Model: a spec by value says everything in the certificate; pki_cert_issue() makes a key (unless one is
 * given) and signs. Extensions are in OpenSSL's configuration text, "critical,CA:TRUE,pathlen:1", NULL =
 * absent, so that a test can ask for any defect. Threads: one at a time.   Ownership: pki_cert_done() frees
 * what pki_cert_issue() made. Limits: none.   Errors: abort, as this is test code and only a wrong spec can
 * fail. */
#ifndef TEE_TEST_PKI_PKI_CERT_H
#define TEE_TEST_PKI_PKI_CERT_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pki_level { PKI_ROOT, PKI_REGION, PKI_ZONAL, PKI_INSTANCE, PKI_LEAF, PKI_LEVEL_COUNT };

struct pki_cert_spec {
    enum pki_level level;
    char cn[128];
    int64_t not_before_s;
    int64_t not_after_s;
    const char *basic_constraints;
    const char *key_usage;
    const char *crl_url; /* "URI:http://..." */
    bool has_key_ids;    /* subject and, unless self-signed, authority key identifier */
    const char *group;
    const char *digest;
    EVP_PKEY *key; /* borrowed; NULL: a new one of `group` */
};

struct pki_cert {
    EVP_PKEY *key;
    X509 *cert;
    uint8_t *der;
    size_t der_len;
};

/* issuer NULL = self-signed. */
void pki_cert_issue(const struct pki_cert_spec *spec, const struct pki_cert *issuer,
                    struct pki_cert *ret_cert);
/* The DER of cert->cert anew. */
void pki_cert_encode(struct pki_cert *cert);
void pki_cert_done(struct pki_cert *cert);
/* Aborts with the name of what failed. */
void pki_check(bool ok, const char *what);

#endif
