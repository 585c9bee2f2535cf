/* lease: who leads, decided from a Lease object and the local clock. PURE.
 *
 * Model: candidates compare what they last saw of the record with their own monotonic clock: a record that
 * has not CHANGED for its duration has no living holder, whatever times are written in it. So clocks of
 * different machines are never compared. A holder may act until the SEND time of its last successful renewal
 * plus the renew deadline, which is shorter than the duration: it stops before another can start. A Lease
 * that somebody deleted changes nothing of that: who saw whose it was waits as long from then, and counts its
 * transitions on. Every write carries the resourceVersion that it was computed from, so that of two
 * candidates one gets 409. Threads: none.   Ownership: a record owns its texts.   Limits: identity 255 bytes.
 * Errors: lease_decode: ERROR_INVALID (MalformedLease). */
#ifndef TEE_KUBE_LEASE_H
#define TEE_KUBE_LEASE_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lease_times {
    int64_t duration_ms;       /* 15 s */
    int64_t renew_deadline_ms; /* 10 s */
    int64_t retry_ms;          /* 2 s */
};

struct lease_record {
    char *metadata; /* JSON: what of metadata is sent back, resourceVersion included */
    char *holder;   /* "" = nobody */
    int64_t duration_ms;
    int64_t acquire_ms; /* wall clock, as written */
    int64_t renew_ms;
    int64_t transitions;
};

/* What a candidate knows. */
struct lease_view {
    bool is_known;  /* the record is the newest; false = ask again, the record still counts as seen */
    bool is_absent; /* and there is no such object; the record is what was last seen of it */
    struct lease_record record; /* holder NULL = none was ever seen */
    int64_t changed_ms;         /* monotonic: when the record was first seen as it is, or absent */
};

enum lease_action { LEASE_LOOK, LEASE_CREATE, LEASE_ACQUIRE, LEASE_RENEW, LEASE_WAIT };

/* duration > renew deadline > 1.2 x retry > 0, all whole milliseconds; duration in whole seconds. */
MUST_CHECK int lease_times_check(const struct lease_times *times, struct error *err);
void lease_view_done(struct lease_view *view);
/* Takes the record, or NULL for "there is none". */
void lease_view_observe(struct lease_view *view, struct lease_record *record, int64_t now_ms);
/* WAIT: look again in *ret_wait_ms. */
enum lease_action lease_decide(const struct lease_view *view, const char *identity,
                               const struct lease_times *times, int64_t now_ms, int64_t *ret_wait_ms);
/* The record that `identity` writes: creates, takes over or renews. wall_ms is now. */
struct lease_record lease_plan_hold(const struct lease_view *view, const char *identity,
                                    const struct lease_times *times, int64_t wall_ms);
/* The record that gives the lease up: no holder, one second. */
struct lease_record lease_plan_release(const struct lease_view *view, int64_t wall_ms);

MUST_CHECK int lease_decode(const char *json, size_t len, struct lease_record *ret_record, struct error *err);
/* name and name_space are used where the record has no metadata yet. */
void lease_encode(const struct lease_record *record, const char *name_space, const char *name,
                  struct buf *out);
void lease_record_done(struct lease_record *record);

#endif
