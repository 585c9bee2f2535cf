/* Codes and statuses to classes and kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "nitro/ec2_error.h"

static const struct {
    const char *code;
    const char *message;
    long status;
    enum ec2_class class;
    enum error_kind kind;
} cases[] = {
    {"RequestLimitExceeded", "", 503, EC2_CLASS_THROTTLE, ERROR_THROTTLED},
    {"", "", 429, EC2_CLASS_THROTTLE, ERROR_THROTTLED},
    {"Whatever", "", 429, EC2_CLASS_THROTTLE, ERROR_THROTTLED},
    {"InternalError", "", 500, EC2_CLASS_TRANSIENT, ERROR_UNAVAILABLE},
    {"Unavailable", "", 503, EC2_CLASS_TRANSIENT, ERROR_UNAVAILABLE},
    {"NeverHeardOf", "", 502, EC2_CLASS_TRANSIENT, ERROR_UNAVAILABLE},
    {"", "", 503, EC2_CLASS_TRANSIENT, ERROR_UNAVAILABLE},
    {"InvalidIdentityToken", "", 400, EC2_CLASS_TRANSIENT, ERROR_UNAVAILABLE},
    {"IDPCommunicationError", "", 400, EC2_CLASS_TRANSIENT, ERROR_UNAVAILABLE},
    {"", "", 404, EC2_CLASS_TRANSIENT, ERROR_UNAVAILABLE},
    {"InsufficientInstanceCapacity", "", 500, EC2_CLASS_CAPACITY, ERROR_CAPACITY},
    {"Unsupported", "", 400, EC2_CLASS_CAPACITY, ERROR_CAPACITY},
    {"VcpuLimitExceeded", "", 400, EC2_CLASS_QUOTA, ERROR_QUOTA},
    {"SomethingNewLimitExceeded", "", 400, EC2_CLASS_QUOTA, ERROR_QUOTA},
    {"UnauthorizedOperation", "", 403, EC2_CLASS_PERMISSION, ERROR_DENIED},
    {"AuthFailure", "", 401, EC2_CLASS_CREDENTIAL, ERROR_DENIED},
    {"NeverHeardOf", "", 403, EC2_CLASS_PERMISSION, ERROR_DENIED},
    {"InvalidParameterValue", "Value (p) for parameter x is invalid. Invalid IAM Instance Profile name", 400,
     EC2_CLASS_PERMISSION, ERROR_DENIED},
    {"RequestExpired", "", 400, EC2_CLASS_CREDENTIAL, ERROR_DENIED},
    {"InvalidInstanceID.NotFound", "", 400, EC2_CLASS_ABSENT, ERROR_ABSENT},
    {"InvalidSubnetID.NotFound", "", 400, EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidAMIID.Malformed", "", 400, EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidUserData.Malformed", "", 400, EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidParameterValue", "no", 400, EC2_CLASS_SPEC, ERROR_INVALID},
    {"IncorrectInstanceState", "", 400, EC2_CLASS_STATE, ERROR_CONFLICT},
    {"IdempotentParameterMismatch", "", 400, EC2_CLASS_IDEMPOTENCY, ERROR_CONFLICT},
    {"IdempotentInstanceTerminated", "", 400, EC2_CLASS_IDEMPOTENCY, ERROR_CONFLICT},
    {"InvalidNextToken", "", 400, EC2_CLASS_PAGING, ERROR_CONFLICT},
    {"NeverHeardOf", "", 400, EC2_CLASS_UNKNOWN, ERROR_INVALID},
};

static void test_classes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ec2_fault fault;
        struct error err = {0};
        snprintf(fault.code, sizeof(fault.code), "%s", cases[i].code);
        snprintf(fault.message, sizeof(fault.message), "%s", cases[i].message);
        assert_int_equal(ec2_error_class(&fault, cases[i].status), cases[i].class);
        assert_int_equal(ec2_error_set(&err, "RunInstances", &fault, cases[i].status), -1);
        assert_int_equal(err.kind, cases[i].kind);
    }
}

/* Every code that EC2's page of error codes names and that a call of ours can meet. The status is one that
 * would mean something else: the code decides. */
static const struct {
    const char *code;
    enum ec2_class class;
    enum error_kind kind;
} published[] = {
    {"RequestLimitExceeded", EC2_CLASS_THROTTLE, ERROR_THROTTLED},
    {"EC2ThrottledException", EC2_CLASS_THROTTLE, ERROR_THROTTLED},
    {"Throttling", EC2_CLASS_THROTTLE, ERROR_THROTTLED},
    {"ThrottlingException", EC2_CLASS_THROTTLE, ERROR_THROTTLED},
    {"ThrottledException", EC2_CLASS_THROTTLE, ERROR_THROTTLED},
    {"RequestThrottled", EC2_CLASS_THROTTLE, ERROR_THROTTLED},
    {"RequestThrottledException", EC2_CLASS_THROTTLE, ERROR_THROTTLED},
    {"TooManyRequestsException", EC2_CLASS_THROTTLE, ERROR_THROTTLED},
    {"SlowDown", EC2_CLASS_THROTTLE, ERROR_THROTTLED},
    {"BandwidthLimitExceeded", EC2_CLASS_THROTTLE, ERROR_THROTTLED},
    {"PriorRequestNotComplete", EC2_CLASS_THROTTLE, ERROR_THROTTLED},
    {"InternalError", EC2_CLASS_TRANSIENT, ERROR_UNAVAILABLE},
    {"InternalFailure", EC2_CLASS_TRANSIENT, ERROR_UNAVAILABLE},
    {"ServerInternal", EC2_CLASS_TRANSIENT, ERROR_UNAVAILABLE},
    {"ServiceUnavailable", EC2_CLASS_TRANSIENT, ERROR_UNAVAILABLE},
    {"Unavailable", EC2_CLASS_TRANSIENT, ERROR_UNAVAILABLE},
    {"RequestTimeout", EC2_CLASS_TRANSIENT, ERROR_UNAVAILABLE},
    {"RequestTimeoutException", EC2_CLASS_TRANSIENT, ERROR_UNAVAILABLE},
    {"InsufficientInstanceCapacity", EC2_CLASS_CAPACITY, ERROR_CAPACITY},
    {"InsufficientCapacity", EC2_CLASS_CAPACITY, ERROR_CAPACITY},
    {"InsufficientHostCapacity", EC2_CLASS_CAPACITY, ERROR_CAPACITY},
    {"InsufficientCapacityOnHost", EC2_CLASS_CAPACITY, ERROR_CAPACITY},
    {"InsufficientReservedInstanceCapacity", EC2_CLASS_CAPACITY, ERROR_CAPACITY},
    {"ReservationCapacityExceeded", EC2_CLASS_CAPACITY, ERROR_CAPACITY},
    {"InsufficientFreeAddressesInSubnet", EC2_CLASS_CAPACITY, ERROR_CAPACITY},
    {"UnfulfillableCapacity", EC2_CLASS_CAPACITY, ERROR_CAPACITY},
    {"MaxSpotInstanceCountExceeded", EC2_CLASS_CAPACITY, ERROR_CAPACITY},
    {"SpotMaxPriceTooLow", EC2_CLASS_CAPACITY, ERROR_CAPACITY},
    {"Unsupported", EC2_CLASS_CAPACITY, ERROR_CAPACITY},
    {"VcpuLimitExceeded", EC2_CLASS_QUOTA, ERROR_QUOTA},
    {"InstanceLimitExceeded", EC2_CLASS_QUOTA, ERROR_QUOTA},
    {"PrivateIpAddressLimitExceeded", EC2_CLASS_QUOTA, ERROR_QUOTA},
    {"NetworkInterfaceLimitExceeded", EC2_CLASS_QUOTA, ERROR_QUOTA},
    {"VolumeLimitExceeded", EC2_CLASS_QUOTA, ERROR_QUOTA},
    {"MaxIOPSLimitExceeded", EC2_CLASS_QUOTA, ERROR_QUOTA},
    {"TagLimitExceeded", EC2_CLASS_QUOTA, ERROR_QUOTA},
    {"UnauthorizedOperation", EC2_CLASS_PERMISSION, ERROR_DENIED},
    {"AccessDenied", EC2_CLASS_PERMISSION, ERROR_DENIED},
    {"Blocked", EC2_CLASS_PERMISSION, ERROR_DENIED},
    {"OptInRequired", EC2_CLASS_PERMISSION, ERROR_DENIED},
    {"PendingVerification", EC2_CLASS_PERMISSION, ERROR_DENIED},
    {"AuthFailure.ServiceLinkedRoleCreationNotPermitted", EC2_CLASS_PERMISSION, ERROR_DENIED},
    {"OperationNotPermitted", EC2_CLASS_PERMISSION, ERROR_DENIED},
    {"AuthFailure", EC2_CLASS_CREDENTIAL, ERROR_DENIED},
    {"ExpiredToken", EC2_CLASS_CREDENTIAL, ERROR_DENIED},
    {"ExpiredTokenException", EC2_CLASS_CREDENTIAL, ERROR_DENIED},
    {"RequestExpired", EC2_CLASS_CREDENTIAL, ERROR_DENIED},
    {"InvalidClientTokenId", EC2_CLASS_CREDENTIAL, ERROR_DENIED},
    {"MissingAuthenticationToken", EC2_CLASS_CREDENTIAL, ERROR_DENIED},
    {"SignatureDoesNotMatch", EC2_CLASS_CREDENTIAL, ERROR_DENIED},
    {"IncompleteSignature", EC2_CLASS_CREDENTIAL, ERROR_DENIED},
    {"InvalidSecurity.RequestHasExpired", EC2_CLASS_CREDENTIAL, ERROR_DENIED},
    {"InvalidInstanceID.NotFound", EC2_CLASS_ABSENT, ERROR_ABSENT},
    {"InvalidGroup.NotFound", EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidSubnetID.NotFound", EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidSubnetId.NotFound", EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidKeyPair.NotFound", EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidLaunchTemplateId.NotFound", EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidAMIID.Malformed", EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidAMIID.NotFound", EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidAMIID.Unavailable", EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidParameter", EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidParameterValue", EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidParameterCombination", EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidParameterDependency", EC2_CLASS_SPEC, ERROR_INVALID},
    {"MissingParameter", EC2_CLASS_SPEC, ERROR_INVALID},
    {"UnknownParameter", EC2_CLASS_SPEC, ERROR_INVALID},
    {"UnsupportedOperation", EC2_CLASS_SPEC, ERROR_INVALID},
    {"UnsupportedTenancy", EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidInstanceType", EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidUserData.Malformed", EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidBlockDeviceMapping", EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidInstanceID.Malformed", EC2_CLASS_SPEC, ERROR_INVALID},
    {"InvalidTagKey.Malformed", EC2_CLASS_SPEC, ERROR_INVALID},
    {"VPCIdNotSpecified", EC2_CLASS_SPEC, ERROR_INVALID},
    {"ValidationError", EC2_CLASS_SPEC, ERROR_INVALID},
    {"TagPolicyViolation", EC2_CLASS_SPEC, ERROR_INVALID},
    {"IncorrectInstanceState", EC2_CLASS_STATE, ERROR_CONFLICT},
    {"IncorrectState", EC2_CLASS_STATE, ERROR_CONFLICT},
    {"InvalidState", EC2_CLASS_STATE, ERROR_CONFLICT},
    {"ConcurrentTagAccess", EC2_CLASS_STATE, ERROR_CONFLICT},
    {"IdempotentParameterMismatch", EC2_CLASS_IDEMPOTENCY, ERROR_CONFLICT},
    {"IdempotentInstanceTerminated", EC2_CLASS_IDEMPOTENCY, ERROR_CONFLICT},
    {"InvalidClientToken", EC2_CLASS_IDEMPOTENCY, ERROR_CONFLICT},
    {"InvalidNextToken", EC2_CLASS_PAGING, ERROR_CONFLICT},
    {"InvalidPaginationToken", EC2_CLASS_PAGING, ERROR_CONFLICT},
    {"InvalidMaxResults", EC2_CLASS_PAGING, ERROR_CONFLICT},
    {"FilterLimitExceeded", EC2_CLASS_PAGING, ERROR_CONFLICT},
    {"InvalidFilter", EC2_CLASS_PAGING, ERROR_CONFLICT},
};

static void test_published_codes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(published); i++) {
        struct ec2_fault fault = {0};
        struct error err = {0};
        long status = published[i].class == EC2_CLASS_TRANSIENT ? 403 : 500;
        snprintf(fault.code, sizeof(fault.code), "%s", published[i].code);
        if (ec2_error_class(&fault, status) != published[i].class)
            fail_msg("%s is of another class", published[i].code);
        ec2_error_set(&err, "RunInstances", &fault, status);
        assert_int_equal(err.kind, published[i].kind);
    }
}

static void test_texts(void **state)
{
    (void)state;
    struct error err = {0};
    struct ec2_fault fault = {.code = "IdempotentInstanceTerminated", .message = "It is gone."};
    ec2_error_set(&err, "RunInstances", &fault, 400);
    assert_string_equal(err.reason, "IdempotentInstanceTerminated");
    assert_string_equal(err.text, "RunInstances: IdempotentInstanceTerminated: It is gone.");
    struct ec2_fault long_fault = {.code = "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
                                   .message = "No."};
    ec2_error_set(&err, "RunInstances", &long_fault, 400);
    assert_string_equal(err.reason, "AuthFailure.ServiceLinkedRoleCr");
    struct ec2_fault none = {.code = ""};
    ec2_error_set(&err, "StopInstances", &none, 502);
    assert_string_equal(err.reason, "UnexpectedAnswer");
    assert_string_equal(err.text, "StopInstances: HTTP status 502 without an error code");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_classes), cmocka_unit_test(test_published_codes),
                                       cmocka_unit_test(test_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
