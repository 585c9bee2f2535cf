/* flags: the command line of one subcommand, validated once.
 *
 * Model: PURE. All flags of the program stand in one table; a subcommand names those that it takes. Spellings
 * are kubectl's: --name value, --name=value, -n value, -nvalue; a switch takes a value only after '='; what
 * follows `--` is no flag. Threads: none.   Ownership: texts point into argv.   Limits: 8 root files, PCRs 0
 * to 31, a nonce of 512 bytes, iam_policy.h's. Errors: ERROR_INVALID with the flag's name and what would be
 * right. */
#ifndef TEE_KUBECTL_FLAGS_H
#define TEE_KUBECTL_FLAGS_H

#include "base/cleanup.h"
#include "base/error.h"
#include "iam_policy.h"
#include "nitro/attest_policy.h"
#include "output.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>

enum { FLAGS_ROOTS_MAX = 8, FLAGS_NONCE_MAX = 512 };

enum flags_time {
    FLAGS_TIME_DEFAULT, /* the document's own, or now for a live one */
    FLAGS_TIME_DOCUMENT,
    FLAGS_TIME_NOW,
    FLAGS_TIME_GIVEN
};

struct flags {
    const char *kubeconfig;
    const char *context;
    const char *name_space;
    enum output_format format;
    bool live;
    char address[INET_ADDRSTRLEN]; /* "" = the object's */
    int port;                      /* 0 = the object's */
    enum flags_time time;
    int64_t time_ms;
    const char *roots[FLAGS_ROOTS_MAX];
    size_t root_count;
    struct attest_pcr pcrs[ATTEST_PCR_COUNT];
    size_t pcr_count;
    bool has_nonce;
    uint8_t nonce[FLAGS_NONCE_MAX];
    size_t nonce_len;
    const char *instance_id;
    const char *role_arn;
    int max_age_s; /* 0 = the object's, or 60 */
    const char *set_name;
    struct iam_scope iam;
    bool show_help;
    const char *argument; /* the one that is no flag; NULL = none */
};

/* args are what follows the subcommand; `names` ends with NULL. */
MUST_CHECK int flags_parse(int count, char **args, const char *const *names, struct flags *ret_flags,
                           struct error *err);
/* A line for each of the named flags. */
void flags_print_help(const char *const *names, FILE *out);

#endif
