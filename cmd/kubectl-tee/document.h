/* document: an attestation document out of a file, in whichever form it was kept.
 *
 * Model: what a person has at hand is the raw COSE_Sign1, or base64 (as status holds it) or hex of it,
 * perhaps broken into lines. document_decode() tells them apart: a raw document holds bytes that are no
 * characters, so a file that is text is hex if it consists of hex digits alone, else base64. Nothing is
 * judged here: what fits no form is handed on as it is, and the check calls it malformed. Threads: none.
 * Ownership: the buf is the caller's. Limits: DOCUMENT_FILE_MAX. Errors: ERROR_INVALID, ERROR_ABSENT; each
 * names the file. */
#ifndef TEE_KUBECTL_DOCUMENT_H
#define TEE_KUBECTL_DOCUMENT_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"

#include <stdio.h>

enum { DOCUMENT_FILE_MAX = 256 * 1024 };

enum document_form { DOCUMENT_RAW, DOCUMENT_BASE64, DOCUMENT_HEX };

/* path "-" reads `in`. */
MUST_CHECK int document_load(const char *path, FILE *in, struct buf *ret_document,
                             enum document_form *ret_form, struct error *err);
enum document_form document_decode(const char *data, size_t len, struct buf *ret_document);
const char *document_form_name(enum document_form form);

#endif
