/* A millionth of a token per millisecond and thousandth of a token per second: no fraction is lost, however
 * often it is asked. */
#include "base/bucket.h"

#define TOKEN INT64_C(1000000)

void bucket_init(struct bucket *bucket, int per_second, int burst, int64_t now_ms)
{
    *bucket = (struct bucket){.per_1000_s = (int64_t)per_second * 1000,
                              .burst = burst,
                              .millionths = burst * TOKEN,
                              .filled_ms = now_ms};
}

static void fill(struct bucket *bucket, int64_t now_ms)
{
    int64_t passed_ms = now_ms - bucket->filled_ms, max = bucket->burst * TOKEN;
    /* Longer than it takes to fill: also keeps the product small. */
    if (passed_ms > max)
        passed_ms = max;
    if (passed_ms > 0) {
        bucket->millionths += passed_ms * bucket->per_1000_s;
        bucket->filled_ms = now_ms;
    }
    if (bucket->millionths > max)
        bucket->millionths = max;
}

static int64_t cost_of(const struct bucket *bucket, int count)
{
    return (count < bucket->burst ? count : bucket->burst) * TOKEN;
}

bool bucket_take_many(struct bucket *bucket, int count, int64_t now_ms)
{
    int64_t cost = cost_of(bucket, count);
    fill(bucket, now_ms);
    if (bucket->millionths < cost)
        return false;
    bucket->millionths -= cost;
    return true;
}

bool bucket_take(struct bucket *bucket, int64_t now_ms)
{
    return bucket_take_many(bucket, 1, now_ms);
}

int64_t bucket_wait_ms(struct bucket *bucket, int count, int64_t now_ms)
{
    fill(bucket, now_ms);
    int64_t missing = cost_of(bucket, count) - bucket->millionths;
    return missing > 0 ? (missing + bucket->per_1000_s - 1) / bucket->per_1000_s : 0;
}

void bucket_set_rate(struct bucket *bucket, int64_t per_1000_s, int64_t now_ms)
{
    fill(bucket, now_ms);
    bucket->per_1000_s = per_1000_s > 0 ? per_1000_s : 1;
}

void bucket_drain(struct bucket *bucket, int64_t now_ms)
{
    fill(bucket, now_ms);
    bucket->millionths = 0;
}
