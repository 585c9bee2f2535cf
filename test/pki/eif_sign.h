/* eif_sign: writes the signature section of an image file as AWS's tools do, or with one thing wrong.
 *
 * Model: a spec by value; what is zero in it is done right. The algorithm follows from the key. Threads: any.
 * Ownership: the spec is borrowed. Limits: the buf's ceiling.   Errors: abort, as this is test code. */
#ifndef TEE_TEST_PKI_EIF_SIGN_H
#define TEE_TEST_PKI_EIF_SIGN_H

#include "pki/eif_writer.h"
#include "pki/pki.h"

struct eif_signature_spec {
    const struct pki_cert *cert; /* its key signs */
    const uint8_t *pcr0;
    EVP_PKEY *key;         /* signs in place of the certificate's own */
    struct pki_span pem;   /* in place of the certificate's */
    int algorithm;         /* the COSE number in the header, in place of the key's */
    bool has_byte_strings; /* in place of arrays of numbers */
};

/* A certificate of its own for this group (prime256v1, secp384r1, secp521r1, ...); pki_cert_done() frees. */
void eif_signer_new(const char *group, struct pki_cert *ret_cert);
/* The bare COSE_Sign1. */
void eif_sign_pcr0(const struct eif_signature_spec *spec, struct buf *out);
/* The section: a list of one {signing_certificate, signature}. */
void eif_write_signature(const struct eif_signature_spec *spec, struct buf *out);
/* Bytes as an array of numbers. */
void eif_write_numbers(const void *data, size_t len, struct buf *out);
void eif_write_pem(const struct pki_cert *cert, struct buf *out);

#endif
