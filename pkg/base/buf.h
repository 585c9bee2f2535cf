/* buf: a growing byte buffer that is born with a ceiling.
 *
 * Model: appends grow the buffer up to `max` bytes. The first append that would pass it fails, and so does
 * every later one, so that a writer may check once at the end with buf_is_ok(). The data is always
 * NUL-terminated when it is not NULL, the NUL not counted in len. Threads: none.   Ownership: the buffer owns
 * data until buf_steal().   Limits: max, in bytes. Errors: -1 from an append past the ceiling. */
#ifndef TEE_BASE_BUF_H
#define TEE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max;
    bool failed;
};

void buf_init(struct buf *buf, size_t max);
void buf_done(struct buf *buf);
/* The same for what nobody else may find in memory. */
void buf_wipe(struct buf *buf);
/* Empties it and keeps the memory. */
void buf_reset(struct buf *buf);
int buf_append(struct buf *buf, const void *data, size_t len);
int buf_puts(struct buf *buf, const char *text);
int buf_putc(struct buf *buf, char c);
int buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buf_is_ok(const struct buf *buf);
/* "" when empty; borrowed until the next change. */
const char *buf_text(const struct buf *buf);
/* The caller frees; never NULL. The buffer is empty afterwards. */
char *buf_steal(struct buf *buf);

#endif
