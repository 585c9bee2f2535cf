/* sts: roles taken on from the Security Token Service.
 *
 * Model: one blocking call for the two actions: with a web identity token the request is unsigned, with base
 * keys it is signed (service "sts"). The endpoint is regional unless AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL
 * names one. A throttle, a 5xx, IDPCommunicationError, InvalidIdentityToken or a broken connection is tried
 * again, at most twice; a clock that is off by AWS's own is corrected, and the call repeated once. Threads:
 * any. Ownership: everything is borrowed; the caller gets a reference.   Limits: 2 s to connect, 5 s a try,
 * 10 KiB an answer; role ARN 20 to 2048, session name 2 to 64 of [A-Za-z0-9_+=,.@-], token 4 to 20,000,
 * external id 2 to 1224, duration 900 to 43,200 s. Errors: ERROR_INVALID (BadRole, NoRegion), those of
 * ec2_error.h and http/client.h, and ERROR_UNAVAILABLE (StsFailed) for an answer that makes no sense. */
#ifndef TEE_NITRO_STS_H
#define TEE_NITRO_STS_H

#include "nitro/credentials.h"

struct sts_role {
    const char *arn;
    const char *session_name;    /* NULL: one that names this program and the time */
    const char *external_id;     /* or NULL; not with a web identity */
    const struct secret *token;  /* of a web identity, or NULL */
    const struct aws_keys *base; /* what signs, where there is no token */
    const char *provider;        /* of the identity */
    const char *region;          /* NULL: the configuration's, else the metadata service's */
    int duration_s;              /* 0: the role's default */
};

MUST_CHECK int sts_assume(const struct aws_credentials_options *options, const struct sts_role *role,
                          struct aws_identity **ret_identity, struct error *err);

#endif
