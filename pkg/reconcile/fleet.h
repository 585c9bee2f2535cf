/* fleet: what all objects together may launch, and how many failing hosts they may replace, so that one
 * mistake cannot cost a fleet of hosts.
 *
 * Model: two limits of launches. Launches of the last hour are known by their tokens, from the objects'
 * ledgers, read anew at most each minute, and from what EC2 answered since. One that is ahead has a place
 * under its deployment id: from its admission until EC2 answered with an instance, however often it is tried;
 * an open ledger entry has one as well, whichever process wrote it. Whose host is to be replaced takes the
 * place before the host's end, so that one edit of a thousand objects ends no more hosts than may be
 * launched. Hosts are those of the inventory, the places, and what was launched after the last look at EC2
 * was begun. fleet_look() tells how it stands and changes nothing; fleet_admit() decides, for one launch at a
 * time. Threads: any; one mutex. Ownership: store and inventory are borrowed. Limits: none but the launches
 * of an hour. Errors: none.
 */
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
/* As it is for the deployment id, whose own place does not stand in its way. */
void fleet_look(struct fleet *fleet, const char *deployment_id, struct moment now,
                struct fleet_view *ret_view);
/* A place for the next launch of the deployment id, if it has none. False: a limit is reached. */
bool fleet_admit(struct fleet *fleet, const char *deployment_id, struct moment now);
/* The same before its host is ended, which makes room for it: the number of instances is no hindrance. */
bool fleet_admit_successor(struct fleet *fleet, const char *deployment_id, struct moment now);
/* EC2 has an instance for it. token: of the launch; NULL: it was not launched by us. */
void fleet_note_launched(struct fleet *fleet, const char *deployment_id, const char *token,
                         struct moment now);
/* There will be no launch: EC2 refused it for certain, the host is not ended after all, or the object goes.
 */
void fleet_release(struct fleet *fleet, const char *deployment_id);
/* The failing host of the deployment id is to be replaced. False: a twentieth of all hosts, or one if that is
 * less, were within a quarter of an hour. Asked again for the same, it is one. */
bool fleet_admit_repair(struct fleet *fleet, const char *deployment_id, struct moment now);
/* It was not. */
void fleet_release_repair(struct fleet *fleet, const char *deployment_id);

#endif
