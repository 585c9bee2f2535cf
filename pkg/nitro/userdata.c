/* The block comes first, so that it is found and read whole even in a listing that is cut. */
#include "nitro/userdata.h"

#include "base/buf.h"
#include "base/encoding.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "nitro/userdata_script.h"

#include <string.h>

static const char begin_line[] = "#tee-config-v1-begin\n";
static const char end_line[] = "#tee-config-v1-end\n";

static int invalid(struct error *err, const char *what)
{
    return error_set(err, ERROR_INVALID, "Invalid", "user data: %s", what);
}

static bool is_port(int port)
{
    return port >= 1 && port <= 65535;
}

static int check_source(const struct userdata_config *config, struct error *err)
{
    uint8_t digest[SHA256_BYTES];
    if (config->image)
        return config->eif_url || config->eif_sha256 ? invalid(err, "both image and eif are set") : 0;
    if (!config->eif_url || !config->eif_sha256)
        return invalid(err, "neither image nor eif is complete");
    if (hex_decode(config->eif_sha256, digest, sizeof(digest)) < 0)
        return invalid(err, "eif.sha256 is not 64 hex digits");
    return 0;
}

static int check_network(const struct userdata_config *config, struct error *err)
{
    if (config->port_count > USERDATA_PORTS_MAX || config->egress_count > USERDATA_EGRESS_MAX)
        return invalid(err, "too many ports or egress entries");
    for (size_t i = 0; i < config->port_count; i++) {
        if (!is_port(config->ports[i].port) || config->ports[i].enclave_port < 1)
            return invalid(err, "a port is out of range");
    }
    for (size_t i = 0; i < config->egress_count; i++) {
        const struct userdata_egress *egress = &config->egress[i];
        if (!egress->host || !is_port(egress->port) || egress->vsock_port < 1)
            return invalid(err, "an egress entry has no host or a port out of range");
    }
    return 0;
}

static int check(const struct userdata_config *config, struct error *err)
{
    if (check_source(config, err) < 0 || check_network(config, err) < 0)
        return -1;
    if (config->cpu_count < 1 || config->memory_mib < 1)
        return invalid(err, "enclave needs cpuCount and memoryMiB");
    if (!config->attestation_protocol)
        return invalid(err, "no attestation protocol");
    bool is_disabled = strcmp(config->attestation_protocol, "Disabled") == 0;
    if (!is_port(config->attestation_port) && !(is_disabled && config->attestation_port == 0))
        return invalid(err, "attestation.port is out of range");
    return 0;
}

static void write_source(struct json_writer *writer, const struct userdata_config *config)
{
    json_text(writer, "image", config->image);
    if (!config->image) {
        json_open_object(writer, "eif");
        json_text(writer, "url", config->eif_url);
        json_text(writer, "sha256", config->eif_sha256);
        json_close_object(writer);
    }
    json_open_object(writer, "enclave");
    json_int(writer, "cpuCount", config->cpu_count);
    json_int(writer, "memoryMiB", config->memory_mib);
    json_bool(writer, "debugMode", config->debug_mode);
    json_close_object(writer);
}

static void write_network(struct json_writer *writer, const struct userdata_config *config)
{
    json_open_array(writer, "ports");
    for (size_t i = 0; i < config->port_count; i++) {
        json_open_object(writer, NULL);
        json_text(writer, "name", config->ports[i].name);
        json_int(writer, "port", config->ports[i].port);
        json_int(writer, "enclavePort", config->ports[i].enclave_port);
        json_close_object(writer);
    }
    json_close_array(writer);
    json_open_array(writer, "egress");
    for (size_t i = 0; i < config->egress_count; i++) {
        json_open_object(writer, NULL);
        json_text(writer, "name", config->egress[i].name);
        json_text(writer, "host", config->egress[i].host);
        json_int(writer, "port", config->egress[i].port);
        json_int(writer, "vsockPort", config->egress[i].vsock_port);
        json_close_object(writer);
    }
    json_close_array(writer);
}

static void write_config(struct buf *out, const struct userdata_config *config)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_int(&writer, "version", 1);
    write_source(&writer, config);
    write_network(&writer, config);
    json_open_object(&writer, "attestation");
    json_text(&writer, "protocol", config->attestation_protocol);
    if (config->attestation_port > 0)
        json_int(&writer, "port", config->attestation_port);
    json_close_object(&writer);
    json_close_object(&writer);
}

static void write_script(struct buf *out, const struct buf *json)
{
    CLEANUP(freep) char *block = base64_encode(json->data, json->len);
    buf_printf(out, "#!/bin/bash\n%s#%s\n%s", begin_line, block, end_line);
    for (const char *const *line = userdata_script; *line; line++) {
        buf_puts(out, *line);
        buf_putc(out, '\n');
    }
}

int userdata_encode(const struct userdata_config *config, char **ret_text, struct error *err)
{
    if (check(config, err) < 0)
        return -1;
    CLEANUP(buf_done) struct buf json;
    CLEANUP(buf_done) struct buf out;
    buf_init(&json, USERDATA_MAX);
    buf_init(&out, USERDATA_MAX);
    write_config(&json, config);
    if (buf_is_ok(&json))
        write_script(&out, &json);
    if (!buf_is_ok(&json) || !buf_is_ok(&out))
        return error_set(err, ERROR_INVALID, "UserDataTooLarge",
                         "user data would exceed EC2's limit of %d bytes: shorten ports, egress or URLs",
                         USERDATA_MAX);
    *ret_text = buf_steal(&out);
    return 0;
}

/* The text behind the first line that equals `line`, which ends with a newline; NULL if there is none. */
static const char *find_after_line(const char *text, const char *end, const char *line)
{
    size_t len = strlen(line);
    while (text && (size_t)(end - text) >= len) {
        if (memcmp(text, line, len) == 0)
            return text + len;
        text = memchr(text, '\n', (size_t)(end - text));
        text = text ? text + 1 : NULL;
    }
    return NULL;
}

/* Joins the lines up to the end marker; -1 if there is none or a line is no comment. */
static int join_lines(const char *text, const char *end, struct buf *ret_base64)
{
    while (text < end && *text == '#') {
        size_t left = (size_t)(end - text);
        const char *newline = memchr(text, '\n', left);
        if (left >= sizeof(end_line) - 2 && memcmp(text, end_line, sizeof(end_line) - 2) == 0)
            return 0;
        if (!newline || buf_append(ret_base64, text + 1, (size_t)(newline - text) - 1) < 0)
            return -1;
        text = newline + 1;
    }
    return -1;
}

char *userdata_find_config(const char *text, size_t len)
{
    const char *start = find_after_line(text, text + len, begin_line);
    CLEANUP(buf_done) struct buf base64;
    CLEANUP(freep) uint8_t *json = NULL;
    size_t json_len = 0;
    buf_init(&base64, USERDATA_MAX);
    if (!start || join_lines(start, text + len, &base64) < 0)
        return NULL;
    if (base64.len == 0 || base64_decode(base64.data, base64.len, &json, &json_len) < 0)
        return NULL;
    return memchr(json, 0, json_len) ? NULL : mem_strndup((const char *)json, json_len);
}
