/* metrics: counters, gauges and histograms, and their Prometheus text form (0.0.4).
 *
 * Model: a registry holds families (one name, one type, a fixed set of label names), a family holds series
 * (one per combination of label values). A caller asks once for its series and keeps the pointer; updates are
 * then atomic and take no lock. A family with no labels has one series, there from the start, so that it is
 * shown as 0. Past its ceiling of series a family puts everything new into one series whose label values are
 * all `exceeded_cardinality_limit`. Collectors run before each rendering and refresh gauges. Threads:
 * families and collectors are added before threads start; all else from any thread. Ownership: the registry
 * owns all; help texts, label names and bounds are borrowed and must outlive it. Limits: 4 labels, 48 bounds,
 * 64 series a family unless it says otherwise.   Errors: cannot fail. */
#ifndef TEE_BASE_METRICS_H
#define TEE_BASE_METRICS_H

#include "base/buf.h"

#include <stddef.h>

enum { METRIC_MAX_LABELS = 4, METRIC_MAX_BOUNDS = 48 };
enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metrics;
struct metric;
struct metric_series;

struct metric_family {
    enum metric_type type;
    const char *name;
    const char *help;
    const char *labels[METRIC_MAX_LABELS + 1]; /* NULL-terminated */
    const double *bounds;                      /* histograms: upper bounds, ascending, without +Inf */
    size_t bound_count;
    size_t max_series; /* 0 = 64 */
};

struct metrics *metrics_new(void);
struct metrics *metrics_free(struct metrics *metrics);
struct metric *metrics_add(struct metrics *metrics, const struct metric_family *family);
/* values are in the order of the family's labels, NULL-terminated; NULL where there are none. Creates the
 * series at 0 if it is new. Never NULL. */
struct metric_series *metric_get_series(struct metric *metric, const char *const *values);
/* Counters and gauges; a counter never with a negative number. */
void metric_add(struct metric_series *series, double delta);
/* Gauges. */
void metric_set(struct metric_series *series, double value);
/* Histograms. */
void metric_observe(struct metric_series *series, double value);
/* Of a counter or gauge: the value. Of a histogram: the number of observations. */
double metric_get(const struct metric_series *series);
/* collect(ctx) is called before each rendering, without a lock held. */
void metrics_add_collector(struct metrics *metrics, void (*collect)(void *ctx), void *ctx);
/* Appends all families in the order they were added. */
void metrics_render(struct metrics *metrics, struct buf *out);

#endif
