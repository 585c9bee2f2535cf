/* bucket: how often something may happen.
 *
 * Model: PURE. A bucket holds up to `burst` tokens and gains some of them each second; each event takes as
 * many as it costs, or is refused. Time is the caller's and only has to rise. Threads: none.   Ownership: the
 * caller's memory. Limits: a burst of 1000 tokens, a rate from 0.001 to 1000 a second. Errors: cannot fail.
 */
#ifndef TEE_BASE_BUCKET_H
#define TEE_BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    int64_t per_1000_s; /* tokens gained in 1000 seconds */
    int64_t burst;
    int64_t millionths; /* of a token */
    int64_t filled_ms;
};

/* Starts full. */
void bucket_init(struct bucket *bucket, int per_second, int burst, int64_t now_ms);
bool bucket_take(struct bucket *bucket, int64_t now_ms);
/* More than the burst costs a full bucket: it can never hold more. */
bool bucket_take_many(struct bucket *bucket, int count, int64_t now_ms);
/* Until that many could be taken, if nobody else comes; 0 = now. */
int64_t bucket_wait_ms(struct bucket *bucket, int count, int64_t now_ms);
/* From now on; what the bucket holds stays. */
void bucket_set_rate(struct bucket *bucket, int64_t per_1000_s, int64_t now_ms);
void bucket_drain(struct bucket *bucket, int64_t now_ms);

#endif
