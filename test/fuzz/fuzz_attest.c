/* The whole verification on any bytes. The document's own first certificate is trusted, so that mutations get
 * as far as the chain and the policy. With no root at all, anything but a rejection is a finding; so is a
 * chain that OpenSSL's own path validation does not accept, and a cache that changes the verdict. */
#include "nitro/attest.h"
#include "nitro/cose.h"
#include "pki/chain_oracle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask_oracle(const struct attest_doc *doc)
{
    struct pki_span der[ATTEST_BUNDLE_MAX + 1];
    for (size_t i = 0; i < doc->cabundle_count; i++)
        der[i] = (struct pki_span){doc->cabundle[i].data, doc->cabundle[i].len};
    der[doc->cabundle_count] = (struct pki_span){doc->certificate.data, doc->certificate.len};
    if (!chain_oracle_accepts(der, doc->cabundle_count + 1, doc->timestamp_ms))
        abort();
}

static void verify_chain(const struct attest_doc *doc, const struct attest_roots *roots)
{
    struct attest_trust trust = {.roots = roots};
    struct attest_chain chain;
    struct error err;
    if (attest_chain_verify(doc, &trust, &chain, &err) < 0)
        return;
    attest_chain_done(&chain);
    ask_oracle(doc);
}

/* Cold, then with what the first run left in the cache. */
static void verify_twice(const uint8_t *data, size_t size, const struct attest_roots *roots)
{
    struct attest_policy policy = {.roots = roots, .at_document_time = true, .allow_debug = true};
    struct attest_result results[2];
    policy.cache = attest_cache_new(16);
    for (size_t i = 0; i < 2; i++)
        attest_verify(data, size, &policy, &results[i]);
    attest_cache_free(policy.cache);
    if (results[0].verdict != results[1].verdict || results[0].reason != results[1].reason)
        abort();
}

static void verify_with_own_root(const uint8_t *data, size_t size)
{
    struct error err;
    struct cose cose;
    struct attest_doc doc;
    struct attest_roots roots;
    if (cose_parse(data, size, &cose, &err) < 0 ||
        attest_doc_parse(cose.payload, cose.payload_len, &doc, &err) < 0)
        return;
    attest_roots_init(&roots);
    if (attest_roots_add_der(&roots, doc.cabundle[0].data, doc.cabundle[0].len, &err) == 0) {
        verify_chain(&doc, &roots);
        verify_twice(data, size, &roots);
    }
    attest_roots_done(&roots);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct attest_roots none;
    struct attest_policy policy = {.roots = &none, .at_document_time = true, .allow_debug = true};
    struct attest_result result;
    attest_verify(data, size, &policy, &result);
    if (result.verdict != ATTEST_REJECTED)
        abort();
    verify_with_own_root(data, size);
    return 0;
}
