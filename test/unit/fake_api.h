/* fake_api: a small HTTP server whose answers a test writes.
 *
 * Model: a callback is asked for each request, in the order they arrive and never twice at once, and its
 * answer is sent in one of several ways. Every request is kept. A connection has its own thread. Threads: see
 * above.   Ownership: the server owns requests and frees the bodies that answers carry. Limits: 32
 * connections at a time, 256 requests.   Errors: asserts. */
#ifndef TEE_TEST_FAKE_API_H
#define TEE_TEST_FAKE_API_H

#include <stdbool.h>
#include <stddef.h>

enum fake_how {
    FAKE_WHOLE, /* with its length */
    FAKE_BYTES, /* chunked, one byte a chunk, regular end */
    FAKE_CUT,   /* the connection closes behind the body, which was announced longer */
    FAKE_HANG   /* chunked; the body, and then nothing until the peer or the server ends */
};

struct fake_reply {
    int status;
    char *body;          /* heap, or NULL */
    const char *headers; /* whole lines with CRLF, or NULL */
    enum fake_how how;
};

struct fake_api;
/* request is "METHOD path HTTP/1.1\r\n headers \r\n\r\n body". */
typedef struct fake_reply fake_answer(void *ctx, const char *request);

struct fake_api *fake_api_start(fake_answer *answer, void *ctx);
void fake_api_stop(struct fake_api *api);
int fake_api_get_port(const struct fake_api *api);
/* Waits until that many requests came; false after 20 s. */
bool fake_api_wait(struct fake_api *api, size_t count);
/* Valid until the stop. NULL if there were not so many. */
const char *fake_api_get_request(struct fake_api *api, size_t index);

#endif
