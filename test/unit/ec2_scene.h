/* ec2_scene: a client of EC2 and a server whose answers a test writes.
 *
 * Model: ec2_scene_open() and ec2_scene_close() are a test's setup and teardown; ec2_scene_script() says what
 * the requests are answered with, one line each, in their order.
 * Threads: the server has its own.   Ownership: the test's state; the texts of lines are borrowed.   Limits:
 * below.   Errors: asserts. */
#ifndef TEE_TEST_EC2_SCENE_H
#define TEE_TEST_EC2_SCENE_H

#include "base/thread.h"
#include "fake_api.h"
#include "nitro/ec2.h"

#include <stdatomic.h>

enum { REPLIES_MAX = 8, TIMEOUT_MS = 10000 };

#define INSTANCE(id)                                                                                         \
    "<item><instanceId>" id "</instanceId><instanceState><code>16</code></instanceState></item>"
#define PAGE(items, token)                                                                                   \
    "<DescribeInstancesResponse><reservationSet><item><instancesSet>" items                                  \
    "</instancesSet></item></reservationSet><nextToken>" token "</nextToken></DescribeInstancesResponse>"
#define FAULT(code)                                                                                          \
    "<Response><Errors><Error><Code>" code "</Code><Message>m</Message></Error></Errors></Response>"
#define STOPPED                                                                                              \
    "<StopInstancesResponse><instancesSet><item><instanceId>i-1</instanceId><currentState><code>64</code>"   \
    "</currentState></item></instancesSet></StopInstancesResponse>"

struct ec2_line {
    int status;
    const char *body;
    enum fake_how how;
    const char *headers;
};

struct ec2_scene {
    struct ec2_line lines[REPLIES_MAX];
    atomic_int asked;
    int delay_ms; /* before each answer */
    atomic_int keys_read;
    const char *const (*variables)[2]; /* instead of the keys; ended by a NULL name */
    struct fake_api *api;
    struct environment environment;
    struct aws_config config;
    struct aws_credentials *credentials;
    struct stop stop;
    struct ec2 *ec2;
};

int ec2_scene_open(void **state);
int ec2_scene_close(void **state);
void ec2_scene_script(struct ec2_scene *scene, const struct ec2_line *lines, size_t count);
#define SCRIPT(scene, ...)                                                                                   \
    ec2_scene_script((scene), (const struct ec2_line[]){__VA_ARGS__},                                        \
                     ARRAY_LEN(((const struct ec2_line[]){__VA_ARGS__})))

#define SCENE_TEST(function) cmocka_unit_test_setup_teardown(function, ec2_scene_open, ec2_scene_close)

#endif
