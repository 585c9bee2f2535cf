/* The signed bytes are digested piece by piece; only their heads are written anew, minimally as RFC 9052
 * asks. OpenSSL wants the signature as DER, hence the detour through ECDSA_SIG. */
#include "nitro/cose.h"

#include "nitro/attest_reason.h"
#include "nitro/cbor.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <string.h>

enum { TAG_SIGN1 = 18, HEADER_ALG = 1, HEADER_MAX = 64 };

/* RFC 9053, section 2.1; a coordinate is as long as the curve's field. */
static const struct {
    const char *name;
    int id;
    const char *digest;
    size_t coordinate_bytes;
} algorithms[] = {
    [COSE_ES384] = {"ES384", -35, "SHA384", 48},
    [COSE_ES256] = {"ES256", -7, "SHA256", 32},
    [COSE_ES512] = {"ES512", -36, "SHA512", 66},
};

static int malformed(struct error *err, const char *what)
{
    return attest_refuse(err, ATTEST_MALFORMED_DOCUMENT, "COSE envelope: %s", what);
}

static int unsupported(const struct cose *cose, struct error *err)
{
    return attest_refuse(err, ATTEST_UNSUPPORTED_ALGORITHM,
                         "the protected header must name %s and nothing else",
                         algorithms[cose->algorithm].name);
}

/* Malformed if it is not CBOR at all; any other map than {1: algorithm} is one that we do not speak. */
static int check_protected(const struct cose *cose, struct error *err)
{
    struct cbor_reader reader, whole;
    struct cbor_item item, key, alg;
    struct cbor_container map;
    cbor_init(&reader, cose->protected_header, cose->protected_len);
    whole = reader;
    if (cbor_skip(&whole) < 0 || !cbor_is_at_end(&whole))
        return malformed(err, "protected header");
    if (cbor_expect(&reader, CBOR_MAP, &item) < 0 || cbor_enter(&reader, &item, &map) < 0)
        return malformed(err, "the protected header is not a map");
    if (item.is_indefinite || item.value != 1)
        return unsupported(cose, err);
    if (cbor_expect(&reader, CBOR_UINT, &key) < 0 || key.value != HEADER_ALG)
        return unsupported(cose, err);
    if (cbor_expect(&reader, CBOR_NEGATIVE, &alg) < 0 ||
        alg.value != (uint64_t)(-1 - algorithms[cose->algorithm].id))
        return unsupported(cose, err);
    return 0;
}

static int check_unprotected(struct cbor_reader *reader, struct error *err)
{
    struct cbor_item item;
    if (cbor_expect(reader, CBOR_MAP, &item) < 0 || item.is_indefinite || item.value != 0)
        return malformed(err, "the unprotected header is not an empty map");
    return 0;
}

static int open_array(struct cbor_reader *reader, struct error *err)
{
    struct cbor_item item;
    struct cbor_container array;
    if (cbor_next(reader, &item) < 0)
        return malformed(err, "not CBOR");
    if (item.type == CBOR_TAG && (item.value != TAG_SIGN1 || cbor_next(reader, &item) < 0))
        return malformed(err, "unknown tag");
    if (item.type != CBOR_ARRAY || item.is_indefinite || item.value != 4)
        return malformed(err, "not an array of four");
    return cbor_enter(reader, &item, &array) < 0 ? malformed(err, "depth") : 0;
}

int cose_parse(const void *data, size_t len, struct cose *ret_cose, struct error *err)
{
    return cose_parse_as(data, len, COSE_ES384, ret_cose, err);
}

int cose_parse_as(const void *data, size_t len, enum cose_algorithm algorithm, struct cose *ret_cose,
                  struct error *err)
{
    size_t signature_len = 2 * algorithms[algorithm].coordinate_bytes;
    struct cbor_reader reader;
    struct cbor_item header, payload, signature;
    cbor_init(&reader, data, len);
    if (open_array(&reader, err) < 0)
        return -1;
    if (cbor_expect(&reader, CBOR_BYTES, &header) < 0 || header.len == 0 || header.len > HEADER_MAX)
        return malformed(err, "protected header");
    struct cose cose = {.algorithm = algorithm, .protected_header = header.data, .protected_len = header.len};
    if (check_protected(&cose, err) < 0 || check_unprotected(&reader, err) < 0)
        return -1;
    if (cbor_expect(&reader, CBOR_BYTES, &payload) < 0 || payload.len == 0 || payload.len > COSE_PAYLOAD_MAX)
        return malformed(err, "payload");
    if (cbor_expect(&reader, CBOR_BYTES, &signature) < 0 || signature.len != signature_len)
        return attest_refuse(err, ATTEST_MALFORMED_DOCUMENT, "COSE envelope: the signature is not %zu bytes",
                             signature_len);
    if (!cbor_is_at_end(&reader))
        return malformed(err, "bytes after the document");
    cose.payload = payload.data;
    cose.payload_len = payload.len;
    cose.signature = signature.data;
    *ret_cose = cose;
    return 0;
}

/* The head of a byte string of up to 65535 bytes. */
static size_t bytes_head(size_t len, uint8_t ret_head[3])
{
    if (len < 24) {
        ret_head[0] = (uint8_t)(0x40 | len);
        return 1;
    }
    if (len < 256) {
        ret_head[0] = 0x58;
        ret_head[1] = (uint8_t)len;
        return 2;
    }
    ret_head[0] = 0x59;
    ret_head[1] = (uint8_t)(len >> 8);
    ret_head[2] = (uint8_t)len;
    return 3;
}

static bool update_string(EVP_MD_CTX *ctx, const uint8_t *data, size_t len)
{
    uint8_t head[3];
    return EVP_DigestVerifyUpdate(ctx, head, bytes_head(len, head)) == 1 &&
           (len == 0 || EVP_DigestVerifyUpdate(ctx, data, len) == 1);
}

/* The Sig_structure: ["Signature1", protected header, empty external data, payload]. */
static bool update_signed_bytes(EVP_MD_CTX *ctx, const struct cose *cose)
{
    static const char context[] = "\x84\x6aSignature1";
    return EVP_DigestVerifyUpdate(ctx, context, sizeof(context) - 1) == 1 &&
           update_string(ctx, cose->protected_header, cose->protected_len) && update_string(ctx, NULL, 0) &&
           update_string(ctx, cose->payload, cose->payload_len);
}

static void ecdsa_sigp(ECDSA_SIG **signature)
{
    ECDSA_SIG_free(*signature);
}

/* r and s in range is the curve code's check; a negative or oversized number cannot be written here. */
static int signature_to_der(const struct cose *cose, uint8_t *ret_der, size_t size)
{
    size_t bytes = algorithms[cose->algorithm].coordinate_bytes;
    CLEANUP(ecdsa_sigp) ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(cose->signature, (int)bytes, NULL);
    BIGNUM *s = BN_bin2bn(cose->signature + bytes, (int)bytes, NULL);
    if (!signature || !r || !s || ECDSA_SIG_set0(signature, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return -1;
    }
    int len = i2d_ECDSA_SIG(signature, NULL);
    if (len <= 0 || (size_t)len > size)
        return -1;
    return i2d_ECDSA_SIG(signature, &ret_der);
}

static void md_ctxp(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}

int cose_verify(const struct cose *cose, EVP_PKEY *key, struct error *err)
{
    uint8_t der[COSE_SIGNATURE_MAX + 16];
    const EVP_MD *md = EVP_get_digestbyname(algorithms[cose->algorithm].digest);
    int der_len = signature_to_der(cose, der, sizeof(der));
    CLEANUP(md_ctxp) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = der_len > 0 && ctx && md && EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) == 1 &&
              update_signed_bytes(ctx, cose) && EVP_DigestVerifyFinal(ctx, der, (size_t)der_len) == 1;
    if (!ok)
        return attest_refuse(err, ATTEST_BAD_SIGNATURE, "the payload is not signed by the certificate's key");
    return 0;
}
