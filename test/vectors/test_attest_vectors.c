/* Documents that the real hypervisor signed, and some that only look like it: each genuine one is verified at
 * its own time and is refused today; each forged one is refused for the reason that is wrong with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "nitro/attest.h"
#include "nitro/cose.h"

enum { GENUINE_COUNT = 26, SKIPPED = 77 };

/* 2026-11-23: after the newest of the documents. */
static const int64_t today_ms = INT64_C(1795392000000);

struct vector {
    char *name;
    struct buf bytes;
};

struct vectors {
    struct vector items[64];
    size_t count;
};

static char *folder(void)
{
    const char *root = getenv("TEE_TEST_VECTORS");
    return mem_printf("%s/attestation", root ? root : "../shared/vectors");
}

static void read_file(const char *path, struct buf *ret_bytes)
{
    char chunk[4096];
    size_t len;
    CLEANUP(fclosep) FILE *file = fopen(path, "re");
    assert_non_null(file);
    buf_init(ret_bytes, 65536);
    while ((len = fread(chunk, 1, sizeof(chunk), file)) > 0)
        assert_int_equal(buf_append(ret_bytes, chunk, len), 0);
}

static int load(void **state)
{
    struct vectors *vectors = mem_calloc(1, sizeof(*vectors));
    CLEANUP(freep) char *dir_path = folder();
    DIR *dir = opendir(dir_path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (!strstr(entry->d_name, ".cbor") || vectors->count == ARRAY_LEN(vectors->items))
            continue;
        CLEANUP(freep) char *path = mem_printf("%s/%s", dir_path, entry->d_name);
        struct vector *vector = &vectors->items[vectors->count++];
        vector->name = mem_strdup(entry->d_name);
        read_file(path, &vector->bytes);
    }
    closedir(dir);
    *state = vectors;
    return 0;
}

static int unload(void **state)
{
    struct vectors *vectors = *state;
    for (size_t i = 0; i < vectors->count; i++) {
        free(vectors->items[i].name);
        buf_done(&vectors->items[i].bytes);
    }
    free(vectors);
    return 0;
}

/* What a user would have pinned: taken from the document itself, as these images are not ours. */
struct expected {
    struct attest_roots roots;
    struct attest_pcr pcrs[3];
    struct attest_measurement set;
    char instance_id[20];
    struct attest_policy policy;
    struct attest_doc doc;
};

static void expect_itself(const struct vector *vector, struct expected *ret)
{
    struct error err;
    struct cose cose;
    memset(ret, 0, sizeof(*ret));
    assert_int_equal(cose_parse(vector->bytes.data, vector->bytes.len, &cose, &err), 0);
    assert_int_equal(attest_doc_parse(cose.payload, cose.payload_len, &ret->doc, &err), 0);
    for (unsigned i = 0; i < 3; i++) {
        ret->pcrs[i].index = i;
        memcpy(ret->pcrs[i].value, ret->doc.pcrs[i], ATTEST_PCR_BYTES);
    }
    memcpy(ret->instance_id, ret->doc.module_id.data, sizeof(ret->instance_id) - 1);
    attest_roots_init(&ret->roots);
    attest_roots_add_g1(&ret->roots);
    ret->set = (struct attest_measurement){.name = "itself", .pcrs = ret->pcrs, .pcr_count = 3};
    ret->policy = (struct attest_policy){
        .roots = &ret->roots,
        .at_document_time = true,
        .instance_id = ret->instance_id,
        .nonce = ret->doc.nonce.data,
        .nonce_len = ret->doc.nonce.len,
        .measurements = &ret->set,
        .measurement_count = 1,
    };
}

static void expect_reason(const char *name, const struct attest_result *result, enum attest_reason reason)
{
    if (result->verdict != ATTEST_REJECTED || result->reason != reason)
        fail_msg("%s: %s %s (%s), not Rejected %s", name, attest_verdict_name(result->verdict),
                 attest_result_reason(result), result->message, attest_reason_name(reason));
}

static void check_genuine(const struct vector *vector)
{
    struct expected expected;
    struct attest_result result;
    expect_itself(vector, &expected);
    bool is_debug = strstr(vector->name, "_debug") != NULL;
    attest_verify(vector->bytes.data, vector->bytes.len, &expected.policy, &result);
    if (is_debug) {
        expect_reason(vector->name, &result, ATTEST_DEBUG_ENCLAVE);
        expected.policy.allow_debug = true;
        attest_verify(vector->bytes.data, vector->bytes.len, &expected.policy, &result);
    }
    enum attest_verdict wanted = is_debug                  ? ATTEST_DEBUG
                                 : expected.doc.nonce.data ? ATTEST_VERIFIED
                                                           : ATTEST_VERIFIED_WITHOUT_NONCE;
    if (result.verdict != wanted)
        fail_msg("%s: %s %s (%s)", vector->name, attest_verdict_name(result.verdict),
                 attest_result_reason(&result), result.message);
    assert_true(result.instance_bound);
    assert_in_range(result.document_timestamp_ms - result.launched_at_ms, 700, INT64_C(262) * 86400 * 1000);
    assert_in_range(result.leaf_not_after_ms - result.document_timestamp_ms, 1, 3 * 3600 * 1000 + 3000);

    expected.policy.at_document_time = false;
    expected.policy.now_ms = today_ms;
    attest_verify(vector->bytes.data, vector->bytes.len, &expected.policy, &result);
    expect_reason(vector->name, &result, ATTEST_CERTIFICATE_EXPIRED);
    attest_roots_done(&expected.roots);
}

static void test_genuine(void **state)
{
    const struct vectors *vectors = *state;
    size_t count = 0;
    for (size_t i = 0; i < vectors->count; i++) {
        if (vectors->items[i].name[0] != 'v')
            continue;
        check_genuine(&vectors->items[i]);
        count++;
    }
    assert_int_equal(count, GENUINE_COUNT);
}

static const struct vector *find(const struct vectors *vectors, const char *prefix)
{
    for (size_t i = 0; i < vectors->count; i++)
        if (strncmp(vectors->items[i].name, prefix, strlen(prefix)) == 0)
            return &vectors->items[i];
    fail_msg("%s is missing", prefix);
    return NULL;
}

static void test_forged(void **state)
{
    static const struct {
        const char *prefix;
        enum attest_reason at_own_time, today;
    } cases[] = {
        {"x01", ATTEST_BAD_SIGNATURE, ATTEST_CERTIFICATE_EXPIRED},
        {"x02", ATTEST_UNTRUSTED_ROOT, ATTEST_UNTRUSTED_ROOT},
        {"x03", ATTEST_UNTRUSTED_ROOT, ATTEST_UNTRUSTED_ROOT},
        {"x04", ATTEST_MALFORMED_DOCUMENT, ATTEST_MALFORMED_DOCUMENT},
        {"x05", ATTEST_MALFORMED_DOCUMENT, ATTEST_MALFORMED_DOCUMENT},
        {"x06", ATTEST_MALFORMED_DOCUMENT, ATTEST_MALFORMED_DOCUMENT},
    };
    CLEANUP(attest_roots_done) struct attest_roots roots;
    attest_roots_init(&roots);
    attest_roots_add_g1(&roots);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct vector *vector = find(*state, cases[i].prefix);
        struct attest_policy policy = {.roots = &roots, .at_document_time = true, .allow_debug = true};
        struct attest_result result;
        attest_verify(vector->bytes.data, vector->bytes.len, &policy, &result);
        expect_reason(vector->name, &result, cases[i].at_own_time);
        assert_false(result.has_claims);
        policy.at_document_time = false;
        policy.now_ms = today_ms;
        attest_verify(vector->bytes.data, vector->bytes.len, &policy, &result);
        expect_reason(vector->name, &result, cases[i].today);
    }
}

static void test_published_root_is_the_compiled_one(void **state)
{
    (void)state;
    CLEANUP(freep) char *dir = folder();
    CLEANUP(freep) char *path = mem_printf("%s/AWS_NitroEnclaves_Root-G1.pem", dir);
    CLEANUP(buf_done) struct buf pem;
    read_file(path, &pem);
    CLEANUP(attest_roots_done) struct attest_roots compiled;
    CLEANUP(attest_roots_done) struct attest_roots read;
    attest_roots_init(&compiled);
    attest_roots_add_g1(&compiled);
    attest_roots_init(&read);
    struct error err;
    assert_int_equal(attest_roots_add_pem(&read, buf_text(&pem), &err), 0);
    assert_int_equal(read.count, 1);
    assert_int_equal(attest_roots_find(&compiled, read.items[0].der, read.items[0].len), 0);
}

/* The facts that the index gives for a few of them. */
static void test_facts(void **state)
{
    static const struct {
        const char *prefix, *region, *pcr0_start;
        size_t public_key_len;
        uint32_t pcr_mask;
    } cases[] = {
        {"v02", "us-east-2", "2d151586641b790f", 0, 0xffff},
        {"v44", "us-east-1", "e72a46ca80a260fb", 1024, 0xffff},
        {"v53", "ap-south-1", "2984ab215649c40f", 32, 0x1ffff},
        {"v54", "us-east-1", "f67076a8f9796b90", 130, 0xffff},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct vector *vector = find(*state, cases[i].prefix);
        struct expected expected;
        struct attest_result result;
        char pcr0[17];
        expect_itself(vector, &expected);
        attest_verify(vector->bytes.data, vector->bytes.len, &expected.policy, &result);
        attest_roots_done(&expected.roots);
        assert_string_equal(result.region, cases[i].region);
        hex_encode(result.pcrs[0], 8, pcr0);
        assert_string_equal(pcr0, cases[i].pcr0_start);
        assert_int_equal(result.public_key_len, cases[i].public_key_len);
        assert_int_equal(result.pcr_mask, cases[i].pcr_mask);
    }
}

int main(void)
{
    CLEANUP(freep) char *dir_path = folder();
    DIR *dir = opendir(dir_path);
    if (!dir) {
        printf("vectors: SKIPPED (32 attestation documents)\n");
        return SKIPPED;
    }
    closedir(dir);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_genuine),
        cmocka_unit_test(test_forged),
        cmocka_unit_test(test_published_root_is_the_compiled_one),
        cmocka_unit_test(test_facts),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
