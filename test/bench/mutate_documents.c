/* Makes documents that differ from a genuine one in what its signature does not cover: mutate_documents
 * DOCUMENT FOLDER. Whether a verifier accepts them says how strict it is with the envelope. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "nitro/cose.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOCUMENT_MAX = 64 * 1024, HALF = COSE_SIGNATURE_BYTES / 2 };

/* The parts of the envelope: array head, protected header, unprotected header, payload, signature, rest. */
struct envelope {
    const char *head;
    const char *unprotected;
    size_t unprotected_len;
    const uint8_t *signature;
    size_t signature_len;
    const char *tail;
};

static void put_bytes(struct buf *out, const uint8_t *data, size_t len)
{
    if (len >= 256) {
        buf_putc(out, 0x59);
        buf_putc(out, (char)(len >> 8));
    } else if (len >= 24) {
        buf_putc(out, 0x58);
    }
    buf_putc(out, (char)(len < 24 ? 0x40 | len : len));
    buf_append(out, data, len);
}

static int write_document(const char *folder, const char *name, const struct cose *cose,
                          const struct envelope *parts)
{
    CLEANUP(freep) char *path = mem_printf("%s/%s.cbor", folder, name);
    CLEANUP(fclosep) FILE *file = fopen(path, "we");
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, DOCUMENT_MAX);
    buf_puts(&out, parts->head);
    put_bytes(&out, cose->protected_header, cose->protected_len);
    buf_append(&out, parts->unprotected, parts->unprotected_len);
    put_bytes(&out, cose->payload, cose->payload_len);
    put_bytes(&out, parts->signature, parts->signature_len);
    buf_puts(&out, parts->tail);
    return file && fwrite(out.data, 1, out.len, file) == out.len ? 0 : -1;
}

/* r and n - s: another signature that is as good (SEC 1, 4.1.4). */
static void mirror(const uint8_t *signature, uint8_t ret_mirrored[COSE_SIGNATURE_BYTES])
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_secp384r1);
    BIGNUM *s = BN_bin2bn(signature + HALF, HALF, NULL);
    BN_sub(s, EC_GROUP_get0_order(group), s);
    memcpy(ret_mirrored, signature, HALF);
    BN_bn2binpad(s, ret_mirrored + HALF, HALF);
    BN_free(s);
    EC_GROUP_free(group);
}

static int write_all(const struct cose *cose, const char *folder)
{
    uint8_t mirrored[COSE_SIGNATURE_BYTES], zeros[COSE_SIGNATURE_BYTES] = {0};
    mirror(cose->signature, mirrored);
    const struct envelope good = {"\x84", "\xa0", 1, cose->signature, COSE_SIGNATURE_BYTES, ""};
    struct envelope parts[7] = {good, good, good, good, good, good, good};
    static const char *const names[] = {
        "m01_unchanged",     "m02_unprotected_entry",  "m03_unprotected_null", "m04_indefinite_outer",
        "m05_trailing_byte", "m06_mirrored_signature", "m07_zero_signature"};
    parts[1].unprotected = "\xa1\x04\x41\x01";
    parts[1].unprotected_len = 4;
    parts[2].unprotected = "\xf6";
    parts[3].head = "\x9f";
    parts[3].tail = "\xff";
    parts[4].tail = "\x01";
    parts[5].signature = mirrored;
    parts[6].signature = zeros;
    int failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        failed |= write_document(folder, names[i], cose, &parts[i]);
    return failed;
}

int main(int argc, char **argv)
{
    static uint8_t data[DOCUMENT_MAX];
    struct cose cose;
    struct error err;
    CLEANUP(fclosep) FILE *file = argc == 3 ? fopen(argv[1], "re") : NULL;
    size_t len = file ? fread(data, 1, sizeof(data), file) : 0;
    if (!file || cose_parse(data, len, &cose, &err) < 0) {
        fprintf(stderr, "usage: mutate_documents DOCUMENT FOLDER\n");
        return 2;
    }
    return write_all(&cose, argv[2]) < 0 ? 1 : 0;
}
