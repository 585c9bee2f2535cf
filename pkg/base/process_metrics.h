/* process_metrics: the process_* families that Prometheus clients share, read from /proc.
 *
 * Model: one collector on the registry; it reads /proc/self at each rendering. Where a file cannot be read
 * the gauge keeps its value.   Threads: as metrics.   Ownership: the returned object is freed after the
 * registry. Limits: none.   Errors: cannot fail. */
#ifndef TEE_BASE_PROCESS_METRICS_H
#define TEE_BASE_PROCESS_METRICS_H

#include "base/metrics.h"

struct process_metrics;

struct process_metrics *process_metrics_new(struct metrics *metrics);
struct process_metrics *process_metrics_free(struct process_metrics *process);

#endif
