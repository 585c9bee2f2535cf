/* fnv: a 32-bit hash of text, to notice that something is another; it withstands nobody.
 *
 * Model: FNV-1a (draft-eastlake-fnv): start with FNV32_START and pass each text's result on to the next. A
 * text is followed by one byte of zero, so that "ab","c" and "a","bc" differ. PURE. Threads: any. Ownership:
 * none. Limits: none.   Errors: none. */
#ifndef TEE_BASE_FNV_H
#define TEE_BASE_FNV_H

#include <stdint.h>

#define FNV32_START UINT32_C(2166136261)

static inline uint32_t fnv32(uint32_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT32_C(16777619);
    return hash * UINT32_C(16777619);
}

/* Of a tag or a label. */
static inline uint32_t fnv32_pair(const char *key, const char *value)
{
    return fnv32(fnv32(FNV32_START, key), value);
}

#endif
