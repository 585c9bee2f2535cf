/* output: the same data as JSON or YAML, and the lines of text.
 *
 * Model: a command writes its data once, as JSON (base/json_writer.h); output_data() prints that as JSON with
 * line breaks or as YAML. In YAML a text stands bare only if it is a plain word; everything else is in double
 * quotes, in which YAML's escapes and JSON's are the same. Lines of text are label and value in two columns,
 * the value made harmless (printable.h). In both forms no control character reaches the terminal.
 * Threads: none.   Ownership: the buf is the caller's.   Limits: the buf's ceiling.   Errors: sticky in
 * the buf. */
#ifndef TEE_KUBECTL_OUTPUT_H
#define TEE_KUBECTL_OUTPUT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum output_format { OUTPUT_DEFAULT, OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_YAML };
enum { OUTPUT_MAX = 1024 * 1024 };

/* -1: no such format. */
int output_format_parse(const char *text, enum output_format *ret_format);
/* json is one value; it ends with a line break. */
void output_data(enum output_format format, const struct buf *json, struct buf *out);
/* "Label         value"; nothing if value is NULL. */
void output_line(struct buf *out, const char *label, const char *value);
void output_linef(struct buf *out, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The line "Label  2026-01-02T03:04:05Z (3 min ago)"; nothing if ms is 0. */
void output_time(struct buf *out, const char *label, int64_t ms, int64_t now_ms);
/* "3 min ago", "in 2 h", "just now". */
void output_age(struct buf *out, int64_t ms, int64_t now_ms);

#endif
