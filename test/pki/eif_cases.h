/* eif_cases: small image files of every form, the same on every machine.
 *
 * Model: eif_case_make() fills in one of eif_case_count() images, whose parts are pseudo-random bytes. The
 * unit tests hold what each measures to as constants, computed by AWS's own library, and hack/eif-parity.sh
 * compares the two anew; the fuzz corpus starts from the same files. Threads: any.   Ownership: the parts lie
 * in the caller's struct.   Limits: EIF_CASE_BYTES.   Errors: abort, as this is test code. */
#ifndef TEE_TEST_PKI_EIF_CASES_H
#define TEE_TEST_PKI_EIF_CASES_H

#include "pki/eif_writer.h"

enum { EIF_CASE_BYTES = 256 << 10 };

/* Too large for a stack. */
struct eif_case {
    const char *name;
    struct eif_image image;
    uint8_t bytes[EIF_CASE_BYTES];
};

size_t eif_case_count(void);
void eif_case_make(size_t index, struct eif_case *ret_case);

#endif
