/* iam_policy: the IAM policy that lets the controller do its work, and no more.
 *
 * Model: PURE. A scope says which account, cluster and flags; the policy is a JSON document (Version
 * 2012-10-17) with one statement for each thing that the controller does. What it launches it must tag with
 * its cluster's id, and only what carries that tag may it change: two clusters in one account cannot touch
 * each other's hosts. docs/iam.md gives the reason for each statement. Threads: none. Ownership: a scope
 * borrows its texts. Limits: 8 roles, 40 tag keys; 6144 characters, which is what IAM takes of a managed
 * policy. Errors: ERROR_INVALID. See:
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html */
#ifndef TEE_KUBECTL_IAM_POLICY_H
#define TEE_KUBECTL_IAM_POLICY_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { IAM_ROLES_MAX = 8, IAM_TAG_KEYS_MAX = 40, IAM_POLICY_MAX = 6144 };

struct iam_scope {
    const char *partition;            /* NULL = "aws" */
    const char *region;               /* NULL = all */
    const char *account;              /* NULL = that of the policy, written as any */
    const char *cluster_id;           /* NULL only with read_only */
    const char *roles[IAM_ROLES_MAX]; /* ARNs of what instance profiles hold */
    size_t role_count;
    const char *tag_keys[IAM_TAG_KEYS_MAX]; /* of spec.instance.tags; may hold * and ? */
    size_t tag_key_count;
    bool read_only;
    bool allow_adoption;
    bool decode;
};

/* Whether the parts go together: a cluster's id, and roles of the same partition. */
MUST_CHECK int iam_scope_check(const struct iam_scope *scope, struct error *err);
/* One JSON value without line breaks. */
MUST_CHECK int iam_policy_write(const struct iam_scope *scope, struct buf *out, struct error *err);

#endif
