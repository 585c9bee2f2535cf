/* The functions stand in the order of the certificate's fields; each reads one and says what is wrong with
 * it. */
#include "nitro/attest_cert.h"

#include "base/encoding.h"
#include "nitro/der.h"

#include <string.h>

enum { SERIAL_MAX = 21, CONSTRUCTED = 0x20, CONTEXT = DER_CONTEXT_0, UNCOMPRESSED = 0x04 };

/* SEQUENCE { ecdsa-with-SHA384 }, no parameters (RFC 5758, 3.2). */
static const uint8_t signature_algorithm[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};
/* SEQUENCE { id-ecPublicKey, secp384r1 } (RFC 5480, 2.1). */
static const uint8_t key_algorithm[] = {0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
                                        0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
static const uint8_t common_name[] = {0x55, 0x04, 0x03};

enum extension {
    EXT_BASIC_CONSTRAINTS,
    EXT_KEY_USAGE,
    EXT_SUBJECT_KEY_ID,
    EXT_AUTHORITY_KEY_ID,
    EXT_NAME_CONSTRAINTS,
    EXT_UNKNOWN
};

/* 2.5.29.n */
static const uint8_t extension_ids[EXT_UNKNOWN][3] = {
    [EXT_BASIC_CONSTRAINTS] = {0x55, 0x1d, 0x13}, [EXT_KEY_USAGE] = {0x55, 0x1d, 0x0f},
    [EXT_SUBJECT_KEY_ID] = {0x55, 0x1d, 0x0e},    [EXT_AUTHORITY_KEY_ID] = {0x55, 0x1d, 0x23},
    [EXT_NAME_CONSTRAINTS] = {0x55, 0x1d, 0x1e},
};

/* A certificate on its way. */
struct parse {
    struct der_reader tbs;
    struct attest_cert cert;
    struct attest_cert_link link;
    const char *problem;
};

static int bad(struct parse *parse, const char *problem)
{
    parse->problem = problem;
    return -1;
}

static struct attest_span contents_of(const struct der_item *item)
{
    return (struct attest_span){item->data, item->len};
}

static struct attest_span whole_of(const struct der_item *item)
{
    return (struct attest_span){item->whole, item->whole_len};
}

/* A BIT STRING of whole bytes. */
static int get_bytes(const struct der_item *bits, struct attest_span *ret)
{
    if (bits->len < 2 || bits->data[0] != 0)
        return -1;
    *ret = (struct attest_span){bits->data + 1, bits->len - 1};
    return 0;
}

static int read_version(struct parse *parse)
{
    static const uint8_t v3[] = {DER_INTEGER, 1, 2};
    struct der_item version;
    if (der_expect(&parse->tbs, CONTEXT | CONSTRUCTED | 0, &version) < 0 ||
        !der_equals(&version, v3, sizeof(v3)))
        return bad(parse, "not version 3");
    return 0;
}

/* RFC 5280, 4.1.2.2: positive, up to 20 octets and a sign. */
static int read_serial(struct parse *parse)
{
    struct der_item serial;
    if (der_expect(&parse->tbs, DER_INTEGER, &serial) < 0 || serial.len < 1 || serial.len > SERIAL_MAX ||
        serial.data[0] & 0x80)
        return bad(parse, "the serial number");
    if (serial.len > 1 && serial.data[0] == 0 && !(serial.data[1] & 0x80))
        return bad(parse, "the serial number");
    return 0;
}

static int read_algorithm(struct parse *parse, struct der_reader *reader)
{
    struct der_item algorithm;
    if (der_expect(reader, DER_SEQUENCE, &algorithm) < 0 ||
        !der_equals(&algorithm, signature_algorithm, sizeof(signature_algorithm)))
        return bad(parse, "the signature is not ECDSA with SHA-384");
    return 0;
}

static int read_validity(struct parse *parse)
{
    struct der_item validity, time;
    struct der_reader inside;
    if (der_expect(&parse->tbs, DER_SEQUENCE, &validity) < 0)
        return bad(parse, "the validity");
    der_enter(&inside, &validity);
    if (der_next(&inside, &time) < 0 || der_get_time(&time, &parse->cert.not_before_ms) < 0 ||
        der_next(&inside, &time) < 0 || der_get_time(&time, &parse->cert.not_after_ms) < 0 ||
        !der_is_at_end(&inside))
        return bad(parse, "the validity");
    return 0;
}

static bool is_text(const struct der_item *value)
{
    if (value->tag != DER_UTF8_STRING && value->tag != DER_PRINTABLE_STRING)
        return false;
    for (size_t i = 0; i < value->len; i++)
        if (value->data[i] < 0x20 || value->data[i] > 0x7e)
            return false;
    return value->len > 0;
}

/* One attribute: SET { SEQUENCE { type, value } }. A Name may be read for its form alone, with ret_cn NULL.
 */
static int read_attribute(struct der_reader *name, char *ret_cn)
{
    struct der_item set, pair, type, value;
    struct der_reader in_set, in_pair;
    if (der_expect(name, DER_SET, &set) < 0)
        return -1;
    der_enter(&in_set, &set);
    if (der_expect(&in_set, DER_SEQUENCE, &pair) < 0 || !der_is_at_end(&in_set))
        return -1;
    der_enter(&in_pair, &pair);
    if (der_expect(&in_pair, DER_OID, &type) < 0 || !der_is_oid(&type) || der_next(&in_pair, &value) < 0 ||
        !der_is_at_end(&in_pair) || !is_text(&value))
        return -1;
    if (!ret_cn || !der_equals(&type, common_name, sizeof(common_name)))
        return 0;
    if (ret_cn[0] || value.len >= ATTEST_CN_SIZE)
        return -1;
    memcpy(ret_cn, value.data, value.len);
    ret_cn[value.len] = '\0';
    return 0;
}

static int read_name(struct der_reader *reader, struct der_item *ret_name, char *ret_cn)
{
    struct der_reader inside;
    if (der_expect(reader, DER_SEQUENCE, ret_name) < 0)
        return -1;
    der_enter(&inside, ret_name);
    while (!der_is_at_end(&inside))
        if (read_attribute(&inside, ret_cn) < 0)
            return -1;
    return 0;
}

static int read_names_and_validity(struct parse *parse)
{
    struct der_item issuer, subject;
    if (read_name(&parse->tbs, &issuer, NULL) < 0)
        return bad(parse, "the issuer");
    parse->link.issuer = whole_of(&issuer);
    if (read_validity(parse) < 0)
        return -1;
    if (read_name(&parse->tbs, &subject, parse->cert.cn) < 0)
        return bad(parse, "the subject");
    sha256(subject.whole, subject.whole_len, parse->cert.subject_sha256);
    return 0;
}

static int read_key(struct parse *parse)
{
    struct der_item info, algorithm, bits;
    struct der_reader inside;
    struct attest_span point;
    if (der_expect(&parse->tbs, DER_SEQUENCE, &info) < 0)
        return bad(parse, "the key");
    der_enter(&inside, &info);
    if (der_expect(&inside, DER_SEQUENCE, &algorithm) < 0 ||
        !der_equals(&algorithm, key_algorithm, sizeof(key_algorithm)))
        return bad(parse, "the key is not P-384");
    if (der_expect(&inside, DER_BIT_STRING, &bits) < 0 || !der_is_at_end(&inside) ||
        get_bytes(&bits, &point) < 0 || point.len != P384_POINT_BYTES || point.data[0] != UNCOMPRESSED)
        return bad(parse, "the key is not P-384");
    memcpy(parse->cert.key, point.data, P384_POINT_BYTES);
    return 0;
}

/* A BOOLEAN DEFAULT FALSE, which DER leaves out when it is false (X.690, 11.5). */
static int read_flag(struct der_reader *reader, bool *ret_flag)
{
    struct der_item item;
    *ret_flag = false;
    if (!der_has(reader, DER_BOOLEAN))
        return 0;
    return der_next(reader, &item) < 0 || der_get_bool(&item, ret_flag) < 0 || !*ret_flag ? -1 : 0;
}

static int take_basic_constraints(struct parse *parse, struct der_reader *value)
{
    struct der_item sequence, number;
    struct der_reader inside;
    if (der_expect(value, DER_SEQUENCE, &sequence) < 0)
        return bad(parse, "the basic constraints");
    der_enter(&inside, &sequence);
    if (read_flag(&inside, &parse->cert.is_ca) < 0)
        return bad(parse, "the basic constraints");
    if (!der_is_at_end(&inside) &&
        (der_expect(&inside, DER_INTEGER, &number) < 0 || der_get_int(&number, &parse->cert.path_len) < 0 ||
         !der_is_at_end(&inside)))
        return bad(parse, "the basic constraints");
    return 0;
}

/* X.690, 11.2: unused bits are zero, and trailing zero bits are left out. */
static int take_key_usage(struct parse *parse, struct der_reader *value)
{
    enum { DIGITAL_SIGNATURE = 0x80, KEY_CERT_SIGN = 0x04 };
    struct der_item bits;
    if (der_expect(value, DER_BIT_STRING, &bits) < 0 || bits.len < 2 || bits.len > 3 || bits.data[0] > 7)
        return bad(parse, "the key usage");
    unsigned last = bits.data[bits.len - 1], lowest_used = 1U << bits.data[0];
    if (!(last & lowest_used) || last & (lowest_used - 1))
        return bad(parse, "the key usage");
    parse->cert.may_sign_data = bits.data[1] & DIGITAL_SIGNATURE;
    parse->cert.may_sign_certificates = bits.data[1] & KEY_CERT_SIGN;
    return 0;
}

static int take_subject_key_id(struct parse *parse, struct der_reader *value)
{
    struct der_item id;
    if (der_expect(value, DER_OCTET_STRING, &id) < 0 || id.len < 1 || id.len > ATTEST_KEY_ID_MAX)
        return bad(parse, "the subject key identifier");
    memcpy(parse->cert.key_id, id.data, id.len);
    parse->cert.key_id_len = id.len;
    return 0;
}

/* The key alone: naming the issuer's certificate as well is not done by Nitro, and would have to be checked.
 */
static int take_authority_key_id(struct parse *parse, struct der_reader *value)
{
    struct der_item sequence, id;
    struct der_reader inside;
    if (der_expect(value, DER_SEQUENCE, &sequence) < 0)
        return bad(parse, "the authority key identifier");
    der_enter(&inside, &sequence);
    if (der_expect(&inside, CONTEXT | 0, &id) < 0 || id.len < 1 || !der_is_at_end(&inside))
        return bad(parse, "the authority key identifier");
    parse->link.issuer_key_id = contents_of(&id);
    return 0;
}

static int take_extension(struct parse *parse, enum extension which, const struct der_item *octets)
{
    typedef int take(struct parse * parse, struct der_reader * value);
    static take *const takes[] = {
        [EXT_BASIC_CONSTRAINTS] = take_basic_constraints,
        [EXT_KEY_USAGE] = take_key_usage,
        [EXT_SUBJECT_KEY_ID] = take_subject_key_id,
        [EXT_AUTHORITY_KEY_ID] = take_authority_key_id,
    };
    struct der_reader value;
    if (which == EXT_NAME_CONSTRAINTS)
        return bad(parse, "name constraints");
    der_enter(&value, octets);
    if (takes[which](parse, &value) < 0)
        return -1;
    return der_is_at_end(&value) ? 0 : bad(parse, "bytes after an extension's value");
}

static enum extension find_extension(const struct der_item *id)
{
    int which = 0;
    while (which < EXT_UNKNOWN && !der_equals(id, extension_ids[which], sizeof(extension_ids[which])))
        which++;
    return (enum extension)which;
}

static int read_extension(struct parse *parse, struct der_reader *list, struct der_item *ret_id)
{
    struct der_item extension, octets;
    struct der_reader inside;
    bool is_critical;
    if (der_expect(list, DER_SEQUENCE, &extension) < 0)
        return bad(parse, "an extension");
    der_enter(&inside, &extension);
    if (der_expect(&inside, DER_OID, ret_id) < 0 || !der_is_oid(ret_id) ||
        read_flag(&inside, &is_critical) < 0 || der_expect(&inside, DER_OCTET_STRING, &octets) < 0 ||
        !der_is_at_end(&inside))
        return bad(parse, "an extension");
    enum extension which = find_extension(ret_id);
    if (which == EXT_UNKNOWN)
        return is_critical ? bad(parse, "a critical extension that is not understood") : 0;
    return take_extension(parse, which, &octets);
}

static int read_extensions(struct parse *parse)
{
    struct der_item wrapper, sequence, ids[ATTEST_EXTENSIONS_MAX];
    struct der_reader inside, list;
    if (der_expect(&parse->tbs, CONTEXT | CONSTRUCTED | 3, &wrapper) < 0 || !der_is_at_end(&parse->tbs))
        return bad(parse, "no extensions, or something beside them");
    der_enter(&inside, &wrapper);
    if (der_expect(&inside, DER_SEQUENCE, &sequence) < 0 || !der_is_at_end(&inside))
        return bad(parse, "the extensions");
    der_enter(&list, &sequence);
    for (size_t count = 0; !der_is_at_end(&list); count++) {
        if (count == ATTEST_EXTENSIONS_MAX)
            return bad(parse, "too many extensions");
        if (read_extension(parse, &list, &ids[count]) < 0)
            return -1;
        for (size_t i = 0; i < count; i++)
            if (der_equals(&ids[i], ids[count].data, ids[count].len))
                return bad(parse, "an extension stands twice");
    }
    return 0;
}

/* Version, serial, algorithm, issuer, validity, subject, key, extensions; the two unique ids of 1988 are
 * refused. */
static int read_signed_part(struct parse *parse)
{
    if (read_version(parse) < 0 || read_serial(parse) < 0 || read_algorithm(parse, &parse->tbs) < 0)
        return -1;
    if (read_names_and_validity(parse) < 0 || read_key(parse) < 0)
        return -1;
    return read_extensions(parse);
}

static int read_certificate(struct parse *parse, const struct attest_span *der)
{
    struct der_reader outer, inside;
    struct der_item certificate, signed_part, bits;
    der_init(&outer, der->data, der->len);
    if (der_expect(&outer, DER_SEQUENCE, &certificate) < 0)
        return bad(parse, "not X.509");
    if (!der_is_at_end(&outer))
        return bad(parse, "bytes after the certificate");
    der_enter(&inside, &certificate);
    if (der_expect(&inside, DER_SEQUENCE, &signed_part) < 0)
        return bad(parse, "not X.509");
    der_enter(&parse->tbs, &signed_part);
    parse->link.signed_part = whole_of(&signed_part);
    if (read_signed_part(parse) < 0 || read_algorithm(parse, &inside) < 0)
        return -1;
    if (der_expect(&inside, DER_BIT_STRING, &bits) < 0 || !der_is_at_end(&inside) ||
        get_bytes(&bits, &parse->link.signature) < 0)
        return bad(parse, "the signature");
    return 0;
}

int attest_cert_parse(const struct attest_span *der, struct attest_cert *ret_cert,
                      struct attest_cert_link *ret_link, const char **ret_problem)
{
    struct parse parse = {.cert = {.path_len = -1}};
    if (read_certificate(&parse, der) < 0) {
        *ret_problem = parse.problem;
        return -1;
    }
    *ret_cert = parse.cert;
    *ret_link = parse.link;
    return 0;
}

/* Key identifiers are hints, but two that are given and differ are a contradiction. */
bool attest_cert_names_issuer(const struct attest_cert_link *link, const struct attest_cert *issuer)
{
    uint8_t name[SHA256_BYTES];
    const struct attest_span *id = &link->issuer_key_id;
    sha256(link->issuer.data, link->issuer.len, name);
    if (memcmp(name, issuer->subject_sha256, sizeof(name)) != 0)
        return false;
    return !id->data || issuer->key_id_len == 0 ||
           (id->len == issuer->key_id_len && memcmp(id->data, issuer->key_id, id->len) == 0);
}
