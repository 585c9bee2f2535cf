/* The JSON of one object: it is refused, or becomes a struct whose status can be written again as valid JSON,
 * and that is the same after it was packed. Whose it is, is asked of any text. */
#include "api/teedeployment_pack.h"
#include "base/mem.h"
#include "kube/object_identity.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* On a copy of just that size, so that a step past its end is seen. */
static void find_identity(const uint8_t *data, size_t size)
{
    CLEANUP(freep) char *copy = mem_dup(data, size);
    struct object_identity identity;
    if (object_identity_find((struct json_span){copy, size}, &identity))
        assert(identity.name_space[0] && identity.name[0] && identity.uid[0] && strchr(identity.key, '/'));
}

static void write_status(struct teedeployment *object, struct buf *json)
{
    for (size_t i = 0; i < object->status.conditions.count; i++)
        object->status.conditions.items[i].message = NULL; /* not kept in the packed form */
    buf_init(json, 8 * 1024 * 1024);
    status_encode(&object->status, json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    find_identity(data, size);
    CLEANUP(teedeployment_unrefp) struct teedeployment *object = NULL;
    struct error err;
    if (teedeployment_decode((const char *)data, size, &object, &err) < 0)
        return 0;
    struct packed *packed = teedeployment_pack(object);
    CLEANUP(teedeployment_unrefp) struct teedeployment *again = teedeployment_unpack(packed);
    packed_unref(packed);
    CLEANUP(buf_done) struct buf json;
    CLEANUP(buf_done) struct buf json_again;
    write_status(object, &json);
    write_status(again, &json_again);
    assert(strcmp(buf_text(&json), buf_text(&json_again)) == 0);
    assert(strcmp(object->key, again->key) == 0 && strcmp(object->uid, again->uid) == 0);
    uint8_t digest[32];
    assert(!buf_is_ok(&json) || status_digest_text(buf_text(&json), json.len, digest) == 0);
    return 0;
}
