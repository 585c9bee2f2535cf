/* Signed image files: one signed by AWS's own library, ours on each curve, and every way to sign wrongly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/pem.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "nitro/eif.h"
#include "pki/eif_cases.h"
#include "pki/eif_sign.h"

enum { FILE_MAX = 256 << 10 };

/* The signature section that aws-nitro-enclaves-image-format 0.8.1 wrote for the case "metadata" with a
 * P-384 key (test/eif-parity sign), and the PCR8 that it printed. */
static const char aws_section[] =
    "gaJzc2lnbmluZ19jZXJ0aWZpY2F0ZZkCoBgtGC0YLRgtGC0YQhhFGEcYSRhOGCAYQxhFGFIYVBhJGEYYSRhDGEEYVBhFGC0Y"
    "LRgtGC0YLQoYTRhJGEkYQhh3GGoYQxhDGEEYVRhpGGcYQRh3GEkYQhhBGGcYSRhVGGYYehh6GDgYdxgxGG0YMBhqGFgYVhhF"
    "GDAYZhhMGEoYahgyGDQYTxh2GFMYMxhTGFIYKxgwGHcYQxhnGFkYSRhLGG8YWhhJGHoYahgwGEUYQRh3GEkYdwoYRxhEGEUY"
    "VxhNGEIYURhHGEEYMRhVGEUYQRh3GHcYThhaGFcYbBhtGEkYSBhOGGwYWRgzGEEYehhPGEQYUhh5GE0YVBhBGGUYRhh3GDAY"
    "eRhOGGoYRRh4GE0YahhRGHcYTRh6GEEYehhNGEQYQhhhGEYYdxgwGHoYThhqGEUYeAoYTRhqGEUYdxhNGHoYQRh6GE0YRBhC"
    "GGEYTRhCGGcYeBhGGGoYQRhVGEIYZxhOGFYYQhhBGE0YTRhEGFcYVhhwGFoYaRhCGHoYWhhXGE4YdxhNGHoYZxgwGGMYahhF"
    "GHcYZBhqGEEYURhCGGcYYxhxGGgYaxhqGE8YUBhRGEkYQgoYQhhnGFUYchhnGFEYURhBGEkYZxhOGGkYQRhBGFQYVBhDGFkY"
    "Mxg4GEkYRBhsGE0YehhqGFUYaxhwGGwYeRh4GFoYdBh5GGsYNRh5GE8YZRh2GFUYRxhJGHQYQxg3GEEYURhoGEIYdhhzGEQY"
    "UxhaGEoYUxhrGG8YQxhlGEYYOAoYQRhuGDEYUxhrGHIYRxhCGE8YcxhpGEgYZBhZGFMYShgwGGUYchhDGGYYSBhqGDUYSBgw"
    "GFgYUhhEGFcYMhhhGGoYdRgwGHcYbBhUGG4YVxhaGEkYRxhQGFcYLxh4GFEYThhqGDIYRxhRGGwYRxh0GG4YehgzGHcYUxhV"
    "GEgYQgoYTBhLGHoYLxhLGC8YRRhMGGIYTxg1GG0YcRhMGDIYahhVGHoYQhhSGE0YQhgwGEcYQRgxGFUYZBhEGGcYURhXGEIY"
    "QhhTGDkYVhhaGFUYUBh4GEwYLxhlGDQYcxhkGHcYTRhkGDkYKxhPGG4Ybhh5GG0YQRhwGDgYTBhUGEEYZgoYQhhnGE4YVhhI"
    "GFMYTRhFGEcYRBhBGFcYZxhCGFMYORhWGFoYVRhQGHgYTBgvGGUYNBhzGGQYdxhNGGQYORgrGE8YbhhuGHkYbRhBGHAYOBhM"
    "GFQYQRhQGEIYZxhOGFYYSBhSGE0YQhhBGGYYOBhFGEIYVBhBGEQYQRhRGEgYLwoYTRhBGG8YRxhDGEMYcRhHGFMYTRg0GDkY"
    "QhhBGE0YQxhBGDIYZxhBGE0YRxhVGEMYTRhDGGYYTRhEGFIYYhhtGFYYShhQGFgYRxgyGFgYNRh5GDQYcRhiGFUYSxhyGE0Y"
    "WRhuGEoYVhhrGGUYRRhMGHgYehg3GG4YVhgrGFUYYQoYaxg3GHoYdBgvGEkYcxg3GDMYUxhpGHAYdBhqGDcYORhxGGUYUBhq"
    "GEEYYhhVGFEYaBhRGEkYeBhBGFAYOBhOGDkYShhVGDUYbxgxGEUYThhWGGoYTBhDGEMYTBhzGDUYdxh1GEcYeBg4GGMYWBhF"
    "GFYYbhhXGFcYWRg2GC8YSwoYWRhGGEgYeRhxGGUYRRgzGE4YURgyGEEYYhh2GEQYYxhrGDQYSxgzGG0YQRhZGEEYWRhvGEkY"
    "cBhJGFEYPRg9ChgtGC0YLRgtGC0YRRhOGEQYIBhDGEUYUhhUGEkYRhhJGEMYQRhUGEUYLRgtGC0YLRgtCmlzaWduYXR1cmWY"
    "6RiEGEQYoQEYOBgiGKAYWBh+GKIYbhhyGGUYZxhpGHMYdBhlGHIYXxhpGG4YZBhlGHgAGG4YchhlGGcYaRhzGHQYZRhyGF8Y"
    "dhhhGGwYdRhlGJgYMBgYGCIFFBgYGJQYGBj6GBgYYxgYGCIYGBi6GBgY9xgYGLgYGBjZChgYGEcYGBjsGBgYehgYGP0YGBhk"
    "GBgYbhgYGGwYGBiQGBgYnxgYGOwYGBhVGBgYWhgYGD0YGBgoGBgYxxgYGMkYGBioGBgYnRgYGLAYGBh5GBgYthgYGCwYGBhq"
    "BBgYGLMYGBhbGBgY5RgYGK4YGBh+GBgYxhgYGKMYGBiZGBgY3BgYGDIYGBjuGBgY3BhYGGAYXxjrGBgY9hh6GE4YsBjwGEQY"
    "phjrGJYY4RivGDMYixhHGCYYNxhHGCkYrxg2GKwYGRi1GKkNGD8YphhYGNgBGPwABQQYehjPEBg9GCsYRhg3GLkWGI0Y7Bic"
    "GKMY2Rg8Cxi9GLMY9RivGMgYpBivGEgYYhhqGF4YWhhOGEsYUBjyGOMY1Bh2GFYYbhjqGDcRGFsYhRjmGKMYdBi5GJgYPwwY"
    "vBimGL8YoBisGM8Ytw8YsRj4";

static const char aws_pcr8[] = "760e9915adb3c1b23709ab8c38b7bf4d00161527eda8639a"
                               "70d8ce58ffa556acfd5c4aae3a84b0492ee6687e435b4f99";

struct fixture {
    struct eif_case eif; /* the case "metadata", unsigned */
    size_t unsigned_parts;
    uint8_t pcr0[EIF_PCR_BYTES];
    struct pki_cert signer; /* P-384 */
    struct buf section;
    struct buf file;
    struct eif_measurement found;
    struct error err;
};

static int fixture_new(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
    buf_init(&f->section, FILE_MAX);
    buf_init(&f->file, FILE_MAX);
    size_t i = 0;
    do
        eif_case_make(i++, &f->eif);
    while (strcmp(f->eif.name, "metadata") != 0);
    f->unsigned_parts = f->eif.image.part_count;
    eif_write(&f->eif.image, &f->file);
    assert_int_equal(eif_measure(f->file.data, f->file.len, &f->found, NULL), 0);
    memcpy(f->pcr0, f->found.pcr0, EIF_PCR_BYTES);
    eif_signer_new("secp384r1", &f->signer);
    *state = f;
    return 0;
}

static int fixture_free(void **state)
{
    struct fixture *f = *state;
    pki_cert_done(&f->signer);
    buf_done(&f->section);
    buf_done(&f->file);
    free(f);
    return 0;
}

/* The image with this section behind it, as an exact heap copy. */
static int measure_with(struct fixture *f, const void *section, size_t len)
{
    f->eif.image.part_count = f->unsigned_parts;
    eif_add_part(&f->eif.image, EIF_PART_SIGNATURE, section, len);
    buf_reset(&f->file);
    eif_write(&f->eif.image, &f->file);
    CLEANUP(freep) uint8_t *copy = mem_dup(f->file.data, f->file.len);
    error_clear(&f->err);
    return eif_measure(copy, f->file.len, &f->found, &f->err);
}

static int measure_spec(struct fixture *f, const struct eif_signature_spec *spec)
{
    buf_reset(&f->section);
    eif_write_signature(spec, &f->section);
    return measure_with(f, f->section.data, f->section.len);
}

static void assert_refused(const struct fixture *f, int rc, const char *reason, const char *text)
{
    if (rc == 0)
        fail_msg("accepted, but expected: %s", text);
    assert_string_equal(f->err.reason, reason);
    if (!strstr(f->err.text, text))
        fail_msg("%s, but expected: %s", f->err.text, text);
    assert_non_null(strstr(f->err.text, "section 5 (signature) at offset 2034: "));
}

static void test_signed_by_aws(void **state)
{
    struct fixture *f = *state;
    CLEANUP(freep) uint8_t *section = NULL;
    char hex[2 * EIF_PCR_BYTES + 1];
    size_t len;
    assert_int_equal(base64_decode(aws_section, strlen(aws_section), &section, &len), 0);
    if (measure_with(f, section, len) < 0)
        fail_msg("%s", f->err.text);
    assert_true(f->found.is_signed);
    hex_encode(f->found.pcr8, EIF_PCR_BYTES, hex);
    assert_string_equal(hex, aws_pcr8);
    assert_memory_equal(f->found.pcr0, f->pcr0, EIF_PCR_BYTES);
}

static void test_every_curve(void **state)
{
    static const char *const groups[] = {"prime256v1", "secp384r1", "secp521r1"};
    struct fixture *f = *state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(groups); i++) {
        CLEANUP(pki_cert_done) struct pki_cert cert;
        uint8_t digest[SHA384_BYTES], pcr8[EIF_PCR_BYTES];
        eif_signer_new(groups[i / 2], &cert);
        struct eif_signature_spec spec = {.cert = &cert, .pcr0 = f->pcr0, .has_byte_strings = i % 2 != 0};
        if (measure_spec(f, &spec) < 0)
            fail_msg("%s: %s", groups[i / 2], f->err.text);
        sha384(cert.der, cert.der_len, digest);
        pki_measure(digest, sizeof(digest), pcr8);
        assert_memory_equal(f->found.pcr8, pcr8, EIF_PCR_BYTES);
        assert_int_equal(f->found.signer_not_before_ms, INT64_C(1700000000000));
        assert_int_equal(f->found.signer_not_after_ms, INT64_C(1900000000000));
    }
}

static void test_wrong_key_header_or_image(void **state)
{
    struct fixture *f = *state;
    CLEANUP(pki_cert_done) struct pki_cert other;
    uint8_t pcr0[EIF_PCR_BYTES];
    eif_signer_new("secp384r1", &other);
    struct eif_signature_spec spec = {.cert = &f->signer, .pcr0 = f->pcr0, .key = other.key};
    assert_refused(f, measure_spec(f, &spec), "BadSignature", "not signed by the certificate's key");
    for (size_t i = 0; i < EIF_PCR_BYTES; i++) {
        memcpy(pcr0, f->pcr0, sizeof(pcr0));
        pcr0[i] ^= 1;
        spec = (struct eif_signature_spec){.cert = &f->signer, .pcr0 = pcr0};
        assert_refused(f, measure_spec(f, &spec), "BadSignature", "it signs another PCR0 than this image's");
    }
    spec = (struct eif_signature_spec){.cert = &f->signer, .pcr0 = f->pcr0, .algorithm = -7};
    assert_refused(f, measure_spec(f, &spec), "UnsupportedAlgorithm", "must name ES384 and nothing else");
}

/* The certificate names one key and the header an algorithm of another; neither may win. */
static void test_other_curves_and_keys(void **state)
{
    struct fixture *f = *state;
    CLEANUP(pki_cert_done) struct pki_cert small, koblitz, rsa;
    CLEANUP(buf_done) struct buf pem;
    buf_init(&pem, FILE_MAX);
    eif_signer_new("prime256v1", &small);
    struct eif_signature_spec spec = {.cert = &small, .pcr0 = f->pcr0, .key = f->signer.key};
    assert_refused(f, measure_spec(f, &spec), "UnsupportedAlgorithm", "must name ES256 and nothing else");
    eif_signer_new("secp256k1", &koblitz);
    spec = (struct eif_signature_spec){.cert = &koblitz, .pcr0 = f->pcr0};
    assert_refused(f, measure_spec(f, &spec), "UnsupportedAlgorithm", "not on P-256, P-384 or P-521");
    struct pki_cert_spec rsa_spec = {
        .cn = "rsa", .not_after_s = 1900000000, .digest = "SHA256", .key = EVP_RSA_gen(2048)};
    pki_cert_issue(&rsa_spec, NULL, &rsa);
    eif_write_pem(&rsa, &pem);
    spec = (struct eif_signature_spec){.cert = &f->signer, .pcr0 = f->pcr0, .pem = {pem.data, pem.len}};
    assert_refused(f, measure_spec(f, &spec), "UnsupportedAlgorithm", "not on P-256, P-384 or P-521");
    EVP_PKEY_free(rsa_spec.key);
}

static void test_certificate_text(void **state)
{
    static const char encrypted[] = "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
                                    "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
                                    "AAAAAAAAAAAAAAAAAAAAAA==\n-----END CERTIFICATE-----\n";
    static const char *const texts[] = {"x", "-----BEGIN CERTIFICATE-----\n", encrypted,
                                        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
    struct fixture *f = *state;
    struct eif_signature_spec spec = {.cert = &f->signer, .pcr0 = f->pcr0};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        spec.pem = (struct pki_span){texts[i], strlen(texts[i])};
        assert_refused(f, measure_spec(f, &spec), "MalformedImage", "is no certificate in PEM");
    }
    CLEANUP(freep) char *large = mem_calloc(1, 32769);
    spec.pem = (struct pki_span){large, 32769};
    assert_refused(f, measure_spec(f, &spec), "MalformedImage",
                   "'signing_certificate' is not 1 to 32768 bytes");
    spec.has_byte_strings = true;
    assert_refused(f, measure_spec(f, &spec), "MalformedImage",
                   "'signing_certificate' is not 1 to 32768 bytes");
}

/* What stands behind the first certificate is not looked at, by AWS's library as well. */
static void test_first_certificate_counts(void **state)
{
    struct fixture *f = *state;
    CLEANUP(pki_cert_done) struct pki_cert other;
    CLEANUP(buf_done) struct buf pem;
    uint8_t digest[SHA384_BYTES], pcr8[EIF_PCR_BYTES];
    buf_init(&pem, FILE_MAX);
    eif_signer_new("prime256v1", &other);
    eif_write_pem(&f->signer, &pem);
    eif_write_pem(&other, &pem);
    struct eif_signature_spec spec = {.cert = &f->signer, .pcr0 = f->pcr0, .pem = {pem.data, pem.len}};
    assert_int_equal(measure_spec(f, &spec), 0);
    sha384(f->signer.der, f->signer.der_len, digest);
    pki_measure(digest, sizeof(digest), pcr8);
    assert_memory_equal(f->found.pcr8, pcr8, EIF_PCR_BYTES);
}

/* Sections in hex that get no further than their CBOR. */
static void test_spoiled_cbor(void **state)
{
#define CERT "737369676e696e675f6365727469666963617465" /* "signing_certificate" */
#define SIGN "697369676e6174757265"                     /* "signature" */
    static const struct {
        const char *hex, *text;
    } cases[] = {
        {"", "not a CBOR list of signatures"},
        {"a0", "not a CBOR list of signatures"},
        {"9affffffff", "not a CBOR list of signatures"},
        {"80", "the list of signatures is empty"},
        {"9fff", "the list of signatures is empty"},
        {"8100", "something else than a map"},
        {"8182" CERT "4100", "something else than a map"},
        {"81a0", "no member 'signing_certificate'"},
        {"81a1" CERT "4100", "no member 'signature'"},
        {"81a1" SIGN "8100", "no member 'signing_certificate'"},
        {"81a1616100", "an unknown key"},
        {"81a10000", "a key that is no text"},
        {"81a2" CERT "4100" CERT "4100", "two members 'signing_certificate'"},
        {"81a2" CERT "4100" SIGN "40", "'signature' is not 1 to 2048 bytes"},
        {"81a2" CERT "80" SIGN "4100", "'signing_certificate' is not 1 to 32768 bytes"},
        {"81a2" CERT "81190100" SIGN "4100", "'signing_certificate' is not"},
        {"81a2" CERT "8120" SIGN "4100", "'signing_certificate' is not"},
        {"81a2" CERT "814100" SIGN "4100", "'signing_certificate' is not"},
        {"81a2" CERT "6161" SIGN "4100", "'signing_certificate' is not"},
        {"81a2" CERT "9bffffffffffffffff" SIGN "4100", "'signing_certificate' is not"},
        {"81a2" CERT "9f00", "'signing_certificate' is not"},
        {"81bf" CERT "4100", "no end"},
        {"82a2" CERT "4100" SIGN "4100a2" CERT "4100" SIGN "4100", "more than one signature"},
        {"9fa2" CERT "4100" SIGN "4100", "no end of their list"},
        {"81a2" CERT "4100" SIGN "410000", "bytes after the list of signatures"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t section[256];
        size_t len = strlen(cases[i].hex) / 2;
        assert_int_equal(hex_decode(cases[i].hex, section, len), 0);
        assert_refused(f, measure_with(f, section, len), "MalformedImage", cases[i].text);
    }
}

static void test_every_truncation(void **state)
{
    struct fixture *f = *state;
    struct eif_signature_spec spec = {.cert = &f->signer, .pcr0 = f->pcr0};
    CLEANUP(buf_done) struct buf section;
    buf_init(&section, FILE_MAX);
    eif_write_signature(&spec, &section);
    for (size_t len = 0; len < section.len; len++)
        if (measure_with(f, section.data, len) == 0)
            fail_msg("%zu of %zu bytes were accepted", len, section.len);
}

/* No bit of the COSE_Sign1 may change. */
static void test_every_signature_bit(void **state)
{
    struct fixture *f = *state;
    struct eif_signature_spec spec = {.cert = &f->signer, .pcr0 = f->pcr0, .has_byte_strings = true};
    CLEANUP(buf_done) struct buf section, cose;
    buf_init(&section, FILE_MAX);
    buf_init(&cose, FILE_MAX);
    eif_write_signature(&spec, &section);
    eif_sign_pcr0(&spec, &cose); /* for its length; it is the section's end */
    assert_int_equal(measure_with(f, section.data, section.len), 0);
    for (size_t bit = 8 * (section.len - cose.len); bit < 8 * section.len; bit++) {
        section.data[bit / 8] = (char)(section.data[bit / 8] ^ 1 << bit % 8);
        if (measure_with(f, section.data, section.len) == 0)
            fail_msg("bit %zu may change", bit);
        section.data[bit / 8] = (char)(section.data[bit / 8] ^ 1 << bit % 8);
    }
}

static void write_der_as_pem(const uint8_t *der, size_t len, struct buf *out)
{
    char *text;
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio(bio, PEM_STRING_X509, "", der, (long)len);
    long text_len = BIO_get_mem_data(bio, &text);
    buf_append(out, text, (size_t)text_len);
    BIO_free(bio);
}

/* A signature does not bind the certificate around its key: what changes there without harm changes PCR8. */
static void test_every_certificate_byte(void **state)
{
    struct fixture *f = *state;
    struct eif_signature_spec spec = {.cert = &f->signer, .pcr0 = f->pcr0};
    uint8_t digest[SHA384_BYTES], pcr8[EIF_PCR_BYTES];
    size_t accepted = 0, same = 0;
    sha384(f->signer.der, f->signer.der_len, digest);
    pki_measure(digest, sizeof(digest), pcr8);
    for (size_t i = 0; i < f->signer.der_len; i++) {
        CLEANUP(buf_done) struct buf pem;
        buf_init(&pem, FILE_MAX);
        f->signer.der[i] ^= 2;
        write_der_as_pem(f->signer.der, f->signer.der_len, &pem);
        f->signer.der[i] ^= 2;
        spec.pem = (struct pki_span){pem.data, pem.len};
        if (measure_spec(f, &spec) < 0)
            continue;
        accepted++;
        same += memcmp(f->found.pcr8, pcr8, EIF_PCR_BYTES) == 0;
    }
    assert_true(accepted > 0);
    assert_int_equal(same, 0);
}

/* nitro-cli leaves the header's size of a signature that it replaces; the section's own one counts. */
static void test_stale_size_in_the_table(void **state)
{
    enum { AT_SIZE_OF_5 = 284 + 8 * 5 };
    struct fixture *f = *state;
    struct eif_signature_spec spec = {.cert = &f->signer, .pcr0 = f->pcr0};
    assert_int_equal(measure_spec(f, &spec), 0);
    f->file.data[AT_SIZE_OF_5 + 6] ^= 1;
    eif_sum(f->file.data, f->file.len);
    assert_int_equal(eif_measure(f->file.data, f->file.len, &f->found, &f->err), 0);
    assert_true(f->found.is_signed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signed_by_aws),
        cmocka_unit_test(test_every_curve),
        cmocka_unit_test(test_wrong_key_header_or_image),
        cmocka_unit_test(test_other_curves_and_keys),
        cmocka_unit_test(test_certificate_text),
        cmocka_unit_test(test_first_certificate_counts),
        cmocka_unit_test(test_spoiled_cbor),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_every_signature_bit),
        cmocka_unit_test(test_every_certificate_byte),
        cmocka_unit_test(test_stale_size_in_the_table),
    };
    return cmocka_run_group_tests(tests, fixture_new, fixture_free);
}
