/* Families and series are linked lists that only grow. A series is published with release order, so that a
 * rendering walks the list without the lock; the lock orders those who create series. */
#include "base/metrics.h"

#include "base/mem.h"
#include "base/thread.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_MAX_SERIES = 64 };
#define EXACT_BELOW 9007199254740992.0 /* 2^53 */

struct metric_series {
    struct metric_series *next;
    const struct metric *metric;
    char *values[METRIC_MAX_LABELS];
    _Atomic double value; /* of a histogram: the sum */
    atomic_uint_least64_t count;
    atomic_uint_least64_t *buckets; /* not cumulative; one per bound, the rest is count minus their sum */
};

struct metric {
    struct metric *next;
    struct metrics *registry;
    struct metric_family family;
    size_t label_count;
    size_t series_count;
    struct metric_series *_Atomic series;
};

struct collector {
    struct collector *next;
    void (*collect)(void *ctx);
    void *ctx;
};

struct metrics {
    pthread_mutex_t mutex;
    struct metric *first, **last;
    struct collector *collectors;
};

struct metrics *metrics_new(void)
{
    struct metrics *metrics = mem_calloc(1, sizeof(*metrics));
    mutex_init(&metrics->mutex);
    metrics->last = &metrics->first;
    return metrics;
}

static void series_free(struct metric_series *series)
{
    for (size_t i = 0; i < METRIC_MAX_LABELS; i++)
        free(series->values[i]);
    free(series->buckets);
    free(series);
}

static void metric_free(struct metric *metric)
{
    struct metric_series *next = NULL;
    for (struct metric_series *series = atomic_load(&metric->series); series; series = next) {
        next = series->next;
        series_free(series);
    }
    free(metric);
}

struct metrics *metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return NULL;
    struct metric *next = NULL;
    for (struct metric *metric = metrics->first; metric; metric = next) {
        next = metric->next;
        metric_free(metric);
    }
    struct collector *next_collector = NULL;
    for (struct collector *collector = metrics->collectors; collector; collector = next_collector) {
        next_collector = collector->next;
        free(collector);
    }
    pthread_mutex_destroy(&metrics->mutex);
    free(metrics);
    return NULL;
}

struct metric *metrics_add(struct metrics *metrics, const struct metric_family *family)
{
    struct metric *metric = mem_calloc(1, sizeof(*metric));
    metric->registry = metrics;
    metric->family = *family;
    if (metric->family.max_series == 0)
        metric->family.max_series = DEFAULT_MAX_SERIES;
    while (family->labels[metric->label_count])
        metric->label_count++;
    assert(metric->label_count <= METRIC_MAX_LABELS && family->bound_count <= METRIC_MAX_BOUNDS);
    *metrics->last = metric;
    metrics->last = &metric->next;
    if (metric->label_count == 0)
        metric_get_series(metric, NULL);
    return metric;
}

static struct metric_series *find_series(struct metric *metric, const char *const *values)
{
    struct metric_series *series = atomic_load_explicit(&metric->series, memory_order_acquire);
    for (; series; series = series->next) {
        size_t same = 0;
        while (same < metric->label_count && strcmp(series->values[same], values[same]) == 0)
            same++;
        if (same == metric->label_count)
            return series;
    }
    return NULL;
}

static struct metric_series *add_series(struct metric *metric, const char *const *values)
{
    struct metric_series *series = mem_calloc(1, sizeof(*series));
    series->metric = metric;
    for (size_t i = 0; i < metric->label_count; i++)
        series->values[i] = mem_strdup(values[i]);
    if (metric->family.bound_count > 0)
        series->buckets = mem_calloc(metric->family.bound_count, sizeof(*series->buckets));
    series->next = atomic_load_explicit(&metric->series, memory_order_relaxed);
    atomic_store_explicit(&metric->series, series, memory_order_release);
    metric->series_count++;
    return series;
}

struct metric_series *metric_get_series(struct metric *metric, const char *const *values)
{
    static const char *const overflow[METRIC_MAX_LABELS] = {
        "exceeded_cardinality_limit", "exceeded_cardinality_limit", "exceeded_cardinality_limit",
        "exceeded_cardinality_limit"};
    struct metric_series *series = find_series(metric, values);
    if (series)
        return series;
    LOCK_SCOPE(&metric->registry->mutex);
    series = find_series(metric, values);
    if (!series && metric->series_count >= metric->family.max_series) {
        values = overflow;
        series = find_series(metric, values);
    }
    return series ? series : add_series(metric, values);
}

void metric_add(struct metric_series *series, double delta)
{
    double seen = atomic_load_explicit(&series->value, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&series->value, &seen, seen + delta, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

void metric_set(struct metric_series *series, double value)
{
    atomic_store_explicit(&series->value, value, memory_order_relaxed);
}

void metric_observe(struct metric_series *series, double value)
{
    const struct metric_family *family = &series->metric->family;
    size_t i = 0;
    while (i < family->bound_count && value > family->bounds[i])
        i++;
    if (i < family->bound_count)
        atomic_fetch_add_explicit(&series->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&series->count, 1, memory_order_relaxed);
    metric_add(series, value);
}

double metric_get(const struct metric_series *series)
{
    if (series->metric->family.type == METRIC_HISTOGRAM)
        return (double)atomic_load_explicit(&series->count, memory_order_relaxed);
    return atomic_load_explicit(&series->value, memory_order_relaxed);
}

void metrics_add_collector(struct metrics *metrics, void (*collect)(void *ctx), void *ctx)
{
    struct collector *collector = mem_calloc(1, sizeof(*collector));
    *collector = (struct collector){.next = metrics->collectors, .collect = collect, .ctx = ctx};
    metrics->collectors = collector;
}

/* Whole numbers without exponent as far as a double is exact, all else in the shortest of 17 digits that does
 * not show binary noise. */
static void put_number(struct buf *out, double value)
{
    if (isnan(value))
        buf_puts(out, "NaN");
    else if (isinf(value))
        buf_puts(out, value > 0 ? "+Inf" : "-Inf");
    else if (value > -EXACT_BELOW && value < EXACT_BELOW && (double)(int64_t)value == value)
        buf_printf(out, "%.0f", value);
    else
        buf_printf(out, "%.12g", value);
}

static void put_label(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\n')
            buf_puts(out, "\\n");
        else if (*value == '"' || *value == '\\')
            buf_printf(out, "\\%c", *value);
        else
            buf_putc(out, *value);
    }
    buf_putc(out, '"');
}

/* name + suffix {labels, le}; a bound of NULL leaves le out. */
static void put_name(struct buf *out, const struct metric_series *series, const char *suffix,
                     const double *bound)
{
    const struct metric *metric = series->metric;
    buf_printf(out, "%s%s", metric->family.name, suffix);
    if (metric->label_count > 0 || bound)
        buf_putc(out, '{');
    for (size_t i = 0; i < metric->label_count; i++) {
        if (i > 0)
            buf_putc(out, ',');
        put_label(out, metric->family.labels[i], series->values[i]);
    }
    if (bound) {
        buf_puts(out, metric->label_count > 0 ? ",le=\"" : "le=\"");
        put_number(out, *bound);
        buf_putc(out, '"');
    }
    if (metric->label_count > 0 || bound)
        buf_putc(out, '}');
    buf_putc(out, ' ');
}

static void put_line(struct buf *out, uint64_t value)
{
    buf_printf(out, "%" PRIu64 "\n", value);
}

/* The count is read first and the buckets are clamped to it, so that a scrape in the middle of an observation
 * still is a valid histogram. */
static void render_histogram(struct buf *out, const struct metric_series *series)
{
    const struct metric_family *family = &series->metric->family;
    uint64_t count = atomic_load_explicit(&series->count, memory_order_relaxed);
    uint64_t below = 0;
    for (size_t i = 0; i < family->bound_count; i++) {
        below += atomic_load_explicit(&series->buckets[i], memory_order_relaxed);
        put_name(out, series, "_bucket", &family->bounds[i]);
        put_line(out, below < count ? below : count);
    }
    const double infinite = INFINITY;
    put_name(out, series, "_bucket", &infinite);
    put_line(out, count);
    put_name(out, series, "_sum", NULL);
    put_number(out, atomic_load_explicit(&series->value, memory_order_relaxed));
    buf_putc(out, '\n');
    put_name(out, series, "_count", NULL);
    put_line(out, count);
}

static void render_family(struct buf *out, const struct metric *metric)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    const struct metric_series *series = atomic_load_explicit(&metric->series, memory_order_acquire);
    if (!series)
        return;
    buf_printf(out, "# HELP %s %s\n", metric->family.name, metric->family.help);
    buf_printf(out, "# TYPE %s %s\n", metric->family.name, types[metric->family.type]);
    for (; series; series = series->next) {
        if (metric->family.type == METRIC_HISTOGRAM) {
            render_histogram(out, series);
            continue;
        }
        put_name(out, series, "", NULL);
        put_number(out, atomic_load_explicit(&series->value, memory_order_relaxed));
        buf_putc(out, '\n');
    }
}

void metrics_render(struct metrics *metrics, struct buf *out)
{
    for (struct collector *collector = metrics->collectors; collector; collector = collector->next)
        collector->collect(collector->ctx);
    for (const struct metric *metric = metrics->first; metric; metric = metric->next)
        render_family(out, metric);
}
