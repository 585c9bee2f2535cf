/* Any bytes as a console: what is shown is printable, within its bound, and holds no long run of letters and
 * digits. */
#include "nitro/console.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 640, RUN_MAX = 23 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_run(const char *run, size_t len)
{
    bool has_digit = false;
    for (size_t i = 0; i < len; i++)
        has_digit = has_digit || isdigit((unsigned char)run[i]);
    if (has_digit && len > RUN_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out;
    size_t run_len = 0;
    buf_init(&out, MAX_BYTES);
    console_put_tail((const char *)data, size, MAX_BYTES, &out);
    if (!buf_is_ok(&out))
        abort();
    for (size_t i = 0; i <= out.len; i++) {
        unsigned char c = i < out.len ? (unsigned char)out.data[i] : '\n';
        if (c != '\n' && (c < ' ' || c > '~'))
            abort();
        if (isalnum(c) || (c && strchr("+=_-", c))) {
            run_len++;
            continue;
        }
        check_run(out.data ? out.data + i - run_len : "", run_len);
        run_len = 0;
    }
    buf_done(&out);
    return 0;
}
