/* A function a statement. Conditions of one operator stand together, as IAM's grammar wants it; all of a
 * statement's conditions must hold. */
#include "iam_policy.h"

#include "base/json_writer.h"

#include <stdio.h>
#include <string.h>

#define CLUSTER_TAG "tee-cluster-id"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

enum { ARN_SIZE = 256 };

struct policy {
    const struct iam_scope *scope;
    struct json_writer json;
};

/* What a launch makes, and what it only uses. Lists end with a NULL. */
static const char *const made[] = {"instance", "volume", "network-interface", NULL};
static const char *const used[] = {"image", "key-pair", "security-group", "subnet", NULL};
static const char *const instances[] = {"instance", NULL};
static const char *const own_tag_keys[] = {
    "Name", "tee-cluster-id", "tee-deployment-id", "tee-launch-hash", "tee-name", "tee-namespace", NULL};

static const char *partition_of(const struct iam_scope *scope)
{
    return scope->partition ? scope->partition : "aws";
}

static void open_statement(struct policy *policy, const char *sid, const char *const *actions)
{
    json_open_object(&policy->json, NULL);
    json_text(&policy->json, "Sid", sid);
    json_text(&policy->json, "Effect", "Allow");
    json_open_array(&policy->json, "Action");
    for (size_t i = 0; actions[i]; i++)
        json_text(&policy->json, NULL, actions[i]);
    json_close_array(&policy->json);
}

/* An image belongs to no account: its ARN has none. */
static void put_resources(struct policy *policy, const char *const *types)
{
    const struct iam_scope *scope = policy->scope;
    json_open_array(&policy->json, "Resource");
    for (size_t i = 0; types[i]; i++) {
        char arn[ARN_SIZE];
        const char *account = scope->account ? scope->account : "*";
        snprintf(arn, sizeof(arn), "arn:%s:ec2:%s:%s:%s/*", partition_of(scope),
                 scope->region ? scope->region : "*", strcmp(types[i], "image") == 0 ? "" : account,
                 types[i]);
        json_text(&policy->json, NULL, arn);
    }
    json_close_array(&policy->json);
}

static void put_any_resource(struct policy *policy)
{
    json_text(&policy->json, "Resource", "*");
}

static void put_cluster(struct policy *policy, const char *key)
{
    json_text(&policy->json, key, policy->scope->cluster_id);
}

/* Every key that a launch may set. Without the first condition a request with no tags at all would pass. */
static void put_launch_tag_keys(struct policy *policy)
{
    json_open_object(&policy->json, "ForAllValues:StringLike");
    json_open_array(&policy->json, "aws:TagKeys");
    for (size_t i = 0; own_tag_keys[i]; i++)
        json_text(&policy->json, NULL, own_tag_keys[i]);
    for (size_t i = 0; i < policy->scope->tag_key_count; i++)
        json_text(&policy->json, NULL, policy->scope->tag_keys[i]);
    json_close_array(&policy->json);
    json_close_object(&policy->json);
}

static void put_tag_keys(struct policy *policy, const char *const *keys)
{
    json_open_object(&policy->json, "ForAllValues:StringEquals");
    json_open_array(&policy->json, "aws:TagKeys");
    for (size_t i = 0; keys[i]; i++)
        json_text(&policy->json, NULL, keys[i]);
    json_close_array(&policy->json);
    json_close_object(&policy->json);
}

static void close_statement(struct policy *policy)
{
    json_close_object(&policy->json);
}

static void put_describe(struct policy *policy)
{
    open_statement(policy, "Describe",
                   LIST("ec2:DescribeImages", "ec2:DescribeInstances", "ec2:DescribeInstanceStatus",
                        "ec2:DescribeInstanceTypes", "ec2:DescribeSubnets"));
    put_any_resource(policy);
    close_statement(policy);
}

static void put_launch(struct policy *policy)
{
    open_statement(policy, "LaunchWithOurTags", LIST("ec2:RunInstances"));
    put_resources(policy, made);
    json_open_object(&policy->json, "Condition");
    json_open_object(&policy->json, "StringEquals");
    put_cluster(policy, "aws:RequestTag/" CLUSTER_TAG);
    json_close_object(&policy->json);
    put_launch_tag_keys(policy);
    json_close_object(&policy->json);
    close_statement(policy);
    open_statement(policy, "LaunchFrom", LIST("ec2:RunInstances"));
    put_resources(policy, used);
    close_statement(policy);
}

static void put_tag_on_launch(struct policy *policy)
{
    open_statement(policy, "TagWhatIsLaunched", LIST("ec2:CreateTags"));
    put_resources(policy, made);
    json_open_object(&policy->json, "Condition");
    json_open_object(&policy->json, "StringEquals");
    json_text(&policy->json, "ec2:CreateAction", "RunInstances");
    put_cluster(policy, "aws:RequestTag/" CLUSTER_TAG);
    json_close_object(&policy->json);
    put_launch_tag_keys(policy);
    json_close_object(&policy->json);
    close_statement(policy);
}

static void put_retain(struct policy *policy)
{
    open_statement(policy, "TagAsRetained", LIST("ec2:CreateTags"));
    put_resources(policy, instances);
    json_open_object(&policy->json, "Condition");
    json_open_object(&policy->json, "StringEquals");
    put_cluster(policy, "ec2:ResourceTag/" CLUSTER_TAG);
    json_close_object(&policy->json);
    put_tag_keys(policy, LIST("tee-retained"));
    json_close_object(&policy->json);
    close_statement(policy);
}

/* What was edited by hand on a host of ours. A tee-cluster-id that was removed comes back only where adoption
 * is allowed: without it the host is nobody's to IAM. */
static void put_identity(struct policy *policy)
{
    open_statement(policy, "PutBackIdentity", LIST("ec2:CreateTags"));
    put_resources(policy, instances);
    json_open_object(&policy->json, "Condition");
    json_open_object(&policy->json, "StringEquals");
    put_cluster(policy, "ec2:ResourceTag/" CLUSTER_TAG);
    put_cluster(policy, "aws:RequestTag/" CLUSTER_TAG);
    json_close_object(&policy->json);
    put_tag_keys(policy, LIST("Name", "tee-cluster-id", "tee-deployment-id", "tee-name", "tee-namespace"));
    json_close_object(&policy->json);
    close_statement(policy);
}

static void put_on_our_hosts(struct policy *policy, const char *sid, const char *const *actions)
{
    open_statement(policy, sid, actions);
    put_resources(policy, instances);
    json_open_object(&policy->json, "Condition");
    json_open_object(&policy->json, "StringEquals");
    put_cluster(policy, "ec2:ResourceTag/" CLUSTER_TAG);
    json_close_object(&policy->json);
    json_close_object(&policy->json);
    close_statement(policy);
}

/* The instance must carry the tags that it is found by; afterwards it carries our cluster's id, and every
 * other statement holds for it. */
static void put_adoption(struct policy *policy, const char *sid, const char *const *found_by)
{
    open_statement(policy, sid, LIST("ec2:CreateTags"));
    put_resources(policy, instances);
    json_open_object(&policy->json, "Condition");
    json_open_object(&policy->json, "StringEquals");
    put_cluster(policy, "aws:RequestTag/" CLUSTER_TAG);
    json_close_object(&policy->json);
    put_tag_keys(policy, LIST("Name", "tee-cluster-id", "tee-deployment-id", "tee-name", "tee-namespace",
                              "tee-retained"));
    json_open_object(&policy->json, "Null");
    for (size_t i = 0; found_by[i]; i++)
        json_text(&policy->json, found_by[i], "false");
    json_close_object(&policy->json);
    json_close_object(&policy->json);
    close_statement(policy);
}

/* EC2 has another name in China. */
static void put_pass_role(struct policy *policy)
{
    bool is_china = strcmp(partition_of(policy->scope), "aws-cn") == 0;
    open_statement(policy, "PassInstanceRole", LIST("iam:PassRole"));
    json_open_array(&policy->json, "Resource");
    for (size_t i = 0; i < policy->scope->role_count; i++)
        json_text(&policy->json, NULL, policy->scope->roles[i]);
    json_close_array(&policy->json);
    json_open_object(&policy->json, "Condition");
    json_open_object(&policy->json, "StringEquals");
    json_open_array(&policy->json, "iam:PassedToService");
    json_text(&policy->json, NULL, "ec2.amazonaws.com");
    if (is_china)
        json_text(&policy->json, NULL, "ec2.amazonaws.com.cn");
    json_close_array(&policy->json);
    json_close_object(&policy->json);
    json_close_object(&policy->json);
    close_statement(policy);
}

static void put_decode(struct policy *policy)
{
    open_statement(policy, "ExplainDenials", LIST("sts:DecodeAuthorizationMessage"));
    put_any_resource(policy);
    close_statement(policy);
}

static void put_changes(struct policy *policy)
{
    put_launch(policy);
    put_tag_on_launch(policy);
    put_retain(policy);
    put_identity(policy);
    put_on_our_hosts(policy, "ChangeOurHosts",
                     LIST("ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances"));
    if (policy->scope->allow_adoption) {
        put_adoption(policy, "AdoptByDeploymentId", LIST("ec2:ResourceTag/tee-deployment-id"));
        put_adoption(policy, "AdoptByName",
                     LIST("ec2:ResourceTag/tee-name", "ec2:ResourceTag/tee-namespace"));
    }
    if (policy->scope->role_count > 0)
        put_pass_role(policy);
}

int iam_scope_check(const struct iam_scope *scope, struct error *err)
{
    if (!scope->read_only && !scope->cluster_id)
        return error_set(
            err, ERROR_INVALID, "BadFlag",
            "--cluster-id is missing; it is what this prints: kubectl get namespace kube-system -o "
            "jsonpath='{.metadata.uid}'");
    const char *partition = partition_of(scope);
    size_t len = strlen(partition);
    for (size_t i = 0; i < scope->role_count; i++) {
        const char *of_role = scope->roles[i] + strlen("arn:");
        if (strncmp(of_role, partition, len) != 0 || of_role[len] != ':')
            return error_set(err, ERROR_INVALID, "BadFlag",
                             "--instance-role %s is not of the partition %s; set --partition",
                             scope->roles[i], partition);
    }
    return 0;
}

int iam_policy_write(const struct iam_scope *scope, struct buf *out, struct error *err)
{
    struct policy policy = {.scope = scope};
    if (iam_scope_check(scope, err) < 0)
        return -1;
    json_writer_init(&policy.json, out);
    json_open_object(&policy.json, NULL);
    json_text(&policy.json, "Version", "2012-10-17");
    json_open_array(&policy.json, "Statement");
    put_describe(&policy);
    if (scope->cluster_id)
        put_on_our_hosts(&policy, "ReadConsoleOfOurHosts", LIST("ec2:GetConsoleOutput"));
    if (!scope->read_only)
        put_changes(&policy);
    if (scope->decode)
        put_decode(&policy);
    json_close_array(&policy.json);
    json_close_object(&policy.json);
    if (!buf_is_ok(out) || out->len > IAM_POLICY_MAX)
        return error_set(
            err, ERROR_INVALID, "TooLong",
            "the policy is longer than the %d characters that IAM takes; name fewer roles or tag "
            "keys, or use wildcards in --tag-key",
            IAM_POLICY_MAX);
    return 0;
}
