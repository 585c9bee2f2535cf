/* Each form check names the clause of X.690 that it stands for. */
#include "nitro/der.h"

#include <string.h>
#include <time.h>

enum { TAG_NUMBER_MASK = 0x1f, LENGTH_LONG = 0x80 };

void der_init(struct der_reader *reader, const void *data, size_t len)
{
    reader->at = data;
    reader->end = reader->at + len;
}

void der_enter(struct der_reader *reader, const struct der_item *item)
{
    der_init(reader, item->data, item->len);
}

bool der_is_at_end(const struct der_reader *reader)
{
    return reader->at == reader->end;
}

bool der_has(const struct der_reader *reader, unsigned tag)
{
    return reader->at < reader->end && *reader->at == tag;
}

/* 10.1: definite, in the fewest octets. */
static int read_length(struct der_reader *reader, size_t *ret_len)
{
    if (reader->at == reader->end)
        return -1;
    size_t first = *reader->at++;
    size_t octets = first < LENGTH_LONG ? 0 : first - LENGTH_LONG;
    if (first < LENGTH_LONG) {
        *ret_len = first;
        return 0;
    }
    if (octets < 1 || octets > 2 || (size_t)(reader->end - reader->at) < octets)
        return -1;
    size_t len = octets == 1 ? reader->at[0] : (size_t)reader->at[0] << 8 | reader->at[1];
    reader->at += octets;
    *ret_len = len;
    return len < (octets == 1 ? (size_t)LENGTH_LONG : (size_t)256) ? -1 : 0;
}

int der_next(struct der_reader *reader, struct der_item *ret_item)
{
    struct der_item item = {.whole = reader->at};
    if (reader->at == reader->end)
        return -1;
    item.tag = *reader->at++;
    if ((item.tag & TAG_NUMBER_MASK) == TAG_NUMBER_MASK || read_length(reader, &item.len) < 0 ||
        item.len > (size_t)(reader->end - reader->at))
        return -1;
    item.data = reader->at;
    reader->at += item.len;
    item.whole_len = (size_t)(reader->at - item.whole);
    *ret_item = item;
    return 0;
}

int der_expect(struct der_reader *reader, unsigned tag, struct der_item *ret_item)
{
    return der_has(reader, tag) ? der_next(reader, ret_item) : -1;
}

bool der_equals(const struct der_item *item, const void *data, size_t len)
{
    return item->len == len && memcmp(item->data, data, len) == 0;
}

/* Each number is in base 128, without a leading zero digit, and the last one ends. */
bool der_is_oid(const struct der_item *item)
{
    bool is_start = true;
    for (size_t i = 0; i < item->len; i++) {
        if (is_start && item->data[i] == 0x80)
            return false;
        is_start = !(item->data[i] & 0x80);
    }
    return item->len > 0 && is_start;
}

/* 11.1: true is FF and nothing else. */
int der_get_bool(const struct der_item *item, bool *ret_value)
{
    if (item->len != 1 || (item->data[0] != 0x00 && item->data[0] != 0xff))
        return -1;
    *ret_value = item->data[0] == 0xff;
    return 0;
}

/* 8.3.2: the first nine bits are neither all zero nor all one. */
int der_get_int(const struct der_item *item, int *ret_value)
{
    if (item->len < 1 || item->len > 4 || item->data[0] & 0x80)
        return -1;
    if (item->len > 1 && item->data[0] == 0 && !(item->data[1] & 0x80))
        return -1;
    int value = 0;
    for (size_t i = 0; i < item->len; i++)
        value = value << 8 | item->data[i];
    *ret_value = value;
    return 0;
}

static int two_digits(const uint8_t *text)
{
    return (text[0] - '0') * 10 + (text[1] - '0');
}

/* timegm() would carry a 31st of February over into March. */
static int parts_to_ms(const struct tm *parts, int64_t *ret_ms)
{
    struct tm normal = *parts;
    int64_t seconds = timegm(&normal);
    if (normal.tm_year != parts->tm_year || normal.tm_mon != parts->tm_mon ||
        normal.tm_mday != parts->tm_mday || normal.tm_hour != parts->tm_hour ||
        normal.tm_min != parts->tm_min || normal.tm_sec != parts->tm_sec)
        return -1;
    *ret_ms = seconds * 1000;
    return 0;
}

int der_get_time(const struct der_item *item, int64_t *ret_ms)
{
    enum { REST_LEN = 11 /* MMDDHHMMSSZ */ };
    size_t year_len = item->tag == DER_UTC_TIME ? 2 : 4;
    if ((item->tag != DER_UTC_TIME && item->tag != DER_GENERALIZED_TIME) ||
        item->len != year_len + REST_LEN || item->data[item->len - 1] != 'Z')
        return -1;
    for (size_t i = 0; i + 1 < item->len; i++)
        if (item->data[i] < '0' || item->data[i] > '9')
            return -1;
    const uint8_t *rest = item->data + year_len;
    int year = two_digits(item->data);
    if (year_len == 2)
        year += year < 50 ? 2000 : 1900;
    else
        year = year * 100 + two_digits(item->data + 2);
    if (year_len == 4 && year < 2050)
        return -1;
    struct tm parts = {.tm_year = year - 1900,
                       .tm_mon = two_digits(rest) - 1,
                       .tm_mday = two_digits(rest + 2),
                       .tm_hour = two_digits(rest + 4),
                       .tm_min = two_digits(rest + 6),
                       .tm_sec = two_digits(rest + 8)};
    return parts_to_ms(&parts, ret_ms);
}
