/* metadata here, spec and status in their own files. */
#include "api/teedeployment.h"

#include "api/teedeployment_pack.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_OBJECT_BYTES = 4 * 1024 * 1024 };

static void jsonp(json_t **json)
{
    json_decref(*json);
}

/* An annotation with characters that we cannot keep is as good as absent. */
static const char *annotation(const struct json_reader *annotations, const char *key, size_t max_len)
{
    struct error ignored = {0};
    struct json_reader reader = *annotations;
    reader.err = &ignored;
    return json_read_string(&reader, key, max_len);
}

static void decode_annotations(const struct json_reader *metadata, struct teedeployment *object)
{
    struct json_reader annotations = json_reader_child(metadata, "annotations");
    const char *paused = annotation(&annotations, "tee.dev/paused", 16);
    const char *adopt = annotation(&annotations, "tee.dev/adopt", 32);
    const char *own = annotation(&annotations, "tee.dev/reconcile-requested-at", 120);
    const char *flux = annotation(&annotations, "reconcile.fluxcd.io/requestedAt", 120);
    object->is_paused = paused && strcmp(paused, "true") == 0;
    object->wants_adoption = adopt && strcmp(adopt, "by-tag") == 0;
    if (own && flux)
        object->reconcile_requested = arena_printf(&object->arena, "%s %s", own, flux);
    else
        object->reconcile_requested = own ? own : flux;
}

static void decode_finalizers(const struct json_reader *metadata, struct teedeployment *object)
{
    const json_t *list = metadata->object ? json_object_get(metadata->object, "finalizers") : NULL;
    object->finalizer_index = -1;
    object->finalizer_count = json_array_size(list);
    for (size_t i = 0; i < object->finalizer_count; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text && strcmp(text, TEE_FINALIZER) == 0)
            object->finalizer_index = (int)i;
    }
}

static int decode_metadata(const struct json_reader *root, struct teedeployment *object, struct error *err)
{
    struct json_reader metadata = json_reader_child(root, "metadata");
    object->name_space = json_read_string(&metadata, "namespace", 63);
    object->name = json_read_string(&metadata, "name", 253);
    object->uid = json_read_string(&metadata, "uid", 128);
    object->resource_version = json_read_string(&metadata, "resourceVersion", 64);
    if (!object->name_space || !object->name || !object->uid || !object->resource_version)
        return error_set(err, ERROR_INVALID, "Malformed",
                         "object without namespace, name, uid or resourceVersion");
    object->generation = json_read_int(&metadata, "generation", 0, INT64_MAX, 0);
    object->creation_ms = json_read_time(&metadata, "creationTimestamp");
    object->is_deleting = json_read_time(&metadata, "deletionTimestamp") != 0;
    decode_finalizers(&metadata, object);
    decode_annotations(&metadata, object);
    return 0;
}

static int decode(const json_t *json, struct teedeployment *object, struct error *err)
{
    struct error wrong = {0};
    struct json_reader root = {.object = json, .path = "", .arena = &object->arena, .err = &wrong};
    if (decode_metadata(&root, object, err) < 0)
        return -1;
    struct error ignored = {0};
    root.err = &ignored;
    struct json_reader status = json_reader_child(&root, "status");
    status_decode(&status, &object->status);
    if (!status.object || status_digest(status.object, object->status_digest) < 0)
        memset(object->status_digest, 0, sizeof(object->status_digest));
    root.err = &wrong;
    struct json_reader spec = json_reader_child(&root, "spec");
    spec_decode(&spec, &object->spec);
    if (wrong.kind != ERROR_NONE)
        object->invalid = arena_strdup(&object->arena, wrong.text);
    teedeployment_derive(object);
    return 0;
}

struct teedeployment *teedeployment_new(void)
{
    struct teedeployment *object = mem_calloc(1, sizeof(*object));
    ref_init(&object->ref);
    arena_init(&object->arena);
    return object;
}

void teedeployment_derive(struct teedeployment *object)
{
    object->key = arena_printf(&object->arena, "%s/%s", object->name_space, object->name);
    object->deployment_id = object->spec.deployment_id
                                ? object->spec.deployment_id
                                : arena_printf(&object->arena, "nitro-%s", object->uid);
}

/* jansson's own words quote the text, which may hold anything. */
static const char *name_json_error(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_invalid_utf8: return "bytes that are not UTF-8";
    case json_error_numeric_overflow: return "a number out of range";
    case json_error_stack_overflow: return "too many levels";
    default: return "what is no JSON";
    }
}

int teedeployment_decode(const char *json, size_t len, struct teedeployment **ret_object, struct error *err)
{
    if (len > MAX_OBJECT_BYTES)
        return error_set(err, ERROR_INVALID, "Malformed", "object of %zu bytes is larger than 4 MiB", len);
    json_error_t where;
    CLEANUP(jsonp) json_t *tree = json_loadb(json, len, JSON_ALLOW_NUL, &where);
    if (!json_is_object(tree))
        return error_set(err, ERROR_INVALID, "Malformed", "the object's text has %s at byte %d",
                         name_json_error(&where), where.position);
    CLEANUP(teedeployment_unrefp) struct teedeployment *object = teedeployment_new();
    if (decode(tree, object, err) < 0)
        return -1;
    *ret_object = STEAL(object);
    return 0;
}

struct teedeployment *teedeployment_ref(struct teedeployment *object)
{
    ref_get(&object->ref);
    return object;
}

struct teedeployment *teedeployment_unref(struct teedeployment *object)
{
    if (object && ref_put(&object->ref)) {
        arena_done(&object->arena);
        packed_unref(object->packed);
        free(object);
    }
    return NULL;
}

void teedeployment_unrefp(struct teedeployment **object)
{
    teedeployment_unref(*object);
}

int resource_version_compare(const char *a, const char *b)
{
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);
    if (a_len != b_len)
        return a_len < b_len ? -1 : 1;
    return strcmp(a, b);
}
