/* certs[0] is the leaf, certs[count - 1] the root, as in the path that OpenSSL returns. That path consists of
 * references to the very objects given, so comparing pointers compares the order of the bundle. */
#include "nitro/attest_chain.h"

#include "base/encoding.h"
#include "nitro/attest_reason.h"

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum { CERTS_MAX = ATTEST_BUNDLE_MAX + 1 };

struct certs {
    X509 *items[CERTS_MAX];
    int count;
};

static void certs_done(struct certs *certs)
{
    for (int i = 0; i < certs->count; i++)
        X509_free(certs->items[i]);
}

static void storep(X509_STORE **store)
{
    X509_STORE_free(*store);
}

static void store_ctxp(X509_STORE_CTX **ctx)
{
    X509_STORE_CTX_free(*ctx);
}

static void stackp(STACK_OF(X509) * *stack)
{
    sk_X509_free(*stack); /* the certificates stay with struct certs */
}

static int bad_chain(struct error *err, int depth, const char *what)
{
    return attest_refuse(err, ATTEST_BAD_CHAIN, "certificate %d above the document: %s", depth, what);
}

static int decode(const struct attest_span *der, struct certs *certs, struct error *err)
{
    const unsigned char *at = der->data;
    X509 *cert = d2i_X509(NULL, &at, (long)der->len);
    if (!cert)
        return bad_chain(err, certs->count, "not X.509");
    certs->items[certs->count++] = cert;
    if (at != der->data + der->len)
        return bad_chain(err, certs->count - 1, "bytes after the certificate");
    return 0;
}

static int decode_all(const struct attest_doc *doc, struct certs *certs, struct error *err)
{
    if (doc->cabundle_count > ATTEST_BUNDLE_MAX)
        return attest_refuse(err, ATTEST_BAD_CHAIN, "the bundle has %zu certificates", doc->cabundle_count);
    if (decode(&doc->certificate, certs, err) < 0)
        return -1;
    for (size_t i = doc->cabundle_count; i > 0; i--)
        if (decode(&doc->cabundle[i - 1], certs, err) < 0)
            return -1;
    return 0;
}

static bool has_p384_key(X509 *cert)
{
    char group[32];
    EVP_PKEY *key = X509_get0_pubkey(cert);
    return key && EVP_PKEY_is_a(key, "EC") == 1 &&
           EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 && strcmp(group, "secp384r1") == 0;
}

static int check_common(X509 *cert, int depth, struct error *err)
{
    if (X509_get_version(cert) != X509_VERSION_3)
        return bad_chain(err, depth, "not version 3");
    if (!has_p384_key(cert))
        return bad_chain(err, depth, "the key is not P-384");
    if (X509_get_signature_nid(cert) != NID_ecdsa_with_SHA384)
        return bad_chain(err, depth, "the signature is not ECDSA with SHA-384");
    if (X509_get_extension_flags(cert) & EXFLAG_INVALID)
        return bad_chain(err, depth, "an extension is malformed");
    return 0;
}

static bool has_usage(X509 *cert, uint32_t bit)
{
    return (X509_get_extension_flags(cert) & EXFLAG_KUSAGE) && (X509_get_key_usage(cert) & bit);
}

static int check_leaf(X509 *leaf, struct error *err)
{
    if (check_common(leaf, 0, err) < 0)
        return -1;
    if (X509_get_extension_flags(leaf) & EXFLAG_CA)
        return bad_chain(err, 0, "the leaf is a CA");
    if (X509_get_pathlen(leaf) != -1)
        return bad_chain(err, 0, "the leaf has a path length");
    if (!has_usage(leaf, KU_DIGITAL_SIGNATURE) || has_usage(leaf, KU_KEY_CERT_SIGN))
        return bad_chain(err, 0, "the leaf's key usage");
    return 0;
}

/* depth - 1 CAs stand below this one; the root's path length may be absent. */
static int check_ca(X509 *cert, int depth, bool is_root, struct error *err)
{
    if (check_common(cert, depth, err) < 0)
        return -1;
    if (!(X509_get_extension_flags(cert) & EXFLAG_CA))
        return bad_chain(err, depth, "not a CA");
    if (!has_usage(cert, KU_KEY_CERT_SIGN))
        return bad_chain(err, depth, "the CA may not sign certificates");
    long path_len = X509_get_pathlen(cert);
    if ((path_len == -1 && !is_root) || (path_len != -1 && path_len < depth - 1))
        return bad_chain(err, depth, "path length");
    return 0;
}

static int check_shapes(const struct certs *certs, struct error *err)
{
    if (check_leaf(certs->items[0], err) < 0)
        return -1;
    for (int i = 1; i < certs->count; i++)
        if (check_ca(certs->items[i], i, i == certs->count - 1, err) < 0)
            return -1;
    return 0;
}

static int report_openssl(X509_STORE_CTX *ctx, struct error *err)
{
    int code = X509_STORE_CTX_get_error(ctx);
    bool is_time = code == X509_V_ERR_CERT_HAS_EXPIRED || code == X509_V_ERR_CERT_NOT_YET_VALID;
    return attest_refuse(err, is_time ? ATTEST_CERTIFICATE_EXPIRED : ATTEST_BAD_CHAIN,
                         "certificate %d above the document: %s", X509_STORE_CTX_get_error_depth(ctx),
                         X509_verify_cert_error_string(code));
}

static int check_order(X509_STORE_CTX *ctx, const struct certs *certs, struct error *err)
{
    STACK_OF(X509) *path = X509_STORE_CTX_get0_chain(ctx);
    if (sk_X509_num(path) != certs->count)
        return attest_refuse(err, ATTEST_BAD_CHAIN, "the bundle holds more than the path");
    for (int i = 0; i < certs->count; i++)
        if (sk_X509_value(path, i) != certs->items[i])
            return bad_chain(err, i, "the bundle is out of order");
    return 0;
}

/* Only the root goes into the store: nothing from the document can ever be a trust anchor. */
static int check_path(const struct certs *certs, int64_t at_ms, struct error *err)
{
    CLEANUP(storep) X509_STORE *store = X509_STORE_new();
    CLEANUP(store_ctxp) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    CLEANUP(stackp) STACK_OF(X509) *untrusted = sk_X509_new_null();
    bool ok = store && ctx && untrusted && X509_STORE_add_cert(store, certs->items[certs->count - 1]) == 1;
    for (int i = 1; ok && i < certs->count - 1; i++)
        ok = sk_X509_push(untrusted, certs->items[i]) > 0;
    if (!ok || X509_STORE_CTX_init(ctx, store, certs->items[0], untrusted) != 1)
        return attest_refuse(err, ATTEST_BAD_CHAIN, "the chain cannot be set up");
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)(at_ms / 1000));
    X509_VERIFY_PARAM_set_depth(param, CERTS_MAX);
    if (X509_verify_cert(ctx) != 1)
        return report_openssl(ctx, err);
    return check_order(ctx, certs, err);
}

static int time_to_ms(const ASN1_TIME *time, int64_t *ret_ms)
{
    struct tm parts;
    if (ASN1_TIME_to_tm(time, &parts) != 1)
        return -1;
    *ret_ms = (int64_t)timegm(&parts) * 1000;
    return 0;
}

static int check_now(const struct certs *certs, int64_t now_ms, struct error *err)
{
    for (int i = 0; i < certs->count; i++) {
        int64_t not_after_ms;
        if (time_to_ms(X509_get0_notAfter(certs->items[i]), &not_after_ms) < 0)
            return bad_chain(err, i, "validity");
        if (now_ms > 0 && now_ms > not_after_ms + ATTEST_SKEW_MS)
            return attest_refuse(err, ATTEST_CERTIFICATE_EXPIRED,
                                 "certificate %d above the document has expired by now", i);
    }
    return 0;
}

/* Exactly one CN, without a NUL in it. */
static int get_cn(X509 *cert, char ret_cn[ATTEST_CN_SIZE])
{
    const X509_NAME *name = X509_get_subject_name(cert);
    int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (index < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, index) >= 0)
        return -1;
    const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index));
    int len = ASN1_STRING_length(text);
    const unsigned char *data = ASN1_STRING_get0_data(text);
    if (len <= 0 || len >= ATTEST_CN_SIZE || memchr(data, 0, (size_t)len))
        return -1;
    memcpy(ret_cn, data, (size_t)len);
    ret_cn[len] = '\0';
    return 0;
}

static int describe(const struct certs *certs, struct attest_chain *ret_chain, struct error *err)
{
    struct attest_chain chain = {.leaf_key = NULL};
    if (get_cn(certs->items[0], chain.leaf_cn) < 0 || get_cn(certs->items[1], chain.instance_cn) < 0)
        return attest_refuse(err, ATTEST_BAD_CHAIN, "a certificate has no single common name");
    if (time_to_ms(X509_get0_notAfter(certs->items[0]), &chain.leaf_not_after_ms) < 0)
        return bad_chain(err, 0, "validity");
    chain.leaf_key = X509_get_pubkey(certs->items[0]);
    if (!chain.leaf_key)
        return bad_chain(err, 0, "key");
    *ret_chain = chain;
    return 0;
}

int attest_chain_verify(const struct attest_doc *doc, const struct attest_roots *roots, int64_t now_ms,
                        struct attest_chain *ret_chain, struct error *err)
{
    CLEANUP(certs_done) struct certs certs = {.count = 0};
    struct attest_chain chain;
    if (attest_roots_find(roots, doc->cabundle[0].data, doc->cabundle[0].len) < 0)
        return attest_refuse(err, ATTEST_UNTRUSTED_ROOT, "the bundle does not start with a trusted root");
    if (decode_all(doc, &certs, err) < 0 || check_shapes(&certs, err) < 0)
        return -1;
    if (check_path(&certs, doc->timestamp_ms, err) < 0 || check_now(&certs, now_ms, err) < 0)
        return -1;
    if (describe(&certs, &chain, err) < 0)
        return -1;
    sha256(doc->cabundle[0].data, doc->cabundle[0].len, chain.root_sha256);
    *ret_chain = chain;
    return 0;
}

void attest_chain_done(struct attest_chain *chain)
{
    EVP_PKEY_free(chain->leaf_key);
    chain->leaf_key = NULL;
}
