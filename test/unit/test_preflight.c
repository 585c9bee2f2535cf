/* From what EC2 says of a launch to what the user is told, and what is kept of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "reconcile/preflight_cache.h"

#include <stdio.h>
#include <string.h>

struct judged {
    struct arena arena;
    struct tee_spec written;
    struct tee_spec effective;
    struct launch_facts facts;
    struct preflight result;
};

static const char *subnet_ids[] = {"subnet-a", "subnet-b"};

/* m5.xlarge with room for 2 vCPUs and 512 MiB; everything is the user's own word. */
static void judged_init(struct judged *judged)
{
    struct tee_spec *spec = &judged->effective;
    *judged = (struct judged){0};
    arena_init(&judged->arena);
    *spec = (struct tee_spec){.image = "app@sha256:00", .cpu_count = 2, .memory_mib = 512};
    spec->instance = (struct tee_instance_spec){.ami_id = "ami-1",
                                                .instance_type = "m5.xlarge",
                                                .subnet_ids = subnet_ids,
                                                .subnet_count = 2,
                                                .root_volume = {.encrypted = -1}};
    judged->written = *spec;
    judged->facts = (struct launch_facts){
        .type = {.has_enclave_support = true, .vcpu_count = 4, .threads_per_core = 2, .memory_mib = 16384},
        .image = {.state = "available", .root_device = "/dev/xvda"},
        .subnets = {{"subnet-a", "eu-west-1a", 0}, {"subnet-b", "eu-west-1b", 9}},
        .subnet_count = 2};
}

static void no_type(struct judged *judged)
{
    error_set(&judged->facts.type.err, ERROR_INVALID, "InvalidInstanceType", "gone");
}

static void no_support(struct judged *judged)
{
    judged->facts.type.has_enclave_support = false;
}

static void metal(struct judged *judged)
{
    judged->facts.type.is_bare_metal = true;
}

static void half_a_core(struct judged *judged)
{
    judged->facts.type.vcpu_count = 8;
    judged->effective.cpu_count = 3;
}

static void last_core(struct judged *judged)
{
    judged->effective.cpu_count = 3;
}

static void odd_without_threads(struct judged *judged)
{
    judged->effective.cpu_count = 3;
    judged->facts.type.threads_per_core = 1;
}

static void too_many_cpus_by_default(struct judged *judged)
{
    judged->written.cpu_count = 0;
    judged->facts.type = (struct type_facts){
        .has_enclave_support = true, .vcpu_count = 2, .threads_per_core = 1, .memory_mib = 8192};
}

static void all_memory_but_reserve(struct judged *judged)
{
    judged->effective.memory_mib = 16384 - 1024;
}

static void too_much_memory(struct judged *judged)
{
    judged->effective.memory_mib = 16384 - 1023;
}

static void prebuilt(struct judged *judged)
{
    judged->effective.image = NULL;
    judged->effective.memory_mib = 16384 - 512;
}

static void too_much_prebuilt(struct judged *judged)
{
    judged->effective.image = NULL;
    judged->effective.memory_mib = 16384 - 511;
}

static void no_image(struct judged *judged)
{
    error_set(&judged->facts.image.err, ERROR_INVALID, "InvalidAMIID.NotFound", "EC2 has no ami-1");
}

static void pending_image(struct judged *judged)
{
    snprintf(judged->facts.image.state, sizeof(judged->facts.image.state), "pending");
}

static void failed_image(struct judged *judged)
{
    snprintf(judged->facts.image.state, sizeof(judged->facts.image.state), "failed");
}

static void other_architecture(struct judged *judged)
{
    judged->facts.image.is_arm64 = true;
    judged->written.instance.ami_id = NULL;
}

static void other_root_device(struct judged *judged)
{
    judged->effective.instance.root_volume.present = true;
    snprintf(judged->facts.image.root_device, sizeof(judged->facts.image.root_device), "/dev/sda1");
}

static void other_root_device_of_no_volume(struct judged *judged)
{
    other_root_device(judged);
    judged->effective.instance.root_volume.present = false;
}

static void no_subnet(struct judged *judged)
{
    error_set(&judged->facts.subnets_err, ERROR_INVALID, "InvalidSubnetID.NotFound", "EC2 has no subnet-b");
    judged->facts.subnet_count = 0;
}

static void full_subnets(struct judged *judged)
{
    judged->facts.subnets[1].free_addresses = 0;
}

static void any_subnet(struct judged *judged)
{
    judged->effective.instance.subnet_count = 0;
    judged->facts.subnet_count = 0;
}

static void may_not_look(struct judged *judged)
{
    error_set(&judged->facts.type.err, ERROR_DENIED, "UnauthorizedOperation", "no");
    error_set(&judged->facts.image.err, ERROR_DENIED, "UnauthorizedOperation", "no");
    error_set(&judged->facts.subnets_err, ERROR_DENIED, "UnauthorizedOperation", "no");
    judged->facts.subnet_count = 0;
}

static void ec2_is_away(struct judged *judged)
{
    error_set(&judged->facts.image.err, ERROR_THROTTLED, "RequestLimitExceeded", "slow down");
}

static const struct {
    void (*tune)(struct judged *judged);
    enum preflight_state state;
    const char *reason;
    const char *text; /* part of what is said */
} cases[] = {
    {NULL, PREFLIGHT_PASSED, "SpecAccepted", "EC2 would launch"},
    {no_type, PREFLIGHT_REFUSED, "Invalid",
     "spec.instance.instanceType: there is no instance type m5.xlarge"},
    {no_support, PREFLIGHT_REFUSED, "Invalid",
     "spec.instance.instanceType: m5.xlarge has no enclave support; choose a Nitro type with at least 4 "
     "vCPUs"},
    {metal, PREFLIGHT_REFUSED, "Invalid", "m5.xlarge is bare metal"},
    {half_a_core, PREFLIGHT_REFUSED, "Invalid",
     "spec.enclave.cpuCount: 3 is no whole number of cores: a core of m5.xlarge has 2 vCPUs; choose 4"},
    {last_core, PREFLIGHT_REFUSED, "Invalid",
     "of its 4 vCPUs 2 (one core) stay with the host; choose at most 2"},
    {odd_without_threads, PREFLIGHT_PASSED, "SpecAccepted", ""},
    {too_many_cpus_by_default, PREFLIGHT_REFUSED, "Invalid",
     "spec.enclave.cpuCount (this controller's default): 2 is more than m5.xlarge can give"},
    {all_memory_but_reserve, PREFLIGHT_PASSED, "SpecAccepted", ""},
    {too_much_memory, PREFLIGHT_REFUSED, "Invalid",
     "of its 16384 MiB 1024 stay with the host; choose at most 15360"},
    {prebuilt, PREFLIGHT_PASSED, "SpecAccepted", ""},
    {too_much_prebuilt, PREFLIGHT_REFUSED, "Invalid", "spec.enclave.memoryMiB: 15873 is more than"},
    {no_image, PREFLIGHT_REFUSED, "Invalid", "spec.instance.amiID: EC2 has no ami-1; choose an AMI"},
    {pending_image, PREFLIGHT_BLOCKED, "ImagePending", "ami-1 is still being made"},
    {failed_image, PREFLIGHT_REFUSED, "Invalid", "ami-1 cannot be launched (state failed)"},
    {other_architecture, PREFLIGHT_REFUSED, "Invalid",
     "spec.instance.amiID (this controller's default): ami-1 is built for arm64 and m5.xlarge is x86_64"},
    {other_root_device, PREFLIGHT_REFUSED, "Invalid",
     "spec.instance.rootVolume: it is for root devices named"},
    {other_root_device_of_no_volume, PREFLIGHT_PASSED, "SpecAccepted", ""},
    {no_subnet, PREFLIGHT_BLOCKED, "Invalid", "spec.instance.subnetIDs: EC2 has no subnet-b"},
    {full_subnets, PREFLIGHT_BLOCKED, "InsufficientCapacity",
     "spec.instance.subnetIDs: no free address in subnet-a (eu-west-1a), subnet-b (eu-west-1b)"},
    {any_subnet, PREFLIGHT_PASSED, "SpecAccepted", ""},
    {may_not_look, PREFLIGHT_PASSED, "SpecAccepted",
     "IAM does not allow ec2:DescribeInstanceTypes, ec2:DescribeImages, ec2:DescribeSubnets"},
    {ec2_is_away, PREFLIGHT_INCONCLUSIVE, "Inconclusive", "slow down"},
};

static void test_facts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct judged judged;
        judged_init(&judged);
        if (cases[i].tune)
            cases[i].tune(&judged);
        const struct preflight_subject subject = {&judged.written, &judged.effective, &judged.arena};
        preflight_judge_facts(&subject, &judged.facts, &judged.result);
        if (judged.result.state != cases[i].state || strcmp(judged.result.reason, cases[i].reason) != 0 ||
            !strstr(judged.result.text, cases[i].text))
            fail_msg("case %zu: %d %s: %s", i, judged.result.state, judged.result.reason, judged.result.text);
        arena_done(&judged.arena);
    }
}

static void test_dry_run(void **state)
{
    static const struct {
        enum error_kind kind;
        const char *detail;
        enum preflight_state state;
        const char *reason;
        const char *text;
        const char *code; /* NULL: "Code" */
    } answers[] = {
        {ERROR_NONE, "", PREFLIGHT_PASSED, "SpecAccepted", "EC2 would launch", NULL},
        {ERROR_INVALID, "", PREFLIGHT_REFUSED, "Invalid", "EC2 says that the launch is wrong: Code: words",
         NULL},
        {ERROR_INVALID, "", PREFLIGHT_REFUSED, "Invalid", "words", "InvalidAMIID.NotFound"},
        {ERROR_INVALID, "", PREFLIGHT_BLOCKED, "Invalid", "words", "InvalidGroup.NotFound"},
        {ERROR_INVALID, "", PREFLIGHT_BLOCKED, "Invalid", "words", "InvalidKeyPair.NotFound"},
        {ERROR_ABSENT, "", PREFLIGHT_REFUSED, "Invalid", "words", NULL},
        {ERROR_DENIED, "", PREFLIGHT_BLOCKED, "Unauthorized",
         "iamInstanceProfile (this controller's default): Code: words; name a profile",
         "InvalidParameterValue"},
        {ERROR_DENIED, "", PREFLIGHT_BLOCKED, "Unauthorized", "Code: words; allow it in the IAM policy",
         "UnauthorizedOperation"},
        {ERROR_DENIED, "", PREFLIGHT_BLOCKED, "Unauthorized", "Code: words; it is tried again",
         "BadTokenFile"},
        {ERROR_DENIED, "the whole story", PREFLIGHT_BLOCKED, "Unauthorized", "the whole story; allow it",
         "AccessDenied"},
        {ERROR_CAPACITY, "", PREFLIGHT_BLOCKED, "InsufficientCapacity", "words", NULL},
        {ERROR_QUOTA, "", PREFLIGHT_BLOCKED, "QuotaExceeded", "words", NULL},
        {ERROR_THROTTLED, "", PREFLIGHT_INCONCLUSIVE, "Inconclusive", "words", NULL},
        {ERROR_UNAVAILABLE, "", PREFLIGHT_INCONCLUSIVE, "Inconclusive", "words", NULL},
        {ERROR_CONFLICT, "", PREFLIGHT_INCONCLUSIVE, "Inconclusive", "words", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct judged judged;
        struct error err = {0};
        judged_init(&judged);
        if (answers[i].kind != ERROR_NONE)
            error_set(&err, answers[i].kind, answers[i].code ? answers[i].code : "Code", "Code: words");
        const struct preflight_subject subject = {&judged.written, &judged.effective, &judged.arena};
        preflight_judge_facts(&subject, &judged.facts, &judged.result);
        preflight_judge_dry_run(&subject, &err, answers[i].detail, &judged.result);
        if (judged.result.state != answers[i].state || strcmp(judged.result.reason, answers[i].reason) != 0 ||
            !strstr(judged.result.text, answers[i].text))
            fail_msg("answer %zu: %d %s: %s", i, judged.result.state, judged.result.reason,
                     judged.result.text);
        arena_done(&judged.arena);
    }
}

/* How long until the next look, for outcomes in a row. */
static void test_schedule(void **state)
{
    static const int64_t waits_ms[][7] = {
        [PREFLIGHT_BLOCKED] = {60000, 120000, 240000, 480000, 600000, 600000, 600000},
        [PREFLIGHT_INCONCLUSIVE] = {5000, 10000, 20000, 40000, 60000, 60000, 60000},
    };
    (void)state;
    for (int kind = PREFLIGHT_BLOCKED; kind <= PREFLIGHT_INCONCLUSIVE; kind++) {
        struct preflight known = {0};
        int64_t now_ms = 1000;
        for (int i = 0; i < 7; i++) {
            struct preflight next = {.state = (enum preflight_state)kind};
            preflight_schedule(&known, now_ms, &next);
            assert_int_equal(next.tries, i + 1);
            assert_int_equal(next.next_ms - now_ms, waits_ms[kind][i]);
            now_ms = next.next_ms;
            known = next;
        }
        struct preflight late = {.state = (enum preflight_state)kind};
        preflight_schedule(&known, known.checked_ms + 15 * 60 * 1000, &late);
        assert_int_equal(late.tries, 1);
        struct preflight other = {.state = PREFLIGHT_PASSED};
        preflight_schedule(&known, known.checked_ms + 1, &other);
        assert_int_equal(other.tries, 1);
        assert_int_equal(other.next_ms, 0);
    }
}

static void test_key(void **state)
{
    struct judged judged;
    char first[SHA256_HEX_SIZE];
    char second[SHA256_HEX_SIZE];
    static const char *groups[] = {"sg-1"};
    static const struct tee_tag tags[] = {{"team", "a"}};
    struct tee_spec *spec = &judged.effective;
    (void)state;
    judged_init(&judged);
    preflight_key(spec, "ns", first);
    spec->deployment_id = "other"; /* only names the object */
    spec->attestation.interval_seconds = 60;
    preflight_key(spec, "ns", second);
    assert_string_equal(first, second);
    preflight_key(spec, "elsewhere", second);
    assert_string_not_equal(first, second);
    spec->instance.subnet_count = 1;
    preflight_key(spec, "ns", second);
    assert_string_not_equal(first, second);
    spec->instance.subnet_count = 2;
    spec->instance.security_group_ids = groups;
    spec->instance.security_group_count = 1;
    preflight_key(spec, "ns", second);
    assert_string_not_equal(first, second);
    spec->instance.security_group_count = 0;
    spec->instance.tags = tags;
    spec->instance.tag_count = 1;
    preflight_key(spec, "ns", second);
    assert_string_not_equal(first, second);
    spec->instance.tag_count = 0;
    spec->instance.instance_type = "c5.xlarge";
    preflight_key(spec, "ns", second);
    assert_string_not_equal(first, second);
    arena_done(&judged.arena);
}

static enum preflight_state kept(struct preflight_cache *cache, const char *key, const char *text)
{
    struct arena arena;
    struct preflight known;
    arena_init(&arena);
    preflight_cache_get(cache, key, &arena, &known);
    if (known.state != PREFLIGHT_NONE)
        assert_string_equal(known.text, text);
    arena_done(&arena);
    return known.state;
}

static void test_cache(void **state)
{
    char text[16] = "words";
    const struct preflight passed = {.state = PREFLIGHT_PASSED, .reason = "R", .text = text};
    struct preflight_cache *cache = preflight_cache_new();
    (void)state;
    assert_int_equal(kept(cache, "a", ""), PREFLIGHT_NONE);
    assert_true(preflight_cache_begin(cache, "a"));
    assert_false(preflight_cache_begin(cache, "a"));
    assert_true(preflight_cache_begin(cache, "b"));
    preflight_cache_forget(cache, "b"); /* somebody is at it */
    assert_false(preflight_cache_begin(cache, "b"));
    preflight_cache_end(cache, "a", &passed);
    text[0] = 'W'; /* it is the cache's own copy */
    assert_int_equal(kept(cache, "a", "words"), PREFLIGHT_PASSED);
    assert_true(preflight_cache_begin(cache, "a"));
    preflight_cache_end(cache, "a", NULL); /* nothing was found out */
    assert_int_equal(kept(cache, "a", "words"), PREFLIGHT_PASSED);
    preflight_cache_forget(cache, "a");
    assert_int_equal(kept(cache, "a", ""), PREFLIGHT_NONE);
    preflight_cache_end(cache, "b", &passed);
    preflight_cache_free(cache);
}

/* What is in use and what is being asked stays; the rest goes in the order of its last use. */
static void test_cache_is_bounded(void **state)
{
    const struct preflight passed = {.state = PREFLIGHT_PASSED, .reason = "R", .text = "t"};
    struct preflight_cache *cache = preflight_cache_new();
    char key[16];
    (void)state;
    assert_true(preflight_cache_begin(cache, "asking"));
    for (int i = 0; i < PREFLIGHT_CACHE_MAX + 10; i++) {
        snprintf(key, sizeof(key), "%d", i);
        assert_true(preflight_cache_begin(cache, key));
        preflight_cache_end(cache, key, &passed);
        kept(cache, "0", "t");
    }
    assert_false(preflight_cache_begin(cache, "asking"));
    assert_int_equal(kept(cache, "0", "t"), PREFLIGHT_PASSED);
    assert_int_equal(kept(cache, "1", "t"), PREFLIGHT_NONE);
    assert_int_equal(kept(cache, "11", "t"), PREFLIGHT_NONE);
    assert_int_equal(kept(cache, "12", "t"), PREFLIGHT_PASSED);
    preflight_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts), cmocka_unit_test(test_dry_run), cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_key),   cmocka_unit_test(test_cache),   cmocka_unit_test(test_cache_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
