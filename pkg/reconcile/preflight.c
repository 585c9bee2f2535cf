/* A check is a function that leaves the result alone or says what is wrong, where and what to do; the first
 * that speaks decides. */
#include "reconcile/preflight.h"

#include "base/cleanup.h"
#include "base/json_writer.h"
#include "reconcile/ledger.h"

#include <string.h>

enum {
    FRESH_MS = 15 * 60 * 1000,
    TRIES_MAX = 3, /* so many times an inconclusive answer holds a launch up */
    INCONCLUSIVE_FIRST_MS = 5 * 1000,
    INCONCLUSIVE_MAX_MS = 60 * 1000,
    BLOCKED_FIRST_MS = 60 * 1000,
    BLOCKED_MAX_MS = 600 * 1000,
    KEYS_MS = 30 * 1000,     /* how soon other credentials are noticed */
    PARENT_IMAGE_MIB = 1024, /* the host builds the enclave image, with Docker */
    PARENT_PREBUILT_MIB = 512,
    MAX_CANONICAL_BYTES = 1024 * 1024
};

#define ROOT_DEVICE "/dev/xvda" /* what a launch maps the root volume to: that of Amazon Linux 2023 */
#define SUCH_AS     "choose a Nitro type with at least 4 vCPUs, such as m5.xlarge"

static void put_list(struct json_writer *writer, const char *const *list, size_t count)
{
    json_open_array(writer, NULL);
    for (size_t i = 0; i < count; i++)
        json_text(writer, NULL, list[i]);
    json_close_array(writer);
}

void preflight_key(const struct tee_spec *effective, const char *name_space, char ret_key[SHA256_HEX_SIZE])
{
    const struct tee_instance_spec *instance = &effective->instance;
    char hash[SHA256_HEX_SIZE];
    CLEANUP(buf_done) struct buf buf;
    struct json_writer writer;
    buf_init(&buf, MAX_CANONICAL_BYTES);
    json_writer_init(&writer, &buf);
    ledger_hash(effective, hash);
    json_open_array(&writer, NULL);
    json_text(&writer, NULL, hash);
    json_text(&writer, NULL, name_space);
    put_list(&writer, instance->subnet_ids, instance->subnet_count);
    put_list(&writer, instance->security_group_ids, instance->security_group_count);
    for (size_t i = 0; i < instance->tag_count; i++) {
        json_text(&writer, NULL, instance->tags[i].key);
        json_text(&writer, NULL, instance->tags[i].value);
    }
    json_close_array(&writer);
    sha256_hex(buf_text(&buf), buf.len, ret_key);
}

static void conclude(struct preflight *result, enum preflight_state state, const char *reason,
                     const char *text)
{
    *result = (struct preflight){.state = state, .reason = reason, .text = text};
}

static void refuse(struct preflight *result, const char *text)
{
    conclude(result, PREFLIGHT_REFUSED, "Invalid", text);
}

/* A subnet, group or key that was made a moment ago may not be known everywhere yet (ec2.md 1.3 has a class
 * of its own for these codes), and somebody may be about to make it. An AMI of another region stays one. */
static bool is_perhaps_new(const struct error *err)
{
    static const char ending[] = ".NotFound";
    size_t len = strlen(err->reason), ending_len = sizeof(ending) - 1;
    return len > ending_len && strcmp(err->reason + len - ending_len, ending) == 0 &&
           strncmp(err->reason, "InvalidAMIID", strlen("InvalidAMIID")) != 0;
}

/* EC2 says that something is wrong: for good, or as long as it does not know a thing that may come. */
static void refuse_for(struct preflight *result, const struct error *err, const char *text)
{
    conclude(result, is_perhaps_new(err) ? PREFLIGHT_BLOCKED : PREFLIGHT_REFUSED, "Invalid", text);
}

/* The field's name, and whose value it is. */
static const char *field(const struct preflight_subject *subject, const char *name, bool is_written)
{
    return is_written ? name : arena_printf(subject->arena, "%s (this controller's default)", name);
}

static const char *type_field(const struct preflight_subject *subject)
{
    return field(subject, "spec.instance.instanceType", subject->written->instance.instance_type != NULL);
}

static const char *image_field(const struct preflight_subject *subject)
{
    return field(subject, "spec.instance.amiID", subject->written->instance.ami_id != NULL);
}

static const char *subnets_field(const struct preflight_subject *subject)
{
    return field(subject, "spec.instance.subnetIDs", subject->written->instance.subnet_count > 0);
}

static void check_type(const struct preflight_subject *subject, const struct launch_facts *facts,
                       struct preflight *result)
{
    const struct type_facts *type = &facts->type;
    const char *name = subject->effective->instance.instance_type;
    if (type->err.kind == ERROR_INVALID)
        refuse(result,
               arena_printf(subject->arena, "%s: there is no instance type %s in this region; " SUCH_AS,
                            type_field(subject), name));
    else if (type->err.kind == ERROR_NONE && type->is_bare_metal)
        refuse(result, arena_printf(subject->arena, "%s: %s is bare metal and can host no enclave; " SUCH_AS,
                                    type_field(subject), name));
    else if (type->err.kind == ERROR_NONE && !type->has_enclave_support)
        refuse(result, arena_printf(subject->arena, "%s: %s has no enclave support; " SUCH_AS,
                                    type_field(subject), name));
}

/* An enclave gets whole cores, and the host keeps one. */
static void check_cpus(const struct preflight_subject *subject, const struct launch_facts *facts,
                       struct preflight *result)
{
    const struct type_facts *type = &facts->type;
    int threads = type->threads_per_core > 0 ? type->threads_per_core : 1;
    int wanted = subject->effective->cpu_count;
    int most = type->vcpu_count - threads;
    const char *name = subject->effective->instance.instance_type;
    const char *where = field(subject, "spec.enclave.cpuCount", subject->written->cpu_count > 0);
    if (type->err.kind != ERROR_NONE || type->vcpu_count == 0)
        return;
    if (wanted > most)
        refuse(result,
               arena_printf(subject->arena,
                            "%s: %d is more than %s can give: of its %d vCPUs %d (one core) stay with "
                            "the host; choose at most %d, or a larger spec.instance.instanceType",
                            where, wanted, name, type->vcpu_count, threads, most));
    else if (wanted % threads != 0)
        refuse(result,
               arena_printf(
                   subject->arena, "%s: %d is no whole number of cores: a core of %s has %d vCPUs; choose %d",
                   where, wanted, name, threads,
                   wanted + threads - wanted % threads > most ? wanted - wanted % threads
                                                              : wanted + threads - wanted % threads));
}

static void check_memory(const struct preflight_subject *subject, const struct launch_facts *facts,
                         struct preflight *result)
{
    const struct type_facts *type = &facts->type;
    int reserve = subject->effective->image ? PARENT_IMAGE_MIB : PARENT_PREBUILT_MIB;
    int wanted = subject->effective->memory_mib;
    if (type->err.kind != ERROR_NONE || type->memory_mib == 0 || wanted <= type->memory_mib - reserve)
        return;
    refuse(
        result,
        arena_printf(subject->arena,
                     "%s: %d is more than %s can give: of its %lld MiB %d stay with the host; choose at most "
                     "%lld, or a larger spec.instance.instanceType",
                     field(subject, "spec.enclave.memoryMiB", subject->written->memory_mib > 0), wanted,
                     subject->effective->instance.instance_type, (long long)type->memory_mib, reserve,
                     (long long)(type->memory_mib - reserve)));
}

static void check_image_state(const struct preflight_subject *subject, const struct launch_facts *facts,
                              struct preflight *result)
{
    const struct image_facts *image = &facts->image;
    const char *id = subject->effective->instance.ami_id;
    if (image->err.kind == ERROR_INVALID)
        refuse(result,
               arena_printf(subject->arena, "%s: %s; choose an AMI of this region that this account may use",
                            image_field(subject), image->err.text));
    else if (image->err.kind != ERROR_NONE || strcmp(image->state, "available") == 0)
        return;
    else if (strcmp(image->state, "pending") == 0 || strcmp(image->state, "transient") == 0)
        conclude(result, PREFLIGHT_BLOCKED, "ImagePending",
                 arena_printf(subject->arena, "%s: %s is still being made (state %s); it is looked at again",
                              image_field(subject), id, image->state));
    else
        refuse(result,
               arena_printf(subject->arena, "%s: %s cannot be launched (state %s); choose another AMI",
                            image_field(subject), id, image->state));
}

static const char *architecture(bool is_arm64)
{
    return is_arm64 ? "arm64" : "x86_64";
}

static void check_architecture(const struct preflight_subject *subject, const struct launch_facts *facts,
                               struct preflight *result)
{
    const struct tee_instance_spec *instance = &subject->effective->instance;
    if (facts->image.err.kind != ERROR_NONE || facts->type.err.kind != ERROR_NONE ||
        facts->image.is_arm64 == facts->type.is_arm64)
        return;
    refuse(
        result,
        arena_printf(subject->arena,
                     "%s: %s is built for %s and %s is %s; choose an AMI and a spec.instance.instanceType of "
                     "one architecture",
                     image_field(subject), instance->ami_id, architecture(facts->image.is_arm64),
                     instance->instance_type, architecture(facts->type.is_arm64)));
}

/* Under another name the mapping of the root volume would add a second disk. */
static void check_root_device(const struct preflight_subject *subject, const struct launch_facts *facts,
                              struct preflight *result)
{
    const char *device = facts->image.root_device;
    if (facts->image.err.kind != ERROR_NONE || !subject->effective->instance.root_volume.present ||
        !device[0] || strcmp(device, ROOT_DEVICE) == 0)
        return;
    refuse(result, arena_printf(subject->arena,
                                "spec.instance.rootVolume: it is for root devices named " ROOT_DEVICE
                                ", and that of %s is %s; leave rootVolume out or choose such an AMI",
                                subject->effective->instance.ami_id, device));
}

static void check_subnets(const struct preflight_subject *subject, const struct launch_facts *facts,
                          struct preflight *result)
{
    const char *list = "";
    if (facts->subnets_err.kind == ERROR_INVALID) {
        refuse_for(result, &facts->subnets_err,
                   arena_printf(subject->arena, "%s: %s; name subnets of this region and account",
                                subnets_field(subject), facts->subnets_err.text));
        return;
    }
    for (size_t i = 0; i < facts->subnet_count; i++) {
        if (facts->subnets[i].free_addresses > 0)
            return;
        list = arena_printf(subject->arena, "%s%s%s (%s)", list, i > 0 ? ", " : "", facts->subnets[i].id,
                            facts->subnets[i].zone);
    }
    if (facts->subnets_err.kind == ERROR_NONE && facts->subnet_count > 0)
        conclude(
            result, PREFLIGHT_BLOCKED, "InsufficientCapacity",
            arena_printf(subject->arena,
                         "%s: no free address in %s; free some there or add a subnet; it is looked at again",
                         subnets_field(subject), list));
}

/* What was not looked at is said; what could not be had at all makes the rest moot. */
static void check_known(const struct preflight_subject *subject, const struct launch_facts *facts,
                        struct preflight *result)
{
    const struct error *const errors[] = {&facts->type.err, &facts->image.err, &facts->subnets_err};
    static const char *const actions[] = {"ec2:DescribeInstanceTypes", "ec2:DescribeImages",
                                          "ec2:DescribeSubnets"};
    const char *skipped = "";
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        if (errors[i]->kind == ERROR_DENIED)
            skipped = arena_printf(subject->arena, "%s%s%s", skipped, skipped[0] ? ", " : "", actions[i]);
        else if (errors[i]->kind != ERROR_NONE) {
            conclude(result, PREFLIGHT_INCONCLUSIVE, "Inconclusive",
                     arena_printf(subject->arena,
                                  "EC2 could not be asked whether this launch is possible: %s",
                                  errors[i]->text));
            return;
        }
    }
    if (skipped[0])
        result->text = arena_printf(subject->arena, "%s; not looked at, because IAM does not allow %s",
                                    result->text, skipped);
}

void preflight_judge_facts(const struct preflight_subject *subject, const struct launch_facts *facts,
                           struct preflight *ret_result)
{
    static void (*const checks[])(const struct preflight_subject *, const struct launch_facts *,
                                  struct preflight *) = {
        check_type,         check_cpus,        check_memory,  check_image_state,
        check_architecture, check_root_device, check_subnets, check_known,
    };
    conclude(ret_result, PREFLIGHT_PASSED, "SpecAccepted", "EC2 would launch this spec (dry run)");
    for (size_t i = 0; i < ARRAY_LEN(checks) && ret_result->state == PREFLIGHT_PASSED; i++)
        checks[i](subject, facts, ret_result);
}

/* InvalidParameterValue among the refusals is an instance profile that EC2 does not know, or not yet
 * (ec2.md 1.3).
 */
static const char *denied_text(const struct preflight_subject *subject, const struct error *err,
                               const char *text)
{
    if (strcmp(err->reason, "InvalidParameterValue") == 0)
        return arena_printf(
            subject->arena,
            "%s: %s; name a profile that exists; it is tried again, as a new one is not known at "
            "once",
            field(subject, "spec.instance.iamInstanceProfile",
                  subject->written->instance.iam_instance_profile != NULL),
            text);
    if (strcmp(err->reason, "UnauthorizedOperation") == 0 || strcmp(err->reason, "AccessDenied") == 0)
        return arena_printf(subject->arena,
                            "%s; allow it in the IAM policy of this controller; it is tried again", text);
    return arena_printf(subject->arena, "%s; it is tried again", text);
}

void preflight_judge_dry_run(const struct preflight_subject *subject, const struct error *err,
                             const char *detail, struct preflight *ret_result)
{
    const char *text = detail[0] ? detail : err->text;
    switch (err->kind) {
    case ERROR_NONE: return;
    case ERROR_INVALID:
    case ERROR_ABSENT:
        refuse_for(
            ret_result, err,
            arena_printf(subject->arena,
                         "EC2 says that the launch is wrong: %s; correct the field of spec that this is "
                         "about",
                         text));
        return;
    case ERROR_DENIED:
        conclude(ret_result, PREFLIGHT_BLOCKED, "Unauthorized", denied_text(subject, err, text));
        return;
    case ERROR_CAPACITY:
        conclude(ret_result, PREFLIGHT_BLOCKED, "InsufficientCapacity", arena_strdup(subject->arena, text));
        return;
    case ERROR_QUOTA:
        conclude(ret_result, PREFLIGHT_BLOCKED, "QuotaExceeded", arena_strdup(subject->arena, text));
        return;
    case ERROR_CONFLICT:
    case ERROR_THROTTLED:
    case ERROR_UNAVAILABLE:
    case ERROR_UNTRUSTED:
    case ERROR_STOPPED:
    case ERROR_KIND_COUNT: break;
    }
    conclude(ret_result, PREFLIGHT_INCONCLUSIVE, "Inconclusive",
             arena_printf(subject->arena, "EC2 gave no answer to a dry run of this launch: %s", text));
}

static int64_t doubled(int64_t first_ms, int tries, int64_t max_ms)
{
    int64_t wait_ms = first_ms << (tries < 8 ? tries - 1 : 7);
    return wait_ms < max_ms ? wait_ms : max_ms;
}

void preflight_schedule(const struct preflight *before, int64_t mono_ms, struct preflight *result)
{
    bool is_same = before->state == result->state && mono_ms - before->checked_ms < FRESH_MS;
    result->tries = is_same ? before->tries + 1 : 1;
    result->checked_ms = mono_ms;
    if (result->state == PREFLIGHT_BLOCKED)
        result->next_ms = mono_ms + doubled(BLOCKED_FIRST_MS, result->tries, BLOCKED_MAX_MS);
    else if (result->state == PREFLIGHT_INCONCLUSIVE)
        result->next_ms = mono_ms + doubled(INCONCLUSIVE_FIRST_MS, result->tries, INCONCLUSIVE_MAX_MS);
}

static enum preflight_gate gate_again(const struct preflight *known, int64_t mono_ms, int64_t *ret_wait_ms)
{
    *ret_wait_ms = known->next_ms - mono_ms;
    if (*ret_wait_ms <= 0)
        return GATE_ASK;
    if (known->state == PREFLIGHT_BLOCKED && *ret_wait_ms > KEYS_MS)
        *ret_wait_ms = KEYS_MS;
    return GATE_SHUT;
}

enum preflight_gate preflight_gate(const struct preflight *known, const struct preflight_question *question,
                                   int64_t *ret_wait_ms)
{
    bool is_stale = question->mono_ms - known->checked_ms >= FRESH_MS && question->purpose != PURPOSE_TELL;
    *ret_wait_ms = -1;
    switch (known->state) {
    case PREFLIGHT_NONE: return GATE_ASK;
    case PREFLIGHT_PASSED: return is_stale ? GATE_ASK : GATE_OPEN;
    case PREFLIGHT_REFUSED: return question->is_requested ? GATE_ASK : GATE_SHUT;
    case PREFLIGHT_BLOCKED:
        if (question->is_requested || known->has_new_keys)
            return GATE_ASK;
        return gate_again(known, question->mono_ms, ret_wait_ms);
    case PREFLIGHT_INCONCLUSIVE: break;
    }
    if (is_stale || question->is_requested)
        return GATE_ASK;
    if (known->tries >= TRIES_MAX && question->purpose == PURPOSE_LAUNCH)
        return GATE_OPEN;
    return gate_again(known, question->mono_ms, ret_wait_ms);
}
