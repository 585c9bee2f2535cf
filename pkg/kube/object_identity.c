/* A walk over the members of two objects; see json_find_open(). */
#include "kube/object_identity.h"

#include <stdio.h>

static bool take(struct json_span metadata, const char *key, char *ret_text, size_t size)
{
    struct json_span value = json_find_open(metadata, (const char *[]){key, NULL});
    return json_span_copy(value, ret_text, size) == 0 && *ret_text;
}

bool object_identity_find(struct json_span object, struct object_identity *ret_identity)
{
    struct object_identity *identity = ret_identity;
    struct json_span metadata = json_find_open(object, (const char *[]){"metadata", NULL});
    *identity = (struct object_identity){0};
    if (!take(metadata, "namespace", identity->name_space, sizeof(identity->name_space)) ||
        !take(metadata, "name", identity->name, sizeof(identity->name)) ||
        !take(metadata, "uid", identity->uid, sizeof(identity->uid)))
        return false;
    snprintf(identity->key, sizeof(identity->key), "%s/%s", identity->name_space, identity->name);
    return true;
}
