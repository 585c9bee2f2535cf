/* A table maps each known key to its reader; a bit per row notices duplicates and missing keys. */
#include "nitro/attest_doc.h"

#include "nitro/attest_reason.h"
#include "nitro/cbor.h"

#include <stdbool.h>
#include <string.h>

static int read_module_id(struct cbor_reader *reader, struct attest_doc *doc)
{
    struct cbor_item item;
    if (cbor_expect(reader, CBOR_TEXT, &item) < 0 || item.len == 0 || item.len > ATTEST_MODULE_ID_MAX)
        return -1;
    for (size_t i = 0; i < item.len; i++)
        if (item.data[i] <= 0x20 || item.data[i] >= 0x7f)
            return -1;
    doc->module_id = (struct attest_span){item.data, item.len};
    return 0;
}

static int read_digest(struct cbor_reader *reader, struct attest_doc *doc)
{
    (void)doc;
    struct cbor_item item;
    if (cbor_expect(reader, CBOR_TEXT, &item) < 0)
        return -1;
    return item.len == 6 && memcmp(item.data, "SHA384", 6) == 0 ? 0 : -1;
}

static int read_timestamp(struct cbor_reader *reader, struct attest_doc *doc)
{
    struct cbor_item item;
    if (cbor_expect(reader, CBOR_UINT, &item) < 0 || item.value == 0)
        return -1;
    /* The year 9999 ends what the clock module can write. */
    if (item.value > 253402300799999)
        return -1;
    doc->timestamp_ms = (int64_t)item.value;
    return 0;
}

static int read_pcr(struct cbor_reader *reader, struct attest_doc *doc)
{
    struct cbor_item index, value;
    if (cbor_expect(reader, CBOR_UINT, &index) < 0 || index.value >= ATTEST_PCR_COUNT)
        return -1;
    if (cbor_expect(reader, CBOR_BYTES, &value) < 0 || value.len != ATTEST_PCR_BYTES)
        return -1;
    if (doc->pcrs[index.value])
        return -1;
    doc->pcrs[index.value] = value.data;
    return 0;
}

static int read_pcrs(struct cbor_reader *reader, struct attest_doc *doc)
{
    struct cbor_item item;
    struct cbor_container map;
    if (cbor_expect(reader, CBOR_MAP, &item) < 0 || cbor_enter(reader, &item, &map) < 0)
        return -1;
    int more;
    while ((more = cbor_has_member(reader, &map)) > 0)
        if (read_pcr(reader, doc) < 0)
            return -1;
    for (int i = 0; i <= 4; i++)
        if (!doc->pcrs[i])
            return -1;
    return more;
}

static int read_certificate_span(struct cbor_reader *reader, struct attest_span *ret)
{
    struct cbor_item item;
    if (cbor_expect(reader, CBOR_BYTES, &item) < 0 || item.len == 0 || item.len > ATTEST_CERTIFICATE_MAX)
        return -1;
    *ret = (struct attest_span){item.data, item.len};
    return 0;
}

static int read_certificate(struct cbor_reader *reader, struct attest_doc *doc)
{
    return read_certificate_span(reader, &doc->certificate);
}

static int read_cabundle(struct cbor_reader *reader, struct attest_doc *doc)
{
    struct cbor_item item;
    struct cbor_container array;
    if (cbor_expect(reader, CBOR_ARRAY, &item) < 0 || cbor_enter(reader, &item, &array) < 0)
        return -1;
    int more;
    while ((more = cbor_has_member(reader, &array)) > 0) {
        struct attest_span der;
        if (read_certificate_span(reader, &der) < 0)
            return -1;
        if (doc->cabundle_count < ATTEST_BUNDLE_MAX)
            doc->cabundle[doc->cabundle_count] = der;
        doc->cabundle_count++;
    }
    return doc->cabundle_count > 0 ? more : -1;
}

static int read_field(struct cbor_reader *reader, struct attest_span *ret)
{
    struct cbor_item item;
    if (cbor_next(reader, &item) < 0)
        return -1;
    if (item.type == CBOR_NULL)
        return 0;
    if (item.type != CBOR_BYTES || item.len > ATTEST_FIELD_MAX)
        return -1;
    if (item.len > 0)
        *ret = (struct attest_span){item.data, item.len};
    return 0;
}

static int read_public_key(struct cbor_reader *reader, struct attest_doc *doc)
{
    return read_field(reader, &doc->public_key);
}

static int read_user_data(struct cbor_reader *reader, struct attest_doc *doc)
{
    return read_field(reader, &doc->user_data);
}

static int read_nonce(struct cbor_reader *reader, struct attest_doc *doc)
{
    return read_field(reader, &doc->nonce);
}

/* NitroTPM documents share root and shape but speak of a whole instance, not of an enclave. */
static int refuse_value(struct cbor_reader *reader, struct attest_doc *doc)
{
    (void)reader;
    (void)doc;
    return -1;
}

static const struct {
    const char *name;
    int (*read)(struct cbor_reader *reader, struct attest_doc *doc);
    bool is_required;
} keys[] = {
    {"module_id", read_module_id, true},
    {"digest", read_digest, true},
    {"timestamp", read_timestamp, true},
    {"pcrs", read_pcrs, true},
    {"certificate", read_certificate, true},
    {"cabundle", read_cabundle, true},
    {"public_key", read_public_key, false},
    {"user_data", read_user_data, false},
    {"nonce", read_nonce, false},
    {"nitrotpm_pcrs", refuse_value, false},
};

static int malformed(struct error *err, const char *what)
{
    return attest_refuse(err, ATTEST_MALFORMED_DOCUMENT, "payload: %s", what);
}

static size_t key_find(const struct cbor_item *item)
{
    size_t i = 0;
    while (i < ARRAY_LEN(keys) &&
           (strlen(keys[i].name) != item->len || memcmp(keys[i].name, item->data, item->len) != 0))
        i++;
    return i;
}

/* Unknown keys met so far; two alike are as wrong as two known ones alike. */
struct unknown {
    struct attest_span names[16];
    size_t count;
};

static int read_unknown(struct cbor_reader *reader, const struct cbor_item *key, struct unknown *unknown)
{
    for (size_t i = 0; i < unknown->count; i++)
        if (unknown->names[i].len == key->len && memcmp(unknown->names[i].data, key->data, key->len) == 0)
            return -1;
    if (unknown->count >= ARRAY_LEN(unknown->names))
        return -1;
    unknown->names[unknown->count++] = (struct attest_span){key->data, key->len};
    return cbor_skip(reader);
}

static int read_entry(struct cbor_reader *reader, struct attest_doc *doc, struct unknown *unknown,
                      unsigned *seen, struct error *err)
{
    struct cbor_item key;
    if (cbor_expect(reader, CBOR_TEXT, &key) < 0)
        return malformed(err, "a key is not text");
    size_t row = key_find(&key);
    if (row == ARRAY_LEN(keys))
        return read_unknown(reader, &key, unknown) < 0 ? malformed(err, "unknown key") : 0;
    if (*seen & 1U << row)
        return malformed(err, "a key stands twice");
    *seen |= 1U << row;
    return keys[row].read(reader, doc) < 0 ? malformed(err, keys[row].name) : 0;
}

static int check_required(unsigned seen, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i].is_required && !(seen & 1U << i))
            return attest_refuse(err, ATTEST_MALFORMED_DOCUMENT, "payload: no %s", keys[i].name);
    return 0;
}

int attest_doc_parse(const uint8_t *payload, size_t len, struct attest_doc *ret_doc, struct error *err)
{
    struct attest_doc doc = {0};
    struct unknown unknown = {.count = 0};
    struct cbor_reader reader;
    struct cbor_item item;
    struct cbor_container map;
    unsigned seen = 0;
    cbor_init(&reader, payload, len);
    if (cbor_expect(&reader, CBOR_MAP, &item) < 0 || cbor_enter(&reader, &item, &map) < 0)
        return malformed(err, "not a map");
    int more;
    while ((more = cbor_has_member(&reader, &map)) > 0)
        if (read_entry(&reader, &doc, &unknown, &seen, err) < 0)
            return -1;
    if (more < 0)
        return malformed(err, "the map has no end");
    if (!cbor_is_at_end(&reader))
        return malformed(err, "bytes after the map");
    if (check_required(seen, err) < 0)
        return -1;
    doc.unknown_keys = unknown.count;
    *ret_doc = doc;
    return 0;
}
