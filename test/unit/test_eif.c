/* Image files against AWS's own figures, every way to spoil the layout, and that each measured byte counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "nitro/eif.h"
#include "pki/eif_cases.h"

/* PCR0 to PCR2 of eif_cases, printed by aws-nitro-enclaves-image-format 0.8.1 (test/eif-parity print). */
static const struct {
    const char *name;
    const char *pcrs[3];
} known[] = {
    {"one-ramdisk",
     {"38c235b9f11e790f093e9a6d2479d84349d9a39b32a66569348a36c370bdd35fc36e5bdbd69fceb75f0868ad1a8f1ff3",
      "38c235b9f11e790f093e9a6d2479d84349d9a39b32a66569348a36c370bdd35fc36e5bdbd69fceb75f0868ad1a8f1ff3",
      "21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a"}},
    {"two-ramdisks",
     {"f9e78efca86831d0e85241ff319faea34dba9ce5c5308553400ae9ac66ee028fd7f005f239c18ce184be31adc95cd5e0",
      "f1e93ba7e8c78bb7b4694b7965b91a66d092ae57130b6653131dfc44616a8a2a30c19624d303f054ddae758d1753418d",
      "3d30a6b1207b92a63ab1c5c97672adc3256058a68c7c041912123f51109acf81a633c52e13760134c8d22497e6e70f82"}},
    {"three-ramdisks",
     {"8baf2566369266e82bb371ead138745d1e4d1189a8c8bcbf7203cb5c95e5df5c4c635f6c1e56114f9a1d796c4289fd34",
      "bf38bdf0ea00a748e0f7bcc2a48e0193c87ed76693e6f8ac7b8151027606515a4ba7ca8b550041304d155904612d86e7",
      "925644c71e15a9acdacbaed8369fa471057b3b09318afae7205a13e8a806b46c95ecbe0370046540a1a9a740f14ff007"}},
    {"metadata",
     {"22051494fa6322baf7b8d90a47ec7afd646e6c909fec555a3d28c7c9a89db079b62c6a04b35be5ae7ec6a399dc32eedc",
      "e2d332d855aee044d7e924e20893a0052a95c9c38058fc789518424f3de02c8f7f7ef02db311156315aaee1c197a1ee9",
      "f16bc2f523cc2f62ad0bba19c11ced18cba85d9ff75bf98b64bd9d4bc134c1534723e23b240dc50d28c764d3a5008e9b"}},
    {"arm64",
     {"b6e0df364f193403d0e34bc47798d693a489649e3f6696f868f7a12529c8fd021879a52272c26dfb431b9a981003f33d",
      "831561dc1bff5835a0ab8f311c2c77e7fab36221152f662e2bc656b8c2e3bd21b1c0a0bed734aae8fb6c8f2377d7ef49",
      "63dd901699cc4e491d380505dea0317afbd948a715d0da236c148c604b82c3cbdb5227ffc2d09e68c734df7e139789fb"}},
    {"version-2",
     {"1fe230862caa0e4b28549995ebe238607334a1beca01c9f2789f8f752c178b1f20c8c48d34d98771e162503b444e2cc9",
      "1fe230862caa0e4b28549995ebe238607334a1beca01c9f2789f8f752c178b1f20c8c48d34d98771e162503b444e2cc9",
      "21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a"}},
    {"version-3",
     {"44a242868d76127701607a01dccf8b31d6718541d1f83675c3a36fffcca3ba27abfe12bc67a7e958ec4b00325a035e71",
      "6cb91dbe90d5539ff085a69560a433ae6b6cb3791f10edb4a34ad26d183080a6c9292c3b8fd049ea03b0999731345388",
      "9f9c5755fbf90936b4a12e724e7c869ec47012e73c5a5cb36f8725c81a732a84995e15dacde3dd5d1876547ca22cf4c6"}},
    {"ramdisks-first",
     {"e4ed589c499c9bf54bd8dc389b76d244b958e872c3c10f7eb336842e5e7993638c49a0b8c54568d50884974308d15795",
      "44f6bd0e433fcd08d8272405d47a812f7e6d695e1a41f582d42531829f31e8c639ebf49fa65d10c85be494f266986d31",
      "535f5a8e0f110c548f56a1346b0ed667ae525e90e8050e60f3f4dc0c8e90240cb4e321ea9b4081a3b627a98fae4d4bca"}},
    {"kernel-last",
     {"5b17a536e397247c87aeb9d2d592c56e120d2960c42fe0cc6dfa9d0f8f1074cc1d915d146541e0cef345cfb09def073b",
      "6ec8379b38cadb1f5e3252d6cc262a2ca1d2da7524e924bb370f7729ad81e4ce59d1ec3ca0f82cdb167edd8029efb5c1",
      "4b5ce4abf391351c767ae9fd4a468c21fd28d27a23ab46fe2cce20dd34dfdd42e33c4da38045500dd0090e87719a39bd"}},
    {"almost-empty",
     {"9b7ff4732556e6f2fb147c5e0fd98968d319e699acba2cb9d39f285a6f634467b477f3a6c0132a697ebb8816d4cdc92a",
      "0560490a94c63c99432fee08202e90c35a15a08257f6957492dec6437b34db2c4c758ae3ba606c9c99e5261b0cf7bff1",
      "9eed943f3f0d3f6ebcd1106cb84302041d96e6188ac982fa5739be9f254df300a7dea2486831312a9dbb2b227aedc919"}},
    {"large",
     {"170e34d93f8de4718edda942e85ad48be228e24bb3e5ebb5a1a44ff6d9c3c177458c78bc00d4bdf4d8edbf5ba49c3d82",
      "170e34d93f8de4718edda942e85ad48be228e24bb3e5ebb5a1a44ff6d9c3c177458c78bc00d4bdf4d8edbf5ba49c3d82",
      "21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a"}},
    {"full-table",
     {"8a0274b26aba6b5ae763ff8ec7a6ce25382f8ee419b5a830cb4df3c46a342beaba3d7c55c4e349c0b41b04fe7b15f472",
      "c84a7a84ae4d96911cc1e37956e1be3371af47b401c22c8995211e195e296d00671e846802c37b5ffb356e8b73fb1877",
      "37d89e76bb7063012b93163e3101901e35ea31e2fc8c69681bc900d6078811de13dc27008f62302cfd1623beed829e1d"}},
};

struct fixture {
    struct eif_case eif;
    struct buf file;
};

static int fixture_new(void **state)
{
    struct fixture *fixture = mem_calloc(1, sizeof(*fixture));
    buf_init(&fixture->file, 2 * EIF_CASE_BYTES);
    *state = fixture;
    return 0;
}

static int fixture_free(void **state)
{
    struct fixture *fixture = *state;
    buf_done(&fixture->file);
    free(fixture);
    return 0;
}

static void write_case(struct fixture *fixture, const char *name)
{
    size_t i = 0;
    do
        eif_case_make(i, &fixture->eif);
    while (strcmp(fixture->eif.name, name) != 0 && ++i < eif_case_count());
    assert_string_equal(fixture->eif.name, name);
    buf_reset(&fixture->file);
    eif_write(&fixture->eif.image, &fixture->file);
}

static uint8_t *bytes_of(struct fixture *fixture)
{
    return (uint8_t *)fixture->file.data;
}

static int measure(const struct fixture *fixture, struct eif_measurement *ret, struct error *err)
{
    return eif_measure(fixture->file.data, fixture->file.len, ret, err);
}

static void assert_pcr(const char *name, int index, const uint8_t *pcr, const char *expected)
{
    char hex[2 * EIF_PCR_BYTES + 1];
    hex_encode(pcr, EIF_PCR_BYTES, hex);
    if (strcmp(hex, expected) != 0)
        fail_msg("%s: PCR%d is %s, not %s", name, index, hex, expected);
}

static void test_known_images(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ARRAY_LEN(known), eif_case_count());
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct eif_measurement found;
        struct error err;
        write_case(fixture, known[i].name);
        if (measure(fixture, &found, &err) < 0)
            fail_msg("%s: %s", known[i].name, err.text);
        assert_pcr(known[i].name, 0, found.pcr0, known[i].pcrs[0]);
        assert_pcr(known[i].name, 1, found.pcr1, known[i].pcrs[1]);
        assert_pcr(known[i].name, 2, found.pcr2, known[i].pcrs[2]);
        assert_int_equal(found.arch, fixture->eif.image.is_arm64 ? EIF_ARM64 : EIF_X86_64);
        assert_int_equal(found.version, fixture->eif.image.version);
        assert_int_equal(found.section_count, fixture->eif.image.part_count);
        assert_false(found.is_signed);
    }
}

static void test_header_fields(void **state)
{
    struct fixture *fixture = *state;
    struct eif_measurement found;
    write_case(fixture, "metadata");
    assert_int_equal(measure(fixture, &found, NULL), 0);
    assert_int_equal(found.default_memory_bytes, 1 << 30);
    assert_int_equal(found.default_cpus, 2);
    assert_int_equal(found.ramdisk_count, 2);
    assert_true(found.has_metadata);
    write_case(fixture, "full-table");
    assert_int_equal(measure(fixture, &found, NULL), 0);
    assert_int_equal(found.ramdisk_count, 30);
    assert_false(found.has_metadata);
}

/* Of two-ramdisks: parts of 100, 201, 302 and 403 bytes at 548, 660, 873 and 1187; the end is at 1602. The
 * table's offsets start at 28, its sizes at 284. */
static const struct {
    const char *name;
    struct {
        size_t at;
        const char *hex;
    } edits[2];
    const char *text;
} spoiled[] = {
    {"magic", {{0, "2f"}}, "does not start with '.eif'"},
    {"version 0", {{4, "0000"}}, "EIF version 0"},
    {"version 1, without CRC", {{4, "0001"}}, "EIF version 1,"},
    {"version 5", {{4, "0005"}}, "EIF version 5,"},
    {"version 1024", {{4, "0400"}}, "EIF version 1024,"},
    {"flag 1", {{6, "0002"}}, "flags 0x0002"},
    {"flag 15", {{6, "8001"}}, "flags 0x8001"},
    {"reserved", {{24, "0001"}}, "reserved field"},
    {"unused", {{540, "80000000"}}, "reserved field"},
    {"no section", {{26, "0000"}}, "0 sections"},
    {"33 sections", {{26, "0021"}}, "33 sections"},
    {"65535 sections", {{26, "ffff"}}, "65535 sections"},
    {"a section less", {{26, "0003"}}, "415 bytes after the last section, which ends at offset 1187"},
    {"a section more", {{26, "0005"}}, "section 4 at offset 1602: the file ends within its header"},
    {"offset 0",
     {{28, "0000000000000000"}},
     "section 0: the header puts it at offset 0, but it starts at 548"},
    {"offset in the header", {{28, "0000000000000223"}}, "section 0: the header puts it at offset 547"},
    {"overlap",
     {{36, "0000000000000293"}},
     "section 1: the header puts it at offset 659, but it starts at 660"},
    {"same place", {{36, "0000000000000224"}}, "section 1: the header puts it at offset 548"},
    {"gap", {{36, "0000000000000295"}}, "section 1: the header puts it at offset 661"},
    {"offset -1", {{52, "ffffffffffffffff"}}, "section 3: the header puts it at offset 18446744073709551615"},
    {"table size",
     {{292, "00000000000000c8"}},
     "section 1 (cmdline): 200 bytes by the header's table, but 201"},
    {"table size -1",
     {{284, "ffffffffffffffff"}},
     "section 0 (kernel): 18446744073709551615 bytes by the header"},
    {"size -1", {{1191, "ffffffffffffffff"}}, "18446744073709551615 bytes, but only 403 are left"},
    {"size that wraps",
     {{552, "fffffffffffffff4"}},
     "section 0 (kernel) at offset 548: 18446744073709551604"},
    {"size 2^63",
     {{877, "8000000000000000"}},
     "section 2 (ramdisk) at offset 873: 9223372036854775808 bytes"},
    {"size 2^32 + right", {{552, "0000000100000064"}}, "section 0 (kernel) at offset 548: 4294967396 bytes"},
    {"a byte too many",
     {{1191, "0000000000000194"}, {308, "0000000000000194"}},
     "404 bytes, but only 403 are left"},
    {"a byte too few",
     {{1191, "0000000000000192"}, {308, "0000000000000192"}},
     "1 bytes after the last section"},
    {"type 0", {{548, "0000"}}, "section 0 at offset 548: unknown type 0"},
    {"type 6", {{660, "0006"}}, "section 1 at offset 660: unknown type 6"},
    {"type 256 + 1", {{548, "0101"}}, "section 0 at offset 548: unknown type 257"},
    {"section flags", {{875, "0100"}}, "section 2 (ramdisk) at offset 873: flags 0x0100"},
    {"two kernels", {{873, "0001"}}, "2 sections of type kernel, but an EIF has exactly one"},
    {"no kernel", {{548, "0005"}}, "0 sections of type kernel"},
    {"two command lines", {{1187, "0002"}}, "2 sections of type cmdline"},
    {"no command line", {{660, "0003"}}, "0 sections of type cmdline"},
    {"no ramdisk",
     {{873, "0004"}, {1187, "0005"}},
     "0 sections of type ramdisk, but an EIF has at least one"},
    {"entry 4 has an offset", {{60, "0000000000000642"}}, "entry 4, but there are 4 sections"},
    {"entry 31 has a size", {{532, "0000000000000001"}}, "entry 31, but there are 4 sections"},
};

static void test_spoiled_layout(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_LEN(spoiled); i++) {
        struct eif_measurement found;
        struct error err;
        write_case(fixture, "two-ramdisks");
        for (size_t k = 0; k < 2 && spoiled[i].edits[k].hex; k++) {
            const char *hex = spoiled[i].edits[k].hex;
            assert_int_equal(hex_decode(hex, bytes_of(fixture) + spoiled[i].edits[k].at, strlen(hex) / 2), 0);
        }
        eif_sum(fixture->file.data, fixture->file.len);
        if (measure(fixture, &found, &err) == 0)
            fail_msg("%s: accepted", spoiled[i].name);
        assert_int_equal(err.kind, ERROR_INVALID);
        assert_string_equal(err.reason, "MalformedImage");
        if (!strstr(err.text, spoiled[i].text))
            fail_msg("%s: %s", spoiled[i].name, err.text);
    }
}

static void test_at_most_one(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum eif_part_type type;
        const char *text;
    } cases[] = {{EIF_PART_SIGNATURE, "2 sections of type signature, but an EIF has at most one"},
                 {EIF_PART_METADATA, "2 sections of type metadata, but an EIF has at most one"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct eif_measurement found;
        struct error err;
        write_case(fixture, "one-ramdisk");
        eif_add_part(&fixture->eif.image, cases[i].type, "{}", 2);
        eif_add_part(&fixture->eif.image, cases[i].type, "{}", 2);
        buf_reset(&fixture->file);
        eif_write(&fixture->eif.image, &fixture->file);
        assert_int_equal(measure(fixture, &found, &err), -1);
        assert_string_equal(err.text, cases[i].text);
    }
}

/* Exact heap copies, so that the address sanitizer sees a read past the end. */
static void test_every_truncation(void **state)
{
    struct fixture *fixture = *state;
    write_case(fixture, "metadata");
    for (size_t len = 0; len < fixture->file.len; len++) {
        struct eif_measurement found;
        struct error err;
        CLEANUP(freep) uint8_t *copy = len ? mem_dup(fixture->file.data, len) : mem_alloc(1);
        if (eif_measure(copy, len, &found, &err) == 0)
            fail_msg("%zu bytes were accepted", len);
        assert_string_equal(err.reason, "MalformedImage");
    }
}

static void test_trailing_byte(void **state)
{
    struct fixture *fixture = *state;
    struct eif_measurement found;
    struct error err;
    write_case(fixture, "metadata");
    buf_putc(&fixture->file, 0);
    eif_sum(fixture->file.data, fixture->file.len);
    assert_int_equal(measure(fixture, &found, &err), -1);
    assert_non_null(strstr(err.text, "1 bytes after the last section"));
}

static void test_every_byte_is_summed(void **state)
{
    struct fixture *fixture = *state;
    write_case(fixture, "metadata");
    for (size_t i = 0; i < fixture->file.len; i++) {
        struct eif_measurement found;
        struct error err;
        bytes_of(fixture)[i] ^= 0x10;
        if (measure(fixture, &found, &err) == 0)
            fail_msg("byte %zu may change", i);
        bytes_of(fixture)[i] ^= 0x10;
        bool is_layout = i < EIF_HEADER_BYTES - 4 && (i < 8 || i >= 24);
        if (!is_layout && i < EIF_HEADER_BYTES)
            assert_string_equal(err.reason, "DamagedImage");
    }
}

/* With the CRC made right again, a header bit either breaks the layout or changes no PCR. */
static void test_every_header_bit(void **state)
{
    struct fixture *fixture = *state;
    struct eif_measurement right, found;
    struct error err;
    write_case(fixture, "metadata");
    assert_int_equal(measure(fixture, &right, &err), 0);
    for (size_t bit = 0; bit < 8 * (EIF_HEADER_BYTES - 4); bit++) {
        uint8_t mask = (uint8_t)(1 << bit % 8);
        size_t at = bit / 8;
        bytes_of(fixture)[at] ^= mask;
        eif_sum(fixture->file.data, fixture->file.len);
        bool is_free = (at >= 8 && at < 24) || (at == 7 && mask == 1);
        if (measure(fixture, &found, &err) != (is_free ? 0 : -1))
            fail_msg("header byte %zu, mask %02x", at, mask);
        if (is_free)
            assert_memory_equal(found.pcr0, right.pcr0, EIF_PCR_BYTES);
        bytes_of(fixture)[at] ^= mask;
    }
}

/* Which PCRs differ between the two: bit n for PCRn. */
static unsigned changed(const struct eif_measurement *a, const struct eif_measurement *b)
{
    return (memcmp(a->pcr0, b->pcr0, EIF_PCR_BYTES) != 0 ? 1U : 0) |
           (memcmp(a->pcr1, b->pcr1, EIF_PCR_BYTES) != 0 ? 2U : 0) |
           (memcmp(a->pcr2, b->pcr2, EIF_PCR_BYTES) != 0 ? 4U : 0);
}

static void flip_part(struct fixture *fixture, const struct eif_measurement *right, size_t part,
                      unsigned expected)
{
    size_t start = eif_part_offset(&fixture->eif.image, part) + EIF_PART_HEADER_BYTES;
    for (size_t i = 0; i < fixture->eif.image.parts[part].len; i++) {
        struct eif_measurement found;
        struct error err;
        bytes_of(fixture)[start + i] ^= 1;
        eif_sum(fixture->file.data, fixture->file.len);
        assert_int_equal(measure(fixture, &found, &err), 0);
        if (changed(&found, right) != expected)
            fail_msg("part %zu, byte %zu: PCRs %x change", part, i, changed(&found, right));
        bytes_of(fixture)[start + i] ^= 1;
    }
}

static void test_every_measured_byte(void **state)
{
    struct fixture *fixture = *state;
    static const unsigned expected[] = {1 | 2, 1 | 2, 0, 1 | 2,
                                        1 | 4}; /* kernel, cmdline, metadata, ramdisks */
    struct eif_measurement right;
    write_case(fixture, "metadata");
    assert_int_equal(measure(fixture, &right, NULL), 0);
    for (size_t part = 0; part < ARRAY_LEN(expected); part++)
        flip_part(fixture, &right, part, expected[part]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_images),         cmocka_unit_test(test_header_fields),
        cmocka_unit_test(test_spoiled_layout),       cmocka_unit_test(test_at_most_one),
        cmocka_unit_test(test_every_truncation),     cmocka_unit_test(test_trailing_byte),
        cmocka_unit_test(test_every_byte_is_summed), cmocka_unit_test(test_every_header_bit),
        cmocka_unit_test(test_every_measured_byte),
    };
    return cmocka_run_group_tests(tests, fixture_new, fixture_free);
}
