/* Pieces are appended until the end; the buf's ceiling ends a file that has none. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int file_read(const char *path, struct buf *out, struct error *err)
{
    CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return error_set(err, errno == ENOENT || errno == ENOTDIR ? ERROR_ABSENT : ERROR_DENIED,
                         errno == ENOENT || errno == ENOTDIR ? "FileNotFound" : "FileNotReadable", "%s: %s",
                         path, strerror(errno));
    for (;;) {
        char piece[4096];
        ssize_t len = read(fd, piece, sizeof(piece));
        if (len == 0)
            return 0;
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return error_set(err, ERROR_DENIED, "FileNotReadable", "%s: %s", path, strerror(errno));
        if (buf_append(out, piece, (size_t)len) < 0)
            return error_set(err, ERROR_INVALID, "FileTooLarge", "%s: larger than %zu bytes", path, out->max);
    }
}
