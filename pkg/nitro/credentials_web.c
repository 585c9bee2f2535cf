/* A pod's own token (IAM roles for service accounts) is changed for keys. */
#include "base/mem.h"
#include "nitro/credentials_source.h"
#include "nitro/sts.h"

int credentials_from_web(const struct aws_credentials_options *options, struct aws_identity **ret_identity,
                         struct error *err)
{
    static const char variable[] = "AWS_WEB_IDENTITY_TOKEN_FILE";
    CLEANUP(freep) char *path = credentials_copy_variable(options, variable);
    CLEANUP(freep) char *arn = credentials_copy_variable(options, "AWS_ROLE_ARN");
    CLEANUP(freep) char *name = credentials_copy_variable(options, "AWS_ROLE_SESSION_NAME");
    CLEANUP(secret_freep) struct secret *token = NULL;
    *ret_identity = NULL;
    if (!path)
        return 0; /* AWS_ROLE_ARN alone means nothing */
    if (!arn)
        return error_set(err, ERROR_INVALID, "BadEnvironment",
                         "AWS_WEB_IDENTITY_TOKEN_FILE is set: AWS_ROLE_ARN must be set as well");
    if (credentials_read_token(path, variable, &token, err) < 0)
        return -1;
    const struct sts_role role = {
        .arn = arn, .session_name = name, .token = token, .provider = "web-identity"};
    return sts_assume(options, &role, ret_identity, err);
}
