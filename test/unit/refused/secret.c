/* Compiles as it is, and must not where one of the names is defined as the secret: see test/CMakeLists.txt.
 */
#include "base/secret.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>

#ifndef LOGGED
#define LOGGED text
#endif
#ifndef REPORTED
#define REPORTED text
#endif
#ifndef FORMATTED
#define FORMATTED text
#endif
#ifndef COPIED
#define COPIED text
#endif

int tell(const struct secret *secret, const char *text, struct buf *out, struct error *err);

int tell(const struct secret *secret, const char *text, struct buf *out, struct error *err)
{
    static const struct log root = LOG_ROOT("told");
    log_info(&root, "Told", STR("text", LOGGED), BOOL("has_secret", secret != NULL));
    buf_printf(out, "%s", FORMATTED);
    free(mem_strdup(COPIED));
    return error_set(err, ERROR_INVALID, "Told", "%s", REPORTED);
}
