/* pass: the state of one pass over one object, shared by reconciler.c and effects.c.
 *
 * Model: `want` is the object as the store has it; `next` is a copy whose ledger, verdict and lastHandled the
 * effect may change, and from which the status is computed. base_version is the resourceVersion that the
 * status apply carries: that of the object it was computed from, or of our own write within this pass.
 * Threads: the key's worker.   Ownership: strings of next live in want, live or arena, all held until
 * pass_done. Limits: none.   Errors: none. */
#ifndef TEE_RECONCILE_PASS_H
#define TEE_RECONCILE_PASS_H

#include "base/log.h"
#include "reconcile/capacity.h"
#include "reconcile/fleet.h"
#include "reconcile/observe.h"
#include "reconcile/plan.h"
#include "reconcile/preflight_cache.h"
#include "reconcile/reconciler.h"

struct pass {
    const struct reconciler_options *options;
    struct fleet *fleet;
    struct capacity *capacity;
    struct preflight_cache *preflights;
    struct log log;
    struct teedeployment *want; /* a reference */
    struct teedeployment *live; /* of the fence, or NULL */
    struct teedeployment next;  /* shallow: never unreffed */
    struct memory *memory;
    struct arena arena;
    struct tee_spec effective;
    struct observed seen;
    struct moment now;
    struct plan_input in; /* of next */
    struct plan plan;
    char base_version[66];
    char launch_key[SHA256_HEX_SIZE]; /* preflight_key() of the next launch; "" = not needed so far */
    bool keeps_request;               /* a requested reconcile is not answered yet by what this pass did */
    int64_t wait_ms;                  /* > 0: the effect could not be tried now (no permit, no lease) */
};

enum { PASS_WAIT_MS = 1000 };

/* The effect of pass->plan; changes pass->next and pass->memory accordingly. */
MUST_CHECK int effect_run(struct pass *pass, struct error *err);
/* PLAN_RECORD_ATTEMPT, PLAN_RUN, PLAN_LOOK_UP and PLAN_FIND_ADOPTABLE. */
MUST_CHECK int effect_record_attempt(struct pass *pass, struct error *err);
MUST_CHECK int effect_run_host(struct pass *pass, struct error *err);
MUST_CHECK int effect_look_up(struct pass *pass, struct error *err);
MUST_CHECK int effect_adopt(struct pass *pass, struct error *err);
/* PLAN_PREFLIGHT. */
MUST_CHECK int effect_preflight(struct pass *pass, struct error *err);
/* Start, stop and terminate of the plan's host. */
MUST_CHECK int effect_start(struct pass *pass, struct error *err);
MUST_CHECK int effect_stop(struct pass *pass, struct error *err);
MUST_CHECK int effect_terminate(struct pass *pass, struct error *err);
/* Emits the Event of a start, stop or end that was asked for, once it is seen. */
void pass_tell_change(struct pass *pass);
/* PLAN_RESTORE_IDENTITY. */
MUST_CHECK int effect_restore_identity(struct pass *pass, struct error *err);
/* Invariant 9: nothing that costs money is done on stale knowledge. The live object stays in pass->live. */
MUST_CHECK int pass_check_fence(struct pass *pass, struct error *err);
/* Sets the tags by which an instance is known for the object's, and for nobody else's: not retained. */
MUST_CHECK int pass_tag_identity(struct pass *pass, const struct host *host, struct error *err);
/* The host was changed: nothing is planned for the key until a look at EC2 that began later. */
void pass_await(struct pass *pass, const char *id);
void pass_observe(struct pass *pass);
/* The key of the launch that would come next. */
const char *pass_launch_key(struct pass *pass);
void pass_event(const struct pass *pass, const char *type, const char *reason, const char *note);
/* Emits BootFailed, with what the console ends with, if `status` is the first to say BootTimeout. */
void pass_tell_boot_failure(struct pass *pass, const struct tee_status *status);
/* The object has that resourceVersion by a write of ours: invariant 10 waits for the watch to show it. */
void pass_note_write(struct pass *pass, const char *version);
/* Applies a status value under a field manager; notes our write. */
MUST_CHECK int pass_apply_status(struct pass *pass, const char *manager, const char *json, struct error *err);

#endif
