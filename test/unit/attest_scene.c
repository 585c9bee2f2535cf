/* The PKIs are made once per program; everything else anew for each case. */
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
#include "base/mem.h"
#include "nitro/cose.h"
#include "pki/chain_oracle.h"

const int64_t scene_now_ms = INT64_C(1800000000500);

int scene_new(void **state)
{
    struct scene *scene = mem_calloc(1, sizeof(*scene));
    scene->pki = pki_new(NULL, NULL);
    scene->foreign = pki_new(NULL, NULL);
    scene->cache = attest_cache_new(64);
    attest_roots_init(&scene->roots);
    struct error err;
    assert_int_equal(attest_roots_add_pem(&scene->roots, pki_root_pem(scene->pki), &err), 0);
    for (size_t i = 0; i < SCENE_VALUES; i++)
        buf_init(&scene->raw[i], PKI_DOCUMENT_MAX);
    buf_init(&scene->document, PKI_DOCUMENT_MAX);
    *state = scene;
    return 0;
}

int scene_free(void **state)
{
    struct scene *scene = *state;
    pki_free(scene->pki);
    pki_free(scene->foreign);
    attest_cache_free(scene->cache);
    attest_roots_done(&scene->roots);
    for (size_t i = 0; i < SCENE_VALUES; i++)
        buf_done(&scene->raw[i]);
    buf_done(&scene->document);
    free(scene);
    return 0;
}

static void expect_image(struct scene *scene)
{
    for (unsigned i = 0; i < ARRAY_LEN(scene->pcrs); i++) {
        scene->pcrs[i].index = i;
        pki_sim_pcr((int)i, scene->spec.image_digest, scene->pcrs[i].value);
    }
    scene->sets[0] = (struct attest_measurement){"current", scene->pcrs, ARRAY_LEN(scene->pcrs), 0, 0};
    scene->policy = (struct attest_policy){
        .roots = &scene->roots,
        .now_ms = scene_now_ms,
        .instance_id = SCENE_INSTANCE_ID,
        .region = "eu-west-1",
        .nonce = scene->nonce,
        .nonce_len = sizeof(scene->nonce),
        .require_nonce = true,
        .role_check = ATTEST_ROLE_ARN,
        .role_arn = SCENE_ROLE,
        .measurements = scene->sets,
        .measurement_count = 1,
    };
}

void scene_reset(struct scene *scene)
{
    memset(&scene->defects, 0, sizeof(scene->defects));
    memset(scene->values, 0, sizeof(scene->values));
    memset(scene->nonce, 0x5a, sizeof(scene->nonce));
    memset(scene->user_data, 0x33, sizeof(scene->user_data));
    buf_reset(&scene->document);
    for (size_t i = 0; i < SCENE_VALUES; i++)
        buf_reset(&scene->raw[i]);
    scene->spec = (struct pki_document_spec){
        .module_id = SCENE_MODULE_ID,
        .region = "eu-west-1",
        .timestamp_ms = scene_now_ms - 2000,
        .image_digest = "c0ffee",
        .role_arn = SCENE_ROLE,
        .nonce = {scene->nonce, sizeof(scene->nonce)},
        .public_key = {"0123456789abcdef0123456789abcdef", 32},
        .user_data = {scene->user_data, sizeof(scene->user_data)},
        .defects = &scene->defects,
    };
    expect_image(scene);
}

struct buf *scene_raw_value(struct scene *scene, const char *key)
{
    size_t i = scene->defects.value_count++;
    assert_true(i < SCENE_VALUES);
    scene->defects.values = scene->values;
    scene->values[i].key = key;
    return &scene->raw[i];
}

void scene_set_value(struct scene *scene, const char *key, const char *hex)
{
    struct buf *raw = scene_raw_value(scene, key);
    size_t len = strlen(hex) / 2;
    CLEANUP(freep) uint8_t *bytes = mem_alloc(len + 1);
    assert_int_equal(hex_decode(hex, bytes, len), 0);
    assert_int_equal(buf_append(raw, bytes, len), 0);
}

const struct pki_chain *scene_chain(struct scene *scene)
{
    pki_chain(scene->pki, &scene->spec, &scene->chain);
    return &scene->chain;
}

void scene_sign(struct scene *scene)
{
    for (size_t i = 0; i < scene->defects.value_count; i++)
        scene->values[i].cbor = (struct pki_span){scene->raw[i].data, scene->raw[i].len};
    pki_document(scene->pki, &scene->spec, &scene->document);
}

/* A chain that ours accepts, OpenSSL's path validation must accept. */
static void ask_oracle(const void *document, size_t len)
{
    struct error err;
    struct cose cose;
    struct attest_doc doc;
    struct pki_span der[ATTEST_BUNDLE_MAX + 1];
    assert_int_equal(cose_parse(document, len, &cose, &err), 0);
    assert_int_equal(attest_doc_parse(cose.payload, cose.payload_len, &doc, &err), 0);
    for (size_t i = 0; i < doc.cabundle_count; i++)
        der[i] = (struct pki_span){doc.cabundle[i].data, doc.cabundle[i].len};
    der[doc.cabundle_count] = (struct pki_span){doc.certificate.data, doc.certificate.len};
    assert_true(chain_oracle_accepts(der, doc.cabundle_count + 1, doc.timestamp_ms));
}

/* The cache is filled by all the cases before this one, and must change nothing. */
static void verify_with_cache(const struct scene *scene, const void *document,
                              const struct attest_result *cold)
{
    struct attest_policy policy = scene->policy;
    struct attest_result warm;
    policy.cache = scene->cache;
    for (int i = 0; i < 2; i++) {
        attest_verify(document, scene->document.len, &policy, &warm);
        assert_int_equal(warm.verdict, cold->verdict);
        assert_string_equal(warm.message, cold->message);
        assert_int_equal(warm.reason, cold->reason);
    }
}

void scene_verify(const struct scene *scene, struct attest_result *ret_result)
{
    /* An exact copy, so that the address sanitizer sees a read of one byte too much. */
    CLEANUP(freep) void *copy = mem_dup(scene->document.data, scene->document.len);
    attest_verify(copy, scene->document.len, &scene->policy, ret_result);
    if (ret_result->has_claims)
        ask_oracle(copy, scene->document.len);
    verify_with_cache(scene, copy, ret_result);
}

void scene_run(struct scene *scene, const struct scene_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct attest_result result;
        scene_reset(scene);
        if (cases[i].before)
            cases[i].before(scene);
        scene_sign(scene);
        if (cases[i].after)
            cases[i].after(scene);
        scene_verify(scene, &result);
        if (result.verdict != cases[i].verdict || result.reason != cases[i].reason)
            fail_msg("%s: %s %s (%s), not %s %s", cases[i].name, attest_verdict_name(result.verdict),
                     attest_result_reason(&result), result.message, attest_verdict_name(cases[i].verdict),
                     attest_reason_name(cases[i].reason));
        assert_true(result.message[0] != '\0');
    }
}
