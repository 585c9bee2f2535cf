/* fleet: what all objects together may launch, and how many failing hosts they may replace, so that one
 * mistake cannot cost a fleet of hosts.
 *
 * Model: two limits of launches. Launches of the last hour are known by their tokens: those that the objects'
 * ledgers hold, read anew at most each minute, and those that this process admitted since, whose ledger
 * entries the store may not show yet. A token is counted once, however often it is seen or admitted; one that
 * was refused by EC2, or came to nothing, is given back. Who is to be replaced has a successor reserved
 * before its end, so that one edit of a thousand objects ends no more hosts than may be launched. Hosts are
 * those of the inventory, and the launches that it cannot show yet: from their admission until EC2 answered,
 * and from then until a look that began later. fleet_look() tells how it stands and changes nothing;
 * fleet_admit() decides, for one launch at a time. Threads: any; one mutex. Ownership: store and inventory
 * are borrowed. Limits: none but the launches of an hour. Errors: none. */
#ifndef TEE_RECONCILE_FLEET_H
#define TEE_RECONCILE_FLEET_H

#include "reconcile/effective.h"
#include "reconcile/inventory.h"
#include "reconcile/plan.h"
#include "reconcile/store.h"

struct fleet;

struct fleet *fleet_new(const struct reconcile_config *config, struct store *store,
                        struct inventory *inventory);
struct fleet *fleet_free(struct fleet *fleet);
/* As it is for the deployment id: what is reserved for it stands in its way no more. */
void fleet_look(struct fleet *fleet, const char *deployment_id, struct moment now,
                struct fleet_view *ret_view);
/* False: a limit is reached; nothing is noted then. What was reserved for the deployment id is used up. */
bool fleet_admit(struct fleet *fleet, const char *token, const char *deployment_id, struct moment now);
/* The host of the deployment id is to be ended for a new one. False: that may not be launched. */
bool fleet_reserve(struct fleet *fleet, const char *deployment_id, struct moment now);
/* EC2 answered with an instance. */
void fleet_note_launched(struct fleet *fleet, const char *token, int64_t mono_ms);
/* The launch under that token was refused for certain or is proven to have come to nothing; or the host of
 * the deployment id is not ended after all. NULL: nothing. */
void fleet_release(struct fleet *fleet, const char *token_or_id);
/* The failing host of the deployment id is to be replaced. False: a twentieth of all hosts, or one if that is
 * less, were within a quarter of an hour. Asked again for the same, it is one. */
bool fleet_admit_repair(struct fleet *fleet, const char *deployment_id, struct moment now);
/* It was not. */
void fleet_release_repair(struct fleet *fleet, const char *deployment_id);

#endif
