/* AWS's tools write byte strings as arrays of numbers, one for each byte (serde's default); what is accepted
 * in their place is a byte string. Either is copied into a buffer with a ceiling before it is looked at. */
#include "nitro/eif_signature.h"

#include "base/buf.h"
#include "nitro/attest_reason.h"
#include "nitro/cbor.h"
#include "nitro/cose.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum { CERTIFICATE_MAX = 32 << 10, SIGNATURE_MAX = 2 << 10 };

/* The two members, in the order of the names. */
enum { CERTIFICATE, SIGNATURE, MEMBERS };

static const char *const names[MEMBERS] = {"signing_certificate", "signature"};

struct parts {
    struct buf members[MEMBERS];
};

static void parts_done(struct parts *parts)
{
    for (int i = 0; i < MEMBERS; i++)
        buf_done(&parts->members[i]);
}

static int malformed(struct error *err, const char *what)
{
    return error_set(err, ERROR_INVALID, "MalformedImage", "%s", what);
}

/* Bytes as a string or as an array of numbers. */
static int read_bytes(struct cbor_reader *reader, struct buf *out)
{
    struct cbor_item item;
    struct cbor_container array;
    if (cbor_next(reader, &item) < 0)
        return -1;
    if (item.type == CBOR_BYTES)
        return buf_append(out, item.data, item.len);
    if (item.type != CBOR_ARRAY || cbor_enter(reader, &item, &array) < 0)
        return -1;
    int more;
    while ((more = cbor_has_member(reader, &array)) > 0)
        if (cbor_expect(reader, CBOR_UINT, &item) < 0 || item.value > UINT8_MAX ||
            buf_putc(out, (char)item.value) < 0)
            return -1;
    return more;
}

static int read_member(struct cbor_reader *reader, struct parts *parts, struct error *err)
{
    struct cbor_item key;
    if (cbor_expect(reader, CBOR_TEXT, &key) < 0)
        return malformed(err, "the signature's map has a key that is no text");
    int i = 0;
    while (i < MEMBERS && (key.len != strlen(names[i]) || memcmp(key.data, names[i], key.len) != 0))
        i++;
    if (i == MEMBERS)
        return malformed(err, "the signature's map has an unknown key");
    if (parts->members[i].len > 0)
        return error_set(err, ERROR_INVALID, "MalformedImage", "two members '%s'", names[i]);
    if (read_bytes(reader, &parts->members[i]) < 0 || parts->members[i].len == 0)
        return error_set(err, ERROR_INVALID, "MalformedImage", "'%s' is not 1 to %zu bytes", names[i],
                         parts->members[i].max);
    return 0;
}

static int read_map(struct cbor_reader *reader, struct parts *parts, struct error *err)
{
    struct cbor_item item;
    struct cbor_container map;
    int more;
    if (cbor_expect(reader, CBOR_MAP, &item) < 0 || cbor_enter(reader, &item, &map) < 0)
        return malformed(err, "the list of signatures holds something else than a map");
    while ((more = cbor_has_member(reader, &map)) > 0)
        if (read_member(reader, parts, err) < 0)
            return -1;
    if (more < 0)
        return malformed(err, "the signature's map has no end");
    for (int i = 0; i < MEMBERS; i++)
        if (parts->members[i].len == 0)
            return error_set(err, ERROR_INVALID, "MalformedImage", "no member '%s'", names[i]);
    return 0;
}

/* Readers differ on what a second signature would mean, and no tool writes one. */
static int read_parts(const void *section, size_t len, struct parts *parts, struct error *err)
{
    struct cbor_reader reader;
    struct cbor_item item;
    struct cbor_container list;
    cbor_init(&reader, section, len);
    if (cbor_expect(&reader, CBOR_ARRAY, &item) < 0 || cbor_enter(&reader, &item, &list) < 0)
        return malformed(err, "not a CBOR list of signatures");
    if (cbor_has_member(&reader, &list) != 1)
        return malformed(err, "the list of signatures is empty");
    if (read_map(&reader, parts, err) < 0)
        return -1;
    if (cbor_has_member(&reader, &list) != 0)
        return malformed(err, "more than one signature, or no end of their list");
    return cbor_is_at_end(&reader) ? 0 : malformed(err, "bytes after the list of signatures");
}

static void biop(BIO **bio)
{
    BIO_free(*bio);
}

static void certp(X509 **cert)
{
    X509_free(*cert);
}

/* OpenSSL would ask at the terminal for the password of encrypted PEM. */
static int no_password(char *text, int size, int is_writing, void *ctx)
{
    (void)text, (void)size, (void)is_writing, (void)ctx;
    return -1;
}

static X509 *read_certificate(const struct buf *pem)
{
    CLEANUP(biop) BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    return bio ? PEM_read_bio_X509(bio, NULL, no_password, NULL) : NULL;
}

static int find_algorithm(X509 *cert, enum cose_algorithm *ret_algorithm)
{
    static const struct {
        const char *group;
        enum cose_algorithm algorithm;
    } curves[] = {{"prime256v1", COSE_ES256}, {"secp384r1", COSE_ES384}, {"secp521r1", COSE_ES512}};
    char group[32];
    EVP_PKEY *key = X509_get0_pubkey(cert);
    if (!key || EVP_PKEY_is_a(key, "EC") != 1 ||
        EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(curves); i++)
        if (strcmp(group, curves[i].group) == 0) {
            *ret_algorithm = curves[i].algorithm;
            return 0;
        }
    return -1;
}

/* The one encoding that is ever signed, as AWS's tools compare it byte by byte. */
static void write_payload(const uint8_t pcr0[SHA384_BYTES], struct buf *out)
{
    static const char head[] = "\xa2\x6eregister_index\x00\x6eregister_value\x98\x30";
    buf_append(out, head, sizeof(head) - 1);
    for (int i = 0; i < SHA384_BYTES; i++) {
        if (pcr0[i] >= 24)
            buf_putc(out, 0x18);
        buf_putc(out, (char)pcr0[i]);
    }
}

static int check_signature(const struct buf *signature, X509 *cert, const uint8_t pcr0[SHA384_BYTES],
                           struct error *err)
{
    struct cose cose;
    enum cose_algorithm algorithm;
    if (find_algorithm(cert, &algorithm) < 0)
        return attest_refuse(err, ATTEST_UNSUPPORTED_ALGORITHM,
                             "the certificate's key is not on P-256, P-384 or P-521");
    if (cose_parse_as(signature->data, signature->len, algorithm, &cose, err) < 0 ||
        cose_verify(&cose, X509_get0_pubkey(cert), err) < 0)
        return -1;
    CLEANUP(buf_done) struct buf payload;
    buf_init(&payload, 256);
    write_payload(pcr0, &payload);
    if (cose.payload_len != payload.len || memcmp(cose.payload, payload.data, payload.len) != 0)
        return attest_refuse(err, ATTEST_BAD_SIGNATURE, "it signs another PCR0 than this image's");
    return 0;
}

static int time_to_ms(const ASN1_TIME *time, int64_t *ret_ms)
{
    struct tm parts;
    if (ASN1_TIME_to_tm(time, &parts) != 1)
        return -1;
    *ret_ms = (int64_t)timegm(&parts) * 1000;
    return 0;
}

static int describe(X509 *cert, struct eif_signer *ret_signer, struct error *err)
{
    struct eif_signer signer;
    unsigned char *der = NULL;
    if (time_to_ms(X509_get0_notBefore(cert), &signer.not_before_ms) < 0 ||
        time_to_ms(X509_get0_notAfter(cert), &signer.not_after_ms) < 0)
        return malformed(err, "the certificate's validity is malformed");
    int len = i2d_X509(cert, &der);
    if (len <= 0)
        return malformed(err, "the certificate cannot be encoded");
    sha384(der, (size_t)len, signer.sha384);
    OPENSSL_free(der);
    *ret_signer = signer;
    return 0;
}

int eif_signature_verify(const void *section, size_t len, const uint8_t pcr0[SHA384_BYTES],
                         struct eif_signer *ret_signer, struct error *err)
{
    CLEANUP(parts_done) struct parts parts;
    buf_init(&parts.members[CERTIFICATE], CERTIFICATE_MAX);
    buf_init(&parts.members[SIGNATURE], SIGNATURE_MAX);
    if (read_parts(section, len, &parts, err) < 0)
        return -1;
    CLEANUP(certp) X509 *cert = read_certificate(&parts.members[CERTIFICATE]);
    if (!cert)
        return malformed(err, "'signing_certificate' is no certificate in PEM");
    if (check_signature(&parts.members[SIGNATURE], cert, pcr0, err) < 0)
        return -1;
    return describe(cert, ret_signer, err);
}
