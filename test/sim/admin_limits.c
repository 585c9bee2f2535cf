/* What the account may do and has room for: the admin calls for throttling and capacity. */
#include "base/cleanup.h"
#include "sim/service_internal.h"

#include <jansson.h>
#include <stdio.h>

void sim_admin_set_throttle(struct sim_service *service, const struct sim_request *request,
                            struct sim_reply *reply)
{
    int percent = 0;
    json_error_t error = {0};
    CLEANUP(json_decrefp) json_t *root = json_loadb(request->body, request->body_len, 0, &error);
    if (!root || json_unpack_ex(root, &error, JSON_STRICT, "{s:i}", "percent", &percent) < 0) {
        sim_admin_refuse(reply, 400, error.text);
    } else if (percent < 0 || percent > SIM_THROTTLE_MAX_PERCENT) {
        sim_admin_refuse(reply, 400, "percent is 0 to 1000000");
    } else {
        sim_throttle_set(&service->throttle, percent, sim_service_now_ms(service));
        buf_puts(&reply->body, "{}");
    }
}

void sim_admin_set_capacity(struct sim_service *service, const struct sim_request *request,
                            struct sim_reply *reply)
{
    const char *type = NULL;
    const char *subnet = "";
    int free_count = 0;
    json_error_t error = {0};
    struct sim_place place = {.total = 0};
    CLEANUP(json_decrefp) json_t *root = json_loadb(request->body, request->body_len, 0, &error);
    if (!root || json_unpack_ex(root, &error, JSON_STRICT, "{s:s, s?s, s:i}", "type", &type, "subnet",
                                &subnet, "free", &free_count) < 0) {
        sim_admin_refuse(reply, 400, error.text);
        return;
    }
    if (!sim_type_find(type) || (*subnet && !sim_is_id(subnet, "subnet-")) || free_count < -1) {
        sim_admin_refuse(reply, 400, "no such type or subnet, or free is less than -1");
        return;
    }
    snprintf(place.type, sizeof(place.type), "%s", type);
    snprintf(place.subnet_id, sizeof(place.subnet_id), "%s", subnet);
    place.total = free_count > 0 ? (size_t)free_count : 0;
    buf_puts(&reply->body, "{}");
    if (free_count < 0)
        sim_capacity_unset(&service->capacity, &place);
    else if (sim_capacity_set(&service->capacity, service->world, &place) < 0)
        sim_admin_refuse(reply, 429, "too many places");
}

void sim_admin_clear_capacity(struct sim_service *service, const struct sim_request *request,
                              struct sim_reply *reply)
{
    (void)request;
    service->capacity.count = 0;
    buf_puts(&reply->body, "{}");
}
