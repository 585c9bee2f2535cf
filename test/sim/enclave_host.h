/* enclave_host: answers attestation requests on the private addresses of all instances.
 *
 * Model: one plain and one TLS listener on all of 127.0.0.0/8; the address that a connection arrived at names
 * the instance, and the service says what lives there. One thread polls all connections, so that a client
 * that hangs blocks nobody. The plain port speaks Native, and the forms of Oyster and Nautilus; the TLS port
 * speaks Nitriding with a certificate of its own that the documents name. An address where nothing runs
 * resets the connection. Documents carry the real clock's time. Threads: one of its own.   Ownership: the
 * service must outlive it. Limits: 512 connections, heads of 4 KiB, 30 s each.   Errors: ERROR_UNAVAILABLE
 * when it cannot listen, and those of pki_new(). */
#ifndef TEE_TEST_SIM_ENCLAVE_HOST_H
#define TEE_TEST_SIM_ENCLAVE_HOST_H

#include "base/error.h"
#include "sim/service.h"

#include <stdbool.h>

struct enclave_host;

/* port 0 = a free one; the TLS port is always a free one. NULL on error. */
struct enclave_host *enclave_host_new(struct sim_service *service, const char *state_dir, int port,
                                      struct error *err);
struct enclave_host *enclave_host_free(struct enclave_host *host);
int enclave_host_get_port(const struct enclave_host *host, bool is_tls);

#endif
