/* definition: does the installed CustomResourceDefinition have the fields that this program writes?
 *
 * Model: PURE. An API server refuses a whole status for one field that its definition lacks, so an older
 * definition, which Helm leaves in place at an upgrade, stops every object. definition_find_missing()
 * compares by name with the status of the definition that came with this program. Threads: any.   Ownership:
 * the caller's.   Limits: none.   Errors: ERROR_INVALID (BadDefinition). */
#ifndef TEE_CONTROLLER_DEFINITION_H
#define TEE_CONTROLLER_DEFINITION_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"

/* Appends the missing ones as "status.a.b, status.c"; "" = none. json is the definition as the server has it.
 */
MUST_CHECK int definition_find_missing(const char *json, size_t len, struct buf *ret_missing,
                                       struct error *err);
/* The names that are looked for, below status, for the test that holds them against the definition. */
const char *const *definition_fields(size_t *ret_count);

#endif
