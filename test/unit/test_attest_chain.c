/* Chains that must not be believed: other roots, other order, certificates that may not do what they do. Each
 * is signed throughout, by a CA key or by the leaf's, so that only the check under test can refuse it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest_scene.h"
#include "base/cleanup.h"
#include "base/mem.h"

#define GOOD          ATTEST_VERIFIED, ATTEST_REASON_NONE
#define REFUSED(name) ATTEST_REJECTED, ATTEST_##name

static void sign_with_foreign_pki(struct scene *scene)
{
    buf_reset(&scene->document);
    pki_document(scene->foreign, &scene->spec, &scene->document);
}

static void use_bundle(struct scene *scene, const struct pki_span *spans, size_t count)
{
    for (size_t i = 0; i < count; i++)
        scene->bundle[i] = spans[i];
    scene->defects.cabundle = scene->bundle;
    scene->defects.cabundle_count = count;
}

/* Our root in front of a chain that another root signed. */
static void foreign_chain_under_our_root(struct scene *scene)
{
    struct pki_chain foreign;
    pki_chain(scene->foreign, &scene->spec, &foreign);
    foreign.der[PKI_ROOT] = pki_root_der(scene->pki);
    use_bundle(scene, foreign.der, PKI_LEAF);
    sign_with_foreign_pki(scene);
}

static void foreign_chain_with_both_roots(struct scene *scene)
{
    struct pki_chain foreign;
    pki_chain(scene->foreign, &scene->spec, &foreign);
    struct pki_span bundle[] = {pki_root_der(scene->pki), foreign.der[0], foreign.der[1], foreign.der[2],
                                foreign.der[3]};
    use_bundle(scene, bundle, ARRAY_LEN(bundle));
    sign_with_foreign_pki(scene);
}

static void foreign_root_first(struct scene *scene)
{
    const struct pki_chain *chain = scene_chain(scene);
    struct pki_span bundle[] = {pki_root_der(scene->foreign), chain->der[0], chain->der[1], chain->der[2],
                                chain->der[3]};
    use_bundle(scene, bundle, ARRAY_LEN(bundle));
}

static void no_roots(struct scene *scene)
{
    static const struct attest_roots none;
    scene->policy.roots = &none;
}

static void root_only(struct scene *scene)
{
    use_bundle(scene, scene_chain(scene)->der, 1);
}

static void without_zonal(struct scene *scene)
{
    const struct pki_chain *chain = scene_chain(scene);
    struct pki_span bundle[] = {chain->der[0], chain->der[1], chain->der[3]};
    use_bundle(scene, bundle, ARRAY_LEN(bundle));
}

static void without_root(struct scene *scene)
{
    use_bundle(scene, scene_chain(scene)->der + 1, 3);
}

static void out_of_order(struct scene *scene)
{
    const struct pki_chain *chain = scene_chain(scene);
    struct pki_span bundle[] = {chain->der[0], chain->der[2], chain->der[1], chain->der[3]};
    use_bundle(scene, bundle, ARRAY_LEN(bundle));
}

static void one_twice(struct scene *scene)
{
    const struct pki_chain *chain = scene_chain(scene);
    struct pki_span bundle[] = {chain->der[0], chain->der[1], chain->der[2], chain->der[2], chain->der[3]};
    use_bundle(scene, bundle, ARRAY_LEN(bundle));
}

static void a_hundred(struct scene *scene)
{
    const struct pki_chain *chain = scene_chain(scene);
    use_bundle(scene, chain->der, PKI_LEAF);
    /* As many as the payload can hold: they are small, as only their number is to count. */
    for (size_t i = PKI_LEAF; i < SCENE_BUNDLE; i++)
        scene->bundle[i] = (struct pki_span){"x", 1};
    scene->defects.cabundle_count = SCENE_BUNDLE;
}

static void garbage_in_bundle(struct scene *scene)
{
    const struct pki_chain *chain = scene_chain(scene);
    struct pki_span bundle[] = {chain->der[0], chain->der[1], {"garbage", 7}, chain->der[3]};
    use_bundle(scene, bundle, ARRAY_LEN(bundle));
}

static void ca_as_leaf(struct scene *scene)
{
    scene->defects.certificate = scene_chain(scene)->der[PKI_INSTANCE];
}

static void leaf_of_another_instance(struct scene *scene)
{
    struct pki_document_spec other = scene->spec;
    struct pki_chain chain;
    other.module_id = "i-0fedcba9876543210-enc01a3185c00001234";
    /* Both leaves must be in the cache before spans into it are taken. */
    scene_chain(scene);
    pki_chain(scene->pki, &other, &chain);
    scene->defects.certificate = chain.der[PKI_LEAF];
}

/* The other instance's CA as well: a chain that holds, and a document that its leaf did not sign. */
static void whole_chain_of_another_instance(struct scene *scene)
{
    struct pki_document_spec other = scene->spec;
    struct pki_chain chain;
    other.module_id = "i-0fedcba9876543210-enc01a3185c00001234";
    scene_chain(scene);
    pki_chain(scene->pki, &other, &chain);
    scene->defects.certificate = chain.der[PKI_LEAF];
    use_bundle(scene, chain.der, PKI_LEAF);
}

static void byte_after_leaf(struct scene *scene)
{
    const struct pki_chain *chain = scene_chain(scene);
    struct buf *raw = scene_raw_value(scene, "certificate");
    size_t len = chain->der[PKI_LEAF].len + 1;
    buf_printf(raw, "\x59%c%c", (char)(len >> 8), (char)len);
    buf_append(raw, chain->der[PKI_LEAF].data, len - 1);
    buf_putc(raw, 0x30);
}

static void test_bundles(void **state)
{
    static const struct scene_case cases[] = {
        {"foreign root", NULL, sign_with_foreign_pki, REFUSED(UNTRUSTED_ROOT)},
        {"foreign root first", foreign_root_first, NULL, REFUSED(UNTRUSTED_ROOT)},
        {"no roots", no_roots, NULL, REFUSED(UNTRUSTED_ROOT)},
        {"foreign chain under our root", NULL, foreign_chain_under_our_root, REFUSED(BAD_CHAIN)},
        {"foreign chain with both roots", NULL, foreign_chain_with_both_roots, REFUSED(BAD_CHAIN)},
        {"root only", root_only, NULL, REFUSED(BAD_CHAIN)},
        {"without the zonal CA", without_zonal, NULL, REFUSED(BAD_CHAIN)},
        {"without the root", without_root, NULL, REFUSED(UNTRUSTED_ROOT)},
        {"out of order", out_of_order, NULL, REFUSED(BAD_CHAIN)},
        {"one twice", one_twice, NULL, REFUSED(BAD_CHAIN)},
        {"a hundred", a_hundred, NULL, REFUSED(BAD_CHAIN)},
        {"garbage in the bundle", garbage_in_bundle, NULL, REFUSED(BAD_CHAIN)},
        {"CA as leaf", ca_as_leaf, NULL, REFUSED(BAD_CHAIN)},
        {"leaf of another instance", leaf_of_another_instance, NULL, REFUSED(BAD_CHAIN)},
        {"chain of another instance", whole_chain_of_another_instance, NULL, REFUSED(BAD_SIGNATURE)},
        {"byte after the leaf", byte_after_leaf, NULL, REFUSED(BAD_CHAIN)},
    };
    scene_run(*state, cases, ARRAY_LEN(cases));
}

/* One certificate of the chain, changed. Fields left NULL or 0 stay right. */
struct cert_case {
    const char *name;
    enum pki_level level;
    const char *basic_constraints; /* "" = absent */
    const char *key_usage;
    const char *group;
    const char *digest;
    const char *cn;
    int64_t not_before_s; /* relative to the document */
    int64_t not_after_s;
    enum attest_verdict verdict;
    enum attest_reason reason;
};

static const char *changed(const char *right, const char *wanted)
{
    if (!wanted)
        return right;
    return wanted[0] ? wanted : NULL;
}

static void edit_cert(void *ctx, struct pki_cert_spec *cert)
{
    const struct cert_case *wanted = ctx;
    if (cert->level != wanted->level)
        return;
    cert->basic_constraints = changed(cert->basic_constraints, wanted->basic_constraints);
    cert->key_usage = changed(cert->key_usage, wanted->key_usage);
    cert->digest = changed(cert->digest, wanted->digest);
    if (wanted->cn)
        snprintf(cert->cn, sizeof(cert->cn), "%s", wanted->cn);
    if (wanted->group) {
        cert->group = wanted->group;
        cert->key = NULL;
    }
    int64_t document_s = (scene_now_ms - 2000) / 1000;
    if (wanted->not_before_s)
        cert->not_before_s = document_s + wanted->not_before_s;
    if (wanted->not_after_s)
        cert->not_after_s = document_s + wanted->not_after_s;
}

#define BAD     .verdict = ATTEST_REJECTED, .reason = ATTEST_BAD_CHAIN
#define EXPIRED .verdict = ATTEST_REJECTED, .reason = ATTEST_CERTIFICATE_EXPIRED
#define FINE    .verdict = ATTEST_VERIFIED

static void test_certificates(void **state)
{
    static const struct cert_case cases[] = {
        {"leaf not valid yet", PKI_LEAF, .not_before_s = 1, EXPIRED},
        {"leaf from this second", PKI_LEAF, .not_before_s = -1, FINE},
        {"leaf expired", PKI_LEAF, .not_after_s = -1, EXPIRED},
        {"instance CA expired", PKI_INSTANCE, .not_after_s = -1, EXPIRED},
        {"instance CA not valid yet", PKI_INSTANCE, .not_before_s = 1, EXPIRED},
        {"zonal CA expired", PKI_ZONAL, .not_after_s = -1, EXPIRED},
        {"region CA expired", PKI_REGION, .not_after_s = -1, EXPIRED},
        {"leaf is a CA", PKI_LEAF, .basic_constraints = "critical,CA:TRUE", BAD},
        {"leaf has a path length", PKI_LEAF, .basic_constraints = "critical,CA:FALSE,pathlen:0", BAD},
        {"leaf may not sign", PKI_LEAF, .key_usage = "nonRepudiation", BAD},
        {"leaf has no key usage", PKI_LEAF, .key_usage = "", BAD},
        {"leaf may sign certificates", PKI_LEAF, .key_usage = "digitalSignature,keyCertSign", BAD},
        {"leaf on P-256", PKI_LEAF, .group = "P-256", BAD},
        {"leaf on P-521", PKI_LEAF, .group = "P-521", BAD},
        {"leaf signed with SHA-256", PKI_LEAF, .digest = "SHA256", BAD},
        {"zonal CA signed with SHA-512", PKI_ZONAL, .digest = "SHA512", BAD},
        {"zonal CA on P-256", PKI_ZONAL, .group = "P-256", BAD},
        {"instance CA is none", PKI_INSTANCE, .basic_constraints = "critical,CA:FALSE", BAD},
        {"instance CA is none, with a path length", PKI_INSTANCE, .basic_constraints = "CA:FALSE,pathlen:0",
         BAD},
        {"instance CA without constraints", PKI_INSTANCE, .basic_constraints = "", BAD},
        {"instance CA without path length", PKI_INSTANCE, .basic_constraints = "critical,CA:TRUE", BAD},
        {"instance CA may not sign", PKI_INSTANCE, .key_usage = "critical,digitalSignature", BAD},
        {"instance CA without key usage", PKI_INSTANCE, .key_usage = "", BAD},
        {"zonal CA's path is too short", PKI_ZONAL, .basic_constraints = "critical,CA:TRUE,pathlen:0", BAD},
        {"region CA's path is too short", PKI_REGION, .basic_constraints = "critical,CA:TRUE,pathlen:1", BAD},
        {"region CA's path may be longer", PKI_REGION, .basic_constraints = "critical,CA:TRUE,pathlen:5",
         FINE},
        {"leaf without a common name", PKI_LEAF, .cn = "", BAD},
        {"instance CA without a common name", PKI_INSTANCE, .cn = "", BAD},
        {"region CA without a common name", PKI_REGION, .cn = "", FINE},
        {"region CA is none", PKI_REGION, .basic_constraints = "critical,CA:FALSE", BAD},
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cert_case one = cases[i];
        struct attest_result result;
        scene_reset(scene);
        scene->defects.edit_cert = edit_cert;
        scene->defects.edit_ctx = &one;
        /* A leaf that is not on P-384 cannot sign in this form: the signature is only a place holder then. */
        static const uint8_t zeros[96];
        if (one.group && one.level == PKI_LEAF)
            scene->defects.signature = (struct pki_span){zeros, sizeof(zeros)};
        scene_sign(scene);
        scene_verify(scene, &result);
        if (result.verdict != one.verdict || result.reason != one.reason)
            fail_msg("%s: %s (%s)", one.name, attest_result_reason(&result), result.message);
    }
}

static void lengthen_paths(void *ctx, struct pki_cert_spec *cert)
{
    (void)ctx;
    if (cert->level == PKI_REGION || cert->level == PKI_ZONAL)
        cert->basic_constraints = "critical,CA:TRUE,pathlen:5";
}

/* With path lengths that allow any order, the order itself must be refused. */
static void test_order_alone(void **state)
{
    struct scene *scene = *state;
    scene_reset(scene);
    scene->defects.edit_cert = lengthen_paths;
    const struct pki_span *der = scene_chain(scene)->der;
    static const size_t orders[][PKI_LEAF] = {{0, 1, 2, 3}, {0, 2, 1, 3}};
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        struct attest_doc doc = {.timestamp_ms = scene->spec.timestamp_ms, .cabundle_count = PKI_LEAF};
        struct attest_chain chain = {.leaf_key = NULL};
        struct attest_trust trust = {.roots = &scene->roots, .now_ms = scene_now_ms};
        struct error err = {.kind = ERROR_NONE};
        for (size_t k = 0; k < PKI_LEAF; k++)
            doc.cabundle[k] = (struct attest_span){der[orders[i][k]].data, der[orders[i][k]].len};
        doc.certificate = (struct attest_span){der[PKI_LEAF].data, der[PKI_LEAF].len};
        int got = attest_chain_verify(&doc, &trust, &chain, &err);
        attest_chain_done(&chain);
        assert_int_equal(got, i == 0 ? 0 : -1);
        assert_string_equal(
            err.text,
            i == 0 ? "" : "certificate 3 above the document: issued by another than the next in the bundle");
    }
}

static void test_long_bundle_is_not_looked_at(void **state)
{
    struct scene *scene = *state;
    struct attest_result result;
    scene_reset(scene);
    a_hundred(scene);
    scene_sign(scene);
    scene_verify(scene, &result);
    assert_string_equal(result.message, "the bundle has 100 certificates");
}

static void test_roots_from_pem(void **state)
{
    const struct scene *scene = *state;
    CLEANUP(attest_roots_done) struct attest_roots roots;
    CLEANUP(freep) char *both = mem_printf("%s%s", pki_root_pem(scene->pki), pki_root_pem(scene->foreign));
    CLEANUP(freep) char *cut = mem_strndup(both, strlen(both) - 200);
    struct error err;
    struct pki_span root = pki_root_der(scene->foreign);
    attest_roots_init(&roots);
    assert_int_equal(attest_roots_add_pem(&roots, both, &err), 0);
    assert_int_equal(roots.count, 2);
    assert_int_equal(attest_roots_find(&roots, root.data, root.len), 1);
    assert_int_equal(attest_roots_find(&roots, root.data, root.len - 1), -1);
    static const char *const bad[] = {"", "no certificate"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(attest_roots_add_pem(&roots, bad[i], &err), -1);
        assert_int_equal(err.kind, ERROR_INVALID);
    }
    assert_int_equal(attest_roots_add_pem(&roots, cut, &err), -1);
    for (int i = 0; i < ATTEST_ROOTS_MAX + 1; i++)
        attest_roots_add_g1(&roots);
    assert_int_equal(roots.count, ATTEST_ROOTS_MAX);
    assert_int_equal(attest_roots_add_pem(&roots, both, &err), -1);
}

/* Only what can stand at the top of a chain is taken as a root. */
static void test_roots_that_are_none(void **state)
{
    struct scene *scene = *state;
    struct attest_roots roots;
    attest_roots_init(&roots);
    scene_reset(scene);
    const struct pki_chain *chain = scene_chain(scene);
    static const struct {
        enum pki_level level;
        const char *text;
    } cases[] = {{PKI_REGION, "not the root of attestation chains: issued by another"},
                 {PKI_LEAF, "not the root of attestation chains: issued by another"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err;
        struct pki_span der = chain->der[cases[i].level];
        assert_int_equal(attest_roots_add_der(&roots, der.data, der.len, &err), -1);
        assert_string_equal(err.text, cases[i].text);
        assert_int_equal(attest_roots_add_der(&roots, der.data, der.len - 1, &err), -1);
        assert_string_equal(err.text, "not the root of attestation chains: not X.509");
    }
    assert_int_equal(roots.count, 0);
    attest_roots_done(&roots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bundles),        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_order_alone),    cmocka_unit_test(test_long_bundle_is_not_looked_at),
        cmocka_unit_test(test_roots_from_pem), cmocka_unit_test(test_roots_that_are_none),
    };
    return cmocka_run_group_tests(tests, scene_new, scene_free);
}
