/* The security module of the tests: documents are signed by a test PKI in the folder named by NSM_DOUBLE_DIR.
 * A file `error` there makes it answer with that error; one that starts with "!" with those bytes as they
 * are. */
#include "nsm.h"

#include "base/clock.h"
#include "base/mem.h"
#include "nitro/cbor.h"
#include "pki/cbor_writer.h"
#include "pki/pki.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct nsm {
    struct pki *pki;
    char *dir;
};

struct nsm *nsm_open(struct error *err)
{
    const char *dir = getenv("NSM_DOUBLE_DIR");
    struct nsm *nsm = mem_calloc(1, sizeof(*nsm));
    assert(dir);
    nsm->dir = mem_strdup(dir);
    nsm->pki = pki_new(dir, err);
    assert(nsm->pki);
    return nsm;
}

struct nsm *nsm_close(struct nsm *nsm)
{
    if (!nsm)
        return NULL;
    pki_free(nsm->pki);
    free(nsm->dir);
    free(nsm);
    return NULL;
}

/* As strict as serde: the key must be this one, the value bytes or null. */
static struct pki_span read_field(struct cbor_reader *reader, const char *name)
{
    struct cbor_item key, value;
    assert(cbor_expect(reader, CBOR_TEXT, &key) == 0);
    assert(key.len == strlen(name) && memcmp(key.data, name, key.len) == 0);
    assert(cbor_next(reader, &value) == 0);
    assert(value.type == CBOR_BYTES || value.type == CBOR_NULL);
    return (struct pki_span){value.data, value.len};
}

static void open_map(struct cbor_reader *reader, size_t count)
{
    struct cbor_item map;
    struct cbor_container container;
    assert(cbor_expect(reader, CBOR_MAP, &map) == 0 && map.value == count);
    assert(cbor_enter(reader, &map, &container) == 0 && cbor_has_member(reader, &container) == 1);
}

static void sign(struct nsm *nsm, const uint8_t *request, size_t len, struct buf *out)
{
    struct cbor_reader reader;
    struct cbor_item key;
    cbor_init(&reader, request, len);
    open_map(&reader, 1);
    assert(cbor_expect(&reader, CBOR_TEXT, &key) == 0 && key.len == 11 &&
           memcmp(key.data, "Attestation", 11) == 0);
    open_map(&reader, 3);
    struct pki_document_spec spec = {.module_id = "i-0123456789abcdef0-enc01a3185c00001234",
                                     .region = "us-east-1",
                                     .timestamp_ms = clock_wall_ms(clock_real()),
                                     .image_digest = "00"};
    spec.user_data = read_field(&reader, "user_data");
    spec.nonce = read_field(&reader, "nonce");
    spec.public_key = read_field(&reader, "public_key");
    assert(cbor_is_at_end(&reader));
    CLEANUP(buf_done) struct buf document;
    buf_init(&document, PKI_DOCUMENT_MAX);
    pki_document(nsm->pki, &spec, &document);
    cbor_write_head(out, CBOR_MAJOR_MAP, 1);
    cbor_write_text(out, "Attestation");
    cbor_write_head(out, CBOR_MAJOR_MAP, 1);
    cbor_write_text(out, "document");
    cbor_write_bytes(out, document.data, document.len);
}

static bool read_error(const struct nsm *nsm, char *ret_text, size_t size)
{
    CLEANUP(freep) char *path = mem_printf("%s/error", nsm->dir);
    CLEANUP(fclosep) FILE *file = fopen(path, "re");
    return file && fgets(ret_text, (int)size, file);
}

int nsm_exchange(struct nsm *nsm, const uint8_t *request, size_t len, uint8_t ret_answer[NSM_ANSWER_MAX],
                 size_t *ret_len, struct error *err)
{
    char text[64];
    CLEANUP(buf_done) struct buf out;
    (void)err;
    buf_init(&out, NSM_ANSWER_MAX);
    if (!read_error(nsm, text, sizeof(text))) {
        sign(nsm, request, len, &out);
    } else if (text[0] == '!') {
        buf_puts(&out, text + 1);
    } else {
        cbor_write_head(&out, CBOR_MAJOR_MAP, 1);
        cbor_write_text(&out, "Error");
        cbor_write_text(&out, text);
    }
    assert(buf_is_ok(&out));
    memcpy(ret_answer, out.data, out.len);
    *ret_len = out.len;
    return 0;
}
