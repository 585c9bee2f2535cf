/* file: reads a small file whole.
 *
 * Model: one call; the file is read up to a ceiling, and a longer one is an error, never cut.
 * Threads: any.   Ownership: the caller's buf is filled, what was in it stays in front.
 * Limits: the buf's ceiling.   Errors: ERROR_ABSENT (FileNotFound), ERROR_DENIED (FileNotReadable),
 * ERROR_INVALID (FileTooLarge); each names the path. */
#ifndef TEE_BASE_FILE_H
#define TEE_BASE_FILE_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"

MUST_CHECK int file_read(const char *path, struct buf *out, struct error *err);

#endif
