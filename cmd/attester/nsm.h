/* nsm: the Nitro Secure Module, the device that has documents signed.
 *
 * Model: one exchange of a CBOR request for a CBOR answer. This is the seam of the program: nsm_device.c
 * talks to /dev/nsm, and the tests link a double in its place, so that the program itself has no switch that
 * fakes it. Threads: one (the device serves one request at a time). Ownership: the caller's buffers. Limits:
 * requests of NSM_REQUEST_MAX, answers of NSM_ANSWER_MAX bytes. Errors: ERROR_UNAVAILABLE, with what to do
 * where that is known. See linux: include/uapi/linux/nsm.h. */
#ifndef TEE_ATTESTER_NSM_H
#define TEE_ATTESTER_NSM_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { NSM_REQUEST_MAX = 0x1000, NSM_ANSWER_MAX = 0x3000 };

struct nsm;

struct nsm *nsm_open(struct error *err);
struct nsm *nsm_close(struct nsm *nsm);
MUST_CHECK int nsm_exchange(struct nsm *nsm, const uint8_t *request, size_t len,
                            uint8_t ret_answer[NSM_ANSWER_MAX], size_t *ret_len, struct error *err);

#endif
