/* See drift.h. */
#include "reconcile/drift.h"

#include "base/fnv.h"

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

uint32_t drift_group_digest(const char *const *ids, size_t count)
{
    uint32_t sum = 1;
    for (size_t i = 0; i < count; i++)
        sum += fnv32(FNV32_START, ids[i]);
    return sum ? sum : 1;
}

bool drift_has_other_groups(const struct plan_input *in)
{
    const struct host *host = observed_host(in->seen);
    const struct tee_instance_spec *instance = &in->want->spec.instance;
    return host && host->group_digest != 0 && instance->security_group_count > 0 &&
           host->group_digest !=
               drift_group_digest(instance->security_group_ids, instance->security_group_count);
}

static bool has_tag(const struct host *host, const struct tee_tag *tag)
{
    uint32_t digest = fnv32_pair(tag->key, tag->value);
    for (int i = 0; i < host->tag_count; i++)
        if (host->tag_digests[i] == digest)
            return true;
    return false;
}

bool drift_has_other_tags(const struct plan_input *in)
{
    const struct host *host = observed_host(in->seen);
    const struct tee_instance_spec *instance = &in->want->spec.instance;
    for (size_t i = 0; host && host->are_tags_told && i < instance->tag_count; i++)
        if (!has_tag(host, &instance->tags[i]))
            return true;
    return false;
}

const char *drift_text(const struct plan_input *in, struct arena *arena)
{
    const struct host *host = observed_host(in->seen);
    const struct tee_instance_spec *instance = &in->want->spec.instance;
    const char *enclave = host->lacks_enclave ? "EC2 says that the instance was launched without enclaves "
                                                "(enclaveOptions.enabled is false), which cannot be changed; "
                                              : "";
    const char *known = arena_printf(
        arena, "%s%s%s%s", enclave, compare(arena, "spec.instance.amiID", instance->ami_id, host->image_id),
        compare(arena, "spec.instance.instanceType", instance->instance_type, host->type),
        compare_subnet(in, arena, host));
    if (known[0])
        return arena_printf(arena, "%.*s", (int)strlen(known) - 2, known);
    return "The instance was launched with other values of image, eif, enclave, ports, egress, the protocol "
           "or port of "
           "attestation, or the key, profile, volume, type or AMI of spec.instance";
}
