/* cleanup: scoped release and visible transfer of ownership.
 *
 * Model: every owner is declared with the function that releases it, CLEANUP(freep) char *name = NULL, so
 * that each return path releases it. STEAL() is the only way that ownership leaves a scope: it yields the
 * pointer and leaves NULL behind. Threads: none.   Ownership: see above.   Limits: none.   Errors: cannot
 * fail. */
#ifndef TEE_BASE_CLEANUP_H
#define TEE_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))
#define MUST_CHECK        __attribute__((warn_unused_result))
#define ARRAY_LEN(array)  (sizeof(array) / sizeof((array)[0]))

#define STEAL(pointer)                                                                                       \
    __extension__({                                                                                          \
        __typeof__(pointer) stolen_ = (pointer);                                                             \
        (pointer) = NULL;                                                                                    \
        stolen_;                                                                                             \
    })

/* For CLEANUP on any heap pointer; the argument is the address of the variable. */
static inline void freep(void *address)
{
    free(*(void **)address);
}

static inline void closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void fclosep(FILE **file)
{
    if (*file)
        fclose(*file);
}

#endif
