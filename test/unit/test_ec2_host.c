/* What the reconciler is told of an instance, from the bytes that EC2 answers with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fnv.h"
#include "ec2_host.h"
#include "nitro/ec2_response.h"
#include "reconcile/identity.h"

#include <string.h>

#define HEAD                                                                                                 \
    "<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>"
#define RUNNING "<instanceState><code>16</code></instanceState>"
#define STOPPED "<instanceState><code>80</code></instanceState>"
#define TAIL    "</item></instancesSet></item></reservationSet></DescribeInstancesResponse>"

static int take(void *ctx, struct ec2_instance *instance, struct error *err)
{
    (void)err;
    ec2_host_from(instance, ctx);
    return 0;
}

static struct host read_host(const char *answer)
{
    struct host host;
    struct error err = {0};
    memset(&host, 0xff, sizeof(host));
    const struct ec2_handler handler = {.ctx = &host, .on_instance = take};
    struct ec2_response *response = ec2_response_new("DescribeInstances", &handler);
    assert_int_equal(ec2_response_sink(response, answer, strlen(answer), &err), 0);
    assert_int_equal(ec2_response_finish(response, &err), 0);
    ec2_response_free(response);
    return host;
}

static void test_full(void **state)
{
    (void)state;
    struct host host =
        read_host(HEAD STOPPED
                  "<imageId>ami-1</imageId><instanceType>m5.xlarge</instanceType><placement>"
                  "<availabilityZone>eu-west-1a</availabilityZone></placement><subnetId>subnet-1</subnetId>"
                  "<privateIpAddress>10.0.0.1</privateIpAddress><ipAddress>1.2.3.4</ipAddress>"
                  "<launchTime>2026-01-02T03:04:05.000Z</launchTime><clientToken>token</clientToken>"
                  "<instanceLifecycle>spot</instanceLifecycle><groupSet><item><groupId>sg-1</groupId></item>"
                  "</groupSet><tagSet><item><key>tee-deployment-id</key><value>d</value></item>"
                  "<item><key>tee-cluster-id</key><value>c</value></item>"
                  "<item><key>tee-launch-hash</key><value>v1-h</value></item>"
                  "<item><key>tee-namespace</key><value>ns</value></item>"
                  "<item><key>tee-name</key><value>n</value></item>"
                  "<item><key>tee-retained</key><value>true</value></item>"
                  "<item><key>team</key><value>a</value></item></tagSet>" TAIL);
    assert_string_equal(host.id, "i-1");
    assert_int_equal(host.state, HOST_STOPPED);
    assert_string_equal(host.image_id, "ami-1");
    assert_string_equal(host.type, "m5.xlarge");
    assert_string_equal(host.zone, "eu-west-1a");
    assert_string_equal(host.subnet_id, "subnet-1");
    assert_string_equal(host.private_ip, "10.0.0.1");
    assert_string_equal(host.public_ip, "1.2.3.4");
    assert_int_equal(host.launch_ms, INT64_C(1767323045000));
    assert_string_equal(host.token, "token");
    assert_string_equal(host.deployment_id, "d");
    assert_string_equal(host.cluster_id, "c");
    assert_string_equal(host.launch_hash, "v1-h");
    assert_int_equal(host.name_digest, identity_digest("ns", "n"));
    assert_int_not_equal(host.group_digest, 0);
    assert_int_equal(host.tag_count, 1);
    assert_int_equal(host.tag_digests[0], fnv32_pair("team", "a"));
    assert_true(host.are_tags_told && host.is_retained && host.is_spot);
}

/* Shortly after a launch. */
static void test_bare(void **state)
{
    (void)state;
    struct host host = read_host(HEAD RUNNING TAIL);
    assert_int_equal(host.state, HOST_RUNNING);
    assert_string_equal(host.private_ip, "");
    assert_string_equal(host.deployment_id, "");
    assert_int_equal(host.group_digest, 0);
    assert_int_equal(host.tag_count, 0);
    assert_false(host.are_tags_told || host.is_retained || host.is_spot);
}

/* Only a told "false" counts against a host. */
static void test_enclave(void **state)
{
    (void)state;
#define ENCLAVE(text) RUNNING "<enclaveOptions>" text "</enclaveOptions>"
    static const struct {
        const char *answer;
        bool lacks_enclave;
    } cases[] = {{HEAD RUNNING TAIL, false},
                 {HEAD ENCLAVE("") TAIL, false},
                 {HEAD ENCLAVE("<enabled/>") TAIL, false},
                 {HEAD ENCLAVE("<enabled>true</enabled>") TAIL, false},
                 {HEAD ENCLAVE("<enabled>false</enabled>") TAIL, true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(read_host(cases[i].answer).lacks_enclave, cases[i].lacks_enclave);
}

static void test_state_reason(void **state)
{
    (void)state;
    struct host host = read_host(HEAD STOPPED "<stateReason><code>Server.InternalError</code>"
                                              "<message>m</message></stateReason>" TAIL);
    assert_string_equal(host.state_reason, "Server.InternalError");
    assert_string_equal(read_host(HEAD STOPPED TAIL).state_reason, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_bare),
        cmocka_unit_test(test_enclave),
        cmocka_unit_test(test_state_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
