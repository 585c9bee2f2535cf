/* /_sim/: a table of method and path. Bodies are JSON objects; an unknown member is refused, so that a
 * misspelt script does not pass for a working one. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "sim/service_internal.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

void sim_admin_refuse(struct sim_reply *reply, int status, const char *message)
{
    struct json_writer writer;
    buf_reset(&reply->body);
    json_writer_init(&writer, &reply->body);
    json_open_object(&writer, NULL);
    json_text(&writer, "error", message);
    json_close_object(&writer);
    reply->status = status;
}

static void health(struct sim_service *service, const struct sim_request *request, struct sim_reply *reply)
{
    struct json_writer writer;
    (void)request;
    json_writer_init(&writer, &reply->body);
    json_open_object(&writer, NULL);
    json_text(&writer, "status", "ok");
    json_text(&writer, "clusterId", service->cluster_id);
    json_int(&writer, "instances", (int64_t)world_count(service->world));
    json_int(&writer, "calls", (int64_t)service->call_count);
    json_int(&writer, "nowMs", sim_service_now_ms(service));
    json_close_object(&writer);
}

static void write_record(struct json_writer *writer, const struct sim_record *record)
{
    json_open_object(writer, NULL);
    json_int(writer, "n", (int64_t)record->number);
    json_int(writer, "timeMs", record->at_ms);
    json_text(writer, "action", record->action);
    json_int(writer, "status", record->status);
    json_text(writer, "code", *record->code ? record->code : NULL);
    json_text(writer, "clientToken", *record->client_token ? record->client_token : NULL);
    json_text(writer, "instances", *record->touched ? record->touched : NULL);
    json_bool(writer, "faulted", record->is_faulted);
    json_close_object(writer);
}

static void calls(struct sim_service *service, const struct sim_request *request, struct sim_reply *reply)
{
    const char *action = strncmp(request->query, "action=", 7) == 0 ? request->query + 7 : NULL;
    uint64_t first = service->call_count > SIM_MAX_CALLS ? service->call_count - SIM_MAX_CALLS : 0;
    int64_t count = 0;
    struct json_writer writer;
    json_writer_init(&writer, &reply->body);
    json_open_object(&writer, NULL);
    json_open_array(&writer, "calls");
    for (uint64_t i = first; i < service->call_count; i++) {
        const struct sim_record *record = &service->records[i % SIM_MAX_CALLS];
        if (action && strcmp(record->action, action) != 0)
            continue;
        write_record(&writer, record);
        count++;
    }
    json_close_array(&writer);
    json_int(&writer, "count", count);
    json_close_object(&writer);
}

static void instances(struct sim_service *service, const struct sim_request *request, struct sim_reply *reply)
{
    (void)request;
    sim_admin_list_instances(service, reply);
}

static int parse_cut(const char *text, enum sim_cut *ret_cut)
{
    static const char *const names[] = {
        [SIM_CUT_NONE] = "", [SIM_CUT_BEFORE] = "before", [SIM_CUT_AFTER] = "after"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], text) == 0) {
            *ret_cut = (enum sim_cut)i;
            return 0;
        }
    return -1;
}

static int read_fault(const struct sim_request *request, struct sim_fault *ret_fault, json_error_t *error)
{
    const char *action = "*";
    const char *code = "";
    const char *cut = "";
    json_int_t latency_ms = 0;
    int count = 1;
    int skip = 0;
    int hold = 0;
    int commit = 0;
    CLEANUP(json_decrefp) json_t *root = json_loadb(request->body, request->body_len, 0, error);
    if (!root || json_unpack_ex(root, error, JSON_STRICT, "{s?s, s?i, s?i, s?s, s?i, s?I, s?s, s?b, s?b}",
                                "action", &action, "count", &count, "skip", &skip, "code", &code,
                                "httpStatus", &ret_fault->http_status, "latencyMs", &latency_ms, "cut", &cut,
                                "hold", &hold, "commit", &commit) < 0)
        return -1;
    snprintf(error->text, sizeof(error->text), "count is at least 1, cut 'before' or 'after'");
    if (count < 1 || skip < 0 || latency_ms < 0 || parse_cut(cut, &ret_fault->cut) < 0)
        return -1;
    snprintf(ret_fault->action, sizeof(ret_fault->action), "%s", action);
    snprintf(ret_fault->code, sizeof(ret_fault->code), "%s", code);
    ret_fault->count = count;
    ret_fault->skip = skip;
    ret_fault->latency_ms = latency_ms;
    ret_fault->hold = hold;
    ret_fault->commit = commit;
    return 0;
}

static void add_fault(struct sim_service *service, const struct sim_request *request, struct sim_reply *reply)
{
    struct sim_fault fault = {0};
    json_error_t error = {0};
    if (read_fault(request, &fault, &error) < 0)
        sim_admin_refuse(reply, 400, error.text);
    else if (sim_faults_add(&service->faults, &fault) < 0)
        sim_admin_refuse(reply, 429, "too many faults");
    else
        buf_puts(&reply->body, "{}");
}

static void clear_faults(struct sim_service *service, const struct sim_request *request,
                         struct sim_reply *reply)
{
    (void)request;
    service->faults.count = 0;
    service->release++;
    buf_puts(&reply->body, "{}");
}

static void move_clock(struct sim_service *service, const struct sim_request *request,
                       struct sim_reply *reply)
{
    json_int_t advance_ms = 0;
    json_error_t error = {0};
    CLEANUP(json_decrefp) json_t *root = json_loadb(request->body, request->body_len, 0, &error);
    if (!root || json_unpack_ex(root, &error, JSON_STRICT, "{s:I}", "advanceMs", &advance_ms) < 0) {
        sim_admin_refuse(reply, 400, error.text);
        return;
    }
    if (advance_ms < 0) {
        sim_admin_refuse(reply, 400, "the clock goes forward only");
        return;
    }
    service->offset_ms += advance_ms;
    health(service, request, reply);
}

/* Every temporary key that was handed out ends now. */
static void end_keys(struct sim_service *service, const struct sim_request *request, struct sim_reply *reply)
{
    (void)request;
    for (size_t i = 0; i < service->key_count && i < SIM_MAX_KEYS; i++)
        service->keys[i].expires_ms = clock_wall_ms(clock_real()) - 1;
    buf_puts(&reply->body, "{}");
}

static void set_lag(struct sim_service *service, const struct sim_request *request, struct sim_reply *reply)
{
    json_int_t lag[4] = {0};
    json_error_t error = {0};
    CLEANUP(json_decrefp) json_t *root = json_loadb(request->body, request->body_len, 0, &error);
    if (!root || json_unpack_ex(root, &error, JSON_STRICT, "{s?I, s?I, s?I, s?I}", "unknownMs", &lag[0],
                                "hiddenMs", &lag[1], "noTagsMs", &lag[2], "noIpMs", &lag[3]) < 0) {
        sim_admin_refuse(reply, 400, error.text);
        return;
    }
    world_get_options(service->world)->lag = (struct sim_lag){lag[0], lag[1], lag[2], lag[3]};
    buf_puts(&reply->body, "{}");
}

static const struct {
    const char *method;
    const char *path;
    void (*run)(struct sim_service *service, const struct sim_request *request, struct sim_reply *reply);
} routes[] = {
    {"GET", "/_sim/health", health},
    {"GET", "/_sim/calls", calls},
    {"GET", "/_sim/instances", instances},
    {"POST", "/_sim/faults", add_fault},
    {"POST", "/_sim/lag", set_lag},
    {"DELETE", "/_sim/faults", clear_faults},
    {"POST", "/_sim/clock", move_clock},
    {"DELETE", "/_sim/keys", end_keys},
    {"POST", "/_sim/throttle", sim_admin_set_throttle},
    {"POST", "/_sim/capacity", sim_admin_set_capacity},
    {"DELETE", "/_sim/capacity", sim_admin_clear_capacity},
};

void sim_admin_handle(struct sim_service *service, const struct sim_request *request, struct sim_reply *reply)
{
    static const char one[] = "/_sim/instances/";
    reply->content_type = "application/json";
    world_advance(service->world, sim_service_now_ms(service));
    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        if (strcmp(routes[i].method, request->method) == 0 && strcmp(routes[i].path, request->path) == 0) {
            routes[i].run(service, request, reply);
            return;
        }
    if (strcmp(request->method, "POST") == 0 && strncmp(request->path, one, sizeof(one) - 1) == 0)
        sim_admin_change_instance(service, request->path + sizeof(one) - 1, request, reply);
    else
        sim_admin_refuse(reply, 404, "no such admin call");
}
