/* Reads lines of hex and prints what the CBOR decoder makes of each: `malformed`, or the one item that the
 * bytes are, as a line of JSON: {"u":"5"}, {"n":"0"} for -1, {"b":"hex"}, {"t":"hex"}, {"a":[...]},
 * {"m":[[key,value],...]},
 * {"g":["18",item]}, {"z":0} for null, {"s":0} for other simple values. Numbers are text, as they have 64
 * bits. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "nitro/cbor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_MAX = 16 * 1024 * 1024 };

static int dump(struct cbor_reader *reader, struct buf *out);

static void dump_string(struct buf *out, char name, const struct cbor_item *item)
{
    CLEANUP(freep) char *hex = mem_alloc(2 * item->len + 1);
    hex_encode(item->data, item->len, hex);
    buf_printf(out, "{\"%c\":\"%s\"}", name, hex);
}

static int dump_pair(struct cbor_reader *reader, struct buf *out)
{
    buf_putc(out, '[');
    if (dump(reader, out) < 0)
        return -1;
    buf_putc(out, ',');
    if (dump(reader, out) < 0)
        return -1;
    buf_putc(out, ']');
    return 0;
}

static int dump_container(struct cbor_reader *reader, const struct cbor_item *item, struct buf *out)
{
    struct cbor_container container;
    bool is_map = item->type == CBOR_MAP;
    int more, count = 0;
    if (cbor_enter(reader, item, &container) < 0)
        return -1;
    buf_printf(out, "{\"%c\":[", is_map ? 'm' : 'a');
    while ((more = cbor_has_member(reader, &container)) > 0) {
        if (count++ > 0)
            buf_putc(out, ',');
        if ((is_map ? dump_pair(reader, out) : dump(reader, out)) < 0)
            return -1;
    }
    buf_puts(out, "]}");
    return more;
}

static int dump_tag(struct cbor_reader *reader, const struct cbor_item *item, struct buf *out)
{
    buf_printf(out, "{\"g\":[\"%" PRIu64 "\",", item->value);
    if (dump(reader, out) < 0)
        return -1;
    buf_puts(out, "]}");
    return 0;
}

static int dump(struct cbor_reader *reader, struct buf *out)
{
    struct cbor_item item;
    if (cbor_next(reader, &item) < 0)
        return -1;
    switch (item.type) {
    case CBOR_UINT: buf_printf(out, "{\"u\":\"%" PRIu64 "\"}", item.value); return 0;
    case CBOR_NEGATIVE: buf_printf(out, "{\"n\":\"%" PRIu64 "\"}", item.value); return 0;
    case CBOR_BYTES: dump_string(out, 'b', &item); return 0;
    case CBOR_TEXT: dump_string(out, 't', &item); return 0;
    case CBOR_ARRAY:
    case CBOR_MAP: return dump_container(reader, &item, out);
    case CBOR_TAG: return dump_tag(reader, &item, out);
    case CBOR_NULL: buf_puts(out, "{\"z\":0}"); return 0;
    case CBOR_SIMPLE: buf_puts(out, "{\"s\":0}"); return 0;
    case CBOR_BREAK: break;
    }
    return -1;
}

/* The dump and the skip of the same bytes must agree on whether they are one item. */
static void dump_line(const uint8_t *data, size_t len)
{
    CLEANUP(buf_done) struct buf out;
    struct cbor_reader reader, skipper;
    buf_init(&out, OUT_MAX);
    cbor_init(&reader, data, len);
    cbor_init(&skipper, data, len);
    bool is_item = dump(&reader, &out) == 0 && cbor_is_at_end(&reader);
    bool is_skipped = cbor_skip(&skipper) == 0 && cbor_is_at_end(&skipper);
    if (is_item != is_skipped)
        printf("skip disagrees\n");
    else
        printf("%s\n", is_item ? buf_text(&out) : "malformed");
}

int main(void)
{
    CLEANUP(freep) char *line = NULL;
    size_t size = 0;
    ssize_t len;
    while ((len = getline(&line, &size, stdin)) > 0) {
        size_t byte_count = (size_t)len / 2;
        line[2 * byte_count] = '\0';
        CLEANUP(freep) uint8_t *data = mem_alloc(byte_count + 1);
        if (hex_decode(line, data, byte_count) < 0)
            return 2;
        dump_line(data, byte_count);
    }
    return 0;
}
