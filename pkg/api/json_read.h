/* json_read: typed, bounded reads out of a jansson tree, with errors that name the field.
 *
 * Model: a struct json_reader points at one object of the tree and knows its path. Each getter copies into
 * the reader's arena. A member that is absent or null yields the stated "absent" value; a member of the wrong
 * type, or out of bounds, records the first error (path and what was wanted) and yields the absent value too,
 * so that a decoder is a straight list of fields with one check at the end. Threads: none.   Ownership:
 * results live in the arena.   Limits: per call. Errors: the first one, in *err, kind ERROR_INVALID, reason
 * Invalid. */
#ifndef TEE_API_JSON_READ_H
#define TEE_API_JSON_READ_H

#include "base/arena.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_reader {
    const json_t *object; /* NULL: every member is absent */
    const char *path;
    struct arena *arena;
    struct error *err; /* kind ERROR_NONE until something is wrong */
};

struct json_reader json_reader_child(const struct json_reader *parent, const char *key);
struct json_reader json_reader_item(const struct json_reader *parent, const char *key, size_t index);
/* NULL = absent. Strings with a NUL byte inside, or longer than max_len bytes, are errors. */
const char *json_read_string(const struct json_reader *reader, const char *key, size_t max_len);
int64_t json_read_int(const struct json_reader *reader, const char *key, int64_t min, int64_t max,
                      int64_t absent);
/* -1 = absent, else 0 or 1 */
int json_read_bool(const struct json_reader *reader, const char *key);
/* Unix milliseconds, 0 = absent */
int64_t json_read_time(const struct json_reader *reader, const char *key);
/* Index into names; `absent` if absent. */
int json_read_enum(const struct json_reader *reader, const char *key, const char *const *names, size_t count,
                   int absent);
/* Number of items, 0 = absent; more than max is an error. */
size_t json_read_count(const struct json_reader *reader, const char *key, size_t max);
/* A list of strings; *ret_count = 0 and NULL when absent. */
const char **json_read_strings(const struct json_reader *reader, const char *key, size_t max_count,
                               size_t *ret_count);
void json_read_fail(const struct json_reader *reader, const char *key, const char *wanted);

#endif
