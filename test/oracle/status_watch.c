/* status_watch: reads what `kubectl get teedeployments --watch -o json` prints, and judges each status in it
 * that is another than the one before of the same object: that is, each write. Prints the broken rules and a
 * count; exits with 1 if there are some, or if there was nothing to judge. */
#include "status_oracle.h"

#include <stdio.h>
#include <string.h>

static bool is_written(const json_t *object, const json_t *before)
{
    const json_t *status = json_object_get(object, "status");
    return json_object_get(status, "conditions") && status_oracle_is_change(object, before);
}

int main(void)
{
    int judged = 0, broken = 0;
    char why[300];
    json_t *known = json_object(); /* the last one of each uid */
    json_t *object;
    while ((object = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, NULL))) {
        const json_t *metadata = json_object_get(object, "metadata");
        const char *uid = json_string_value(json_object_get(metadata, "uid"));
        const json_t *before = uid ? json_object_get(known, uid) : NULL;
        if (uid && is_written(object, before)) {
            judged++;
            if (!status_oracle_accepts(object, before, why, sizeof(why))) {
                broken++;
                printf("%s at %s: %s\n", json_string_value(json_object_get(metadata, "name")),
                       json_string_value(json_object_get(metadata, "resourceVersion")), why);
            }
        }
        if (uid)
            json_object_set(known, uid, object);
        json_decref(object);
    }
    printf("%d statuses of %zu objects, %d broken\n", judged, json_object_size(known), broken);
    json_decref(known);
    return judged == 0 || broken > 0;
}
