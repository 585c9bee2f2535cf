/* The security module's answer. What is accepted must lie within the input; what is not must say why. */
#include "nsm_codec.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nsm_field document;
    struct error err = {.kind = ERROR_NONE};
    if (nsm_codec_decode(data, size, &document, &err) < 0) {
        if (!err.text[0])
            abort();
        return 0;
    }
    if (document.data < data || document.len == 0 || document.data + document.len != data + size)
        abort();
    return 0;
}
