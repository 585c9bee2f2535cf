/* A slot is free while it has no name. */
#include "base/heartbeat.h"

#include "base/mem.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#define NEVER_MS INT64_MAX

struct heartbeat {
    const struct clock *clock;
    const char *_Atomic name;
    atomic_int_least64_t due_ms; /* monotonic: of the next promise */
};

struct heartbeats {
    const struct clock *clock;
    struct heartbeat slots[HEARTBEATS_MAX];
};

struct heartbeats *heartbeats_new(const struct clock *clock)
{
    struct heartbeats *heartbeats = mem_calloc(1, sizeof(*heartbeats));
    heartbeats->clock = clock;
    for (size_t i = 0; i < HEARTBEATS_MAX; i++) {
        heartbeats->slots[i].clock = clock;
        atomic_init(&heartbeats->slots[i].due_ms, NEVER_MS);
    }
    return heartbeats;
}

struct heartbeats *heartbeats_free(struct heartbeats *heartbeats)
{
    free(heartbeats);
    return NULL;
}

struct heartbeat *heartbeat_join(struct heartbeats *heartbeats, const char *name)
{
    if (!heartbeats)
        return NULL;
    for (size_t i = 0; i < HEARTBEATS_MAX; i++) {
        const char *none = NULL;
        if (atomic_compare_exchange_strong(&heartbeats->slots[i].name, &none, name))
            return &heartbeats->slots[i];
    }
    assert(!"more threads than HEARTBEATS_MAX");
    return NULL;
}

void heartbeat_leave(struct heartbeat *heartbeat)
{
    if (!heartbeat)
        return;
    heartbeat_rest(heartbeat);
    atomic_store(&heartbeat->name, NULL);
}

void heartbeat_promise(struct heartbeat *heartbeat, int64_t step_ms)
{
    int64_t within_ms = (step_ms > 0 ? step_ms : 0) + HEARTBEAT_MARGIN_MS;
    if (heartbeat)
        atomic_store(&heartbeat->due_ms, clock_mono_ms(heartbeat->clock) + within_ms);
}

void heartbeat_rest(struct heartbeat *heartbeat)
{
    if (heartbeat)
        atomic_store(&heartbeat->due_ms, NEVER_MS);
}

const char *heartbeats_find_silent(struct heartbeats *heartbeats, int64_t *ret_late_ms)
{
    int64_t now_ms = clock_mono_ms(heartbeats->clock);
    const char *silent = NULL;
    *ret_late_ms = 0;
    for (size_t i = 0; i < HEARTBEATS_MAX; i++) {
        const char *name = atomic_load(&heartbeats->slots[i].name);
        int64_t due_ms = atomic_load(&heartbeats->slots[i].due_ms);
        if (!name || due_ms >= now_ms || now_ms - due_ms <= *ret_late_ms)
            continue;
        silent = name;
        *ret_late_ms = now_ms - due_ms;
    }
    return silent;
}
