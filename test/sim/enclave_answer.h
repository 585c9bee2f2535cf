/* enclave_answer: the bytes that an enclave's host answers with.
 *
 * Model: enclave_answer() takes the head of a request and what the service knows of the address, and writes
 * the whole answer, its defect included.   Threads: one at a time (the PKI is not shared).
 * Ownership: the caller's buffers.   Limits: as sim/enclave_host.h.   Errors: none, an answer is always made.
 */
#ifndef TEE_TEST_SIM_ENCLAVE_ANSWER_H
#define TEE_TEST_SIM_ENCLAVE_ANSWER_H

#include "base/buf.h"
#include "pki/pki.h"
#include "sim/service.h"

#include <stdbool.h>
#include <stdint.h>

enum enclave_pace { ENCLAVE_PACE_WHOLE, ENCLAVE_PACE_SLOW, ENCLAVE_PACE_ENDLESS };

struct enclave_answerer {
    struct sim_service *service;
    struct pki *pki;
    struct pki *foreign; /* a root nobody trusts */
    bool is_tls;
    uint8_t cert_sha256[32]; /* of the TLS port */
};

/* True when `head` is a whole request, or more than one may be. */
bool enclave_request_is_whole(const char *head, size_t len);
enum enclave_pace enclave_answer(const struct enclave_answerer *answerer, uint32_t address, const char *head,
                                 size_t len, struct buf *out);

#endif
