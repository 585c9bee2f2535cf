/* One table: the name, what it takes, where it goes, and its line of --help. */
#include "options.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, NUMBER, SHARE, SWITCH, ROOT, LEVEL, FORMAT, NAMESPACES };

struct flag {
    const char *name;
    enum kind kind;
    size_t offset;
    int min, max;
    const char *value;
    const char *help;
};

#define AT(member) offsetof(struct options, member)

static const struct flag flags[] = {
    {"kubeconfig", TEXT, AT(kubeconfig), 0, 0, "FILE",
     "default: KUBECONFIG, then in-cluster, then ~/.kube/config"},
    {"context", TEXT, AT(context), 0, 0, "NAME", "context of the kubeconfig"},
    {"namespaces", NAMESPACES, 0, 0, 0, "A,B", "only objects in these namespaces (default: all)"},
    {"selector", TEXT, AT(selector), 0, 0, "LABELS", "only objects with these labels"},
    {"leader-elect", SWITCH, AT(leader_elect), 0, 0, "", "act only while holding the lease (default true)"},
    {"leader-elect-namespace", TEXT, AT(leader_elect_namespace), 0, 0, "NAME",
     "namespace of the lease (default: own)"},
    {"leader-elect-lease-duration", NUMBER, AT(lease_duration_s), 3, 600, "S", "default 15"},
    {"leader-elect-renew-deadline", NUMBER, AT(renew_deadline_s), 2, 600, "S", "default 10"},
    {"leader-elect-retry-period", NUMBER, AT(retry_period_s), 1, 60, "S", "default 2"},
    {"metrics-bind-address", TEXT, AT(metrics_address), 0, 0, "ADDR", "default :8080, 0 = off"},
    {"health-probe-bind-address", TEXT, AT(health_address), 0, 0, "ADDR", "default :8081, 0 = off"},
    {"workers", NUMBER, AT(workers), 1, 256, "N", "objects worked on at the same time (default 16)"},
    {"inventory-interval", NUMBER, AT(inventory_interval_s), 1, 3600, "S",
     "seconds between looks at EC2 (default 60)"},
    {"orphan-sweep-interval", NUMBER, AT(orphan_sweep_interval_s), 0, 3600, "S",
     "seconds between searches for instances without an object (default 120, 0 = off)"},
    {"kube-api-qps", NUMBER, AT(kube_api_qps), 1, 1000, "N",
     "requests to the API server a second, without the lease's (default: no limit)"},
    {"kube-api-burst", NUMBER, AT(kube_api_burst), 1, 1000, "N",
     "of these, at once (default: twice --kube-api-qps)"},
    {"ec2-rate-share", SHARE, AT(ec2_share_percent), 1, 10000, "X",
     "share of EC2's published request rates, 0.01 to 100 (default 1.0)"},
    {"attestation-root", ROOT, 0, 0, 0, "FILE", "PEM root that REPLACES the AWS root; repeatable"},
    {"attestation-port", NUMBER, AT(attestation_port), 1, 65535, "N",
     "port of the Native protocol (default 1300)"},
    {"allow-debug-enclaves", SWITCH, AT(allow_debug), 0, 0, "",
     "launch enclaves in debug mode; they are never Ready"},
    {"allow-unmeasured", SWITCH, AT(allow_unmeasured), 0, 0, "", "Ready without expected measurements"},
    {"allow-adoption", SWITCH, AT(allow_adoption), 0, 0, "", "honour the annotation tee.dev/adopt"},
    {"require-ami-per-object", SWITCH, AT(require_ami_per_object), 0, 0, "",
     "start without AWS_NITRO_AMI_ID"},
    {"read-only", SWITCH, AT(read_only), 0, 0, "", "report status; change neither finalizers nor EC2"},
    {"max-launches-per-hour", NUMBER, AT(max_launches_per_hour), 1, 1000, "N", "per object (default 6)"},
    {"max-launches-per-hour-total", NUMBER, AT(max_launches_per_hour_total), 1, 10000, "N",
     "of all objects together (default 60)"},
    {"max-instances", NUMBER, AT(max_instances), 1, 50000, "N",
     "of all objects together (default: no limit)"},
    {"cache-limit-mib", NUMBER, AT(cache_limit_mib), 1, 65535, "N",
     "MiB of objects held; who has no room is told so (default: no limit)"},
    {"log-level", LEVEL, 0, 0, 0, "LEVEL", "error, warn, info or debug (default info)"},
    {"log-format", FORMAT, 0, 0, 0, "FORMAT", "json or text (default json)"},
    {"version", SWITCH, AT(show_version), 0, 0, "", "print the version"},
    {"help", SWITCH, AT(show_help), 0, 0, "", "print this"},
};

static int bad(struct error *err, const char *name, const char *wanted)
{
    return error_set(err, ERROR_INVALID, "BadFlag", "--%s must be %s (see --help)", name, wanted);
}

static int set_number(const struct flag *flag, const char *value, void *field, struct error *err)
{
    char *end = NULL;
    long number = strtol(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || number < flag->min || number > flag->max) {
        char wanted[64];
        snprintf(wanted, sizeof(wanted), "a whole number from %d to %d", flag->min, flag->max);
        return bad(err, flag->name, wanted);
    }
    *(int *)field = (int)number;
    return 0;
}

static int set_share(const struct flag *flag, const char *value, void *field, struct error *err)
{
    char *end = NULL;
    double share = strtod(value, &end);
    int percent = share > 0 && share <= 100 ? (int)(share * 100 + 0.5) : 0;
    if (value[0] < '0' || value[0] > '9' || *end || percent < flag->min || percent > flag->max)
        return bad(err, flag->name, "a number from 0.01 to 100");
    *(int *)field = percent;
    return 0;
}

static int set_switch(const struct flag *flag, const char *value, void *field, struct error *err)
{
    bool is_true = !value || strcmp(value, "true") == 0;
    if (!is_true && strcmp(value, "false") != 0)
        return bad(err, flag->name, "true or false");
    *(bool *)field = is_true;
    return 0;
}

static int set_format(const char *value, struct options *options, struct error *err)
{
    if (strcmp(value, "json") != 0 && strcmp(value, "text") != 0)
        return bad(err, "log-format", "json or text");
    options->log_format = strcmp(value, "json") == 0 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
    return 0;
}

static bool is_namespace(const char *name, size_t len)
{
    static const char inner[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    return len > 0 && len < NAMESPACE_SIZE && strspn(name, inner) >= len && name[0] != '-' &&
           name[len - 1] != '-';
}

/* Names twice would be two watches of one namespace. */
static bool has_namespace(const struct options *options, const char *name)
{
    for (size_t i = 0; i < options->namespace_count; i++)
        if (strcmp(options->namespaces[i], name) == 0)
            return true;
    return false;
}

static int set_namespaces(const char *value, struct options *options, struct error *err)
{
    options->namespace_count = 0;
    for (const char *name = value;; name++) {
        size_t len = strcspn(name, ",");
        if (!is_namespace(name, len))
            return bad(err, "namespaces", "names of namespaces with commas between them");
        if (options->namespace_count == OPTIONS_NAMESPACES_MAX)
            return bad(err, "namespaces", "at most 32 names");
        char *slot = options->namespaces[options->namespace_count];
        memcpy(slot, name, len);
        slot[len] = '\0';
        if (has_namespace(options, slot))
            return bad(err, "namespaces", "names that are all different");
        options->namespace_count++;
        name += len;
        if (!*name)
            return 0;
    }
}

static int set(const struct flag *flag, const char *value, struct options *options, struct error *err)
{
    void *field = (char *)options + flag->offset;
    switch (flag->kind) {
    case TEXT: *(const char **)field = value; return 0;
    case NUMBER: return set_number(flag, value, field, err);
    case SHARE: return set_share(flag, value, field, err);
    case SWITCH: return set_switch(flag, value, field, err);
    case LEVEL:
        return log_level_parse(value, &options->log_level) < 0
                   ? bad(err, flag->name, "error, warn, info or debug")
                   : 0;
    case FORMAT: return set_format(value, options, err);
    case NAMESPACES: return set_namespaces(value, options, err);
    case ROOT: break;
    }
    if (options->root_count == OPTIONS_ROOTS_MAX)
        return bad(err, flag->name, "given at most 8 times");
    options->roots[options->root_count++] = value;
    return 0;
}

static const struct flag *find(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (strlen(flags[i].name) == len && strncmp(flags[i].name, name, len) == 0)
            return &flags[i];
    return NULL;
}

/* --name value, --name=value; a switch takes a value only after '='. */
static int parse_one(char **argv, int argc, int *index, struct options *options, struct error *err)
{
    const char *arg = argv[*index];
    if (strncmp(arg, "--", 2) != 0 || !arg[2])
        return error_set(err, ERROR_INVALID, "BadFlag", "unexpected argument '%s' (see --help)", arg);
    const char *name = arg + 2;
    size_t len = strcspn(name, "=");
    const struct flag *flag = find(name, len);
    if (!flag)
        return error_set(err, ERROR_INVALID, "BadFlag", "unknown flag --%.*s (see --help)", (int)len, name);
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    if (!value && flag->kind != SWITCH) {
        if (*index + 1 >= argc)
            return error_set(err, ERROR_INVALID, "BadFlag", "--%s needs a value: %s", flag->name,
                             flag->value);
        value = argv[++*index];
    }
    return set(flag, value, options, err);
}

int options_parse(int argc, char **argv, struct options *ret_options, struct error *err)
{
    struct options options = {.leader_elect = true,
                              .lease_duration_s = 15,
                              .renew_deadline_s = 10,
                              .retry_period_s = 2,
                              .metrics_address = ":8080",
                              .health_address = ":8081",
                              .workers = 16,
                              .inventory_interval_s = 60,
                              .orphan_sweep_interval_s = 120,
                              .ec2_share_percent = 100,
                              .attestation_port = 1300,
                              .max_launches_per_hour = 6,
                              .max_launches_per_hour_total = 60,
                              .log_level = LOG_LEVEL_INFO,
                              .log_format = LOG_FORMAT_JSON};
    for (int i = 1; i < argc; i++)
        if (parse_one(argv, argc, &i, &options, err) < 0)
            return -1;
    if (options.lease_duration_s <= options.renew_deadline_s)
        return bad(err, "leader-elect-lease-duration", "longer than --leader-elect-renew-deadline");
    if (options.renew_deadline_s * 10 <= options.retry_period_s * 12)
        return bad(err, "leader-elect-renew-deadline", "more than 1.2 times --leader-elect-retry-period");
    if (options.kube_api_burst > 0 && options.kube_api_qps == 0)
        return bad(err, "kube-api-burst", "given together with --kube-api-qps");
    if (options.kube_api_burst == 0)
        options.kube_api_burst = options.kube_api_qps < 500 ? options.kube_api_qps * 2 : 1000;
    *ret_options = options;
    return 0;
}

void options_print_help(FILE *out)
{
    fputs("tee-controller runs AWS Nitro Enclaves from TeeDeployment objects.\n\n"
          "Usage: tee-controller [flags]\n\n",
          out);
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s %s", flags[i].name, flags[i].value);
        fprintf(out, "  %-40s %s\n", left, flags[i].help);
    }
    fputs("\nEnvironment: AWS_REGION, AWS_ENDPOINT_URL_EC2, AWS_ACCESS_KEY_ID, ...;\n"
          "AWS_NITRO_AMI_ID (required), AWS_NITRO_INSTANCE_TYPE, _SUBNET_ID, _SECURITY_GROUP_ID, _KEY_NAME,\n"
          "_IAM_INSTANCE_PROFILE, _ENCLAVE_CPU_COUNT, _ENCLAVE_MEMORY_MB: defaults of what an object leaves "
          "out.\n"
          "Exit codes: 0 stopped as asked, 1 failed while running, 2 configuration or usage.\n",
          out);
}
