/* Operations are opened and closed by hand: their members differ in type. */
#include "kube/patch.h"

#include "base/json_writer.h"

#include <stdio.h>

static void put_operation(struct json_writer *writer, const char *op, const char *path, const char *value)
{
    json_open_object(writer, NULL);
    json_text(writer, "op", op);
    json_text(writer, "path", path);
    json_text(writer, "value", value);
    json_close_object(writer);
}

void patch_add_finalizer(struct buf *out, const char *resource_version, const char *finalizer,
                         size_t present_count)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_array(&writer, NULL);
    put_operation(&writer, "replace", "/metadata/resourceVersion", resource_version);
    if (present_count > 0) {
        put_operation(&writer, "add", "/metadata/finalizers/-", finalizer);
    } else {
        json_open_object(&writer, NULL);
        json_text(&writer, "op", "add");
        json_text(&writer, "path", "/metadata/finalizers");
        json_open_array(&writer, "value");
        json_text(&writer, NULL, finalizer);
        json_close_array(&writer);
        json_close_object(&writer);
    }
    json_close_array(&writer);
}

void patch_remove_finalizer(struct buf *out, const char *resource_version, const char *finalizer,
                            size_t index)
{
    char path[64];
    struct json_writer writer;
    snprintf(path, sizeof(path), "/metadata/finalizers/%zu", index);
    json_writer_init(&writer, out);
    json_open_array(&writer, NULL);
    put_operation(&writer, "replace", "/metadata/resourceVersion", resource_version);
    put_operation(&writer, "test", path, finalizer);
    put_operation(&writer, "remove", path, NULL);
    json_close_array(&writer);
}

void patch_apply_status(struct buf *out, const struct patch_target *target, const char *status_json)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_text(&writer, "apiVersion", target->api_version);
    json_text(&writer, "kind", target->kind);
    json_open_object(&writer, "metadata");
    json_text(&writer, "name", target->name);
    json_text(&writer, "namespace", target->name_space);
    json_text(&writer, "resourceVersion", target->resource_version);
    json_close_object(&writer);
    json_raw(&writer, "status", status_json);
    json_close_object(&writer);
}
