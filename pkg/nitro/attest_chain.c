/* certs[0] is the leaf and certs[count - 1] the root, so that an index is the number of certificates below,
 * which is what path lengths are about and what messages name. Three walks: form and place of each, then each
 * link from the root down, then time; a reason is thus the first in the order that the API gives them. */
#include "nitro/attest_chain.h"

#include "base/encoding.h"
#include "nitro/attest_reason.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>

enum { CERTS_MAX = ATTEST_BUNDLE_MAX + 1 };

struct member {
    struct attest_cert cert;
    struct attest_cert_link link;    /* not of one that is_known */
    uint8_t path[ATTEST_PATH_BYTES]; /* digest over everything from the root to here */
    bool is_known;                   /* the cache has seen this very path */
};

struct path {
    struct member certs[CERTS_MAX];
    int count;
    EVP_PKEY *root_key; /* borrowed */
};

static int bad_chain(struct error *err, int depth, const char *what)
{
    return attest_refuse(err, ATTEST_BAD_CHAIN, "certificate %d above the document: %s", depth, what);
}

static const struct attest_span *der_of(const struct attest_doc *doc, int depth)
{
    return depth == 0 ? &doc->certificate : &doc->cabundle[doc->cabundle_count - (size_t)depth];
}

/* SHA-256(path of the issuer | SHA-256(this certificate)); the root's path is its own digest. */
static void extend_path(const uint8_t *issuer_path, const struct attest_span *der, uint8_t *ret_path)
{
    uint8_t message[ATTEST_PATH_BYTES + SHA256_BYTES];
    memcpy(message, issuer_path, ATTEST_PATH_BYTES);
    sha256(der->data, der->len, message + ATTEST_PATH_BYTES);
    sha256(message, sizeof(message), ret_path);
}

/* A leaf is never taken from the cache: its key is the one that matters most, and it lives three hours. */
static int load(const struct attest_doc *doc, struct attest_cache *cache, struct path *path, int depth,
                struct error *err)
{
    struct member *member = &path->certs[depth];
    const struct attest_span *der = der_of(doc, depth);
    const char *problem = NULL;
    extend_path(path->certs[depth + 1].path, der, member->path);
    member->is_known = depth > 0 && cache && attest_cache_get(cache, member->path, &member->cert);
    if (!member->is_known && attest_cert_parse(der, &member->cert, &member->link, &problem) < 0)
        return bad_chain(err, depth, problem);
    return 0;
}

static int check_leaf(const struct attest_cert *leaf, struct error *err)
{
    if (leaf->is_ca)
        return bad_chain(err, 0, "the leaf is a CA");
    if (leaf->path_len != -1)
        return bad_chain(err, 0, "the leaf has a path length");
    if (!leaf->may_sign_data || leaf->may_sign_certificates)
        return bad_chain(err, 0, "the leaf's key usage");
    return 0;
}

/* depth - 1 CAs stand below this one; the root's path length may be absent. */
static int check_ca(const struct attest_cert *cert, int depth, bool is_root, struct error *err)
{
    if (!cert->is_ca)
        return bad_chain(err, depth, "not a CA");
    if (!cert->may_sign_certificates)
        return bad_chain(err, depth, "the CA may not sign certificates");
    if ((cert->path_len == -1 && !is_root) || (cert->path_len != -1 && cert->path_len < depth - 1))
        return bad_chain(err, depth, "path length");
    return 0;
}

static int load_all(const struct attest_doc *doc, const struct attest_trust *trust, int root,
                    struct path *path, struct error *err)
{
    if (doc->cabundle_count > ATTEST_BUNDLE_MAX)
        return attest_refuse(err, ATTEST_BAD_CHAIN, "the bundle has %zu certificates", doc->cabundle_count);
    path->count = (int)doc->cabundle_count + 1;
    struct member *top = &path->certs[path->count - 1];
    top->cert = trust->roots->items[root].cert;
    path->root_key = trust->roots->items[root].key;
    sha256(doc->cabundle[0].data, doc->cabundle[0].len, top->path);
    for (int depth = path->count - 2; depth >= 0; depth--)
        if (load(doc, trust->cache, path, depth, err) < 0)
            return -1;
    for (int depth = path->count - 1; depth > 0; depth--)
        if (check_ca(&path->certs[depth].cert, depth, depth == path->count - 1, err) < 0)
            return -1;
    return check_leaf(&path->certs[0].cert, err);
}

static void keyp(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static int check_link(const struct path *path, int depth, struct error *err)
{
    const struct attest_cert *issuer = &path->certs[depth + 1].cert;
    const struct attest_cert_link *link = &path->certs[depth].link;
    if (!attest_cert_names_issuer(link, issuer))
        return bad_chain(err, depth, "issued by another than the next in the bundle");
    CLEANUP(keyp) EVP_PKEY *key = p384_key_like(path->root_key, issuer->key);
    if (!key)
        return bad_chain(err, depth + 1, "the key is not a point of P-384");
    if (!p384_verify(key, link->signed_part.data, link->signed_part.len, link->signature.data,
                     link->signature.len))
        return bad_chain(err, depth, "not signed by the next in the bundle");
    return 0;
}

/* Only what hangs from the root by good signatures enters the cache. */
static int check_links(const struct path *path, struct attest_cache *cache, struct error *err)
{
    for (int depth = path->count - 2; depth >= 0; depth--) {
        const struct member *member = &path->certs[depth];
        if (member->is_known)
            continue;
        if (check_link(path, depth, err) < 0)
            return -1;
        if (depth > 0 && cache)
            attest_cache_put(cache, member->path, &member->cert);
    }
    return 0;
}

static int expired(struct error *err, int depth, const char *what)
{
    return attest_refuse(err, ATTEST_CERTIFICATE_EXPIRED, "certificate %d above the document %s", depth,
                         what);
}

static int check_times(const struct path *path, int64_t at_ms, int64_t now_ms, struct error *err)
{
    for (int depth = path->count - 1; depth >= 0; depth--) {
        const struct attest_cert *cert = &path->certs[depth].cert;
        if (at_ms < cert->not_before_ms)
            return expired(err, depth, "was not valid yet at the document's time");
        if (at_ms >= cert->not_after_ms)
            return expired(err, depth, "had expired at the document's time");
        if (now_ms > 0 && now_ms > cert->not_after_ms + ATTEST_SKEW_MS)
            return expired(err, depth, "has expired by now");
    }
    return 0;
}

static int describe(const struct path *path, struct attest_chain *ret_chain, struct error *err)
{
    const struct attest_cert *leaf = &path->certs[0].cert, *instance = &path->certs[1].cert;
    if (!leaf->cn[0] || !instance->cn[0])
        return attest_refuse(err, ATTEST_BAD_CHAIN, "a certificate has no common name");
    struct attest_chain chain = {.leaf_key = p384_key_like(path->root_key, leaf->key),
                                 .leaf_not_after_ms = leaf->not_after_ms};
    if (!chain.leaf_key)
        return bad_chain(err, 0, "the key is not a point of P-384");
    memcpy(chain.leaf_cn, leaf->cn, sizeof(chain.leaf_cn));
    memcpy(chain.instance_cn, instance->cn, sizeof(chain.instance_cn));
    memcpy(chain.root_sha256, path->certs[path->count - 1].path, sizeof(chain.root_sha256));
    *ret_chain = chain;
    return 0;
}

int attest_chain_verify(const struct attest_doc *doc, const struct attest_trust *trust,
                        struct attest_chain *ret_chain, struct error *err)
{
    struct path path = {.count = 0};
    int root = attest_roots_find(trust->roots, doc->cabundle[0].data, doc->cabundle[0].len);
    if (root < 0)
        return attest_refuse(err, ATTEST_UNTRUSTED_ROOT, "the bundle does not start with a trusted root");
    if (load_all(doc, trust, root, &path, err) < 0 || check_links(&path, trust->cache, err) < 0)
        return -1;
    if (check_times(&path, doc->timestamp_ms, trust->now_ms, err) < 0)
        return -1;
    return describe(&path, ret_chain, err);
}

void attest_chain_done(struct attest_chain *chain)
{
    EVP_PKEY_free(chain->leaf_key);
    chain->leaf_key = NULL;
}
