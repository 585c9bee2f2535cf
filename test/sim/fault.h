/* fault: the scripted misfortunes of calls.
 *
 * Model: a script is a list; a call takes the first fault that names its action (or "*") and is not still
 * skipping; each time it is met, `skip` and then `count` go down, and a fault with none left is dropped.
 * Threads: none.   Ownership: the script owns its faults; sim_faults_take() copies one out. Limits: 256
 * faults. Errors: -1 when full. */
#ifndef TEE_TEST_SIM_FAULT_H
#define TEE_TEST_SIM_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIM_MAX_FAULTS = 256 };
enum sim_cut { SIM_CUT_NONE, SIM_CUT_BEFORE, SIM_CUT_AFTER };

struct sim_fault {
    char action[64];
    long count; /* calls hit, at least 1 */
    long skip;  /* calls let through first */
    char code[80];
    int http_status; /* 0 = by the code */
    int64_t latency_ms;
    enum sim_cut cut; /* the answer's body, before or after the call took effect */
    bool hold;        /* after the effect, no answer until the script is cleared */
    bool commit;      /* the code is answered although the call took effect */
};

struct sim_faults {
    struct sim_fault items[SIM_MAX_FAULTS];
    size_t count;
};

int sim_faults_add(struct sim_faults *faults, const struct sim_fault *fault);
/* False: none for this call. */
bool sim_faults_take(struct sim_faults *faults, const char *action, struct sim_fault *ret_fault);
/* Codes of missing capacity, which bind a client token all the same. */
bool sim_fault_is_capacity(const char *code);
/* What the real service answers with that code. */
int sim_fault_status(const struct sim_fault *fault);

#endif
