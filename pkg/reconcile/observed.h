/* observed: what we believe about the outside world for one key.
 *
 * Model: a struct memory is what one process remembers about one key between two passes; losing it (a
 * restart) costs time, never correctness: what must survive is the ledger in the object's status. A struct
 * observed is that and the hosts, put together for one plan_next(), with the age of what is believed turned
 * into yes or no. Threads: a memory belongs to the worker that has the key.   Ownership: plain values.
 * Limits: HOSTS_MAX hosts per deployment id are looked at.   Errors: none. */
#ifndef TEE_RECONCILE_OBSERVED_H
#define TEE_RECONCILE_OBSERVED_H

#include "api/teedeployment.h"
#include "reconcile/host.h"
#include "reconcile/preflight.h"

enum { HOSTS_MAX = 8 };
/* What adoption looks for, as struct lookups names it. */
#define ADOPTION_SUBJECT "adoption"

/* Look-ups of something that is not in the inventory: two empty ones, at least 60 s apart, prove absence. */
struct lookups {
    char subject[80]; /* the token or instance id that was looked for; another subject starts anew */
    int empty_count;
    int64_t first_empty_ms; /* monotonic */
    int64_t last_ms;        /* monotonic, of the last one, whatever it answered */
};

/* Start, stop or terminate: what EC2 was asked for, until it is seen. */
struct host_change {
    char id[HOST_ID_SIZE]; /* "" = nothing was asked for */
    char action[16];       /* of plan_action_names */
    char event[20];        /* reason of the Event that tells it once it is seen */
    enum host_state from;
    enum error_kind refusal; /* why EC2 will not do it; ERROR_NONE = it did not refuse */
    char error[200];         /* EC2's answer, with `refusal` */
};

struct memory {
    char uid[130];            /* another uid under the same name starts with an empty memory */
    char written_version[66]; /* resourceVersion of our last write */
    int64_t written_ms;       /* monotonic */
    struct host found;        /* from RunInstances or a look-up, until the inventory has it; id "" = none */
    struct lookups lookups;
    bool is_token_spent;    /* it is looked up, never repeated: a mismatch, or a refusal after an open call */
    bool is_unsent;         /* the attempt is this process's, and no call with an open outcome was made */
    char launch_error[200]; /* why the outcome of the last RunInstances is open, or it was not made */
    int fetch_failures;     /* attestation requests in a row without an answer */
    int64_t fetch_not_before_ms; /* monotonic */
    int64_t fetch_launch_ms;     /* launch time of the boot that the two are about */
    char fetch_error[256];
    char boot_phase[32]; /* what the host says of itself */
    int64_t boot_seconds;
    int64_t answered_launch_ms; /* launch time of the boot in which TCP answered */
    char start_error[200];      /* why EC2 would not start the host; "" = it never refused */
    struct host_change change;  /* the last that was asked for */
    int64_t identity_tried_ms;  /* monotonic: when tags were last put back; 0 = never */
    int64_t throttled_ms;       /* monotonic: since when its calls are put off; 0 = they are not, -1 = told */
};

/* How all objects together stand against their limits; see fleet.h. */
struct fleet_view {
    bool is_spent; /* launches of the last hour */
    bool is_full;  /* instances */
    int launches_in_hour;
    int64_t next_launch_ms; /* wall, with is_spent */
    int instances;
    bool is_repair_spent; /* replacements of failing hosts, of the last quarter of an hour */
};

/* Where there is no room now, by the places of the effective spec's subnet list; see capacity.h. */
struct capacity_view {
    uint32_t short_mask; /* bit i: subnet i */
    bool is_all_short;
    int64_t free_ms;      /* monotonic: when the first of those is to be tried again */
    int64_t host_free_ms; /* the same for a start of the host that is there; 0 = at once */
};

enum attempt_state {
    ATTEMPT_NONE,    /* none was ever written */
    ATTEMPT_OPEN,    /* written, outcome unknown, no instance known */
    ATTEMPT_LIVE,    /* an instance is alive */
    ATTEMPT_ENDING,  /* its instance is shutting down */
    ATTEMPT_MISSING, /* the ledger names an instance that nobody lists */
    ATTEMPT_DEAD     /* proven: terminated, refused by a definite error, or absent twice */
};

struct observed {
    bool is_inventory_complete;
    bool is_inventory_fresh;      /* no host of the key is awaited; inventory.h */
    bool is_health_fresh;         /* EC2 told lately which hosts fail */
    bool is_store_fresh;          /* shows our last write */
    bool is_store_stale;          /* the watch was silent for more than 90 s */
    bool is_owner;                /* no older object has the deployment id */
    const char *owner;            /* key of the one that has it */
    const char *foreign_host;     /* a live one with the deployment id that is another object's, or NULL */
    bool lacks_room;              /* the store refused the object: --cache-limit-mib */
    struct host hosts[HOSTS_MAX]; /* of the deployment id, live ones first by rank */
    size_t host_count;
    size_t live_count; /* 0 with ATTEMPT_MISSING, as nobody is the winner then */
    enum attempt_state attempt;
    struct fleet_view fleet;
    struct capacity_view capacity;
    struct preflight preflight; /* of the launch that would come next; looked up only where one may come */
    const struct memory *memory;
};

/* The winner of behaviour.md section 3 row 5, or NULL. */
static inline const struct host *observed_host(const struct observed *seen)
{
    return seen->live_count > 0 ? &seen->hosts[0] : NULL;
}

#endif
