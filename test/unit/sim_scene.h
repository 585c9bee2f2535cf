/* sim_scene: a whole simulator in this process, and calls to it as a client makes them.
 *
 * Model: service, enclave hosts and front on free loopback ports with a new state folder; the front has a
 * thread. EC2 calls are signed with pkg/nitro's signer. Threads: one client.   Ownership: sim_scene_stop()
 * ends and removes all.   Limits: none.   Errors: fail the test. */
#ifndef TEE_TEST_SIM_SCENE_H
#define TEE_TEST_SIM_SCENE_H

#include "http/client.h"
#include "nitro/sigv4.h"
#include "sim/enclave_host.h"
#include "sim/front.h"

struct sim_scene {
    struct sim_service *service;
    struct enclave_host *enclaves;
    struct front *front;
    pthread_t thread;
    struct http_client *client;
    char dir[64];
    long status;      /* of the last call */
    char *body;       /* of the last call, never NULL */
    char id[24];      /* of the instance that it names */
    char address[20]; /* of the instance that it names */
};

/* Keys that stand in a test as they are. */
struct sim_signing_keys {
    const char *access_key_id;
    const char *secret_access_key;
    const char *session_token; /* NULL: none */
};

struct sim_signing {
    struct sim_signing_keys keys;
    const char *region;
    int64_t skew_ms;
    bool is_unsigned;
};

void sim_scene_start(struct sim_scene *scene);
void sim_scene_stop(struct sim_scene *scene);
/* For cmocka: a scene of its own in *state. */
int sim_scene_setup(void **state);
int sim_scene_teardown(void **state);
/* 0, or -1 when no answer came; timeout_ms 0 = 10 s, signing NULL = as it should be. */
int sim_scene_ec2(struct sim_scene *scene, const char *body, int64_t timeout_ms,
                  const struct sim_signing *signing);
/* headers is NULL-terminated or NULL. */
int sim_scene_http(struct sim_scene *scene, const char *method, const char *path, const char *body,
                   const char *const *headers);
/* The text between `before` and the next `after` of the last body; the caller frees; NULL if absent. */
char *sim_scene_find(const struct sim_scene *scene, const char *before, const char *after);

#endif
