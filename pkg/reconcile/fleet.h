/* fleet: what all objects together may launch, and how many failing hosts they may replace, so that one
 * mistake cannot cost a fleet of hosts.
 *
 * Model: two limits of launches. Launches of the last hour are known by their tokens: those that the objects'
 * ledgers hold, read anew at most each minute, and those that this process admitted since, whose ledger
 * entries the store may not show yet. A token is counted once, however often it is seen; one that was refused
 * by EC2 is given back. Hosts are those of the inventory, and what was admitted after it was taken.
 * fleet_look() tells how it stands and changes nothing; fleet_admit() decides, for one launch at a time. A
 * restart forgets admissions that no ledger shows, which are those that never reached EC2. Threads: any; one
 * mutex. Ownership: store and inventory are borrowed. Limits: none but the launches of an hour. Errors: none.
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
void fleet_look(struct fleet *fleet, struct moment now, struct fleet_view *ret_view);
/* False: a limit is reached; nothing is noted then. */
bool fleet_admit(struct fleet *fleet, const char *token, struct moment now);
/* The launch under that token was refused for certain. */
void fleet_release(struct fleet *fleet, const char *token);
/* A failing host is to be replaced. False: a twentieth of all hosts, or one if that is less, were within a
 * quarter of an hour. */
bool fleet_admit_repair(struct fleet *fleet, const char *host_id, struct moment now);
/* It was not. */
void fleet_release_repair(struct fleet *fleet, const char *host_id);

#endif
