/* What the scripts of this folder compare with: `host_probe userdata` turns a configuration, as JSON on
 * standard input, into the user data that the controller would launch with; `host_probe boot PHASE SECONDS`
 * prints the answer of a host that still boots. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "nitro/native.h"
#include "nitro/userdata.h"

#include <jansson.h>
#include <string.h>

static json_t *member(json_t *object, const char *name)
{
    return json_object_get(object, name);
}

static const char *text_of(json_t *object, const char *name)
{
    return json_string_value(member(object, name));
}

static int int_of(json_t *object, const char *name)
{
    return (int)json_integer_value(member(object, name));
}

static int print_userdata(void)
{
    struct userdata_port ports[USERDATA_PORTS_MAX];
    struct userdata_egress egress[USERDATA_EGRESS_MAX];
    json_error_t problem;
    json_t *root = json_loadf(stdin, JSON_ALLOW_NUL, &problem);
    json_t *eif = member(root, "eif");
    json_t *enclave = member(root, "enclave");
    json_t *item = NULL;
    size_t i = 0;
    struct userdata_config config = {
        .image = text_of(root, "image"),
        .eif_url = text_of(eif, "url"),
        .eif_sha256 = text_of(eif, "sha256"),
        .cpu_count = int_of(enclave, "cpuCount"),
        .memory_mib = int_of(enclave, "memoryMiB"),
        .debug_mode = json_is_true(member(enclave, "debugMode")),
        .ports = ports,
        .port_count = json_array_size(member(root, "ports")),
        .egress = egress,
        .egress_count = json_array_size(member(root, "egress")),
        .attestation_protocol = text_of(member(root, "attestation"), "protocol"),
        .attestation_port = int_of(member(root, "attestation"), "port"),
    };
    json_array_foreach(member(root, "ports"), i, item) if (i < USERDATA_PORTS_MAX) ports[i] =
        (struct userdata_port){text_of(item, "name"), int_of(item, "port"), int_of(item, "enclavePort")};
    json_array_foreach(member(root, "egress"), i, item) if (i < USERDATA_EGRESS_MAX) egress[i] =
        (struct userdata_egress){text_of(item, "name"), text_of(item, "host"), int_of(item, "port"),
                                 int_of(item, "vsockPort")};
    CLEANUP(freep) char *text = NULL;
    struct error err = {0};
    int result = userdata_encode(&config, &text, &err);
    if (result < 0)
        fprintf(stderr, "host_probe: %s\n", err.text);
    else
        fputs(text, stdout);
    json_decref(root);
    return result < 0 ? 1 : 0;
}

static int print_boot(const char *phase, const char *seconds)
{
    struct native_boot boot = {.phase = NATIVE_PHASE_PACKAGES, .seconds = strtoll(seconds, NULL, 10)};
    while (boot.phase < NATIVE_PHASE_COUNT && strcmp(native_phase_name(boot.phase), phase) != 0)
        boot.phase++;
    if (boot.phase == NATIVE_PHASE_COUNT)
        return 1;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, NATIVE_HEAD_MAX);
    native_answer_boot(&out, &boot);
    fwrite(buf_text(&out), 1, out.len, stdout);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "userdata") == 0)
        return print_userdata();
    if (argc == 4 && strcmp(argv[1], "boot") == 0)
        return print_boot(argv[2], argv[3]);
    fputs("usage: host_probe userdata <CONFIG.json | host_probe boot PHASE SECONDS\n", stderr);
    return 2;
}
