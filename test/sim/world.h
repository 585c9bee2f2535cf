/* world: the simulated account: its instances, their life, and the client tokens.
 *
 * Model: an instance moves pending -> running -> stopping -> stopped or shutting-down -> terminated by due
 * times on the simulator's clock; world_advance() makes every change that is due, in order of time, and each
 * reader calls it first. A terminated instance stays visible for an hour and is then forgotten; a client
 * token is never forgotten. Instances are found by id, by private address, by tag (sim/tag_index.h) and in
 * the order of launch. `now_ms` always comes from the caller.
 * Threads: none (the caller holds one lock). Ownership: the world owns its instances; pointers live until the
 * next world_advance().   Limits: world_new()'s number of live instances.   Errors: a sim_fail. */
#ifndef TEE_TEST_SIM_WORLD_H
#define TEE_TEST_SIM_WORLD_H

#include "sim/defect.h"
#include "sim/enclave_config.h"
#include "sim/query.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SIM_PENDING = 0,
    SIM_RUNNING = 16,
    SIM_SHUTTING_DOWN = 32,
    SIM_TERMINATED = 48,
    SIM_STOPPING = 64,
    SIM_STOPPED = 80
};
enum { SIM_ID_SIZE = 24, SIM_MODULE_SIZE = 48, SIM_KEY_BYTES = 32, SIM_MAX_TAGS = 50, SIM_MAX_GROUPS = 16 };
#define SIM_REGION  "us-east-1"
#define SIM_ACCOUNT "000000000000"

/* How long after launch readers do not yet see something. */
struct sim_lag {
    int64_t unknown_ms; /* InvalidInstanceID.NotFound by id */
    int64_t hidden_ms;  /* missing from lists */
    int64_t no_tags_ms;
    int64_t no_ip_ms;
};

struct sim_tag {
    char *key;
    char *value;
};

/* What RunInstances asked for; the texts are owned, NULL where not given. */
struct sim_launch {
    char *image_id;
    char *type;
    char *subnet_id;
    char *zone; /* never NULL */
    char *client_token;
    char *profile; /* name of the instance profile */
    char *key_name;
    char *group_ids[SIM_MAX_GROUPS];
    size_t group_count;
    char *user_data; /* decoded; may hold any byte but is NUL-terminated */
    size_t user_data_len;
    bool has_enclave;
    struct sim_tag tags[SIM_MAX_TAGS];
    size_t tag_count;
};

struct sim_instance {
    char id[SIM_ID_SIZE];
    char reservation_id[SIM_ID_SIZE];
    uint64_t sequence; /* order of launch, from 1 */
    struct sim_launch launch;
    int state;
    int64_t due_ms; /* of the next change of state; valid while is_queued */
    bool is_queued;
    size_t heap_index;
    uint64_t due_order;
    uint32_t address;
    int64_t launched_ms;
    int64_t started_ms; /* EC2's launchTime: moves at each start */
    int64_t running_ms; /* of this boot */
    int boot_count;
    char module_id[SIM_MODULE_SIZE];
    uint8_t public_key[SIM_KEY_BYTES];
    const char *reason_code; /* constants, or NULL */
    const char *reason_message;
    struct sim_lag lag;
    struct enclave_config config; /* of this boot */
    bool is_crashed;
    bool is_protected; /* disableApiTermination */
    enum sim_defect defect;
    char swapped_digest[ENCLAVE_DIGEST_SIZE]; /* "" = none */
    char earlier_nonce[80];                   /* in hex; "" = none yet */
    const char *system_check;                 /* constants: "ok", "impaired"; NULL = as its state says */
    const char *instance_check;
    char event_code[32]; /* scheduled; "" = none */
    int64_t event_ms;    /* not before */
    char *console;       /* what a test put there; NULL = the boot's own lines */
};

struct world_options {
    uint64_t seed;
    int64_t boot_ms;
    int64_t launch_ms;
    int64_t stop_ms;
    size_t max_instances;
    struct sim_lag lag;
};

struct sim_token {
    char fingerprint[72];
    uint64_t sequence; /* 0 = bound by a launch that failed */
};

struct world;

struct world *world_new(const struct world_options *options);
struct world *world_free(struct world *world);
struct world_options *world_get_options(struct world *world);
void world_advance(struct world *world, int64_t now_ms);
size_t world_count(const struct world *world);
/* Takes the launch's texts, also on failure of the limit. */
struct sim_instance *world_launch(struct world *world, struct sim_launch *launch, int64_t now_ms);
struct sim_instance *world_find(const struct world *world, const char *id);
struct sim_instance *world_find_address(const struct world *world, uint32_t address);
/* The first instance launched after `sequence`, or NULL. */
struct sim_instance *world_next(const struct world *world, uint64_t sequence);
struct sim_instance *world_find_sequence(const struct world *world, uint64_t sequence);
/* All instances with the tag, in order of launch; *ret_list is borrowed until the next change. */
size_t world_find_tag(const struct world *world, const char *key, const char *value,
                      struct sim_instance *const **ret_list);
void world_set_tag(struct world *world, struct sim_instance *instance, const char *key, const char *value);
/* The caller has checked that the state allows it. */
void world_start(struct world *world, struct sim_instance *instance, int64_t now_ms);
void world_stop(struct world *world, struct sim_instance *instance, int64_t now_ms);
void world_terminate(struct world *world, struct sim_instance *instance, int64_t now_ms);
/* NULL, or what the token in that zone ("" = whole region) is bound to. */
const struct sim_token *world_find_token(const struct world *world, const char *zone, const char *token);
void world_bind_token(struct world *world, const char *zone, const char *token,
                      const struct sim_token *bound);
const char *sim_state_name(int state);
void sim_launch_done(struct sim_launch *launch);

#endif
