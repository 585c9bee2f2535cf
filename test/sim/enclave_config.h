/* enclave_config: what a host reads from its user data at boot.
 *
 * Model: the block between the lines `#tee-config-v1-begin` and `#tee-config-v1-end`, each line '#' and
 * base64 of one JSON object, version 1. The digest is that of the container image or of the image file.
 * Threads: none.   Ownership: plain memory.   Limits: the digest is 64 hex digits.   Errors: is_valid is
 * false. */
#ifndef TEE_TEST_SIM_ENCLAVE_CONFIG_H
#define TEE_TEST_SIM_ENCLAVE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

enum { ENCLAVE_DIGEST_SIZE = 97 };

struct enclave_config {
    bool is_valid;
    bool debug;
    char digest[ENCLAVE_DIGEST_SIZE]; /* lower-case hex */
};

void enclave_config_read(const char *user_data, size_t len, struct enclave_config *ret_config);
/* With or without "sha256:" or "sha384:" before it, or an image reference's "...@"; -1 = not a digest. */
int enclave_digest_parse(const char *text, char ret_digest[ENCLAVE_DIGEST_SIZE]);

#endif
