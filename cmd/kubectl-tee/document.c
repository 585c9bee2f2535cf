/* Text is tried first as hex, since hex digits are base64 characters too. */
#include "document.h"

#include "base/encoding.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The text without white space; NULL if there is a byte that no text form has. */
static char *squeeze(const char *data, size_t len)
{
    CLEANUP(freep) char *text = mem_calloc(len + 1, 1);
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        if (data[i] <= 0 || data[i] == 0x7f)
            return NULL;
        if (!strchr(" \t\r\n", data[i]))
            text[count++] = data[i];
    }
    return STEAL(text);
}

static bool decode_hex(const char *text, struct buf *ret_document)
{
    size_t len = strlen(text) / 2;
    CLEANUP(freep) uint8_t *bytes = mem_alloc(len + 1);
    if (len == 0 || hex_decode(text, bytes, len) < 0)
        return false;
    return buf_append(ret_document, bytes, len) == 0;
}

static bool decode_base64(const char *text, struct buf *ret_document)
{
    CLEANUP(freep) uint8_t *bytes = NULL;
    size_t len = 0;
    if (!text[0] || base64_decode(text, strlen(text), &bytes, &len) < 0)
        return false;
    return buf_append(ret_document, bytes, len) == 0;
}

enum document_form document_decode(const char *data, size_t len, struct buf *ret_document)
{
    CLEANUP(freep) char *text = squeeze(data, len);
    if (text && decode_hex(text, ret_document))
        return DOCUMENT_HEX;
    if (text && decode_base64(text, ret_document))
        return DOCUMENT_BASE64;
    buf_append(ret_document, data, len);
    return DOCUMENT_RAW;
}

static int read_all(FILE *file, const char *path, struct buf *bytes, struct error *err)
{
    char chunk[4096];
    size_t len;
    while ((len = fread(chunk, 1, sizeof(chunk), file)) > 0)
        if (buf_append(bytes, chunk, len) < 0)
            return error_set(err, ERROR_INVALID, "FileTooLarge",
                             "%.150s is longer than %d bytes, no document is", path, DOCUMENT_FILE_MAX);
    if (ferror(file))
        return error_set(err, ERROR_INVALID, "FileNotReadable", "cannot read %.150s: %s", path,
                         strerror(errno));
    return 0;
}

int document_load(const char *path, FILE *in, struct buf *ret_document, enum document_form *ret_form,
                  struct error *err)
{
    CLEANUP(buf_done) struct buf bytes;
    buf_init(&bytes, DOCUMENT_FILE_MAX);
    if (strcmp(path, "-") == 0) {
        if (read_all(in, "standard input", &bytes, err) < 0)
            return -1;
    } else {
        CLEANUP(fclosep) FILE *file = fopen(path, "re");
        if (!file)
            return error_set(err, ERROR_ABSENT, "FileNotReadable", "cannot read %.150s: %s", path,
                             strerror(errno));
        if (read_all(file, path, &bytes, err) < 0)
            return -1;
    }
    *ret_form = document_decode(buf_text(&bytes), bytes.len, ret_document);
    return 0;
}

const char *document_form_name(enum document_form form)
{
    static const char *const names[] = {"raw", "base64", "hex"};
    return names[form];
}
