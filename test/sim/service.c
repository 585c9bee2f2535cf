/* One call of EC2 or STS: signature, token of a bucket, fault that comes before the effect, effect, fault
 * that comes after it, record. */
#include "sim/service.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "sim/service_internal.h"
#include "sim/sts_decode.h"
#include "sim/xml_out.h"

#include <stdio.h>
#include <string.h>

struct sim_service *sim_service_new(const struct world_options *options, const char *cluster_id)
{
    struct sim_service *service = mem_calloc(1, sizeof(*service));
    mutex_init(&service->mutex);
    service->world = world_new(options);
    service->cluster_id = mem_strdup(cluster_id);
    service->records = mem_calloc(SIM_MAX_CALLS, sizeof(*service->records));
    hmap_init(&service->imds_tokens);
    return service;
}

struct sim_service *sim_service_free(struct sim_service *service)
{
    if (!service)
        return NULL;
    world_free(service->world);
    hmap_done(&service->imds_tokens, free);
    pthread_mutex_destroy(&service->mutex);
    free(service->cluster_id);
    free(service->records);
    free(service);
    return NULL;
}

int64_t sim_service_now_ms(const struct sim_service *service)
{
    return clock_wall_ms(clock_real()) + service->offset_ms;
}

void sim_service_set_throttle(struct sim_service *service, int percent)
{
    LOCK_SCOPE(&service->mutex);
    sim_throttle_set(&service->throttle, percent, sim_service_now_ms(service));
}

void sim_reply_done(struct sim_reply *reply)
{
    buf_done(&reply->body);
}

uint64_t sim_service_get_release(struct sim_service *service)
{
    LOCK_SCOPE(&service->mutex);
    return service->release;
}

static const struct sim_key *find_key(void *ctx, const char *id)
{
    static const struct sim_key fixed = {.id = "test", .secret = "test"};
    const struct sim_service *service = ctx;
    if (strcmp(id, fixed.id) == 0)
        return &fixed;
    for (size_t i = 0; i < service->key_count && i < SIM_MAX_KEYS; i++)
        if (strcmp(service->keys[i].id, id) == 0)
            return &service->keys[i];
    return NULL;
}

/* What faults and records know a call by: a dry run is another call than the real one. */
static void name_call(const struct sim_query *query, char ret_name[64])
{
    const char *action = sim_query_get(query, "Action");
    snprintf(ret_name, 64, "%.50s%s", action ? action : "", sim_is_dry_run(query) ? ".DryRun" : "");
}

static void record_call(struct sim_service *service, const struct sim_call *call,
                        const struct sim_reply *reply, bool is_faulted)
{
    char action[64];
    const char *token = sim_query_get(call->query, "ClientToken");
    name_call(call->query, action);
    struct sim_record *record = &service->records[service->call_count % SIM_MAX_CALLS];
    *record = (struct sim_record){.number = ++service->call_count, .at_ms = call->now_ms};
    record->status = reply->cut || reply->hold ? 0 : reply->status;
    record->is_faulted = is_faulted;
    snprintf(record->action, sizeof(record->action), "%s", action);
    snprintf(record->code, sizeof(record->code), "%s", call->fail.code);
    snprintf(record->client_token, sizeof(record->client_token), "%s", token ? token : "");
    snprintf(record->touched, sizeof(record->touched), "%s", call->touched);
}

static int fail_as_scripted(struct sim_call *call, const struct sim_fault *fault)
{
    char action[64];
    name_call(call->query, action);
    if (sim_fault_is_capacity(fault->code) && strcmp(action, "RunInstances") == 0)
        sim_ec2_bind_failed(call);
    if (strcmp(fault->code, "UnauthorizedOperation") == 0 && !fault->http_status)
        return sim_sts_denial(&call->fail, sim_query_get(call->query, "Action"));
    return sim_fail_set(&call->fail, sim_fault_status(fault), fault->code, "Scripted failure: %s",
                        fault->code);
}

static int check_caller(struct sim_service *service, const struct sim_request *request, struct sim_call *call,
                        const struct sim_key **ret_key)
{
    bool is_sts = sim_sts_is_call(call->query);
    const struct sim_keys keys = {find_key, service, is_sts ? "sts" : "ec2"};
    if (sim_roles_is_unsigned(call->query))
        return 0;
    int result = sim_signature_check(request, &keys, clock_wall_ms(clock_real()), ret_key, &call->fail);
    if (result < 0 && is_sts)
        sim_roles_rename(&call->fail);
    return result;
}

static int run_effect(struct sim_service *service, struct sim_call *call, const struct sim_key *key)
{
    if (sim_roles_has(call->query))
        return sim_roles_call(service, call, key);
    return sim_sts_is_call(call->query) ? sim_sts_call(call) : sim_ec2_call(call);
}

/* 0 if the call succeeded, -1 with call->fail otherwise. */
static int run_call(struct sim_service *service, struct sim_call *call, const struct sim_key *key,
                    const struct sim_fault *fault, struct sim_reply *reply)
{
    reply->delay_ms = fault->latency_ms;
    reply->cut = fault->cut != SIM_CUT_NONE;
    if (fault->cut == SIM_CUT_BEFORE)
        return sim_fail_set(&call->fail, 500, "ConnectionCut", "The connection was cut before the effect");
    if (*fault->code && !fault->commit)
        return fail_as_scripted(call, fault);
    if (run_effect(service, call, key) < 0)
        return -1;
    reply->hold = fault->hold;
    return *fault->code ? fail_as_scripted(call, fault) : 0;
}

static void handle_call(struct sim_service *service, const struct sim_request *request,
                        struct sim_reply *reply)
{
    CLEANUP(sim_query_done) struct sim_query query = {0};
    const struct sim_key *key = NULL;
    struct sim_fault fault = {0};
    struct sim_call call = {
        .world = service->world, .capacity = &service->capacity, .query = &query, .out = &reply->body};
    call.now_ms = sim_service_now_ms(service);
    snprintf(call.request_id, sizeof(call.request_id), "00000000-0000-4000-8000-%012llx",
             (unsigned long long)service->call_count + 1);
    bool is_faulted = false;
    int result = sim_query_parse(&query, request->body, request->body_len, &call.fail);
    if (result == 0)
        result = check_caller(service, request, &call, &key);
    if (result == 0)
        result = sim_throttle_take(&service->throttle, &query, call.now_ms, &call.fail);
    if (result == 0) {
        char action[64];
        name_call(&query, action);
        is_faulted = sim_faults_take(&service->faults, action, &fault);
        result = run_call(service, &call, key, &fault, reply);
    }
    reply->status = 200;
    if (result < 0) {
        reply->status = call.fail.status;
        buf_reset(&reply->body);
        (sim_sts_is_call(&query) ? sim_sts_error : sim_xml_error)(&reply->body, &call.fail, call.request_id);
    }
    reply->content_type = "text/xml;charset=UTF-8";
    record_call(service, &call, reply, is_faulted);
}

void sim_service_handle(struct sim_service *service, const struct sim_request *request,
                        struct sim_reply *ret_reply)
{
    LOCK_SCOPE(&service->mutex);
    *ret_reply = (struct sim_reply){.status = 200, .content_type = "text/plain"};
    buf_init(&ret_reply->body, SIM_REPLY_MAX);
    if (strncmp(request->path, "/_sim/", 6) == 0) {
        sim_admin_handle(service, request, ret_reply);
    } else if (strncmp(request->path, "/latest/", 8) == 0) {
        sim_imds_handle(service, request, ret_reply);
    } else if (strcmp(request->path, "/v1/credentials") == 0) {
        sim_container_handle(service, request, ret_reply);
    } else if (strcmp(request->path, "/") == 0 && strcmp(request->method, "POST") == 0) {
        handle_call(service, request, ret_reply);
    } else {
        ret_reply->status = strcmp(request->path, "/") == 0 ? 405 : 404;
        buf_puts(&ret_reply->body, "EC2 is at POST /\n");
    }
}

/* The phases of a boot share its time; a host that found no configuration, or whose enclave crashed, says
 * failed. */
static void view_boot(const struct sim_instance *instance, int64_t past_ms, int64_t boot_ms,
                      struct sim_view *view)
{
    view->boot.seconds = past_ms / 1000;
    view->host = SIM_HOST_BOOTING;
    if (past_ms < boot_ms)
        view->boot.phase = (enum native_phase)(past_ms * NATIVE_PHASE_FAILED / boot_ms);
    else if (instance->is_crashed || !instance->config.is_valid)
        view->boot.phase = NATIVE_PHASE_FAILED;
    else
        view->host = SIM_HOST_READY;
}

static void view_enclave(const struct sim_instance *instance, struct sim_view *view)
{
    const char *digest = *instance->swapped_digest ? instance->swapped_digest : instance->config.digest;
    snprintf(view->instance_id, sizeof(view->instance_id), "%s", instance->id);
    snprintf(view->module_id, sizeof(view->module_id), "%s", instance->module_id);
    snprintf(view->digest, sizeof(view->digest), "%s", digest);
    snprintf(view->earlier_nonce, sizeof(view->earlier_nonce), "%s", instance->earlier_nonce);
    if (instance->launch.profile)
        snprintf(view->role_arn, sizeof(view->role_arn), "arn:aws:iam::" SIM_ACCOUNT ":role/%s",
                 instance->launch.profile);
    memcpy(view->public_key, instance->public_key, SIM_KEY_BYTES);
    view->debug = instance->config.debug;
    view->defect = instance->defect;
}

void sim_service_view(struct sim_service *service, uint32_t address, const char *nonce,
                      struct sim_view *ret_view)
{
    LOCK_SCOPE(&service->mutex);
    *ret_view = (struct sim_view){.host = SIM_HOST_NONE};
    int64_t now_ms = sim_service_now_ms(service);
    world_advance(service->world, now_ms);
    struct sim_instance *instance = world_find_address(service->world, address);
    if (!instance || instance->state != SIM_RUNNING || !instance->launch.has_enclave)
        return;
    view_boot(instance, now_ms - instance->running_ms, world_get_options(service->world)->boot_ms, ret_view);
    view_enclave(instance, ret_view);
    if (nonce && ret_view->host == SIM_HOST_READY)
        snprintf(instance->earlier_nonce, sizeof(instance->earlier_nonce), "%s", nonce);
}
