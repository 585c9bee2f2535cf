/* options: the command line, validated once.
 *
 * Model: PURE. options_parse() turns argv into one struct; nothing is read from files or the environment
 * here. Threads: none.   Ownership: strings point into argv.   Limits: 8 root files, 32 namespaces.
 * Errors: ERROR_INVALID
 * with the flag's name and what would be right. */
#ifndef TEE_CONTROLLER_OPTIONS_H
#define TEE_CONTROLLER_OPTIONS_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"

#include <stdbool.h>
#include <stdio.h>

enum { OPTIONS_ROOTS_MAX = 8, OPTIONS_NAMESPACES_MAX = 32, NAMESPACE_SIZE = 64 };

struct options {
    const char *kubeconfig;
    const char *context;
    const char *selector;
    char namespaces[OPTIONS_NAMESPACES_MAX][NAMESPACE_SIZE];
    size_t namespace_count; /* 0 = all */
    bool leader_elect;
    const char *leader_elect_namespace; /* NULL: the context's or service account's */
    int lease_duration_s;
    int renew_deadline_s;
    int retry_period_s;
    const char *metrics_address;
    const char *health_address;
    int workers;
    int inventory_interval_s;
    int orphan_sweep_interval_s; /* 0 = off */
    int kube_api_qps;            /* 0 = no limit */
    int kube_api_burst;
    int ec2_share_percent; /* of the published request rates */
    const char *roots[OPTIONS_ROOTS_MAX];
    size_t root_count;
    int attestation_port;
    bool allow_debug;
    bool allow_unmeasured;
    bool allow_adoption;
    bool require_ami_per_object;
    bool read_only;
    int max_launches_per_hour;
    int max_launches_per_hour_total;
    int max_instances;   /* 0 = no limit */
    int cache_limit_mib; /* the same */
    enum log_level log_level;
    enum log_format log_format;
    bool show_version;
    bool show_help;
};

MUST_CHECK int options_parse(int argc, char **argv, struct options *ret_options, struct error *err);
void options_print_help(FILE *out);

#endif
