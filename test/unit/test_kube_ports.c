/* What the controller writes to the API server, and that the lease bounds it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "controller.h"
#include "fake_api.h"
#include "trace.h"

#define DECODED                                                                                              \
    "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"a\",\"uid\":\"u\",\"resourceVersion\":\"5\","            \
    "\"finalizers\":[\"x\",\"tee.dev/instance\"]},\"spec\":{\"image\":\"a\"}}"

static const struct lease_times times = {2000, 1000, 200};

/* Leases are written as they are asked for, or not at all; a patch is answered with the object. */
struct server {
    bool grants_leases;
    atomic_bool hangs; /* in the middle of that */
};

static struct fake_reply answer(void *ctx, const char *request)
{
    struct server *server = ctx;
    if (strncmp(request, "PATCH ", 6) == 0)
        return (struct fake_reply){.status = 200,
                                   .body = mem_strdup(DECODED),
                                   .how = atomic_load(&server->hangs) ? FAKE_HANG : FAKE_WHOLE};
    const char *spec = strstr(request, "\"spec\":");
    if (!server->grants_leases)
        return (struct fake_reply){.status = 503};
    if (!spec)
        return (struct fake_reply){.status = 404};
    return (struct fake_reply){.status = 200,
                               .body = mem_printf("{\"metadata\":{\"resourceVersion\":\"1\"},%s", spec)};
}

static void on_gained(void *ctx, int64_t transitions)
{
    trace_add(ctx, "+%d", (int)transitions);
}

static void on_lost(void *ctx)
{
    trace_add(ctx, "-");
}

struct bed {
    struct server server;
    struct fake_api *api;
    struct trace trace;
    struct options options;
    struct controller controller;
    struct teedeployment *object;
};

static void bed_init(struct bed *bed, bool grants_leases)
{
    *bed = (struct bed){.server = {.grants_leases = grants_leases}, .options = {.leader_elect = true}};
    trace_init(&bed->trace);
    struct controller *controller = &bed->controller;
    struct error err = {0};
    bed->api = fake_api_start(answer, &bed->server);
    controller->options = &bed->options;
    controller->clock = clock_real();
    controller->kube_config.server = mem_printf("http://127.0.0.1:%d", fake_api_get_port(bed->api));
    controller->kube = kube_client_new(
        &(struct kube_client_options){.config = &controller->kube_config, .clock = clock_real()});
    const struct leader_options leader = {.config = &controller->kube_config,
                                          .name_space = "ns",
                                          .name = "lock",
                                          .identity = "me",
                                          .times = times,
                                          .ctx = &bed->trace,
                                          .gained = on_gained,
                                          .lost = on_lost};
    assert_int_equal(leader_start(&leader, &controller->leader, &err), 0);
    controller->ports.ctx = controller;
    kube_ports_fill(controller);
    assert_int_equal(teedeployment_decode(DECODED, sizeof(DECODED) - 1, &bed->object, &err), 0);
}

static void bed_done(struct bed *bed)
{
    teedeployment_unref(bed->object);
    leader_free(bed->controller.leader);
    kube_client_free(bed->controller.kube);
    kube_config_done(&bed->controller.kube_config);
    fake_api_stop(bed->api);
    trace_done(&bed->trace);
}

static int write_object(struct bed *bed, int which, char ret_version[66], struct error *err)
{
    struct ports *ports = &bed->controller.ports;
    if (which < 2)
        return ports->set_finalizer(ports->ctx, bed->object, which == 0, ret_version, err);
    return ports->apply_status(ports->ctx, bed->object, "5", "m", "{}", ret_version, err);
}

static size_t count_patches(struct bed *bed)
{
    size_t count = 0;
    const char *request = NULL;
    for (size_t i = 0; (request = fake_api_get_request(bed->api, i)); i++)
        count += strncmp(request, "PATCH ", 6) == 0;
    return count;
}

/* A lease that is over leaves no time, which is not the same as no bound. */
static void test_nothing_is_written_without_the_lease(void **state)
{
    (void)state;
    struct bed bed;
    bed_init(&bed, false);
    assert_true(fake_api_wait(bed.api, 1));
    for (int which = 0; which < 3; which++) {
        char version[66] = "";
        struct error err = {0};
        assert_int_equal(write_object(&bed, which, version, &err), -1);
        assert_int_equal(err.kind, ERROR_STOPPED);
    }
    assert_int_equal(count_patches(&bed), 0);
    bed_done(&bed);
}

static void test_a_write_ends_with_the_lease(void **state)
{
    (void)state;
    struct bed bed;
    char version[66] = "";
    struct error err = {0};
    bed_init(&bed, true);
    assert_true(trace_wait(&bed.trace, "+0"));
    for (int which = 0; which < 3; which++) {
        assert_int_equal(write_object(&bed, which, version, &err), 0);
        assert_string_equal(version, "5");
    }
    atomic_store(&bed.server.hangs, true);
    int64_t start_ms = clock_mono_ms(clock_real());
    assert_int_equal(write_object(&bed, 2, version, &err), -1);
    assert_int_equal(err.kind, ERROR_UNAVAILABLE);
    assert_true(clock_mono_ms(clock_real()) - start_ms < 5000);
    assert_int_equal(count_patches(&bed), 4);
    bed_done(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_written_without_the_lease),
        cmocka_unit_test(test_a_write_ends_with_the_lease),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
