/* Three steps a line: clean (printable ASCII alone), redact word by word, keep. The whole text is redacted
 * before its end is taken, so that no cut makes a secret too short to be seen as one.
 */
#include "nitro/console.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

enum { RUN_MIN = 24, CAPITALS_MIN = 16, WEB_TOKEN_MIN = 10 };

static const char redacted[] = "[redacted]";
static const char run_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-";
static const char word_ends[] = " \"'`<>,;()[]{}|";

struct span {
    const char *at;
    size_t len;
};

static struct span span_from(struct span span, size_t offset)
{
    return (struct span){span.at + offset, span.len - offset};
}

static size_t span_count(struct span span, const char *set, bool is_inside)
{
    size_t len = 0;
    size_t set_len = strlen(set);
    while (len < span.len && (memchr(set, span.at[len], set_len) != NULL) == is_inside)
        len++;
    return len;
}

static bool span_has(struct span span, const char *lower_case)
{
    size_t len = strlen(lower_case);
    for (size_t i = 0; i + len <= span.len; i++)
        if (strncasecmp(span.at + i, lower_case, len) == 0)
            return true;
    return false;
}

static bool span_ends(struct span span, const char *lower_case)
{
    size_t len = strlen(lower_case);
    return span.len >= len && strncasecmp(span.at + span.len - len, lower_case, len) == 0;
}

/* What is after the name is nobody's business. */
static bool is_secret_name(struct span name)
{
    static const char *const parts[] = {"password",   "passwd", "passphrase",    "secret",    "token",
                                        "credential", "cookie", "authorization", "signature", "private"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (span_has(name, parts[i]))
            return true;
    return span_ends(name, "key") || span_ends(name, "keyid") || span_ends(name, "key_id") ||
           span_ends(name, "pwd");
}

static bool is_secret_run(struct span run)
{
    bool has_digit = false, has_lower = false, has_upper = false, has_other = false;
    for (size_t i = 0; i < run.len; i++) {
        unsigned char c = (unsigned char)run.at[i];
        has_digit |= isdigit(c) != 0;
        has_lower |= islower(c) != 0;
        has_upper |= isupper(c) != 0;
        has_other |= !isalnum(c);
    }
    if (run.len >= CAPITALS_MIN && !has_lower && !has_other && has_upper)
        return true;
    return run.len >= RUN_MIN && (has_digit || (has_lower && has_upper && !has_other));
}

static void put(struct buf *out, struct span span)
{
    buf_append(out, span.at, span.len);
}

static void put_runs(struct buf *out, struct span word)
{
    while (word.len > 0) {
        size_t len = span_count(word, run_alphabet, true);
        struct span run = {word.at, len};
        bool is_web_token = len >= WEB_TOKEN_MIN && strncmp(run.at, "eyJ", 3) == 0;
        if (is_web_token || (len > 0 && is_secret_run(run)))
            buf_puts(out, redacted);
        else
            put(out, run);
        if (is_web_token)
            return;
        if (len < word.len)
            buf_putc(out, word.at[len++]);
        word = span_from(word, len);
    }
}

/* Path segment by path segment, as '/' is a letter of base64 but not here. */
static void put_path(struct buf *out, struct span path)
{
    while (path.len > 0) {
        size_t len = span_count(path, "/", false);
        put_runs(out, (struct span){path.at, len});
        if (len < path.len)
            buf_putc(out, path.at[len++]);
        path = span_from(path, len);
    }
}

static void put_url(struct buf *out, struct span word, size_t scheme_len)
{
    put_runs(out, (struct span){word.at, scheme_len + 3});
    word = span_from(word, scheme_len + 3);
    size_t authority_len = span_count(word, "/?#", false);
    const char *user_end = memrchr(word.at, '@', authority_len);
    if (user_end) {
        buf_printf(out, "%s@", redacted);
        word = span_from(word, (size_t)(user_end - word.at) + 1);
    }
    size_t shown_len = span_count(word, "?#", false);
    put_path(out, (struct span){word.at, shown_len});
    if (shown_len < word.len)
        buf_printf(out, "%c%s", word.at[shown_len], redacted);
}

static size_t find_scheme_end(struct span word)
{
    const char *at = memmem(word.at, word.len, "://", 3);
    return at ? (size_t)(at - word.at) : SIZE_MAX;
}

/* Length of what may be shown of a word that names a secret; SIZE_MAX if it names none. */
static size_t find_secret(struct span word, struct span rest)
{
    size_t limit = find_scheme_end(word);
    for (size_t i = 0; i < word.len && i < limit; i++)
        if ((word.at[i] == '=' || word.at[i] == ':') && is_secret_name((struct span){word.at, i}))
            return i + 1;
    size_t gap = span_count(rest, " \"'`", true);
    bool is_named = word.at[0] == '-' || (gap < rest.len && strchr("=:", rest.at[gap]));
    bool is_scheme =
        (word.len == 6 && span_has(word, "bearer")) || (word.len == 5 && span_has(word, "basic"));
    if ((is_named && is_secret_name(word)) || (is_scheme && rest.len > 0))
        return word.len;
    return SIZE_MAX;
}

static void redact_line(struct buf *out, struct span line)
{
    while (line.len > 0) {
        size_t gap = span_count(line, word_ends, true);
        put(out, (struct span){line.at, gap});
        line = span_from(line, gap);
        struct span word = {line.at, span_count(line, word_ends, false)};
        line = span_from(line, word.len);
        if (word.len == 0)
            return;
        size_t shown_len = find_secret(word, line);
        size_t scheme_len = find_scheme_end(word);
        if (shown_len != SIZE_MAX) {
            put_runs(out, (struct span){word.at, shown_len});
            buf_printf(out, " %s", redacted);
            return;
        }
        if (scheme_len != SIZE_MAX)
            put_url(out, word, scheme_len);
        else
            put_runs(out, word);
    }
}

/* Length of the escape sequence (ECMA-48) that begins here, at least 1. */
static size_t escape_len(struct span text)
{
    size_t len = 1;
    if (len == text.len || (text.at[len] != '[' && text.at[len] != ']'))
        return len < text.len ? 2 : 1;
    bool is_command = text.at[len++] == ']';
    while (len < text.len && text.at[len] != '\n') {
        unsigned char c = (unsigned char)text.at[len++];
        if (is_command ? c == 7 || c == 27 : c >= 0x40 && c <= 0x7e)
            break;
    }
    return len;
}

static void clean_line(struct buf *out, struct span line)
{
    while (line.len > 0) {
        unsigned char c = (unsigned char)line.at[0];
        if (c >= 0x20 && c < 0x7f)
            buf_putc(out, (char)c);
        else if (c == '\t')
            buf_putc(out, ' ');
        else if (c >= 0x80)
            buf_putc(out, '?');
        line = span_from(line, c == 27 ? escape_len(line) : 1);
    }
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->data[--out->len] = '\0';
}

struct scan {
    struct buf *kept; /* lines, each with its newline */
    bool is_in_pem;
};

/* A PEM block may have lost its beginning where EC2 cut the text: then all before its end goes. */
static void keep_line(struct scan *scan, struct span line)
{
    struct buf *kept = scan->kept;
    if (line.len == 0)
        return;
    if (memmem(line.at, line.len, "-----END ", 9)) {
        if (!scan->is_in_pem)
            buf_reset(kept);
        scan->is_in_pem = false;
        buf_printf(kept, "%s\n", redacted);
        return;
    }
    scan->is_in_pem |= memmem(line.at, line.len, "-----BEGIN ", 11) != NULL;
    if (scan->is_in_pem)
        return;
    size_t start = kept->len;
    redact_line(kept, line);
    if (kept->len > start + CONSOLE_LINE_MAX) {
        kept->len = start + CONSOLE_LINE_MAX - 3;
        buf_puts(kept, "...");
    }
    buf_putc(kept, '\n');
}

static void scan_text(struct scan *scan, struct span text)
{
    struct buf cleaned;
    buf_init(&cleaned, text.len + 1);
    while (text.len > 0) {
        size_t len = span_count(text, "\r\n", false);
        buf_reset(&cleaned);
        clean_line(&cleaned, (struct span){text.at, len});
        keep_line(scan, (struct span){buf_text(&cleaned), cleaned.len});
        text = span_from(text, len < text.len ? len + 1 : len);
    }
    buf_done(&cleaned);
}

void console_put_tail(const char *text, size_t len, size_t max_bytes, struct buf *out)
{
    CLEANUP(buf_done) struct buf kept;
    /* A line grows at most from "a= " to "a= [redacted]" and so on: a few times its length. */
    buf_init(&kept, 16 * len + CONSOLE_LINE_MAX);
    struct scan scan = {.kept = &kept};
    scan_text(&scan, (struct span){text, len});
    size_t end = kept.len > 0 ? kept.len - 1 : 0;
    size_t start = end > max_bytes ? end - max_bytes : 0;
    while (start > 0 && start < end && kept.data[start - 1] != '\n')
        start++;
    buf_append(out, buf_text(&kept) + start, end - start);
}
