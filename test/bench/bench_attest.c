/* Prints how many documents one core decodes and verifies in a second: a generated one, or the file named as
 * the only argument, which is verified against AWS's root at its own time. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "nitro/attest.h"
#include "nitro/cose.h"
#include "pki/pki.h"

#include <stdio.h>
#include <stdlib.h>

enum { RUN_MS = 2000 };

static int decode(const struct buf *document)
{
    struct error err;
    struct cose cose;
    struct attest_doc doc;
    if (cose_parse(document->data, document->len, &cose, &err) < 0)
        return -1;
    return attest_doc_parse(cose.payload, cose.payload_len, &doc, &err);
}

static double rate_decode(const struct buf *document)
{
    int64_t start_ms = clock_mono_ms(clock_real()), now_ms = start_ms;
    long count = 0;
    while (now_ms < start_ms + RUN_MS) {
        for (int i = 0; i < 1000; i++)
            if (decode(document) < 0)
                return 0;
        count += 1000;
        now_ms = clock_mono_ms(clock_real());
    }
    return (double)count * 1000 / (double)(now_ms - start_ms);
}

static double rate_verify(const struct buf *document, const struct attest_policy *policy)
{
    int64_t start_ms = clock_mono_ms(clock_real()), now_ms = start_ms;
    struct attest_result result;
    long count = 0;
    while (now_ms < start_ms + RUN_MS) {
        attest_verify(document->data, document->len, policy, &result);
        if (result.verdict == ATTEST_REJECTED) {
            fprintf(stderr, "rejected: %s\n", result.message);
            return 0;
        }
        count++;
        now_ms = clock_mono_ms(clock_real());
    }
    return (double)count * 1000 / (double)(now_ms - start_ms);
}

static int read_document(const char *path, struct buf *ret_document)
{
    char chunk[4096];
    size_t len;
    CLEANUP(fclosep) FILE *file = fopen(path, "re");
    while (file && (len = fread(chunk, 1, sizeof(chunk), file)) > 0)
        buf_append(ret_document, chunk, len);
    return file ? 0 : -1;
}

static void make_document(struct attest_roots *roots, struct buf *ret_document)
{
    struct pki *pki = pki_new(NULL, NULL);
    struct pki_document_spec spec = {
        .module_id = "i-0123456789abcdef0-enc01a3185c00001234",
        .region = "eu-west-1",
        .timestamp_ms = INT64_C(1800000000000),
        .image_digest = "00",
    };
    struct error err;
    pki_document(pki, &spec, ret_document);
    if (attest_roots_add_pem(roots, pki_root_pem(pki), &err) < 0)
        abort();
    pki_free(pki);
}

int main(int argc, char **argv)
{
    CLEANUP(attest_roots_done) struct attest_roots roots;
    CLEANUP(buf_done) struct buf document;
    attest_roots_init(&roots);
    attest_roots_add_g1(&roots);
    buf_init(&document, PKI_DOCUMENT_MAX);
    if (argc < 2)
        make_document(&roots, &document);
    else if (read_document(argv[1], &document) < 0)
        return 2;
    struct attest_policy policy = {.roots = &roots, .at_document_time = true, .allow_debug = true};
    printf("document of %zu bytes, one core\n", document.len);
    printf("decode  %10.0f /s\n", rate_decode(&document));
    printf("verify  %10.0f /s (five P-384 signatures)\n", rate_verify(&document, &policy));
    return 0;
}
