/* pki_internal: what pki.c lends to pki_document.c.
 *
 * Model: the chain a document is signed with, from the cache or made with the spec's defects. Threads: as
 * pki.h. Ownership: borrowed until the next call on the same pki.   Limits: none.   Errors: abort. */
#ifndef TEE_TEST_PKI_PKI_INTERNAL_H
#define TEE_TEST_PKI_PKI_INTERNAL_H

#include "pki/pki.h"

struct pki_signer {
    struct pki_chain chain;
    EVP_PKEY *leaf_key;
};

void pki_get_signer(struct pki *pki, const struct pki_document_spec *spec, struct pki_signer *ret_signer);
/* The instance id of a module id: what stands before "-enc". */
size_t pki_instance_id_len(const char *module_id);

#endif
