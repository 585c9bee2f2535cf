/* Documents whose bytes are wrong, or unusual and yet right: envelope, headers, payload. Where a case changes
 * what is signed, it is signed anew, so that only the check under test can refuse it. */
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
#include "pki/cbor_writer.h"

#define GOOD          ATTEST_VERIFIED, ATTEST_REASON_NONE
#define REFUSED(name) ATTEST_REJECTED, ATTEST_##name

static const char order_hex[] = "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf"
                                "581a0db248b0a77aecec196accc52973";

/* A replaced span of the defects, for tables of bytes in hex. */
struct hex_case {
    const char *name;
    const char *hex;
    enum attest_verdict verdict;
    enum attest_reason reason;
};

/* Runs each case with *span set to its bytes. */
static void run_spans(struct scene *scene, struct pki_span *span, const struct hex_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct attest_result result;
        size_t len = strlen(cases[i].hex) / 2;
        CLEANUP(freep) uint8_t *bytes = mem_alloc(len + 1);
        assert_int_equal(hex_decode(cases[i].hex, bytes, len), 0);
        scene_reset(scene);
        *span = (struct pki_span){bytes, len};
        scene_sign(scene);
        scene_verify(scene, &result);
        if (result.verdict != cases[i].verdict || result.reason != cases[i].reason)
            fail_msg("%s: %s (%s)", cases[i].name, attest_result_reason(&result), result.message);
    }
}

static void test_protected_header(void **state)
{
    static const struct hex_case cases[] = {
        {"right", "a1013822", GOOD},
        {"ES256", "a10126", REFUSED(UNSUPPORTED_ALGORITHM)},
        {"ES512", "a1013823", REFUSED(UNSUPPORTED_ALGORITHM)},
        {"QEMU's -1", "a10120", REFUSED(UNSUPPORTED_ALGORITHM)},
        {"algorithm as text", "a101654553333834", REFUSED(UNSUPPORTED_ALGORITHM)},
        {"two algorithms", "a2013822013822", REFUSED(UNSUPPORTED_ALGORITHM)},
        {"crit", "a201382202810b", REFUSED(UNSUPPORTED_ALGORITHM)},
        {"other key", "a1043822", REFUSED(UNSUPPORTED_ALGORITHM)},
        {"empty map", "a0", REFUSED(UNSUPPORTED_ALGORITHM)},
        {"indefinite map", "bf013822ff", REFUSED(UNSUPPORTED_ALGORITHM)},
        {"non-minimal algorithm", "a101390022", REFUSED(MALFORMED_DOCUMENT)},
        {"not a map", "8201", REFUSED(MALFORMED_DOCUMENT)},
        {"an array", "82013822", REFUSED(MALFORMED_DOCUMENT)},
        {"bytes after it", "a101382200", REFUSED(MALFORMED_DOCUMENT)},
        {"nothing", "", REFUSED(MALFORMED_DOCUMENT)},
    };
    struct scene *scene = *state;
    run_spans(scene, &scene->defects.protected_header, cases, ARRAY_LEN(cases));
}

static void test_unprotected_header(void **state)
{
    static const struct hex_case cases[] = {
        {"right", "a0", GOOD},
        {"null", "f6", REFUSED(MALFORMED_DOCUMENT)},
        {"an entry", "a1013822", REFUSED(MALFORMED_DOCUMENT)},
        {"indefinite", "bfff", REFUSED(MALFORMED_DOCUMENT)},
        {"non-minimal", "b800", REFUSED(MALFORMED_DOCUMENT)},
        {"an array", "80", REFUSED(MALFORMED_DOCUMENT)},
    };
    struct scene *scene = *state;
    run_spans(scene, &scene->defects.unprotected_header, cases, ARRAY_LEN(cases));
}

static void test_outer_head(void **state)
{
    static const struct hex_case cases[] = {
        {"right", "84", GOOD},
        {"tag 18", "d284", GOOD},
        {"tag 17", "d184", REFUSED(MALFORMED_DOCUMENT)},
        {"tag twice", "d2d284", REFUSED(MALFORMED_DOCUMENT)},
        {"non-minimal tag", "d81284", REFUSED(MALFORMED_DOCUMENT)},
        {"array of 3", "83", REFUSED(MALFORMED_DOCUMENT)},
        {"array of 5", "85", REFUSED(MALFORMED_DOCUMENT)},
        {"indefinite", "9f", REFUSED(MALFORMED_DOCUMENT)},
        {"2^28 elements", "9a10000000", REFUSED(MALFORMED_DOCUMENT)},
        {"2^63 elements", "9b8000000000000000", REFUSED(MALFORMED_DOCUMENT)},
        {"a map", "a4", REFUSED(MALFORMED_DOCUMENT)},
    };
    struct scene *scene = *state;
    run_spans(scene, &scene->defects.outer_head, cases, ARRAY_LEN(cases));
}

static void test_signature_bytes(void **state)
{
    struct scene *scene = *state;
    char zeros[193], r_zero[193], s_zero[193], s_order[193];
    memset(zeros, '0', 192);
    zeros[192] = '\0';
    snprintf(r_zero, sizeof(r_zero), "%.96s%.94s07", zeros, zeros);
    snprintf(s_zero, sizeof(s_zero), "%.94s07%.96s", zeros, zeros);
    snprintf(s_order, sizeof(s_order), "%.94s07%s", zeros, order_hex);
    const struct hex_case cases[] = {
        {"empty", "", REFUSED(MALFORMED_DOCUMENT)},
        {"95 bytes", zeros + 2, REFUSED(MALFORMED_DOCUMENT)},
        {"DER", "3006020101020101", REFUSED(MALFORMED_DOCUMENT)},
        {"r = 0", r_zero, REFUSED(BAD_SIGNATURE)},
        {"s = 0", s_zero, REFUSED(BAD_SIGNATURE)},
        {"s = n", s_order, REFUSED(BAD_SIGNATURE)},
        {"both 0", zeros, REFUSED(BAD_SIGNATURE)},
    };
    run_spans(scene, &scene->defects.signature, cases, ARRAY_LEN(cases));
}

static void flip_signature(struct scene *scene)
{
    scene->document.data[scene->document.len - 50] ^= 4;
}

static void flip_payload(struct scene *scene)
{
    char *at = memmem(scene->document.data, scene->document.len, scene->nonce, sizeof(scene->nonce));
    at[5] ^= 1;
}

/* n - s for s: as good a signature, made without the key. */
static void mirror_signature(struct scene *scene)
{
    uint8_t order[48], *s = (uint8_t *)scene->document.data + scene->document.len - sizeof(order);
    int borrow = 0;
    assert_int_equal(hex_decode(order_hex, order, sizeof(order)), 0);
    for (size_t i = sizeof(order); i-- > 0;) {
        int difference = order[i] - s[i] - borrow;
        borrow = difference < 0;
        s[i] = (uint8_t)(difference & 0xff);
    }
}

static void make_signature_97(struct scene *scene)
{
    char *head = scene->document.data + scene->document.len - 97;
    assert_int_equal((uint8_t)*head, 96);
    *head = 97;
    buf_putc(&scene->document, 0);
}

static void payload_tail(struct scene *scene)
{
    scene->defects.payload_tail = (struct pki_span){"\x00", 1};
}

static void document_tail(struct scene *scene)
{
    scene->defects.document_tail = (struct pki_span){"\xf6", 1};
}

static void missing_break(struct scene *scene)
{
    scene->defects.missing_break = true;
}

static void definite_map(struct scene *scene)
{
    scene->defects.definite_map = true;
}

static void definite_map_with_tail(struct scene *scene)
{
    definite_map(scene);
    payload_tail(scene);
}

static void indefinite_pcrs(struct scene *scene)
{
    scene->defects.indefinite_pcrs = true;
}

static void indefinite_cabundle(struct scene *scene)
{
    scene->defects.indefinite_cabundle = true;
}

static void empty_document(struct scene *scene)
{
    buf_reset(&scene->document);
    buf_append(&scene->document, "x", 1);
    scene->document.len = 0;
}

static void test_whole_documents(void **state)
{
    static const struct scene_case cases[] = {
        {"flipped signature", NULL, flip_signature, REFUSED(BAD_SIGNATURE)},
        {"flipped payload", NULL, flip_payload, REFUSED(BAD_SIGNATURE)},
        {"s and n - s are both good", NULL, mirror_signature, GOOD},
        {"signature of 97 bytes", NULL, make_signature_97, REFUSED(MALFORMED_DOCUMENT)},
        {"byte after the payload map", payload_tail, NULL, REFUSED(MALFORMED_DOCUMENT)},
        {"byte after the document", document_tail, NULL, REFUSED(MALFORMED_DOCUMENT)},
        {"missing break", missing_break, NULL, REFUSED(MALFORMED_DOCUMENT)},
        {"definite map", definite_map, NULL, GOOD},
        {"byte after a definite map", definite_map_with_tail, NULL, REFUSED(MALFORMED_DOCUMENT)},
        {"indefinite pcrs", indefinite_pcrs, NULL, GOOD},
        {"indefinite cabundle", indefinite_cabundle, NULL, GOOD},
        {"empty", NULL, empty_document, REFUSED(MALFORMED_DOCUMENT)},
    };
    scene_run(*state, cases, ARRAY_LEN(cases));
}

#define KEYS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ALL_KEYS                                                                                             \
    "module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle", "public_key", "user_data", "nonce"

static void test_keys(void **state)
{
    const struct {
        const char *name;
        const char *const *keys;
        enum attest_verdict verdict;
        enum attest_reason reason;
        size_t unknown_keys;
    } cases[] = {
        {"other order",
         KEYS("nonce", "cabundle", "certificate", "pcrs", "timestamp", "digest", "module_id", "user_data",
              "public_key"),
         GOOD, 0},
        {"unknown key", KEYS(ALL_KEYS, "future"), GOOD, 1},
        {"unknown key twice", KEYS(ALL_KEYS, "future", "future"), REFUSED(MALFORMED_DOCUMENT), 0},
        {"pcrs twice", KEYS(ALL_KEYS, "pcrs"), REFUSED(MALFORMED_DOCUMENT), 0},
        {"nonce twice", KEYS(ALL_KEYS, "nonce"), REFUSED(MALFORMED_DOCUMENT), 0},
        {"certificate twice", KEYS(ALL_KEYS, "certificate"), REFUSED(MALFORMED_DOCUMENT), 0},
        {"module_id twice", KEYS("module_id", ALL_KEYS), REFUSED(MALFORMED_DOCUMENT), 0},
        {"NitroTPM", KEYS("module_id", "digest", "timestamp", "nitrotpm_pcrs", "certificate", "cabundle"),
         REFUSED(MALFORMED_DOCUMENT), 0},
        {"NitroTPM's key beside pcrs", KEYS(ALL_KEYS, "nitrotpm_pcrs"), REFUSED(MALFORMED_DOCUMENT), 0},
        {"no pcrs", KEYS("module_id", "digest", "timestamp", "certificate", "cabundle", "nonce"),
         REFUSED(MALFORMED_DOCUMENT), 0},
        {"no cabundle", KEYS("module_id", "digest", "timestamp", "pcrs", "certificate", "nonce"),
         REFUSED(MALFORMED_DOCUMENT), 0},
        {"no digest", KEYS("module_id", "timestamp", "pcrs", "certificate", "cabundle", "nonce"),
         REFUSED(MALFORMED_DOCUMENT), 0},
        {"optional keys absent",
         KEYS("module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle", "nonce"), GOOD, 0},
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct attest_result result;
        scene_reset(scene);
        scene->defects.keys = cases[i].keys;
        scene_sign(scene);
        scene_verify(scene, &result);
        if (result.verdict != cases[i].verdict || result.reason != cases[i].reason)
            fail_msg("%s: %s (%s)", cases[i].name, attest_result_reason(&result), result.message);
        assert_int_equal(result.unknown_keys, cases[i].unknown_keys);
    }
}

static void test_values(void **state)
{
    static const struct {
        const char *name, *key, *hex;
    } cases[] = {
        {"digest SHA256", "digest", "66534841323536"},
        {"digest as bytes", "digest", "46534841333834"},
        {"digest cut", "digest", "655348413338"},
        {"pcrs null", "pcrs", "f6"},
        {"pcrs empty", "pcrs", "a0"},
        {"pcrs an array", "pcrs", "80"},
        {"pcrs claim 2^32 entries", "pcrs", "bb0000000100000000"},
        {"pcrs claim 2^63 entries", "pcrs", "bb8000000000000000"},
        {"timestamp 0", "timestamp", "00"},
        {"timestamp negative", "timestamp", "20"},
        {"timestamp past year 9999", "timestamp", "1bffffffffffffffff"},
        {"timestamp non-minimal", "timestamp", "1b0000000000000001"},
        {"timestamp a float", "timestamp", "fb4270000000000000"},
        {"module_id empty", "module_id", "60"},
        {"module_id bytes", "module_id", "4161"},
        {"module_id with a space", "module_id", "626120"},
        {"module_id chunked", "module_id", "7f6161ff"},
        {"certificate null", "certificate", "f6"},
        {"certificate empty", "certificate", "40"},
        {"certificate chunked", "certificate", "5f4161ff"},
        {"cabundle null", "cabundle", "f6"},
        {"cabundle empty", "cabundle", "80"},
        {"cabundle indefinite and empty", "cabundle", "9fff"},
        {"cabundle without its break", "cabundle", "9f"},
        {"cabundle of text", "cabundle", "816161"},
        {"cabundle claims 2^32 entries", "cabundle", "9b0000000100000000"},
        {"nonce chunked", "nonce", "5f4161ff"},
        {"nonce as text", "nonce", "6161"},
        {"nonce undefined", "nonce", "f7"},
        {"nonce claims 2^63 bytes", "nonce", "5b8000000000000000"},
        {"user_data tagged", "user_data", "c24161"},
        {"public_key true", "public_key", "f5"},
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct attest_result result;
        scene_reset(scene);
        scene_set_value(scene, cases[i].key, cases[i].hex);
        scene_sign(scene);
        scene_verify(scene, &result);
        if (result.verdict != ATTEST_REJECTED || result.reason != ATTEST_MALFORMED_DOCUMENT)
            fail_msg("%s: %s (%s)", cases[i].name, attest_result_reason(&result), result.message);
    }
}

/* PCR 0 to 15, of which the last has this index and length. */
static void set_last_pcr(struct scene *scene, unsigned index, size_t len)
{
    struct buf *raw = scene_raw_value(scene, "pcrs");
    buf_putc(raw, (char)0xb0);
    for (unsigned i = 0; i < 16; i++) {
        uint8_t pcr[64] = {0};
        unsigned written = i == 15 ? index : i;
        size_t written_len = i == 15 ? len : PKI_PCR_BYTES;
        if (i < 3)
            pki_sim_pcr((int)i, scene->spec.image_digest, pcr);
        if (i == 3)
            pki_measure(SCENE_ROLE, strlen(SCENE_ROLE), pcr);
        if (i == 4)
            pki_measure(SCENE_INSTANCE_ID, strlen(SCENE_INSTANCE_ID), pcr);
        if (written >= 24)
            buf_putc(raw, 0x18);
        buf_putc(raw, (char)written);
        buf_append(raw, "\x58", 1);
        buf_putc(raw, (char)written_len);
        buf_append(raw, pcr, written_len);
    }
}

static void test_pcr_entries(void **state)
{
    static const struct {
        const char *name;
        unsigned index;
        size_t len;
        bool is_good;
    } cases[] = {
        {"as usual", 15, 48, true},      {"index 31", 31, 48, true},      {"index 32", 32, 48, false},
        {"47 bytes", 15, 47, false},     {"64 bytes", 15, 64, false},     {"32 bytes", 15, 32, false},
        {"index 4 twice", 4, 48, false}, {"index 0 twice", 0, 48, false},
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct attest_result result;
        scene_reset(scene);
        set_last_pcr(scene, cases[i].index, cases[i].len);
        scene_sign(scene);
        scene_verify(scene, &result);
        enum attest_reason wanted = cases[i].is_good ? ATTEST_REASON_NONE : ATTEST_MALFORMED_DOCUMENT;
        if (result.reason != wanted)
            fail_msg("%s: %s (%s)", cases[i].name, attest_result_reason(&result), result.message);
    }
}

static void test_field_sizes(void **state)
{
    static const uint8_t bytes[1025] = {1};
    struct scene *scene = *state;
    struct attest_result result;
    for (int which = 0; which < 3; which++) {
        scene_reset(scene);
        struct pki_span *spans[] = {&scene->spec.public_key, &scene->spec.user_data, &scene->spec.nonce};
        *spans[which] = (struct pki_span){bytes, 1024};
        scene->policy.nonce = scene->spec.nonce.data;
        scene->policy.nonce_len = scene->spec.nonce.len;
        scene_sign(scene);
        scene_verify(scene, &result);
        assert_int_equal(result.verdict, ATTEST_VERIFIED);
        buf_reset(&scene->document);
        *spans[which] = (struct pki_span){bytes, 1025};
        scene_sign(scene);
        scene_verify(scene, &result);
        assert_int_equal(result.reason, ATTEST_MALFORMED_DOCUMENT);
    }
    scene_reset(scene);
    scene->spec.public_key.len = scene->spec.user_data.len = 0;
    scene_sign(scene);
    scene_verify(scene, &result);
    assert_int_equal(result.verdict, ATTEST_VERIFIED);
    assert_false(result.has_user_data || result.public_key_len);
}

/* A value of an unknown key makes the document just as long as is allowed, then one byte longer. */
static void test_document_size(void **state)
{
    static const uint8_t padding[ATTEST_DOCUMENT_MAX];
    struct scene *scene = *state;
    struct attest_result result;
    size_t len = 10000;
    for (int step = 0; step < 3; step++) {
        scene_reset(scene);
        scene->defects.keys = KEYS(ALL_KEYS, "future");
        cbor_write_bytes(scene_raw_value(scene, "future"), padding, len);
        scene_sign(scene);
        scene_verify(scene, &result);
        bool is_too_large = step == 2;
        assert_int_equal(result.reason, is_too_large ? ATTEST_MALFORMED_DOCUMENT : ATTEST_REASON_NONE);
        if (step > 0)
            assert_int_equal(scene->document.len, ATTEST_DOCUMENT_MAX + (is_too_large ? 1 : 0));
        len += step == 0 ? ATTEST_DOCUMENT_MAX - scene->document.len : 1;
    }
}

static void test_deep_nesting(void **state)
{
    struct scene *scene = *state;
    for (size_t depth = 1; depth <= 1000; depth += depth < 6 ? 1 : 497) {
        struct attest_result result;
        scene_reset(scene);
        scene->defects.keys = KEYS(ALL_KEYS, "future");
        struct buf *raw = scene_raw_value(scene, "future");
        for (size_t i = 0; i < depth; i++)
            buf_putc(raw, (char)0x81);
        buf_putc(raw, 0);
        scene_sign(scene);
        scene_verify(scene, &result);
        /* The payload map is one level itself. */
        assert_int_equal(result.reason, depth <= 3 ? ATTEST_REASON_NONE : ATTEST_MALFORMED_DOCUMENT);
    }
}

static void test_every_prefix_is_malformed(void **state)
{
    struct scene *scene = *state;
    scene_reset(scene);
    scene_sign(scene);
    size_t whole = scene->document.len;
    for (size_t len = 1; len < whole; len++) {
        struct attest_result result;
        scene->document.len = len;
        scene_verify(scene, &result);
        assert_int_equal(result.reason, ATTEST_MALFORMED_DOCUMENT);
    }
    scene->document.len = whole;
}

/* Once each, with the CAs known: only the verdict counts here, and there are thousands. */
static void test_every_flipped_byte_is_refused(void **state)
{
    struct scene *scene = *state;
    scene_reset(scene);
    scene_sign(scene);
    struct attest_policy policy = scene->policy;
    policy.cache = scene->cache;
    for (size_t i = 0; i < scene->document.len; i++) {
        struct attest_result result;
        char flip = (char)(1U << (i % 8));
        scene->document.data[i] ^= flip;
        attest_verify(scene->document.data, scene->document.len, &policy, &result);
        scene->document.data[i] ^= flip;
        if (result.verdict != ATTEST_REJECTED)
            fail_msg("byte %zu: %s", i, attest_verdict_name(result.verdict));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protected_header),
        cmocka_unit_test(test_unprotected_header),
        cmocka_unit_test(test_outer_head),
        cmocka_unit_test(test_signature_bytes),
        cmocka_unit_test(test_whole_documents),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_pcr_entries),
        cmocka_unit_test(test_field_sizes),
        cmocka_unit_test(test_document_size),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_every_prefix_is_malformed),
        cmocka_unit_test(test_every_flipped_byte_is_refused),
    };
    return cmocka_run_group_tests(tests, scene_new, scene_free);
}
