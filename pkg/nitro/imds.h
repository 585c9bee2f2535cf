/* imds: reads from the instance metadata service, version 2.
 *
 * Model: a session starts with imds_open(), which asks for a token, and then reads paths. There is no way
 * back to version 1, no proxy; a 5xx is tried again at once, at most twice; each exchange has 1 s to connect
 * and 2 s in all. A session is short and is not kept. Threads: a session belongs to one.   Ownership:
 * endpoint and stop are borrowed until imds_done(), which wipes the token. Limits: 64 KiB an answer. Errors:
 * ERROR_UNAVAILABLE (MetadataFailed and those of http/client.h), ERROR_DENIED (MetadataRefused), ERROR_ABSENT
 * (MetadataAbsent: no such path), ERROR_STOPPED. */
#ifndef TEE_NITRO_IMDS_H
#define TEE_NITRO_IMDS_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/thread.h"

struct http_client;

struct imds {
    const char *endpoint;
    struct stop *stop; /* or NULL */
    struct http_client *client;
    struct secret *token_header; /* NULL until it was given */
};

/* On failure there is nothing to be released. */
MUST_CHECK int imds_open(const char *endpoint, struct stop *stop, struct imds *ret_imds, struct error *err);
/* *ret_text is new and never empty; buf_wipe() is for the caller. path begins with a slash. */
MUST_CHECK int imds_get(struct imds *imds, const char *path, struct buf *ret_text, struct error *err);
void imds_done(struct imds *imds);

/* In a session of its own; the caller frees. The answer has passed aws_region_is_valid(). */
MUST_CHECK int imds_fetch_region(const char *endpoint, struct stop *stop, char **ret_region,
                                 struct error *err);

#endif
