/* wire: the composition root. The only place that knows both sides of struct ports.
 *
 * Model: controller_new() checks everything that can be known wrong from flags, files and environment;
 * controller_run() starts the parts in order, waits for the stop, and stops them in reverse.
 * Threads: the main thread.   Ownership: options are borrowed.   Limits: none.
 * Errors: of _new: ERROR_INVALID (the program exits with 2); of _run: what kept it from going on (exit 1). */
#ifndef TEE_CONTROLLER_WIRE_H
#define TEE_CONTROLLER_WIRE_H

#include "options.h"

struct controller;

MUST_CHECK int controller_new(const struct options *options, struct controller **ret_controller,
                              struct error *err);
/* Returns after controller_stop(). */
MUST_CHECK int controller_run(struct controller *controller, struct error *err);
void controller_stop(struct controller *controller);
/* Writes the last transitions to standard error; work goes on. */
void controller_dump_flight(struct controller *controller);
struct controller *controller_free(struct controller *controller);

#endif
