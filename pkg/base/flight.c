/* Each slot is a sequence lock: its number is that of the entry it holds, BUSY while one is written. The
 * entry is copied word by word as atomics, so that a reader who comes in between sees old or new words, never
 * a race, and then finds that the number has changed. */
#include "base/flight.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_LINE = 1024 };
#define BUSY UINT64_MAX

struct entry {
    int64_t wall_ms;
    int64_t value;
    const char *what;
    uint32_t part;
    uint32_t thread;
    char key[88];
    char reason[32];
};

enum { WORDS = sizeof(struct entry) / sizeof(uint64_t) };
_Static_assert(sizeof(struct entry) == WORDS * sizeof(uint64_t), "an entry is whole words");

struct slot {
    _Atomic uint64_t number; /* 0 = never used */
    _Atomic uint64_t words[WORDS];
};

struct flight {
    _Atomic uint64_t last; /* number of the newest entry; the first is 1 */
    atomic_int_least64_t lost;
    struct slot slots[FLIGHT_ENTRIES];
};

static const char *const part_names[] = {"watch", "queue", "plan", "lease", "ec2"};

struct flight *flight_new(void)
{
    return mem_calloc(1, sizeof(struct flight));
}

struct flight *flight_free(struct flight *flight)
{
    free(flight);
    return NULL;
}

static uint32_t thread_number(void)
{
    static _Thread_local uint32_t number;
    if (number == 0)
        number = (uint32_t)syscall(SYS_gettid);
    return number;
}

/* The name is at the end of a key. */
static void copy_end(char *to, size_t size, const char *from)
{
    size_t len = strlen(from);
    size_t skipped = len < size ? 0 : len - (size - 1);
    memcpy(to, from + skipped, len - skipped);
}

static void copy_start(char *to, size_t size, const char *from)
{
    memcpy(to, from, strnlen(from, size - 1));
}

static void fill(struct entry *entry, const struct flight_note *note)
{
    *entry = (struct entry){.wall_ms = clock_wall_ms(clock_real()),
                            .value = note->value,
                            .what = note->what,
                            .part = note->part,
                            .thread = thread_number()};
    if (note->key)
        copy_end(entry->key, sizeof(entry->key), note->key);
    if (note->reason)
        copy_start(entry->reason, sizeof(entry->reason), note->reason);
}

void flight_record(struct flight *flight, const struct flight_note *note)
{
    uint64_t words[WORDS];
    struct entry entry;
    if (!flight)
        return;
    fill(&entry, note);
    memcpy(words, &entry, sizeof(entry));
    uint64_t number = atomic_fetch_add_explicit(&flight->last, 1, memory_order_relaxed) + 1;
    struct slot *slot = &flight->slots[number % FLIGHT_ENTRIES];
    uint64_t old = atomic_load_explicit(&slot->number, memory_order_relaxed);
    if (old >= number || !atomic_compare_exchange_strong_explicit(
                             &slot->number, &old, BUSY, memory_order_acquire, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&flight->lost, 1, memory_order_relaxed);
        return;
    }
    for (size_t i = 0; i < WORDS; i++)
        atomic_store_explicit(&slot->words[i], words[i], memory_order_release);
    atomic_store_explicit(&slot->number, number, memory_order_release);
}

static bool read_slot(struct slot *slot, uint64_t number, struct entry *ret_entry)
{
    uint64_t words[WORDS];
    if (atomic_load_explicit(&slot->number, memory_order_acquire) != number)
        return false;
    for (size_t i = 0; i < WORDS; i++)
        words[i] = atomic_load_explicit(&slot->words[i], memory_order_acquire);
    if (atomic_load_explicit(&slot->number, memory_order_relaxed) != number)
        return false;
    memcpy(ret_entry, words, sizeof(*ret_entry));
    return true;
}

static const char *text_or_null(const char *text)
{
    return text[0] ? text : NULL;
}

static void put_json(struct buf *line, const struct entry *entry, uint64_t number)
{
    struct json_writer writer;
    json_writer_init(&writer, line);
    json_open_object(&writer, NULL);
    json_micro_time(&writer, "ts", entry->wall_ms);
    json_text(&writer, "level", "info");
    json_text(&writer, "msg", "Transition");
    json_int(&writer, "number", (int64_t)number);
    json_text(&writer, "part", part_names[entry->part]);
    json_text(&writer, "what", entry->what);
    json_text(&writer, "key", text_or_null(entry->key));
    json_text(&writer, "reason", text_or_null(entry->reason));
    json_int(&writer, "value", entry->value);
    json_int(&writer, "thread", entry->thread);
    json_close_object(&writer);
    buf_putc(line, '\n');
}

/* Keys and reasons may come from other machines: quoted as in JSON, a line stays a line. */
static void put_quoted(struct buf *line, const char *name, const char *text)
{
    struct json_writer writer;
    if (!text[0])
        return;
    buf_printf(line, " %s=", name);
    json_writer_init(&writer, line);
    json_text(&writer, NULL, text);
}

static void put_text(struct buf *line, const struct entry *entry, uint64_t number)
{
    char time[TIME_TEXT_SIZE];
    time_format_micro(entry->wall_ms, time);
    buf_printf(line, "%s info  Transition number=%llu part=%s what=%s", time, (unsigned long long)number,
               part_names[entry->part], entry->what);
    put_quoted(line, "key", entry->key);
    put_quoted(line, "reason", entry->reason);
    buf_printf(line, " value=%lld thread=%u\n", (long long)entry->value, entry->thread);
}

size_t flight_dump(struct flight *flight, int fd, enum log_format format)
{
    uint64_t last = atomic_load_explicit(&flight->last, memory_order_relaxed);
    size_t count = 0;
    CLEANUP(buf_done) struct buf line;
    buf_init(&line, MAX_LINE);
    for (uint64_t number = last > FLIGHT_ENTRIES ? last - FLIGHT_ENTRIES + 1 : 1; number <= last; number++) {
        struct entry entry;
        if (!read_slot(&flight->slots[number % FLIGHT_ENTRIES], number, &entry))
            continue;
        buf_reset(&line);
        if (format == LOG_FORMAT_JSON)
            put_json(&line, &entry, number);
        else
            put_text(&line, &entry, number);
        /* What cannot be written has nowhere to be reported. */
        if (write(fd, line.data, line.len) == (ssize_t)line.len)
            count++;
    }
    return count;
}

int64_t flight_get_lost(const struct flight *flight)
{
    return atomic_load(&flight->lost);
}
