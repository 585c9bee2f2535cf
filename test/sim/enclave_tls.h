/* enclave_tls: the server side of TLS for the simulated enclaves.
 *
 * Model: a context with one new self-signed P-256 certificate.
 * Threads: none.   Ownership: SSL_CTX_free().   Limits: valid for a day.   Errors: aborts without entropy. */
#ifndef TEE_TEST_SIM_ENCLAVE_TLS_H
#define TEE_TEST_SIM_ENCLAVE_TLS_H

#include <openssl/ssl.h>
#include <stdint.h>

SSL_CTX *enclave_tls_new(uint8_t ret_cert_sha256[32]);

#endif
