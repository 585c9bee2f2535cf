/* eif: what a Nitro enclave image file (EIF) measures to, before it ever runs.
 *
 * Model: an EIF is a header of 548 bytes and up to 32 sections, one behind the other. PCR0 covers kernel,
 * command line and every ramdisk in the order of the file, PCR1 the same without the ramdisks after the
 * first, PCR2 those ramdisks, and PCR8 the certificate that signed the image. Each is SHA-384(48 zero bytes |
 * SHA-384(contents)), which is what an attestation document of the running enclave will hold. Contents alone
 * count: header, section headers, metadata and signature are unmeasured. The file is untrusted, and any
 * deviation from the form that AWS's tools write is refused, so that no two readers can see two images in
 * it. A signed image must carry a right signature of its PCR0, as nitro-cli asks; who may sign is not
 * decided here. Threads: any.   Ownership: nothing is kept of the input.   Limits: any size of file; memory
 * is constant.   Errors: INVALID with reason MalformedImage or DamagedImage (CRC);
 * UNTRUSTED for the signature, with a reason of cose.h. Format: aws-nitro-enclaves-image-format 0.8.1,
 * README.md and src/defs/mod.rs. */
#ifndef TEE_NITRO_EIF_H
#define TEE_NITRO_EIF_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EIF_PCR_BYTES = 48, EIF_SECTIONS_MAX = 32 };

enum eif_arch { EIF_X86_64, EIF_ARM64 };

struct eif_measurement {
    enum eif_arch arch;
    uint16_t version;              /* 2 to 4 */
    uint64_t default_memory_bytes; /* the header's wish; unmeasured, and nitro-cli ignores it */
    uint64_t default_cpus;         /* likewise */
    size_t section_count;
    size_t ramdisk_count; /* 1 or more; with 1, PCR2 is that of no bytes */
    bool has_metadata;
    uint8_t pcr0[EIF_PCR_BYTES];
    uint8_t pcr1[EIF_PCR_BYTES];
    uint8_t pcr2[EIF_PCR_BYTES];
    bool is_signed;              /* and the signature has been verified */
    uint8_t pcr8[EIF_PCR_BYTES]; /* zeros unless is_signed, as in the enclave */
    /* Of the signing certificate; nitro-cli refuses to run an image outside of them. 0 unless is_signed. */
    int64_t signer_not_before_ms;
    int64_t signer_not_after_ms;
};

/* Reads every byte of the file once. */
MUST_CHECK int eif_measure(const void *data, size_t len, struct eif_measurement *ret, struct error *err);

#endif
