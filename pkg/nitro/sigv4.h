/* sigv4: AWS Signature Version 4 for one request.
 *
 * Model: PURE. A request, a set of keys and a scope (region, service, time) go in; out come the canonical
 * request, the string to sign, the signature and the values of the headers x-amz-date and Authorization. All
 * given headers are signed. x-amz-date, and x-amz-security-token where the keys have a token, are signed as
 * well and need not be given; the sender adds them to what it sends. The path is taken before escaping and is
 * normalised unless the request says otherwise; %XX in the query is kept as it is. A server checks a
 * signature by signing what it received and comparing in constant time.
 * Threads: any.   Ownership: inputs are borrowed; sigv4_signature_done() wipes and frees the result.
 * Limits: 32 headers, 64 query parameters, 64 KiB of canonical request, years 1970 to 9999.
 * Errors: ERROR_INVALID (SignFailed) past a limit. */
#ifndef TEE_NITRO_SIGV4_H
#define TEE_NITRO_SIGV4_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIGV4_DATE_SIZE = 17, SIGV4_SIGNATURE_SIZE = 65 };

/* Borrowed. The id is no secret: it stands in every request. */
struct aws_keys {
    const char *access_key_id;
    const struct secret *secret_access_key;
    const struct secret *session_token; /* NULL: none */
};

struct sigv4_header {
    const char *name;
    const char *value;
};

struct sigv4_request {
    const char *method;
    const char *path;  /* "/" if nothing else */
    const char *query; /* without '?'; NULL or "" if none */
    const struct sigv4_header *headers;
    size_t header_count;
    const void *body;
    size_t body_len;
    const char *payload_hash; /* hex SHA-256 of the body; NULL: computed here */
    bool keep_path;           /* dots and double slashes stay */
};

struct sigv4_scope {
    const char *region;
    const char *service;
    int64_t wall_ms;
};

struct sigv4_signature {
    char date[SIGV4_DATE_SIZE];           /* 20260102T030405Z, for x-amz-date */
    char signature[SIGV4_SIGNATURE_SIZE]; /* lower-case hex */
    struct secret *authorization;         /* for Authorization */
    struct secret *canonical_request;     /* holds the session token */
    char *string_to_sign;
};

MUST_CHECK int sigv4_sign(const struct sigv4_request *request, const struct aws_keys *keys,
                          const struct sigv4_scope *scope, struct sigv4_signature *ret_signature,
                          struct error *err);
void sigv4_signature_done(struct sigv4_signature *signature);

#endif
