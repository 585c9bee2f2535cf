/* See readiness.h. */
#include "readiness.h"

#include <stdio.h>

/* What no waiting mends: the peer says that we may not, or that there is no such thing. */
static bool is_refused(const struct readiness_slot *slot)
{
    return slot->kind == ERROR_DENIED || slot->kind == ERROR_ABSENT;
}

void readiness_slot_set(struct readiness_slot *slot, const struct error *err)
{
    slot->kind = err ? err->kind : ERROR_NONE;
    snprintf(slot->text, sizeof(slot->text), "%s", err ? err->text : "");
}

static int badness(const struct readiness_slot *slot)
{
    return is_refused(slot) ? 2 : slot->kind != ERROR_NONE;
}

const struct readiness_slot *readiness_worse(const struct readiness_slot *a, const struct readiness_slot *b)
{
    return badness(b) > badness(a) ? b : a;
}

/* Yields is_ok. */
static bool put_part(struct buf *out, const char *name, bool is_ok, const char *text)
{
    buf_printf(out, "[%c] %s %s%s%s\n", is_ok ? '+' : '-', name, is_ok ? "ok" : "not ready",
               text[0] ? ": " : "", text);
    return is_ok;
}

static bool put_store(const struct readiness_facts *facts, struct buf *out)
{
    char text[400];
    const char *said = facts->watch->text;
    if (!facts->is_listed || !facts->is_stale)
        return put_part(out, "store", facts->is_listed && !is_refused(facts->watch), said);
    snprintf(text, sizeof(text), "the API server was not heard for %lld s%s%s",
             (long long)facts->silent_ms / 1000, said[0] ? ": " : "", said);
    return put_part(out, "store", false, text);
}

bool readiness_put(const struct readiness_facts *facts, struct buf *out)
{
    const struct readiness *readiness = facts->readiness;
    bool is_started = put_part(out, "start", readiness->start.kind == ERROR_NONE, readiness->start.text);
    bool has_store = put_store(facts, out);
    bool is_defined =
        put_part(out, "definition", readiness->definition.kind == ERROR_NONE, readiness->definition.text);
    bool has_hosts = put_part(out, "inventory", facts->has_inventory && !is_refused(&readiness->inventory),
                              readiness->inventory.text);
    buf_printf(out, "role: %s\n", facts->is_leader ? "leader" : "standby");
    return is_started && has_store && is_defined && has_hosts;
}
