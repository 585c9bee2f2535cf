/* What is said of a difference: the fields that EC2 tells of, or all that the hash covers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
