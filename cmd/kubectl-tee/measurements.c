/* Zeros say nothing: PCR8 of an unsigned image, and every PCR of a debug enclave. */
#include "measurements.h"

#include "base/encoding.h"
#include "base/json_writer.h"

#include <string.h>

void measurements_fill(const uint8_t *const values[MEASUREMENTS_PCRS_MAX],
                       struct attest_pcr ret_pcrs[MEASUREMENTS_PCRS_MAX], size_t *ret_count)
{
    static const unsigned indexes[MEASUREMENTS_PCRS_MAX] = {0, 1, 2, 8};
    static const uint8_t zero[ATTEST_PCR_BYTES];
    *ret_count = 0;
    for (size_t i = 0; i < MEASUREMENTS_PCRS_MAX; i++) {
        if (!values[i] || memcmp(values[i], zero, sizeof(zero)) == 0)
            continue;
        struct attest_pcr *pcr = &ret_pcrs[(*ret_count)++];
        pcr->index = indexes[i];
        memcpy(pcr->value, values[i], ATTEST_PCR_BYTES);
    }
}

void measurements_put_data(const char *name, const struct attest_pcr *pcrs, size_t count, struct buf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_open_array(&writer, "measurements");
    json_open_object(&writer, NULL);
    json_text(&writer, "name", name);
    json_open_array(&writer, "pcrs");
    for (size_t i = 0; i < count; i++) {
        char text[2 * ATTEST_PCR_BYTES + 1];
        hex_encode(pcrs[i].value, ATTEST_PCR_BYTES, text);
        json_open_object(&writer, NULL);
        json_int(&writer, "index", pcrs[i].index);
        json_text(&writer, "sha384", text);
        json_close_object(&writer);
    }
    json_close_array(&writer);
    json_close_object(&writer);
    json_close_array(&writer);
    json_close_object(&writer);
}

void measurements_put_text(const struct attest_pcr *pcrs, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        char label[16], text[2 * ATTEST_PCR_BYTES + 1];
        snprintf(label, sizeof(label), "PCR%u", pcrs[i].index);
        hex_encode(pcrs[i].value, ATTEST_PCR_BYTES, text);
        output_line(out, label, text);
    }
}

static bool is_admitted(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.';
}

void measurements_make_name(const char *text, char ret_name[MEASUREMENTS_NAME_SIZE])
{
    size_t len = 0;
    for (; *text && len < MEASUREMENTS_NAME_SIZE - 1; text++) {
        char c = *text >= 'A' && *text <= 'Z' ? (char)(*text - 'A' + 'a') : *text;
        if (is_admitted(c) && (c != '.' || len > 0))
            ret_name[len++] = c;
        else if (len > 0 && ret_name[len - 1] != '-')
            ret_name[len++] = '-';
    }
    while (len > 0 && strchr("-.", ret_name[len - 1]))
        len--;
    ret_name[len] = '\0';
    if (len == 0)
        snprintf(ret_name, MEASUREMENTS_NAME_SIZE, "v1");
}
