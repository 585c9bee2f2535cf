/* Ranking first, then what became of the attempt that the ledger names. */
#include "reconcile/observe.h"

#include "base/cleanup.h"
#include "reconcile/health.h"
#include "reconcile/identity.h"
#include "reconcile/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROOF_SPACING_MS = 60 * 1000, ATTEMPT_GRACE_MS = 5 * 60 * 1000, FOUND_LIFE_MS = 60 * 1000 };

void lookups_note(struct lookups *lookups, const char *subject, bool found, int64_t mono_ms)
{
    if (strcmp(lookups->subject, subject) != 0 || found) {
        *lookups = (struct lookups){0};
        snprintf(lookups->subject, sizeof(lookups->subject), "%s", subject);
    }
    lookups->last_ms = mono_ms;
    if (found)
        return;
    if (lookups->empty_count++ == 0)
        lookups->first_empty_ms = mono_ms;
}

bool lookups_prove_absence(const struct lookups *lookups, const char *subject)
{
    return strcmp(lookups->subject, subject) == 0 && lookups->empty_count >= 2 &&
           lookups->last_ms - lookups->first_empty_ms >= PROOF_SPACING_MS;
}

const struct host *observed_find(const struct observed *seen, const char *id)
{
    for (size_t i = 0; id && i < seen->host_count; i++)
        if (strcmp(seen->hosts[i].id, id) == 0)
            return &seen->hosts[i];
    return NULL;
}

static void add_host(struct observed *seen, const struct host *host)
{
    if (observed_find(seen, host->id))
        return;
    if (seen->host_count < HOSTS_MAX)
        seen->hosts[seen->host_count++] = *host;
}

/* What RunInstances or a look-up said counts until the inventory says more, but not for ever. */
static void add_found(struct memory *memory, struct inventory *inventory, struct moment now,
                      struct observed *seen)
{
    struct host listed;
    if (!memory->found.id[0])
        return;
    if (inventory_get(inventory, memory->found.id, &listed))
        memory->found.id[0] = '\0';
    else if (memory->found.state == HOST_TERMINATED ||
             now.mono_ms - memory->found.state_since_ms < FOUND_LIFE_MS)
        add_host(seen, &memory->found);
}

static bool matches(const char *a, const char *b)
{
    return a && a[0] && strcmp(a, b) == 0;
}

/* Lower is better: alive before dead, then the ledger's own, then the token's, then the oldest. */
static int64_t rank(const struct ledger *ledger, const struct host *host)
{
    int64_t class = 2;
    if (matches(ledger->instance_id, host->id))
        class = 0;
    else if (matches(ledger->token, host->token))
        class = 1;
    if (!host_is_live(host))
        class += 3;
    return class * (INT64_C(1) << 50) + host->launch_ms;
}

static void sort_hosts(const struct ledger *ledger, struct observed *seen)
{
    for (size_t i = 1; i < seen->host_count; i++)
        for (size_t k = i; k > 0 && rank(ledger, &seen->hosts[k]) < rank(ledger, &seen->hosts[k - 1]); k--) {
            struct host other = seen->hosts[k];
            seen->hosts[k] = seen->hosts[k - 1];
            seen->hosts[k - 1] = other;
        }
    for (size_t i = 0; i < seen->host_count; i++)
        seen->live_count += host_is_live(&seen->hosts[i]) ? 1 : 0;
}

static const struct host *find_attempt_host(const struct ledger *ledger, const struct observed *seen)
{
    for (size_t i = 0; i < seen->host_count; i++) {
        const struct host *host = &seen->hosts[i];
        if (matches(ledger->instance_id, host->id) ||
            (!ledger->instance_id && matches(ledger->token, host->token)))
            return host;
    }
    return NULL;
}

/* behaviour.md section 2: what is younger may be hidden from every kind of look-up. */
static bool is_attempt_absent(const struct observe_input *in, const char *subject)
{
    bool is_old = in->now.wall_ms - in->want->status.launch.started_ms > ATTEMPT_GRACE_MS;
    return is_old && lookups_prove_absence(&in->memory->lookups, subject);
}

static enum attempt_state judge_attempt(const struct observe_input *in, const struct observed *seen)
{
    const struct ledger *ledger = &in->want->status.launch;
    const struct host *host = find_attempt_host(ledger, seen);
    /* One list without the ledger's own host does not make another one its successor. */
    if (ledger->instance_id && !host && !is_attempt_absent(in, ledger->instance_id))
        return ATTEMPT_MISSING;
    if (seen->live_count > 0)
        return ATTEMPT_LIVE;
    if (host)
        return host->state == HOST_TERMINATED ? ATTEMPT_DEAD : ATTEMPT_ENDING;
    if (ledger_is_open(ledger))
        return is_attempt_absent(in, ledger->token) ? ATTEMPT_DEAD : ATTEMPT_OPEN;
    return ledger->instance_id || ledger->history_count > 0 ? ATTEMPT_DEAD : ATTEMPT_NONE;
}

/* The ledger's own first: a deployment id may have had more hosts than are looked at. */
static void add_listed(const struct observe_input *in, struct observed *seen)
{
    struct host listed[HOSTS_MAX];
    const char *known_id = in->want->status.launch.instance_id;
    if (known_id && inventory_get(in->inventory, known_id, &listed[0]))
        add_host(seen, &listed[0]);
    if (!seen->is_owner) /* what carries the id is the owner's */
        return;
    size_t count = inventory_find(in->inventory, in->want->deployment_id, listed, HOSTS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!identity_is_of_another(in->config, in->want, &listed[i]))
            add_host(seen, &listed[i]);
        else if (host_is_live(&listed[i]))
            seen->foreign_host = arena_strdup(in->arena, listed[i].id);
    }
}

/* A host that we changed, and that no look at EC2 has brought since. */
static bool is_any_awaited(struct inventory *inventory, const struct ledger *ledger,
                           const struct observed *seen)
{
    for (size_t i = 0; i < seen->host_count; i++)
        if (inventory_is_awaited(inventory, seen->hosts[i].id))
            return true;
    return ledger->instance_id && inventory_is_awaited(inventory, ledger->instance_id);
}

void observe(const struct observe_input *in, struct observed *ret_seen)
{
    struct observed *seen = ret_seen;
    struct memory *memory = in->memory;
    const struct ledger *ledger = &in->want->status.launch;
    *seen = (struct observed){.memory = memory};
    seen->is_inventory_complete = inventory_completed_ms(in->inventory) > 0;
    int64_t health_ms = inventory_health_ms(in->inventory);
    seen->is_health_fresh = health_ms > 0 && in->now.mono_ms - health_ms <= HEALTH_AGE_MAX_MS;
    seen->is_store_fresh = !memory->written_version[0] ||
                           resource_version_compare(in->want->resource_version, memory->written_version) >= 0;
    seen->is_store_stale = store_is_stale(in->store, in->now.mono_ms);
    CLEANUP(freep) char *owner = store_owner_of(in->store, in->want->deployment_id);
    seen->owner = arena_strdup(in->arena, owner);
    seen->lacks_room = store_is_refused(in->store, in->want->key);
    seen->is_owner = !owner || strcmp(owner, in->want->key) == 0;
    add_listed(in, seen);
    add_found(memory, in->inventory, in->now, seen);
    seen->is_inventory_fresh = !is_any_awaited(in->inventory, ledger, seen);
    sort_hosts(ledger, seen);
    seen->attempt = judge_attempt(in, seen);
    if (seen->attempt == ATTEMPT_MISSING)
        seen->live_count = 0; /* others do not win while the ledger's own may be there */
    if (in->fleet)
        fleet_look(in->fleet, in->want->deployment_id, in->now, &seen->fleet);
}
