/* The flight recorder: what the ring keeps, its two forms, and many threads at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/flight.h"
#include "base/thread.h"

/* The lines of a dump, in a file that is gone when it is closed. */
static FILE *dump(struct flight *flight, enum log_format format, size_t *ret_count)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    *ret_count = flight_dump(flight, fileno(file), format);
    rewind(file);
    return file;
}

static json_t *next_line(FILE *file)
{
    char line[2048];
    return fgets(line, sizeof(line), file) ? json_loads(line, 0, NULL) : NULL;
}

static const char *text_of(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

static void test_json(void **state)
{
    (void)state;
    struct flight *flight = flight_new();
    int64_t before_ms = clock_wall_ms(clock_real());
    flight_record(flight, &(struct flight_note){FLIGHT_WATCH, "added", "ns/a", NULL, 7});
    flight_record(flight, &(struct flight_note){FLIGHT_EC2, "RunInstances", NULL, "Insuffi\"cient\n", 12});
    flight_record(NULL, &(struct flight_note){FLIGHT_EC2, "RunInstances", NULL, NULL, 0});
    size_t count = 0;
    CLEANUP(fclosep) FILE *file = dump(flight, LOG_FORMAT_JSON, &count);
    assert_int_equal(count, 2);
    json_t *line = next_line(file);
    assert_string_equal(text_of(line, "msg"), "Transition");
    assert_string_equal(text_of(line, "part"), "watch");
    assert_string_equal(text_of(line, "what"), "added");
    assert_string_equal(text_of(line, "key"), "ns/a");
    assert_null(json_object_get(line, "reason"));
    assert_int_equal(json_integer_value(json_object_get(line, "value")), 7);
    int64_t at_ms = 0;
    assert_int_equal(time_parse(text_of(line, "ts"), &at_ms), 0);
    assert_true(at_ms >= before_ms && at_ms <= clock_wall_ms(clock_real()));
    json_decref(line);
    line = next_line(file);
    assert_string_equal(text_of(line, "part"), "ec2");
    assert_string_equal(text_of(line, "reason"), "Insuffi\"cient\n");
    json_decref(line);
    assert_null(next_line(file));
    flight_free(flight);
}

static void test_text(void **state)
{
    (void)state;
    struct flight *flight = flight_new();
    flight_record(flight, &(struct flight_note){FLIGHT_PLAN, "Run", "ns/a b", "two\nlines", -1});
    size_t count = 0;
    char line[512];
    CLEANUP(fclosep) FILE *file = dump(flight, LOG_FORMAT_TEXT, &count);
    assert_int_equal(count, 1);
    assert_non_null(fgets(line, sizeof(line), file));
    assert_non_null(strstr(line, " info  Transition number=1 part=plan what=Run key=\"ns/a b\" "
                                 "reason=\"two\\nlines\" value=-1 thread="));
    assert_null(fgets(line, sizeof(line), file));
    flight_free(flight);
}

/* The last 4,096 are kept, in order; of long texts the part that says most. */
static void test_ring(void **state)
{
    (void)state;
    struct flight *flight = flight_new();
    char long_key[400];
    char long_reason[100];
    memset(long_key, 'k', sizeof(long_key));
    snprintf(long_key + sizeof(long_key) - 6, 6, "/name");
    memset(long_reason, 'r', sizeof(long_reason));
    long_reason[0] = 'R';
    long_reason[sizeof(long_reason) - 1] = '\0';
    for (int i = 1; i <= FLIGHT_ENTRIES + 1000; i++)
        flight_record(flight, &(struct flight_note){FLIGHT_QUEUE, "added", long_key, long_reason, i});
    size_t count = 0;
    CLEANUP(fclosep) FILE *file = dump(flight, LOG_FORMAT_JSON, &count);
    assert_int_equal(count, FLIGHT_ENTRIES);
    for (int i = 0; i < FLIGHT_ENTRIES; i++) {
        json_t *line = next_line(file);
        assert_int_equal(json_integer_value(json_object_get(line, "value")), 1001 + i);
        assert_int_equal(json_integer_value(json_object_get(line, "number")), 1001 + i);
        const char *key = text_of(line, "key");
        assert_int_equal(strlen(key), 87);
        assert_string_equal(key + 82, "/name");
        assert_int_equal(strlen(text_of(line, "reason")), 31);
        assert_int_equal(text_of(line, "reason")[0], 'R');
        json_decref(line);
    }
    assert_int_equal(flight_get_lost(flight), 0);
    flight_free(flight);
}

enum { THREADS = 8, EACH = 40000 };

struct crowd {
    struct flight *flight;
    atomic_int running;
};

/* Key, reason and value of an entry belong together: a torn one shows. */
static void *record_many(void *ctx)
{
    struct crowd *crowd = ctx;
    for (int i = 0; i < EACH; i++) {
        char key[16];
        char reason[16];
        snprintf(key, sizeof(key), "%07d", i);
        snprintf(reason, sizeof(reason), "%07d", EACH - i);
        flight_record(crowd->flight, &(struct flight_note){FLIGHT_QUEUE, "added", key, reason, i});
    }
    atomic_fetch_sub(&crowd->running, 1);
    return NULL;
}

static size_t check_whole(FILE *file)
{
    size_t count = 0;
    json_int_t last = 0;
    for (json_t *line = next_line(file); line; line = next_line(file)) {
        json_int_t value = json_integer_value(json_object_get(line, "value"));
        json_int_t number = json_integer_value(json_object_get(line, "number"));
        assert_int_equal(strtol(text_of(line, "key"), NULL, 10), value);
        assert_int_equal(strtol(text_of(line, "reason"), NULL, 10), EACH - value);
        assert_true(number > last);
        last = number;
        count++;
        json_decref(line);
    }
    return count;
}

/* While eight threads record, what is dumped is whole and in order; afterwards the ring is full but for the
 * entries that found their slot taken. Without the second look at the number in read_slot() this fails. */
static void test_many_threads(void **state)
{
    (void)state;
    struct crowd crowd = {.flight = flight_new(), .running = THREADS};
    pthread_t threads[THREADS];
    size_t count = 0;
    for (size_t i = 0; i < THREADS; i++)
        threads[i] = thread_start("recorder", record_many, &crowd);
    while (atomic_load(&crowd.running) > 0) {
        CLEANUP(fclosep) FILE *file = dump(crowd.flight, LOG_FORMAT_JSON, &count);
        assert_int_equal(check_whole(file), count);
    }
    for (size_t i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    CLEANUP(fclosep) FILE *file = dump(crowd.flight, LOG_FORMAT_JSON, &count);
    assert_int_equal(check_whole(file), count);
    assert_true((int64_t)count >= FLIGHT_ENTRIES - flight_get_lost(crowd.flight));
    flight_free(crowd.flight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
