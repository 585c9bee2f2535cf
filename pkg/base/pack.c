/* Numbers: zigzag, seven bits a byte, the lowest first. A text is its length + 1 (0 = NULL), its bytes and a
 * NUL, so that it can be used where it lies. */
#include "base/pack.h"

#include "base/encoding.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FORM_NULL, FORM_TEXT, FORM_FIRST }; /* FORM_FIRST + n: n bytes of hex, or the word n */

struct pack pack_writer(struct buf *out)
{
    return (struct pack){.out = out};
}

struct pack pack_reader(const struct packed *packed, struct arena *arena)
{
    return (struct pack){.at = packed->bytes, .end = packed->bytes + packed->len, .arena = arena};
}

static void put_byte(struct pack *pack, uint64_t byte)
{
    buf_putc(pack->out, (char)(unsigned char)byte);
}

static const unsigned char *take(struct pack *pack, size_t len)
{
    if (len > (size_t)(pack->end - pack->at))
        abort();
    const unsigned char *bytes = pack->at;
    pack->at += len;
    return bytes;
}

void pack_bytes(struct pack *pack, void *data, size_t len)
{
    if (pack_reads(pack))
        memcpy(data, take(pack, len), len);
    else
        buf_append(pack->out, data, len);
}

static uint64_t take_bits(struct pack *pack)
{
    uint64_t bits = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        unsigned char byte = *take(pack, 1);
        bits |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            break;
    }
    return bits;
}

int64_t pack_number(struct pack *pack, int64_t value)
{
    if (pack_reads(pack)) {
        uint64_t bits = take_bits(pack);
        return (int64_t)(bits >> 1 ^ (~(bits & 1) + 1));
    }
    uint64_t bits = (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
    for (; bits >= 0x80; bits >>= 7)
        put_byte(pack, bits | 0x80);
    put_byte(pack, bits);
    return value;
}

void pack_text(struct pack *pack, const char **text)
{
    size_t size = (size_t)pack_number(pack, *text && !pack_reads(pack) ? (int64_t)strlen(*text) + 1 : 0);
    if (pack_reads(pack))
        *text = size > 0 ? (const char *)take(pack, size) : NULL;
    else if (size > 0)
        buf_append(pack->out, *text, size);
}

static bool is_lower_hex(const char *text)
{
    return text[0] && strlen(text) % 2 == 0 && text[strspn(text, "0123456789abcdef")] == '\0';
}

static void write_hex(struct pack *pack, const char *digits)
{
    size_t len = strlen(digits) / 2;
    pack_number(pack, FORM_FIRST + (int64_t)len);
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = 0;
        int result = hex_decode((const char[]){digits[2 * i], digits[2 * i + 1], '\0'}, &byte, 1);
        assert(result == 0);
        (void)result;
        put_byte(pack, byte);
    }
}

static void write_text(struct pack *pack, const char *text)
{
    pack_number(pack, FORM_TEXT);
    pack_text(pack, &text);
}

/* NULL, hex or any other text. */
static void write_form(struct pack *pack, const char *text)
{
    if (!text)
        pack_number(pack, FORM_NULL);
    else if (is_lower_hex(text))
        write_hex(pack, text);
    else
        write_text(pack, text);
}

static const char *read_text(struct pack *pack)
{
    const char *text = NULL;
    pack_text(pack, &text);
    return text;
}

void pack_hex(struct pack *pack, const char **text)
{
    if (!pack_reads(pack)) {
        write_form(pack, *text);
        return;
    }
    int64_t form = pack_number(pack, 0);
    *text = form == FORM_TEXT ? read_text(pack) : NULL;
    if (form < FORM_FIRST)
        return;
    size_t len = (size_t)(form - FORM_FIRST);
    char *digits = arena_calloc(pack->arena, len * 2 + 1, 1);
    hex_encode(take(pack, len), len, digits);
    *text = digits;
}

void pack_chars(struct pack *pack, char *text, size_t size)
{
    if (!pack_reads(pack)) {
        write_form(pack, text[0] ? text : NULL);
        return;
    }
    int64_t form = pack_number(pack, 0);
    const char *place = form == FORM_TEXT ? read_text(pack) : "";
    size_t len = form >= FORM_FIRST ? (size_t)(form - FORM_FIRST) : 0;
    if (strlen(place) >= size || len >= (size + 1) / 2)
        abort();
    memcpy(text, place, strlen(place) + 1);
    if (len > 0)
        hex_encode(take(pack, len), len, text);
}

static size_t find_word(const char *text, const char *const *words, size_t count)
{
    size_t i = 0;
    while (i < count && !(words[i] && strcmp(words[i], text) == 0))
        i++;
    return i;
}

void pack_word(struct pack *pack, const char **text, const char *const *words, size_t count)
{
    if (!pack_reads(pack)) {
        size_t index = *text ? find_word(*text, words, count) : count;
        if (index < count)
            pack_number(pack, FORM_FIRST + (int64_t)index);
        else if (*text)
            write_text(pack, *text);
        else
            pack_number(pack, FORM_NULL);
        return;
    }
    int64_t form = pack_number(pack, 0);
    *text = form == FORM_TEXT ? read_text(pack) : NULL;
    if (form >= FORM_FIRST)
        *text = words[form - FORM_FIRST];
}

void *pack_list(struct pack *pack, const void *list, size_t *count, size_t size)
{
    PACK(pack, *count);
    if (pack_reads(pack))
        return *count > 0 ? arena_calloc(pack->arena, *count, size) : NULL;
    return (void *)(uintptr_t)list; /* writing: the walk changes nothing */
}

struct packed *packed_new(const struct buf *bytes)
{
    if (!buf_is_ok(bytes) || bytes->len > UINT32_MAX)
        abort();
    struct packed *packed = mem_alloc(sizeof(*packed) + bytes->len);
    ref_init(&packed->ref);
    packed->len = (uint32_t)bytes->len;
    memcpy(packed->bytes, buf_text(bytes), bytes->len);
    return packed;
}

struct packed *packed_ref(struct packed *packed)
{
    ref_get(&packed->ref);
    return packed;
}

struct packed *packed_unref(struct packed *packed)
{
    if (packed && ref_put(&packed->ref))
        free(packed);
    return NULL;
}

size_t packed_bytes(const struct packed *packed)
{
    return sizeof(*packed) + packed->len;
}
