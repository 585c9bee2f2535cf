/* ec2: one call of the EC2 Query protocol on the simulated account, from parameters to XML.
 *
 * Model: sim_ec2_call() finds the action's row, checks the parameters against its patterns and runs it; a
 * refusal changes nothing, with one exception: a launch refused for capacity still binds its client token
 * (sim_ec2_bind_failed()). Signatures and scripted faults are the caller's (sim/service.h). Threads: none.
 * Ownership: the call borrows; the answer goes to `out`.   Limits: see sim/query.h. Errors: -1 with
 * call->fail.
 */
#ifndef TEE_TEST_SIM_EC2_H
#define TEE_TEST_SIM_EC2_H

#include "base/buf.h"
#include "sim/world.h"

enum { SIM_REQUEST_ID_SIZE = 40, SIM_TOUCHED_SIZE = 256 };

struct sim_capacity;

struct sim_call {
    struct world *world;
    struct sim_capacity *capacity; /* NULL: room without end */
    const struct sim_query *query;
    int64_t now_ms;
    struct buf *out;
    char request_id[SIM_REQUEST_ID_SIZE];
    struct sim_fail fail;
    char touched[SIM_TOUCHED_SIZE]; /* ids of changed instances, separated by commas, cut where long */
};

int sim_ec2_call(struct sim_call *call);
/* Binds the token of a RunInstances call that is about to be refused for want of capacity. */
void sim_ec2_bind_failed(struct sim_call *call);
void sim_call_touch(struct sim_call *call, const char *id);

/* One per action; the parameters are known to be known. */
int sim_run_instances(struct sim_call *call);
int sim_describe_instances(struct sim_call *call);
int sim_describe_instance_status(struct sim_call *call);
int sim_describe_instance_types(struct sim_call *call);
int sim_get_console_output(struct sim_call *call);
int sim_describe_images(struct sim_call *call);
int sim_describe_subnets(struct sim_call *call);
int sim_start_instances(struct sim_call *call);
int sim_stop_instances(struct sim_call *call);
int sim_terminate_instances(struct sim_call *call);
int sim_create_tags(struct sim_call *call);

/* Key and value of a tag, as CreateTags and RunInstances take them. */
int sim_check_tag(struct sim_call *call, const char *key, const char *value);
/* Refuses with DryRunOperation when the call is a dry run. */
int sim_check_dry_run(struct sim_call *call);
/* The instances of PREFIX.1, PREFIX.2, ...; all of them or a refusal. The caller frees *ret_list. */
int sim_find_named(struct sim_call *call, const char *prefix, struct sim_instance ***ret_list,
                   size_t *ret_count);
/* Prefix and 8 or 17 (up to 17 for others) lower-case hex digits. */
bool sim_is_id(const char *text, const char *prefix);

/* An id of the form PREFIX-hex that exists; `code` without its ending, such as "InvalidAMIID". */
int sim_check_resource(struct sim_call *call, const char *id, const char *prefix, const char *code);
bool sim_image_is_available(const char *id);
const char *sim_image_architecture(const char *id);
char sim_subnet_zone(const char *id);
bool sim_subnet_is_full(const char *id);
/* The call asks for a dry run: it has no effect and binds no token. */
bool sim_is_dry_run(const struct sim_query *query);

struct sim_type {
    const char *name;
    const char *architecture;
    int cpus;
    int memory_mib;
    bool is_metal;
    bool has_enclaves;
};
/* NULL if the type does not exist. */
const struct sim_type *sim_type_find(const char *name);
/* NULL past the end of the table. */
const struct sim_type *sim_type_at(size_t index);

#endif
