/* One call, whose answer holds a JSON document as text. */
#include "nitro/sts_denial.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/url.h"
#include "nitro/ec2_call.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 64 * 1024 };

static void decrefp(json_t **json)
{
    json_decref(*json);
}

int sts_read_denial(const char *json, struct sts_denial *ret_denial, struct error *err)
{
    const char *action = NULL;
    const char *resource = "";
    const char *principal = "";
    int is_explicit = 0;
    CLEANUP(decrefp) json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    json_unpack(root, "{s?b}", "explicitDeny", &is_explicit);
    json_unpack(root, "{s:{s?s, s?s, s?{s?s}}}", "context", "action", &action, "resource", &resource,
                "principal", "arn", &principal);
    if (!action)
        return error_set(err, ERROR_UNAVAILABLE, "UnexpectedAnswer",
                         "DecodeAuthorizationMessage: the decoded message names no action");
    *ret_denial = (struct sts_denial){.is_explicit = is_explicit != 0};
    snprintf(ret_denial->action, sizeof(ret_denial->action), "%s", action);
    snprintf(ret_denial->resource, sizeof(ret_denial->resource), "%s", resource);
    snprintf(ret_denial->principal, sizeof(ret_denial->principal), "%s", principal);
    return 0;
}

struct taken {
    struct sts_denial *denial;
    bool has_one;
};

static int take(void *ctx, const char *text, struct error *err)
{
    struct taken *taken = ctx;
    taken->has_one = true;
    return sts_read_denial(text, taken->denial, err);
}

int sts_decode_denial(struct ec2 *sts, const char *encoded, int64_t timeout_ms, struct sts_denial *ret_denial,
                      struct error *err)
{
    CLEANUP(buf_done) struct buf body;
    struct ec2_call call;
    struct taken taken = {.denial = ret_denial};
    buf_init(&body, BODY_MAX);
    buf_puts(&body, "Action=DecodeAuthorizationMessage&Version=2011-06-15&EncodedMessage=");
    url_put_encoded(&body, encoded);
    if (!buf_is_ok(&body))
        return error_set(err, ERROR_INVALID, "Invalid", "the encoded message is too long");
    ec2_call_init(&call, sts, "DecodeAuthorizationMessage", timeout_ms);
    call.is_single = true;
    call.body = buf_text(&body);
    call.handler = (struct ec2_handler){.ctx = &taken, .on_text = take};
    int result = ec2_call_perform(&call, err);
    ec2_call_done(&call);
    if (result == 0 && !taken.has_one)
        return error_set(err, ERROR_UNAVAILABLE, "UnexpectedAnswer",
                         "DecodeAuthorizationMessage: the answer holds no message");
    return result;
}
