/* identity_token: is a service account's token good for an audience, right now?
 *
 * Model: a JSON web token of three parts is decoded; its audience must hold the one that is asked for, its
 * time must have begun and not be over (exp is required), and it must name a subject. The signature is not
 * checked: the simulator knows no cluster's key. Threads: any.   Ownership: everything is borrowed.
 * Limits: 20,000 characters. Errors: -1 with a message for the refusal. */
#ifndef TEE_TEST_SIM_IDENTITY_TOKEN_H
#define TEE_TEST_SIM_IDENTITY_TOKEN_H

#include <stddef.h>
#include <stdint.h>

enum sim_token_state { SIM_TOKEN_GOOD, SIM_TOKEN_BAD, SIM_TOKEN_EXPIRED };

enum sim_token_state sim_identity_token_check(const char *token, const char *audience, int64_t now_ms);

#endif
