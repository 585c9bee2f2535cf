/* One loop: decide, one request, remember. The fast path is a PUT with the resourceVersion of the last
 * answer; any failure that may mean "the object is not what we think" is followed by a GET. */
#include "kube/leader.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"

#include <openssl/rand.h>
#include <string.h>

static const struct log logger = LOG_ROOT("lease");

enum { STEP_CALLS = 3, MIN_CALL_MS = 1000, MAX_LEASE_BYTES = 256 * 1024, RELEASE_TRIES = 2 };

struct leader {
    struct leader_options options;
    struct kube_client *client;
    char *agent_suffix;
    char *collection_path;
    char *path;
    struct lease_view view;
    int64_t pause_ms; /* that a busy server asked for in this step */
    bool is_leading;  /* of the thread; what others see is until_ms */
    struct stop stop;
    pthread_t thread;
    atomic_int_least64_t until_ms;
    atomic_int_least64_t transitions;
};

static int64_t now_mono_ms(void)
{
    return clock_mono_ms(clock_real());
}

int64_t leader_ms_left(const struct leader *leader)
{
    int64_t left_ms = atomic_load(&leader->until_ms) - now_mono_ms();
    return left_ms > 0 ? left_ms : 0;
}

int64_t leader_get_transitions(const struct leader *leader)
{
    return atomic_load(&leader->transitions);
}

static int64_t get_call_timeout(const struct leader *leader)
{
    int64_t half_ms = leader->options.times.renew_deadline_ms / 2;
    return half_ms > MIN_CALL_MS ? half_ms : MIN_CALL_MS;
}

static int64_t get_call_deadline(const struct leader *leader)
{
    return now_mono_ms() + get_call_timeout(leader);
}

/* Sends the record, or a GET for NULL, and keeps the answer in the view. */
static int call(struct leader *leader, const struct lease_record *record, int64_t deadline_ms,
                struct error *err)
{
    CLEANUP(buf_done) struct buf body;
    CLEANUP(buf_done) struct buf answer;
    buf_init(&body, MAX_LEASE_BYTES);
    buf_init(&answer, MAX_LEASE_BYTES);
    struct kube_request request = {.method = "GET", .path = leader->path, .deadline_ms = deadline_ms};
    if (record) {
        lease_encode(record, leader->options.name_space, leader->options.name, &body);
        request.method = record->metadata ? "PUT" : "POST";
        request.path = record->metadata ? leader->path : leader->collection_path;
        request.content_type = "application/json";
        request.body = buf_text(&body);
        request.body_len = body.len;
    }
    struct lease_record seen = {0};
    if (kube_perform(leader->client, &request, &answer, err) < 0 ||
        lease_decode(buf_text(&answer), answer.len, &seen, err) < 0) {
        leader->pause_ms = err->retry_after_ms;
        return -1;
    }
    lease_view_observe(&leader->view, &seen, now_mono_ms());
    return 0;
}

static void lose(struct leader *leader)
{
    atomic_store(&leader->until_ms, 0);
    if (!leader->is_leading)
        return;
    leader->is_leading = false;
    leader->options.lost(leader->options.ctx);
}

static void hold_until(struct leader *leader, int64_t until_ms)
{
    atomic_store(&leader->transitions, leader->view.record.transitions);
    atomic_store(&leader->until_ms, until_ms);
    if (leader->is_leading)
        return;
    leader->is_leading = true;
    leader->options.gained(leader->options.ctx, leader->view.record.transitions);
}

static void look(struct leader *leader, int64_t deadline_ms)
{
    struct error err = {0};
    if (call(leader, NULL, deadline_ms, &err) == 0)
        return;
    if (err.kind == ERROR_ABSENT) {
        lease_view_observe(&leader->view, NULL, now_mono_ms());
        return;
    }
    log_debug(&logger, "Lease call failed", STR("reason", err.reason), STR("error", err.text));
}

/* "Somebody else wrote" may be a label as well as a new holder: the object tells, at once. Where the outcome
 * of our write is unknown, the right to act lasts as long as it was granted and the next step asks. */
static void on_failure(struct leader *leader, const struct error *err)
{
    log_debug(&logger, "Lease call failed", STR("reason", err->reason), STR("error", err->text));
    leader->view.is_known = false;
    if (err->kind != ERROR_CONFLICT && err->kind != ERROR_ABSENT)
        return;
    look(leader, get_call_deadline(leader));
    const struct lease_view *view = &leader->view;
    if (view->is_known && (view->is_absent || strcmp(view->record.holder, leader->options.identity) != 0))
        atomic_store(&leader->until_ms, 0);
}

static void hold(struct leader *leader)
{
    struct error err = {0};
    CLEANUP(lease_record_done)
    struct lease_record record = lease_plan_hold(&leader->view, leader->options.identity,
                                                 &leader->options.times, clock_wall_ms(clock_real()));
    int64_t sent_ms = now_mono_ms();
    if (call(leader, &record, get_call_deadline(leader), &err) < 0)
        on_failure(leader, &err);
    else
        hold_until(leader, sent_ms + leader->options.times.renew_deadline_ms);
}

/* 0.4 to 0.8 of the retry period: a release is seen within that period, and candidates do not ask in step. */
static int64_t get_jittered_retry(const struct leader *leader)
{
    uint32_t random = 0;
    RAND_bytes((unsigned char *)&random, sizeof(random));
    uint64_t part_ms = (uint64_t)leader->options.times.retry_ms * 4 / 10;
    return (int64_t)(part_ms + (part_ms * random >> 32));
}

/* Who holds the lease asks a busy server all the same, for he would lose it; another waits as he is told, up
 * to the time that a lease lasts. */
static int64_t get_standby_wait(const struct leader *leader)
{
    int64_t retry_ms = get_jittered_retry(leader);
    int64_t duration_ms = leader->options.times.duration_ms;
    int64_t pause_ms = leader->pause_ms < duration_ms ? leader->pause_ms : duration_ms;
    return pause_ms > retry_ms ? pause_ms : retry_ms;
}

/* One decision; yields how long to wait before the next. */
static int64_t step(struct leader *leader)
{
    int64_t wait_ms = 0;
    const struct lease_times *times = &leader->options.times;
    leader->pause_ms = 0;
    if (!leader->view.is_known)
        look(leader, get_call_deadline(leader));
    enum lease_action action =
        lease_decide(&leader->view, leader->options.identity, times, now_mono_ms(), &wait_ms);
    if (action == LEASE_CREATE || action == LEASE_ACQUIRE || action == LEASE_RENEW)
        hold(leader);
    else if (action == LEASE_WAIT)
        leader->view.is_known = false;
    if (leader_ms_left(leader) == 0)
        lose(leader);
    if (action == LEASE_WAIT && wait_ms < times->retry_ms)
        return wait_ms;
    return leader->is_leading ? times->retry_ms : get_standby_wait(leader);
}

/* Gives it up if it is still ours, which is looked at where it is not known; -1 = it may still be. */
static int try_release(struct leader *leader, int64_t deadline_ms)
{
    struct lease_view *view = &leader->view;
    struct error err = {0};
    if (!view->is_known)
        look(leader, deadline_ms);
    if (!view->is_known)
        return -1;
    if (view->is_absent || strcmp(view->record.holder, leader->options.identity) != 0)
        return 0;
    CLEANUP(lease_record_done)
    struct lease_record record = lease_plan_release(view, clock_wall_ms(clock_real()));
    if (call(leader, &record, deadline_ms, &err) == 0)
        return 0;
    log_debug(&logger, "Lease was not released", STR("reason", err.reason), STR("error", err.text));
    view->is_known = false;
    return -1;
}

/* A second time where somebody else wrote meanwhile, be it a label, and where our last renewal had no answer.
 */
static void release(struct leader *leader)
{
    bool was_leading = leader->is_leading;
    int64_t left_ms = leader_ms_left(leader);
    int64_t retry_ms = leader->options.times.retry_ms;
    int64_t deadline_ms = now_mono_ms() + (left_ms < retry_ms ? left_ms : retry_ms);
    lose(leader);
    for (int tries = 0; was_leading && tries < RELEASE_TRIES; tries++)
        if (try_release(leader, deadline_ms) == 0)
            break;
}

/* While leading, no wait goes past the time that is left: the loss is noticed when it happens. */
static void *run(void *ctx)
{
    struct leader *leader = ctx;
    struct heartbeat *heartbeat = heartbeat_join(leader->options.heartbeats, "leader");
    while (!stop_is_requested(&leader->stop)) {
        heartbeat_promise(heartbeat, STEP_CALLS * get_call_timeout(leader));
        int64_t wait_ms = step(leader);
        int64_t left_ms = leader_ms_left(leader);
        if (leader->is_leading && left_ms < wait_ms)
            wait_ms = left_ms;
        heartbeat_promise(heartbeat, wait_ms);
        stop_wait(&leader->stop, wait_ms > 0 ? wait_ms : 1);
        if (leader->is_leading && leader_ms_left(leader) == 0)
            lose(leader);
    }
    release(leader);
    heartbeat_leave(heartbeat);
    return NULL;
}

int leader_start(const struct leader_options *options, struct leader **ret_leader, struct error *err)
{
    static const struct kube_resource leases = {"coordination.k8s.io", "v1", "leases"};
    if (lease_times_check(&options->times, err) < 0)
        return -1;
    struct leader *leader = mem_calloc(1, sizeof(*leader));
    leader->options = *options;
    leader->agent_suffix = mem_printf("leader-election %s", options->identity);
    leader->collection_path = kube_path(&leases, options->name_space, NULL);
    leader->path = kube_path(&leases, options->name_space, options->name);
    leader->client = kube_client_new(&(struct kube_client_options){.config = options->config,
                                                                   .clock = clock_real(),
                                                                   .credentials = options->credentials,
                                                                   .is_urgent = true,
                                                                   .agent_suffix = leader->agent_suffix,
                                                                   .observe = options->observe,
                                                                   .ctx = options->ctx});
    stop_init(&leader->stop);
    leader->thread = thread_start("leader", run, leader);
    *ret_leader = leader;
    return 0;
}

struct leader *leader_free(struct leader *leader)
{
    if (!leader)
        return NULL;
    stop_request(&leader->stop);
    thread_join(leader->thread);
    stop_done(&leader->stop);
    kube_client_free(leader->client);
    lease_view_done(&leader->view);
    free(leader->agent_suffix);
    free(leader->collection_path);
    free(leader->path);
    free(leader);
    return NULL;
}

char *leader_identity_new(void)
{
    char host[256] = "";
    char id[UUID_TEXT_SIZE];
    gethostname(host, sizeof(host) - 1);
    host[63] = '\0';
    uuid_make(id);
    return mem_printf("%s_%s", host, id);
}
