/* world: an API server, an EC2 and enclaves in memory, on a virtual clock, around the real reconciler.
 *
 * Model: one object story at a time. A "process" is what a restart loses: store, inventory, queue,
 * reconciler. Every effect that the process asks for is counted, traced as one line, and may be made to fail
 * or to be the last thing that the process does. Watch events reach the store at once unless the watch is
 * held; the inventory passes run on the virtual clock. Single-threaded. Threads: none.   Ownership: the world
 * owns all.   Limits: 8 objects, 32 hosts.   Errors: broken rules of the world (two live hosts of one
 * deployment) are kept in `broken`. */
#ifndef TEE_TEST_WORLD_H
#define TEE_TEST_WORLD_H

#include "base/buf.h"
#include "reconcile/reconciler.h"
#include "reconcile/workers.h"

#include <jansson.h>

enum { WORLD_OBJECTS = 8, WORLD_HOSTS = 32 };

enum fault_mode { FAULT_NONE, FAULT_BEFORE, FAULT_AFTER, FAULT_CRASH };

struct world_host {
    struct host host;
    int64_t due_ms; /* mono; when the present state moves on, 0 = never */
    int boots;
    enum host_ailment ailment;
    bool is_hidden;      /* not listed and unknown by id and token: EC2's eventual consistency */
    bool is_unreachable; /* the enclave does not answer */
    const char *verdict; /* what its document is judged as; NULL = Verified */
    const char *reason;
    const char *console; /* what it ends with; NULL = nothing */
    bool is_forgotten;   /* terminated long ago: EC2 knows nothing of it */
};

struct world {
    int64_t mono_ms;
    struct clock clock;
    struct reconcile_config config;
    struct ports ports;

    json_t *objects[WORLD_OBJECTS]; /* the API server's truth */
    int64_t version;
    int64_t uid_count;
    bool is_watch_held;

    struct world_host hosts[WORLD_HOSTS];
    size_t host_count;
    const char *run_error; /* "Kind:Reason" for the next RunInstances calls, NULL = none */
    int run_error_count;
    bool loses_run_answer;     /* the next RunInstances launches, and nobody hears of it */
    int start_short_count;     /* StartInstances calls that find no capacity */
    int stop_refused_count;    /* StopInstances calls that are wrong for the instance */
    const char *dry_run_error; /* code that dry runs are answered with, NULL = none */
    int dry_run_error_count;
    uint64_t keys; /* whose credentials are in use */
    bool is_ec2_away;
    int64_t lease_ms;

    struct store *store; /* the process */
    struct inventory *inventory;
    struct workqueue *queue;
    struct reconciler *reconciler;
    int64_t next_inventory_ms;
    int64_t next_part_ms; /* 0 = nothing is in motion */
    bool is_dead;

    int effect_count;
    int fault_at;
    enum fault_mode fault_mode;
    uint64_t random; /* not 0: each effect may fail or be the last, drawn from this seed */
    struct buf trace;
    char broken[160];
};

void world_init(struct world *world);
void world_done(struct world *world);
/* Starts the process anew, as after SIGKILL. */
void world_restart(struct world *world);

/* The user's hand. `spec` is JSON; a new object gets a uid, an old one the next generation if the spec
 * differs. */
void world_apply(struct world *world, const char *name, const char *spec);
void world_annotate(struct world *world, const char *name, const char *key, const char *value);
void world_delete(struct world *world, const char *name);
/* The outside's hand; the newest live host, asserted to exist. */
struct world_host *world_host(struct world *world);
void world_end_host(struct world *world, struct world_host *host);
struct world_host *world_add_host(struct world *world, const char *deployment_id, const char *token);

/* Lets virtual time pass and the process work; stops early after 30 s of virtual quiet when ms < 0 (at most 1
 * h). */
void world_run(struct world *world, int64_t ms);
void world_settle(struct world *world);
/* The trace gets a line of the story's own. */
void world_say(struct world *world, const char *text);
/* phase, Ready and its reason, hosts alive: one line. */
void world_describe(struct world *world, char *ret_text, size_t size);
size_t world_live_hosts(const struct world *world);
const char *world_condition(struct world *world, const char *name, const char *type, const char *field);

/* Of world_ports.c */
void world_fill_ports(struct world *world);
void world_move_hosts(struct world *world);
json_t *world_find_object(struct world *world, const char *name);
void world_bump(struct world *world, json_t *object);
void world_line(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
