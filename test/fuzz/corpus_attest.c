/* Writes a few documents of different forms, and the certificates of their chain, into the two folders named.
 */
#include "base/cleanup.h"
#include "base/mem.h"
#include "pki/pki.h"

#include <stdio.h>

static int write_file(const char *path, const void *data, size_t len)
{
    CLEANUP(fclosep) FILE *file = fopen(path, "we");
    return file && fwrite(data, 1, len, file) == len ? 0 : -1;
}

static int write_document(struct pki *pki, const struct pki_document_spec *spec, const char *path)
{
    CLEANUP(buf_done) struct buf document;
    buf_init(&document, PKI_DOCUMENT_MAX);
    pki_document(pki, spec, &document);
    return write_file(path, document.data, document.len);
}

static int write_chain(struct pki *pki, const struct pki_document_spec *spec, const char *folder)
{
    static const char *const names[] = {"root", "region", "zonal", "instance", "leaf"};
    struct pki_chain chain;
    int failed = 0;
    pki_chain(pki, spec, &chain);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(freep) char *path = mem_printf("%s/%s.der", folder, names[i]);
        failed |= write_file(path, chain.der[i].data, chain.der[i].len);
    }
    return failed;
}

int main(int argc, char **argv)
{
    static const struct pki_defects definite = {.definite_map = true};
    static const struct pki_defects indefinite = {.indefinite_pcrs = true, .indefinite_cabundle = true};
    static const struct pki_defects tagged = {.outer_head = {"\xd2\x84", 2}};
    static const struct pki_span text = {"abc", 3};
    const struct {
        const char *name;
        const struct pki_defects *defects;
        struct pki_span fields;
        bool debug;
    } forms[] = {{"today", NULL, text, false},
                 {"definite", &definite, text, false},
                 {"indefinite", &indefinite, {NULL, 0}, false},
                 {"tagged", &tagged, text, false},
                 {"debug", NULL, {NULL, 0}, true}};
    if (argc != 3)
        return 2;
    struct pki *pki = pki_new(NULL, NULL);
    int failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        CLEANUP(freep) char *path = mem_printf("%s/%s.cbor", argv[1], forms[i].name);
        struct pki_document_spec spec = {
            .module_id = "i-0123456789abcdef0-enc01a3185c00001234",
            .region = "eu-west-1",
            .timestamp_ms = INT64_C(1800000000000),
            .image_digest = "00",
            .debug = forms[i].debug,
            .nonce = forms[i].fields,
            .user_data = forms[i].fields,
            .public_key = forms[i].fields,
            .defects = forms[i].defects,
        };
        failed |= write_document(pki, &spec, path);
        failed |= write_chain(pki, &spec, argv[2]);
    }
    pki_free(pki);
    return failed ? 1 : 0;
}
