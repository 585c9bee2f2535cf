/* reconciler: one pass over one object. The file to read first is reconciler.c.
 *
 * Model: load want -> observe seen -> plan(want, seen, now) -> at most one effect -> status -> when to look
 * again. A key says which object, never what happened. Everything that must be right is in plan.c, status.c
 * and ledger.c, which are pure; everything that touches the world goes through ports.h. Threads:
 * reconciler_pass() from any worker, for different keys.   Ownership: config, ports, store, inventory and
 * clock are borrowed and outlive it.   Limits: none.   Errors: reported in the outcome. */
#ifndef TEE_RECONCILE_RECONCILER_H
#define TEE_RECONCILE_RECONCILER_H

#include "base/clock.h"
#include "base/flight.h"
#include "reconcile/inventory.h"
#include "reconcile/outcome.h"
#include "reconcile/ports.h"
#include "reconcile/store.h"

/* A pass has so long; the calls that it makes are bounded by what is left (base/deadline.h). */
enum { RECONCILER_PASS_MS = 60 * 1000 };
/* What metrics and logs call it. */
#define TEE_CONTROLLER "teedeployment"

struct reconciler;

struct reconciler_options {
    const struct reconcile_config *config;
    const struct ports *ports;
    struct store *store;
    struct inventory *inventory;
    const struct clock *clock;
    struct flight *flight; /* what was planned is recorded there; may be NULL */
    /* Told after each attestation that brought a document or none; reason "" = accepted. May be NULL. */
    void (*observe_attestation)(void *ctx, const char *verdict, const char *reason);
    void *ctx;
};

struct reconciler *reconciler_new(const struct reconciler_options *options);
struct reconciler *reconciler_free(struct reconciler *reconciler);
struct outcome reconciler_pass(struct reconciler *reconciler, const char *key);

#endif
