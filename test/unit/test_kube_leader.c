/* Candidates against a fake Lease: who may act, and until when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fake_api.h"
#include "kube/json_scan.h"
#include "kube/leader.h"
#include "trace.h"

static const struct lease_times times = {3000, 1500, 200};

/* One Lease object; only the server's thread writes it, under its own lock. */
struct lease_api {
    char *spec; /* NULL: there is no object */
    int version;
    atomic_bool is_down;
    atomic_bool is_busy; /* and says for how long */
    atomic_bool steal;   /* the next write finds that somebody else took it */
    atomic_bool label;   /* the next write finds that somebody changed a label */
    atomic_bool mute;    /* the next write is done, but the answer says that it was not */
};

static struct fake_reply reply_lease(const struct lease_api *lease, int status)
{
    return (struct fake_reply){.status = status,
                               .body = mem_printf("{\"metadata\":{\"name\":\"lock\",\"namespace\":\"ns\","
                                                  "\"resourceVersion\":\"%d\"},\"spec\":%s}",
                                                  lease->version, lease->spec)};
}

static struct fake_reply write_lease(struct lease_api *lease, const char *body, bool is_create)
{
    struct json_span in = {body, strlen(body)};
    char version[32];
    json_span_copy(json_find(in, (const char *[]){"metadata", "resourceVersion", NULL}), version,
                   sizeof(version));
    if (is_create ? lease->spec != NULL : !lease->spec || atoll(version) != lease->version)
        return (struct fake_reply){.status = 409};
    struct json_span spec = json_find(in, (const char *[]){"spec", NULL});
    free(lease->spec);
    lease->spec = mem_strndup(spec.text, spec.len);
    lease->version++;
    return reply_lease(lease, is_create ? 201 : 200);
}

static struct fake_reply answer(void *ctx, const char *request)
{
    struct lease_api *lease = ctx;
    const char *body = strstr(request, "\r\n\r\n") + 4;
    if (atomic_load(&lease->is_down))
        return (struct fake_reply){.status = 503};
    if (atomic_load(&lease->is_busy))
        return (struct fake_reply){.status = 429, .headers = "Retry-After: 1\r\n"};
    if (strncmp(request, "GET ", 4) == 0)
        return lease->spec ? reply_lease(lease, 200) : (struct fake_reply){.status = 404};
    if (atomic_exchange(&lease->label, false))
        lease->version++;
    if (atomic_exchange(&lease->steal, false)) {
        free(lease->spec);
        lease->spec =
            mem_strdup("{\"holderIdentity\":\"thief\",\"leaseDurationSeconds\":1,\"leaseTransitions\":7}");
        lease->version++;
    }
    struct fake_reply reply = write_lease(lease, body, strncmp(request, "POST ", 5) == 0);
    if (!atomic_exchange(&lease->mute, false))
        return reply;
    free(reply.body);
    return (struct fake_reply){.status = 503};
}

struct candidate {
    struct trace *trace;
    const char *name;
    struct leader *leader;
};

static void on_gained(void *ctx, int64_t transitions)
{
    struct candidate *candidate = ctx;
    trace_add(candidate->trace, "%s+%d", candidate->name, (int)transitions);
}

static void on_lost(void *ctx)
{
    struct candidate *candidate = ctx;
    trace_add(candidate->trace, "%s-", candidate->name);
}

struct bed {
    struct lease_api lease;
    struct fake_api *api;
    struct kube_config config;
    struct trace trace;
};

static void bed_init(struct bed *bed)
{
    *bed = (struct bed){.lease = {.version = 1}};
    trace_init(&bed->trace);
    bed->api = fake_api_start(answer, &bed->lease);
    bed->config.server = mem_printf("http://127.0.0.1:%d", fake_api_get_port(bed->api));
}

static void bed_done(struct bed *bed)
{
    fake_api_stop(bed->api);
    kube_config_done(&bed->config);
    trace_done(&bed->trace);
    free(bed->lease.spec);
}

static void start(struct bed *bed, struct candidate *candidate, const char *name)
{
    *candidate = (struct candidate){.trace = &bed->trace, .name = name};
    const struct leader_options options = {.config = &bed->config,
                                           .name_space = "ns",
                                           .name = "lock",
                                           .identity = name,
                                           .times = times,
                                           .ctx = candidate,
                                           .gained = on_gained,
                                           .lost = on_lost};
    struct error err = {0};
    assert_int_equal(leader_start(&options, &candidate->leader, &err), 0);
}

static void test_second_takes_over_when_the_first_stops(void **state)
{
    (void)state;
    struct bed bed;
    struct candidate a;
    struct candidate b;
    bed_init(&bed);
    start(&bed, &a, "a");
    assert_true(trace_wait(&bed.trace, "a+0"));
    assert_in_range(leader_ms_left(a.leader), 1, times.renew_deadline_ms);
    start(&bed, &b, "b");
    assert_true(fake_api_wait(bed.api, 12));
    assert_string_equal(buf_text(&bed.trace.text), "a+0 ");
    assert_int_equal(leader_ms_left(b.leader), 0);
    assert_non_null(strstr(fake_api_get_request(bed.api, 0), "leader-election a\r\n"));
    leader_free(a.leader);
    assert_true(trace_wait(&bed.trace, "b+1"));
    assert_int_equal(leader_get_transitions(b.leader), 1);
    leader_free(b.leader);
    assert_string_equal(buf_text(&bed.trace.text), "a+0 a- b+1 b- ");
    assert_non_null(strstr(bed.lease.spec, "\"holderIdentity\":\"\",\"leaseDurationSeconds\":1"));
    bed_done(&bed);
}

static void test_an_outage_demotes_and_does_not_end(void **state)
{
    (void)state;
    struct bed bed;
    struct candidate a;
    bed_init(&bed);
    start(&bed, &a, "a");
    assert_true(trace_wait(&bed.trace, "a+0"));
    int64_t start_ms = clock_mono_ms(clock_real());
    atomic_store(&bed.lease.is_down, true);
    assert_true(trace_wait(&bed.trace, "a-"));
    assert_int_equal(leader_ms_left(a.leader), 0);
    assert_true(clock_mono_ms(clock_real()) - start_ms >= times.renew_deadline_ms - 2 * times.retry_ms);
    atomic_store(&bed.lease.is_down, false);
    assert_true(trace_wait(&bed.trace, "a- a+0"));
    assert_true(leader_ms_left(a.leader) > 0);
    leader_free(a.leader);
    bed_done(&bed);
}

/* Its own period is a fifth of what the server asks for. */
static void test_a_standby_waits_as_a_busy_server_says(void **state)
{
    (void)state;
    struct bed bed;
    struct candidate a;
    bed_init(&bed);
    atomic_store(&bed.lease.is_busy, true);
    int64_t start_ms = clock_mono_ms(clock_real());
    start(&bed, &a, "a");
    assert_true(fake_api_wait(bed.api, 3));
    assert_true(clock_mono_ms(clock_real()) - start_ms >= 2000);
    atomic_store(&bed.lease.is_busy, false);
    assert_true(trace_wait(&bed.trace, "a+0"));
    leader_free(a.leader);
    bed_done(&bed);
}

static void test_a_stolen_lease_ends_the_right_at_once(void **state)
{
    (void)state;
    struct bed bed;
    struct candidate a;
    bed_init(&bed);
    start(&bed, &a, "a");
    assert_true(trace_wait(&bed.trace, "a+0"));
    atomic_store(&bed.lease.steal, true);
    assert_true(trace_wait(&bed.trace, "a-"));
    assert_int_equal(leader_ms_left(a.leader), 0);
    /* The thief never renews: its second passes, and the lease is taken with a new transition number. */
    assert_true(trace_wait(&bed.trace, "a- a+8"));
    leader_free(a.leader);
    bed_done(&bed);
}

static void test_a_label_does_not_demote(void **state)
{
    (void)state;
    struct bed bed;
    struct candidate a;
    bed_init(&bed);
    start(&bed, &a, "a");
    assert_true(trace_wait(&bed.trace, "a+0"));
    size_t count = 2; /* a GET and a POST */
    atomic_store(&bed.lease.label, true);
    for (bool is_seen = false; !is_seen; count++) {
        assert_true(fake_api_wait(bed.api, count + 1));
        is_seen = strncmp(fake_api_get_request(bed.api, count), "GET ", 4) == 0;
    }
    assert_true(fake_api_wait(bed.api, count + 2));
    assert_true(leader_ms_left(a.leader) > 0);
    assert_string_equal(buf_text(&bed.trace.text), "a+0 ");
    leader_free(a.leader);
    bed_done(&bed);
}

/* A release that conflicts with another's write is looked into and tried once more. */
static void test_it_is_released_beside_other_writers(void **state)
{
    (void)state;
    struct bed bed;
    struct candidate a;
    bed_init(&bed);
    start(&bed, &a, "a");
    assert_true(trace_wait(&bed.trace, "a+0"));
    assert_true(fake_api_wait(bed.api, 3)); /* a renewal, behind which there is time for the rest */
    atomic_store(&bed.lease.label, true);
    leader_free(a.leader);
    assert_non_null(strstr(bed.lease.spec, "\"holderIdentity\":\"\""));
    bed_done(&bed);
}

/* The renewal before the stop was done, and had no answer. */
static void test_it_is_released_after_a_lost_answer(void **state)
{
    (void)state;
    struct bed bed;
    struct candidate a;
    bed_init(&bed);
    start(&bed, &a, "a");
    assert_true(trace_wait(&bed.trace, "a+0"));
    atomic_store(&bed.lease.mute, true);
    for (size_t count = 2; atomic_load(&bed.lease.mute); count++)
        assert_true(fake_api_wait(bed.api, count + 1));
    leader_free(a.leader);
    assert_non_null(strstr(bed.lease.spec, "\"holderIdentity\":\"\""));
    bed_done(&bed);
}

/* Nobody else's lease is touched. */
static void test_a_stolen_lease_is_not_released(void **state)
{
    (void)state;
    struct bed bed;
    struct candidate a;
    bed_init(&bed);
    start(&bed, &a, "a");
    assert_true(trace_wait(&bed.trace, "a+0"));
    atomic_store(&bed.lease.steal, true);
    leader_free(a.leader);
    assert_non_null(strstr(bed.lease.spec, "\"thief\""));
    bed_done(&bed);
}

static void test_identity_and_times(void **state)
{
    (void)state;
    CLEANUP(freep) char *one = leader_identity_new();
    CLEANUP(freep) char *two = leader_identity_new();
    assert_string_not_equal(one, two);
    assert_int_equal(strlen(strrchr(one, '_')), 37);
    struct leader *leader = NULL;
    struct error err = {0};
    const struct leader_options options = {.times = {10000, 10000, 2000}};
    assert_int_equal(leader_start(&options, &leader, &err), -1);
    assert_string_equal(err.reason, "BadLeaseTimes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_takes_over_when_the_first_stops),
        cmocka_unit_test(test_an_outage_demotes_and_does_not_end),
        cmocka_unit_test(test_a_standby_waits_as_a_busy_server_says),
        cmocka_unit_test(test_a_stolen_lease_ends_the_right_at_once),
        cmocka_unit_test(test_a_label_does_not_demote),
        cmocka_unit_test(test_it_is_released_beside_other_writers),
        cmocka_unit_test(test_it_is_released_after_a_lost_answer),
        cmocka_unit_test(test_a_stolen_lease_is_not_released),
        cmocka_unit_test(test_identity_and_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
