/* The cache of verified CAs: it holds what was put in, forgets in the right order, and never stands in for a
 * check of time, place or issuer. */
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
#include "base/encoding.h"
#include "nitro/attest_cache.h"

enum { DAY_MS = 24 * 3600 * 1000 };

static void name_path(unsigned number, uint8_t ret_path[ATTEST_PATH_BYTES])
{
    memset(ret_path, 0, ATTEST_PATH_BYTES);
    ret_path[31] = (uint8_t)number;
    ret_path[30] = (uint8_t)(number >> 8);
}

static void put(struct attest_cache *cache, unsigned number)
{
    uint8_t path[ATTEST_PATH_BYTES];
    struct attest_cert cert = {.not_after_ms = number};
    name_path(number, path);
    attest_cache_put(cache, path, &cert);
}

static bool has(struct attest_cache *cache, unsigned number)
{
    uint8_t path[ATTEST_PATH_BYTES];
    struct attest_cert cert;
    name_path(number, path);
    if (!attest_cache_get(cache, path, &cert))
        return false;
    assert_int_equal(cert.not_after_ms, number);
    return true;
}

/* All these paths fall into one set of eight. */
static void test_least_recently_used_goes(void **state)
{
    struct attest_cache *cache = attest_cache_new(8);
    (void)state;
    assert_false(has(cache, 1));
    for (unsigned i = 1; i <= 8; i++)
        put(cache, i);
    for (unsigned i = 1; i <= 8; i++)
        assert_true(has(cache, i));
    assert_true(has(cache, 1));
    put(cache, 9);
    assert_true(has(cache, 1));
    assert_false(has(cache, 2));
    assert_true(has(cache, 9));
    /* The same again is no new entry. */
    put(cache, 9);
    assert_true(has(cache, 3));
    attest_cache_free(cache);
}

static void test_bounded(void **state)
{
    struct attest_cache *cache = attest_cache_new(64);
    unsigned kept = 0;
    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        uint8_t path[ATTEST_PATH_BYTES];
        struct attest_cert cert = {.not_after_ms = i};
        name_path(i, path);
        memcpy(path, &i, sizeof(i));
        attest_cache_put(cache, path, &cert);
    }
    for (unsigned i = 0; i < 5000; i++) {
        uint8_t path[ATTEST_PATH_BYTES];
        struct attest_cert cert;
        name_path(i, path);
        memcpy(path, &i, sizeof(i));
        kept += attest_cache_get(cache, path, &cert);
    }
    assert_int_equal(kept, 64);
    attest_cache_free(cache);
}

/* Verifies the scene's document with a cache of its own, and forgets nothing between the calls. */
static enum attest_reason verify(struct scene *scene, struct attest_cache *cache)
{
    struct attest_policy policy = scene->policy;
    struct attest_result result;
    policy.cache = cache;
    attest_verify(scene->document.data, scene->document.len, &policy, &result);
    return result.reason;
}

/* The CAs are kept, each under the digest of its path; root and leaf are not. */
static void test_what_is_kept(void **state)
{
    struct scene *scene = *state;
    struct attest_cache *cache = attest_cache_new(16);
    struct attest_cert cert;
    uint8_t message[2 * SHA256_BYTES], path[SHA256_BYTES];
    scene_reset(scene);
    scene_sign(scene);
    assert_int_equal(verify(scene, cache), ATTEST_REASON_NONE);
    const struct pki_chain *chain = scene_chain(scene);
    sha256(chain->der[PKI_ROOT].data, chain->der[PKI_ROOT].len, path);
    assert_false(attest_cache_get(cache, path, &cert));
    for (int level = PKI_REGION; level <= PKI_LEAF; level++) {
        memcpy(message, path, sizeof(path));
        sha256(chain->der[level].data, chain->der[level].len, message + SHA256_BYTES);
        sha256(message, sizeof(message), path);
        assert_int_equal(attest_cache_get(cache, path, &cert), level != PKI_LEAF);
    }
    attest_cache_free(cache);
}

/* A certificate's end is looked at each time: when the document was made, and by now. */
static void test_expiry_is_checked_at_use(void **state)
{
    struct scene *scene = *state;
    struct attest_cache *cache = attest_cache_new(16);
    scene_reset(scene);
    scene->policy.max_age_ms = INT64_C(100) * DAY_MS;
    scene_sign(scene);
    assert_int_equal(verify(scene, cache), ATTEST_REASON_NONE);
    scene->policy.now_ms += 2 * DAY_MS;
    assert_int_equal(verify(scene, cache), ATTEST_CERTIFICATE_EXPIRED);
    scene->policy.now_ms -= 2 * DAY_MS;
    assert_int_equal(verify(scene, cache), ATTEST_REASON_NONE);
    /* A document of the next day, made with the chain that the cache knows and signed with its leaf's key. */
    char timestamp[32];
    snprintf(timestamp, sizeof(timestamp), "1b%016llx",
             (unsigned long long)(scene->spec.timestamp_ms + DAY_MS));
    scene_set_value(scene, "timestamp", timestamp);
    scene->policy.at_document_time = true;
    buf_reset(&scene->document);
    scene_sign(scene);
    assert_int_equal(verify(scene, cache), ATTEST_CERTIFICATE_EXPIRED);
    attest_cache_free(cache);
}

/* The cached zonal CA may stand above one CA. Where it would have to stand above two, it is refused from the
 * cache as it is without. */
static void test_place_is_checked_at_use(void **state)
{
    struct scene *scene = *state;
    struct attest_cache *cache = attest_cache_new(16);
    scene_reset(scene);
    scene_sign(scene);
    assert_int_equal(verify(scene, cache), ATTEST_REASON_NONE);
    struct pki_chain chain = *scene_chain(scene);
    struct pki_span bundle[] = {chain.der[0], chain.der[1], chain.der[2], chain.der[3], chain.der[3]};
    scene->defects.cabundle = bundle;
    scene->defects.cabundle_count = ARRAY_LEN(bundle);
    buf_reset(&scene->document);
    scene_sign(scene);
    assert_int_equal(verify(scene, cache), ATTEST_BAD_CHAIN);
    /* A CA that the cache knows is no leaf. */
    scene->defects = (struct pki_defects){.certificate = chain.der[PKI_INSTANCE]};
    buf_reset(&scene->document);
    scene_sign(scene);
    assert_int_equal(verify(scene, cache), ATTEST_BAD_CHAIN);
    attest_cache_free(cache);
}

/* What was verified under one root says nothing under another, even with the same certificates below it. */
static void test_issuer_is_part_of_the_name(void **state)
{
    struct scene *scene = *state;
    struct attest_cache *cache = attest_cache_new(16);
    struct attest_roots both;
    struct error err;
    attest_roots_init(&both);
    assert_int_equal(attest_roots_add_pem(&both, pki_root_pem(scene->pki), &err), 0);
    assert_int_equal(attest_roots_add_pem(&both, pki_root_pem(scene->foreign), &err), 0);
    scene_reset(scene);
    scene->policy.roots = &both;
    scene_sign(scene);
    assert_int_equal(verify(scene, cache), ATTEST_REASON_NONE);
    struct pki_chain chain = *scene_chain(scene);
    chain.der[PKI_ROOT] = pki_root_der(scene->foreign);
    scene->defects.cabundle = chain.der;
    scene->defects.cabundle_count = PKI_LEAF;
    buf_reset(&scene->document);
    scene_sign(scene);
    assert_int_equal(verify(scene, cache), ATTEST_BAD_CHAIN);
    attest_roots_done(&both);
    attest_cache_free(cache);
}

/* A root that is no longer trusted takes with it what hung from it. */
static void test_root_is_looked_up_each_time(void **state)
{
    static const struct attest_roots none;
    struct scene *scene = *state;
    struct attest_cache *cache = attest_cache_new(16);
    scene_reset(scene);
    scene_sign(scene);
    assert_int_equal(verify(scene, cache), ATTEST_REASON_NONE);
    scene->policy.roots = &none;
    assert_int_equal(verify(scene, cache), ATTEST_UNTRUSTED_ROOT);
    attest_cache_free(cache);
}

/* Nothing of a refused chain is kept: neither below the certificate that is wrong nor that one itself. */
static void test_refused_links_are_not_kept(void **state)
{
    struct scene *scene = *state;
    struct attest_cache *cache = attest_cache_new(16);
    scene_reset(scene);
    struct pki_chain foreign;
    pki_chain(scene->foreign, &scene->spec, &foreign);
    foreign.der[PKI_ROOT] = pki_root_der(scene->pki);
    scene->defects.cabundle = foreign.der;
    scene->defects.cabundle_count = PKI_LEAF;
    pki_document(scene->foreign, &scene->spec, &scene->document);
    for (int i = 0; i < 3; i++)
        assert_int_equal(verify(scene, cache), ATTEST_BAD_CHAIN);
    attest_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_least_recently_used_goes),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_what_is_kept),
        cmocka_unit_test(test_expiry_is_checked_at_use),
        cmocka_unit_test(test_place_is_checked_at_use),
        cmocka_unit_test(test_issuer_is_part_of_the_name),
        cmocka_unit_test(test_root_is_looked_up_each_time),
        cmocka_unit_test(test_refused_links_are_not_kept),
    };
    return cmocka_run_group_tests(tests, scene_new, scene_free);
}
