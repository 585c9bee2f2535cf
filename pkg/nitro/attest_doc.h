/* attest_doc: the payload of an attestation document, decoded and checked for form.
 *
 * Model: one pass over the payload map; every value becomes a span into it. What this accepts has all
 * required keys once, each of the right type and size, PCR 0 to 4 among the PCRs, and nothing after the map.
 * Unknown keys are skipped and counted. Nothing here is verified: until the signature is, the spans are what
 * somebody claims. Threads: any.   Ownership: spans borrow the payload.   Limits: certificates 1024 bytes, 8
 * of them kept of the bundle, optional fields 1024 bytes, module_id 64. Errors: MalformedDocument. */
#ifndef TEE_NITRO_ATTEST_DOC_H
#define TEE_NITRO_ATTEST_DOC_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
    ATTEST_PCR_COUNT = 32,
    ATTEST_PCR_BYTES = 48,
    ATTEST_BUNDLE_MAX = 8,
    ATTEST_CERTIFICATE_MAX = 1024,
    ATTEST_FIELD_MAX = 1024,
    ATTEST_MODULE_ID_MAX = 64
};

struct attest_span {
    const uint8_t *data; /* NULL = absent; CBOR null and the empty string both count as absent */
    size_t len;
};

struct attest_doc {
    struct attest_span module_id; /* printable ASCII */
    int64_t timestamp_ms;
    const uint8_t *pcrs[ATTEST_PCR_COUNT]; /* ATTEST_PCR_BYTES each, or NULL */
    struct attest_span certificate;
    struct attest_span cabundle[ATTEST_BUNDLE_MAX];
    size_t cabundle_count; /* as many as there are, which may be more than are kept */
    struct attest_span public_key;
    struct attest_span user_data;
    struct attest_span nonce;
    size_t unknown_keys;
};

MUST_CHECK int attest_doc_parse(const uint8_t *payload, size_t len, struct attest_doc *ret_doc,
                                struct error *err);

#endif
