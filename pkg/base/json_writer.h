/* json_writer: writes one JSON value into a buf, piece by piece, with no tree.
 *
 * Model: open an object or array, write members, close it; the writer places the commas. `key` is NULL inside
 * an array and at the root. Strings are escaped, all control characters too; bytes that are not valid UTF-8
 * become U+FFFD, so that the result is always valid JSON. A member whose value is NULL is left out: absent
 * fields are omitted, never null. No name here is one of jansson's, so that a file may include both (hence
 * json_text). Threads: none.   Ownership: the buf is the caller's.   Limits: depth 32 (asserted) and the
 * buf's ceiling. Errors: sticky in the buf; check buf_is_ok() at the end. */
#ifndef TEE_BASE_JSON_WRITER_H
#define TEE_BASE_JSON_WRITER_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct json_writer {
    struct buf *out;
    int depth;
    uint32_t has_member; /* bit per depth */
};

void json_writer_init(struct json_writer *writer, struct buf *out);
void json_open_object(struct json_writer *writer, const char *key);
void json_close_object(struct json_writer *writer);
void json_open_array(struct json_writer *writer, const char *key);
void json_close_array(struct json_writer *writer);
void json_text(struct json_writer *writer, const char *key, const char *value);
void json_text_len(struct json_writer *writer, const char *key, const char *value, size_t len);
void json_int(struct json_writer *writer, const char *key, int64_t value);
void json_bool(struct json_writer *writer, const char *key, bool value);
/* As time_format_micro() writes it. */
void json_micro_time(struct json_writer *writer, const char *key, int64_t wall_ms);
/* value is already JSON. */
void json_raw(struct json_writer *writer, const char *key, const char *value);

#endif
