/* A byte at a time; texts are short. */
#include "base/url.h"

#include <string.h>

void url_put_encoded_keeping(struct buf *out, const char *text, size_t len, const char *kept)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (size_t i = 0; i < len; i++) {
        bool is_plain = text[i] && (strchr(unreserved, text[i]) || strchr(kept, text[i]));
        if (is_plain)
            buf_putc(out, text[i]);
        else
            buf_printf(out, "%%%02X", (unsigned char)text[i]);
    }
}

void url_put_encoded(struct buf *out, const char *text)
{
    url_put_encoded_keeping(out, text, strlen(text), "");
}
