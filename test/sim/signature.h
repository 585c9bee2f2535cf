/* signature: is a request signed by someone we know?
 *
 * Model: a check of AWS Signature Version 4 that shares no code with the signer it tests. A request is given
 * as its method, path, body and a function that yields headers; keys are known by id, with a secret and, for
 * temporary ones, a session token. The time window is 15 minutes around the real clock. Threads: any.
 * Ownership: everything is borrowed.   Limits: 32 signed headers.   Errors: -1 with a sim_fail as EC2 words
 * it. */
#ifndef TEE_TEST_SIM_SIGNATURE_H
#define TEE_TEST_SIM_SIGNATURE_H

#include "sim/query.h"

#include <stdint.h>

enum { SIM_SESSION_SIZE = 256 };

struct sim_key {
    char id[32];
    char secret[64];
    char token[80];                 /* "" = a long-lived key */
    int64_t expires_ms;             /* 0 = never */
    char session[SIM_SESSION_SIZE]; /* "role/session name"; "" = a long-lived key */
};

struct sim_request {
    const char *method;
    const char *path;
    const char *query; /* as sent, "" if none */
    const void *body;
    size_t body_len;
    /* Copies a header's value by lower-case name; -1 if absent. */
    int (*get_header)(void *ctx, const char *name, char *ret_value, size_t size);
    void *headers;
};

/* NULL if unknown. */
typedef const struct sim_key *sim_find_key(void *ctx, const char *id);

struct sim_keys {
    sim_find_key *find;
    void *ctx;
    const char *service; /* what requests must be signed for */
};

/* *ret_key: who signed. */
int sim_signature_check(const struct sim_request *request, const struct sim_keys *keys, int64_t now_ms,
                        const struct sim_key **ret_key, struct sim_fail *fail);

#endif
