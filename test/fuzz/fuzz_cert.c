/* The certificate reader beside OpenSSL's: whatever ours accepts must be X.509 for OpenSSL too, and say the
 * same. */
#include "nitro/attest_cert.h"
#include "pki/chain_oracle.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

/* A point that is not on the curve is refused later, where the key is made; OpenSSL has none to show then. */
static void compare_key(const struct attest_cert *ours, const struct chain_oracle_cert *theirs)
{
    static const uint8_t none[P384_POINT_BYTES];
    EVP_PKEY *key = p384_key_new(ours->key);
    const uint8_t *expected = key ? ours->key : none;
    EVP_PKEY_free(key);
    require(memcmp(theirs->key, expected, P384_POINT_BYTES) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attest_span der = {data, size};
    struct attest_cert ours;
    struct attest_cert_link link;
    struct chain_oracle_cert theirs;
    const char *problem = NULL;
    if (attest_cert_parse(&der, &ours, &link, &problem) < 0) {
        require(problem != NULL);
        return 0;
    }
    require(chain_oracle_read((struct pki_span){data, size}, &theirs));
    require(ours.not_before_ms == theirs.not_before_ms && ours.not_after_ms == theirs.not_after_ms);
    require(ours.is_ca == theirs.is_ca && ours.path_len == theirs.path_len);
    require(ours.may_sign_certificates == theirs.may_sign_certificates);
    require(ours.may_sign_data == theirs.may_sign_data);
    require(strcmp(ours.cn, theirs.cn) == 0);
    compare_key(&ours, &theirs);
    return 0;
}
