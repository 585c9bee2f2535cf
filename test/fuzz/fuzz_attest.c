/* The whole verification on any bytes. The document's own first certificate is trusted, so that mutations get
 * as far as the chain and the policy; nothing is said about the verdict then. With no root at all, anything
 * but a rejection is a finding. */
#include "nitro/attest.h"
#include "nitro/cose.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void verify_with_own_root(const uint8_t *data, size_t size)
{
    struct error err;
    struct cose cose;
    struct attest_doc doc;
    if (cose_parse(data, size, &cose, &err) < 0 ||
        attest_doc_parse(cose.payload, cose.payload_len, &doc, &err) < 0)
        return;
    uint8_t *root = (uint8_t *)doc.cabundle[0].data;
    struct attest_roots roots = {.items = {{root, doc.cabundle[0].len}}, .count = 1};
    struct attest_policy policy = {.roots = &roots, .at_document_time = true, .allow_debug = true};
    struct attest_result result;
    attest_verify(data, size, &policy, &result);
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
