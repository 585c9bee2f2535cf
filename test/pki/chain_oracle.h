/* chain_oracle: a second opinion on certificates, from OpenSSL's own X.509 code.
 *
 * Model: pkg/nitro reads certificates and walks their chain itself. What it accepts, OpenSSL must accept too:
 * the tests and the fuzzers ask both. The other direction is not asked for, as ours is stricter by intent.
 * Threads: any. Ownership: spans are borrowed.   Limits: none.   Errors: false = OpenSSL does not accept it.
 */
#ifndef TEE_TEST_PKI_CHAIN_ORACLE_H
#define TEE_TEST_PKI_CHAIN_ORACLE_H

#include "pki/pki.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* der[0] is the root, the only one that is trusted; der[count - 1] the leaf; the rest helps to find the path.
 */
bool chain_oracle_accepts(const struct pki_span *der, size_t count, int64_t at_ms);

struct chain_oracle_cert {
    int64_t not_before_ms;
    int64_t not_after_ms;
    bool is_ca;
    long path_len; /* -1 = not given */
    bool may_sign_certificates;
    bool may_sign_data;
    uint8_t key[97]; /* uncompressed; all zero if it is not on P-384 */
    char cn[256];
};

/* False: not X.509, or bytes after it. What extensions beside the ones read here hold is not looked at. */
bool chain_oracle_read(struct pki_span der, struct chain_oracle_cert *ret_cert);

#endif
