/* measurements: the block of expected PCRs that a person pastes under spec.attestation.
 *
 * Model: PURE. One set with one name; the PCRs are those that say which image runs: 0, 1, 2, and 8 where the
 * image is signed. Threads: none.   Ownership: the bufs are the caller's.   Limits: none.   Errors: sticky in
 * the buf. */
#ifndef TEE_KUBECTL_MEASUREMENTS_H
#define TEE_KUBECTL_MEASUREMENTS_H

#include "nitro/attest_policy.h"
#include "output.h"

enum { MEASUREMENTS_PCRS_MAX = 4, MEASUREMENTS_NAME_SIZE = 64 };

/* pcrs: MEASUREMENTS_PCRS_MAX of them; NULL or zeros are left out. */
void measurements_fill(const uint8_t *const values[MEASUREMENTS_PCRS_MAX],
                       struct attest_pcr ret_pcrs[MEASUREMENTS_PCRS_MAX], size_t *ret_count);
/* {"measurements":[{"name":...,"pcrs":[{"index":0,"sha384":...}]}]} */
void measurements_put_data(const char *name, const struct attest_pcr *pcrs, size_t count, struct buf *out);
/* "PCR0  hex", a line each. */
void measurements_put_text(const struct attest_pcr *pcrs, size_t count, struct buf *out);
/* A name that the CRD admits, out of any text: what it does not admit becomes '-'; "v1" if nothing is left.
 */
void measurements_make_name(const char *text, char ret_name[MEASUREMENTS_NAME_SIZE]);

#endif
