/* service_internal: the parts of a struct sim_service, for service.c, imds.c and admin*.c only.
 *
 * Model: see service.h; every function here is called with the lock held. Threads: as said.   Ownership: the
 * service's.   Limits: below.   Errors: are replies. */
#ifndef TEE_TEST_SIM_SERVICE_INTERNAL_H
#define TEE_TEST_SIM_SERVICE_INTERNAL_H

#include "base/hmap.h"
#include "sim/capacity.h"
#include "sim/ec2.h"
#include "sim/fault.h"
#include "sim/service.h"
#include "sim/throttle.h"

#include <pthread.h>

enum { SIM_MAX_CALLS = 20000, SIM_MAX_KEYS = 64 };

struct sim_record {
    uint64_t number;
    int64_t at_ms;
    char action[64];
    int status; /* 0 = no answer went out */
    char code[80];
    char client_token[80];
    char touched[SIM_TOUCHED_SIZE];
    bool is_faulted;
};

struct sim_service {
    pthread_mutex_t mutex;
    struct world *world;
    struct sim_faults faults;
    struct sim_throttle throttle;
    struct sim_capacity capacity;
    char *cluster_id;
    int64_t offset_ms;
    uint64_t release;
    uint64_t call_count;
    struct sim_record *records; /* a ring of SIM_MAX_CALLS */
    struct sim_key keys[SIM_MAX_KEYS];
    size_t key_count; /* ever issued; the ring holds the last ones */
    struct hmap imds_tokens;
};

int64_t sim_service_now_ms(const struct sim_service *service);
void sim_admin_handle(struct sim_service *service, const struct sim_request *request,
                      struct sim_reply *reply);
void sim_container_handle(struct sim_service *service, const struct sim_request *request,
                          struct sim_reply *reply);
/* A new temporary key; lent until SIM_MAX_KEYS more were made. */
struct sim_key *sim_issue_key(struct sim_service *service, int64_t life_ms, const char *session);
/* The actions of STS that concern keys; see sts_decode.h for the rest. */
bool sim_roles_has(const struct sim_query *query);
bool sim_roles_is_unsigned(const struct sim_query *query);
/* key: who signed; NULL for an unsigned action. */
int sim_roles_call(struct sim_service *service, struct sim_call *call, const struct sim_key *key);
/* The refusal of a signature as STS names it. */
void sim_roles_rename(struct sim_fail *fail);
void sim_imds_handle(struct sim_service *service, const struct sim_request *request, struct sim_reply *reply);

void sim_admin_set_throttle(struct sim_service *service, const struct sim_request *request,
                            struct sim_reply *reply);
void sim_admin_set_capacity(struct sim_service *service, const struct sim_request *request,
                            struct sim_reply *reply);
void sim_admin_clear_capacity(struct sim_service *service, const struct sim_request *request,
                              struct sim_reply *reply);
/* Of the admin interface's parts; `text` is after "/_sim/instances/". */
void sim_admin_change_instance(struct sim_service *service, const char *id, const struct sim_request *request,
                               struct sim_reply *reply);
void sim_admin_list_instances(struct sim_service *service, struct sim_reply *reply);
void sim_admin_refuse(struct sim_reply *reply, int status, const char *message);

#endif
