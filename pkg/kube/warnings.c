/* The text is a quoted string, in which a backslash makes the next character plain. */
#include "kube/warnings.h"

#include <string.h>

enum { MAX_WARNINGS = 256 };

void warnings_init(struct warnings *warnings)
{
    hmap_init(&warnings->seen);
}

void warnings_done(struct warnings *warnings)
{
    hmap_done(&warnings->seen, NULL);
}

static bool decode(const char *header, char ret_text[WARNING_SIZE])
{
    size_t len = 0;
    const char *at = strncmp(header, "299 ", 4) == 0 ? strchr(header, '"') : NULL;
    if (!at)
        return false;
    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1])
            at++;
        if (len < WARNING_SIZE - 1)
            ret_text[len++] = (unsigned char)*at < ' ' || *at == 0x7f ? ' ' : *at;
    }
    ret_text[len] = '\0';
    return *at == '"' && len > 0;
}

bool warnings_take(struct warnings *warnings, const char *header, char ret_text[WARNING_SIZE])
{
    if (!decode(header, ret_text) || hmap_get(&warnings->seen, ret_text) ||
        warnings->seen.count >= MAX_WARNINGS)
        return false;
    hmap_set(&warnings->seen, ret_text, warnings);
    return true;
}
