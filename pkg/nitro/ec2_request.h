/* ec2_request: the form bodies of the EC2 Query protocol, version 2016-11-15.
 *
 * Model: PURE. Each function yields the whole body of one POST. Lists are flat (Key.1, Key.2), blobs base64,
 * everything but unreserved characters is percent-encoded, and the same input yields the same bytes: a repeat
 * under a ClientToken must not differ. A launch is always exactly one instance, with enclaves enabled, IMDSv2
 * required and one hop: no container on the host can ask for the keys of its role.
 * Threads: any.   Ownership: inputs are borrowed; the caller frees the body.
 * Limits: EC2's own: 1000 ids, 50 filters of 200 values of 255 bytes, 50 tags (key 128, value 256), 16 KiB of
 * user data, 64 bytes of token, 100 instance types; of subnets 16. Errors: ERROR_INVALID. */
#ifndef TEE_NITRO_EC2_REQUEST_H
#define TEE_NITRO_EC2_REQUEST_H

#include "base/cleanup.h"
#include "base/error.h"
#include "nitro/ec2_ask.h"

enum ec2_verb { EC2_START, EC2_STOP, EC2_TERMINATE };

/* "StartInstances" and so on. */
const char *ec2_verb_action(enum ec2_verb verb);

MUST_CHECK int ec2_request_run(const struct ec2_launch *launch, char **ret_body, struct error *err);
/* next_token: of the page before, or NULL. */
MUST_CHECK int ec2_request_describe(const struct ec2_query *query, const char *next_token, char **ret_body,
                                    struct error *err);
/* DescribeInstanceStatus: by filters, of running instances. */
MUST_CHECK int ec2_request_describe_status(const struct ec2_query *query, const char *next_token,
                                           char **ret_body, struct error *err);
MUST_CHECK int ec2_request_change(enum ec2_verb verb, const char *const *ids, size_t id_count,
                                  char **ret_body, struct error *err);
/* The newest output: instances that can have enclaves are all of a kind that gives it while it runs. */
MUST_CHECK int ec2_request_console(const char *id, char **ret_body, struct error *err);
MUST_CHECK int ec2_request_create_tags(const char *id, const struct ec2_tag *tags, size_t tag_count,
                                       char **ret_body, struct error *err);
MUST_CHECK int ec2_request_describe_image(const char *id, char **ret_body, struct error *err);
MUST_CHECK int ec2_request_describe_subnets(const char *const *ids, size_t id_count, char **ret_body,
                                            struct error *err);
MUST_CHECK int ec2_request_describe_types(const char *const *types, size_t type_count, char **ret_body,
                                          struct error *err);

#endif
