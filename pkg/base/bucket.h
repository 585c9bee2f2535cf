/* bucket: how often something may happen.
 *
 * Model: PURE. A bucket holds up to `burst` tokens and gains `per_second` of them; each event takes one, or
 * is refused. Time is the caller's and only has to rise. Threads: none.   Ownership: the caller's memory.
 * Limits: none. Errors: cannot fail. */
#ifndef TEE_BASE_BUCKET_H
#define TEE_BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    int64_t per_second;
    int64_t burst;
    int64_t thousandths; /* of a token */
    int64_t filled_ms;
};

/* Starts full. */
void bucket_init(struct bucket *bucket, int per_second, int burst, int64_t now_ms);
bool bucket_take(struct bucket *bucket, int64_t now_ms);

#endif
