/* One number; the last that speaks wins. */
#include "nitro/skew.h"

#include <stddef.h>

enum { SKEW_MIN_MS = 4 * 60 * 1000 };

int64_t aws_skew_get(struct aws_skew *skew)
{
    return skew ? atomic_load(&skew->ms) : 0;
}

bool aws_skew_note(struct aws_skew *skew, int64_t date_ms, int64_t now_ms)
{
    if (!skew || date_ms <= 0)
        return false;
    int64_t ahead_ms = date_ms - now_ms;
    int64_t off_ms = ahead_ms - atomic_load(&skew->ms);
    if (off_ms >= -SKEW_MIN_MS && off_ms <= SKEW_MIN_MS)
        return false;
    atomic_store(&skew->ms, ahead_ms);
    return true;
}
