/* Linear search: there are nine conditions. */
#include "api/condition.h"

#include <assert.h>
#include <string.h>

const char *const condition_types[CONDITION_TYPES] = {"Ready",      "PreflightSucceeded", "HostLaunched",
                                                      "HostBooted", "EnclaveRunning",     "Attested",
                                                      "Drifted",    "Reconciling",        "Stalled"};

bool condition_is_ours(const char *type)
{
    for (size_t i = 0; i < CONDITION_TYPES; i++)
        if (strcmp(condition_types[i], type) == 0)
            return true;
    return false;
}

const struct condition *condition_find(const struct conditions *set, const char *type)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->items[i].type, type) == 0)
            return &set->items[i];
    return NULL;
}

void condition_put(struct conditions *set, const struct conditions *before, struct condition condition,
                   int64_t now_ms)
{
    assert(condition_is_ours(condition.type));
    const struct condition *old = condition_find(before, condition.type);
    bool is_same = old && strcmp(old->status, condition.status) == 0;
    condition.transition_ms = is_same ? old->transition_ms : now_ms;
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->items[i].type, condition.type) == 0) {
            set->items[i] = condition;
            return;
        }
    assert(set->count < CONDITIONS_MAX);
    set->items[set->count++] = condition;
}

const char *text_cut(struct arena *arena, const char *text, size_t max)
{
    if (!text || strlen(text) <= max)
        return text;
    size_t len = max;
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return arena_strndup(arena, text, len);
}
