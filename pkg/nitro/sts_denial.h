/* sts_denial: why IAM refused a request, in words.
 *
 * Model: a refusal by IAM carries its reasons in an encoded part (ec2_error.h), which STS decodes for those
 * who may call sts:DecodeAuthorizationMessage. sts_decode_denial() asks; sts_read_denial() is its pure part:
 * from the JSON document to the words that a person needs. Threads: any. Ownership: values. Limits: an answer
 * of 64 KiB; longer words are cut. Errors: those of ec2.h; ERROR_UNAVAILABLE (UnexpectedAnswer) for an answer
 * that names no action. */
#ifndef TEE_NITRO_STS_DENIAL_H
#define TEE_NITRO_STS_DENIAL_H

#include "nitro/ec2.h"

struct sts_denial {
    char action[128];    /* such as "ec2:RunInstances" */
    char resource[256];  /* ARN; "" = not said */
    char principal[256]; /* ARN; "" = not said */
    bool is_explicit;    /* a statement denies it; else none allows it */
};

/* sts: an ec2_new() whose endpoint and service are those of STS. */
MUST_CHECK int sts_decode_denial(struct ec2 *sts, const char *encoded, int64_t timeout_ms,
                                 struct sts_denial *ret_denial, struct error *err);
MUST_CHECK int sts_read_denial(const char *json, struct sts_denial *ret_denial, struct error *err);

#endif
