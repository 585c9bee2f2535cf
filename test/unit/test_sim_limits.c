/* The simulator's token buckets on a clock of the test's, both limits as a client meets them, and what a
 * place is taken and given back by. */
#include "base/mem.h"
#include "sim/capacity.h"
#include "sim/throttle.h"
#include "sim_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VERSION "&Version=2016-11-15"
#define SUBNET  "subnet-00000001"
#define RUN     "Action=RunInstances&ImageId=ami-12345678&MinCount=1&MaxCount=1" VERSION

/* How many of these calls are let through at that time. */
static int count_let(struct sim_throttle *throttle, const char *body, int64_t now_ms)
{
    CLEANUP(sim_query_done) struct sim_query query;
    struct sim_fail fail = {0};
    int count = 0;
    assert_int_equal(sim_query_parse(&query, body, strlen(body), &fail), 0);
    while (count < 5000 && sim_throttle_take(throttle, &query, now_ms, &fail) == 0)
        count++;
    if (count < 5000) {
        assert_string_equal(fail.code, "RequestLimitExceeded");
        assert_int_equal(fail.status, 503);
    }
    return count;
}

static void test_sizes(void **state)
{
    static const struct {
        const char *body;
        int burst, in_ten_seconds;
    } cases[] = {{"Action=RunInstances", 5, 5},
                 {"Action=RunInstances&DryRun=true", 5, 5},
                 {"Action=StartInstances&InstanceId.1=i-1", 5, 5},
                 {"Action=StopInstances&InstanceId.1=i-1", 50, 50},
                 {"Action=TerminateInstances&InstanceId.1=i-1", 100, 50},
                 {"Action=CreateTags&ResourceId.1=i-1", 100, 100},
                 {"Action=DescribeInstances", 50, 50},
                 {"Action=DescribeInstances&InstanceId.1=i-1", 50, 50},
                 {"Action=DescribeInstances&MaxResults=5", 100, 100},
                 {"Action=DescribeInstances&Filter.1.Name=x", 100, 100},
                 {"Action=DescribeInstanceStatus", 50, 50},
                 {"Action=DescribeInstanceTypes", 100, 100},
                 {"Action=GetConsoleOutput", 100, 100},
                 {"Action=GetCallerIdentity", 5000, 5000}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_throttle throttle;
        sim_throttle_set(&throttle, 100, 1000);
        assert_int_equal(count_let(&throttle, cases[i].body, 1000), cases[i].burst);
        assert_int_equal(count_let(&throttle, cases[i].body, 11000), cases[i].in_ten_seconds);
        sim_throttle_set(&throttle, 200, 1000);
        if (cases[i].burst < 5000)
            assert_int_equal(count_let(&throttle, cases[i].body, 1000), 2 * cases[i].burst);
        sim_throttle_set(&throttle, 0, 1000);
        assert_int_equal(count_let(&throttle, cases[i].body, 1000), 5000);
    }
}

/* A thousand instances at once, and then 20 a second: what is refused for them takes no request token. */
static void test_resources(void **state)
{
    CLEANUP(buf_done) struct buf body;
    struct sim_throttle throttle;
    (void)state;
    buf_init(&body, 1 << 16);
    buf_puts(&body, "Action=TerminateInstances");
    for (int i = 1; i <= 500; i++)
        buf_printf(&body, "&InstanceId.%d=i-%d", i, i);
    sim_throttle_set(&throttle, 100, 0);
    assert_int_equal(count_let(&throttle, buf_text(&body), 0), 2);
    assert_int_equal(count_let(&throttle, "Action=TerminateInstances&InstanceId.1=i-1", 0), 0);
    assert_int_equal(count_let(&throttle, "Action=TerminateInstances&InstanceId.1=i-1", 1000), 20);
    assert_int_equal(count_let(&throttle, buf_text(&body), 25999), 0);
    assert_int_equal(count_let(&throttle, buf_text(&body), 26000), 1);
}

static void admin(struct sim_scene *scene, const char *method, const char *path, const char *body,
                  long status)
{
    sim_scene_http(scene, method, path, body, NULL);
    if (scene->status != status)
        fail_msg("%s %s %s: %ld %s", method, path, body ? body : "", scene->status, scene->body);
}

/* code "" = success. */
static void expect(struct sim_scene *scene, const char *body, long status, const char *code)
{
    CLEANUP(freep) char *element = mem_printf("<Code>%s</Code>", code);
    assert_int_equal(sim_scene_ec2(scene, body, 0, NULL), 0);
    if (scene->status != status || (*code && !strstr(scene->body, element)))
        fail_msg("%s: %ld %s", body, scene->status, scene->body);
}

/* At one percent a token of RunInstances comes after 50 s: nothing here depends on how fast the test runs. */
static void test_a_client_is_throttled(void **state)
{
    struct sim_scene *scene = *state;
    static const char dry[] = RUN "&InstanceType=m5.xlarge&DryRun=true";
    expect(scene, dry, 412, "DryRunOperation");
    expect(scene, dry, 412, "DryRunOperation");
    admin(scene, "POST", "/_sim/throttle", "{\"percent\":1}", 200);
    expect(scene, dry, 412, "DryRunOperation");
    expect(scene, dry, 503, "RequestLimitExceeded");
    admin(scene, "GET", "/_sim/calls?action=RunInstances.DryRun", NULL, 200);
    assert_non_null(strstr(scene->body, "\"status\":503,\"code\":\"RequestLimitExceeded\""));
    admin(scene, "POST", "/_sim/clock", "{\"advanceMs\":50000}", 200);
    expect(scene, dry, 412, "DryRunOperation");
    expect(scene, dry, 503, "RequestLimitExceeded");
    admin(scene, "POST", "/_sim/throttle", "{\"percent\":0}", 200);
    expect(scene, dry, 412, "DryRunOperation");
    admin(scene, "POST", "/_sim/throttle", "{\"percent\":-1}", 400);
    admin(scene, "POST", "/_sim/throttle", "{}", 400);
}

static void advance(struct sim_scene *scene)
{
    admin(scene, "POST", "/_sim/clock", "{\"advanceMs\":10000}", 200);
}

static void act(struct sim_scene *scene, const char *action, const char *id, long status, const char *code)
{
    CLEANUP(freep) char *body = mem_printf("Action=%s&InstanceId.1=%s" VERSION, action, id);
    expect(scene, body, status, code);
    advance(scene);
}

static void test_launches_take_places(void **state)
{
    struct sim_scene *scene = *state;
    static const char here[] = RUN "&InstanceType=m5.xlarge&SubnetId=" SUBNET;
    char first[24];
    expect(scene, here, 200, "");
    snprintf(first, sizeof(first), "%s", scene->id);
    admin(scene, "POST", "/_sim/capacity", "{\"type\":\"m5.xlarge\",\"subnet\":\"" SUBNET "\",\"free\":1}",
          200);
    expect(scene, here, 200, "");
    expect(scene, RUN "&InstanceType=m5.xlarge&ClientToken=t&SubnetId=" SUBNET, 500,
           "InsufficientInstanceCapacity");
    /* The token is bound to these parameters, and good for them alone. */
    expect(scene, RUN "&InstanceType=c5.xlarge&ClientToken=t&SubnetId=" SUBNET, 400,
           "IdempotentParameterMismatch");
    /* There is room for another type, in another subnet, and in none. */
    expect(scene, RUN "&InstanceType=c5.xlarge&SubnetId=" SUBNET, 200, "");
    expect(scene, RUN "&InstanceType=m5.xlarge&SubnetId=subnet-00000002", 200, "");
    expect(scene, RUN "&InstanceType=m5.xlarge", 200, "");
    expect(scene, RUN "&InstanceType=m5.xlarge&DryRun=true&SubnetId=" SUBNET, 412, "DryRunOperation");
    act(scene, "TerminateInstances", first, 200, "");
    expect(scene, RUN "&InstanceType=m5.xlarge&ClientToken=t&SubnetId=" SUBNET, 200, "");
    expect(scene, here, 500, "InsufficientInstanceCapacity");
    admin(scene, "POST", "/_sim/capacity", "{\"type\":\"m5.xlarge\",\"subnet\":\"" SUBNET "\",\"free\":-1}",
          200);
    expect(scene, here, 200, "");
}

static void test_starts_take_places(void **state)
{
    struct sim_scene *scene = *state;
    char ids[2][24];
    for (int i = 0; i < 2; i++) {
        expect(scene, RUN "&InstanceType=m5.xlarge", 200, "");
        snprintf(ids[i], sizeof(ids[i]), "%s", scene->id);
        advance(scene);
        act(scene, "StopInstances", ids[i], 200, "");
    }
    CLEANUP(freep)
    char *both = mem_printf("Action=StartInstances&InstanceId.1=%s&InstanceId.2=%s" VERSION, ids[0], ids[1]);
    admin(scene, "POST", "/_sim/capacity", "{\"type\":\"m5.xlarge\",\"free\":1}", 200);
    expect(scene, both, 500, "InsufficientInstanceCapacity");
    act(scene, "StartInstances", ids[1], 200, "");
    act(scene, "StartInstances", ids[0], 500, "InsufficientInstanceCapacity");
    act(scene, "StartInstances", ids[1], 200, ""); /* runs, and needs no other place */
    act(scene, "StopInstances", ids[1], 200, "");
    act(scene, "StartInstances", ids[0], 200, "");
    admin(scene, "DELETE", "/_sim/capacity", NULL, 200);
    expect(scene, both, 200, "");
}

static void test_bad_places(void **state)
{
    struct sim_scene *scene = *state;
    static const char *const bodies[] = {"{\"free\":1}", "{\"type\":\"m5.xlarge\"}",
                                         "{\"type\":\"m9.none\",\"free\":1}",
                                         "{\"type\":\"m5.xlarge\",\"subnet\":\"net\",\"free\":1}",
                                         "{\"type\":\"m5.xlarge\",\"free\":1,\"colour\":\"red\"}"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        admin(scene, "POST", "/_sim/capacity", bodies[i], 400);
    for (int i = 0; i <= SIM_MAX_PLACES; i++) {
        CLEANUP(freep)
        char *body = mem_printf("{\"type\":\"m5.xlarge\",\"subnet\":\"subnet-%08x\",\"free\":0}", i);
        admin(scene, "POST", "/_sim/capacity", body, i < SIM_MAX_PLACES ? 200 : 429);
    }
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, sim_scene_setup, sim_scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes),      cmocka_unit_test(test_resources),
                                       SCENE(test_a_client_is_throttled), SCENE(test_launches_take_places),
                                       SCENE(test_starts_take_places),    SCENE(test_bad_places)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
