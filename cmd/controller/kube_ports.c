/* The Kubernetes side of the ports: a few lines each over pkg/kube. */
#include "base/deadline.h"
#include "base/mem.h"
#include "controller.h"
#include "kube/patch.h"
#include "outdated.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct log logger = LOG_ROOT("watch");

enum { OBJECT_MAX_BYTES = 4 * 1024 * 1024, CALL_MS = 8000 };

char *kube_ports_path(const char *name_space, const char *name)
{
    static const struct kube_resource resource = {TEE_GROUP, TEE_VERSION_NAME, TEE_PLURAL};
    return kube_path(&resource, name_space, name);
}

int64_t controller_lease_left_ms(struct controller *controller)
{
    return controller->options->leader_elect ? leader_ms_left(controller->leader) : 3600 * 1000;
}

int64_t controller_change_timeout_ms(struct controller *controller)
{
    int64_t left_ms = controller_lease_left_ms(controller);
    int64_t most_ms = deadline_cap_ms(CALL_MS);
    return left_ms < most_ms ? left_ms : most_ms;
}

static int get_object(void *ctx, const char *name_space, const char *name, struct teedeployment **ret_object,
                      struct error *err)
{
    struct controller *controller = ctx;
    CLEANUP(freep) char *path = kube_ports_path(name_space, name);
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, OBJECT_MAX_BYTES);
    if (kube_get(controller->kube, path, deadline_cap_ms(CALL_MS), &body, err) < 0) {
        if (err->kind != ERROR_ABSENT)
            return -1;
        *ret_object = NULL;
        return 0;
    }
    return teedeployment_decode(buf_text(&body), body.len, ret_object, err);
}

/* Absolute, so that no pause of ours between here and the sending makes it later; and what is past, or now,
 * is never sent. */
static int64_t get_change_deadline(struct controller *controller)
{
    int64_t now_ms = clock_mono_ms(controller->clock);
    return now_ms + controller_change_timeout_ms(controller);
}

static int send_patch(struct controller *controller, const struct teedeployment *object,
                      struct kube_patch *patch, char *ret_version, struct error *err)
{
    CLEANUP(freep) char *path = kube_ports_path(object->name_space, object->name);
    CLEANUP(freep) char *status_path = mem_printf("%s/status", path);
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, OBJECT_MAX_BYTES);
    patch->path = patch->type == KUBE_PATCH_APPLY ? status_path : path;
    patch->deadline_ms = get_change_deadline(controller);
    if (kube_patch(controller->kube, patch, &body, err) < 0)
        return -1;
    CLEANUP(teedeployment_unrefp) struct teedeployment *answer = NULL;
    if (teedeployment_decode(buf_text(&body), body.len, &answer, err) < 0)
        return error_wrap(err, "answer of the API server");
    snprintf(ret_version, 66, "%s", answer->resource_version);
    return 0;
}

static int set_finalizer(void *ctx, const struct teedeployment *object, bool present, char *ret_version,
                         struct error *err)
{
    CLEANUP(buf_done) struct buf json;
    buf_init(&json, 4096);
    if (present)
        patch_add_finalizer(&json, object->resource_version, TEE_FINALIZER, object->finalizer_count);
    else
        patch_remove_finalizer(&json, object->resource_version, TEE_FINALIZER,
                               (size_t)object->finalizer_index);
    struct kube_patch patch = {.type = KUBE_PATCH_JSON,
                               .field_manager = TEE_FIELD_MANAGER,
                               .body = buf_text(&json),
                               .body_len = json.len};
    return send_patch(ctx, object, &patch, ret_version, err);
}

static int apply_status(void *ctx, const struct teedeployment *object, const char *resource_version,
                        const char *manager, const char *status_json, char *ret_version, struct error *err)
{
    struct patch_target target = {.api_version = TEE_API_VERSION,
                                  .kind = TEE_KIND,
                                  .name_space = object->name_space,
                                  .name = object->name,
                                  .resource_version = resource_version};
    CLEANUP(buf_done) struct buf json;
    buf_init(&json, OBJECT_MAX_BYTES);
    patch_apply_status(&json, &target, status_json);
    struct kube_patch patch = {
        .type = KUBE_PATCH_APPLY, .field_manager = manager, .body = buf_text(&json), .body_len = json.len};
    int result = send_patch(ctx, object, &patch, ret_version, err);
    if (result == 0)
        outdated_note_taken(ctx);
    else if (strcmp(err->reason, "CRDOutdated") == 0)
        outdated_note_refused(ctx, err);
    return result;
}

static void emit_event(void *ctx, const struct teedeployment *object, const struct object_event *event)
{
    struct controller *controller = ctx;
    struct event out = {.api_version = TEE_API_VERSION,
                        .kind = TEE_KIND,
                        .name_space = object->name_space,
                        .name = object->name,
                        .uid = object->uid,
                        .reason = event->reason,
                        .action = event->action,
                        .note = event->note,
                        .is_warning = strcmp(event->type, "Warning") == 0};
    event_queue_emit(controller->events, &out);
}

static int64_t lease_left_ms(void *ctx)
{
    return controller_lease_left_ms(ctx);
}

void kube_ports_fill(struct controller *controller)
{
    struct ports *ports = &controller->ports;
    ports->get_object = get_object;
    ports->set_finalizer = set_finalizer;
    ports->apply_status = apply_status;
    ports->emit_event = emit_event;
    ports->lease_left_ms = lease_left_ms;
}

int kube_ports_fetch_cluster_id(struct controller *controller, char **ret_id, struct error *err)
{
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, 256 * 1024);
    if (kube_get(controller->kube, "/api/v1/namespaces/kube-system", CALL_MS, &body, err) < 0)
        return error_wrap(err, "reading the namespace kube-system for the cluster's id");
    json_t *json = json_loadb(buf_text(&body), body.len, 0, NULL);
    const char *uid = json_string_value(json_object_get(json_object_get(json, "metadata"), "uid"));
    *ret_id = mem_strdup(uid);
    json_decref(json);
    if (!*ret_id)
        return error_set(err, ERROR_UNAVAILABLE, "BadAnswer", "the namespace kube-system has no uid");
    return 0;
}

static void record(struct controller *controller, const char *what, const char *key, const char *reason)
{
    flight_record(controller->flight,
                  &(struct flight_note){.part = FLIGHT_WATCH, .what = what, .key = key, .reason = reason});
}

static struct controller *controller_of(void *ctx)
{
    return ((struct watch_scope *)ctx)->controller;
}

static void begin_list(void *ctx)
{
    const struct watch_scope *scope = ctx;
    record(scope->controller, "listing", scope->name_space, NULL);
    store_begin_list(scope->controller->store, scope->name_space);
}

static const char *const event_names[] = {
    [WATCH_ADDED] = "added", [WATCH_MODIFIED] = "modified", [WATCH_DELETED] = "deleted"};

/* An object that does not decode is skipped: it must not keep the others from being served. One that is as it
 * was, as most are in a list that is not the first, does not stand before a user's edit: its key has its
 * timer or is looked at again within minutes anyway. */
static bool take_object(void *ctx, enum watch_event_type type, const char *json, size_t len)
{
    struct controller *controller = controller_of(ctx);
    CLEANUP(teedeployment_unrefp) struct teedeployment *object = NULL;
    struct error err = {0};
    if (teedeployment_decode(json, len, &object, &err) < 0) {
        struct object_identity identity;
        bool is_known = object_identity_find((struct json_span){json, len}, &identity);
        unreadable_take(controller, type, is_known ? &identity : NULL, len, err.text);
        return is_known;
    }
    record(controller, event_names[type], object->key, NULL);
    bool is_listing = !store_is_complete(controller->store);
    if (!is_listing)
        telemetry_note_version(controller, object->resource_version);
    if (type == WATCH_DELETED)
        store_remove(controller->store, object->key);
    else if (!store_put(controller->store, object))
        return true;
    workqueue_add(controller->queue, object->key, is_listing ? WORK_BACKGROUND : WORK_URGENT);
    return true;
}

static void take_oversized(void *ctx, enum watch_event_type type, const struct object_identity *identity,
                           size_t len)
{
    char why[64];
    snprintf(why, sizeof(why), "it is larger than %d bytes", SCAN_MAX_ITEM_BYTES);
    unreadable_take(controller_of(ctx), type, identity, len, why);
}

static void take_gone(void *ctx, const char *key)
{
    struct controller *controller = ctx;
    record(controller, "gone", key, NULL);
    workqueue_add(controller->queue, key, WORK_URGENT);
}

static void end_list(void *ctx, const char *resource_version, bool is_complete)
{
    const struct watch_scope *scope = ctx;
    struct controller *controller = scope->controller;
    telemetry_note_version(controller, resource_version);
    record(controller, "listed", scope->name_space, is_complete ? NULL : "incomplete");
    store_end_list(controller->store, scope->name_space, is_complete ? take_gone : NULL, controller);
    store_set_heard(controller->store, scope->name_space, clock_mono_ms(controller->clock));
}

static void bookmark(void *ctx, const char *resource_version)
{
    const struct watch_scope *scope = ctx;
    telemetry_note_version(scope->controller, resource_version);
    record(scope->controller, "bookmark", scope->name_space, NULL);
}

static void fresh(void *ctx, int64_t mono_ms)
{
    struct watch_scope *scope = ctx;
    store_set_heard(scope->controller->store, scope->name_space, mono_ms);
    if (!scope->has_failed)
        return;
    scope->has_failed = false;
    telemetry_set_ready(scope->controller, &scope->state, NULL);
}

static void failed(void *ctx, const struct error *err)
{
    struct watch_scope *scope = ctx;
    struct controller *controller = scope->controller;
    record(controller, "interrupted", scope->name_space, err->reason);
    log_warn(&logger, "Watch was interrupted", STR("namespace", scope->name_space), STR("error", err->text));
    scope->has_failed = true;
    telemetry_set_ready(controller, &scope->state, err);
}

struct watcher_owner kube_ports_owner(struct watch_scope *scope)
{
    return (struct watcher_owner){.ctx = scope,
                                  .begin_list = begin_list,
                                  .object = take_object,
                                  .oversized = take_oversized,
                                  .end_list = end_list,
                                  .bookmark = bookmark,
                                  .fresh = fresh,
                                  .failed = failed};
}
