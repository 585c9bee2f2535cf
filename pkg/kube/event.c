/* Two maps: key -> series, object -> bucket. Tokens are counted in milliseconds of refill, so that there are
 * no fractions. */
#include "kube/event.h"

#include "base/cleanup.h"
#include "base/json_writer.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NOTE = 1024, MAX_WORD = 128, MAX_KEYS = 4096, MAX_OBJECT_NAME = 230 };
enum { TOKEN_MS = 300000, BURST = 25, SERIES_IDLE_MS = 360000 };
enum { RETRY_MS = 10000, RETRY_SPREAD_MS = 2500 };

struct bucket {
    int64_t level_ms; /* a token is TOKEN_MS of this */
    int64_t seen_ms;
};

void event_book_init(struct event_book *book)
{
    book->series_begun = 0;
    hmap_init(&book->series);
    hmap_init(&book->buckets);
}

static void series_free(void *value)
{
    struct event_series *series = value;
    free(series->name);
    free(series);
}

void event_book_done(struct event_book *book)
{
    hmap_done(&book->series, series_free);
    hmap_done(&book->buckets, free);
}

static int64_t bucket_seen_ms(const void *bucket)
{
    return ((const struct bucket *)bucket)->seen_ms;
}

static int64_t series_seen_ms(const void *series)
{
    return ((const struct event_series *)series)->last_ms;
}

/* Makes room for one more: what was not used for the longest time goes. */
static void make_room(struct hmap *map, int64_t (*seen_ms)(const void *value), void (*free_value)(void *))
{
    struct hmap_iter iter = {0};
    const char *oldest = NULL;
    int64_t oldest_ms = INT64_MAX;
    if (map->count < MAX_KEYS)
        return;
    while (hmap_next(map, &iter))
        if (seen_ms(iter.value) < oldest_ms) {
            oldest_ms = seen_ms(iter.value);
            oldest = iter.key;
        }
    free_value(hmap_remove(map, oldest));
}

static bool take_token(struct event_book *book, const char *object, int64_t wall_ms)
{
    struct bucket *bucket = hmap_get(&book->buckets, object);
    if (!bucket) {
        make_room(&book->buckets, bucket_seen_ms, free);
        bucket = mem_calloc(1, sizeof(*bucket));
        *bucket = (struct bucket){.level_ms = (int64_t)BURST * TOKEN_MS, .seen_ms = wall_ms};
        hmap_set(&book->buckets, object, bucket);
    }
    if (wall_ms > bucket->seen_ms)
        bucket->level_ms += wall_ms - bucket->seen_ms;
    bucket->seen_ms = wall_ms;
    if (bucket->level_ms > (int64_t)BURST * TOKEN_MS)
        bucket->level_ms = (int64_t)BURST * TOKEN_MS;
    if (bucket->level_ms < TOKEN_MS)
        return false;
    bucket->level_ms -= TOKEN_MS;
    return true;
}

/* The same event, or one of a new kind; a pause of 6 min begins a new series. */
static struct event_series *count_event(struct event_book *book, const char *key, const char *name,
                                        int64_t wall_ms)
{
    struct event_series *series = hmap_get(&book->series, key);
    if (!series) {
        make_room(&book->series, series_seen_ms, series_free);
        series = mem_calloc(1, sizeof(*series));
        hmap_set(&book->series, key, series);
    }
    if (series->count == 0 || wall_ms - series->last_ms >= SERIES_IDLE_MS) {
        series->count = 0;
        series->is_created = false;
        free(series->name);
        series->name = mem_printf("%.*s.%" PRIx64, MAX_OBJECT_NAME, name,
                                  (uint64_t)wall_ms * 1000000 + book->series_begun++ % 1000000);
    }
    series->count++;
    series->last_ms = wall_ms;
    return series;
}

/* Counted first: what is dropped is in the count of the next one that is not. */
enum event_verdict event_book_decide(struct event_book *book, const struct event *event, int64_t wall_ms,
                                     const struct event_series **ret_series)
{
    CLEANUP(freep)
    char *object =
        mem_printf("%s/%s/%s", event->name_space ? event->name_space : "", event->name, event->uid);
    CLEANUP(freep)
    char *key = mem_printf("%s/%d/%s/%s", object, event->is_warning, event->reason, event->action);
    struct event_series *series = count_event(book, key, event->name, wall_ms);
    if (!take_token(book, object, wall_ms))
        return EVENT_DROP;
    bool is_repeat = series->is_created;
    series->is_created = true;
    *ret_series = series;
    return is_repeat ? EVENT_REPEAT : EVENT_CREATE;
}

int64_t event_get_retry_ms(int64_t retry_after_ms, int64_t wall_ms)
{
    int64_t spread_ms = wall_ms % RETRY_SPREAD_MS;
    return (retry_after_ms > RETRY_MS ? retry_after_ms : RETRY_MS) + spread_ms;
}

size_t utf8_cut(const char *text, size_t max)
{
    size_t len = strnlen(text, max + 1);
    if (len <= max)
        return len;
    while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
        max--;
    return max;
}

void event_encode(const struct event *event, const struct event_source *source, const char *name,
                  int64_t wall_ms, struct buf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_text(&writer, "apiVersion", "events.k8s.io/v1");
    json_text(&writer, "kind", "Event");
    json_open_object(&writer, "metadata");
    json_text(&writer, "name", name);
    json_text(&writer, "namespace", event->name_space ? event->name_space : "default");
    json_close_object(&writer);
    json_micro_time(&writer, "eventTime", wall_ms);
    json_text(&writer, "reportingController", source->controller);
    json_text_len(&writer, "reportingInstance", source->instance, utf8_cut(source->instance, MAX_WORD));
    json_text_len(&writer, "action", event->action, utf8_cut(event->action, MAX_WORD));
    json_text_len(&writer, "reason", event->reason, utf8_cut(event->reason, MAX_WORD));
    json_open_object(&writer, "regarding");
    json_text(&writer, "apiVersion", event->api_version);
    json_text(&writer, "kind", event->kind);
    json_text(&writer, "namespace", event->name_space);
    json_text(&writer, "name", event->name);
    json_text(&writer, "uid", event->uid);
    json_close_object(&writer);
    json_text_len(&writer, "note", event->note, utf8_cut(event->note, MAX_NOTE));
    json_text(&writer, "type", event->is_warning ? "Warning" : "Normal");
    json_close_object(&writer);
}

void event_encode_series(const struct event_series *series, struct buf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_open_object(&writer, "series");
    json_int(&writer, "count", series->count);
    json_micro_time(&writer, "lastObservedTime", series->last_ms);
    json_close_object(&writer);
    json_close_object(&writer);
}
