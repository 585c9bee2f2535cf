/* Writes a few documents of different forms into the folder named as the only argument. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "pki/pki.h"

#include <stdio.h>

static int write_document(struct pki *pki, const struct pki_document_spec *spec, const char *path)
{
    CLEANUP(buf_done) struct buf document;
    CLEANUP(fclosep) FILE *file = fopen(path, "we");
    buf_init(&document, PKI_DOCUMENT_MAX);
    pki_document(pki, spec, &document);
    return file && fwrite(document.data, 1, document.len, file) == document.len ? 0 : -1;
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
    if (argc != 2)
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
    }
    pki_free(pki);
    return failed ? 1 : 0;
}
