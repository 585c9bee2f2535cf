/* See outdated.h. */
#include "outdated.h"

#include "base/mem.h"
#include "controller.h"
#include "definition.h"

#include <stdlib.h>
#include <string.h>

static const struct log logger = LOG_ROOT("definition");

enum { CALL_MS = 8000, DEFINITION_MAX_BYTES = 4 * 1024 * 1024, MISSING_MAX_BYTES = 16 * 1024 };

static void tell(struct controller *controller, const struct error *err)
{
    if (!atomic_exchange(&controller->is_outdated, true))
        log_error(&logger, "Installed definition is older than this controller", STR("error", err->text));
    telemetry_set_ready(controller, &controller->readiness.definition, err);
}

/* What failed before says nothing of the new definition, which the API server may need a moment to load. */
static void wake(void *ctx, const char *key)
{
    struct controller *controller = ctx;
    workqueue_forget(controller->queue, key);
    workqueue_add(controller->queue, key, WORK_BACKGROUND);
}

static void settle(struct controller *controller)
{
    if (!atomic_exchange(&controller->is_outdated, false))
        return;
    log_info(&logger, "Installed definition has all fields");
    telemetry_set_ready(controller, &controller->readiness.definition, NULL);
    store_each_key(controller->store, wake, controller);
}

static int find_missing(struct controller *controller, struct buf *missing, struct error *err)
{
    CLEANUP(freep)
    char *path =
        mem_printf("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/%s.%s", TEE_PLURAL, TEE_GROUP);
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, DEFINITION_MAX_BYTES);
    if (kube_get(controller->kube, path, CALL_MS, &body, err) < 0)
        return -1;
    return definition_find_missing(buf_text(&body), body.len, missing, err);
}

void outdated_check(struct controller *controller)
{
    CLEANUP(buf_done) struct buf missing;
    struct error err = {0};
    buf_init(&missing, MISSING_MAX_BYTES);
    bool can_read = find_missing(controller, &missing, &err) == 0;
    atomic_store(&controller->can_read_definition, can_read);
    if (!can_read) {
        log_debug(&logger, "Definition was not read", STR("error", err.text));
        return;
    }
    if (missing.len == 0) {
        settle(controller);
        return;
    }
    error_set(&err, ERROR_UNAVAILABLE, "CRDOutdated", "the installed definition of %s.%s lacks %s",
              TEE_PLURAL, TEE_GROUP, buf_text(&missing));
    tell(controller, &err);
}

void outdated_note_refused(struct controller *controller, const struct error *err)
{
    tell(controller, err);
}

void outdated_note_taken(struct controller *controller)
{
    if (atomic_load(&controller->is_outdated) && !atomic_load(&controller->can_read_definition))
        settle(controller);
}
