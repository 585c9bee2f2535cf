/* outdated: a definition older than this program, from when it is noticed until it is as new.
 *
 * Model: found at start and by the first status that is refused for a field; told once in the log, and in
 * readiness and metric while it lasts. outdated_check() compares what is installed (definition.h), and wakes
 * all keys when that has every field again. Threads: any.   Ownership: the controller is borrowed. Limits: 8
 * s a look.   Errors: a definition that may not be read is no error: the next status that is taken ends it.
 */
#ifndef TEE_CONTROLLER_OUTDATED_H
#define TEE_CONTROLLER_OUTDATED_H

#include "base/error.h"

struct controller;

void outdated_check(struct controller *controller);
/* A status was refused for a field that the definition lacks; one was taken. */
void outdated_note_refused(struct controller *controller, const struct error *err);
void outdated_note_taken(struct controller *controller);

#endif
