/* The table of behaviour by preset; one row each. */
#include "nitro/attest_protocol.h"

#include "base/cleanup.h"
#include "nitro/native.h"

#include <string.h>

static const struct attest_protocol protocols[] = {
    {"Native", "http", NATIVE_PORT, NATIVE_PATH, NATIVE_NONCE_BYTES, ATTEST_ENCODING_RAW, false},
    {"Nitriding", "https", 443, "/enclave/attestation", 20, ATTEST_ENCODING_BASE64, true},
    {"Oyster", "http", 1300, "/attestation/raw", 0, ATTEST_ENCODING_RAW, false},
    {"Nautilus", "http", 3000, "/get_attestation", 0, ATTEST_ENCODING_JSON_HEX, false},
};

const struct attest_protocol *attest_protocol_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
        if (strcmp(protocols[i].name, name) == 0)
            return &protocols[i];
    return NULL;
}
