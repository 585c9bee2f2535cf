/* Metadata is kept as text, so that labels and annotations of others survive our PUT. */
#include "kube/lease.h"

#include "base/clock.h"
#include "base/json_writer.h"
#include "base/mem.h"

#include <jansson.h>
#include <string.h>

int lease_times_check(const struct lease_times *times, struct error *err)
{
    if (times->retry_ms > 0 && times->renew_deadline_ms * 10 > times->retry_ms * 12 &&
        times->duration_ms > times->renew_deadline_ms && times->duration_ms % 1000 == 0)
        return 0;
    return error_set(err, ERROR_INVALID, "BadLeaseTimes",
                     "the lease duration (whole seconds) must exceed the renew deadline, and that 1.2 x the "
                     "retry period");
}

void lease_record_done(struct lease_record *record)
{
    free(record->metadata);
    free(record->holder);
    *record = (struct lease_record){0};
}

void lease_view_done(struct lease_view *view)
{
    lease_record_done(&view->record);
}

static bool is_same(const struct lease_record *a, const struct lease_record *b)
{
    return a->holder && b->holder && strcmp(a->holder, b->holder) == 0 && a->duration_ms == b->duration_ms &&
           a->acquire_ms == b->acquire_ms && a->renew_ms == b->renew_ms && a->transitions == b->transitions;
}

void lease_view_observe(struct lease_view *view, struct lease_record *record, int64_t now_ms)
{
    if (!record) {
        if (!view->is_absent)
            view->changed_ms = now_ms; /* it may have been renewed since we last saw it */
        view->is_known = true;
        view->is_absent = true;
        return;
    }
    if (view->is_absent || !is_same(&view->record, record))
        view->changed_ms = now_ms;
    lease_record_done(&view->record);
    view->record = *record;
    *record = (struct lease_record){0};
    view->is_known = true;
    view->is_absent = false;
}

/* What is left of the time in which its holder may still act, as far as we saw. */
static int64_t get_time_left(const struct lease_view *view, const struct lease_times *times, int64_t now_ms)
{
    const struct lease_record *record = &view->record;
    int64_t duration_ms = record->duration_ms > 0 ? record->duration_ms : times->duration_ms;
    int64_t left_ms = duration_ms - (now_ms - view->changed_ms);
    return record->holder && *record->holder && left_ms > 0 ? left_ms : 0;
}

static bool is_held_by(const struct lease_view *view, const char *identity)
{
    return view->record.holder && strcmp(view->record.holder, identity) == 0;
}

enum lease_action lease_decide(const struct lease_view *view, const char *identity,
                               const struct lease_times *times, int64_t now_ms, int64_t *ret_wait_ms)
{
    if (!view->is_known)
        return LEASE_LOOK;
    int64_t left_ms = is_held_by(view, identity) ? 0 : get_time_left(view, times, now_ms);
    if (left_ms > 0) {
        *ret_wait_ms = left_ms < times->retry_ms ? left_ms : times->retry_ms;
        return LEASE_WAIT;
    }
    if (view->is_absent)
        return LEASE_CREATE;
    return is_held_by(view, identity) ? LEASE_RENEW : LEASE_ACQUIRE;
}

struct lease_record lease_plan_hold(const struct lease_view *view, const char *identity,
                                    const struct lease_times *times, int64_t wall_ms)
{
    const struct lease_record *seen = &view->record;
    bool is_ours = is_held_by(view, identity);
    return (struct lease_record){
        .metadata = view->is_absent ? NULL : mem_strdup(seen->metadata),
        .holder = mem_strdup(identity),
        .duration_ms = times->duration_ms,
        .acquire_ms = is_ours && !view->is_absent ? seen->acquire_ms : wall_ms,
        .renew_ms = wall_ms,
        .transitions = is_ours || !seen->holder ? seen->transitions : seen->transitions + 1,
    };
}

struct lease_record lease_plan_release(const struct lease_view *view, int64_t wall_ms)
{
    return (struct lease_record){
        .metadata = mem_strdup(view->record.metadata),
        .holder = mem_strdup(""),
        .duration_ms = 1000,
        .acquire_ms = wall_ms,
        .renew_ms = wall_ms,
        .transitions = view->record.transitions,
    };
}

static int64_t get_time(const json_t *spec, const char *key)
{
    const char *text = json_string_value(json_object_get(spec, key));
    int64_t wall_ms = 0;
    return text && time_parse(text, &wall_ms) == 0 ? wall_ms : 0;
}

static int64_t get_count(const json_t *spec, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(spec, key));
    return value > 0 && value < INT32_MAX ? value : 0;
}

/* What the server sets itself stays away. */
static char *copy_metadata(const json_t *metadata)
{
    static const char *const kept[] = {
        "name",      "namespace", "uid", "labels", "annotations", "resourceVersion", "ownerReferences",
        "finalizers"};
    json_t *copy = json_object();
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        json_t *value = json_object_get(metadata, kept[i]);
        if (value)
            json_object_set(copy, kept[i], value);
    }
    char *text = json_dumps(copy, JSON_COMPACT);
    json_decref(copy);
    return text;
}

int lease_decode(const char *json, size_t len, struct lease_record *ret_record, struct error *err)
{
    json_t *root = json_loadb(json, len, 0, NULL);
    const json_t *metadata = json_object_get(root, "metadata");
    const json_t *spec = json_object_get(root, "spec");
    if (!json_is_string(json_object_get(metadata, "resourceVersion"))) {
        json_decref(root);
        return error_set(err, ERROR_INVALID, "MalformedLease", "the answer is no Lease");
    }
    const char *holder = json_string_value(json_object_get(spec, "holderIdentity"));
    *ret_record = (struct lease_record){
        .metadata = copy_metadata(metadata),
        .holder = mem_strdup(holder ? holder : ""),
        .duration_ms = get_count(spec, "leaseDurationSeconds") * 1000,
        .acquire_ms = get_time(spec, "acquireTime"),
        .renew_ms = get_time(spec, "renewTime"),
        .transitions = get_count(spec, "leaseTransitions"),
    };
    json_decref(root);
    return 0;
}

void lease_encode(const struct lease_record *record, const char *name_space, const char *name,
                  struct buf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_text(&writer, "apiVersion", "coordination.k8s.io/v1");
    json_text(&writer, "kind", "Lease");
    if (record->metadata) {
        json_raw(&writer, "metadata", record->metadata);
    } else {
        json_open_object(&writer, "metadata");
        json_text(&writer, "name", name);
        json_text(&writer, "namespace", name_space);
        json_close_object(&writer);
    }
    json_open_object(&writer, "spec");
    json_text(&writer, "holderIdentity", record->holder);
    json_int(&writer, "leaseDurationSeconds", record->duration_ms / 1000);
    json_micro_time(&writer, "acquireTime", record->acquire_ms);
    json_micro_time(&writer, "renewTime", record->renew_ms);
    json_int(&writer, "leaseTransitions", record->transitions);
    json_close_object(&writer);
    json_close_object(&writer);
}
