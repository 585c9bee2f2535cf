/* A rule is a function; the first that says no is told. */
#include "status_oracle.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { REASON_MAX = 1024, MESSAGE_MAX = 32768 };

struct view {
    const json_t *metadata;
    const json_t *status;
    const json_t *before; /* status, or NULL */
    char *why;
    size_t size;
};

static const char *const always_there[] = {
    "Ready", "PreflightSucceeded", "HostLaunched", "HostBooted", "EnclaveRunning", "Attested", "Drifted"};
/* Abnormal-true: there only while they hold. */
static const char *const negative[] = {"Reconciling", "Stalled"};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static const json_t *find(const json_t *status, const char *type)
{
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(status, "conditions"), i, one)
    {
        if (strcmp(text_of(one, "type"), type) == 0)
            return one;
    }
    return NULL;
}

static bool is_status(const json_t *status, const char *type, const char *word)
{
    return strcmp(text_of(find(status, type), "status"), word) == 0;
}

static bool says(const struct view *view, const char *rule, const char *about)
{
    snprintf(view->why, view->size, "%s: %s", about, rule);
    return false;
}

/* 2006-01-02T15:04:05Z */
static bool is_time(const char *text)
{
    static const char form[] = "0000-00-00T00:00:00Z";
    if (strlen(text) != sizeof(form) - 1)
        return false;
    for (size_t i = 0; form[i]; i++)
        if (form[i] == '0' ? !isdigit((unsigned char)text[i]) : text[i] != form[i])
            return false;
    return true;
}

static bool is_camel_case(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > REASON_MAX || !isupper((unsigned char)text[0]))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]))
            return false;
    return true;
}

static bool has_form(const struct view *view, const json_t *one)
{
    const char *type = text_of(one, "type");
    const char *word = text_of(one, "status");
    if (!is_camel_case(type))
        return says(view, "a condition's type is CamelCase", type);
    if (strcmp(word, "True") != 0 && strcmp(word, "False") != 0 && strcmp(word, "Unknown") != 0)
        return says(view, "status is True, False or Unknown", type);
    if (!is_camel_case(text_of(one, "reason")))
        return says(view, "reason is CamelCase and not empty", type);
    if (!json_is_string(json_object_get(one, "message")) || strlen(text_of(one, "message")) > MESSAGE_MAX)
        return says(view, "message is there, of at most 32768 bytes", type);
    if (!is_time(text_of(one, "lastTransitionTime")))
        return says(view, "lastTransitionTime is RFC 3339 in UTC", type);
    return true;
}

static json_int_t generation_of(const struct view *view)
{
    return json_integer_value(json_object_get(view->metadata, "generation"));
}

static bool has_generation(const struct view *view, const json_t *one)
{
    const json_t *seen = json_object_get(one, "observedGeneration");
    if (!json_is_integer(seen) || json_integer_value(seen) < 0)
        return says(view, "observedGeneration is a number", text_of(one, "type"));
    if (json_integer_value(seen) > generation_of(view))
        return says(view, "observedGeneration is not ahead of the generation", text_of(one, "type"));
    if (is_status(view->status, "Ready", "True") && json_integer_value(seen) != generation_of(view))
        return says(view, "Ready=True speaks of the present generation, in each condition",
                    text_of(one, "type"));
    return true;
}

/* metav1: the time moves with the status word and with nothing else. */
static bool keeps_its_time(const struct view *view, const json_t *one)
{
    const json_t *old = find(view->before, text_of(one, "type"));
    if (!old)
        return true;
    bool has_moved = strcmp(text_of(one, "lastTransitionTime"), text_of(old, "lastTransitionTime")) != 0;
    bool is_other = strcmp(text_of(one, "status"), text_of(old, "status")) != 0;
    if (has_moved && !is_other)
        return says(view, "lastTransitionTime moves only when status does", text_of(one, "type"));
    if (strcmp(text_of(one, "lastTransitionTime"), text_of(old, "lastTransitionTime")) < 0)
        return says(view, "lastTransitionTime does not go back", text_of(one, "type"));
    return true;
}

static bool each_condition_holds(const struct view *view)
{
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(view->status, "conditions"), i, one)
    {
        if (find(view->status, text_of(one, "type")) != one)
            return says(view, "a type is there once", text_of(one, "type"));
        if (!has_form(view, one) || !has_generation(view, one) || !keeps_its_time(view, one))
            return false;
    }
    return true;
}

static bool all_are_there(const struct view *view)
{
    for (size_t i = 0; i < sizeof(always_there) / sizeof(always_there[0]); i++)
        if (!find(view->status, always_there[i]))
            return says(view, "is there from the first status on", always_there[i]);
    for (size_t i = 0; i < sizeof(negative) / sizeof(negative[0]); i++)
        if (find(view->status, negative[i]) && !is_status(view->status, negative[i], "True"))
            return says(view, "is there only while it is True", negative[i]);
    return true;
}

static bool summary_agrees(const struct view *view)
{
    bool is_ready = is_status(view->status, "Ready", "True");
    bool is_reconciling = is_status(view->status, "Reconciling", "True");
    bool is_stalled = is_status(view->status, "Stalled", "True");
    if (is_reconciling && is_stalled)
        return says(view, "not both Reconciling and Stalled", "Ready");
    if (is_ready == (is_reconciling || is_stalled))
        return says(view, "not True with Reconciling or Stalled, and nothing else without", "Ready");
    if (is_stalled != (strcmp(text_of(view->status, "phase"), "Failed") == 0))
        return says(view, "the phase Failed is Stalled", text_of(view->status, "phase"));
    return true;
}

static bool generation_moves_on(const struct view *view)
{
    json_int_t seen = json_integer_value(json_object_get(view->status, "observedGeneration"));
    if (seen <= 0 || seen > generation_of(view))
        return says(view, "is a generation that was there", "observedGeneration");
    if (view->before && seen < json_integer_value(json_object_get(view->before, "observedGeneration")))
        return says(view, "does not go back", "observedGeneration");
    return true;
}

const char *status_oracle_kstatus(const json_t *object)
{
    const json_t *metadata = json_object_get(object, "metadata");
    const json_t *status = json_object_get(object, "status");
    const json_t *seen = json_object_get(status, "observedGeneration");
    if (json_object_get(metadata, "deletionTimestamp"))
        return "Terminating";
    if (seen && json_integer_value(seen) != json_integer_value(json_object_get(metadata, "generation")))
        return "InProgress";
    if (is_status(status, "Reconciling", "True"))
        return "InProgress";
    if (is_status(status, "Stalled", "True"))
        return "Failed";
    if (find(status, "Ready"))
        return is_status(status, "Ready", "True") ? "Current" : "InProgress";
    return "Current";
}

/* A wait that ends with success ends at Ready=True, and one that gives up at Stalled=True. */
static bool waits_end_well(const struct view *view, const json_t *object)
{
    const char *word = status_oracle_kstatus(object);
    if (strcmp(word, "Current") == 0 && !is_status(view->status, "Ready", "True"))
        return says(view, "Current only when Ready", "kstatus");
    if (strcmp(word, "Failed") == 0 && !is_status(view->status, "Stalled", "True"))
        return says(view, "Failed only when Stalled", "kstatus");
    return true;
}

bool status_oracle_accepts(const json_t *object, const json_t *before, char *ret_why, size_t size)
{
    struct view view = {.metadata = json_object_get(object, "metadata"),
                        .status = json_object_get(object, "status"),
                        .before = json_object_get(before, "status"),
                        .why = ret_why,
                        .size = size};
    if (!find(view.before, "Ready")) /* nobody has written it yet: what is there is the schema's default */
        view.before = NULL;
    ret_why[0] = '\0';
    return all_are_there(&view) && each_condition_holds(&view) && summary_agrees(&view) &&
           generation_moves_on(&view) && waits_end_well(&view, object);
}

static json_t *without_evidence(const json_t *object)
{
    json_t *status = json_deep_copy(json_object_get(object, "status"));
    json_t *attestation = json_object_get(status, "attestation");
    json_object_del(attestation, "evidence");
    json_object_del(attestation, "evidenceSHA256");
    if (attestation && json_object_size(attestation) == 0)
        json_object_del(status, "attestation");
    return status;
}

bool status_oracle_is_change(const json_t *object, const json_t *before)
{
    json_t *now = without_evidence(object);
    json_t *then = without_evidence(before);
    bool is_change = !json_equal(now, then);
    json_decref(now);
    json_decref(then);
    return is_change;
}
