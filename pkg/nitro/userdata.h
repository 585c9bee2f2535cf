/* userdata: what an instance is told at launch.
 *
 * Model: a bash script with one block between the lines `#tee-config-v1-begin` and `#tee-config-v1-end`, in
 * which each line is `#` and a piece of the base64 of one JSON object:
 *   {"version":1, "image" | "eif":{"url","sha256"}, "enclave":{"cpuCount","memoryMiB","debugMode"},
 *    "ports":[{"name","port","enclavePort"}], "egress":[{"name","host","port","vsockPort"}],
 *    "attestation":{"protocol","port"}}
 * The script is the same for everybody; everything that a user chose is in the block, which bash reads as a
 * comment. So no value can become a command.
 * Threads: any.   Ownership: inputs are borrowed, results are the caller's. Limits: USERDATA_MAX bytes before
 * EC2's own base64, USERDATA_PORTS_MAX ports, USERDATA_EGRESS_MAX egress entries. Errors: ERROR_INVALID. */
#ifndef TEE_NITRO_USERDATA_H
#define TEE_NITRO_USERDATA_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { USERDATA_MAX = 16384, USERDATA_PORTS_MAX = 16, USERDATA_EGRESS_MAX = 32 };

struct userdata_port {
    const char *name;
    int port;             /* on the host */
    int64_t enclave_port; /* vsock */
};

struct userdata_egress {
    const char *name;
    const char *host;
    int port;
    int vsock_port;
};

struct userdata_config {
    const char *image; /* or NULL, and then both of the next */
    const char *eif_url;
    const char *eif_sha256;
    int cpu_count;
    int memory_mib;
    bool debug_mode;
    const struct userdata_port *ports;
    size_t port_count;
    const struct userdata_egress *egress;
    size_t egress_count;
    const char *attestation_protocol;
    int attestation_port; /* 0 only with the protocol Disabled: no listener */
};

/* The script, NUL-terminated; the caller frees. */
MUST_CHECK int userdata_encode(const struct userdata_config *config, char **ret_text, struct error *err);
/* The JSON of the block, which the caller frees; NULL if there is no block or it is damaged. */
char *userdata_find_config(const char *text, size_t len);

#endif
