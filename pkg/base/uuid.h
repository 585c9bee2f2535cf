/* uuid: a random UUID (RFC 9562, version 4) as text.
 *
 * Model: 122 bits from the system's generator.   Threads: any.   Ownership: the caller's memory.
 * Limits: none.   Errors: cannot fail. */
#ifndef TEE_BASE_UUID_H
#define TEE_BASE_UUID_H

enum { UUID_TEXT_SIZE = 37 };

void uuid_make(char ret_text[UUID_TEXT_SIZE]);

#endif
