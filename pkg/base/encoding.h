/* encoding: hex, base64 (RFC 4648) and SHA-2 digests.
 *
 * Model: pure functions over spans. Decoders are strict: no white space, no missing padding, and for base64
 * no non-zero bits behind the last byte, so that one value has one text. Threads: any.   Ownership: results
 * are the caller's.   Limits: the caller's spans.   Errors: -1 = not valid. */
#ifndef TEE_BASE_ENCODING_H
#define TEE_BASE_ENCODING_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA384_BYTES = 48, SHA256_HEX_SIZE = 65 };

/* Writes 2 * len lower-case digits and a NUL. */
void hex_encode(const void *data, size_t len, char *ret_text);
/* text must be exactly 2 * len hex digits, either case. */
int hex_decode(const char *text, uint8_t *ret_data, size_t len);
/* NUL-terminated; the caller frees. */
char *base64_encode(const void *data, size_t len);
/* The caller frees *ret_data. */
int base64_decode(const char *text, size_t text_len, uint8_t **ret_data, size_t *ret_len);
void sha256(const void *data, size_t len, uint8_t ret_digest[SHA256_BYTES]);
void sha384(const void *data, size_t len, uint8_t ret_digest[SHA384_BYTES]);
void sha256_hex(const void *data, size_t len, char ret_text[SHA256_HEX_SIZE]);

#endif
