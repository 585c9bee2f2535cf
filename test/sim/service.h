/* service: everything the simulator knows, and what it answers to an HTTP request or an enclave's listener.
 *
 * Model: sim_service_handle() takes a whole request and yields a whole reply: EC2 and STS at `POST /`,
 * IMDSv2 under /latest/, EKS Pod Identity at /v1/credentials, the admin interface under /_sim/. A reply may
 * ask the server to wait, to hold it until sim_service_get_release() moves on, or to cut the connection.
 * sim_service_view() says what lives behind a private address right now. The simulator's clock is the real
 * one plus an offset that only grows; signatures, credentials and documents go by the real one. Threads: any;
 * one lock around each call. Ownership: the reply owns its body. Limits: bodies of 1 MiB, 20,000 recorded
 * calls, 256 faults.   Errors: are replies. */
#ifndef TEE_TEST_SIM_SERVICE_H
#define TEE_TEST_SIM_SERVICE_H

#include "base/buf.h"
#include "nitro/native.h"
#include "sim/signature.h"
#include "sim/world.h"

enum { SIM_BODY_MAX = 1024 * 1024, SIM_REPLY_MAX = 64 * 1024 * 1024 };

struct sim_service;

struct sim_reply {
    int status;
    const char *content_type;
    char ttl[16]; /* of an IMDS token; "" = no such header */
    struct buf body;
    int64_t delay_ms;
    bool cut;
    bool hold;
};

enum sim_host { SIM_HOST_NONE, SIM_HOST_BOOTING, SIM_HOST_READY };

/* What a request to a private address meets. */
struct sim_view {
    enum sim_host host;
    struct native_boot boot;
    char instance_id[SIM_ID_SIZE];
    char module_id[SIM_MODULE_SIZE];
    char digest[ENCLAVE_DIGEST_SIZE];
    char role_arn[256]; /* "" = no instance profile */
    uint8_t public_key[SIM_KEY_BYTES];
    bool debug;
    enum sim_defect defect;
    char earlier_nonce[80]; /* hex, of an earlier request of this boot; "" = none */
};

struct sim_service *sim_service_new(const struct world_options *options, const char *cluster_id);
struct sim_service *sim_service_free(struct sim_service *service);
/* Of the published buckets; 0 = off, as it begins. */
void sim_service_set_throttle(struct sim_service *service, int percent);
void sim_service_handle(struct sim_service *service, const struct sim_request *request,
                        struct sim_reply *ret_reply);
void sim_reply_done(struct sim_reply *reply);
/* Held replies go out when this number has changed since they were held. */
uint64_t sim_service_get_release(struct sim_service *service);
/* nonce is in hex, or NULL where the protocol has none; the service remembers it. */
void sim_service_view(struct sim_service *service, uint32_t address, const char *nonce,
                      struct sim_view *ret_view);

#endif
