/* nsm_codec: the two messages that are exchanged with the Nitro Secure Module.
 *
 * Model: PURE. A request for a document carries three fields, of which a remote caller chooses the nonce
 * alone: an attester that signs what a caller says of keys or data vouches for lies. The answer is a
 * document, or the name of an error. Threads: any.   Ownership: the document's span borrows the answer.
 * Limits: fields of 1024 bytes. Errors: ERROR_INVALID for an answer of another form, ERROR_UNAVAILABLE for
 * one that is an error. See aws-nitro-enclaves-nsm-api, src/api/mod.rs. */
#ifndef TEE_ATTESTER_NSM_CODEC_H
#define TEE_ATTESTER_NSM_CODEC_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { NSM_FIELD_MAX = 1024 };

struct nsm_field {
    const uint8_t *data; /* NULL = absent */
    size_t len;
};

struct nsm_question {
    struct nsm_field user_data;
    struct nsm_field nonce;
    struct nsm_field public_key;
};

void nsm_codec_encode(const struct nsm_question *question, struct buf *out);
MUST_CHECK int nsm_codec_decode(const uint8_t *answer, size_t len, struct nsm_field *ret_document,
                                struct error *err);

#endif
