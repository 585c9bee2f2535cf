/* Objects that cannot be read: whose they are is found where possible and told to their users, in the log and
 * as an Event (event.h limits how many); all others go on. What the store holds of one stays: the last form
 * that could be read, on which nothing that costs money is done, because a live read comes before that. */
#include "controller.h"

#include "api/teedeployment.h"

#include <stdio.h>

static const struct log logger = LOG_ROOT("watch");

static void emit(struct controller *controller, const struct object_identity *identity, const char *why)
{
    char note[512];
    snprintf(note, sizeof(note), "This object cannot be read and is left as it is: %s", why);
    const struct event event = {.api_version = TEE_API_VERSION,
                                .kind = TEE_KIND,
                                .name_space = identity->name_space,
                                .name = identity->name,
                                .uid = identity->uid,
                                .reason = "Invalid",
                                .action = "Read",
                                .note = note,
                                .is_warning = true};
    event_queue_emit(controller->events, &event);
}

void unreadable_take(struct controller *controller, enum watch_event_type type,
                     const struct object_identity *identity, size_t len, const char *why)
{
    const char *key = identity ? identity->key : NULL;
    flight_record(
        controller->flight,
        &(struct flight_note){.part = FLIGHT_WATCH, .what = "skipped", .key = key, .value = (int64_t)len});
    if (identity && type == WATCH_DELETED) {
        store_remove(controller->store, key);
        workqueue_add(controller->queue, key, WORK_URGENT);
        return;
    }
    telemetry_count_unreadable(controller);
    log_error(&logger, "Object was skipped", OBJECT(TEE_KIND, key), STR("error", why));
    if (!identity)
        return;
    store_keep(controller->store, key);
    emit(controller, identity, why);
}
