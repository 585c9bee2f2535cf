/* A thousandth of a token per millisecond and unit of rate: no fraction is lost, however often it is asked.
 */
#include "base/bucket.h"

enum { TOKEN = 1000 };

void bucket_init(struct bucket *bucket, int per_second, int burst, int64_t now_ms)
{
    *bucket = (struct bucket){
        .per_second = per_second, .burst = burst, .thousandths = (int64_t)burst * TOKEN, .filled_ms = now_ms};
}

bool bucket_take(struct bucket *bucket, int64_t now_ms)
{
    int64_t passed_ms = now_ms - bucket->filled_ms, max = bucket->burst * TOKEN;
    /* Longer than it takes to fill: also keeps the product small. */
    if (passed_ms > max)
        passed_ms = max;
    if (passed_ms > 0) {
        bucket->thousandths += passed_ms * bucket->per_second;
        bucket->filled_ms = now_ms;
    }
    if (bucket->thousandths > max)
        bucket->thousandths = max;
    if (bucket->thousandths < TOKEN)
        return false;
    bucket->thousandths -= TOKEN;
    return true;
}
