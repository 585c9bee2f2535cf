/* The tables. */
#include "nitro/ec2_error.h"

#include "base/cleanup.h"

#include <string.h>

static const struct {
    const char *code;
    enum ec2_class class;
} codes[] = {
    {"BandwidthLimitExceeded", EC2_CLASS_THROTTLE},
    {"EC2ThrottledException", EC2_CLASS_THROTTLE},
    {"PriorRequestNotComplete", EC2_CLASS_THROTTLE},
    {"RequestLimitExceeded", EC2_CLASS_THROTTLE},
    {"RequestThrottled", EC2_CLASS_THROTTLE},
    {"RequestThrottledException", EC2_CLASS_THROTTLE},
    {"SlowDown", EC2_CLASS_THROTTLE},
    {"ThrottledException", EC2_CLASS_THROTTLE},
    {"Throttling", EC2_CLASS_THROTTLE},
    {"ThrottlingException", EC2_CLASS_THROTTLE},
    {"TooManyRequestsException", EC2_CLASS_THROTTLE},

    {"IDPCommunicationError", EC2_CLASS_TRANSIENT},
    {"InternalError", EC2_CLASS_TRANSIENT},
    {"InternalFailure", EC2_CLASS_TRANSIENT},
    {"InvalidIdentityToken", EC2_CLASS_TRANSIENT}, /* STS could not fetch the keys of the token's issuer */
    {"RequestTimeout", EC2_CLASS_TRANSIENT},
    {"RequestTimeoutException", EC2_CLASS_TRANSIENT},
    {"ServerInternal", EC2_CLASS_TRANSIENT},
    {"ServiceUnavailable", EC2_CLASS_TRANSIENT},
    {"Unavailable", EC2_CLASS_TRANSIENT},

    {"InsufficientCapacity", EC2_CLASS_CAPACITY},
    {"InsufficientCapacityOnHost", EC2_CLASS_CAPACITY},
    {"InsufficientFreeAddressesInSubnet", EC2_CLASS_CAPACITY},
    {"InsufficientHostCapacity", EC2_CLASS_CAPACITY},
    {"InsufficientInstanceCapacity", EC2_CLASS_CAPACITY},
    {"InsufficientReservedInstanceCapacity", EC2_CLASS_CAPACITY},
    {"MaxSpotInstanceCountExceeded", EC2_CLASS_CAPACITY},
    {"ReservationCapacityExceeded", EC2_CLASS_CAPACITY},
    {"SpotMaxPriceTooLow", EC2_CLASS_CAPACITY},
    {"UnfulfillableCapacity", EC2_CLASS_CAPACITY},
    {"Unsupported", EC2_CLASS_CAPACITY}, /* the type is not offered in that zone */

    {"InstanceLimitExceeded", EC2_CLASS_QUOTA},
    {"MaxIOPSLimitExceeded", EC2_CLASS_QUOTA},
    {"NetworkInterfaceLimitExceeded", EC2_CLASS_QUOTA},
    {"PrivateIpAddressLimitExceeded", EC2_CLASS_QUOTA},
    {"TagLimitExceeded", EC2_CLASS_QUOTA},
    {"VcpuLimitExceeded", EC2_CLASS_QUOTA},
    {"VolumeLimitExceeded", EC2_CLASS_QUOTA},

    {"AccessDenied", EC2_CLASS_PERMISSION},
    {"AccessDeniedException", EC2_CLASS_PERMISSION},
    {"AuthFailure.ServiceLinkedRoleCreationNotPermitted", EC2_CLASS_PERMISSION},
    {"Blocked", EC2_CLASS_PERMISSION},
    {"OperationNotPermitted", EC2_CLASS_PERMISSION},
    {"OptInRequired", EC2_CLASS_PERMISSION},
    {"PendingVerification", EC2_CLASS_PERMISSION},
    {"UnauthorizedOperation", EC2_CLASS_PERMISSION},

    {"AuthFailure", EC2_CLASS_CREDENTIAL}, /* EC2 says so of keys that it does not know */
    {"ExpiredToken", EC2_CLASS_CREDENTIAL},
    {"ExpiredTokenException", EC2_CLASS_CREDENTIAL},
    {"IncompleteSignature", EC2_CLASS_CREDENTIAL},
    {"InvalidClientTokenId", EC2_CLASS_CREDENTIAL},
    {"InvalidSecurity.RequestHasExpired", EC2_CLASS_CREDENTIAL},
    {"MissingAuthenticationToken", EC2_CLASS_CREDENTIAL},
    {"RequestExpired", EC2_CLASS_CREDENTIAL},
    {"RequestTimeTooSkewed", EC2_CLASS_CREDENTIAL},
    {"SignatureDoesNotMatch", EC2_CLASS_CREDENTIAL},

    {"InvalidInstanceID.NotFound", EC2_CLASS_ABSENT},

    {"ConcurrentTagAccess", EC2_CLASS_STATE},
    {"IncorrectInstanceState", EC2_CLASS_STATE},
    {"IncorrectState", EC2_CLASS_STATE},
    {"InvalidState", EC2_CLASS_STATE},

    {"IdempotentInstanceTerminated", EC2_CLASS_IDEMPOTENCY},
    {"IdempotentParameterMismatch", EC2_CLASS_IDEMPOTENCY},
    {"InvalidClientToken", EC2_CLASS_IDEMPOTENCY},

    {"InvalidAMIID.Unavailable", EC2_CLASS_SPEC},
    {"InvalidBlockDeviceMapping", EC2_CLASS_SPEC},
    {"InvalidInstanceType", EC2_CLASS_SPEC},
    {"InvalidParameter", EC2_CLASS_SPEC},
    {"InvalidParameterCombination", EC2_CLASS_SPEC},
    {"InvalidParameterDependency", EC2_CLASS_SPEC},
    {"InvalidParameterValue", EC2_CLASS_SPEC},
    {"MissingParameter", EC2_CLASS_SPEC},
    {"TagPolicyViolation", EC2_CLASS_SPEC},
    {"UnknownParameter", EC2_CLASS_SPEC},
    {"UnsupportedOperation", EC2_CLASS_SPEC},
    {"UnsupportedTenancy", EC2_CLASS_SPEC},
    {"VPCIdNotSpecified", EC2_CLASS_SPEC},
    {"ValidationError", EC2_CLASS_SPEC},

    {"FilterLimitExceeded", EC2_CLASS_PAGING},
    {"InvalidFilter", EC2_CLASS_PAGING},
    {"InvalidMaxResults", EC2_CLASS_PAGING},
    {"InvalidNextToken", EC2_CLASS_PAGING},
    {"InvalidPaginationToken", EC2_CLASS_PAGING},
};

static const struct {
    const char *ending;
    enum ec2_class class;
} endings[] = {
    {".NotFound", EC2_CLASS_SPEC}, /* an AMI, subnet, group or key that the spec names */
    {".Malformed", EC2_CLASS_SPEC},
    {"LimitExceeded", EC2_CLASS_QUOTA},
};

static const enum error_kind kinds[] = {
    [EC2_CLASS_UNKNOWN] = ERROR_INVALID,       [EC2_CLASS_THROTTLE] = ERROR_THROTTLED,
    [EC2_CLASS_TRANSIENT] = ERROR_UNAVAILABLE, [EC2_CLASS_CAPACITY] = ERROR_CAPACITY,
    [EC2_CLASS_QUOTA] = ERROR_QUOTA,           [EC2_CLASS_PERMISSION] = ERROR_DENIED,
    [EC2_CLASS_CREDENTIAL] = ERROR_DENIED,     [EC2_CLASS_ABSENT] = ERROR_ABSENT,
    [EC2_CLASS_STATE] = ERROR_CONFLICT,        [EC2_CLASS_IDEMPOTENCY] = ERROR_CONFLICT,
    [EC2_CLASS_SPEC] = ERROR_INVALID,          [EC2_CLASS_PAGING] = ERROR_CONFLICT,
};

static enum ec2_class class_of_status(const struct ec2_fault *fault, long status)
{
    if (status == 429)
        return EC2_CLASS_THROTTLE;
    if (status >= 500 || fault->code[0] == '\0')
        return EC2_CLASS_TRANSIENT; /* without a code it was not EC2 that spoke, but something on the way */
    if (status == 401 || status == 403)
        return EC2_CLASS_PERMISSION;
    return EC2_CLASS_UNKNOWN;
}

enum ec2_class ec2_error_class(const struct ec2_fault *fault, long status)
{
    size_t len = strlen(fault->code);
    /* A profile made seconds ago is not known everywhere yet: slowly again, the request is right. */
    if (strcmp(fault->code, "InvalidParameterValue") == 0 &&
        strstr(fault->message, "Invalid IAM Instance Profile"))
        return EC2_CLASS_PERMISSION;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (strcmp(fault->code, codes[i].code) == 0)
            return codes[i].class;
    }
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        size_t ending_len = strlen(endings[i].ending);
        if (len > ending_len && strcmp(fault->code + len - ending_len, endings[i].ending) == 0)
            return endings[i].class;
    }
    return class_of_status(fault, status);
}

int ec2_error_set(struct error *err, const char *action, const struct ec2_fault *fault, long status)
{
    enum error_kind kind = kinds[ec2_error_class(fault, status)];
    if (fault->code[0] == '\0')
        return error_set(err, kind, "UnexpectedAnswer", "%s: HTTP status %ld without an error code", action,
                         status);
    return error_set(err, kind, fault->code, "%s: %s: %s", action, fault->code, fault->message);
}
