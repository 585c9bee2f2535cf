/* object: one TeeDeployment as a person's tools need it.
 *
 * Model: fetched through the user's own kubeconfig, or decoded from JSON. pkg/api's object holds what the
 * controller reads back; here is the rest of the status that a person looks at: instance, phase, boot and the
 * evidence. `effective` is the spec with the values in force where it is silent: what status.effective
 * reports, then api.md's constants. Nothing in status is trusted by being here. Threads: none.
 * Ownership: object_free() frees all.   Limits: 4 MiB of JSON, evidence of 64 KiB.
 * Errors: what the server said, as kubectl words it; kube/client.h's; ERROR_INVALID for an object that makes
 * no sense. */
#ifndef TEE_KUBECTL_OBJECT_H
#define TEE_KUBECTL_OBJECT_H

#include "api/teedeployment.h"
#include "program.h"

#include <netinet/in.h>

struct object {
    struct teedeployment *deployment;
    struct arena arena;
    struct tee_instance_status instance;
    struct tee_spec effective;
    const char *phase;
    const char *boot_phase;
    int64_t boot_seconds;
    uint8_t *evidence; /* NULL: none is stored */
    size_t evidence_len;
    const char *evidence_sha256;
};

/* name: NAME, or with the kind in front as kubectl takes it (teed/NAME). */
MUST_CHECK int object_fetch(struct program *program, const struct flags *flags, const char *name,
                            struct object **ret_object, struct error *err);
MUST_CHECK int object_decode(const char *json, size_t len, struct object **ret_object, struct error *err);
struct object *object_free(struct object *object);
void object_freep(struct object **object);
/* The part behind teed/ or its longer forms; NULL if there is none of them in front. */
const char *object_strip_kind(const char *name);

#endif
