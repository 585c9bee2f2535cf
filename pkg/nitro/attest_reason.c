/* One table of names. */
#include "nitro/attest_reason.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[ATTEST_REASON_COUNT] = {
    [ATTEST_REASON_NONE] = "",
    [ATTEST_MALFORMED_DOCUMENT] = "MalformedDocument",
    [ATTEST_UNSUPPORTED_ALGORITHM] = "UnsupportedAlgorithm",
    [ATTEST_UNTRUSTED_ROOT] = "UntrustedRoot",
    [ATTEST_BAD_CHAIN] = "BadChain",
    [ATTEST_CERTIFICATE_EXPIRED] = "CertificateExpired",
    [ATTEST_BAD_SIGNATURE] = "BadSignature",
    [ATTEST_STALE] = "Stale",
    [ATTEST_FROM_FUTURE] = "FromFuture",
    [ATTEST_NONCE_MISMATCH] = "NonceMismatch",
    [ATTEST_NONCE_MISSING] = "NonceMissing",
    [ATTEST_WRONG_INSTANCE] = "WrongInstance",
    [ATTEST_WRONG_ROLE] = "WrongRole",
    [ATTEST_DEBUG_ENCLAVE] = "DebugEnclave",
    [ATTEST_PCR_MISMATCH] = "PCRMismatch",
    [ATTEST_NO_EXPECTED_PCRS] = "NoExpectedPCRs",
    [ATTEST_KEY_MISMATCH] = "KeyMismatch",
    [ATTEST_USER_DATA_MISMATCH] = "UserDataMismatch",
    [ATTEST_MEASUREMENT_EXPIRED] = "MeasurementExpired",
};

const char *attest_reason_name(enum attest_reason reason)
{
    return names[reason];
}

enum attest_reason attest_reason_find(const char *name)
{
    int i = ATTEST_REASON_NONE;
    while (i < ATTEST_REASON_COUNT && strcmp(names[i], name) != 0)
        i++;
    return (enum attest_reason)i;
}

int attest_refuse(struct error *err, enum attest_reason reason, const char *format, ...)
{
    char text[sizeof(err->text)];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return error_set(err, ERROR_UNTRUSTED, names[reason], "%s", text);
}
