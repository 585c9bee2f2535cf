/* Certificates that differ from Nitro's in one thing. Each case takes a good one, replaces the first element
 * that starts with the given bytes, and puts the lengths around it right, so that nothing else is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest_scene.h"
#include "base/cleanup.h"
#include "base/encoding.h"
#include "nitro/attest_cert.h"
#include "nitro/der.h"
#include "pki/chain_oracle.h"

enum { CERT_MAX = 2048 };

/* What stands in place of `at`, inside the elements around it. */
struct edit {
    const uint8_t *at;
    size_t len;
    const uint8_t *replacement;
    size_t replacement_len;
};

static void write_element(struct buf *out, unsigned tag, const struct buf *contents)
{
    size_t len = contents->len;
    buf_putc(out, (char)tag);
    if (len >= 256)
        buf_putc(out, (char)0x82), buf_putc(out, (char)(len >> 8));
    else if (len >= 128)
        buf_putc(out, (char)0x81);
    buf_putc(out, (char)len);
    buf_append(out, contents->data, len);
}

static void rewrite(const uint8_t *data, size_t len, const struct edit *edit, struct buf *out);

static void rewrite_element(const struct der_item *item, const struct edit *edit, struct buf *out)
{
    bool is_inside = edit->at > item->whole && edit->at < item->whole + item->whole_len;
    if (edit->at == item->whole && edit->len == item->whole_len) {
        buf_append(out, edit->replacement, edit->replacement_len);
    } else if (is_inside || edit->at == item->whole) {
        CLEANUP(buf_done) struct buf contents;
        buf_init(&contents, CERT_MAX);
        rewrite(item->data, item->len, edit, &contents);
        write_element(out, item->tag, &contents);
    } else {
        buf_append(out, item->whole, item->whole_len);
    }
}

static void rewrite(const uint8_t *data, size_t len, const struct edit *edit, struct buf *out)
{
    struct der_reader reader;
    struct der_item item;
    der_init(&reader, data, len);
    while (!der_is_at_end(&reader)) {
        assert_int_equal(der_next(&reader, &item), 0);
        rewrite_element(&item, edit, out);
    }
}

/* The extensions: what stands last in the signed part. */
static const uint8_t *find_last(struct pki_span der)
{
    struct der_reader reader;
    struct der_item item;
    der_init(&reader, der.data, der.len);
    for (int depth = 0; depth < 2; depth++) {
        assert_int_equal(der_next(&reader, &item), 0);
        der_enter(&reader, &item);
    }
    while (!der_is_at_end(&reader))
        assert_int_equal(der_next(&reader, &item), 0);
    return item.whole;
}

static const uint8_t *find_bytes(struct pki_span der, const uint8_t *prefix, size_t len, int skip)
{
    const uint8_t *data = der.data;
    for (size_t i = 0; i + len <= der.len; i++)
        if (memcmp(data + i, prefix, len) == 0 && skip-- == 0)
            return data + i;
    fail_msg("the certificate does not hold what is to be replaced");
    return NULL;
}

/* Replaces the element that starts with `find` (after `skip` others) by `put`. With "+" in front it is put
 * behind the element, with ">" behind the element's first member. */
static void edit_cert(struct pki_span der, const char *find, int skip, const char *put, struct buf *ret_der)
{
    uint8_t prefix[64], bytes[512];
    size_t prefix_len = strlen(find) / 2, kept = 0;
    struct der_reader reader;
    struct der_item item;
    bool is_inside = put[0] == '>', is_behind = put[0] == '+' || is_inside;
    assert_int_equal(hex_decode(find, prefix, prefix_len), 0);
    const uint8_t *at = prefix_len > 0 ? find_bytes(der, prefix, prefix_len, skip) : find_last(der);
    at += is_inside ? 2 : 0;
    der_init(&reader, at, (size_t)((const uint8_t *)der.data + der.len - at));
    assert_int_equal(der_next(&reader, &item), 0);
    if (is_behind) {
        memcpy(bytes, item.whole, kept = item.whole_len);
        put++;
    }
    size_t put_len = strlen(put) / 2;
    assert_int_equal(hex_decode(put, bytes + kept, put_len), 0);
    struct edit edit = {item.whole, item.whole_len, bytes, kept + put_len};
    rewrite(der.data, der.len, &edit, ret_der);
}

#define KEY_USAGE_LEAF  "300b0603551d0f0404030206c0"
#define ALGORITHM       "300a06082a8648ce3d040303"
#define KEY_ALGORITHM   "301006072a8648ce3d020106052b81040022"
#define COMMON_NAME     "0603550403"
#define ALGORITHM_TEXT  "the signature is not ECDSA with SHA-384"
#define KEY_TEXT        "the key is not P-384"
#define EXTENSION_TEXT  "an extension"
#define CONSTRAINT_TEXT "the basic constraints"

static const struct cert_case {
    const char *name;
    enum pki_level level;
    const char *find; /* "" = the extensions */
    int skip;
    const char *put;
    const char *problem; /* NULL = still good */
} cases[] = {
    {"unknown extension", PKI_LEAF, KEY_USAGE_LEAF, 0, "+300b06032a03040101ff040130",
     "a critical extension that is not understood"},
    {"unknown extension, not critical", PKI_LEAF, KEY_USAGE_LEAF, 0, "+300906032a030404020500", NULL},
    {"unknown extension twice", PKI_LEAF, KEY_USAGE_LEAF, 0, "+300906032a030404020500300906032a030404020500",
     "an extension stands twice"},
    {"key usage twice", PKI_LEAF, KEY_USAGE_LEAF, 0, "+" KEY_USAGE_LEAF, "an extension stands twice"},
    {"name constraints", PKI_LEAF, KEY_USAGE_LEAF, 0, "+30090603551d1e04023000", "name constraints"},
    {"critical: FALSE written out", PKI_LEAF, KEY_USAGE_LEAF, 0, "300e0603551d0f0101000404030206c0",
     EXTENSION_TEXT},
    {"critical: TRUE as 01", PKI_LEAF, KEY_USAGE_LEAF, 0, "300e0603551d0f0101010404030206c0", EXTENSION_TEXT},
    {"something after the extension's value", PKI_LEAF, KEY_USAGE_LEAF, 0, "300d0603551d0f0404030206c00500",
     EXTENSION_TEXT},
    {"something inside the extension's value", PKI_LEAF, "0404030206c0", 0, "0406030206c00500",
     "bytes after an extension's value"},
    {"key usage: zero bits behind", PKI_LEAF, "030206c0", 0, "030205c0", "the key usage"},
    {"key usage: unused bits set", PKI_LEAF, "030206c0", 0, "030206c1", "the key usage"},
    {"key usage: no bits", PKI_LEAF, "030206c0", 0, "030100", "the key usage"},
    {"key usage: eight unused bits", PKI_LEAF, "030206c0", 0, "030208c0", "the key usage"},
    {"key usage: nine bits", PKI_LEAF, "030206c0", 0, "030307c080", NULL},
    {"leaf: CA FALSE written out", PKI_LEAF, "04023000", 0, "04053003010100", CONSTRAINT_TEXT},
    {"CA: TRUE as 01", PKI_INSTANCE, "30060101ff020100", 0, "3006010101020100", CONSTRAINT_TEXT},
    {"CA: boolean of two bytes", PKI_INSTANCE, "30060101ff020100", 0, "30070102ffff020100", CONSTRAINT_TEXT},
    {"path length negative", PKI_INSTANCE, "30060101ff020100", 0, "30060101ff0201ff", CONSTRAINT_TEXT},
    {"path length with a needless byte", PKI_INSTANCE, "30060101ff020100", 0, "30070101ff02020000",
     CONSTRAINT_TEXT},
    {"path length of 2^32", PKI_INSTANCE, "30060101ff020100", 0, "300a0101ff02050100000000", CONSTRAINT_TEXT},
    {"path length of 2^64", PKI_INSTANCE, "30060101ff020100", 0, "300e0101ff0209010000000000000000",
     CONSTRAINT_TEXT},
    {"path length of 2^31 - 1", PKI_INSTANCE, "30060101ff020100", 0, "30090101ff02047fffffff", NULL},
    {"basic constraints: a third member", PKI_INSTANCE, "30060101ff020100", 0, "30080101ff0201000500",
     CONSTRAINT_TEXT},
    {"authority key with issuer and serial", PKI_INSTANCE, "30168014", 0, ">820101",
     "the authority key identifier"},
    {"version 2", PKI_LEAF, "a003020102", 0, "a003020101", "not version 3"},
    {"version absent", PKI_LEAF, "a003020102", 0, "", "not version 3"},
    {"version with a needless byte", PKI_LEAF, "a003020102", 0, "a00402020002", "not version 3"},
    {"serial negative", PKI_LEAF, "0210", 0, "020180", "the serial number"},
    {"serial empty", PKI_LEAF, "0210", 0, "0200", "the serial number"},
    {"serial of 22 bytes", PKI_LEAF, "0210", 0, "021601010101010101010101010101010101010101010101",
     "the serial number"},
    {"serial with a needless byte", PKI_LEAF, "0210", 0, "02020001", "the serial number"},
    {"inner algorithm with NULL", PKI_LEAF, ALGORITHM, 0, "300c06082a8648ce3d0403030500", ALGORITHM_TEXT},
    {"outer algorithm with NULL", PKI_LEAF, ALGORITHM, 1, "300c06082a8648ce3d0403030500", ALGORITHM_TEXT},
    {"outer algorithm differs", PKI_LEAF, ALGORITHM, 1, "300a06082a8648ce3d040302", ALGORITHM_TEXT},
    {"inner algorithm differs", PKI_LEAF, ALGORITHM, 0, "300a06082a8648ce3d040304", ALGORITHM_TEXT},
    {"RSA in place of ECDSA", PKI_LEAF, ALGORITHM, 0, "300d06092a864886f70d01010c0500", ALGORITHM_TEXT},
    {"notBefore in local time", PKI_LEAF, "170d", 0,
     "1711323730313135303830303030"
     "2b30303030",
     "the validity"},
    {"notBefore as GeneralizedTime before 2050", PKI_LEAF, "170d", 0, "180f32303237303131353038303030305a",
     "the validity"},
    {"notBefore on 31 February", PKI_LEAF, "170d", 0, "170d3237303233313038303030305a", "the validity"},
    {"curve by explicit parameters", PKI_LEAF, KEY_ALGORITHM, 0, "300e06072a8648ce3d02013003020101",
     KEY_TEXT},
    {"key of P-256", PKI_LEAF, KEY_ALGORITHM, 0, "301306072a8648ce3d020106082a8648ce3d030107", KEY_TEXT},
    {"key of Ed25519", PKI_LEAF, KEY_ALGORITHM, 0, "300506032b6570", KEY_TEXT},
    {"key of RSA", PKI_LEAF, KEY_ALGORITHM, 0, "300d06092a864886f70d0101010500", KEY_TEXT},
    {"key with unused bits", PKI_LEAF, "03620004", 0, "03020104", KEY_TEXT},
    {"key at infinity", PKI_LEAF, "03620004", 0, "03020000", KEY_TEXT},
    {"something after the key", PKI_LEAF, "03620004", 0, "+0500", KEY_TEXT},
    {"something after the extensions", PKI_LEAF, "", 0, "+810100", "no extensions, or something beside them"},
    {"no extensions", PKI_LEAF, "", 0, "", "no extensions, or something beside them"},
    {"issuer's unique id", PKI_LEAF, "3076", 0, "+810100", "no extensions, or something beside them"},
    {"common name twice", PKI_LEAF, "310b3009060355040613025553", 0, "+310b3009060355040313025553",
     "the subject"},
    {"common name with a NUL", PKI_LEAF, "310b3009060355040613025553", 0, "+310b3009060355040313024100",
     "the subject"},
    {"common name in UTF-16", PKI_LEAF, "310b3009060355040613025553", 0, "+310b300906035504031e020041",
     "the subject"},
    {"two attributes in a set", PKI_LEAF, "3009060355040613025553", 0, "+3009060355040613025553",
     "the subject"},
    {"attribute with a third member", PKI_LEAF, "13025553", 1, "+0500", "the subject"},
};

static const char *parse(struct pki_span der, struct attest_cert *ret_cert)
{
    struct attest_span span = {der.data, der.len};
    struct attest_cert_link link;
    const char *problem = NULL;
    int got = attest_cert_parse(&span, ret_cert, &link, &problem);
    assert_int_equal(got < 0, problem != NULL);
    return problem;
}

/* What ours accepts, OpenSSL accepts and reads the same way. */
static void compare(const char *name, struct pki_span der, const struct attest_cert *ours)
{
    struct chain_oracle_cert theirs;
    if (!chain_oracle_read(der, &theirs))
        fail_msg("%s: accepted, but not by OpenSSL", name);
    assert_int_equal(ours->not_before_ms, theirs.not_before_ms);
    assert_int_equal(ours->not_after_ms, theirs.not_after_ms);
    assert_int_equal(ours->is_ca, theirs.is_ca);
    assert_int_equal(ours->path_len, theirs.path_len);
    assert_int_equal(ours->may_sign_certificates, theirs.may_sign_certificates);
    assert_int_equal(ours->may_sign_data, theirs.may_sign_data);
    assert_string_equal(ours->cn, theirs.cn);
}

/* In the subject the first country is the second of the certificate: the issuer's comes before it. */
static int subject_skip(const struct cert_case *one)
{
    bool is_name = strncmp(one->find, "310b", 4) == 0 || strncmp(one->find, "3009060355040613", 16) == 0;
    return one->skip + (is_name ? 1 : 0);
}

static void test_one_thing_changed(void **state)
{
    struct scene *scene = *state;
    scene_reset(scene);
    const struct pki_chain *chain = scene_chain(scene);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct cert_case *one = &cases[i];
        struct attest_cert cert;
        CLEANUP(buf_done) struct buf edited;
        buf_init(&edited, CERT_MAX);
        edit_cert(chain->der[one->level], one->find, subject_skip(one), one->put, &edited);
        struct pki_span der = {edited.data, edited.len};
        const char *problem = parse(der, &cert), *wanted = one->problem;
        if (strcmp(problem ? problem : "", wanted ? wanted : "") != 0)
            fail_msg("%s: %s, not %s", one->name, problem ? problem : "good", wanted ? wanted : "good");
        if (!problem)
            compare(one->name, der, &cert);
    }
}

/* The hybrid form of X9.62: a point that OpenSSL takes, and nobody writes. */
static void test_hybrid_point(void **state)
{
    struct scene *scene = *state;
    struct attest_cert cert;
    static const uint8_t head[] = {0x03, 0x62, 0x00, 0x04};
    uint8_t bytes[CERT_MAX];
    scene_reset(scene);
    struct pki_span der = scene_chain(scene)->der[PKI_LEAF];
    memcpy(bytes, der.data, der.len);
    size_t at = (size_t)(find_bytes(der, head, sizeof(head), 0) - (const uint8_t *)der.data);
    uint8_t last = bytes[at + sizeof(head) + P384_POINT_BYTES - 2];
    bytes[at + 3] = (uint8_t)(0x06 | (last & 1));
    assert_string_equal(parse((struct pki_span){bytes, der.len}, &cert), KEY_TEXT);
}

static void test_chain_is_read_as_openssl_reads_it(void **state)
{
    struct scene *scene = *state;
    scene_reset(scene);
    const struct pki_chain *chain = scene_chain(scene);
    for (int level = PKI_ROOT; level <= PKI_LEAF; level++) {
        struct attest_cert cert;
        struct chain_oracle_cert theirs;
        assert_null(parse(chain->der[level], &cert));
        compare("chain", chain->der[level], &cert);
        assert_true(chain_oracle_read(chain->der[level], &theirs));
        assert_memory_equal(cert.key, theirs.key, P384_POINT_BYTES);
    }
}

/* Lengths in a form that is BER only: these cannot be made by replacing an element. */
static void test_lengths_outside(void **state)
{
    struct scene *scene = *state;
    struct attest_cert cert;
    uint8_t bytes[CERT_MAX];
    scene_reset(scene);
    struct pki_span der = scene_chain(scene)->der[PKI_LEAF];
    const uint8_t *data = der.data;
    /* 30 82 hh ll: indefinite, with the end-of-contents octets behind; then a length of three octets. */
    memcpy(bytes, "\x30\x80", 2);
    memcpy(bytes + 2, data + 4, der.len - 4);
    memcpy(bytes + der.len - 2, "\0\0", 2);
    assert_string_equal(parse((struct pki_span){bytes, der.len}, &cert), "not X.509");
    memcpy(bytes, "\x30\x83\x00", 3);
    memcpy(bytes + 3, data + 2, der.len - 2);
    assert_string_equal(parse((struct pki_span){bytes, der.len + 1}, &cert), "not X.509");
    memcpy(bytes, data, der.len);
    bytes[der.len] = 0;
    assert_string_equal(parse((struct pki_span){bytes, der.len + 1}, &cert), "bytes after the certificate");
    for (size_t len = 0; len < der.len; len++)
        assert_string_equal(parse((struct pki_span){data, len}, &cert), "not X.509");
}

/* One bit at a time: refused, or read as OpenSSL reads it. */
static void test_every_flipped_bit(void **state)
{
    struct scene *scene = *state;
    scene_reset(scene);
    const struct pki_chain *chain = scene_chain(scene);
    for (int level = PKI_REGION; level <= PKI_LEAF; level++) {
        struct pki_span der = chain->der[level];
        uint8_t bytes[CERT_MAX];
        memcpy(bytes, der.data, der.len);
        for (size_t bit = 0; bit < der.len * 8; bit++) {
            struct attest_cert cert;
            bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
            if (!parse((struct pki_span){bytes, der.len}, &cert))
                compare("flipped bit", (struct pki_span){bytes, der.len}, &cert);
            bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
    }
}

/* By name, and by key identifier where both have one. */
static void test_issuer(void **state)
{
    struct scene *scene = *state;
    struct attest_cert zonal, instance;
    struct attest_cert_link link;
    const char *problem;
    scene_reset(scene);
    const struct pki_chain *chain = scene_chain(scene);
    assert_null(parse(chain->der[PKI_ZONAL], &zonal));
    struct attest_span der = {chain->der[PKI_INSTANCE].data, chain->der[PKI_INSTANCE].len};
    assert_int_equal(attest_cert_parse(&der, &instance, &link, &problem), 0);
    assert_true(attest_cert_names_issuer(&link, &zonal));
    zonal.key_id[19] ^= 1;
    assert_false(attest_cert_names_issuer(&link, &zonal));
    zonal.key_id_len = 19;
    assert_false(attest_cert_names_issuer(&link, &zonal));
    zonal.key_id_len = 0;
    assert_true(attest_cert_names_issuer(&link, &zonal));
    zonal.key_id_len = 20;
    link.issuer_key_id.data = NULL;
    assert_true(attest_cert_names_issuer(&link, &zonal));
    zonal.subject_sha256[0] ^= 1;
    assert_false(attest_cert_names_issuer(&link, &zonal));
}

/* Whether both ways to make a key take the point. */
static bool is_point(EVP_PKEY *other, const uint8_t point[P384_POINT_BYTES])
{
    EVP_PKEY *made = p384_key_new(point), *like = p384_key_like(other, point);
    bool is_made = made != NULL;
    assert_int_equal(is_made, like != NULL);
    if (is_made)
        assert_int_equal(EVP_PKEY_eq(made, like), 1);
    EVP_PKEY_free(made);
    EVP_PKEY_free(like);
    return is_made;
}

static void test_points(void **state)
{
    struct scene *scene = *state;
    struct attest_cert cert;
    EVP_PKEY *other = scene->roots.items[0].key;
    scene_reset(scene);
    assert_null(parse(scene_chain(scene)->der[PKI_LEAF], &cert));
    assert_true(is_point(other, cert.key));
    cert.key[96] ^= 1;
    assert_false(is_point(other, cert.key));
    cert.key[96] ^= 1;
    /* The hybrid form of X9.62, which nobody uses. */
    cert.key[0] = (uint8_t)(0x06 | (cert.key[96] & 1));
    assert_false(is_point(other, cert.key));
    memset(cert.key, 0, sizeof(cert.key));
    assert_false(is_point(other, cert.key));
    memset(cert.key, 0xff, sizeof(cert.key));
    cert.key[0] = 0x04;
    assert_false(is_point(other, cert.key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thing_changed),
        cmocka_unit_test(test_hybrid_point),
        cmocka_unit_test(test_chain_is_read_as_openssl_reads_it),
        cmocka_unit_test(test_lengths_outside),
        cmocka_unit_test(test_every_flipped_bit),
        cmocka_unit_test(test_issuer),
        cmocka_unit_test(test_points),
    };
    return cmocka_run_group_tests(tests, scene_new, scene_free);
}
