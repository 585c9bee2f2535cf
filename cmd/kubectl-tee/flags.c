/* One row per flag: its names, what it takes, its line of --help, and the function that takes the value. */
#include "flags.h"

#include "base/clock.h"
#include "base/encoding.h"

#include <arpa/inet.h>
#include <string.h>

struct flag {
    const char *name;
    char letter; /* 0 = none */
    const char *value;
    const char *help;
    int (*set)(struct flags *flags, const char *value, struct error *err);
};

static int bad(struct error *err, const char *name, const char *wanted)
{
    return error_set(err, ERROR_INVALID, "BadFlag", "--%s must be %s", name, wanted);
}

static int parse_number(const char *text, size_t len, int max)
{
    int number = 0;
    if (len == 0 || len > 9)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number <= max ? number : -1;
}

static int set_text(const char **field, const char *name, const char *value, struct error *err)
{
    if (!value[0])
        return bad(err, name, "no empty text");
    *field = value;
    return 0;
}

static int set_kubeconfig(struct flags *flags, const char *value, struct error *err)
{
    return set_text(&flags->kubeconfig, "kubeconfig", value, err);
}

static int set_context(struct flags *flags, const char *value, struct error *err)
{
    return set_text(&flags->context, "context", value, err);
}

static int set_namespace(struct flags *flags, const char *value, struct error *err)
{
    return set_text(&flags->name_space, "namespace", value, err);
}

static int set_output(struct flags *flags, const char *value, struct error *err)
{
    return output_format_parse(value, &flags->format) < 0 ? bad(err, "output", "text, json or yaml") : 0;
}

static int set_switch(bool *field, const char *name, const char *value, struct error *err)
{
    if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
        return bad(err, name, "true or false");
    *field = strcmp(value, "true") == 0;
    return 0;
}

static int set_live(struct flags *flags, const char *value, struct error *err)
{
    return set_switch(&flags->live, "live", value, err);
}

static int set_help(struct flags *flags, const char *value, struct error *err)
{
    return set_switch(&flags->show_help, "help", value, err);
}

static int set_address(struct flags *flags, const char *value, struct error *err)
{
    static const char wanted[] = "an IPv4 address, with :PORT or without";
    struct in_addr ignored;
    size_t len = strcspn(value, ":");
    if (len >= sizeof(flags->address))
        return bad(err, "address", wanted);
    memcpy(flags->address, value, len);
    flags->address[len] = '\0';
    if (inet_pton(AF_INET, flags->address, &ignored) != 1)
        return bad(err, "address", wanted);
    flags->port = value[len] ? parse_number(value + len + 1, strlen(value + len + 1), 65535) : 0;
    return flags->port < 0 || (value[len] && flags->port == 0) ? bad(err, "address", wanted) : 0;
}

static int set_at(struct flags *flags, const char *value, struct error *err)
{
    if (strcmp(value, "now") == 0)
        flags->time = FLAGS_TIME_NOW;
    else if (strcmp(value, "document") == 0)
        flags->time = FLAGS_TIME_DOCUMENT;
    else if (time_parse(value, &flags->time_ms) == 0 && flags->time_ms > 0)
        flags->time = FLAGS_TIME_GIVEN;
    else
        return bad(err, "at", "now, document or a time like 2026-01-02T03:04:05Z");
    return 0;
}

static int set_root(struct flags *flags, const char *value, struct error *err)
{
    if (flags->root_count == FLAGS_ROOTS_MAX)
        return bad(err, "root", "given at most 8 times");
    return set_text(&flags->roots[flags->root_count++], "root", value, err);
}

static int set_pcr(struct flags *flags, const char *value, struct error *err)
{
    static const char wanted[] = "N=HEX, N from 0 to 31 and 96 hex digits";
    size_t len = strcspn(value, "=");
    int index = parse_number(value, len, ATTEST_PCR_COUNT - 1);
    struct attest_pcr pcr = {.index = (unsigned)index};
    if (index < 0 || !value[len] || hex_decode(value + len + 1, pcr.value, sizeof(pcr.value)) < 0)
        return bad(err, "pcr", wanted);
    for (size_t i = 0; i < flags->pcr_count; i++)
        if (flags->pcrs[i].index == pcr.index)
            return error_set(err, ERROR_INVALID, "BadFlag", "--pcr names PCR%d twice", index);
    flags->pcrs[flags->pcr_count++] = pcr;
    return 0;
}

static int set_nonce(struct flags *flags, const char *value, struct error *err)
{
    size_t len = strlen(value);
    if (len == 0 || len % 2 != 0 || len / 2 > sizeof(flags->nonce) ||
        hex_decode(value, flags->nonce, len / 2) < 0)
        return bad(err, "nonce", "1 to 512 bytes in hex");
    flags->nonce_len = len / 2;
    flags->has_nonce = true;
    return 0;
}

static int set_instance_id(struct flags *flags, const char *value, struct error *err)
{
    return set_text(&flags->instance_id, "instance-id", value, err);
}

static int set_role_arn(struct flags *flags, const char *value, struct error *err)
{
    return set_text(&flags->role_arn, "role-arn", value, err);
}

static int set_max_age(struct flags *flags, const char *value, struct error *err)
{
    flags->max_age_s = parse_number(value, strlen(value), 365 * 86400);
    return flags->max_age_s <= 0 ? bad(err, "max-age", "a number of seconds from 1 to 31536000") : 0;
}

/* As the CRD has it, so that what is printed can be applied. */
static int set_name(struct flags *flags, const char *value, struct error *err)
{
    size_t len = strlen(value);
    bool is_good = len > 0 && len <= 63 && strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-.") == len &&
                   !strchr("-.", value[0]) && !strchr("-.", value[len - 1]);
    if (!is_good)
        return bad(err, "name", "at most 63 of a-z 0-9 - . and begin and end with a letter or digit");
    flags->set_name = value;
    return 0;
}

static int set_read_only(struct flags *flags, const char *value, struct error *err)
{
    return set_switch(&flags->iam.read_only, "read-only", value, err);
}

static int set_allow_adoption(struct flags *flags, const char *value, struct error *err)
{
    return set_switch(&flags->iam.allow_adoption, "allow-adoption", value, err);
}

static int set_decode(struct flags *flags, const char *value, struct error *err)
{
    return set_switch(&flags->iam.decode, "decode", value, err);
}

#define DIGITS     "0123456789"
#define LOWER_CASE "abcdefghijklmnopqrstuvwxyz"
#define ALNUM      DIGITS LOWER_CASE "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool is_made_of(const char *text, size_t max_len, const char *accepted)
{
    size_t len = strlen(text);
    return len > 0 && len <= max_len && strspn(text, accepted) == len;
}

static int set_partition(struct flags *flags, const char *value, struct error *err)
{
    if (strcmp(value, "aws") != 0 && strcmp(value, "aws-cn") != 0 && strcmp(value, "aws-us-gov") != 0)
        return bad(err, "partition", "aws, aws-cn or aws-us-gov");
    flags->iam.partition = value;
    return 0;
}

static int set_region(struct flags *flags, const char *value, struct error *err)
{
    if (!is_made_of(value, 63, LOWER_CASE DIGITS "-"))
        return bad(err, "region", "a region such as eu-central-1");
    flags->iam.region = value;
    return 0;
}

static int set_account(struct flags *flags, const char *value, struct error *err)
{
    if (strlen(value) != 12 || !is_made_of(value, 12, DIGITS))
        return bad(err, "account", "the 12 digits of an account");
    flags->iam.account = value;
    return 0;
}

static int set_cluster_id(struct flags *flags, const char *value, struct error *err)
{
    if (!is_made_of(value, 63, ALNUM "-"))
        return bad(err, "cluster-id", "the UID of the namespace kube-system");
    flags->iam.cluster_id = value;
    return 0;
}

/* A wildcard would hand the controller every role that there is. */
static bool is_role_arn(const char *value)
{
    size_t partition = strncmp(value, "arn:", 4) == 0 ? strspn(value + 4, LOWER_CASE "-") : 0;
    const char *rest = value + 4 + partition;
    return partition > 0 && strncmp(rest, ":iam::", 6) == 0 && strspn(rest + 6, DIGITS) == 12 &&
           strncmp(rest + 18, ":role/", 6) == 0 && is_made_of(rest + 24, 575, ALNUM "+=,.@_/-");
}

static int set_instance_role(struct flags *flags, const char *value, struct error *err)
{
    if (!is_role_arn(value))
        return bad(err, "instance-role",
                   "an ARN such as arn:aws:iam::123456789012:role/NAME, with no wildcard");
    if (flags->iam.role_count == IAM_ROLES_MAX)
        return bad(err, "instance-role", "given at most 8 times");
    flags->iam.roles[flags->iam.role_count++] = value;
    return 0;
}

/* What IAM would read as a variable is no key. */
static int set_tag_key(struct flags *flags, const char *value, struct error *err)
{
    if (!is_made_of(value, 128, ALNUM " _.:/=+-@*?"))
        return bad(err, "tag-key",
                   "a tag's key of at most 128 letters, digits, spaces and _ . : / = + - @ * ?");
    if (flags->iam.tag_key_count == IAM_TAG_KEYS_MAX)
        return bad(err, "tag-key", "given at most 40 times");
    flags->iam.tag_keys[flags->iam.tag_key_count++] = value;
    return 0;
}

static const struct flag table[] = {
    {"kubeconfig", 0, "FILE", "default: KUBECONFIG, then in-cluster, then ~/.kube/config", set_kubeconfig},
    {"context", 0, "NAME", "context of the kubeconfig", set_context},
    {"namespace", 'n', "NAME", "namespace of the object (default: the context's)", set_namespace},
    {"output", 'o', "FORMAT", "text, json or yaml", set_output},
    {"live", 0, NULL, "ask the enclave for a new document, with a nonce of our own", set_live},
    {"address", 0, "IP[:PORT]", "ask there (default: the instance's private address)", set_address},
    {"at", 0, "TIME", "now, document or RFC 3339 (default: document; with --live: now)", set_at},
    {"root", 0, "FILE", "PEM root that REPLACES the AWS root; repeatable", set_root},
    {"pcr", 0, "N=HEX", "expected PCR, REPLACES the object's measurements; repeatable", set_pcr},
    {"nonce", 0, "HEX", "nonce that the document must carry", set_nonce},
    {"instance-id", 0, "ID", "instance that the document must come from", set_instance_id},
    {"role-arn", 0, "ARN", "IAM role of the instance that PCR3 must hold", set_role_arn},
    {"max-age", 0, "SECONDS", "how old the document may be, where time is not the document's own",
     set_max_age},
    {"name", 0, "NAME", "name of the measurement set that is printed", set_name},
    {"cluster-id", 0, "UID", "UID of the namespace kube-system: the value of the tag tee-cluster-id",
     set_cluster_id},
    {"instance-role", 0, "ARN", "role of an instance profile in use; repeatable", set_instance_role},
    {"tag-key", 0, "KEY", "key of spec.instance.tags, with * and ? as wildcards; repeatable", set_tag_key},
    {"region", 0, "REGION", "only there (default: all)", set_region},
    {"account", 0, "DIGITS", "account of the resources (default: any)", set_account},
    {"partition", 0, "NAME", "aws, aws-cn or aws-us-gov (default: aws)", set_partition},
    {"allow-adoption", 0, NULL, "the controller runs with --allow-adoption", set_allow_adoption},
    {"read-only", 0, NULL, "the controller runs with --read-only", set_read_only},
    {"decode", 0, NULL, "also sts:DecodeAuthorizationMessage, for who reads its denials", set_decode},
    {"help", 'h', NULL, "print this", set_help},
};

static bool is_taken(const struct flag *flag, const char *const *names)
{
    for (size_t i = 0; names[i]; i++)
        if (strcmp(names[i], flag->name) == 0)
            return true;
    return strcmp(flag->name, "help") == 0;
}

static const struct flag *find_long(const char *name, size_t len, const char *const *names)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (strlen(table[i].name) == len && strncmp(table[i].name, name, len) == 0)
            return is_taken(&table[i], names) ? &table[i] : NULL;
    return NULL;
}

static const struct flag *find_short(char letter, const char *const *names)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].letter == letter && letter)
            return is_taken(&table[i], names) ? &table[i] : NULL;
    return NULL;
}

/* The value behind the name in the same argument, or NULL. */
static const char *split(const char *arg, const char *const *names, const struct flag **ret_flag)
{
    if (arg[1] == '-') {
        size_t len = strcspn(arg + 2, "=");
        *ret_flag = find_long(arg + 2, len, names);
        return arg[2 + len] ? arg + 3 + len : NULL;
    }
    *ret_flag = find_short(arg[1], names);
    if (!arg[2])
        return NULL;
    return arg[2] == '=' ? arg + 3 : arg + 2;
}

static int parse_flag(int count, char **args, int *index, const char *const *names, struct flags *flags,
                      struct error *err)
{
    const char *arg = args[*index];
    const struct flag *flag = NULL;
    const char *value = split(arg, names, &flag);
    if (!flag)
        return error_set(err, ERROR_INVALID, "BadFlag", "unknown flag %.*s", (int)strcspn(arg, "="), arg);
    if (!flag->value)
        return flag->set(flags, value ? value : "true", err);
    if (!value && *index + 1 >= count)
        return error_set(err, ERROR_INVALID, "BadFlag", "--%s needs a value: %s", flag->name, flag->value);
    return flag->set(flags, value ? value : args[++*index], err);
}

int flags_parse(int count, char **args, const char *const *names, struct flags *ret_flags, struct error *err)
{
    struct flags flags = {.format = OUTPUT_DEFAULT};
    bool only_arguments = false;
    for (int i = 0; i < count; i++) {
        bool is_flag = !only_arguments && args[i][0] == '-' && args[i][1];
        if (is_flag && strcmp(args[i], "--") == 0) {
            only_arguments = true;
        } else if (is_flag) {
            if (parse_flag(count, args, &i, names, &flags, err) < 0)
                return -1;
        } else if (flags.argument) {
            return error_set(err, ERROR_INVALID, "BadFlag", "unexpected argument '%.80s' after '%.80s'",
                             args[i], flags.argument);
        } else {
            flags.argument = args[i];
        }
    }
    *ret_flags = flags;
    return 0;
}

void flags_print_help(const char *const *names, FILE *out)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char left[64], letter[8] = "";
        if (!is_taken(&table[i], names))
            continue;
        if (table[i].letter)
            snprintf(letter, sizeof(letter), "-%c, ", table[i].letter);
        snprintf(left, sizeof(left), "%4s--%s %s", letter, table[i].name,
                 table[i].value ? table[i].value : "");
        fprintf(out, "  %-26s %s\n", left, table[i].help);
    }
}
