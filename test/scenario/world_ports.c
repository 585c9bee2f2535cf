/* EC2, the API server's writes and the enclaves, behind struct ports. */
#include "world.h"

#include "base/mem.h"
#include "reconcile/identity.h"
#include "status_oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAUNCH_MS = 2000, STOP_MS = 2000, END_MS = 5000, BOOT_MS = 5000 };

/* Three effects of ten meet a fault, one of each mode (xorshift64). */
static void draw_fault(struct world *world)
{
    if (world->random == 0)
        return;
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    uint64_t draw = world->random % 10;
    world->fault_at = draw < 3 ? world->effect_count + 1 : 0;
    world->fault_mode = (enum fault_mode)(FAULT_BEFORE + draw % 3);
}

/* Each effect is counted; the chosen one fails before or after it took place, or is the process's last. */
static int begin(struct world *world, const char *what, struct error *err)
{
    if (world->is_dead)
        return error_set(err, ERROR_STOPPED, "Dead", "the process is gone");
    draw_fault(world);
    if (++world->effect_count == world->fault_at && world->fault_mode == FAULT_BEFORE) {
        world_line(world, "%s: fails before it takes place", what);
        return error_set(err, ERROR_UNAVAILABLE, "Network", "connection refused");
    }
    return 0;
}

static int end(struct world *world, const char *what, struct error *err)
{
    if (world->effect_count != world->fault_at)
        return 0;
    if (world->fault_mode == FAULT_AFTER) {
        world->fault_at = 0;
        world_line(world, "%s: its answer is lost", what);
        return error_set(err, ERROR_UNAVAILABLE, "Timeout", "no answer in time");
    }
    if (world->fault_mode == FAULT_CRASH) {
        world->fault_at = 0;
        world_line(world, "%s: the controller is killed", what);
        world->is_dead = true;
        return error_set(err, ERROR_STOPPED, "Dead", "the process is gone");
    }
    return 0;
}

static json_t *find_live(struct world *world, const struct teedeployment *object)
{
    json_t *json = world_find_object(world, object->name);
    const char *uid = json_string_value(json_object_get(json_object_get(json, "metadata"), "uid"));
    return uid && strcmp(uid, object->uid) == 0 ? json : NULL;
}

static const char *version_of(json_t *object)
{
    return json_string_value(json_object_get(json_object_get(object, "metadata"), "resourceVersion"));
}

static int get_object(void *ctx, const char *name_space, const char *name, struct teedeployment **ret_object,
                      struct error *err)
{
    (void)name_space;
    struct world *world = ctx;
    if (begin(world, "get", err) < 0)
        return -1;
    json_t *object = world_find_object(world, name);
    char *text = object ? json_dumps(object, 0) : NULL;
    int result = text ? teedeployment_decode(text, strlen(text), ret_object, err) : 0;
    free(text);
    if (result == 0 && end(world, "get", err) < 0) {
        *ret_object = teedeployment_unref(*ret_object);
        return -1;
    }
    return result;
}

static void drop_object(struct world *world, json_t *object)
{
    for (size_t i = 0; i < WORLD_OBJECTS; i++)
        if (world->objects[i] == object)
            world->objects[i] = NULL;
    const char *name = json_string_value(json_object_get(json_object_get(object, "metadata"), "name"));
    char key[300];
    snprintf(key, sizeof(key), "default/%s", name);
    store_remove(world->store, key);
    workqueue_add(world->queue, key, WORK_URGENT);
    json_decref(object);
}

static int set_finalizer(void *ctx, const struct teedeployment *object, bool present, char *ret_version,
                         struct error *err)
{
    struct world *world = ctx;
    const char *what = present ? "add finalizer" : "remove finalizer";
    if (begin(world, what, err) < 0)
        return -1;
    json_t *json = find_live(world, object);
    if (!json)
        return error_set(err, ERROR_ABSENT, "NotFound", "no such object");
    if (strcmp(version_of(json), object->resource_version) != 0)
        return error_set(err, ERROR_CONFLICT, "Conflict", "the object was modified");
    world_line(world, "%s %s", what, object->name);
    json_t *metadata = json_object_get(json, "metadata");
    json_t *list = present ? json_pack("[s]", TEE_FINALIZER) : json_array();
    json_object_set_new(metadata, "finalizers", list);
    if (!present && json_object_get(metadata, "deletionTimestamp")) {
        snprintf(ret_version, 66, "%lld", (long long)++world->version);
        drop_object(world, json);
    } else {
        world_bump(world, json);
        snprintf(ret_version, 66, "%s", version_of(json));
    }
    return end(world, what, err);
}

/* Top-level members that the new value has replace the old ones; evidence has its own owner and stays. */
static void apply(json_t *object, json_t *value, bool is_evidence)
{
    json_t *status = json_object_get(object, "status");
    json_t *attestation = json_object_get(status, "attestation");
    json_t *evidence = json_incref(json_object_get(attestation, "evidenceSHA256"));
    if (is_evidence) {
        if (!attestation)
            json_object_set_new(status, "attestation", json_object());
        if (!json_object_get(value, "attestation"))
            json_object_del(attestation, "evidenceSHA256");
        json_object_update(json_object_get(status, "attestation"), json_object_get(value, "attestation"));
    } else {
        json_object_set(object, "status", value);
        if (evidence && json_object_get(value, "attestation"))
            json_object_set(json_object_get(value, "attestation"), "evidenceSHA256", evidence);
    }
    json_decref(evidence);
}

/* The first rule that was broken is kept. Who lost the answer of a write may repeat it. */
static void ask_oracle(struct world *world, const json_t *object, const json_t *before)
{
    char why[sizeof(world->broken)];
    bool may_repeat = world->random != 0 || world->fault_mode > FAULT_BEFORE;
    if (!may_repeat && !status_oracle_is_change(object, before))
        snprintf(world->broken, sizeof(world->broken), "a status was written that was there");
    if (!status_oracle_accepts(object, before, why, sizeof(why)) && !world->broken[0])
        memcpy(world->broken, why, sizeof(why));
}

static int apply_status(void *ctx, const struct teedeployment *object, const char *resource_version,
                        const char *manager, const char *status_json, char *ret_version, struct error *err)
{
    struct world *world = ctx;
    if (begin(world, "status", err) < 0)
        return -1;
    json_t *json = find_live(world, object);
    if (!json)
        return error_set(err, ERROR_ABSENT, "NotFound", "no such object");
    if (strcmp(version_of(json), resource_version) != 0)
        return error_set(err, ERROR_CONFLICT, "Conflict", "the object was modified");
    json_t *value = json_loads(status_json, 0, NULL);
    bool is_evidence = strcmp(manager, TEE_FIELD_MANAGER) != 0;
    json_t *before = json_deep_copy(json);
    apply(json, value, is_evidence);
    json_decref(value);
    if (!is_evidence)
        ask_oracle(world, json, before);
    json_decref(before);
    if (is_evidence) {
        world_line(world, "evidence %s", object->name);
    } else {
        const json_t *launch = json_object_get(json_object_get(json, "status"), "launch");
        const char *result = json_string_value(json_object_get(launch, "result"));
        const char *id = json_string_value(json_object_get(launch, "instanceID"));
        world_line(world, "status %s: %s, Ready=%s %s, attempt %lld %s %s%s", object->name,
                   json_string_value(json_object_get(json_object_get(json, "status"), "phase")),
                   world_condition(world, object->name, "Ready", "status"),
                   world_condition(world, object->name, "Ready", "reason"),
                   (long long)json_integer_value(json_object_get(launch, "attempt")),
                   result ? result : (json_object_get(launch, "token") ? "open" : "-"), id ? id : "-",
                   json_object_get(launch, "halted") ? " halted" : "");
    }
    world_bump(world, json);
    snprintf(ret_version, 66, "%s", version_of(json));
    return end(world, "status", err);
}

static void emit_event(void *ctx, const struct teedeployment *object, const struct object_event *event)
{
    struct world *world = ctx;
    if (!world->is_dead)
        world_line(world, "event %s %s%s%s", object->name, event->reason,
                   strcmp(event->reason, "BootFailed") == 0 ? ": " : "",
                   strcmp(event->reason, "BootFailed") == 0 ? event->note : "");
}

static void check_rules(struct world *world)
{
    for (size_t i = 0; i < world->host_count; i++)
        for (size_t k = i + 1; k < world->host_count; k++) {
            const struct host *a = &world->hosts[i].host;
            const struct host *b = &world->hosts[k].host;
            if (host_is_live(a) && host_is_live(b) && strcmp(a->deployment_id, b->deployment_id) == 0 &&
                a->token[0] && b->token[0])
                snprintf(world->broken, sizeof(world->broken), "%s and %s are both alive", a->id, b->id);
        }
}

struct world_host *world_add_host(struct world *world, const char *deployment_id, const char *token)
{
    struct world_host *added = &world->hosts[world->host_count++];
    *added = (struct world_host){.due_ms = world->mono_ms + LAUNCH_MS};
    struct host *host = &added->host;
    snprintf(host->id, sizeof(host->id), "i-%zu", world->host_count);
    snprintf(host->deployment_id, sizeof(host->deployment_id), "%s", deployment_id);
    snprintf(host->cluster_id, sizeof(host->cluster_id), "%s", world->config.cluster_id);
    snprintf(host->token, sizeof(host->token), "%s", token);
    snprintf(host->private_ip, sizeof(host->private_ip), "127.64.0.%zu", world->host_count);
    host->launch_ms = clock_wall_ms(&world->clock) / 1000 * 1000;
    return added;
}

static struct world_host *by_token(struct world *world, const char *token)
{
    for (size_t i = 0; i < world->host_count; i++)
        if (strcmp(world->hosts[i].host.token, token) == 0 && !world->hosts[i].is_forgotten)
            return &world->hosts[i];
    return NULL;
}

static struct world_host *by_id(struct world *world, const char *id)
{
    for (size_t i = 0; i < world->host_count; i++)
        if (strcmp(world->hosts[i].host.id, id) == 0 && !world->hosts[i].is_forgotten)
            return &world->hosts[i];
    return NULL;
}

static int refusal(const char *code, struct error *err)
{
    if (strcmp(code, "InsufficientInstanceCapacity") == 0)
        return error_set(err, ERROR_CAPACITY, "InsufficientInstanceCapacity", "no capacity");
    if (strcmp(code, "UnauthorizedOperation") == 0)
        return error_set(err, ERROR_DENIED, "UnauthorizedOperation", "not allowed to ec2:RunInstances");
    if (strcmp(code, "Held") == 0) {
        error_set(err, ERROR_THROTTLED, "Held", "our share is used up");
        err->retry_after_ms = 500;
        return -1;
    }
    if (strcmp(code, "RequestLimitExceeded") == 0)
        return error_set(err, ERROR_THROTTLED, "RequestLimitExceeded", "slow down");
    if (strcmp(code, "IdempotentParameterMismatch") == 0)
        return error_set(err, ERROR_CONFLICT, "IdempotentParameterMismatch", "other parameters");
    return error_set(err, ERROR_INVALID, code, "the AMI does not exist");
}

static int scripted_error(struct world *world, struct error *err)
{
    if (!world->run_error || world->run_error_count-- <= 0)
        return 0;
    world_line(world, "run is refused: %s", world->run_error);
    return refusal(world->run_error, err);
}

static int run_host(void *ctx, const struct launch_request *request, struct host *ret_host, struct error *err)
{
    struct world *world = ctx;
    bool is_lost = world->loses_run_answer;
    world->loses_run_answer = false;
    if (begin(world, "run", err) < 0 || (!is_lost && scripted_error(world, err) < 0))
        return -1;
    struct world_host *host = by_token(world, request->token);
    if (host && host->host.state == HOST_TERMINATED)
        return error_set(err, ERROR_CONFLICT, "IdempotentInstanceTerminated", "that instance is terminated");
    bool is_new = !host;
    if (is_new) {
        host = world_add_host(world, request->object->deployment_id, request->token);
        snprintf(host->host.launch_hash, sizeof(host->host.launch_hash), "v%d-%s", request->hash_version,
                 request->hash);
        snprintf(host->host.type, sizeof(host->host.type), "%s", request->effective->instance.instance_type);
        host->host.name_digest = identity_digest(request->object->name_space, request->object->name);
        host->host.namespace_digest = identity_text_digest(request->object->name_space);
        if (request->subnet_id)
            snprintf(host->host.subnet_id, sizeof(host->host.subnet_id), "%s", request->subnet_id);
    }
    world_line(world, "run %s token %.6s -> %s%s", request->object->name, request->token, host->host.id,
               is_new ? "" : " (the same)");
    check_rules(world);
    *ret_host = host->host;
    if (is_lost)
        return error_set(err, ERROR_UNAVAILABLE, "Timeout", "no answer in time");
    return end(world, "run", err);
}

static const struct {
    const char *name;
    struct type_facts facts;
} types[] = {
    {"m5.xlarge", {.has_enclave_support = true, .vcpu_count = 4, .threads_per_core = 2, .memory_mib = 16384}},
    {"c5.xlarge", {.has_enclave_support = true, .vcpu_count = 4, .threads_per_core = 2, .memory_mib = 8192}},
    {"t3.medium", {.vcpu_count = 2, .threads_per_core = 2, .memory_mib = 4096}},
};

/* A fact that is not had is part of the answer, the end of the process is not. */
static int give_up_if_dead(const struct world *world, struct error *err)
{
    return world->is_dead ? error_set(err, ERROR_STOPPED, "Dead", "the process is gone") : 0;
}

static int preflight_describe(void *ctx, const struct launch_request *request, struct launch_facts *ret_facts,
                              struct error *err)
{
    struct world *world = ctx;
    const struct tee_instance_spec *instance = &request->effective->instance;
    *ret_facts = (struct launch_facts){.image = {.state = "available"}};
    if (begin(world, "describe", &ret_facts->type.err) < 0)
        return give_up_if_dead(world, err);
    error_set(&ret_facts->type.err, ERROR_INVALID, "InvalidInstanceType", "no such type");
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(types[i].name, instance->instance_type) == 0)
            ret_facts->type = types[i].facts;
    for (size_t i = 0; i < instance->subnet_count; i++) {
        snprintf(ret_facts->subnets[i].id, sizeof(ret_facts->subnets[i].id), "%s", instance->subnet_ids[i]);
        ret_facts->subnets[i].free_addresses = 100;
    }
    ret_facts->subnet_count = instance->subnet_count;
    if (end(world, "describe", &ret_facts->subnets_err) < 0)
        return give_up_if_dead(world, err);
    return 0;
}

static int preflight_dry_run(void *ctx, const struct launch_request *request, struct dry_run_reply *ret_reply,
                             struct error *err)
{
    struct world *world = ctx;
    *ret_reply = (struct dry_run_reply){.detail = ""};
    if (begin(world, "dry run", err) < 0)
        return -1;
    if (world->dry_run_error && world->dry_run_error_count-- > 0) {
        world_line(world, "dry run %s: %s", request->object->name, world->dry_run_error);
        ret_reply->is_held = strcmp(world->dry_run_error, "Held") == 0;
        return refusal(world->dry_run_error, err);
    }
    world_line(world, "dry run %s: yes", request->object->name);
    return end(world, "dry run", err);
}

static uint64_t keys_stamp(void *ctx)
{
    return ((struct world *)ctx)->keys;
}

static int change(struct world *world, const char *what, const char *id, struct error *err)
{
    if (begin(world, what, err) < 0)
        return -1;
    struct world_host *host = by_id(world, id);
    if (!host || host->is_hidden)
        return error_set(err, ERROR_ABSENT, "InvalidInstanceID.NotFound", "no instance %s", id);
    enum host_state state = host->host.state;
    bool is_start = strcmp(what, "start") == 0;
    bool is_stop = strcmp(what, "stop") == 0;
    if ((is_start && state != HOST_STOPPED) || (is_stop && state != HOST_RUNNING))
        return error_set(err, ERROR_CONFLICT, "IncorrectInstanceState", "%s is %s", id,
                         host_state_names[state]);
    world_line(world, "%s %s", what, id);
    if (is_start) {
        host->host.state = HOST_PENDING;
        host->host.launch_ms = clock_wall_ms(&world->clock) / 1000 * 1000;
        host->due_ms = world->mono_ms + LAUNCH_MS;
    } else if (is_stop) {
        host->host.state = HOST_STOPPING;
        host->due_ms = world->mono_ms + STOP_MS;
    } else if (state != HOST_TERMINATED) {
        host->host.state = HOST_SHUTTING_DOWN;
        host->due_ms = world->mono_ms + END_MS;
    }
    return end(world, what, err);
}

static int start_host(void *ctx, const char *id, struct error *err)
{
    struct world *world = ctx;
    if (world->start_short_count > 0) {
        if (begin(world, "start", err) < 0)
            return -1;
        world->start_short_count--;
        world_line(world, "start of %s is refused: InsufficientInstanceCapacity", id);
        return refusal("InsufficientInstanceCapacity", err);
    }
    return change(ctx, "start", id, err);
}

static int stop_host(void *ctx, const char *id, struct error *err)
{
    struct world *world = ctx;
    if (world->stop_refused_count > 0) {
        world->stop_refused_count--;
        world_line(world, "stop %s is refused", id);
        return error_set(err, ERROR_INVALID, "UnsupportedOperation", "its root device is an instance store");
    }
    return change(ctx, "stop", id, err);
}

static int terminate_host(void *ctx, const char *id, struct error *err)
{
    return change(ctx, "terminate", id, err);
}

void world_end_host(struct world *world, struct world_host *host)
{
    world_line(world, "-- somebody terminates %s", host->host.id);
    host->host.state = HOST_TERMINATED;
    host->due_ms = 0;
}

void world_move_hosts(struct world *world)
{
    static const enum host_state next[] = {HOST_RUNNING, HOST_RUNNING,    HOST_STOPPED,
                                           HOST_STOPPED, HOST_TERMINATED, HOST_TERMINATED};
    for (size_t i = 0; i < world->host_count; i++) {
        struct world_host *host = &world->hosts[i];
        if (host->due_ms == 0 || host->due_ms > world->mono_ms)
            continue;
        host->host.state = next[host->host.state];
        host->due_ms = 0;
        host->boots += host->host.state == HOST_RUNNING ? 1 : 0;
    }
}

static bool is_match(const struct host *host, const struct find_request *request, const char *cluster_id)
{
    switch (request->by) {
    case FIND_BY_TOKEN: return strcmp(host->token, request->value) == 0;
    case FIND_BY_ID: return strcmp(host->id, request->value) == 0;
    case FIND_BY_DEPLOYMENT_TAG:
        return strcmp(host->deployment_id, request->value) == 0 && strcmp(host->cluster_id, cluster_id) == 0;
    case FIND_FOR_ADOPTION: return strcmp(host->deployment_id, request->value) == 0;
    }
    return false;
}

static int find_hosts(void *ctx, const struct find_request *request, struct host *ret_hosts,
                      size_t *ret_count, struct error *err)
{
    static const char *const names[] = {"token", "tag", "id", "adoption"};
    struct world *world = ctx;
    if (begin(world, "find", err) < 0)
        return -1;
    *ret_count = 0;
    for (size_t i = 0; i < world->host_count && *ret_count < HOSTS_MAX; i++) {
        const struct world_host *host = &world->hosts[i];
        if (!host->is_hidden && !host->is_forgotten &&
            is_match(&host->host, request, world->config.cluster_id))
            ret_hosts[(*ret_count)++] = host->host;
    }
    world_line(world, "find by %s -> %zu", names[request->by], *ret_count);
    return end(world, "find", err);
}

static int tag_host(void *ctx, const char *id, const struct tee_tag *tags, struct error *err)
{
    struct world *world = ctx;
    if (begin(world, "tag", err) < 0)
        return -1;
    struct world_host *host = by_id(world, id);
    if (!host)
        return error_set(err, ERROR_ABSENT, "InvalidInstanceID.NotFound", "no instance %s", id);
    for (; tags->key; tags++) {
        world_line(world, "tag %s %s=%s", id, tags->key, tags->value);
        if (strcmp(tags->key, "tee-retained") == 0)
            host->host.is_retained = strcmp(tags->value, "false") != 0;
        if (strcmp(tags->key, "tee-cluster-id") == 0)
            snprintf(host->host.cluster_id, sizeof(host->host.cluster_id), "%s", tags->value);
        if (strcmp(tags->key, "tee-deployment-id") == 0)
            snprintf(host->host.deployment_id, sizeof(host->host.deployment_id), "%s", tags->value);
        if (strcmp(tags->key, "tee-name") == 0)
            host->host.name_digest = identity_digest("default", tags->value);
    }
    return end(world, "tag", err);
}

static int read_console(void *ctx, const char *id, char *ret_tail, size_t size, struct error *err)
{
    struct world *world = ctx;
    if (begin(world, "console", err) < 0)
        return -1;
    const struct world_host *host = by_id(world, id);
    snprintf(ret_tail, size, "%s", host && host->console ? host->console : "");
    world_line(world, "console %s", id);
    return end(world, "console", err);
}

static int attest(void *ctx, const struct attest_request *request, struct attest_reply *ret_answer,
                  struct error *err)
{
    struct world *world = ctx;
    if (begin(world, "attest", err) < 0)
        return -1;
    struct world_host *host = by_id(world, request->host->id);
    int64_t up_ms = clock_wall_ms(&world->clock) - (host ? host->host.launch_ms : 0);
    if (!host || host->host.state != HOST_RUNNING || host->is_unreachable || up_ms < BOOT_MS) {
        world_line(world, "attest %s: no answer", request->host->id);
        return error_set(err, ERROR_UNAVAILABLE, "ConnectFailed", "connection refused");
    }
    *ret_answer = (struct attest_reply){.has_connected = true, .has_document = true};
    struct tee_attestation_status *verdict = &ret_answer->verdict;
    verdict->verdict = host->verdict ? host->verdict : "Verified";
    verdict->reason = host->verdict ? host->reason : "";
    verdict->message = verdict->verdict;
    verdict->document_ms = clock_wall_ms(&world->clock);
    verdict->module_id = arena_printf(request->arena, "%s-enc%016d", host->host.id, host->boots);
    verdict->nonce_verified = verdict->instance_bound = true;
    ret_answer->document = mem_dup("document", 8);
    ret_answer->document_len = 8;
    world_line(world, "attest %s: %s %s", host->host.id, verdict->verdict, verdict->reason);
    if (end(world, "attest", err) == 0)
        return 0;
    free(ret_answer->document);
    *ret_answer = (struct attest_reply){.has_connected = true};
    return -1;
}

static int64_t lease_left_ms(void *ctx)
{
    return ((struct world *)ctx)->lease_ms;
}

static void want_look(void *ctx)
{
    struct world *world = ctx;
    if (world->next_part_ms == 0 || world->next_part_ms > world->mono_ms + 2000)
        world->next_part_ms = world->mono_ms + 2000;
}

size_t world_live_hosts(const struct world *world)
{
    size_t count = 0;
    for (size_t i = 0; i < world->host_count; i++)
        count += host_is_live(&world->hosts[i].host) ? 1 : 0;
    return count;
}

struct world_host *world_host(struct world *world)
{
    for (size_t i = world->host_count; i > 0; i--)
        if (host_is_live(&world->hosts[i - 1].host))
            return &world->hosts[i - 1];
    return &world->hosts[WORLD_HOSTS - 1]; /* a host of no story: a fault kept it from being launched yet */
}

void world_fill_ports(struct world *world)
{
    world->ports = (struct ports){.ctx = world,
                                  .get_object = get_object,
                                  .set_finalizer = set_finalizer,
                                  .apply_status = apply_status,
                                  .emit_event = emit_event,
                                  .run_host = run_host,
                                  .preflight_describe = preflight_describe,
                                  .preflight_dry_run = preflight_dry_run,
                                  .keys_stamp = keys_stamp,
                                  .start_host = start_host,
                                  .stop_host = stop_host,
                                  .terminate_host = terminate_host,
                                  .find_hosts = find_hosts,
                                  .tag_host = tag_host,
                                  .read_console = read_console,
                                  .attest = attest,
                                  .lease_left_ms = lease_left_ms,
                                  .want_look = want_look};
}
