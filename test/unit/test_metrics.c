/* The registry and its text form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/metrics.h"
#include "base/process_metrics.h"
#include "base/thread.h"

static void test_text_form(void **state)
{
    (void)state;
    static const double bounds[] = {0.005, 0.5, 2};
    struct metrics *metrics = metrics_new();
    struct metric *requests = metrics_add(
        metrics,
        &(struct metric_family){METRIC_COUNTER, "requests_total", "Requests.", {"code", "path"}, NULL, 0, 0});
    struct metric *depth =
        metrics_add(metrics, &(struct metric_family){METRIC_GAUGE, "depth", "Depth.", {NULL}, NULL, 0, 0});
    struct metric *seconds =
        metrics_add(metrics, &(struct metric_family){METRIC_HISTOGRAM, "s", "Seconds.", {"q"}, bounds, 3, 0});
    metrics_add(metrics,
                &(struct metric_family){METRIC_GAUGE, "unused", "No series yet.", {"x"}, NULL, 0, 0});
    metric_add(metric_get_series(requests, (const char *[]){"200", "a\"\\\nb"}), 3);
    metric_set(metric_get_series(depth, NULL), -1.5);
    struct metric_series *series = metric_get_series(seconds, (const char *[]){"x"});
    metric_observe(series, 0.005);
    metric_observe(series, 1);
    metric_observe(series, 3);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 65536);
    metrics_render(metrics, &out);
    assert_string_equal(buf_text(&out), "# HELP requests_total Requests.\n"
                                        "# TYPE requests_total counter\n"
                                        "requests_total{code=\"200\",path=\"a\\\"\\\\\\nb\"} 3\n"
                                        "# HELP depth Depth.\n"
                                        "# TYPE depth gauge\n"
                                        "depth -1.5\n"
                                        "# HELP s Seconds.\n"
                                        "# TYPE s histogram\n"
                                        "s_bucket{q=\"x\",le=\"0.005\"} 1\n"
                                        "s_bucket{q=\"x\",le=\"0.5\"} 1\n"
                                        "s_bucket{q=\"x\",le=\"2\"} 2\n"
                                        "s_bucket{q=\"x\",le=\"+Inf\"} 3\n"
                                        "s_sum{q=\"x\"} 4.005\n"
                                        "s_count{q=\"x\"} 3\n");
    metrics_free(metrics);
}

static void test_ceiling_of_series(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct metric *metric =
        metrics_add(metrics, &(struct metric_family){METRIC_GAUGE, "g", "G.", {"l"}, NULL, 0, 2});
    struct metric_series *a = metric_get_series(metric, (const char *[]){"a"});
    struct metric_series *b = metric_get_series(metric, (const char *[]){"b"});
    struct metric_series *c = metric_get_series(metric, (const char *[]){"c"});
    assert_ptr_equal(a, metric_get_series(metric, (const char *[]){"a"}));
    assert_ptr_not_equal(a, b);
    assert_ptr_equal(c, metric_get_series(metric, (const char *[]){"d"}));
    assert_ptr_equal(c, metric_get_series(metric, (const char *[]){"exceeded_cardinality_limit"}));
    metrics_free(metrics);
}

static void *add_many(void *ctx)
{
    struct metric *metric = ctx;
    for (int i = 0; i < 10000; i++)
        metric_add(metric_get_series(metric, (const char *[]){i % 2 ? "odd" : "even"}), 1);
    return NULL;
}

static void test_threads_lose_no_count(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct metric *metric =
        metrics_add(metrics, &(struct metric_family){METRIC_COUNTER, "c", "C.", {"l"}, NULL, 0, 0});
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        threads[i] = thread_start("adder", add_many, metric);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        thread_join(threads[i]);
    assert_true(metric_get(metric_get_series(metric, (const char *[]){"odd"})) == 20000);
    assert_true(metric_get(metric_get_series(metric, (const char *[]){"even"})) == 20000);
    metrics_free(metrics);
}

static void test_process_families(void **state)
{
    (void)state;
    static const char *const names[] = {
        "process_cpu_seconds_total ",
        "process_resident_memory_bytes ",
        "process_virtual_memory_bytes ",
        "process_open_fds ",
        "process_max_fds ",
        "process_start_time_seconds ",
    };
    struct metrics *metrics = metrics_new();
    struct process_metrics *process = process_metrics_new(metrics);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 65536);
    metrics_render(metrics, &out);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_non_null(strstr(buf_text(&out), names[i]));
    assert_null(strstr(buf_text(&out), "\nprocess_resident_memory_bytes 0\n"));
    assert_null(strstr(buf_text(&out), "\nprocess_start_time_seconds 0\n"));
    metrics_free(metrics);
    process_metrics_free(process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_form),
        cmocka_unit_test(test_ceiling_of_series),
        cmocka_unit_test(test_threads_lose_no_count),
        cmocka_unit_test(test_process_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
