/* Members are looked up in the text, so that a cut body still yields what came before the cut. */
#include "kube/status.h"

#include "base/cleanup.h"
#include "kube/json_scan.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* A definition is changed by people. */
enum { OUTDATED_RETRY_MS = 60 * 1000, MAX_RETRY_AFTER_S = 60 };

static int64_t to_int(struct json_span span)
{
    char text[24] = "";
    if (span.text && span.len < sizeof(text))
        memcpy(text, span.text, span.len);
    return strtoll(text, NULL, 10);
}

/* Unescapes and cuts. */
static void copy_message(struct json_span span, char *ret_text, size_t size)
{
    json_t *value = span.text ? json_loadb(span.text, span.len, JSON_DECODE_ANY, NULL) : NULL;
    if (json_is_string(value))
        snprintf(ret_text, size, "%s", json_string_value(value));
    json_decref(value);
}

static bool names_too_large(struct json_span causes)
{
    static const char word[] = "\"ResourceVersionTooLarge\"";
    return causes.text && memmem(causes.text, causes.len, word, sizeof(word) - 1);
}

void kube_status_decode(int http_status, const char *body, size_t len, struct kube_status *ret_status)
{
    struct json_span in = {body, len};
    *ret_status = (struct kube_status){.code = http_status};
    if (!body || !json_span_is(json_find(in, (const char *[]){"kind", NULL}), "Status")) {
        snprintf(ret_status->message, sizeof(ret_status->message), "HTTP status %d", http_status);
        return;
    }
    if (http_status == 0)
        ret_status->code = (int)to_int(json_find(in, (const char *[]){"code", NULL}));
    json_span_copy(json_find(in, (const char *[]){"reason", NULL}), ret_status->reason,
                   sizeof(ret_status->reason));
    copy_message(json_find(in, (const char *[]){"message", NULL}), ret_status->message,
                 sizeof(ret_status->message));
    int64_t retry_after_s = to_int(json_find(in, (const char *[]){"details", "retryAfterSeconds", NULL}));
    if (retry_after_s > 0)
        ret_status->retry_after_ms =
            (retry_after_s < MAX_RETRY_AFTER_S ? retry_after_s : MAX_RETRY_AFTER_S) * 1000;
    ret_status->is_version_too_large =
        names_too_large(json_find(in, (const char *[]){"details", "causes", NULL}));
}

bool kube_status_is_expired(const struct kube_status *status)
{
    return status->code == 410 || strcmp(status->reason, "Expired") == 0 ||
           strcmp(status->reason, "Gone") == 0;
}

static enum error_kind get_kind(int code)
{
    switch (code) {
    case 400:
    case 405:
    case 406:
    case 413:
    case 415:
    case 422: return ERROR_INVALID;
    case 401:
    case 403: return ERROR_DENIED;
    case 404: return ERROR_ABSENT;
    case 409:
    case 410: return ERROR_CONFLICT;
    case 429: return ERROR_THROTTLED;
    default: return ERROR_UNAVAILABLE;
    }
}

/* The server applies a JSON patch to the object as it is by now, and only then compares versions. A patch
 * that was computed from an older one, of which an element has moved or gone, is answered 422 with these
 * words; an object that is not valid gets others, which name it. */
static bool is_stale_patch(const struct kube_status *status)
{
    return status->code == 422 &&
           strstr(status->message, "the server rejected our request due to an error in our request");
}

int kube_status_to_error(const struct kube_status *status, struct error *err)
{
    enum error_kind kind = is_stale_patch(status) ? ERROR_CONFLICT : get_kind(status->code);
    char reason[32];
    snprintf(reason, sizeof(reason), "%.31s", status->reason);
    bool is_outdated = status->code == 500 && strstr(status->message, "failed to create typed patch object");
    if (is_outdated)
        snprintf(reason, sizeof(reason), "CRDOutdated");
    else if (!*reason)
        snprintf(reason, sizeof(reason), "HTTP%d", status->code);
    error_set(err, kind, reason, "%s", status->message);
    if (err)
        err->retry_after_ms = is_outdated ? OUTDATED_RETRY_MS : status->retry_after_ms;
    return -1;
}
