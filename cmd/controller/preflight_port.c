/* What EC2 knows of a launch before it is made. Instance types change with the years and are kept for hours;
 * all else is asked anew, because it is asked seldom. */
#include "base/deadline.h"
#include "base/mem.h"
#include "controller.h"
#include "launch_parts.h"
#include "nitro/sts_denial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct log logger = LOG_ROOT("preflight");

enum { READ_MS = 10 * 1000, DECODE_MS = 5 * 1000, TYPE_LIFE_MS = 6 * 3600 * 1000, TYPES_MAX = 256 };

_Static_assert(sizeof(((struct subnet_facts *)0)->id) == EC2_ID_SIZE, "ids are copied whole");
_Static_assert(sizeof(((struct subnet_facts *)0)->zone) == sizeof(((struct ec2_subnet *)0)->zone),
               "zones are copied whole");

struct kept_type {
    struct ec2_type type;
    int64_t fetched_ms; /* monotonic */
};

void preflight_means_init(struct preflight_means *means)
{
    mutex_init(&means->mutex);
    hmap_init(&means->types);
}

void preflight_means_done(struct preflight_means *means)
{
    hmap_done(&means->types, free);
    pthread_mutex_destroy(&means->mutex);
}

static bool find_type(struct preflight_means *means, const char *name, int64_t now_ms,
                      struct ec2_type *ret_type)
{
    LOCK_SCOPE(&means->mutex);
    const struct kept_type *kept = hmap_get(&means->types, name);
    if (!kept || now_ms - kept->fetched_ms > TYPE_LIFE_MS)
        return false;
    *ret_type = kept->type;
    return true;
}

static void keep_type(struct preflight_means *means, const struct ec2_type *type, int64_t now_ms)
{
    LOCK_SCOPE(&means->mutex);
    if (means->types.count >= TYPES_MAX) {
        hmap_done(&means->types, free);
        hmap_init(&means->types);
    }
    struct kept_type *kept = mem_calloc(1, sizeof(*kept));
    *kept = (struct kept_type){*type, now_ms};
    free(hmap_set(&means->types, type->name, kept));
}

static void describe_type(struct controller *controller, const char *name, struct type_facts *facts)
{
    struct ec2_type type = {.name = ""};
    int64_t now_ms = clock_mono_ms(controller->clock);
    if (!find_type(&controller->preflight, name, now_ms, &type)) {
        if (ec2_fetch_type(controller->ec2, name, deadline_cap_ms(READ_MS), &type, &facts->err) < 0)
            return;
        keep_type(&controller->preflight, &type, now_ms);
    }
    *facts = (struct type_facts){.has_enclave_support = type.has_enclave_support,
                                 .is_bare_metal = type.is_bare_metal,
                                 .is_arm64 = type.is_arm64,
                                 .vcpu_count = type.vcpu_count,
                                 .threads_per_core = type.threads_per_core,
                                 .memory_mib = type.memory_mib};
}

static void describe_image(struct controller *controller, const char *id, struct image_facts *facts)
{
    struct ec2_image image = {.id = ""};
    if (ec2_fetch_image(controller->ec2, id, deadline_cap_ms(READ_MS), &image, &facts->err) < 0)
        return;
    facts->is_arm64 = image.is_arm64;
    snprintf(facts->state, sizeof(facts->state), "%s", image.state);
    snprintf(facts->root_device, sizeof(facts->root_device), "%s", image.root_device);
}

static void describe_subnets(struct controller *controller, const struct tee_instance_spec *instance,
                             struct launch_facts *facts)
{
    struct ec2_subnet subnets[SUBNETS_MAX];
    const struct ec2_query ids = {.ids = instance->subnet_ids, .id_count = instance->subnet_count};
    if (ids.id_count == 0 || ids.id_count > SUBNETS_MAX) /* none: EC2 takes the default one */
        return;
    if (ec2_fetch_subnets(controller->ec2, &ids, deadline_cap_ms(READ_MS), subnets, &facts->subnets_err) < 0)
        return;
    facts->subnet_count = ids.id_count;
    for (size_t i = 0; i < ids.id_count; i++) {
        facts->subnets[i].free_addresses = subnets[i].free_addresses;
        memcpy(facts->subnets[i].id, subnets[i].id, sizeof(facts->subnets[i].id));
        memcpy(facts->subnets[i].zone, subnets[i].zone, sizeof(facts->subnets[i].zone));
    }
}

static bool is_held(const struct error *err)
{
    return err->kind == ERROR_THROTTLED && strcmp(err->reason, EC2_REASON_RATE) == 0;
}

/* After a fact that rules the launch out, or could not be had, the others are not asked for. */
static int preflight_describe(void *ctx, const struct launch_request *request, struct launch_facts *ret_facts,
                              struct error *err)
{
    struct controller *controller = ctx;
    const struct tee_instance_spec *instance = &request->effective->instance;
    struct error *const errors[] = {&ret_facts->type.err, &ret_facts->image.err, &ret_facts->subnets_err};
    *ret_facts = (struct launch_facts){0};
    describe_type(controller, instance->instance_type, &ret_facts->type);
    if (ret_facts->type.err.kind == ERROR_NONE || ret_facts->type.err.kind == ERROR_DENIED)
        describe_image(controller, instance->ami_id, &ret_facts->image);
    if (ret_facts->image.err.kind == ERROR_NONE || ret_facts->image.err.kind == ERROR_DENIED)
        describe_subnets(controller, instance, ret_facts);
    for (size_t i = 0; i < ARRAY_LEN(errors); i++)
        if (errors[i]->kind == ERROR_STOPPED || is_held(errors[i])) {
            *err = *errors[i];
            return -1;
        }
    return 0;
}

/* AWS's own text in full, and before it what STS reads out of its encoded part, if we may ask. */
static void explain(struct controller *controller, const struct ec2_fault *fault, struct dry_run_reply *reply)
{
    struct sts_denial denial;
    struct error err = {0};
    size_t len = 0;
    if (!fault->code[0])
        return;
    if (fault->encoded[0] &&
        sts_decode_denial(controller->sts, fault->encoded, deadline_cap_ms(DECODE_MS), &denial, &err) == 0)
        len = (size_t)snprintf(reply->detail, sizeof(reply->detail) / 2,
                               "%s on %s is not allowed to %s (%s): ", denial.action, denial.resource,
                               denial.principal,
                               denial.is_explicit ? "a statement denies it" : "no statement allows it");
    else if (fault->encoded[0])
        log_debug(&logger, "The reasons of a refusal were not decoded", STR("error", err.text));
    if (len >= sizeof(reply->detail) / 2)
        len = sizeof(reply->detail) / 2 - 1;
    snprintf(reply->detail + len, sizeof(reply->detail) - len, "%s: %s", fault->code, fault->message);
}

static int preflight_dry_run(void *ctx, const struct launch_request *request, struct dry_run_reply *ret_reply,
                             struct error *err)
{
    struct controller *controller = ctx;
    CLEANUP(launch_parts_done) struct launch_parts parts = {0};
    struct ec2_fault fault;
    *ret_reply = (struct dry_run_reply){.detail = ""};
    if (launch_parts_make(request, &parts, err) < 0)
        return -1;
    int result =
        ec2_dry_run(controller->ec2, &parts.launch, controller_change_timeout_ms(controller), &fault, err);
    ret_reply->is_held = result < 0 && is_held(err);
    if (result < 0 && err->kind == ERROR_DENIED)
        explain(controller, &fault, ret_reply);
    return result;
}

/* FNV-1a over the access key's id, which is no secret; of the keys in use, which others than the worker that
 * asks for this see to. */
static uint64_t keys_stamp(void *ctx)
{
    struct controller *controller = ctx;
    CLEANUP(aws_identity_unrefp)
    struct aws_identity *identity = aws_credentials_peek(controller->credentials);
    uint64_t stamp = UINT64_C(0xcbf29ce484222325);
    if (!identity)
        return 0;
    for (const char *at = identity->keys.access_key_id; *at; at++)
        stamp = (stamp ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    return stamp;
}

void preflight_port_fill(struct controller *controller)
{
    struct ports *ports = &controller->ports;
    ports->preflight_describe = preflight_describe;
    ports->preflight_dry_run = preflight_dry_run;
    ports->keys_stamp = keys_stamp;
}
