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

static void test_texts(void **state)
{
    (void)state;
    struct error err = {0};
    struct ec2_fault fault = {"IdempotentInstanceTerminated", "It is gone."};
    ec2_error_set(&err, "RunInstances", &fault, 400);
    assert_string_equal(err.reason, "IdempotentInstanceTerminated");
    assert_string_equal(err.text, "RunInstances: IdempotentInstanceTerminated: It is gone.");
    struct ec2_fault long_fault = {"AuthFailure.ServiceLinkedRoleCreationNotPermitted", "No."};
    ec2_error_set(&err, "RunInstances", &long_fault, 400);
    assert_string_equal(err.reason, "AuthFailure.ServiceLinkedRoleCr");
    struct ec2_fault none = {"", ""};
    ec2_error_set(&err, "StopInstances", &none, 502);
    assert_string_equal(err.reason, "UnexpectedAnswer");
    assert_string_equal(err.text, "StopInstances: HTTP status 502 without an error code");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_classes), cmocka_unit_test(test_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
