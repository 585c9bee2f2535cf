/* The constants are api.md's column "absent means". */
#include "reconcile/effective.h"

#include <string.h>

static int number_or(int value, int absent)
{
    return value > 0 ? value : absent;
}

static const char *text_or(const char *value, const char *absent)
{
    return value ? value : absent;
}

/* A list of one, or none. */
static void list_or(const char ***list, size_t *count, const char *absent, struct arena *arena)
{
    if (*count > 0 || !absent)
        return;
    *list = arena_calloc(arena, 1, sizeof(**list));
    (*list)[0] = absent;
    *count = 1;
}

static void fill_attestation(struct tee_attestation_spec *attestation, const struct reconcile_config *config)
{
    if (attestation->protocol == ATTEST_ABSENT)
        attestation->protocol = ATTEST_NATIVE;
    static const int preset_ports[] = {0, 0, 443, 1300, 3000, 0};
    int preset = attestation->protocol == ATTEST_NATIVE ? config->attestation_port
                                                        : preset_ports[attestation->protocol];
    attestation->port = number_or(attestation->port, preset);
    if (attestation->require_nonce < 0)
        attestation->require_nonce = 1;
    attestation->interval_seconds = number_or(attestation->interval_seconds, 600);
    int valid = 3 * attestation->interval_seconds;
    attestation->valid_seconds = number_or(attestation->valid_seconds, valid < 10800 ? valid : 10800);
    attestation->max_age_seconds = number_or(attestation->max_age_seconds, 60);
    if (attestation->on_rejected == ON_REJECTED_ABSENT)
        attestation->on_rejected = ON_REJECTED_REPORT;
}

void effective_fill(const struct tee_spec *spec, const struct reconcile_config *config, struct arena *arena,
                    struct tee_spec *ret_effective)
{
    struct tee_spec *all = ret_effective;
    *all = *spec;
    struct tee_instance_spec *instance = &all->instance;
    if (all->desired_state == DESIRED_ABSENT)
        all->desired_state = DESIRED_RUNNING;
    all->cpu_count = number_or(all->cpu_count, config->cpu_count);
    all->memory_mib = number_or(all->memory_mib, config->memory_mib);
    instance->ami_id = text_or(instance->ami_id, config->ami_id);
    instance->instance_type = text_or(instance->instance_type, config->instance_type);
    instance->key_name = text_or(instance->key_name, config->key_name);
    instance->iam_instance_profile = text_or(instance->iam_instance_profile, config->iam_instance_profile);
    list_or(&instance->subnet_ids, &instance->subnet_count, config->subnet_id, arena);
    list_or(&instance->security_group_ids, &instance->security_group_count, config->security_group_id, arena);
    fill_attestation(&all->attestation, config);
    if (all->deletion_policy == DELETION_ABSENT)
        all->deletion_policy = DELETION_DELETE;
    if (all->update_strategy == UPDATE_ABSENT)
        all->update_strategy = UPDATE_REPLACE;
    all->launch_seconds = number_or(all->launch_seconds, 300);
    all->boot_seconds = number_or(all->boot_seconds, 900);
}

static const char *absent_text(const char *written, const char *value)
{
    return written ? NULL : value;
}

static void report_attestation(const struct tee_attestation_spec *written,
                               struct tee_attestation_spec *report)
{
    if (written->protocol != ATTEST_ABSENT)
        report->protocol = ATTEST_ABSENT;
    report->port = written->port ? 0 : report->port;
    report->require_nonce = written->require_nonce >= 0 ? -1 : report->require_nonce;
    report->interval_seconds = written->interval_seconds ? 0 : report->interval_seconds;
    report->valid_seconds = written->valid_seconds ? 0 : report->valid_seconds;
    report->max_age_seconds = written->max_age_seconds ? 0 : report->max_age_seconds;
    if (written->on_rejected != ON_REJECTED_ABSENT)
        report->on_rejected = ON_REJECTED_ABSENT;
}

void effective_report(const struct tee_spec *spec, const struct tee_spec *effective,
                      struct tee_spec *ret_report)
{
    struct tee_spec *report = ret_report;
    *report = *effective;
    struct tee_instance_spec *instance = &report->instance;
    if (spec->desired_state != DESIRED_ABSENT)
        report->desired_state = DESIRED_ABSENT;
    report->cpu_count = spec->cpu_count ? 0 : report->cpu_count;
    report->memory_mib = spec->memory_mib ? 0 : report->memory_mib;
    instance->ami_id = absent_text(spec->instance.ami_id, instance->ami_id);
    instance->instance_type = absent_text(spec->instance.instance_type, instance->instance_type);
    instance->key_name = absent_text(spec->instance.key_name, instance->key_name);
    instance->iam_instance_profile =
        absent_text(spec->instance.iam_instance_profile, instance->iam_instance_profile);
    instance->subnet_count = spec->instance.subnet_count ? 0 : instance->subnet_count;
    instance->security_group_count = spec->instance.security_group_count ? 0 : instance->security_group_count;
    report_attestation(&spec->attestation, &report->attestation);
    if (spec->deletion_policy != DELETION_ABSENT)
        report->deletion_policy = DELETION_ABSENT;
    if (spec->update_strategy != UPDATE_ABSENT)
        report->update_strategy = UPDATE_ABSENT;
    report->launch_seconds = spec->launch_seconds ? 0 : report->launch_seconds;
    report->boot_seconds = spec->boot_seconds ? 0 : report->boot_seconds;
}

const char *spec_problem(const struct tee_spec *effective, const struct reconcile_config *config)
{
    if (!effective->instance.ami_id)
        return "spec.instance.amiID is required: this controller has no default AMI";
    if (effective->debug_mode && !config->allow_debug)
        return "spec.enclave.debugMode is refused: this controller runs without --allow-debug-enclaves";
    if (effective->attestation.protocol == ATTEST_DISABLED && !config->allow_unmeasured)
        return "spec.attestation.protocol Disabled is refused: this controller runs without "
               "--allow-unmeasured";
    if (effective->attestation.valid_seconds < 2 * effective->attestation.interval_seconds)
        return "spec.attestation.validSeconds must be at least twice intervalSeconds";
    return NULL;
}
