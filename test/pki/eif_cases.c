/* A part's bytes come from xorshift32 (Marsaglia, 2003) seeded by case and part, so that no two are alike. */
#include "pki/eif_cases.h"

#include "base/cleanup.h"
#include "pki/pki_cert.h"

#include <string.h>

/* Layout: k(ernel), c(mdline), r(amdisk), m(etadata). Part i of them has (i + 1) * unit + i bytes. */
static const struct {
    const char *name;
    const char *layout;
    size_t unit;
    uint16_t version;
    bool is_arm64;
} table[] = {
    {"one-ramdisk", "kcr", 100, 4, false},
    {"two-ramdisks", "kcrr", 100, 4, false},
    {"three-ramdisks", "kcrrr", 100, 4, false},
    {"metadata", "kcmrr", 100, 4, false}, /* the order of AWS's tools */
    {"arm64", "kcmrr", 64, 4, true},
    {"version-2", "kcr", 33, 2, false},
    {"version-3", "kcrr", 33, 3, false},
    {"ramdisks-first", "rrmkc", 50, 4, false},
    {"kernel-last", "rcrk", 50, 4, true},
    {"almost-empty", "kcrr", 0, 4, false}, /* a kernel of no bytes */
    {"large", "kcr", 40000, 4, false},     /* parts of more than 64 KiB */
    {"full-table", "kcrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr", 3, 4, false},
};

static const char metadata[] = "{\"ImageName\":\"case\",\"ImageVersion\":\"1\",\"BuildMetadata\":{"
                               "\"BuildTime\":\"2026-01-01T00:00:00Z\",\"BuildTool\":\"test\","
                               "\"BuildToolVersion\":\"0\",\"OperatingSystem\":\"Linux\","
                               "\"KernelVersion\":\"6.1\"},\"DockerInfo\":{},\"CustomMetadata\":{}}";

size_t eif_case_count(void)
{
    return ARRAY_LEN(table);
}

static void fill(uint8_t *bytes, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        bytes[i] = (uint8_t)(seed >> 24);
    }
}

static enum eif_part_type type_of(char letter)
{
    return letter == 'k'   ? EIF_PART_KERNEL
           : letter == 'c' ? EIF_PART_CMDLINE
           : letter == 'r' ? EIF_PART_RAMDISK
                           : EIF_PART_METADATA;
}

void eif_case_make(size_t index, struct eif_case *ret_case)
{
    const char *layout = table[index].layout;
    size_t used = 0;
    ret_case->name = table[index].name;
    ret_case->image = (struct eif_image){.version = table[index].version,
                                         .is_arm64 = table[index].is_arm64,
                                         .memory_bytes = UINT64_C(1) << 30,
                                         .cpus = 2};
    for (size_t i = 0; layout[i]; i++) {
        size_t len = (i + 1) * table[index].unit + i;
        if (layout[i] == 'm') {
            eif_add_part(&ret_case->image, EIF_PART_METADATA, metadata, strlen(metadata));
            continue;
        }
        pki_check(len <= EIF_CASE_BYTES - used, "eif_case_make");
        fill(ret_case->bytes + used, len, (uint32_t)(index * 64 + i + 1));
        eif_add_part(&ret_case->image, type_of(layout[i]), ret_case->bytes + used, len);
        used += len;
    }
}
