/* pki: a certificate chain and attestation documents of the shape that the Nitro hypervisor makes.
 *
 * Model: a struct pki is a root; region, zonal and instance CA and leaf are made when a document first needs
 * them and are cached (CAs per region, the rest per module id while the leaf lives), so that a document costs
 * three signatures at first and one after. A document is described by value; `defects` asks for one that must
 * not be believed, or for an unusual one that must. Anything that defects do not name is right, the signature
 * included. Used by the tests of pkg/nitro and by the simulator. Threads: one at a time.   Ownership: the
 * spec is borrowed.   Limits: 4096 cached leaves, documents of 64 KiB. Errors: only pki_new() can fail. */
#ifndef TEE_TEST_PKI_PKI_H
#define TEE_TEST_PKI_PKI_H

#include "base/buf.h"
#include "base/error.h"
#include "pki/pki_cert.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PKI_PCR_BYTES = 48, PKI_DOCUMENT_MAX = 65536 };

struct pki;

struct pki_span {
    const void *data;
    size_t len;
};

/* A payload value in place of the right one, as raw CBOR. */
struct pki_value {
    const char *key;
    struct pki_span cbor;
};

/* Called with each certificate below the root before it is issued; the chain is then not cached. */
typedef void pki_cert_edit(void *ctx, struct pki_cert_spec *spec);

/* All zero = no defect. Spans with data NULL leave the right value in place. */
struct pki_defects {
    pki_cert_edit *edit_cert;
    void *edit_ctx;
    const struct pki_span *cabundle; /* DER each, in place of root, region, zonal, instance */
    size_t cabundle_count;
    struct pki_span certificate;
    const char *pcr4_instance_id;
    const char *const *keys; /* the payload's keys in order, NULL-terminated; an unknown one holds 1 */
    const struct pki_value *values;
    size_t value_count;
    bool definite_map; /* the form before 2025; today's is indefinite */
    bool missing_break;
    bool indefinite_pcrs;
    bool indefinite_cabundle;
    struct pki_span payload_tail;
    struct pki_span payload;            /* the whole of it, in place of what all above makes */
    struct pki_span outer_head;         /* right: 84 */
    struct pki_span protected_header;   /* the bytes inside the string; right: a1 01 38 22 */
    struct pki_span unprotected_header; /* raw CBOR; right: a0 */
    struct pki_span signature;          /* in place of the 96 bytes */
    struct pki_span document_tail;
};

struct pki_document_spec {
    const char *module_id; /* i-<17 hex>-enc<16 hex> */
    const char *region;
    int64_t timestamp_ms;
    const char *image_digest; /* hex; PCR0 to 2 are pki_sim_pcr() of it */
    bool debug;               /* PCR0 to 2 zero */
    const char *role_arn;     /* NULL: PCR3 zero */
    struct pki_span nonce;    /* data NULL: CBOR null */
    struct pki_span user_data;
    struct pki_span public_key;
    const struct pki_defects *defects; /* or NULL */
};

/* A chain in DER, borrowed until the next call on the same pki. */
struct pki_chain {
    struct pki_span der[PKI_LEVEL_COUNT];
};

/* dir NULL: root and key live in memory only. Else they are loaded from pki-root.pem and pki-root-key.pem
 * there, and written there if absent. */
struct pki *pki_new(const char *dir, struct error *err);
struct pki *pki_free(struct pki *pki);
const char *pki_root_pem(const struct pki *pki);
struct pki_span pki_root_der(const struct pki *pki);
/* Appends one COSE_Sign1 document. */
void pki_document(struct pki *pki, const struct pki_document_spec *spec, struct buf *out);
void pki_chain(struct pki *pki, const struct pki_document_spec *spec, struct pki_chain *ret_chain);

/* SHA-384(48 zero bytes | data): how a PCR holds one measurement. */
void pki_measure(const void *data, size_t len, uint8_t ret_pcr[PKI_PCR_BYTES]);
/* PCR 0 to 2 of the simulated image: pki_measure(SHA-384("tee-sim pcr<index> <digest>")). */
void pki_sim_pcr(int index, const char *image_digest, uint8_t ret_pcr[PKI_PCR_BYTES]);

#endif
