/* capacity: how many more instances of a type a subnet has room for.
 *
 * Model: a place is a type and a subnet ("" = launches that name none). Where a test said how many are free,
 * each instance there that is pending, running or on its way out takes one, and a stopped one none: so a stop
 * frees a place, and a start needs one. Everywhere else there is room without end. Threads: none.
 * Ownership: plain memory, zero = room without end.   Limits: SIM_MAX_PLACES; a look walks over all
 * instances. Errors: -1 when full. */
#ifndef TEE_TEST_SIM_CAPACITY_H
#define TEE_TEST_SIM_CAPACITY_H

#include "sim/ec2.h"

enum { SIM_MAX_PLACES = 64 };

struct sim_place {
    char type[32];
    char subnet_id[40];
    size_t total; /* what it holds, taken or free */
};

struct sim_capacity {
    struct sim_place places[SIM_MAX_PLACES];
    size_t count;
};

/* place->total: so many are free from now on. */
int sim_capacity_set(struct sim_capacity *capacity, const struct world *world, const struct sim_place *place);
/* Room without end at this type and subnet. */
void sim_capacity_unset(struct sim_capacity *capacity, const struct sim_place *place);
/* 0 if `count` more instances like this one fit; else InsufficientInstanceCapacity, as EC2 words it. */
int sim_capacity_check(struct sim_call *call, const struct sim_launch *launch, size_t count);

#endif
