/* Paths are kept as one growing text per nested reader; they exist only while one object is decoded. */
#include "api/json_read.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

void json_read_fail(const struct json_reader *reader, const char *key, const char *wanted)
{
    if (reader->err->kind == ERROR_NONE)
        error_set(reader->err, ERROR_INVALID, "Invalid", "%s.%s must be %s", reader->path, key, wanted);
}

static const json_t *member(const struct json_reader *reader, const char *key)
{
    const json_t *value = reader->object ? json_object_get(reader->object, key) : NULL;
    return json_is_null(value) ? NULL : value;
}

struct json_reader json_reader_child(const struct json_reader *parent, const char *key)
{
    const json_t *value = member(parent, key);
    if (value && !json_is_object(value)) {
        json_read_fail(parent, key, "an object");
        value = NULL;
    }
    return (struct json_reader){.object = value,
                                .path = value ? arena_printf(parent->arena, "%s.%s", parent->path, key) : key,
                                .arena = parent->arena,
                                .err = parent->err};
}

struct json_reader json_reader_item(const struct json_reader *parent, const char *key, size_t index)
{
    const json_t *value = json_array_get(member(parent, key), index);
    if (!json_is_object(value)) {
        json_read_fail(parent, key, "a list of objects");
        value = NULL;
    }
    return (struct json_reader){.object = value,
                                .path = arena_printf(parent->arena, "%s.%s[%zu]", parent->path, key, index),
                                .arena = parent->arena,
                                .err = parent->err};
}

static const char *copy_string(const struct json_reader *reader, const char *key, const json_t *value,
                               size_t max_len)
{
    if (!json_is_string(value)) {
        json_read_fail(reader, key, "a string");
        return NULL;
    }
    size_t len = json_string_length(value);
    if (len > max_len) {
        json_read_fail(reader, key, "shorter");
        return NULL;
    }
    if (memchr(json_string_value(value), '\0', len)) {
        json_read_fail(reader, key, "free of NUL characters");
        return NULL;
    }
    return arena_strndup(reader->arena, json_string_value(value), len);
}

const char *json_read_string(const struct json_reader *reader, const char *key, size_t max_len)
{
    const json_t *value = member(reader, key);
    return value ? copy_string(reader, key, value, max_len) : NULL;
}

int64_t json_read_int(const struct json_reader *reader, const char *key, int64_t min, int64_t max,
                      int64_t absent)
{
    const json_t *value = member(reader, key);
    if (!value)
        return absent;
    int64_t number = json_integer_value(value);
    if (json_is_integer(value) && number >= min && number <= max)
        return number;
    char wanted[80];
    snprintf(wanted, sizeof(wanted), "a whole number from %lld to %lld", (long long)min, (long long)max);
    json_read_fail(reader, key, wanted);
    return absent;
}

int json_read_bool(const struct json_reader *reader, const char *key)
{
    const json_t *value = member(reader, key);
    if (!value)
        return -1;
    if (!json_is_boolean(value)) {
        json_read_fail(reader, key, "true or false");
        return -1;
    }
    return json_is_true(value) ? 1 : 0;
}

int64_t json_read_time(const struct json_reader *reader, const char *key)
{
    const json_t *value = member(reader, key);
    int64_t ms = 0;
    if (!value)
        return 0;
    if (!json_is_string(value) || time_parse(json_string_value(value), &ms) < 0)
        json_read_fail(reader, key, "a time like 2026-01-02T03:04:05Z");
    return ms;
}

int json_read_enum(const struct json_reader *reader, const char *key, const char *const *names, size_t count,
                   int absent)
{
    const json_t *value = member(reader, key);
    if (!value)
        return absent;
    for (size_t i = 0; i < count; i++)
        if (json_is_string(value) && names[i] && strcmp(json_string_value(value), names[i]) == 0)
            return (int)i;
    json_read_fail(reader, key, "one of the values that the schema lists");
    return absent;
}

size_t json_read_count(const struct json_reader *reader, const char *key, size_t max)
{
    const json_t *value = member(reader, key);
    if (!value)
        return 0;
    if (!json_is_array(value) || json_array_size(value) > max) {
        json_read_fail(reader, key, "a list within its size limit");
        return 0;
    }
    return json_array_size(value);
}

const char **json_read_strings(const struct json_reader *reader, const char *key, size_t max_count,
                               size_t *ret_count)
{
    *ret_count = json_read_count(reader, key, max_count);
    if (*ret_count == 0)
        return NULL;
    const char **list = arena_calloc(reader->arena, *ret_count, sizeof(*list));
    for (size_t i = 0; i < *ret_count; i++) {
        list[i] = copy_string(reader, key, json_array_get(member(reader, key), i), 255);
        if (!list[i]) {
            *ret_count = 0;
            return NULL;
        }
    }
    return list;
}
