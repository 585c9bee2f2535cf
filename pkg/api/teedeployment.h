/* teedeployment: one object as the API server has it, typed, immutable and shared by reference.
 *
 * Model: teedeployment_decode() turns the JSON of one object into a packed struct; the JSON tree lives only
 * inside that call. A spec that we cannot act upon is not an error of the decoder: the object is kept with
 * `invalid` set, so that its owner is told in the status. Only an object without identity is refused.
 * Threads: immutable after decoding, any.   Ownership: reference-counted.
 * Limits: 4 MiB of JSON.   Errors: ERROR_INVALID, reason Malformed. */
#ifndef TEE_API_TEEDEPLOYMENT_H
#define TEE_API_TEEDEPLOYMENT_H

#include "api/status.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/ref.h"

#define TEE_GROUP         "tee.dev"
#define TEE_VERSION_NAME  "v1alpha1"
#define TEE_API_VERSION   "tee.dev/v1alpha1"
#define TEE_KIND          "TeeDeployment"
#define TEE_PLURAL        "teedeployments"
#define TEE_FINALIZER     "tee.dev/instance"
#define TEE_FIELD_MANAGER "tee-controller"

struct packed;

struct teedeployment {
    struct ref ref;
    struct arena arena;
    struct packed *packed; /* a reference, where texts lie in it; see teedeployment_pack.h */
    const char *key;       /* namespace/name */
    const char *name_space;
    const char *name;
    const char *uid;
    const char *resource_version;
    const char *deployment_id; /* spec.deploymentID, else nitro-<uid> */
    int64_t generation;
    int64_t creation_ms;
    bool is_deleting;
    int finalizer_index; /* of ours in metadata.finalizers, -1 = not there */
    size_t finalizer_count;
    bool is_paused;
    bool wants_adoption;
    const char *reconcile_requested; /* the newest word of the two annotations, or NULL */
    const char *invalid;             /* NULL, or what is wrong with the spec, for the user */
    struct tee_spec spec;
    struct tee_status status; /* the parts that status.h names */
    uint8_t status_digest[32];
};

/* Empty, with one reference. */
struct teedeployment *teedeployment_new(void);
/* Sets what follows from other fields: key and deployment_id. */
void teedeployment_derive(struct teedeployment *object);
MUST_CHECK int teedeployment_decode(const char *json, size_t len, struct teedeployment **ret_object,
                                    struct error *err);
struct teedeployment *teedeployment_ref(struct teedeployment *object);
/* NULL in, NULL out; returns NULL. */
struct teedeployment *teedeployment_unref(struct teedeployment *object);
void teedeployment_unrefp(struct teedeployment **object);
/* Compares resourceVersions as the integers that they are since Kubernetes 1.35 (KEP-5504). */
int resource_version_compare(const char *a, const char *b);

#endif
