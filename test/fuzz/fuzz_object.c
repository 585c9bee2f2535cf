/* The JSON of one object: it is refused, or becomes a struct whose status can be written again as valid JSON,
 * and that is the same after it was packed. Whose it is, is asked of any text, in one piece and in several.
 */
#include "api/teedeployment_pack.h"
#include "base/mem.h"
#include "kube/object_identity.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* On copies of just that size, so that a step past their end is seen. A text of odd length is an event. */
static bool find_identity(const uint8_t *data, size_t size, size_t chunk, struct identity_scan *ret_scan)
{
    struct object_identity identity;
    identity_scan_init(ret_scan, size % 2 == 1);
    for (size_t at = 0; at < size; at += chunk) {
        size_t len = size - at < chunk ? size - at : chunk;
        CLEANUP(freep) char *copy = mem_dup(data + at, len);
        identity_scan_feed(ret_scan, copy, len);
    }
    bool is_found = identity_scan_finish(ret_scan, &identity);
    assert(!is_found || (identity.name_space[0] && identity.name[0] && strchr(identity.key, '/')));
    return is_found;
}

/* Whatever it is cut into. */
static void compare_identities(const uint8_t *data, size_t size)
{
    struct identity_scan whole;
    struct identity_scan pieces;
    bool is_found = find_identity(data, size, size, &whole);
    size_t chunk = size > 0 && data[size - 1] ? data[size - 1] : 1;
    assert(find_identity(data, size, chunk, &pieces) == is_found);
    assert(memcmp(&whole.identity, &pieces.identity, sizeof(whole.identity)) == 0);
    assert(strcmp(whole.type, pieces.type) == 0);
}

/* Of an object that can be read it is what its decoder says; names that are written with escapes are not
 * found.
 */
static void compare_with_decoded(const uint8_t *data, size_t size, const struct teedeployment *object)
{
    struct object_identity identity;
    bool is_found = object_identity_find((struct json_span){(const char *)data, size}, &identity);
    if (!memchr(data, '\\', size))
        assert(is_found ? strcmp(identity.key, object->key) == 0 : strlen(object->key) > 64);
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
    compare_identities(data, size);
    CLEANUP(teedeployment_unrefp) struct teedeployment *object = NULL;
    struct error err;
    if (teedeployment_decode((const char *)data, size, &object, &err) < 0)
        return 0;
    compare_with_decoded(data, size, object);
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
