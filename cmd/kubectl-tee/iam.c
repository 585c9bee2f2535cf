/* iam: flags in, a policy out; nothing is asked of a cluster or of AWS. */
#include "output.h"
#include "program.h"

static int iam_run(struct program *program, const struct flags *flags, struct error *err)
{
    CLEANUP(buf_done) struct buf text, policy;
    buf_init(&text, OUTPUT_MAX);
    buf_init(&policy, OUTPUT_MAX);
    if (flags->argument)
        return error_set(err, ERROR_INVALID, "BadFlag", "unexpected argument '%.80s'", flags->argument);
    if (iam_policy_write(&flags->iam, &policy, err) < 0)
        return -1;
    output_data(OUTPUT_JSON, &policy, &text);
    return program_print(program, &text, err) < 0 ? -1 : EXIT_VERIFIED;
}

static const char *const flag_names[] = {"cluster-id", "instance-role",  "tag-key",   "region", "account",
                                         "partition",  "allow-adoption", "read-only", "decode", NULL};

const struct command iam_command = {
    .name = "iam",
    .argument = "",
    .summary = "Print the IAM policy that the controller needs",
    .text = "Give it the controller's own flags (--read-only, --allow-adoption) and what to narrow it to.\n"
            "It asks neither the cluster nor AWS. The output is for\n"
            "  aws iam create-policy --policy-name tee-controller --policy-document file://policy.json",
    .flags = flag_names,
    .run = iam_run,
};
