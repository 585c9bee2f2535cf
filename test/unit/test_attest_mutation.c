/* A good document, changed in every way that a length, an encoding or an order of certificates can be. Where
 * it can be, the changed document is signed anew with the leaf's key, so that the signature cannot be what
 * refuses it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest_scene.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "nitro/cose.h"
#include "pki/cbor_writer.h"

enum { HEADS_MAX = 512, HEAD_MAX = 9 };

/* A head of CBOR, or a length of DER. */
struct head {
    size_t at;
    size_t len;
    uint64_t value;
    bool is_der;
};

struct heads {
    struct head items[HEADS_MAX];
    size_t count;
};

static void add(struct heads *heads, struct head head)
{
    assert_true(heads->count < HEADS_MAX);
    heads->items[heads->count++] = head;
}

/* Every length within certificates; what looks like DER inside a string counts as such. */
static bool walk_der(const uint8_t *data, size_t from, size_t to, struct heads *heads)
{
    struct heads before = *heads;
    size_t at = from;
    while (at < to) {
        size_t octets = at + 1 < to && data[at + 1] > 0x80 ? data[at + 1] - 0x80U : 0, len = 0;
        if (at + 2 + octets > to || octets > 2 || (data[at] & 0x1f) == 0x1f || data[at] == 0)
            break;
        for (size_t i = 0; i < octets; i++)
            len = len << 8 | data[at + 2 + i];
        if (octets == 0)
            len = data[at + 1];
        size_t contents = at + 2 + octets;
        if (len > to - contents)
            break;
        add(heads, (struct head){at + 1, 1 + octets, len, true});
        if (data[at] & 0x20 || data[at] == 0x04)
            walk_der(data, contents, contents + len, heads);
        at = contents + len;
    }
    if (at == to)
        return true;
    *heads = before;
    return false;
}

static size_t walk_cbor(const uint8_t *data, size_t at, size_t end, struct heads *heads);

/* Long strings hold something: the payload, or a certificate. */
static void walk_string(const uint8_t *data, size_t at, uint64_t len, struct heads *heads)
{
    if (len > 2048)
        walk_cbor(data, at, at + len, heads);
    else if (len > 300)
        walk_der(data, at, at + len, heads);
}

static size_t walk_members(const uint8_t *data, size_t at, size_t end, uint64_t members, struct heads *heads)
{
    for (; members > 0 && at < end; members--) {
        if (data[at] == 0xff)
            return at + 1;
        at = walk_cbor(data, at, end, heads);
    }
    return at;
}

/* One item and all within it; returns where it ends. */
static size_t walk_cbor(const uint8_t *data, size_t at, size_t end, struct heads *heads)
{
    unsigned major = data[at] >> 5, code = data[at] & 31;
    bool is_indefinite = code == 31;
    size_t extra = code < 24 || is_indefinite ? 0 : (size_t)1 << (code - 24), start = at;
    uint64_t value = code < 24 ? code : 0;
    for (size_t i = 0; i < extra; i++)
        value = value << 8 | data[at + 1 + i];
    at += 1 + extra;
    if (!is_indefinite && major <= 5)
        add(heads, (struct head){start, 1 + extra, value, false});
    switch (major) {
    case 2:
    case 3: walk_string(data, at, value, heads); return at + value;
    case 4: return walk_members(data, at, end, is_indefinite ? UINT64_MAX : value, heads);
    case 5: return walk_members(data, at, end, is_indefinite ? UINT64_MAX : 2 * value, heads);
    default: return at;
    }
}

static void make_good(struct scene *scene)
{
    struct attest_result result;
    scene_reset(scene);
    scene_sign(scene);
    scene_verify(scene, &result);
    assert_int_equal(result.verdict, ATTEST_VERIFIED);
}

/* Verified with the warm cache, as only the verdict counts here. */
static void must_refuse(const struct scene *scene, const char *what, const struct head *head)
{
    struct attest_policy policy = scene->policy;
    struct attest_result result;
    policy.cache = scene->cache;
    CLEANUP(freep) void *copy = mem_dup(scene->document.data, scene->document.len);
    attest_verify(copy, scene->document.len, &policy, &result);
    if (result.verdict != ATTEST_REJECTED)
        fail_msg("%s at byte %zu: %s", what, head->at, attest_verdict_name(result.verdict));
}

/* The length in the same octets; one too large for them keeps its low part. */
static void write_length(uint8_t *data, const struct head *head, uint64_t value)
{
    size_t first = head->at, extra = head->len - 1;
    if (extra == 0 && head->is_der)
        data[first] = (uint8_t)value;
    else if (extra == 0)
        data[first] = (uint8_t)((data[first] & 0xe0) | (value & 31));
    for (size_t i = 0; i < extra; i++)
        data[first + 1 + i] = (uint8_t)(value >> 8 * (extra - 1 - i));
}

static void test_every_length_moved(void **state)
{
    struct scene *scene = *state;
    static struct heads heads;
    heads.count = 0;
    make_good(scene);
    uint8_t *data = (uint8_t *)scene->document.data;
    assert_int_equal(walk_cbor(data, 0, scene->document.len, &heads), scene->document.len);
    assert_true(heads.count > 250);
    CLEANUP(freep) uint8_t *good = mem_dup(data, scene->document.len);
    for (size_t i = 0; i < heads.count; i++) {
        const struct head *head = &heads.items[i];
        const uint64_t values[] = {head->value + 1, head->value - 1, 0, UINT64_MAX, UINT64_MAX / 2 + 1};
        for (size_t k = 0; k < ARRAY_LEN(values); k++) {
            memcpy(data, good, scene->document.len);
            write_length(data, head, values[k]);
            if (memcmp(data, good, scene->document.len) != 0)
                must_refuse(scene, "length moved", head);
        }
    }
}

/* The payload of the good document, and the heads in it. */
static void open_payload(struct scene *scene, struct buf *ret_payload, struct heads *ret_heads)
{
    struct cose cose;
    struct error err;
    make_good(scene);
    assert_int_equal(cose_parse(scene->document.data, scene->document.len, &cose, &err), 0);
    buf_append(ret_payload, cose.payload, cose.payload_len);
    ret_heads->count = 0;
    walk_cbor(cose.payload, 0, cose.payload_len, ret_heads);
}

static void sign_payload(struct scene *scene, const struct buf *payload)
{
    scene_reset(scene);
    scene->defects.payload = (struct pki_span){payload->data, payload->len};
    scene_sign(scene);
}

static void test_every_length_moved_and_signed(void **state)
{
    struct scene *scene = *state;
    static struct heads heads;
    CLEANUP(buf_done) struct buf payload;
    buf_init(&payload, PKI_DOCUMENT_MAX);
    open_payload(scene, &payload, &heads);
    for (size_t i = 0; i < heads.count; i++) {
        const struct head *head = &heads.items[i];
        bool is_number = !head->is_der && (uint8_t)payload.data[head->at] >> 5 == 0;
        for (int step = -1; step <= 1 && !is_number; step += 2) {
            CLEANUP(freep) uint8_t *good = mem_dup(payload.data, payload.len);
            write_length((uint8_t *)payload.data, head, head->value + (uint64_t)step);
            sign_payload(scene, &payload);
            must_refuse(scene, "length moved and signed", head);
            memcpy(payload.data, good, payload.len);
        }
    }
}

/* The same value in more octets: 18 1e for 1e, and so on up to eight. */
static void write_longer_head(struct buf *out, uint8_t first, uint64_t value, size_t extra)
{
    unsigned code = extra == 1 ? 24 : extra == 2 ? 25 : extra == 4 ? 26 : 27;
    buf_putc(out, (char)((first & 0xe0) | code));
    for (size_t i = extra; i > 0; i--)
        buf_putc(out, (char)(value >> 8 * (i - 1)));
}

static void splice(const struct buf *payload, const struct head *head, const struct buf *put, size_t skip,
                   struct buf *out)
{
    buf_reset(out);
    buf_append(out, payload->data, head->at);
    buf_append(out, put->data, put->len);
    buf_append(out, payload->data + head->at + skip, payload->len - head->at - skip);
}

static void test_longer_forms_of_every_head(void **state)
{
    struct scene *scene = *state;
    static struct heads heads;
    CLEANUP(buf_done) struct buf payload;
    CLEANUP(buf_done) struct buf put;
    CLEANUP(buf_done) struct buf changed;
    buf_init(&payload, PKI_DOCUMENT_MAX);
    buf_init(&put, PKI_DOCUMENT_MAX);
    buf_init(&changed, PKI_DOCUMENT_MAX);
    open_payload(scene, &payload, &heads);
    for (size_t i = 0; i < heads.count; i++) {
        const struct head *head = &heads.items[i];
        for (size_t extra = head->len == 1 ? 1 : 2 * (head->len - 1); extra <= 8 && !head->is_der;
             extra *= 2) {
            buf_reset(&put);
            write_longer_head(&put, (uint8_t)payload.data[head->at], head->value, extra);
            splice(&payload, head, &put, head->len, &changed);
            sign_payload(scene, &changed);
            must_refuse(scene, "longer form", head);
        }
    }
}

/* Every string as one chunk of an indefinite string, which CBOR calls the same value. */
static void test_every_string_in_chunks(void **state)
{
    struct scene *scene = *state;
    static struct heads heads;
    CLEANUP(buf_done) struct buf payload;
    CLEANUP(buf_done) struct buf put;
    CLEANUP(buf_done) struct buf changed;
    size_t count = 0;
    buf_init(&payload, PKI_DOCUMENT_MAX);
    buf_init(&put, PKI_DOCUMENT_MAX);
    buf_init(&changed, PKI_DOCUMENT_MAX);
    open_payload(scene, &payload, &heads);
    for (size_t i = 0; i < heads.count; i++) {
        const struct head *head = &heads.items[i];
        unsigned major = (uint8_t)payload.data[head->at] >> 5;
        if (head->is_der || (major != 2 && major != 3))
            continue;
        size_t whole = head->len + head->value;
        buf_reset(&put);
        buf_putc(&put, (char)(major << 5 | 31));
        buf_append(&put, payload.data + head->at, whole);
        buf_putc(&put, (char)0xff);
        splice(&payload, head, &put, whole, &changed);
        sign_payload(scene, &changed);
        must_refuse(scene, "string in chunks", head);
        count++;
    }
    assert_true(count > 30);
}

static void verify_bundle(struct scene *scene, const struct pki_span *der, size_t count, struct pki_span leaf,
                          bool is_good)
{
    struct attest_result result;
    scene_reset(scene);
    for (size_t i = 0; i < count; i++)
        scene->bundle[i] = der[i];
    scene->defects.cabundle = scene->bundle;
    scene->defects.cabundle_count = count;
    scene->defects.certificate = leaf;
    scene_sign(scene);
    scene_verify(scene, &result);
    assert_int_equal(result.verdict == ATTEST_VERIFIED, is_good);
}

/* All 5^5 ways to fill the five places from the five certificates; one of them is right. */
static void test_certificates_in_any_order(void **state)
{
    struct scene *scene = *state;
    scene_reset(scene);
    const struct pki_chain chain = *scene_chain(scene);
    for (unsigned number = 0; number < 3125; number++) {
        struct pki_span der[PKI_LEVEL_COUNT];
        unsigned rest = number;
        bool is_good = true;
        for (unsigned i = 0; i < PKI_LEVEL_COUNT; i++, rest /= 5) {
            der[i] = chain.der[rest % 5];
            is_good = is_good && rest % 5 == i;
        }
        /* A chain that does not start with the root is refused at once: one in a hundred is enough of those.
         */
        if (number % 5 != PKI_ROOT && number % 100 != 1)
            continue;
        verify_bundle(scene, der, PKI_LEAF, der[PKI_LEAF], is_good);
    }
}

static void test_bundles_of_other_lengths(void **state)
{
    struct scene *scene = *state;
    scene_reset(scene);
    const struct pki_chain chain = *scene_chain(scene);
    for (unsigned without = 0; without < PKI_LEAF; without++) {
        struct pki_span der[PKI_LEAF];
        size_t count = 0;
        for (unsigned i = 0; i < PKI_LEAF; i++)
            if (i != without)
                der[count++] = chain.der[i];
        verify_bundle(scene, der, count, chain.der[PKI_LEAF], false);
    }
    for (unsigned at = 0; at <= PKI_LEAF; at++)
        for (unsigned which = 0; which < PKI_LEVEL_COUNT; which++) {
            struct pki_span der[PKI_LEVEL_COUNT];
            for (unsigned i = 0; i < PKI_LEVEL_COUNT; i++)
                der[i] = i == at ? chain.der[which] : chain.der[i < at ? i : i - 1];
            verify_bundle(scene, der, PKI_LEVEL_COUNT, chain.der[PKI_LEAF], false);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length_moved),
        cmocka_unit_test(test_every_length_moved_and_signed),
        cmocka_unit_test(test_longer_forms_of_every_head),
        cmocka_unit_test(test_every_string_in_chunks),
        cmocka_unit_test(test_certificates_in_any_order),
        cmocka_unit_test(test_bundles_of_other_lengths),
    };
    return cmocka_run_group_tests(tests, scene_new, scene_free);
}
