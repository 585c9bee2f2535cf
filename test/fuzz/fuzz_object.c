/* The JSON of one object: it is refused, or becomes a struct whose status can be written again as valid JSON.
 */
#include "api/teedeployment.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(teedeployment_unrefp) struct teedeployment *object = NULL;
    struct error err;
    if (teedeployment_decode((const char *)data, size, &object, &err) < 0)
        return 0;
    CLEANUP(buf_done) struct buf json;
    buf_init(&json, 8 * 1024 * 1024);
    status_encode(&object->status, &json);
    uint8_t digest[32];
    assert(!buf_is_ok(&json) || status_digest_text(buf_text(&json), json.len, digest) == 0);
    return 0;
}
