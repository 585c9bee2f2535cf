/* See drift.h. */
#include "reconcile/drift.h"

#include <string.h>

/* The field as the spec has it, against what the instance is; "" where they agree or one of them is not said.
 */
static const char *compare(struct arena *arena, const char *field, const char *wanted, const char *is)
{
    if (!wanted || !is[0] || strcmp(wanted, is) == 0)
        return "";
    return arena_printf(arena, "%s is %s, and the instance has %s; ", field, wanted, is);
}

static const char *compare_subnet(const struct plan_input *in, struct arena *arena, const struct host *host)
{
    if (!plan_subnet_differs(in, host))
        return "";
    return arena_printf(arena, "spec.instance.subnetIDs no longer lists %s, where the instance is; ",
                        host->subnet_id);
}

const char *drift_text(const struct plan_input *in, struct arena *arena)
{
    const struct host *host = observed_host(in->seen);
    const struct tee_instance_spec *instance = &in->want->spec.instance;
    const char *known =
        arena_printf(arena, "%s%s%s", compare(arena, "spec.instance.amiID", instance->ami_id, host->image_id),
                     compare(arena, "spec.instance.instanceType", instance->instance_type, host->type),
                     compare_subnet(in, arena, host));
    if (known[0])
        return arena_printf(arena, "%.*s", (int)strlen(known) - 2, known);
    return "The instance was launched with other values of image, eif, enclave, ports, egress, the protocol "
           "or port of "
           "attestation, or the key, profile, volume, type or AMI of spec.instance";
}
