/* The request's form decides nonce and encoding; the view decides the document; the defect spoils it. */
#include "sim/enclave_answer.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "nitro/native.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

enum { HOUR_MS = 60 * 60 * 1000, SHORT_NONCE_BYTES = 20, USER_DATA_BYTES = 68 };

enum form { FORM_RAW, FORM_BASE64, FORM_JSON };

struct question {
    enum native_status status;
    enum form form;
    size_t nonce_len; /* 0 = none */
    uint8_t nonce[NATIVE_NONCE_BYTES];
};

static bool starts_with(const char *head, size_t len, const char *text)
{
    return len >= strlen(text) && memcmp(head, text, strlen(text)) == 0;
}

bool enclave_request_is_whole(const char *head, size_t len)
{
    return len >= NATIVE_HEAD_MAX || memmem(head, len, "\r\n\r\n", 4) != NULL;
}

static struct question ask_nitriding(const char *head, size_t len)
{
    static const char path[] = "GET /enclave/attestation?nonce=";
    struct question question = {.status = NATIVE_OK, .form = FORM_BASE64, .nonce_len = SHORT_NONCE_BYTES};
    char digits[2 * SHORT_NONCE_BYTES + 1] = "";
    if (!starts_with(head, len, "GET /enclave/attestation"))
        question.status = starts_with(head, len, "GET ") ? NATIVE_BAD_PATH : NATIVE_BAD_METHOD;
    else if (!starts_with(head, len, path) || len < sizeof(path) + sizeof(digits))
        question.status = NATIVE_BAD_NONCE;
    if (question.status != NATIVE_OK)
        return question;
    memcpy(digits, head + sizeof(path) - 1, sizeof(digits) - 1);
    if (head[sizeof(path) - 1 + sizeof(digits) - 1] != ' ' ||
        hex_decode(digits, question.nonce, SHORT_NONCE_BYTES) < 0)
        question.status = NATIVE_BAD_NONCE;
    return question;
}

static struct question ask(bool is_tls, const char *head, size_t len)
{
    struct question question = {.status = NATIVE_OK};
    if (is_tls)
        return ask_nitriding(head, len);
    if (starts_with(head, len, "GET /attestation/raw "))
        return question;
    question.form = FORM_JSON;
    if (starts_with(head, len, "GET /get_attestation "))
        return question;
    question.form = FORM_RAW;
    question.nonce_len = NATIVE_NONCE_BYTES;
    question.status = native_request_parse(head, len, question.nonce);
    if (question.status == NATIVE_NEED_MORE)
        question.status = NATIVE_BAD_NONCE;
    return question;
}

/* Changes what the document will say, as the defect asks. */
static void spoil(const struct sim_view *view, struct question *question, struct pki_document_spec *spec,
                  char other_digest[ENCLAVE_DIGEST_SIZE])
{
    switch (view->defect) {
    case SIM_DEFECT_WRONG_PCR:
        snprintf(other_digest, ENCLAVE_DIGEST_SIZE, "%s", view->digest);
        other_digest[0] = other_digest[0] == '0' ? '1' : '0';
        spec->image_digest = other_digest;
        break;
    case SIM_DEFECT_DEBUG: spec->debug = true; break;
    case SIM_DEFECT_WRONG_ROLE: spec->role_arn = "arn:aws:iam::" SIM_ACCOUNT ":role/of-another"; break;
    case SIM_DEFECT_NO_NONCE: question->nonce_len = 0; break;
    case SIM_DEFECT_WRONG_INSTANCE: spec->module_id = "i-0ffffffffffffffff-enc0123456789abcdef"; break;
    case SIM_DEFECT_STALE: spec->timestamp_ms -= HOUR_MS; break;
    case SIM_DEFECT_FUTURE: spec->timestamp_ms += HOUR_MS; break;
    case SIM_DEFECT_WRONG_NONCE: RAND_bytes(question->nonce, (int)question->nonce_len); break;
    case SIM_DEFECT_REPLAY_NONCE:
        if (strlen(view->earlier_nonce) != 2 * question->nonce_len ||
            hex_decode(view->earlier_nonce, question->nonce, question->nonce_len) < 0)
            memset(question->nonce, 0, sizeof(question->nonce));
        break;
    default: break;
    }
}

static void expire_leaf(void *ctx, struct pki_cert_spec *cert)
{
    (void)ctx;
    if (cert->level != PKI_LEAF)
        return;
    cert->not_before_s -= 4 * HOUR_MS / 1000;
    cert->not_after_s -= 4 * HOUR_MS / 1000;
}

/* The defects of the envelope and of the chain; what they point to is the caller's. */
static void spoil_proof(const struct enclave_answerer *answerer, const struct sim_view *view,
                        const struct pki_document_spec *spec, struct pki_chain *chain,
                        struct pki_defects *defects)
{
    static const uint8_t no_signature[96];
    switch (view->defect) {
    case SIM_DEFECT_EXPIRED_CHAIN: defects->edit_cert = expire_leaf; break;
    case SIM_DEFECT_BAD_CHAIN:
        pki_chain(answerer->pki, spec, chain);
        chain->der[PKI_ZONAL] = chain->der[PKI_INSTANCE];
        defects->cabundle = chain->der;
        defects->cabundle_count = PKI_INSTANCE;
        break;
    case SIM_DEFECT_BAD_SIGNATURE:
        defects->signature = (struct pki_span){no_signature, sizeof(no_signature)};
        break;
    case SIM_DEFECT_WRONG_ALGORITHM: defects->protected_header = (struct pki_span){"\xa1\x01\x26", 3}; break;
    default: break;
    }
}

static void make_document(const struct enclave_answerer *answerer, const struct sim_view *view,
                          struct question question, struct buf *out)
{
    /* Two multihashes, of the TLS certificate and of the application's key, which there is none of. */
    uint8_t user_data[USER_DATA_BYTES] = {0x12, 0x20};
    char other_digest[ENCLAVE_DIGEST_SIZE];
    struct pki_document_spec spec = {
        .module_id = view->module_id,
        .region = SIM_REGION,
        .timestamp_ms = clock_wall_ms(clock_real()),
        .image_digest = view->digest,
        .debug = view->debug,
        .role_arn = *view->role_arn ? view->role_arn : NULL,
        .public_key = {view->public_key, SIM_KEY_BYTES},
    };
    memcpy(user_data + 2, answerer->cert_sha256, sizeof(answerer->cert_sha256));
    user_data[34] = 0x12;
    user_data[35] = 0x20;
    if (answerer->is_tls)
        spec.user_data = (struct pki_span){user_data, sizeof(user_data)};
    spoil(view, &question, &spec, other_digest);
    if (question.nonce_len > 0)
        spec.nonce = (struct pki_span){question.nonce, question.nonce_len};
    struct pki_defects defects = {0};
    struct pki_chain chain;
    spoil_proof(answerer, view, &spec, &chain, &defects);
    spec.defects = &defects;
    pki_document(view->defect == SIM_DEFECT_FOREIGN_ROOT ? answerer->foreign : answerer->pki, &spec, out);
}

/* Appends the document as the form of the answer wants it. */
static void wrap(enum form form, const struct buf *document, struct buf *out)
{
    if (form == FORM_RAW) {
        buf_append(out, document->data, document->len);
    } else if (form == FORM_BASE64) {
        CLEANUP(freep) char *text = base64_encode(document->data, document->len);
        buf_printf(out, "%s\n", text);
    } else {
        buf_puts(out, "{\"attestation\":\"");
        for (size_t i = 0; i < document->len; i++)
            buf_printf(out, "%02x", (unsigned)(unsigned char)document->data[i]);
        buf_puts(out, "\"}");
    }
}

static void answer_document(const struct enclave_answerer *answerer, const struct sim_view *view,
                            const struct question *question, struct buf *out)
{
    CLEANUP(buf_done) struct buf document;
    CLEANUP(buf_done) struct buf body;
    buf_init(&document, PKI_DOCUMENT_MAX);
    buf_init(&body, (size_t)4 * PKI_DOCUMENT_MAX);
    if (view->defect == SIM_DEFECT_MALFORMED)
        buf_puts(&document, "this is no attestation document");
    else
        make_document(answerer, view, *question, &document);
    wrap(question->form, &document, &body);
    if (question->form == FORM_RAW)
        native_answer_head(out, body.len);
    else
        buf_printf(out,
                   "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                   question->form == FORM_JSON ? "application/json" : "text/plain", body.len);
    buf_append(out, body.data, body.len);
}

static const char *refusal(enum native_status status)
{
    switch (status) {
    case NATIVE_BAD_PATH: return "no such path";
    case NATIVE_BAD_METHOD: return "only GET is served";
    default: return "the nonce is missing or not in lower-case hex of the right length";
    }
}

enum enclave_pace enclave_answer(const struct enclave_answerer *answerer, uint32_t address, const char *head,
                                 size_t len, struct buf *out)
{
    struct question question = ask(answerer->is_tls, head, len);
    struct sim_view view;
    char nonce[2 * NATIVE_NONCE_BYTES + 1];
    bool has_nonce = question.status == NATIVE_OK && question.nonce_len > 0;
    hex_encode(question.nonce, question.nonce_len, nonce);
    sim_service_view(answerer->service, address, has_nonce ? nonce : NULL, &view);
    if (view.host != SIM_HOST_READY) {
        native_answer_boot(out, &view.boot);
        return ENCLAVE_PACE_WHOLE;
    }
    if (question.status != NATIVE_OK) {
        native_answer_refusal(out, question.status, refusal(question.status));
        return ENCLAVE_PACE_WHOLE;
    }
    if (view.defect == SIM_DEFECT_ENDLESS) {
        buf_puts(out, "HTTP/1.1 200 OK\r\nContent-Type: application/cbor\r\nConnection: close\r\n\r\n");
        return ENCLAVE_PACE_ENDLESS;
    }
    answer_document(answerer, &view, &question, out);
    return view.defect == SIM_DEFECT_SLOW ? ENCLAVE_PACE_SLOW : ENCLAVE_PACE_WHOLE;
}
