/* The decoder on any bytes: it must end, stay inside the input, and agree with itself on where an item ends.
 */
#include "nitro/cbor.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cbor_reader skipper, puller;
    struct cbor_item item;
    cbor_init(&skipper, data, size);
    while (cbor_skip(&skipper) == 0)
        if (skipper.depth != 0 || skipper.at > skipper.end)
            abort();
    cbor_init(&puller, data, size);
    while (cbor_next(&puller, &item) == 0)
        if (item.len > 0 && (item.data < data || item.data + item.len > data + size))
            abort();
    return 0;
}
