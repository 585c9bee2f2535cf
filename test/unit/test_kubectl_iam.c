/* The policy that `kubectl tee iam` prints: to the byte in expected/, and judged as IAM would: every request
 * of the controller is allowed and what is another's is not. TEE_UPDATE_EXPECTED=1 writes the expected files
 * anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "launch_parts.h"
#include "nitro/ec2_request.h"
#include "program.h"

#include <fnmatch.h>
#include <jansson.h>
#include <string.h>

#define CLUSTER   "11111111-2222-3333-4444-555555555555"
#define ROLE      "arn:aws:iam::123456789012:role/tee-host"
#define INSTANCE  "arn:aws:ec2:eu-central-1:123456789012:instance/i-0123456789abcdef0"
#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

enum { FILE_MAX = 256 * 1024, ACTIONS_MAX = 64, ACTION_SIZE = 64 };

static void json_freep(json_t **value)
{
    json_decref(*value);
}

static const char *no_env(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return NULL;
}

/* The output of `kubectl tee iam ARGS`; what it says on stderr goes to ret_err. */
static char *run(const char *const *texts, int wanted_code, char **ret_err)
{
    char *argv[32] = {(char *)(uintptr_t) "kubectl-tee", (char *)(uintptr_t) "iam"};
    int argc = 2;
    char *out = NULL, *err = NULL;
    size_t out_len = 0, err_len = 0;
    for (; *texts; texts++)
        argv[argc++] = (char *)(uintptr_t)*texts; /* argv is char *; nothing is written */
    struct program program = {.in = stdin,
                              .out = open_memstream(&out, &out_len),
                              .err = open_memstream(&err, &err_len),
                              .clock = clock_real(),
                              .get_env = no_env};
    int code = program_run(&program, argc, argv);
    fclose(program.out);
    fclose(program.err);
    if (code != wanted_code)
        fail_msg("exit %d: %s", code, err);
    if (ret_err)
        *ret_err = STEAL(err);
    free(err);
    return out;
}

static json_t *policy_of(const char *const *texts)
{
    CLEANUP(freep) char *text = run(texts, 0, NULL);
    json_t *policy = json_loads(text, 0, NULL);
    assert_non_null(policy);
    return policy;
}

static char *read_file(const char *path)
{
    CLEANUP(fclosep) FILE *file = fopen(path, "r");
    char *text = mem_calloc(1, FILE_MAX);
    if (file)
        assert_true(fread(text, 1, FILE_MAX - 1, file) < FILE_MAX - 1);
    return text;
}

static void test_output(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *args[20];
    } cases[] = {
        {"iam-default", {"--cluster-id", CLUSTER}},
        {"iam-read-only", {"--read-only"}},
        {"iam-read-only-cluster", {"--read-only", "--allow-adoption", "--cluster-id", CLUSTER}},
        {"iam-all",
         {"--cluster-id", CLUSTER, "--instance-role", ROLE, "--instance-role",
          "arn:aws:iam::123456789012:role/path/other", "--tag-key", "team-*", "--region", "eu-central-1",
          "--account", "123456789012", "--allow-adoption", "--decode"}},
        {"iam-china",
         {"--partition=aws-cn", "--cluster-id=" CLUSTER, "--region=cn-north-1",
          "--instance-role=arn:aws-cn:iam::123456789012:role/tee-host"}},
        {"iam-us-gov",
         {"--partition=aws-us-gov", "--cluster-id=" CLUSTER,
          "--instance-role=arn:aws-us-gov:iam::123456789012:role/tee-host"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(freep) char *out = run(cases[i].args, 0, NULL);
        CLEANUP(freep) char *path = mem_printf(TEE_EXPECTED "/%s.json", cases[i].name);
        if (getenv("TEE_UPDATE_EXPECTED")) {
            CLEANUP(fclosep) FILE *file = fopen(path, "w");
            assert_non_null(file);
            fputs(out, file);
        }
        CLEANUP(freep) char *expected = read_file(path);
        assert_string_equal(out, expected);
    }
}

/* A request as IAM sees it. Keys and values alternate; of aws:TagKeys there may be many. */
struct ask {
    const char *action;
    const char *resource;
    const char *context[24];
};

static bool is_like(const json_t *values, const char *value, bool has_wildcards)
{
    size_t index = 0;
    json_t *each = NULL;
    if (json_is_string(values))
        return has_wildcards ? fnmatch(json_string_value(values), value, 0) == 0
                             : strcmp(json_string_value(values), value) == 0;
    json_array_foreach(values, index, each) if (is_like(each, value, has_wildcards)) return true;
    return false;
}

/* One key of one operator. Of a key with one value it must be there and equal; ForAllValues holds of none. */
static bool holds(const char *operator, const char * key, const json_t *values, const struct ask *ask)
{
    bool for_all = strncmp(operator, "ForAllValues:", 13) == 0;
    bool is_null = strcmp(operator, "Null") == 0;
    bool has_wildcards = strstr(operator, "StringLike") != NULL;
    bool found = false;
    assert_true(is_null || has_wildcards || strstr(operator, "StringEquals"));
    for (size_t i = 0; ask->context[i]; i += 2) {
        if (strcmp(ask->context[i], key) != 0)
            continue;
        found = true;
        if (!is_null && !is_like(values, ask->context[i + 1], has_wildcards))
            return false;
    }
    return is_null ? found == (strcmp(json_string_value(values), "false") == 0) : found || for_all;
}

static bool allows_statement(json_t *statement, const struct ask *ask)
{
    const char *operator= NULL, *key = NULL;
    json_t *keys = NULL, *values = NULL;
    assert_string_equal(json_string_value(json_object_get(statement, "Effect")), "Allow");
    if (!is_like(json_object_get(statement, "Action"), ask->action, false) ||
        !is_like(json_object_get(statement, "Resource"), ask->resource, true))
        return false;
    json_object_foreach(json_object_get(statement, "Condition"), operator, keys)
        json_object_foreach(keys, key, values) if (!holds(operator, key, values, ask)) return false;
    return true;
}

static bool allows(const json_t *policy, const struct ask *ask)
{
    size_t index = 0;
    json_t *statement = NULL;
    json_array_foreach(json_object_get(policy, "Statement"), index,
                       statement) if (allows_statement(statement, ask)) return true;
    return false;
}

#define ARN(type) "arn:aws:ec2:eu-central-1:123456789012:" type "/x-1"
#define TAG_KEYS                                                                                             \
    "aws:TagKeys", "Name", "aws:TagKeys", "tee-cluster-id", "aws:TagKeys", "tee-deployment-id",              \
        "aws:TagKeys", "tee-launch-hash", "aws:TagKeys", "tee-name", "aws:TagKeys", "tee-namespace"
#define OURS      "aws:RequestTag/tee-cluster-id", CLUSTER
#define THEIRS    "aws:RequestTag/tee-cluster-id", "another"
#define IS_OURS   "ec2:ResourceTag/tee-cluster-id", CLUSTER
#define IS_THEIRS "ec2:ResourceTag/tee-cluster-id", "another", "ec2:ResourceTag/tee-deployment-id", "d"
#define ON_LAUNCH "ec2:CreateAction", "RunInstances"
#define ADOPTED_KEYS                                                                                         \
    "aws:TagKeys", "Name", "aws:TagKeys", "tee-cluster-id", "aws:TagKeys", "tee-deployment-id",              \
        "aws:TagKeys", "tee-name", "aws:TagKeys", "tee-namespace"

enum allowed { NEVER, ADOPTING, ALWAYS };

static const struct {
    enum allowed allowed;
    struct ask ask;
} asks[] = {
    {ALWAYS, {"ec2:DescribeInstances", "*", {NULL}}},
    {ALWAYS, {"ec2:RunInstances", ARN("instance"), {OURS, TAG_KEYS}}},
    {ALWAYS, {"ec2:RunInstances", ARN("volume"), {OURS, TAG_KEYS}}},
    {ALWAYS, {"ec2:RunInstances", ARN("network-interface"), {OURS, TAG_KEYS}}},
    {ALWAYS, {"ec2:RunInstances", ARN("instance"), {OURS, TAG_KEYS, "aws:TagKeys", "team-a"}}},
    {NEVER, {"ec2:RunInstances", ARN("instance"), {OURS, TAG_KEYS, "aws:TagKeys", "other"}}},
    {NEVER, {"ec2:RunInstances", ARN("instance"), {THEIRS, TAG_KEYS}}},
    {NEVER, {"ec2:RunInstances", ARN("instance"), {NULL}}},
    {NEVER, {"ec2:RunInstances", ARN("volume"), {NULL}}},
    {ALWAYS, {"ec2:RunInstances", "arn:aws:ec2:eu-central-1::image/ami-1", {NULL}}},
    {ALWAYS, {"ec2:RunInstances", ARN("subnet"), {NULL}}},
    {ALWAYS, {"ec2:RunInstances", ARN("security-group"), {NULL}}},
    {ALWAYS, {"ec2:RunInstances", ARN("key-pair"), {NULL}}},
    {NEVER, {"ec2:RunInstances", ARN("launch-template"), {NULL}}},
    {NEVER, {"ec2:RunInstances", "arn:aws:ec2:us-east-1:123456789012:subnet/x-1", {NULL}}},
    {NEVER, {"ec2:RunInstances", "arn:aws:ec2:eu-central-1:999999999999:subnet/x-1", {NULL}}},
    {ALWAYS, {"ec2:CreateTags", ARN("instance"), {ON_LAUNCH, OURS, TAG_KEYS}}},
    {ALWAYS, {"ec2:CreateTags", ARN("network-interface"), {ON_LAUNCH, OURS, TAG_KEYS}}},
    {NEVER, {"ec2:CreateTags", ARN("instance"), {ON_LAUNCH, THEIRS, TAG_KEYS}}},
    {NEVER, {"ec2:CreateTags", ARN("instance"), {OURS, TAG_KEYS}}},
    {NEVER, {"ec2:CreateTags", ARN("instance"), {"ec2:CreateAction", "CreateVolume", OURS, TAG_KEYS}}},
    {NEVER, {"ec2:CreateTags", ARN("security-group"), {ON_LAUNCH, OURS, TAG_KEYS}}},
    {ALWAYS, {"ec2:CreateTags", INSTANCE, {IS_OURS, "aws:TagKeys", "tee-retained"}}},
    {NEVER, {"ec2:CreateTags", INSTANCE, {IS_THEIRS, "aws:TagKeys", "tee-retained"}}},
    {NEVER, {"ec2:CreateTags", INSTANCE, {IS_OURS, "aws:TagKeys", "tee-cluster-id"}}},
    {ALWAYS, {"ec2:CreateTags", INSTANCE, {IS_OURS, OURS, ADOPTED_KEYS}}},
    {NEVER, {"ec2:CreateTags", INSTANCE, {IS_OURS, THEIRS, ADOPTED_KEYS}}},
    {NEVER, {"ec2:CreateTags", INSTANCE, {IS_OURS, OURS, "aws:TagKeys", "team"}}},
    {ADOPTING, {"ec2:CreateTags", INSTANCE, {IS_THEIRS, OURS, ADOPTED_KEYS}}},
    {ADOPTING, {"ec2:CreateTags", INSTANCE, {IS_THEIRS, OURS, ADOPTED_KEYS, "aws:TagKeys", "tee-retained"}}},
    {ADOPTING,
     {"ec2:CreateTags",
      INSTANCE,
      {"ec2:ResourceTag/tee-name", "a", "ec2:ResourceTag/tee-namespace", "b", OURS, ADOPTED_KEYS}}},
    {NEVER, {"ec2:CreateTags", INSTANCE, {"ec2:ResourceTag/tee-name", "a", OURS, ADOPTED_KEYS}}},
    {NEVER, {"ec2:CreateTags", INSTANCE, {IS_THEIRS, THEIRS, ADOPTED_KEYS}}},
    {NEVER, {"ec2:CreateTags", INSTANCE, {OURS, ADOPTED_KEYS}}},
    {ALWAYS, {"ec2:GetConsoleOutput", INSTANCE, {IS_OURS}}},
    {NEVER, {"ec2:GetConsoleOutput", INSTANCE, {IS_THEIRS}}},
    {ALWAYS, {"ec2:StartInstances", INSTANCE, {IS_OURS}}},
    {ALWAYS, {"ec2:StopInstances", INSTANCE, {IS_OURS}}},
    {ALWAYS, {"ec2:TerminateInstances", INSTANCE, {IS_OURS}}},
    {NEVER, {"ec2:TerminateInstances", INSTANCE, {IS_THEIRS}}},
    {NEVER, {"ec2:TerminateInstances", INSTANCE, {NULL}}},
    {NEVER, {"ec2:RebootInstances", INSTANCE, {IS_OURS}}},
    {ALWAYS, {"iam:PassRole", ROLE, {"iam:PassedToService", "ec2.amazonaws.com"}}},
    {NEVER, {"iam:PassRole", ROLE, {"iam:PassedToService", "lambda.amazonaws.com"}}},
    {NEVER, {"iam:PassRole", ROLE "2", {"iam:PassedToService", "ec2.amazonaws.com"}}},
    {NEVER, {"sts:DecodeAuthorizationMessage", "*", {NULL}}},
};

static void check_asks(bool is_adopting)
{
    CLEANUP(json_freep)
    json_t *policy = policy_of(ARGS("--cluster-id", CLUSTER, "--instance-role", ROLE, "--tag-key=team-*",
                                    "--region=eu-central-1", "--account=123456789012", "--allow-adoption",
                                    is_adopting ? "--allow-adoption" : "--allow-adoption=false"));
    for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
        bool wanted = asks[i].allowed == ALWAYS || (asks[i].allowed == ADOPTING && is_adopting);
        if (allows(policy, &asks[i].ask) != wanted)
            fail_msg("ask %zu (%s on %s) should be %s", i, asks[i].ask.action, asks[i].ask.resource,
                     wanted ? "allowed" : "denied");
    }
}

static void test_judged(void **state)
{
    (void)state;
    check_asks(false);
    check_asks(true);
}

struct actions {
    char names[ACTIONS_MAX][ACTION_SIZE];
    size_t count;
};

static void add_action(struct actions *actions, const char *name, size_t len)
{
    assert_true(actions->count < ACTIONS_MAX);
    snprintf(actions->names[actions->count++], ACTION_SIZE, "ec2:%.*s", (int)(len < 48 ? len : 48), name);
}

static bool has_action(const struct actions *actions, const char *name)
{
    for (size_t i = 0; i < actions->count; i++)
        if (strcmp(actions->names[i], name) == 0)
            return true;
    return false;
}

/* From the source of the request builder, so that an action that is new there is missed here. */
static void collect_requests(struct actions *ret_actions)
{
    static const char begin[] = "begin(&body, ";
    static const char verb[] = "ec2_verb_action(verb));";
    CLEANUP(freep) char *source = read_file(TEE_EC2_REQUEST);
    for (const char *at = strstr(source, begin); at; at = strstr(at, begin)) {
        at += strlen(begin);
        if (at[0] == '"')
            add_action(ret_actions, at + 1, strcspn(at + 1, "\""));
        else
            assert_memory_equal(at, verb, strlen(verb));
    }
    for (enum ec2_verb each = EC2_START; each <= EC2_TERMINATE; each++)
        add_action(ret_actions, ec2_verb_action(each), strlen(ec2_verb_action(each)));
    assert_true(has_action(ret_actions, "ec2:RunInstances"));
}

static void collect_allowed(const json_t *policy, struct actions *ret_actions)
{
    size_t i = 0, j = 0;
    json_t *statement = NULL, *action = NULL;
    json_array_foreach(json_object_get(policy, "Statement"), i, statement)
        json_array_foreach(json_object_get(statement, "Action"), j,
                           action) if (strncmp(json_string_value(action), "ec2:", 4) == 0)
            add_action(ret_actions, json_string_value(action) + 4, strlen(json_string_value(action) + 4));
}

static void check_subset(const struct actions *part, const struct actions *whole, const char *complaint)
{
    for (size_t i = 0; i < part->count; i++)
        if (!has_action(whole, part->names[i]))
            fail_msg("%s %s", part->names[i], complaint);
}

static void test_actions_are_those_of_the_request_builder(void **state)
{
    (void)state;
    struct actions sent = {0}, allowed = {0}, read_only = {0};
    CLEANUP(json_freep) json_t *policy = policy_of(ARGS("--cluster-id", CLUSTER, "--allow-adoption"));
    CLEANUP(json_freep)
    json_t *readers = policy_of(ARGS("--read-only", "--allow-adoption", "--cluster-id", CLUSTER));
    collect_requests(&sent);
    collect_allowed(policy, &allowed);
    check_subset(&sent, &allowed, "can be sent and is not in the policy of cmd/kubectl-tee/iam_policy.c");
    check_subset(&allowed, &sent, "is in the policy, and no request of pkg/nitro/ec2_request.c");
    collect_allowed(readers, &read_only);
    assert_true(read_only.count > 0);
    for (size_t i = 0; i < read_only.count; i++)
        assert_true(strncmp(read_only.names[i], "ec2:Describe", 12) == 0 ||
                    strncmp(read_only.names[i], "ec2:Get", 7) == 0);
}

/* Is each key that a launch sets, without tags of the user's, among the aws:TagKeys of the statement, and no
 * other? */
static void check_tag_keys(const json_t *statement, const struct ec2_launch *launch)
{
    const json_t *condition =
        json_object_get(json_object_get(statement, "Condition"), "ForAllValues:StringLike");
    const json_t *allowed = json_object_get(condition, "aws:TagKeys");
    assert_int_equal(json_array_size(allowed), launch->tag_count);
    for (size_t i = 0; i < launch->tag_count; i++) {
        bool is_allowed = false;
        for (size_t j = 0; j < json_array_size(allowed); j++)
            is_allowed |= strcmp(json_string_value(json_array_get(allowed, j)), launch->tags[i].key) == 0;
        if (!is_allowed)
            fail_msg("a launch sets %s, and the policy of cmd/kubectl-tee/iam_policy.c does not allow it",
                     launch->tags[i].key);
    }
}

static void test_tags_are_those_of_the_launch(void **state)
{
    (void)state;
    CLEANUP(json_freep) json_t *policy = policy_of(ARGS("--cluster-id", CLUSTER));
    const struct teedeployment object = {.deployment_id = "nitro-1", .name_space = "default", .name = "a"};
    const struct tee_spec effective = {.image = "registry.example.com/a",
                                       .cpu_count = 2,
                                       .memory_mib = 512,
                                       .attestation.protocol = ATTEST_DISABLED};
    const struct launch_request request = {.object = &object,
                                           .effective = &effective,
                                           .token = "token",
                                           .hash = "hash",
                                           .hash_version = 1,
                                           .cluster_id = CLUSTER};
    struct launch_parts parts;
    struct error err = {0};
    if (launch_parts_make(&request, &parts, &err) < 0)
        fail_msg("%s", err.text);
    size_t i = 0, checked = 0;
    json_t *statement = NULL;
    json_array_foreach(json_object_get(policy, "Statement"), i, statement)
    {
        const char *sid = json_string_value(json_object_get(statement, "Sid"));
        if (strcmp(sid, "LaunchWithOurTags") != 0 && strcmp(sid, "TagWhatIsLaunched") != 0)
            continue;
        check_tag_keys(statement, &parts.launch);
        checked++;
    }
    assert_int_equal(checked, 2);
    launch_parts_done(&parts);
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *args[8];
        const char *text;
    } cases[] = {
        {{NULL}, "error: --cluster-id is missing; "},
        {{"--cluster-id", "*"}, "error: --cluster-id must be the UID"},
        {{"--cluster-id=${aws:x}"}, "error: --cluster-id must be the UID"},
        {{"--partition", "aws-iso"}, "error: --partition must be aws, aws-cn or aws-us-gov"},
        {{"--region=*"}, "error: --region must be a region"},
        {{"--account", "12345678901"}, "error: --account must be the 12 digits"},
        {{"--account", "12345678901x"}, "error: --account must be the 12 digits"},
        {{"--instance-role", "tee-host"}, "error: --instance-role must be an ARN"},
        {{"--instance-role=arn:aws:iam::123456789012:role/*"}, "error: --instance-role must be an ARN"},
        {{"--instance-role=arn:aws:iam::123456789012:role/"}, "error: --instance-role must be an ARN"},
        {{"--instance-role=arn:aws:iam::12345678901:role/a"}, "error: --instance-role must be an ARN"},
        {{"--instance-role=arn::iam::123456789012:role/a"}, "error: --instance-role must be an ARN"},
        {{"--instance-role=arn:aws:iam::123456789012:user/a"}, "error: --instance-role must be an ARN"},
        {{"--cluster-id=a", "--instance-role=" ROLE, "--partition=aws-cn"},
         "is not of the partition aws-cn; set --partition"},
        {{"--cluster-id=a", "--instance-role=arn:aws-cn:iam::123456789012:role/a"},
         "is not of the partition aws; set --partition"},
        {{"--tag-key=${aws:x}"}, "error: --tag-key must be a tag's key"},
        {{"--read-only=yes"}, "error: --read-only must be true or false"},
        {{"--allow-adoption=1"}, "error: --allow-adoption must be true or false"},
        {{"--decode="}, "error: --decode must be true or false"},
        {{"--live"}, "error: unknown flag --live"},
        {{"--read-only", "x"}, "error: unexpected argument 'x'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(freep) char *err = NULL;
        CLEANUP(freep) char *out = run(cases[i].args, 2, &err);
        assert_string_equal(out, "");
        if (!strstr(err, cases[i].text))
            fail_msg("case %zu: %s", i, err);
    }
}

/* What is said of a flag that is given so many times. */
static char *parse_many(const char *flag, int count, int wanted)
{
    static const char *const names[] = {"tag-key", "instance-role", NULL};
    char *args[64];
    struct flags flags;
    struct error err = {0};
    for (int i = 0; i < count; i++)
        args[i] = (char *)(uintptr_t)flag;
    assert_int_equal(flags_parse(count, args, names, &flags, &err), wanted);
    return mem_strdup(err.text);
}

static void test_limits(void **state)
{
    (void)state;
    free(parse_many("--tag-key=a", IAM_TAG_KEYS_MAX, 0));
    CLEANUP(freep) char *one_key_more = parse_many("--tag-key=a", IAM_TAG_KEYS_MAX + 1, -1);
    free(parse_many("--instance-role=" ROLE, IAM_ROLES_MAX, 0));
    CLEANUP(freep) char *one_role_more = parse_many("--instance-role=" ROLE, IAM_ROLES_MAX + 1, -1);
    assert_string_equal(one_key_more, "--tag-key must be given at most 40 times");
    assert_string_equal(one_role_more, "--instance-role must be given at most 8 times");

    char key[129];
    struct iam_scope scope = {.cluster_id = "a"};
    struct error err = {0};
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 64 * 1024);
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    for (; scope.tag_key_count < IAM_TAG_KEYS_MAX; scope.tag_key_count++)
        scope.tag_keys[scope.tag_key_count] = key;
    assert_int_equal(iam_policy_write(&scope, &out, &err), -1);
    assert_non_null(strstr(err.text, "longer than the 6144 characters"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_judged),
        cmocka_unit_test(test_actions_are_those_of_the_request_builder),
        cmocka_unit_test(test_tags_are_those_of_the_launch),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
