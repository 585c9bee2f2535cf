/* defect: what can be wrong with the document or the answer of an enclave.
 *
 * Model: one at a time for an instance, set through the admin interface by its name; enclave_answer.c makes
 * it. Threads: any. Ownership: constants.   Limits: none.   Errors: none. */
#ifndef TEE_TEST_SIM_DEFECT_H
#define TEE_TEST_SIM_DEFECT_H

enum sim_defect {
    SIM_DEFECT_NONE,
    SIM_DEFECT_WRONG_PCR,
    SIM_DEFECT_DEBUG,
    SIM_DEFECT_WRONG_INSTANCE,
    SIM_DEFECT_STALE,
    SIM_DEFECT_FUTURE,
    SIM_DEFECT_REPLAY_NONCE,
    SIM_DEFECT_WRONG_NONCE,
    SIM_DEFECT_FOREIGN_ROOT,
    SIM_DEFECT_MALFORMED,
    SIM_DEFECT_ENDLESS,
    SIM_DEFECT_SLOW,
    SIM_DEFECT_WRONG_ROLE,
    SIM_DEFECT_NO_NONCE,
    SIM_DEFECT_EXPIRED_CHAIN, /* the leaf ended an hour ago */
    SIM_DEFECT_BAD_CHAIN,     /* no zonal CA */
    SIM_DEFECT_BAD_SIGNATURE,
    SIM_DEFECT_WRONG_ALGORITHM, /* ES256 in the header */
    SIM_DEFECT_COUNT
};

const char *sim_defect_name(enum sim_defect defect);

#endif
