/* ports: the effects that the reconciler may ask for. The only way from pkg/reconcile to the world.
 *
 * Model: one table of functions, filled by cmd/controller/wire.c with adapters over kube and nitro, and by
 * the scenario tests with an API server and an EC2 in memory. Every call may block up to its own deadline,
 * or until the pass's time is over (base/deadline.h), and none is made under a lock. Each returns 0 or -1
 * with err; ERROR_UNAVAILABLE of a change means that its outcome is unknown. Threads: any, at the same time.
 * Ownership: inputs are borrowed; a ret_ object is the caller's. Limits: the adapters'.   Errors: error.h's
 * kinds; outcome.h says what each leads to. */
#ifndef TEE_RECONCILE_PORTS_H
#define TEE_RECONCILE_PORTS_H

#include "reconcile/effective.h"
#include "reconcile/observed.h"

struct launch_request {
    const struct teedeployment *object;
    const struct tee_spec *effective;
    const char *token;
    const char *subnet_id; /* or NULL */
    const char *hash;      /* for the tag tee-launch-hash */
    int hash_version;
    const char *cluster_id;
};

/* Why EC2 would not launch, in full; struct error has room for the beginning only. "" = err has it all. */
struct dry_run_reply {
    char detail[1024];
    bool is_held; /* ERROR_THROTTLED by our own share of the rate: EC2 was not asked */
};

enum find_by { FIND_BY_TOKEN, FIND_BY_DEPLOYMENT_TAG, FIND_BY_ID, FIND_FOR_ADOPTION };

struct find_request {
    enum find_by by;
    const char *value;                  /* token, deployment id or instance id */
    const struct teedeployment *object; /* FIND_FOR_ADOPTION: tee-namespace and tee-name are tried too */
};

struct attest_request {
    const struct teedeployment *object;
    const struct tee_spec *effective;
    const struct host *host;
    bool has_profile;    /* the instance was launched with an instance profile */
    struct arena *arena; /* for the strings of the answer */
};

struct attest_reply {
    bool has_connected;  /* TCP was accepted */
    bool has_document;   /* `verdict` is filled, accepted or not; else err says why there is none */
    char boot_phase[32]; /* from a host that is still booting; "" = none */
    int64_t boot_seconds;
    struct tee_attestation_status
        verdict;       /* verdict, reason, message and facts; no times of our own but verified_ms */
    uint8_t *document; /* the evidence; heap, the caller frees */
    size_t document_len;
};

struct object_event {
    const char *type; /* Normal or Warning */
    const char *reason;
    const char *action;
    const char *note;
};

struct ports {
    void *ctx;
    /* A live GET. *ret_object NULL: there is no such object. */
    int (*get_object)(void *ctx, const char *name_space, const char *name, struct teedeployment **ret_object,
                      struct error *err);
    /* ret_version: the resourceVersion after the write, at least 66 bytes. */
    int (*set_finalizer)(void *ctx, const struct teedeployment *object, bool present, char *ret_version,
                         struct error *err);
    int (*apply_status)(void *ctx, const struct teedeployment *object, const char *resource_version,
                        const char *manager, const char *status_json, char *ret_version, struct error *err);
    void (*emit_event)(void *ctx, const struct teedeployment *object, const struct object_event *event);

    int (*run_host)(void *ctx, const struct launch_request *request, struct host *ret_host,
                    struct error *err);
    /* What EC2 knows of the type, image and subnets of a launch; each fact has its own error. -1: EC2 was
     * not asked, because we are stopping or our own share of the rate is used up. */
    int (*preflight_describe)(void *ctx, const struct launch_request *request, struct launch_facts *ret_facts,
                              struct error *err);
    /* Would EC2 make this very launch? Changes nothing. */
    int (*preflight_dry_run)(void *ctx, const struct launch_request *request, struct dry_run_reply *ret_reply,
                             struct error *err);
    /* A number for the AWS credentials in use: others, another number. Does not block for long. */
    uint64_t (*keys_stamp)(void *ctx);
    /* These three may only have been asked for when they return: the state is seen to change, or the host is
     * awaited no more and the next ask is answered with the error, if there was one. ERROR_THROTTLED: an ask
     * is under way. */
    int (*start_host)(void *ctx, const char *id, struct error *err);
    int (*stop_host)(void *ctx, const char *id, struct error *err);
    int (*terminate_host)(void *ctx, const char *id, struct error *err);
    /* Found hosts, at most HOSTS_MAX; none is a success with *ret_count 0. An unknown id is none. */
    int (*find_hosts)(void *ctx, const struct find_request *request, struct host *ret_hosts,
                      size_t *ret_count, struct error *err);
    /* Sets one or more of our tags, ended by a NULL key. */
    int (*tag_host)(void *ctx, const char *id, const struct tee_tag *tags, struct error *err);

    /* What the host's console ends with, made safe to show: whole lines, at most size - 1 bytes, "" if there
     * are none. */
    int (*read_console)(void *ctx, const char *id, char *ret_tail, size_t size, struct error *err);

    /* -1 with ERROR_UNAVAILABLE: no document; *ret_answer still tells has_connected and boot_phase.
     * ERROR_THROTTLED: no permit now. */
    int (*attest)(void *ctx, const struct attest_request *request, struct attest_reply *ret_answer,
                  struct error *err);

    /* How long we may still act, by the lease; <= 0: not at all. */
    int64_t (*lease_left_ms)(void *ctx);
    /* A look at the hosts that the inventory awaits is wanted soon. */
    void (*want_look)(void *ctx);
};

#endif
