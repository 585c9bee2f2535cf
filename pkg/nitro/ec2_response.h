/* ec2_response: what EC2 answers, record by record while the bytes arrive.
 *
 * Model: PURE. A response is made for one action and fed in pieces; each finished instance, state change,
 * instance type, image, subnet or status goes to its handler at once, so that a page of megabytes needs the
 * memory of one record. Elements are matched by their local names and in any order; unknown ones are ignored.
 * The same parser reads error answers, under both of the roots that AWS uses; then ec2_response_fault() has
 * the code. Threads: none.   Ownership: a handler may take strings out of an instance by setting them to
 * NULL; the rest is released after the call. Limits: xml.h's. Errors: xml.h's, and ERROR_UNAVAILABLE
 * (UnexpectedAnswer) for an answer of another kind or a record without id or state. What a handler returns is
 * passed on. */
#ifndef TEE_NITRO_EC2_RESPONSE_H
#define TEE_NITRO_EC2_RESPONSE_H

#include "base/cleanup.h"
#include "base/error.h"
#include "nitro/ec2_error.h"
#include "nitro/ec2_types.h"

struct ec2_response;

/* Any may be NULL; -1 with err filled ends the parsing. */
struct ec2_handler {
    void *ctx;
    int (*on_instance)(void *ctx, struct ec2_instance *instance, struct error *err);
    int (*on_change)(void *ctx, const struct ec2_change *change, struct error *err);
    int (*on_type)(void *ctx, const struct ec2_type *type, struct error *err);
    int (*on_image)(void *ctx, const struct ec2_image *image, struct error *err);
    int (*on_subnet)(void *ctx, const struct ec2_subnet *subnet, struct error *err);
    int (*on_status)(void *ctx, const struct ec2_status *status, struct error *err);
    /* GetConsoleOutput's: base64, perhaps in lines; not called for a host that wrote nothing yet. */
    int (*on_output)(void *ctx, const char *base64, struct error *err);
    int (*on_text)(void *ctx, const char *text, struct error *err); /* DecodeAuthorizationMessage's */
};

/* action: such as "DescribeInstances"; a constant. */
struct ec2_response *ec2_response_new(const char *action, const struct ec2_handler *handler);
struct ec2_response *ec2_response_free(struct ec2_response *response);
/* An http_sink: ctx is the response. */
int ec2_response_sink(void *ctx, const char *data, size_t len, struct error *err);
/* The body of a 2xx answer is complete. */
MUST_CHECK int ec2_response_finish(struct ec2_response *response, struct error *err);
/* Borrowed; NULL on the last page. */
const char *ec2_response_next_token(const struct ec2_response *response);
/* Reads the body of an answer that was not 2xx; code "" if it is not an error of AWS. */
void ec2_response_read_fault(const char *body, size_t len, struct ec2_fault *ret_fault);

#endif
