/* credentials_source: where keys come from; used by credentials*.c and their tests only.
 *
 * Model: each credentials_from_*() asks one provider once. *ret_identity is NULL where the provider has no
 * inputs, and the next one is to be asked. What a provider says is an identity_claim until identity_accept()
 * has looked at it: the values end up in headers.
 * Threads: any.   Ownership: the caller gets a reference; claims are borrowed.   Limits: see credentials.h;
 * a file of a token 20,000 bytes, an answer 10 KiB.   Errors: see credentials.h. */
#ifndef TEE_NITRO_CREDENTIALS_SOURCE_H
#define TEE_NITRO_CREDENTIALS_SOURCE_H

#include "base/buf.h"
#include "http/client.h"
#include "nitro/credentials.h"

typedef int credentials_source(const struct aws_credentials_options *options,
                               struct aws_identity **ret_identity, struct error *err);

credentials_source credentials_from_env;
credentials_source credentials_from_web;
credentials_source credentials_from_container;
credentials_source credentials_from_profile;
credentials_source credentials_from_imds;

enum { CREDENTIALS_ANSWER_MAX = 10 * 1024, CREDENTIALS_TOKEN_MAX = 20000 };

struct identity_claim {
    struct aws_keys keys;
    const char *expiration; /* RFC 3339, or NULL */
    bool may_last;          /* without an expiration it never ends; otherwise that is an error */
    bool may_be_over;       /* what has expired is used on, and asked for again in 10 to 15 minutes */
    const char *provider;   /* a constant; see struct aws_identity */
    const char *reason;     /* of the error, if something is wrong with it */
    enum error_kind kind;   /* likewise */
};

MUST_CHECK int identity_accept(const struct aws_credentials_options *options,
                               const struct identity_claim *claim, struct aws_identity **ret_identity,
                               struct error *err);
/* An object with Code (or code), AccessKeyId, SecretAccessKey, Token (or SessionToken), Expiration; what the
 * claim says of its provider stays. */
MUST_CHECK int identity_decode(const struct aws_credentials_options *options, const struct buf *text,
                               const struct identity_claim *claim, struct aws_identity **ret_identity,
                               struct error *err);

/* Our clock, corrected by what AWS says of it. */
int64_t credentials_now_ms(const struct aws_credentials_options *options);
/* As environment_find(), but a copy, blanks at the ends gone; NULL if nothing is left. The caller frees. */
char *credentials_copy_variable(const struct aws_credentials_options *options, const char *name);
struct secret *credentials_copy_secret(const struct aws_credentials_options *options, const char *name);
/* The first line of a file, blanks at its ends gone, printable ASCII without spaces; variable is for
 * messages. Read anew at each call, because these files are rotated. */
MUST_CHECK int credentials_read_token(const char *path, const char *variable, struct secret **ret_token,
                                      struct error *err);
/* http_perform() with a client of its own, or what the options name instead of it. */
MUST_CHECK int credentials_exchange(const struct aws_credentials_options *options,
                                    const struct http_request *request, struct http_response *ret_response,
                                    struct error *err);
/* True if the process is to stop. */
bool credentials_wait(const struct aws_credentials_options *options, int64_t wait_ms);

#endif
