/* What is said of a difference: the fields that EC2 tells of, or all that the hash covers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fnv.h"
#include "base/mem.h"
#include "plan_scene.h"
#include "reconcile/drift.h"

static void test_texts(void **state)
{
    static const struct {
        const char *spec;
        const char *text; /* what it starts with */
    } cases[] = {
        {"\"instance\":{\"amiID\":\"ami-2\"}", "spec.instance.amiID is ami-2, and the instance has ami-1"},
        {"\"instance\":{\"instanceType\":\"m5.2xlarge\"}",
         "spec.instance.instanceType is m5.2xlarge, and the instance has m5.xlarge"},
        {"\"instance\":{\"subnetIDs\":[\"subnet-b\"]}",
         "spec.instance.subnetIDs no longer lists subnet-a, where the instance is"},
        {"\"instance\":{\"amiID\":\"ami-2\",\"instanceType\":\"m5.2xlarge\"}",
         "spec.instance.amiID is ami-2, and the instance has ami-1; spec.instance.instanceType is "
         "m5.2xlarge, and the "
         "instance has m5.xlarge"},
        {"\"enclave\":{\"cpuCount\":4}", "The instance was launched with other values of image, eif"},
        {"\"instance\":{\"amiID\":\"ami-1\",\"keyName\":\"other\"}",
         "The instance was launched with other values of image, eif"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene_input input = {.spec = cases[i].spec,
                                    .hosts = {{SCENE_HOST("i-1", HOST_RUNNING), .image_id = "ami-1",
                                               .type = "m5.xlarge", .subnet_id = "subnet-a"}}};
        struct plan_scene scene;
        plan_scene_init(&scene, &input);
        const char *text = drift_text(&scene.in, &scene.arena);
        if (strncmp(text, cases[i].text, strlen(cases[i].text)) != 0 || text[strlen(text) - 1] == ' ')
            fail_msg("%s: %s", cases[i].spec, text);
        plan_scene_done(&scene);
    }
}

/* Only the groups that the spec itself names count, in any order. */
static void test_groups(void **state)
{
    static const struct {
        const char *spec;
        const char *has[3];
        bool differs;
    } cases[] = {
        {"\"instance\":{\"securityGroupIDs\":[\"sg-1\",\"sg-2\"]}", {"sg-1", "sg-2"}, false},
        {"\"instance\":{\"securityGroupIDs\":[\"sg-1\",\"sg-2\"]}", {"sg-2", "sg-1"}, false},
        {"\"instance\":{\"securityGroupIDs\":[\"sg-1\",\"sg-2\"]}", {"sg-1"}, true},
        {"\"instance\":{\"securityGroupIDs\":[\"sg-1\"]}", {"sg-1", "sg-2"}, true},
        {"\"instance\":{\"securityGroupIDs\":[\"sg-1\"]}", {"sg-2"}, true},
        {"\"instance\":{\"securityGroupIDs\":[\"sg-1\"]}", {NULL}, false}, /* not told */
        {"\"instance\":{\"amiID\":\"ami-1\"}", {"sg-2"}, false}, /* the controller's default or EC2's */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene_input input = {.spec = cases[i].spec, .hosts = {{SCENE_HOST("i-1", HOST_RUNNING)}}};
        struct plan_scene scene;
        size_t count = 0;
        while (cases[i].has[count])
            count++;
        plan_scene_init(&scene, &input);
        scene.seen.hosts[0].group_digest = count > 0 ? drift_group_digest(cases[i].has, count) : 0;
        if (drift_has_other_groups(&scene.in) != cases[i].differs)
            fail_msg("case %zu", i);
        plan_scene_done(&scene);
    }
}

/* Each tag of the spec, with its value; more tags are others' business. */
static void test_tags(void **state)
{
    static const struct {
        const char *tags;
        const char *has[3][2];
        bool is_told;
        bool differs;
    } cases[] = {
        {"{\"a\":\"1\",\"b\":\"2\"}", {{"b", "2"}, {"a", "1"}}, true, false},
        {"{\"a\":\"1\"}", {{"b", "2"}, {"a", "1"}}, true, false},
        {"{\"a\":\"1\"}", {{"a", "2"}}, true, true},
        {"{\"a\":\"1\",\"b\":\"2\"}", {{"a", "1"}}, true, true},
        {"{\"ab\":\"c\"}", {{"a", "bc"}}, true, true},
        {"{\"a\":\"\"}", {{"a", ""}}, true, false},
        {"{\"a\":\"1\"}", {{NULL, NULL}}, true, true},
        {"{\"a\":\"1\"}", {{NULL, NULL}}, false, false}, /* shortly after a launch */
        {"{}", {{"b", "2"}}, true, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(freep) char *spec = mem_printf("\"instance\":{\"tags\":%s}", cases[i].tags);
        struct scene_input input = {.spec = spec, .hosts = {{SCENE_HOST("i-1", HOST_RUNNING)}}};
        struct plan_scene scene;
        plan_scene_init(&scene, &input);
        struct host *host = &scene.seen.hosts[0];
        host->are_tags_told = cases[i].is_told;
        for (; cases[i].has[host->tag_count][0]; host->tag_count++)
            host->tag_digests[host->tag_count] =
                fnv32_pair(cases[i].has[host->tag_count][0], cases[i].has[host->tag_count][1]);
        if (drift_has_other_tags(&scene.in) != cases[i].differs)
            fail_msg("case %zu", i);
        plan_scene_done(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts), cmocka_unit_test(test_groups),
                                       cmocka_unit_test(test_tags)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
