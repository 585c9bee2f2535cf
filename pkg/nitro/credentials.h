/* credentials: whose keys sign our requests, always fresh.
 *
 * Model: a table of providers is tried in order: env (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
 * AWS_SESSION_TOKEN, AWS_CREDENTIAL_EXPIRATION), web identity (AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN),
 * container (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI), the profile of the files, then the role of
 * the instance by way of the metadata service. The first whose inputs exist decides, also by failing; each
 * provider has a file, credentials_<name>.c. The result is kept until about 15 minutes
 * before it expires (half of its life if that is shorter); then the next caller fetches while all others go
 * on with the old one, which is given out until it has really expired. Only where nothing usable is left do
 * callers wait, for the one fetch under way, and share its failure. After a failed fetch the next is made 5 s
 * later, then after 10, 20, 40 and each 60 s; until then callers go on with the old ones, also with those
 * that AWS refused, and where there are none they are answered with the failure. Threads: any. No lock is
 * held while the network is used. Ownership: options are borrowed and outlive the object; an identity is
 * counted, aws_identity_unref(). Limits: access key 128, secret 256, token 16384 bytes, printable ASCII
 * without spaces. Keys without an end that come from a file or a process are read anew every 15 minutes. Keys
 * that the metadata service hands out although they have expired are used, and asked for again in 10 to 15
 * minutes. Errors: ERROR_DENIED (NoCredentials, NoInstanceRole, CredentialsExpired, CredentialsRefused,
 * ContainerRefused), ERROR_INVALID (BadEnvironment, BadTokenFile, BadProfile, BadProcess), ERROR_UNAVAILABLE
 * (ContainerFailed), and those of imds.h, sts.h and base/file.h. */
#ifndef TEE_NITRO_CREDENTIALS_H
#define TEE_NITRO_CREDENTIALS_H

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/ref.h"
#include "base/thread.h"
#include "nitro/aws_config.h"
#include "nitro/sigv4.h"
#include "nitro/skew.h"

struct aws_credentials;
struct http_client;
struct http_request;
struct http_response;

/* As http_perform(). */
typedef int aws_exchange(void *ctx, struct http_client *client, const struct http_request *request,
                         struct http_response *ret_response, struct error *err);

/* Immutable. */
struct aws_identity {
    struct ref ref;
    struct aws_keys keys;
    int64_t expires_ms;   /* Unix time; 0 = never */
    const char *provider; /* "env", "web-identity", "container", "profile", "process" or "imds" */
};

struct aws_credentials_options {
    const struct environment *environment;
    const struct aws_config *config;
    const struct clock *clock;
    struct stop *stop;      /* or NULL */
    struct aws_skew *skew;  /* NULL: the object's own */
    aws_exchange *exchange; /* NULL: http_perform(); tests lead addresses of AWS to a server of theirs */
    void *exchange_ctx;
    /* Or NULL: told which provider won, when that is another one than before; no lock is held. */
    void (*on_provider)(void *ctx, const char *provider);
    /* Or NULL: told of each fetch that failed; no lock is held. */
    void (*on_failure)(void *ctx, const struct error *failure);
    void *callback_ctx;
};

struct aws_credentials *aws_credentials_new(const struct aws_credentials_options *options);
struct aws_credentials *aws_credentials_free(struct aws_credentials *credentials);
/* May block for a few seconds where nothing usable is at hand. */
MUST_CHECK int aws_credentials_get(struct aws_credentials *credentials, struct aws_identity **ret_identity,
                                   struct error *err);
/* What is kept, be it old; NULL before the first success. Never fetches. */
struct aws_identity *aws_credentials_peek(struct aws_credentials *credentials);
/* AWS refused this identity: the next get fetches, unless a fetch failed just now. Does nothing if another
 * one took its place meanwhile. The caller bounds how often. */
void aws_credentials_refuse(struct aws_credentials *credentials, const struct aws_identity *refused);

/* Of requests to AWS; all that sign share it. */
struct aws_skew *aws_credentials_get_skew(struct aws_credentials *credentials);

void aws_identity_unref(struct aws_identity *identity);
void aws_identity_unrefp(struct aws_identity **identity); /* for CLEANUP */

#endif
