/* flight: a recorder of the last 4,096 transitions, to be read when something went wrong.
 *
 * Model: a ring of entries of one size. Recording takes the next number, claims that slot and copies; it
 * takes no lock and no memory, so that it may stand inside other modules' locks and in every thread. A slot
 * that another thread is just writing (the ring was lapped meanwhile) is left alone and the entry counted as
 * lost. flight_dump() writes what the ring holds, oldest first, one line each, while recording goes on; an
 * entry that is overwritten during the dump is left out. An entry says which object and what happened, never
 * a document, a token or a text of an object. Threads: any.   Ownership: the ring copies key and reason;
 * `what` is a constant of the program. Limits: 4,096 entries of 160 bytes; of a longer key the end is kept,
 * of a longer reason the beginning.   Errors: cannot fail. */
#ifndef TEE_BASE_FLIGHT_H
#define TEE_BASE_FLIGHT_H

#include "base/log.h"

#include <stddef.h>

enum { FLIGHT_ENTRIES = 4096 };
enum flight_part { FLIGHT_WATCH, FLIGHT_QUEUE, FLIGHT_PLAN, FLIGHT_LEASE, FLIGHT_EC2 };

struct flight;

struct flight_note {
    enum flight_part part;
    const char *what;   /* a constant: "added", "RunInstances" */
    const char *key;    /* of the object, or an instance id; may be NULL */
    const char *reason; /* CamelCase or a word; may be NULL */
    int64_t value;      /* mostly milliseconds; each part's own */
};

struct flight *flight_new(void);
/* No recording may be under way. */
struct flight *flight_free(struct flight *flight);
/* flight may be NULL: nothing is recorded. */
void flight_record(struct flight *flight, const struct flight_note *note);
/* Returns the number of lines. */
size_t flight_dump(struct flight *flight, int fd, enum log_format format);
/* Entries that found their slot taken. */
int64_t flight_get_lost(const struct flight *flight);

#endif
