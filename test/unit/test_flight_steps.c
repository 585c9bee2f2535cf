/* The flight recorder, interrupted: other threads come in between any two of its atomic operations. Here they
 * are calls from within, in front of its loads, stores and exchanges, so that every crossing happens, once,
 * and always alike: the recorder's own source is compiled in with these operations replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void before_step(void);

static inline uint64_t step_load(_Atomic uint64_t *at)
{
    before_step();
    return atomic_load(at);
}

static inline void step_store(_Atomic uint64_t *at, uint64_t value)
{
    before_step();
    atomic_store(at, value);
}

static inline bool step_exchange(_Atomic uint64_t *at, uint64_t *expected, uint64_t value)
{
    before_step();
    return atomic_compare_exchange_strong(at, expected, value);
}

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_compare_exchange_strong_explicit
#define atomic_load_explicit(at, order)         step_load((_Atomic uint64_t *)(at))
#define atomic_store_explicit(at, value, order) step_store((_Atomic uint64_t *)(at), value)
#define atomic_compare_exchange_strong_explicit(at, expected, value, order, order_of_failure)                \
    step_exchange((_Atomic uint64_t *)(at), expected, value)
#include "base/flight.c"

/* What comes in between: before the step `at`, others record until the ring was lapped. From then on the slot
 * is read before each step. */
static struct interruption {
    struct flight *flight;
    int step;
    int at;
    bool is_armed; /* others are not interrupted themselves */
} interruption;

/* Key, reason and value of an entry belong together: a torn one shows. */
static void record(struct flight *flight, int value)
{
    char key[16];
    char reason[16];
    snprintf(key, sizeof(key), "k%d", value);
    snprintf(reason, sizeof(reason), "r%d", value);
    flight_record(flight, &(struct flight_note){FLIGHT_QUEUE, "added", key, reason, value});
}

/* True if the slot holds that entry; then it is whole. */
static bool holds(struct flight *flight, int number)
{
    struct entry entry;
    char expected[16];
    if (!read_slot(&flight->slots[number % FLIGHT_ENTRIES], (uint64_t)number, &entry))
        return false;
    assert_int_equal(entry.value, number);
    snprintf(expected, sizeof(expected), "k%d", number);
    assert_string_equal(entry.key, expected);
    snprintf(expected, sizeof(expected), "r%d", number);
    assert_string_equal(entry.reason, expected);
    return true;
}

/* Entry 1 and this one share a slot. */
enum { RIVAL = FLIGHT_ENTRIES + 1 };

static void before_step(void)
{
    if (!interruption.is_armed)
        return;
    interruption.is_armed = false;
    if (interruption.step++ == interruption.at)
        for (int number = 2; number <= RIVAL; number++)
            record(interruption.flight, number);
    if (interruption.step > interruption.at) {
        bool has_first = holds(interruption.flight, 1);
        bool has_rival = holds(interruption.flight, RIVAL);
        assert_false(has_first && has_rival);
    }
    interruption.is_armed = true;
}

static void interrupt(struct flight *flight, int at)
{
    interruption = (struct interruption){.flight = flight, .at = at, .is_armed = true};
}

/* False: the steps came to their end before. */
static bool was_interrupted(void)
{
    interruption.is_armed = false;
    return interruption.step > interruption.at;
}

/* Two writers in one slot: the second one is through while the first one stands before one of its steps. One
 * of them has the slot, the other one is counted as lost, and nobody ever reads a mixture. Without the claim
 * in flight_record() the slot is read torn, and the newer entry is gone and not counted. */
static bool cross_writers(int at)
{
    struct flight *flight = flight_new();
    interrupt(flight, at);
    record(flight, 1);
    bool is_crossed = was_interrupted();
    if (is_crossed) {
        /* Whose exchange comes first has the slot; before its own, the first writer makes one more step. */
        assert_int_equal(holds(flight, 1), at > 1);
        assert_int_equal(holds(flight, RIVAL), at <= 1);
        assert_int_equal(flight_get_lost(flight), 1);
        for (int number = 2; number < RIVAL; number++)
            assert_true(holds(flight, number));
    }
    flight_free(flight);
    return is_crossed;
}

static void test_two_writers(void **state)
{
    (void)state;
    int crossings = 0;
    while (cross_writers(crossings))
        crossings++;
    assert_int_equal(crossings, WORDS + 3); /* a load, an exchange and a store around the words */
}

/* A reader that is lapped before any of its steps has no entry. Without the second look at the number in
 * read_slot() it has a torn one. */
static bool cross_reader(int at)
{
    struct flight *flight = flight_new();
    record(flight, 1);
    interrupt(flight, at);
    bool is_found = holds(flight, 1);
    bool is_crossed = was_interrupted();
    assert_int_equal(is_found, !is_crossed);
    if (is_crossed)
        assert_true(holds(flight, RIVAL));
    assert_int_equal(flight_get_lost(flight), 0);
    flight_free(flight);
    return is_crossed;
}

static void test_lapped_reader(void **state)
{
    (void)state;
    int crossings = 0;
    while (cross_reader(crossings))
        crossings++;
    assert_int_equal(crossings, WORDS + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_writers),
                                       cmocka_unit_test(test_lapped_reader)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
