/* An entry per verb and id: waiting, then being sent, then gone or failed. Entries of a batch that was split
 * carry the number of their part, which is sent at once and by itself; all parts of a verb come from one
 * batch, because what has no part waits for them. */
#include "nitro/ec2_batch.h"

#include "base/hmap.h"
#include "base/mem.h"
#include "base/thread.h"
#include "nitro/ec2_types.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    IDLE_MS = 100,
    GATHER_MAX_MS = 1000,
    CROWD_MIN = 10, /* ids within that time; more will come, and nobody looks at one of them */
    CROWD_MAX_MS = 3000,
    CHECK_LIFE_MS = 5000,
    ERROR_LIFE_MS = 60 * 1000,
    AGAIN_MS = 1000,
    STEP_MAX_MS = 60 * 1000, /* of a call and of the wait for the next */
    THROTTLED_MIN_MS = 100,
    THROTTLED_MAX_MS = 60 * 1000,
    REFUSALS_MAX = 3,
    KEY_SIZE = EC2_ID_SIZE + 4,
    VERB_COUNT = 3
};

#define LONG_AGO_MS (INT64_MIN / 2)

enum entry_state { WAITING, SENDING, FAILED };

struct entry {
    char id[EC2_ID_SIZE];
    enum ec2_verb verb;
    uint32_t place;
    enum entry_state state;
    int part; /* 0 = not split */
    int64_t asked_ms;
    int64_t checked_ms; /* the last ask, each of which comes with a live GET */
    int64_t failed_ms;
    struct error error;
};

/* Ids that were refused by themselves, one after the other and in the same words. */
struct refusals {
    char reason[32];
    uint32_t place;
    int count;
};

struct ec2_batch {
    struct ec2_batch_options options;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_t thread;
    bool is_started;
    bool is_stopped;
    struct hmap entries;
    int64_t not_before_ms[VERB_COUNT];
    int64_t sent_ms[VERB_COUNT]; /* when the last call began */
    struct refusals refusals[VERB_COUNT];
    int last_part;
};

/* What goes out in one call. */
struct job {
    enum ec2_verb verb;
    int part;
    struct entry *entries[EC2_BATCH_MAX];
    const char *ids[EC2_BATCH_MAX];
    size_t count;
};

/* Ids that are told after the lock is given back. */
struct settled {
    char (*ids)[EC2_ID_SIZE];
    size_t count;
    bool is_changed;
};

struct ec2_batch *ec2_batch_new(const struct ec2_batch_options *options)
{
    struct ec2_batch *batch = mem_calloc(1, sizeof(*batch));
    batch->options = *options;
    mutex_init(&batch->mutex);
    cond_init(&batch->cond);
    hmap_init(&batch->entries);
    for (size_t i = 0; i < VERB_COUNT; i++)
        batch->sent_ms[i] = LONG_AGO_MS;
    return batch;
}

void ec2_batch_stop(struct ec2_batch *batch)
{
    mutex_lock(&batch->mutex);
    batch->is_stopped = true;
    pthread_cond_broadcast(&batch->cond);
    mutex_unlock(&batch->mutex);
    if (batch->is_started)
        thread_join(batch->thread);
    batch->is_started = false;
}

struct ec2_batch *ec2_batch_free(struct ec2_batch *batch)
{
    if (!batch)
        return NULL;
    ec2_batch_stop(batch);
    hmap_done(&batch->entries, free);
    pthread_cond_destroy(&batch->cond);
    pthread_mutex_destroy(&batch->mutex);
    free(batch);
    return NULL;
}

static void make_key(char *key, enum ec2_verb verb, const char *id)
{
    snprintf(key, KEY_SIZE, "%d %s", (int)verb, id);
}

static void drop(struct ec2_batch *batch, struct entry *entry)
{
    char key[KEY_SIZE];
    make_key(key, entry->verb, entry->id);
    free(hmap_remove(&batch->entries, key));
}

static int answer(struct ec2_batch *batch, struct entry *entry, int64_t now_ms, struct error *err)
{
    if (entry->state == FAILED) {
        if (err)
            *err = entry->error;
        drop(batch, entry);
        return -1;
    }
    entry->checked_ms = now_ms;
    error_set(err, ERROR_THROTTLED, "Batched", "%s of %s is under way", ec2_verb_action(entry->verb),
              entry->id);
    if (err)
        err->retry_after_ms = AGAIN_MS;
    return -1;
}

int ec2_batch_ask(struct ec2_batch *batch, enum ec2_verb verb, const struct ec2_batch_item *item,
                  struct error *err)
{
    char key[KEY_SIZE];
    int64_t now_ms = clock_mono_ms(batch->options.clock);
    LOCK_SCOPE(&batch->mutex);
    make_key(key, verb, item->id);
    struct entry *entry = hmap_get(&batch->entries, key);
    bool is_old = entry && entry->state == FAILED && now_ms - entry->failed_ms > ERROR_LIFE_MS;
    if (entry && !is_old)
        return answer(batch, entry, now_ms, err);
    if (is_old)
        drop(batch, entry);
    entry = mem_calloc(1, sizeof(*entry));
    snprintf(entry->id, sizeof(entry->id), "%s", item->id);
    entry->place = item->place;
    entry->verb = verb;
    entry->asked_ms = entry->checked_ms = now_ms;
    hmap_set(&batch->entries, key, entry);
    pthread_cond_signal(&batch->cond);
    return 0;
}

static void settled_add(struct settled *settled, const char *id)
{
    settled->ids = mem_realloc(settled->ids, settled->count + 1, sizeof(settled->ids[0]));
    snprintf(settled->ids[settled->count++], sizeof(settled->ids[0]), "%s", id);
}

static void settled_tell(struct ec2_batch *batch, struct settled *settled)
{
    for (size_t i = 0; i < settled->count; i++)
        batch->options.settled(batch->options.ctx, settled->ids[i], settled->is_changed);
    free(settled->ids);
}

/* Asks that are too old to act on, and errors that nobody came for. */
static void drop_old(struct ec2_batch *batch, int64_t now_ms, struct settled *dropped)
{
    struct hmap_iter iter = {0};
    while (hmap_next(&batch->entries, &iter)) {
        struct entry *entry = iter.value;
        bool is_stale = entry->state == WAITING && now_ms - entry->checked_ms > CHECK_LIFE_MS;
        if (is_stale)
            settled_add(dropped, entry->id);
        if (is_stale || (entry->state == FAILED && now_ms - entry->failed_ms > ERROR_LIFE_MS))
            free(hmap_remove(&batch->entries, iter.key));
    }
}

/* What waits of a verb: parts of a split batch before the rest, the part that was split last before others.
 */
struct crowd {
    size_t count;
    int part;
    int64_t first_ms;
    int64_t last_ms;
};

static struct crowd look(const struct ec2_batch *batch, enum ec2_verb verb)
{
    struct crowd crowd = {0};
    struct hmap_iter iter = {0};
    while (hmap_next(&batch->entries, &iter)) {
        const struct entry *entry = iter.value;
        if (entry->verb != verb || entry->state != WAITING)
            continue;
        if (entry->part > crowd.part)
            crowd.part = entry->part;
        crowd.first_ms =
            crowd.count == 0 || entry->asked_ms < crowd.first_ms ? entry->asked_ms : crowd.first_ms;
        crowd.last_ms = entry->asked_ms > crowd.last_ms ? entry->asked_ms : crowd.last_ms;
        crowd.count++;
    }
    return crowd;
}

/* Monotonic time at which the verb has a call to make; -1 = nothing waits. */
static int64_t due_ms(const struct ec2_batch *batch, enum ec2_verb verb, const struct crowd *crowd,
                      int64_t now_ms)
{
    if (crowd->count == 0)
        return -1;
    int64_t gather_ms = crowd->count >= CROWD_MIN ? CROWD_MAX_MS : GATHER_MAX_MS;
    int64_t at_ms = crowd->last_ms + IDLE_MS;
    if (at_ms < batch->sent_ms[verb] + gather_ms) /* many come, though not every 100 ms */
        at_ms = batch->sent_ms[verb] + gather_ms;
    if (at_ms > crowd->first_ms + gather_ms)
        at_ms = crowd->first_ms + gather_ms;
    if (crowd->part > 0 || crowd->count >= EC2_BATCH_MAX)
        at_ms = now_ms;
    return at_ms > batch->not_before_ms[verb] ? at_ms : batch->not_before_ms[verb];
}

static bool is_new(const struct entry *entry, enum ec2_verb verb)
{
    return entry->verb == verb && entry->state == WAITING && entry->part == 0;
}

static bool is_of_one_place(const struct ec2_batch *batch, enum ec2_verb verb)
{
    const struct entry *first = NULL;
    struct hmap_iter iter = {0};
    while (hmap_next(&batch->entries, &iter)) {
        const struct entry *entry = iter.value;
        if (!is_new(entry, verb))
            continue;
        if (first && first->place != entry->place)
            return false;
        first = entry;
    }
    return true;
}

/* Each place is a part: where there is no room, nobody elsewhere waits for that to be found out. */
static void divide_by_place(struct ec2_batch *batch, enum ec2_verb verb)
{
    struct hmap_iter iter = {0};
    if (is_of_one_place(batch, verb))
        return;
    while (hmap_next(&batch->entries, &iter)) {
        const struct entry *entry = iter.value;
        if (!is_new(entry, verb))
            continue;
        uint32_t place = entry->place;
        int part = ++batch->last_part;
        struct hmap_iter others = {0};
        while (hmap_next(&batch->entries, &others)) {
            struct entry *other = others.value;
            if (is_new(other, verb) && other->place == place)
                other->part = part;
        }
    }
}

static void gather(struct ec2_batch *batch, enum ec2_verb verb, int part, struct job *job)
{
    struct hmap_iter iter = {0};
    job->verb = verb;
    job->part = part;
    while (job->count < EC2_BATCH_MAX && hmap_next(&batch->entries, &iter)) {
        struct entry *entry = iter.value;
        if (entry->verb != verb || entry->state != WAITING || entry->part != part)
            continue;
        entry->state = SENDING;
        job->ids[job->count] = entry->id;
        job->entries[job->count++] = entry;
    }
}

/* Fills the job; or says how long to wait. */
static int64_t pick(struct ec2_batch *batch, int64_t now_ms, struct job *job)
{
    static const enum ec2_verb order[] = {EC2_TERMINATE, EC2_STOP, EC2_START};
    int64_t wait_ms = -1;
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        struct crowd crowd = look(batch, order[i]);
        int64_t at_ms = due_ms(batch, order[i], &crowd, now_ms);
        if (at_ms >= 0 && at_ms <= now_ms) {
            batch->sent_ms[order[i]] = now_ms;
            if (crowd.part == 0)
                divide_by_place(batch, order[i]);
            gather(batch, order[i], look(batch, order[i]).part, job);
            return 0;
        }
        if (at_ms >= 0 && (wait_ms < 0 || at_ms - now_ms < wait_ms))
            wait_ms = at_ms - now_ms;
    }
    return wait_ms;
}

static bool is_named(const char *text, const char *id)
{
    size_t len = strlen(id);
    for (const char *at = strstr(text, id); at; at = strstr(at + 1, id))
        if (!isalnum((unsigned char)at[len]))
            return true;
    return false;
}

/* One id may be to blame for what the whole call was answered. */
static bool is_divisible(const struct error *err)
{
    switch (err->kind) {
    case ERROR_INVALID:
    case ERROR_ABSENT:
    case ERROR_CONFLICT:
    case ERROR_CAPACITY:
    case ERROR_QUOTA: return true;
    case ERROR_DENIED:
        return strcmp(err->reason, "OperationNotPermitted") == 0 ||
               strcmp(err->reason, "UnauthorizedOperation") == 0;
    case ERROR_NONE:
    case ERROR_THROTTLED:
    case ERROR_UNAVAILABLE:
    case ERROR_UNTRUSTED:
    case ERROR_STOPPED:
    case ERROR_KIND_COUNT: break;
    }
    return false;
}

static void fail(struct entry *entry, const struct error *err, int64_t now_ms, struct settled *settled)
{
    entry->state = FAILED;
    entry->error = *err;
    entry->failed_ms = now_ms;
    settled_add(settled, entry->id);
}

/* What is wrong is not the id: so it would be with the next one. */
static bool is_general(const struct error *err)
{
    return err->kind == ERROR_CAPACITY || strcmp(err->reason, "UnauthorizedOperation") == 0;
}

static bool is_like(const struct refusals *refusals, const struct error *err, uint32_t place)
{
    return refusals->count > 0 && strcmp(refusals->reason, err->reason) == 0 &&
           (err->kind != ERROR_CAPACITY || refusals->place == place);
}

/* An id was refused by itself. Of a batch of 500 whose ids are all refused, a dozen calls are made and not
 * 999: after a few refusals what is left of the batch is told the same. */
static void note_refusal(struct ec2_batch *batch, const struct entry *entry, const struct error *err)
{
    struct refusals *refusals = &batch->refusals[entry->verb];
    if (!is_like(refusals, err, entry->place))
        *refusals = (struct refusals){.place = entry->place};
    snprintf(refusals->reason, sizeof(refusals->reason), "%s", err->reason);
    refusals->count++;
}

static void fail_rest(struct ec2_batch *batch, const struct job *job, const struct error *err, int64_t now_ms,
                      struct settled *settled)
{
    uint32_t place = job->entries[0]->place;
    struct refusals *refusals = &batch->refusals[job->verb];
    struct hmap_iter iter = {0};
    if (!is_general(err) || refusals->count < REFUSALS_MAX || !is_like(refusals, err, place))
        return;
    while (hmap_next(&batch->entries, &iter)) {
        struct entry *entry = iter.value;
        if (entry->verb == job->verb && entry->state == WAITING && entry->part > 0 &&
            is_like(refusals, err, entry->place))
            fail(entry, err, now_ms, settled);
    }
    *refusals = (struct refusals){.count = 0};
}

static void put_back(struct entry *entry, int part)
{
    entry->state = WAITING;
    entry->part = part;
}

static void split(struct ec2_batch *batch, struct job *job, const struct error *err, int64_t now_ms,
                  struct settled *settled)
{
    size_t named_count = 0;
    for (size_t i = 0; i < job->count; i++)
        named_count += is_named(err->text, job->ids[i]) ? 1 : 0;
    batch->last_part += 2;
    for (size_t i = 0; i < job->count; i++) {
        bool is_upper = named_count == 0 && i >= job->count / 2;
        if (is_named(err->text, job->ids[i])) {
            note_refusal(batch, job->entries[i], err);
            fail(job->entries[i], err, now_ms, settled);
        } else
            put_back(job->entries[i], batch->last_part - (is_upper ? 0 : 1));
    }
}

static void take_failure(struct ec2_batch *batch, struct job *job, const struct error *err, int64_t now_ms,
                         struct settled *settled)
{
    if (err->kind == ERROR_THROTTLED) {
        int64_t wait_ms = err->retry_after_ms > THROTTLED_MIN_MS ? err->retry_after_ms : THROTTLED_MIN_MS;
        if (wait_ms > THROTTLED_MAX_MS)
            wait_ms = THROTTLED_MAX_MS;
        batch->not_before_ms[job->verb] = now_ms + wait_ms;
        batch->sent_ms[job->verb] = LONG_AGO_MS; /* EC2 did nothing */
        for (size_t i = 0; i < job->count; i++)
            put_back(job->entries[i], job->part);
        return;
    }
    if (job->count > 1 && is_divisible(err)) {
        split(batch, job, err, now_ms, settled);
    } else {
        if (job->count == 1)
            note_refusal(batch, job->entries[0], err);
        for (size_t i = 0; i < job->count; i++)
            fail(job->entries[i], err, now_ms, settled);
    }
    fail_rest(batch, job, err, now_ms, settled);
}

static void send_job(struct ec2_batch *batch, struct job *job)
{
    const struct ec2_batch_options *options = &batch->options;
    const struct ec2_query query = {.ids = job->ids, .id_count = job->count};
    struct settled settled = {0};
    struct error err = {0};
    int result = -1;
    if (options->may_act(options->ctx))
        result = options->send(options->ctx, job->verb, &query, &err);
    else
        error_set(&err, ERROR_STOPPED, "NotLeading", "too little of the lease is left");
    mutex_lock(&batch->mutex);
    settled.is_changed = result == 0;
    if (result < 0)
        take_failure(batch, job, &err, clock_mono_ms(options->clock), &settled);
    else
        batch->refusals[job->verb].count = 0;
    for (size_t i = 0; result == 0 && i < job->count; i++) {
        settled_add(&settled, job->ids[i]);
        drop(batch, job->entries[i]);
    }
    mutex_unlock(&batch->mutex);
    settled_tell(batch, &settled);
}

int64_t ec2_batch_step(struct ec2_batch *batch)
{
    int64_t now_ms = clock_mono_ms(batch->options.clock);
    struct settled dropped = {0};
    struct job job = {.count = 0};
    mutex_lock(&batch->mutex);
    drop_old(batch, now_ms, &dropped);
    int64_t wait_ms = pick(batch, now_ms, &job);
    mutex_unlock(&batch->mutex);
    settled_tell(batch, &dropped);
    if (job.count > 0)
        send_job(batch, &job);
    return wait_ms;
}

/* False: stopped. */
static bool wait_for_step(struct ec2_batch *batch, int64_t wait_ms, struct heartbeat *heartbeat)
{
    LOCK_SCOPE(&batch->mutex);
    if (batch->is_stopped)
        return false;
    if (batch->entries.count == 0) {
        heartbeat_rest(heartbeat);
        cond_wait(&batch->cond, &batch->mutex);
    } else if (wait_ms != 0) { /* an ask since the step is heard after IDLE_MS at the latest */
        cond_wait_until(&batch->cond, &batch->mutex,
                        clock_mono_ms(batch->options.clock) +
                            (wait_ms > 0 && wait_ms < IDLE_MS ? wait_ms : IDLE_MS));
    }
    return true;
}

static void *run(void *ctx)
{
    struct ec2_batch *batch = ctx;
    struct heartbeat *heartbeat = heartbeat_join(batch->options.heartbeats, "batch");
    int64_t wait_ms = 0;
    do {
        heartbeat_promise(heartbeat, STEP_MAX_MS);
        wait_ms = ec2_batch_step(batch);
    } while (wait_for_step(batch, wait_ms, heartbeat));
    heartbeat_leave(heartbeat);
    return NULL;
}

void ec2_batch_start(struct ec2_batch *batch)
{
    batch->thread = thread_start("batch", run, batch);
    batch->is_started = true;
}
