/* See uuid.h. */
#include "base/uuid.h"

#include "base/encoding.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

void uuid_make(char ret_text[UUID_TEXT_SIZE])
{
    unsigned char id[16];
    char hex[2 * sizeof(id) + 1];
    ssize_t count = getrandom(id, sizeof(id), 0); /* so few bytes come whole */
    if (count != (ssize_t)sizeof(id))
        abort();
    id[6] = (unsigned char)((id[6] & 0x0f) | 0x40);
    id[8] = (unsigned char)((id[8] & 0x3f) | 0x80);
    hex_encode(id, sizeof(id), hex);
    snprintf(ret_text, UUID_TEXT_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
             hex + 20);
}
