/* The form is that of serde's externally tagged enums: a map of one entry whose key names the variant. */
#include "nsm_codec.h"

#include "nitro/cbor.h"

#include <string.h>

static void put_head(struct buf *out, unsigned major, size_t value)
{
    if (value < 24) {
        buf_putc(out, (char)(major << 5 | value));
    } else if (value < 256) {
        buf_putc(out, (char)(major << 5 | 24));
        buf_putc(out, (char)value);
    } else {
        buf_putc(out, (char)(major << 5 | 25));
        buf_putc(out, (char)(value >> 8));
        buf_putc(out, (char)value);
    }
}

static void put_text(struct buf *out, const char *text)
{
    put_head(out, 3, strlen(text));
    buf_puts(out, text);
}

static void put_field(struct buf *out, const char *name, const struct nsm_field *field)
{
    put_text(out, name);
    if (!field->data) {
        buf_putc(out, (char)0xf6); /* null */
        return;
    }
    put_head(out, 2, field->len);
    buf_append(out, field->data, field->len);
}

void nsm_codec_encode(const struct nsm_question *question, struct buf *out)
{
    put_head(out, 5, 1);
    put_text(out, "Attestation");
    put_head(out, 5, 3);
    put_field(out, "user_data", &question->user_data);
    put_field(out, "nonce", &question->nonce);
    put_field(out, "public_key", &question->public_key);
}

static bool is_text(const struct cbor_item *item, const char *text)
{
    return item->len == strlen(text) && memcmp(item->data, text, item->len) == 0;
}

/* Opens a map of one entry and reads its key. */
static int open_single(struct cbor_reader *reader, struct cbor_item *ret_key)
{
    struct cbor_item map;
    struct cbor_container container;
    if (cbor_expect(reader, CBOR_MAP, &map) < 0 || map.is_indefinite || map.value != 1)
        return -1;
    if (cbor_enter(reader, &map, &container) < 0 || cbor_has_member(reader, &container) != 1)
        return -1;
    return cbor_expect(reader, CBOR_TEXT, ret_key);
}

static int malformed(struct error *err)
{
    return error_set(err, ERROR_INVALID, "Malformed", "the security module's answer has another form");
}

/* Names of errors are words: what is none is not shown to anybody. */
static int refused(const struct cbor_item *name, struct error *err)
{
    bool is_word = name->len > 0 && name->len < 32;
    for (size_t i = 0; is_word && i < name->len; i++)
        is_word = (name->data[i] | 0x20) >= 'a' && (name->data[i] | 0x20) <= 'z';
    if (!is_word)
        return malformed(err);
    return error_set(err, ERROR_UNAVAILABLE, "Refused", "the security module refused: %.*s", (int)name->len,
                     (const char *)name->data);
}

int nsm_codec_decode(const uint8_t *answer, size_t len, struct nsm_field *ret_document, struct error *err)
{
    struct cbor_reader reader;
    struct cbor_item key, value;
    cbor_init(&reader, answer, len);
    if (open_single(&reader, &key) < 0)
        return malformed(err);
    if (is_text(&key, "Error")) {
        if (cbor_expect(&reader, CBOR_TEXT, &value) < 0 || !cbor_is_at_end(&reader))
            return malformed(err);
        return refused(&value, err);
    }
    if (!is_text(&key, "Attestation") || open_single(&reader, &key) < 0 || !is_text(&key, "document"))
        return malformed(err);
    if (cbor_expect(&reader, CBOR_BYTES, &value) < 0 || !cbor_is_at_end(&reader) || value.len == 0)
        return malformed(err);
    *ret_document = (struct nsm_field){value.data, value.len};
    return 0;
}
