/* The waiting list is short and unsorted: what counts is how many of it are more urgent than the one who
 * asks, and that is compared with the number of free permits. Entries expire when their owner should have
 * come back by now. */
#include "reconcile/permits.h"

#include "base/hmap.h"
#include "base/mem.h"
#include "base/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORGET_MS = 2 * 3600 * 1000, SWEEP_MS = 600 * 1000, RETURN_SLACK_MS = 2000, KEY_SIZE = 384 };

struct waiting {
    char key[KEY_SIZE]; /* "" = free */
    int64_t lapse_ms;
    int64_t expires_ms;
};

struct failure {
    int64_t failed_ms;
    bool is_asking;
};

struct permits {
    pthread_mutex_t mutex;
    int count;
    int failing_count;
    int in_flight;
    int failing_in_flight;
    struct waiting waiting[PERMITS_WAITING_MAX];
    struct hmap failing; /* key -> struct failure */
    int64_t swept_ms;
};

struct permits *permits_new(int count, int failing_count)
{
    struct permits *permits = mem_calloc(1, sizeof(*permits));
    mutex_init(&permits->mutex);
    hmap_init(&permits->failing);
    permits->count = count;
    permits->failing_count = failing_count;
    return permits;
}

struct permits *permits_free(struct permits *permits)
{
    if (!permits)
        return NULL;
    hmap_done(&permits->failing, free);
    pthread_mutex_destroy(&permits->mutex);
    free(permits);
    return NULL;
}

static bool is_free(const struct waiting *one, int64_t now_ms)
{
    return !one->key[0] || one->expires_ms <= now_ms;
}

static int count_more_urgent(const struct permits *permits, const struct permits_ask *ask)
{
    int count = 0;
    for (int i = 0; i < PERMITS_WAITING_MAX; i++) {
        const struct waiting *one = &permits->waiting[i];
        bool is_other = !is_free(one, ask->now_ms) && strcmp(one->key, ask->key) != 0;
        count += is_other && one->lapse_ms < ask->lapse_ms ? 1 : 0;
    }
    return count;
}

static void stop_waiting(struct permits *permits, const char *key)
{
    for (int i = 0; i < PERMITS_WAITING_MAX; i++)
        if (strcmp(permits->waiting[i].key, key) == 0)
            permits->waiting[i].key[0] = '\0';
}

/* The own place, else a free one, else the least urgent if that is less urgent than the one who asks. */
static struct waiting *find_place(struct permits *permits, const struct permits_ask *ask)
{
    struct waiting *least = &permits->waiting[0], *end = permits->waiting + PERMITS_WAITING_MAX;
    for (struct waiting *one = permits->waiting; one < end; one++)
        if (strcmp(one->key, ask->key) == 0)
            return one;
    for (struct waiting *one = permits->waiting; one < end; one++) {
        if (is_free(one, ask->now_ms))
            return one;
        if (one->lapse_ms > least->lapse_ms)
            least = one;
    }
    return least->lapse_ms > ask->lapse_ms ? least : NULL;
}

static void wait_for_permit(struct permits *permits, const struct permits_ask *ask, int64_t *ret_retry_ms)
{
    struct waiting *place = find_place(permits, ask);
    *ret_retry_ms = place ? PERMITS_SOON_MS : PERMITS_LATER_MS;
    if (!place)
        return;
    snprintf(place->key, sizeof(place->key), "%s", ask->key);
    place->lapse_ms = ask->lapse_ms;
    place->expires_ms = ask->now_ms + PERMITS_SOON_MS + RETURN_SLACK_MS;
}

/* Hosts that fail wait in no line: they take what the few permits of theirs give, when they happen to come.
 */
static bool take_failing(struct permits *permits, struct failure *failure, int64_t *ret_retry_ms)
{
    if (permits->in_flight >= permits->count || permits->failing_in_flight >= permits->failing_count) {
        *ret_retry_ms = PERMITS_LATER_MS;
        return false;
    }
    failure->is_asking = true;
    permits->failing_in_flight++;
    permits->in_flight++;
    return true;
}

bool permits_take(struct permits *permits, const struct permits_ask *ask, int64_t *ret_retry_ms)
{
    LOCK_SCOPE(&permits->mutex);
    struct failure *failure = hmap_get(&permits->failing, ask->key);
    if (failure)
        return take_failing(permits, failure, ret_retry_ms);
    if (count_more_urgent(permits, ask) >= permits->count - permits->in_flight) {
        wait_for_permit(permits, ask, ret_retry_ms);
        return false;
    }
    stop_waiting(permits, ask->key);
    permits->in_flight++;
    return true;
}

/* Objects that were deleted while their host failed. */
static void sweep(struct permits *permits, int64_t now_ms)
{
    struct hmap_iter iter = {0};
    if (now_ms - permits->swept_ms < SWEEP_MS)
        return;
    permits->swept_ms = now_ms;
    while (hmap_next(&permits->failing, &iter)) {
        struct failure *failure = iter.value;
        if (!failure->is_asking && now_ms - failure->failed_ms > FORGET_MS)
            free(hmap_remove(&permits->failing, iter.key));
    }
}

static void note_failure(struct permits *permits, const char *key, int64_t now_ms)
{
    struct failure *failure = hmap_get(&permits->failing, key);
    if (!failure) {
        failure = mem_calloc(1, sizeof(*failure));
        hmap_set(&permits->failing, key, failure);
    }
    failure->failed_ms = now_ms;
    failure->is_asking = false;
}

void permits_return(struct permits *permits, const char *key, bool has_failed, int64_t now_ms)
{
    LOCK_SCOPE(&permits->mutex);
    struct failure *failure = hmap_get(&permits->failing, key);
    permits->in_flight--;
    permits->failing_in_flight -= failure && failure->is_asking ? 1 : 0;
    if (has_failed)
        note_failure(permits, key, now_ms);
    else
        free(hmap_remove(&permits->failing, key));
    sweep(permits, now_ms);
}
