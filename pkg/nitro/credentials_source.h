/* credentials_source: where keys come from; used by credentials.c only.
 *
 * Model: each function asks one provider once. *ret_identity is NULL where the provider has no inputs, and
 * the next one is to be asked. Threads: any.   Ownership: the caller gets a reference.   Limits and errors:
 * see credentials.h. */
#ifndef TEE_NITRO_CREDENTIALS_SOURCE_H
#define TEE_NITRO_CREDENTIALS_SOURCE_H

#include "nitro/credentials.h"

typedef int credentials_source(const struct aws_credentials_options *options,
                               struct aws_identity **ret_identity, struct error *err);

credentials_source credentials_from_env;
credentials_source credentials_from_imds;

#endif
