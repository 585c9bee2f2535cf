/* identity: the tags by which an instance is known for an object's, and what to do when somebody edits them.
 *
 * Model: PURE. An instance that the ledger names is ours whatever its tags say; tags that were edited or
 * removed by hand are put back and nothing is launched (Cluster API for AWS leaked 124 instances over an
 * overwritten tag, cluster-api-provider-aws#4629). Not so for an instance that names another cluster: that is
 * adoption's to take. EC2 may show an instance without its tags for minutes after the launch (AWS: "Ensuring
 * eventual consistency"), hence the grace. Threads: none.   Ownership: none.   Limits: IDENTITY_TEXT_MAX of
 * text.   Errors: none. */
#ifndef TEE_RECONCILE_IDENTITY_H
#define TEE_RECONCILE_IDENTITY_H

#include "reconcile/plan.h"

enum { IDENTITY_GRACE_MS = 5 * 60 * 1000, IDENTITY_AGAIN_MS = 10 * 60 * 1000, IDENTITY_TEXT_MAX = 128 };

/* Of the tags tee-namespace and tee-name together; "" for one that is not there. Never 0, which is "not
 * told". */
uint32_t identity_digest(const char *name_space, const char *name);
/* Of the tag tee-namespace alone, or of Name; never 0. */
uint32_t identity_text_digest(const char *text);
/* The host carries the object's deployment id, but another object's name, and is not the one that our ledger
 * names: it may be that of an object that is not seen, or that was retained, and is nothing to us: neither
 * kept, nor replaced, nor ended. Only adoption takes it. The token proves nothing here, because it follows
 * from the id. Missing names say nothing, as EC2 may omit tags; but a controller that does not see all
 * objects does without such a host. */
bool identity_is_of_another(const struct reconcile_config *config, const struct teedeployment *want,
                            const struct host *host);
/* Adoption takes hosts of any cluster, but never across namespaces; and none from whom is not seen. */
bool identity_is_adoptable(const struct reconcile_config *config, const struct teedeployment *want,
                           const struct host *host);
/* The names of the tags that are not as they should be, with commas; false and "" if all are. */
bool identity_is_edited(const struct plan_input *in, const struct host *host,
                        char ret_keys[IDENTITY_TEXT_MAX]);
/* The same, old enough to be believed, and not tried just now. */
bool identity_is_to_restore(const struct plan_input *in, const struct host *host);

#endif
