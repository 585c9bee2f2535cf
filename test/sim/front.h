/* front: the HTTP side of the simulator, on libwebsockets.
 *
 * Model: collects each request whole, hands it to the service and plays the reply as told: late, held back,
 * or by cutting the connection. One thread, the caller's, in front_run(). Threads: front_stop() from any,
 * also from a signal handler's thread.   Ownership: the service must outlive the front. Limits: 1000
 * connections, bodies of SIM_BODY_MAX.   Errors: ERROR_INVALID, ERROR_UNAVAILABLE when it cannot listen. */
#ifndef TEE_TEST_SIM_FRONT_H
#define TEE_TEST_SIM_FRONT_H

#include "base/error.h"
#include "sim/service.h"

struct front;

/* host is an address; port 0 = a free one. NULL on error. */
struct front *front_new(struct sim_service *service, const char *host, int port, struct error *err);
struct front *front_free(struct front *front);
int front_get_port(const struct front *front);
/* Until front_stop(). */
void front_run(struct front *front);
void front_stop(struct front *front);

#endif
