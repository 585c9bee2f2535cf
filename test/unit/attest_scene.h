/* attest_scene: one good document and the policy that accepts it, for tests that spoil one thing.
 *
 * Model: scene_reset() makes everything right; a case changes the spec, the defects, the policy or the signed
 * bytes; scene_sign() and scene_verify() do the rest. scene_run() walks a table of such cases. Threads: none.
 * Ownership: the scene owns its buffers; scene_done() frees them.   Limits: SCENE_VALUES changed values.
 * Errors: cmocka failures. */
#ifndef TEE_TEST_UNIT_ATTEST_SCENE_H
#define TEE_TEST_UNIT_ATTEST_SCENE_H

#include "nitro/attest.h"
#include "pki/pki.h"

enum { SCENE_VALUES = 4, SCENE_BUNDLE = 100 };

struct scene {
    struct pki *pki;
    struct pki *foreign;
    struct attest_roots roots;
    struct attest_cache *cache;
    struct pki_document_spec spec;
    struct pki_defects defects;
    struct attest_policy policy;
    struct attest_pcr pcrs[3];
    struct attest_measurement sets[2];
    uint8_t nonce[32];
    uint8_t user_data[64];
    uint8_t digest[32];
    struct pki_chain chain;
    struct pki_span bundle[SCENE_BUNDLE];
    struct buf raw[SCENE_VALUES];
    struct pki_value values[SCENE_VALUES];
    struct buf document;
};

struct scene_case {
    const char *name;
    void (*before)(struct scene *scene); /* changes what is signed, or what is expected */
    void (*after)(struct scene *scene);  /* changes the signed bytes */
    enum attest_verdict verdict;
    enum attest_reason reason;
};

#define SCENE_MODULE_ID   "i-0123456789abcdef0-enc01a3185c00001234"
#define SCENE_INSTANCE_ID "i-0123456789abcdef0"
#define SCENE_ROLE        "arn:aws:iam::000000000000:role/enclave"

extern const int64_t scene_now_ms;

/* cmocka group fixtures; *state becomes the scene. */
int scene_new(void **state);
int scene_free(void **state);
void scene_reset(struct scene *scene);
void scene_sign(struct scene *scene);
/* Cold. Then again with a cache that lives as long as the scene, which must change nothing, and what is
 * accepted is shown to OpenSSL's path validation. */
void scene_verify(const struct scene *scene, struct attest_result *ret_result);
/* Every case from a fresh scene; prints the name of the one that fails. */
void scene_run(struct scene *scene, const struct scene_case *cases, size_t count);
/* Puts raw CBOR, written in hex, in place of the payload's value of that key. */
void scene_set_value(struct scene *scene, const char *key, const char *hex);
struct buf *scene_raw_value(struct scene *scene, const char *key);
/* The DER of the chain that the document will be signed with. */
const struct pki_chain *scene_chain(struct scene *scene);

#endif
