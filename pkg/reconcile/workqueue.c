/* An entry is in at most one of: a ready list, the delay heap; or it is being processed, perhaps marked
 * dirty. */
#include "reconcile/workqueue.h"

#include "base/heap.h"
#include "base/hmap.h"
#include "base/mem.h"
#include "base/thread.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BACK_OFF_BASE_MS = 5, BACK_OFF_MAX_MS = 1000 * 1000, AGEING_MS = 100 * 1000 };

struct entry {
    struct entry *next; /* in the ready list */
    char *key;
    bool is_ready;
    bool is_processing;
    bool is_dirty;
    enum work_class class;
    int64_t ready_since_ms;
    int64_t started_ms; /* when a worker took it */
    bool is_delayed;
    int64_t due_ms;
    size_t heap_index;
    int failures;       /* in a row, of one generation */
    int64_t retry_ms;   /* when the try after the last one is due */
    int64_t generation; /* that failed */
};

struct list {
    struct entry *head;
    struct entry *tail;
};

struct workqueue {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    const struct clock *clock;
    struct flight *flight;
    struct hmap entries;
    struct list ready[WORK_CLASSES];
    struct heap delayed;
    bool is_stopped;
    size_t ready_counts[WORK_CLASSES];
    size_t processing_count;
    int64_t adds;
    int64_t retries;
};

static bool due_before(const void *a, const void *b)
{
    return ((const struct entry *)a)->due_ms < ((const struct entry *)b)->due_ms;
}

static void place(void *item, size_t index)
{
    ((struct entry *)item)->heap_index = index;
}

struct workqueue *workqueue_new(const struct clock *clock)
{
    struct workqueue *queue = mem_calloc(1, sizeof(*queue));
    queue->clock = clock;
    mutex_init(&queue->mutex);
    cond_init(&queue->cond);
    hmap_init(&queue->entries);
    heap_init(&queue->delayed, due_before, place);
    return queue;
}

void workqueue_set_flight(struct workqueue *queue, struct flight *flight)
{
    queue->flight = flight;
}

static void entry_free(void *value)
{
    struct entry *entry = value;
    free(entry->key);
    free(entry);
}

struct workqueue *workqueue_free(struct workqueue *queue)
{
    if (!queue)
        return NULL;
    hmap_done(&queue->entries, entry_free);
    heap_done(&queue->delayed);
    pthread_cond_destroy(&queue->cond);
    pthread_mutex_destroy(&queue->mutex);
    free(queue);
    return NULL;
}

static struct entry *get_entry(struct workqueue *queue, const char *key)
{
    struct entry *entry = hmap_get(&queue->entries, key);
    if (entry)
        return entry;
    entry = mem_calloc(1, sizeof(*entry));
    entry->key = mem_strdup(key);
    entry->class = WORK_BACKGROUND;
    hmap_set(&queue->entries, key, entry);
    return entry;
}

static void undelay(struct workqueue *queue, struct entry *entry)
{
    if (!entry->is_delayed)
        return;
    heap_remove(&queue->delayed, entry->heap_index);
    entry->is_delayed = false;
}

static void make_ready(struct workqueue *queue, struct entry *entry)
{
    struct list *list = &queue->ready[entry->class];
    undelay(queue, entry);
    entry->is_ready = true;
    entry->ready_since_ms = clock_mono_ms(queue->clock);
    entry->next = NULL;
    if (list->tail)
        list->tail->next = entry;
    else
        list->head = entry;
    list->tail = entry;
    queue->ready_counts[entry->class]++;
    pthread_cond_signal(&queue->cond);
}

static void unready(struct workqueue *queue, struct entry *entry)
{
    struct list *list = &queue->ready[entry->class];
    struct entry *before = NULL;
    for (struct entry *at = list->head; at != entry; at = at->next)
        before = at;
    if (before)
        before->next = entry->next;
    else
        list->head = entry->next;
    if (list->tail == entry)
        list->tail = before;
    entry->is_ready = false;
    queue->ready_counts[entry->class]--;
}

/* There is work for the key, now. Counted once, however often it is said before a worker takes it. */
static void make_dirty(struct workqueue *queue, struct entry *entry)
{
    if (entry->is_ready || entry->is_dirty)
        return;
    queue->adds++;
    if (entry->is_processing)
        entry->is_dirty = true;
    else
        make_ready(queue, entry);
}

void workqueue_add(struct workqueue *queue, const char *key, enum work_class class)
{
    LOCK_SCOPE(&queue->mutex);
    struct entry *entry = get_entry(queue, key);
    flight_record(queue->flight,
                  &(struct flight_note){.part = FLIGHT_QUEUE,
                                        .what = "added",
                                        .key = key,
                                        .reason = class == WORK_URGENT ? "urgent" : "background"});
    if (class < entry->class) {
        bool is_moved = entry->is_ready;
        if (is_moved)
            unready(queue, entry);
        entry->class = class;
        if (is_moved)
            make_ready(queue, entry);
    }
    make_dirty(queue, entry);
}

static void delay_until(struct workqueue *queue, struct entry *entry, int64_t mono_ms)
{
    queue->retries++;
    flight_record(queue->flight, &(struct flight_note){.part = FLIGHT_QUEUE,
                                                       .what = "delayed",
                                                       .key = entry->key,
                                                       .value = mono_ms - clock_mono_ms(queue->clock)});
    if (entry->is_ready || entry->is_dirty)
        return;
    if (entry->is_delayed && entry->due_ms <= mono_ms)
        return;
    undelay(queue, entry);
    entry->due_ms = mono_ms;
    entry->is_delayed = true;
    heap_push(&queue->delayed, entry);
    pthread_cond_signal(&queue->cond);
}

void workqueue_add_at(struct workqueue *queue, const char *key, int64_t mono_ms)
{
    LOCK_SCOPE(&queue->mutex);
    delay_until(queue, get_entry(queue, key), mono_ms);
}

static void release_due(struct workqueue *queue)
{
    int64_t now_ms = clock_mono_ms(queue->clock);
    for (struct entry *entry = heap_peek(&queue->delayed); entry && entry->due_ms <= now_ms;
         entry = heap_peek(&queue->delayed)) {
        undelay(queue, entry);
        make_dirty(queue, entry);
    }
}

/* The urgent class first, unless the oldest of the background has waited longer than its age allows. */
static struct entry *choose(const struct workqueue *queue)
{
    struct entry *urgent = queue->ready[WORK_URGENT].head;
    struct entry *background = queue->ready[WORK_BACKGROUND].head;
    if (!urgent || !background)
        return urgent ? urgent : background;
    return background->ready_since_ms + AGEING_MS < urgent->ready_since_ms ? background : urgent;
}

static char *take(struct workqueue *queue)
{
    release_due(queue);
    struct entry *entry = choose(queue);
    if (!entry)
        return NULL;
    unready(queue, entry);
    assert(!entry->is_processing);
    entry->is_processing = true;
    entry->started_ms = clock_mono_ms(queue->clock);
    entry->is_dirty = false;
    entry->class = WORK_BACKGROUND;
    queue->processing_count++;
    flight_record(queue->flight,
                  &(struct flight_note){.part = FLIGHT_QUEUE, .what = "started", .key = entry->key});
    return mem_strdup(entry->key);
}

char *workqueue_try_get(struct workqueue *queue)
{
    LOCK_SCOPE(&queue->mutex);
    return take(queue);
}

char *workqueue_get(struct workqueue *queue)
{
    LOCK_SCOPE(&queue->mutex);
    while (!queue->is_stopped) {
        char *key = take(queue);
        if (key)
            return key;
        const struct entry *next = heap_peek(&queue->delayed);
        if (next)
            cond_wait_until(&queue->cond, &queue->mutex, next->due_ms);
        else
            cond_wait(&queue->cond, &queue->mutex);
    }
    return NULL;
}

void workqueue_done(struct workqueue *queue, const char *key)
{
    LOCK_SCOPE(&queue->mutex);
    struct entry *entry = hmap_get(&queue->entries, key);
    assert(entry && entry->is_processing);
    entry->is_processing = false;
    queue->processing_count--;
    if (entry->is_dirty) {
        entry->is_dirty = false;
        make_ready(queue, entry);
    } else if (!entry->is_delayed && entry->failures == 0) {
        hmap_remove(&queue->entries, key);
        entry_free(entry);
    }
}

/* After the n-th failure. */
static int64_t back_off_ms(int failures)
{
    int64_t delay_ms = failures <= 18 ? (int64_t)BACK_OFF_BASE_MS << (failures - 1) : BACK_OFF_MAX_MS;
    return delay_ms < BACK_OFF_MAX_MS ? delay_ms : BACK_OFF_MAX_MS;
}

/* An early pass says no more than that what failed a moment ago still fails: it was an event's, not the
 * back-off's. */
void workqueue_back_off(struct workqueue *queue, const char *key, int64_t generation, int64_t at_least_ms)
{
    LOCK_SCOPE(&queue->mutex);
    struct entry *entry = get_entry(queue, key);
    int64_t now_ms = clock_mono_ms(queue->clock);
    if (entry->generation != generation)
        entry->failures = 0;
    bool is_early = entry->failures > 0 && entry->started_ms < entry->retry_ms;
    entry->failures += is_early ? 0 : 1;
    int64_t at_ms = now_ms + back_off_ms(entry->failures);
    if (is_early && entry->retry_ms > now_ms)
        at_ms = entry->retry_ms;
    if (at_ms < now_ms + at_least_ms)
        at_ms = now_ms + at_least_ms;
    entry->retry_ms = at_ms;
    entry->generation = generation;
    delay_until(queue, entry, at_ms);
}

void workqueue_forget(struct workqueue *queue, const char *key)
{
    LOCK_SCOPE(&queue->mutex);
    struct entry *entry = hmap_get(&queue->entries, key);
    if (entry)
        entry->failures = 0;
}

int64_t workqueue_next_ms(struct workqueue *queue)
{
    LOCK_SCOPE(&queue->mutex);
    const struct entry *next = heap_peek(&queue->delayed);
    return next ? next->due_ms : -1;
}

void workqueue_stop(struct workqueue *queue)
{
    LOCK_SCOPE(&queue->mutex);
    queue->is_stopped = true;
    pthread_cond_broadcast(&queue->cond);
}

int64_t workqueue_waited_ms(struct workqueue *queue, const char *key)
{
    LOCK_SCOPE(&queue->mutex);
    const struct entry *entry = hmap_get(&queue->entries, key);
    return entry && entry->is_processing ? entry->started_ms - entry->ready_since_ms : 0;
}

/* Few keys are with workers, and this is asked a few times a minute. */
static void add_running(const struct workqueue *queue, struct workqueue_counts *counts)
{
    int64_t now_ms = clock_mono_ms(queue->clock);
    struct hmap_iter iter = {0};
    while (counts->processing > 0 && hmap_next(&queue->entries, &iter)) {
        const struct entry *entry = iter.value;
        int64_t running_ms = entry->is_processing ? now_ms - entry->started_ms : 0;
        counts->unfinished_ms += running_ms;
        if (running_ms > counts->longest_ms)
            counts->longest_ms = running_ms;
    }
}

struct workqueue_counts workqueue_get_counts(struct workqueue *queue)
{
    LOCK_SCOPE(&queue->mutex);
    struct workqueue_counts counts = {.delayed = queue->delayed.count,
                                      .processing = queue->processing_count,
                                      .adds = queue->adds,
                                      .retries = queue->retries};
    for (size_t i = 0; i < WORK_CLASSES; i++)
        counts.ready[i] = queue->ready_counts[i];
    add_running(queue, &counts);
    return counts;
}
