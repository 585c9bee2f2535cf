/* ec2_error: what an error code of EC2 or STS means.
 *
 * Model: PURE. One table leads from the code to a class, another from the class to the kind the rest of the
 * program knows. The code decides before the HTTP status does: a lack of capacity comes as a 500. Codes that
 * are in no table are judged by their ending, then by the status. Threads: any.   Ownership: values.
 * Limits: a code of 63, a message of 511 and an encoded part of 10240 bytes; longer ones are cut.
 * Errors: cannot fail; ec2_error_set() fills an error and yields -1. Its reason is EC2's code (31 bytes), its
 * text "Action: Code: message". */
#ifndef TEE_NITRO_EC2_ERROR_H
#define TEE_NITRO_EC2_ERROR_H

#include "base/error.h"

enum ec2_class {
    EC2_CLASS_UNKNOWN,
    EC2_CLASS_THROTTLE,
    EC2_CLASS_TRANSIENT,
    EC2_CLASS_CAPACITY,
    EC2_CLASS_QUOTA,
    EC2_CLASS_PERMISSION,
    EC2_CLASS_CREDENTIAL,
    EC2_CLASS_ABSENT, /* the instance acted upon is not there, or not yet */
    EC2_CLASS_STATE,
    EC2_CLASS_IDEMPOTENCY,
    EC2_CLASS_SPEC,
    EC2_CLASS_PAGING
};

/* As read from an error answer; code "" = the body named none. */
struct ec2_fault {
    char code[64];
    char message[512];   /* without the encoded part */
    char encoded[10241]; /* of a refusal by IAM: for sts_denial.h; "" = none */
};

enum ec2_class ec2_error_class(const struct ec2_fault *fault, long status);
int ec2_error_set(struct error *err, const char *action, const struct ec2_fault *fault, long status);

#endif
