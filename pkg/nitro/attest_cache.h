/* attest_cache: CA certificates whose place under a trusted root has been verified before.
 *
 * Model: three of the five signatures behind a document are those of CAs, which stay the same for a day to
 * weeks. An entry says: the certificate at the end of this path was signed by the one before it, and so on up
 * to the root. Its name is the path itself, a digest over the root and every certificate down to this one,
 * byte by byte, so that a certificate is never found under another issuer. An entry says nothing of time:
 * validity, and what a certificate may do at its place in the chain, are checked at every use by
 * attest_chain.c. The entry that was not used for longest makes room for a new one. Threads: any; one mutex,
 * held for a look-up. Ownership: entries are copied in and out.   Limits: the given number of entries,
 * rounded up to a multiple of 8; about 400 bytes each. Errors: cannot fail. */
#ifndef TEE_NITRO_ATTEST_CACHE_H
#define TEE_NITRO_ATTEST_CACHE_H

#include "nitro/attest_cert.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ATTEST_PATH_BYTES = 32, ATTEST_CACHE_ENTRIES = 1024 };

struct attest_cache;

struct attest_cache *attest_cache_new(size_t max_entries);
struct attest_cache *attest_cache_free(struct attest_cache *cache);
bool attest_cache_get(struct attest_cache *cache, const uint8_t path[ATTEST_PATH_BYTES],
                      struct attest_cert *ret_cert);
void attest_cache_put(struct attest_cache *cache, const uint8_t path[ATTEST_PATH_BYTES],
                      const struct attest_cert *cert);

#endif
