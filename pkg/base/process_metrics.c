/* cpu, memory and start time come from one line of /proc/self/stat, whose fields are counted from the last
 * ')': the program's name may hold anything. */
#include "base/process_metrics.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct process_metrics {
    struct metric_series *cpu, *resident, *virtual_size, *open_fds, *max_fds, *start;
    double boot_seconds;
};

static struct metric_series *add(struct metrics *metrics, enum metric_type type, const char *name,
                                 const char *help)
{
    struct metric_family family = {.type = type, .name = name, .help = help};
    return metric_get_series(metrics_add(metrics, &family), NULL);
}

static double read_boot_seconds(void)
{
    CLEANUP(fclosep) FILE *file = fopen("/proc/stat", "re");
    char line[512];
    while (file && fgets(line, sizeof(line), file)) {
        double seconds = 0;
        if (sscanf(line, "btime %lf", &seconds) == 1)
            return seconds;
    }
    return 0;
}

static void collect_stat(const struct process_metrics *process)
{
    CLEANUP(fclosep) FILE *file = fopen("/proc/self/stat", "re");
    char line[1024];
    if (!file || !fgets(line, sizeof(line), file))
        return;
    const char *fields = strrchr(line, ')');
    uint64_t user = 0;
    uint64_t system = 0;
    uint64_t start = 0;
    uint64_t bytes = 0;
    int64_t pages = 0;
    if (!fields || sscanf(fields + 1,
                          " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                          " %*d %*d %*d %*d %*d %*d %" SCNu64 " %" SCNu64 " %" SCNd64,
                          &user, &system, &start, &bytes, &pages) != 5)
        return;
    double ticks = (double)sysconf(_SC_CLK_TCK);
    metric_set(process->cpu, (double)(user + system) / ticks);
    metric_set(process->start, process->boot_seconds + (double)start / ticks);
    metric_set(process->virtual_size, (double)bytes);
    metric_set(process->resident, (double)pages * (double)sysconf(_SC_PAGESIZE));
}

static void collect(void *ctx)
{
    const struct process_metrics *process = ctx;
    collect_stat(process);
    DIR *dir = opendir("/proc/self/fd");
    if (dir) {
        double count = -3; /* ".", ".." and the descriptor of this listing */
        while (readdir(dir))
            count++;
        closedir(dir);
        metric_set(process->open_fds, count);
    }
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metric_set(process->max_fds, (double)limit.rlim_cur);
}

struct process_metrics *process_metrics_new(struct metrics *metrics)
{
    struct process_metrics *process = mem_calloc(1, sizeof(*process));
    process->cpu = add(metrics, METRIC_COUNTER, "process_cpu_seconds_total",
                       "Total user and system CPU time spent in seconds.");
    process->resident =
        add(metrics, METRIC_GAUGE, "process_resident_memory_bytes", "Resident memory size in bytes.");
    process->virtual_size =
        add(metrics, METRIC_GAUGE, "process_virtual_memory_bytes", "Virtual memory size in bytes.");
    process->open_fds = add(metrics, METRIC_GAUGE, "process_open_fds", "Number of open file descriptors.");
    process->max_fds =
        add(metrics, METRIC_GAUGE, "process_max_fds", "Maximum number of open file descriptors.");
    process->start = add(metrics, METRIC_GAUGE, "process_start_time_seconds",
                         "Start time of the process since the Unix epoch in seconds.");
    process->boot_seconds = read_boot_seconds();
    metrics_add_collector(metrics, collect, process);
    return process;
}

struct process_metrics *process_metrics_free(struct process_metrics *process)
{
    free(process);
    return NULL;
}
