/* pkg/kube against a real API server: run by test_client.sh, which names it in KUBECONFIG (administrator) and
 * CONTROLLER_KUBECONFIG (the controller's service account). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kube/event_queue.h"
#include "kube/leader.h"
#include "kube/patch.h"
#include "kube/watcher.h"
#include "trace.h"

#define OBJECTS "/apis/tee.dev/v1alpha1/namespaces/default/teedeployments"
#define IMAGE   "registry.example/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct kube_resource resource = {"tee.dev", "v1alpha1", "teedeployments"};

struct identity {
    struct kube_config config;
    struct kube_client *client;
};

static struct identity admin;
static struct identity controller;

static const char *read_env(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

static void identify(struct identity *identity, const char *variable)
{
    const struct kube_config_source source = {.kubeconfig = getenv(variable), .get_env = read_env};
    struct error err = {0};
    if (!source.kubeconfig || kube_config_load(&source, &identity->config, &err) < 0)
        fail_msg("%s: %s", variable, err.text);
    identity->client =
        kube_client_new(&(struct kube_client_options){.config = &identity->config, .clock = clock_real()});
}

static int set_up(void **state)
{
    (void)state;
    identify(&admin, "KUBECONFIG");
    identify(&controller, "CONTROLLER_KUBECONFIG");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kube_client_free(admin.client);
    kube_config_done(&admin.config);
    kube_client_free(controller.client);
    kube_config_done(&controller.config);
    return 0;
}

static void send_as_admin(const char *method, const char *path, const char *content_type, const char *body)
{
    const struct kube_request request = {.method = method,
                                         .path = path,
                                         .content_type = content_type,
                                         .body = body,
                                         .body_len = body ? strlen(body) : 0};
    struct error err = {0};
    if (kube_perform(admin.client, &request, NULL, &err) < 0)
        fail_msg("%s", err.text);
}

static void create(const char *name)
{
    CLEANUP(freep)
    char *body =
        mem_printf("{\"apiVersion\":\"tee.dev/v1alpha1\",\"kind\":\"TeeDeployment\",\"metadata\":{\"name\":"
                   "\"%s\"},\"spec\":{\"image\":\"" IMAGE "\"}}",
                   name);
    send_as_admin("POST", OBJECTS, "application/json", body);
}

static void change(const char *name)
{
    CLEANUP(freep) char *path = mem_printf(OBJECTS "/%s", name);
    send_as_admin("PATCH", path, "application/merge-patch+json", "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}");
}

static void delete (const char *name)
{
    CLEANUP(freep) char *path = mem_printf(OBJECTS "/%s", name);
    send_as_admin("DELETE", path, NULL, NULL);
}

/* The object's resourceVersion now. */
static void get_version(const char *name, char ret_version[WATCH_VERSION_SIZE])
{
    CLEANUP(freep) char *path = kube_path(&resource, "default", name);
    CLEANUP(buf_done) struct buf body;
    struct error err = {0};
    buf_init(&body, 1 << 20);
    if (kube_get(controller.client, path, 0, &body, &err) < 0)
        fail_msg("%s", err.text);
    json_span_copy(json_find((struct json_span){body.data, body.len},
                             (const char *[]){"metadata", "resourceVersion", NULL}),
                   ret_version, WATCH_VERSION_SIZE);
}

static void on_begin(void *ctx)
{
    trace_add(ctx, "begin");
}

static bool on_object(void *ctx, enum watch_event_type type, const char *json, size_t len)
{
    static const char marks[] = {[WATCH_ADDED] = '+', [WATCH_MODIFIED] = '~', [WATCH_DELETED] = '-'};
    struct json_span in = {json, len};
    char name[64];
    json_span_copy(json_find(in, (const char *[]){"metadata", "name", NULL}), name, sizeof(name));
    trace_add(ctx, "%c%s", marks[type], name);
    return true;
}

static void on_oversized(void *ctx, enum watch_event_type type, const struct object_identity *identity,
                         size_t len)
{
    (void)type;
    (void)identity;
    (void)len;
    trace_add(ctx, "oversized");
}

static void on_end(void *ctx, const char *resource_version, bool is_complete)
{
    assert_true(is_complete && *resource_version);
    trace_add(ctx, "end");
}

static void on_bookmark(void *ctx, const char *resource_version)
{
    (void)ctx;
    assert_true(*resource_version);
}

static void on_fresh(void *ctx, int64_t mono_ms)
{
    (void)ctx;
    (void)mono_ms;
}

static void on_failed(void *ctx, const struct error *err)
{
    trace_add(ctx, "!%s(%s)", err->reason, err->text);
}

static void test_list_and_watch(void **state)
{
    (void)state;
    struct trace trace;
    trace_init(&trace);
    CLEANUP(freep) char *path = kube_path(&resource, NULL, NULL);
    create("first");
    const struct watcher_options options = {
        .client = controller.client,
        .path = path,
        .streams = true,
        .owner = {&trace, on_begin, on_object, on_oversized, on_end, on_bookmark, on_fresh, on_failed}};
    struct watcher *watcher = watcher_start(&options);
    assert_true(trace_wait(&trace, " end "));
    create("second");
    assert_true(trace_wait(&trace, "+second"));
    change("second");
    assert_true(trace_wait(&trace, "~second"));
    delete ("first");
    assert_true(trace_wait(&trace, "-first"));
    delete ("second");
    assert_true(trace_wait(&trace, "-second"));
    watcher_free(watcher);
    const char *text = buf_text(&trace.text);
    if (getenv("TEE_PROBE_NO_STREAM")) { /* it was asked for a streamed list first, and refused */
        assert_memory_equal(text, "begin !", strlen("begin !"));
        text = strstr(text, "begin +first");
    }
    assert_string_equal(text, "begin +first end +second ~second -first -second ");
    trace_done(&trace);
}

/* Applies {"observedGeneration": generation} or what is given; yields the error's kind. */
static enum error_kind apply_status(const char *version, const char *status, struct error *err)
{
    const struct patch_target target = {"tee.dev/v1alpha1", "TeeDeployment", "default", "written", version};
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, 4096);
    patch_apply_status(&body, &target, status);
    const struct kube_patch patch = {.type = KUBE_PATCH_APPLY,
                                     .path = OBJECTS "/written/status",
                                     .field_manager = "tee-controller",
                                     .body = buf_text(&body),
                                     .body_len = body.len};
    error_clear(err);
    return kube_patch(controller.client, &patch, NULL, err) == 0 ? ERROR_NONE : err->kind;
}

static void test_status_apply(void **state)
{
    (void)state;
    char old[WATCH_VERSION_SIZE];
    char now[WATCH_VERSION_SIZE];
    struct error err = {0};
    create("written");
    get_version("written", old);
    assert_int_equal(apply_status(old, "{\"observedGeneration\":1}", &err), ERROR_NONE);
    assert_int_equal(apply_status(old, "{\"observedGeneration\":2}", &err), ERROR_CONFLICT);
    assert_string_equal(err.reason, "Conflict");
    get_version("written", now);
    assert_string_not_equal(old, now);
    assert_int_equal(apply_status(now, "{\"observedGeneration\":1}", &err), ERROR_NONE);
    get_version("written", old);
    assert_string_equal(old, now);
    assert_int_equal(apply_status(now, "{\"observedGeneration\":1,\"inventedField\":1}", &err),
                     ERROR_UNAVAILABLE);
    assert_string_equal(err.reason, "CRDOutdated");
    assert_int_equal(apply_status(now, "{\"observedGeneration\":-7}", &err), ERROR_INVALID);
    delete ("written");
    assert_int_equal(apply_status(now, "{\"observedGeneration\":1}", &err), ERROR_ABSENT);
}

static enum error_kind send_json_patch(const struct buf *body, struct error *err)
{
    const struct kube_patch patch = {.type = KUBE_PATCH_JSON,
                                     .path = OBJECTS "/finalized",
                                     .field_manager = "tee-controller",
                                     .body = buf_text(body),
                                     .body_len = body->len};
    error_clear(err);
    return kube_patch(controller.client, &patch, NULL, err) == 0 ? ERROR_NONE : err->kind;
}

static void test_finalizer(void **state)
{
    (void)state;
    char version[WATCH_VERSION_SIZE];
    struct error err = {0};
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, 4096);
    create("finalized");
    get_version("finalized", version);
    patch_add_finalizer(&body, version, "tee.dev/instance", 0);
    assert_int_equal(send_json_patch(&body, &err), ERROR_NONE);
    assert_int_equal(send_json_patch(&body, &err), ERROR_CONFLICT);
    delete ("finalized");
    get_version("finalized", version);
    buf_reset(&body);
    patch_remove_finalizer(&body, version, "somebody.else/s", 0); /* it stood there a moment ago */
    assert_int_equal(send_json_patch(&body, &err), ERROR_CONFLICT);
    buf_reset(&body);
    patch_remove_finalizer(&body, version, "tee.dev/instance", 0);
    assert_int_equal(send_json_patch(&body, &err), ERROR_NONE);
    assert_int_equal(kube_get(controller.client, OBJECTS "/finalized", 0, NULL, &err), -1);
    assert_int_equal(err.kind, ERROR_ABSENT);
}

static void test_denied(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(kube_get(controller.client, "/api/v1/namespaces/default/secrets", 0, NULL, &err), -1);
    assert_int_equal(err.kind, ERROR_DENIED);
    assert_int_equal(kube_get(controller.client, "/api/v1/namespaces/kube-system", 0, NULL, &err), 0);
}

static void test_who_is_trusted(void **state)
{
    (void)state;
    static const struct {
        const char *name, *server_name;
        bool has_ca;
        enum error_kind kind;
    } cases[] = {
        {"another name of the certificate", "kubernetes.default.svc", true, ERROR_NONE},
        {"a name it does not have", "wrong.example", true, ERROR_UNTRUSTED},
        {"the system's roots only", NULL, false, ERROR_UNTRUSTED},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kube_config config = admin.config;
        struct error err = {0};
        config.tls_server_name = (char *)cases[i].server_name;
        if (!cases[i].has_ca)
            config.ca_pem = config.ca_file = NULL;
        struct kube_client *client =
            kube_client_new(&(struct kube_client_options){.config = &config, .clock = clock_real()});
        int result = kube_get(client, "/version", 0, NULL, &err);
        if (result != (cases[i].kind == ERROR_NONE ? 0 : -1) || err.kind != cases[i].kind)
            fail_msg("%s: %s", cases[i].name, err.text);
        kube_client_free(client);
    }
}

static void on_gained(void *ctx, int64_t transitions)
{
    trace_add(ctx, "gained:%d", (int)transitions);
}

static void on_lost(void *ctx)
{
    trace_add(ctx, "lost");
}

static struct leader *start_leader(struct trace *trace, const char *identity)
{
    const struct leader_options options = {.config = &controller.config,
                                           .name_space = "tee-system",
                                           .name = "tee-controller",
                                           .identity = identity,
                                           .times = {6000, 4000, 500},
                                           .ctx = trace,
                                           .gained = on_gained,
                                           .lost = on_lost};
    struct leader *leader = NULL;
    struct error err = {0};
    assert_int_equal(leader_start(&options, &leader, &err), 0);
    return leader;
}

static void test_lease(void **state)
{
    (void)state;
    struct trace one;
    struct trace two;
    trace_init(&one);
    trace_init(&two);
    struct leader *first = start_leader(&one, "first");
    assert_true(trace_wait(&one, "gained:0"));
    struct leader *second = start_leader(&two, "second");
    int64_t until_ms = clock_mono_ms(clock_real()) + 5000;
    struct stop pause;
    stop_init(&pause);
    /* Longer than the renew deadline: it has been renewed, and the other only looked. */
    while (clock_mono_ms(clock_real()) < until_ms) {
        assert_true(leader_ms_left(first) > 0);
        assert_int_equal(leader_ms_left(second), 0);
        stop_wait(&pause, 50);
    }
    stop_done(&pause);
    leader_free(first);
    int64_t released_ms = clock_mono_ms(clock_real());
    assert_true(trace_wait(&two, "gained:1"));
    assert_true(clock_mono_ms(clock_real()) - released_ms < 4000);
    assert_string_equal(buf_text(&one.text), "gained:0 lost ");
    leader_free(second);
    trace_done(&one);
    trace_done(&two);
}

/* Reads the Events of the object until one holds the text. */
static bool wait_for_event(const char *text)
{
    struct stop pause;
    stop_init(&pause);
    bool is_found = false;
    for (int tries = 0; tries < 200 && !is_found; tries++) {
        CLEANUP(buf_done) struct buf body;
        struct error err = {0};
        buf_init(&body, 1 << 20);
        if (kube_get(admin.client, "/apis/events.k8s.io/v1/namespaces/default/events", 0, &body, &err) < 0)
            fail_msg("%s", err.text);
        is_found = strstr(buf_text(&body), text) != NULL;
        stop_wait(&pause, 50);
    }
    stop_done(&pause);
    return is_found;
}

static void test_events(void **state)
{
    (void)state;
    static const struct event_source source = {"tee.dev/controller", "probe"};
    const struct event event = {.api_version = "tee.dev/v1alpha1",
                                .kind = "TeeDeployment",
                                .name_space = "default",
                                .name = "first",
                                .uid = "00000000-0000-0000-0000-000000000001",
                                .reason = "Launched",
                                .action = "Launch",
                                .note = "Instance i-1"};
    struct event_queue *queue = event_queue_start(controller.client, &source, NULL);
    event_queue_emit(queue, &event);
    assert_true(wait_for_event("\"note\":\"Instance i-1\""));
    event_queue_emit(queue, &event);
    assert_true(wait_for_event("\"series\":{\"count\":2,"));
    assert_int_equal(event_queue_get_dropped(queue), 0);
    event_queue_free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_and_watch), cmocka_unit_test(test_status_apply),
        cmocka_unit_test(test_finalizer),      cmocka_unit_test(test_denied),
        cmocka_unit_test(test_who_is_trusted), cmocka_unit_test(test_lease),
        cmocka_unit_test(test_events),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
