/* Each head is checked against the bytes that are left before its value is believed, so a count can never
 * exceed the input, whatever it claims. */
#include "nitro/cbor.h"

#include "base/cleanup.h"

enum { INDEFINITE = 31, SIMPLE_NULL = 22 };

void cbor_init(struct cbor_reader *reader, const void *data, size_t len)
{
    *reader = (struct cbor_reader){.at = data, .end = (const uint8_t *)data + len};
}

bool cbor_is_at_end(const struct cbor_reader *reader)
{
    return reader->at == reader->end;
}

static size_t bytes_left(const struct cbor_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* The value behind the five low bits of a head, refused if a shorter form would have held it. */
static int read_value(struct cbor_reader *reader, unsigned code, uint64_t *ret_value)
{
    static const struct {
        size_t bytes;
        uint64_t least;
    } forms[] = {{1, 24}, {2, 0x100}, {4, 0x10000}, {8, 0x100000000}};
    if (code < 24) {
        *ret_value = code;
        return 0;
    }
    if (code - 24 >= ARRAY_LEN(forms) || bytes_left(reader) < forms[code - 24].bytes)
        return -1;
    uint64_t value = 0;
    for (size_t i = 0; i < forms[code - 24].bytes; i++)
        value = value << 8 | *reader->at++;
    if (value < forms[code - 24].least)
        return -1;
    *ret_value = value;
    return 0;
}

/* Major type 7: null, the break, and others that only cbor_skip() meets. Floats carry 2, 4 or 8 bytes. */
static int read_simple(struct cbor_reader *reader, unsigned code, struct cbor_item *item)
{
    static const size_t extra[] = {[24] = 1, [25] = 2, [26] = 4, [27] = 8};
    item->type = code == SIMPLE_NULL ? CBOR_NULL : code == INDEFINITE ? CBOR_BREAK : CBOR_SIMPLE;
    if (code == INDEFINITE)
        return 0;
    if (code >= ARRAY_LEN(extra) || bytes_left(reader) < extra[code])
        return -1;
    if (code == 24 && *reader->at < 32)
        return -1;
    reader->at += extra[code];
    return 0;
}

/* A container of n members needs at least n bytes, a map twice that. */
static int check_count(const struct cbor_reader *reader, const struct cbor_item *item)
{
    size_t left = bytes_left(reader);
    return item->value <= (item->type == CBOR_MAP ? left / 2 : left) ? 0 : -1;
}

static int read_item(struct cbor_reader *reader, struct cbor_item *ret_item)
{
    static const enum cbor_type types[] = {CBOR_UINT,  CBOR_NEGATIVE, CBOR_BYTES, CBOR_TEXT,
                                           CBOR_ARRAY, CBOR_MAP,      CBOR_TAG};
    if (cbor_is_at_end(reader))
        return -1;
    unsigned head = *reader->at++, code = head & 31;
    struct cbor_item item = {.type = CBOR_SIMPLE};
    if (head >> 5 == 7) {
        if (read_simple(reader, code, &item) < 0)
            return -1;
        *ret_item = item;
        return 0;
    }
    item.type = types[head >> 5];
    bool is_container = item.type == CBOR_ARRAY || item.type == CBOR_MAP;
    item.is_indefinite = code == INDEFINITE && is_container;
    if (!item.is_indefinite && read_value(reader, code, &item.value) < 0)
        return -1;
    if (is_container && !item.is_indefinite && check_count(reader, &item) < 0)
        return -1;
    if (item.type == CBOR_BYTES || item.type == CBOR_TEXT) {
        if (item.value > bytes_left(reader))
            return -1;
        item.data = reader->at;
        item.len = (size_t)item.value;
        reader->at += item.len;
    }
    *ret_item = item;
    return 0;
}

int cbor_next(struct cbor_reader *reader, struct cbor_item *ret_item)
{
    struct cbor_item item;
    if (read_item(reader, &item) < 0 || item.type == CBOR_BREAK)
        return -1;
    *ret_item = item;
    return 0;
}

int cbor_expect(struct cbor_reader *reader, enum cbor_type type, struct cbor_item *ret_item)
{
    struct cbor_item item;
    if (cbor_next(reader, &item) < 0 || item.type != type)
        return -1;
    *ret_item = item;
    return 0;
}

int cbor_enter(struct cbor_reader *reader, const struct cbor_item *item, struct cbor_container *ret)
{
    if ((item->type != CBOR_ARRAY && item->type != CBOR_MAP) || reader->depth >= CBOR_DEPTH_MAX)
        return -1;
    reader->depth++;
    *ret = (struct cbor_container){.is_indefinite = item->is_indefinite, .left = item->value};
    return 0;
}

int cbor_has_member(struct cbor_reader *reader, struct cbor_container *container)
{
    bool has_ended = container->left == 0;
    if (container->is_indefinite) {
        if (cbor_is_at_end(reader))
            return -1;
        has_ended = *reader->at == 0xff;
        if (has_ended)
            reader->at++;
    } else if (!has_ended) {
        container->left--;
    }
    if (!has_ended)
        return 1;
    reader->depth--;
    return 0;
}

/* One open container of cbor_skip(); a map's value follows its key. */
struct frame {
    struct cbor_container container;
    bool is_map;
    bool value_is_due;
};

/* Ends containers that have no further member. 1: an item follows; 0: all closed; -1: malformed. */
static int skip_close(struct cbor_reader *reader, struct frame *frames, int *open)
{
    while (*open > 0) {
        struct frame *top = &frames[*open - 1];
        if (top->value_is_due) {
            top->value_is_due = false;
            return 1;
        }
        int more = cbor_has_member(reader, &top->container);
        if (more != 0) {
            top->value_is_due = more > 0 && top->is_map;
            return more;
        }
        --*open;
    }
    return 0;
}

int cbor_skip(struct cbor_reader *reader)
{
    struct frame frames[CBOR_DEPTH_MAX];
    int open = 0, more = 1;
    while (more > 0) {
        struct cbor_item item;
        if (cbor_next(reader, &item) < 0)
            return -1;
        if (item.type == CBOR_TAG)
            continue; /* the tagged item stands in its place */
        if (item.type == CBOR_ARRAY || item.type == CBOR_MAP) {
            /* cbor_enter() bounds the depth, so frames cannot overflow. */
            struct frame frame = {.is_map = item.type == CBOR_MAP};
            if (cbor_enter(reader, &item, &frame.container) < 0)
                return -1;
            frames[open++] = frame;
        }
        more = skip_close(reader, frames, &open);
    }
    return more;
}
