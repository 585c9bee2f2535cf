/* The keys themselves stand in variables. */
#include "base/mem.h"
#include "nitro/credentials_source.h"

static struct secret *copy_token(const struct aws_credentials_options *options)
{
    struct secret *token = credentials_copy_secret(options, "AWS_SESSION_TOKEN");
    return token ? token : credentials_copy_secret(options, "AWS_SECURITY_TOKEN"); /* its old name */
}

int credentials_from_env(const struct aws_credentials_options *options, struct aws_identity **ret_identity,
                         struct error *err)
{
    CLEANUP(freep) char *access = credentials_copy_variable(options, "AWS_ACCESS_KEY_ID");
    CLEANUP(secret_freep) struct secret *secret = credentials_copy_secret(options, "AWS_SECRET_ACCESS_KEY");
    CLEANUP(secret_freep) struct secret *token = copy_token(options);
    CLEANUP(freep) char *expiration = credentials_copy_variable(options, "AWS_CREDENTIAL_EXPIRATION");
    const struct identity_claim claim = {.keys = {access, secret, token},
                                         .expiration = expiration,
                                         .may_last = true,
                                         .provider = "env",
                                         .reason = "BadEnvironment",
                                         .kind = ERROR_INVALID};
    *ret_identity = NULL;
    if (!access && !secret)
        return 0;
    if (!access || !secret)
        return error_set(err, ERROR_INVALID, "BadEnvironment",
                         "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together");
    return identity_accept(options, &claim, ret_identity, err);
}
