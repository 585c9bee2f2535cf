/* The enclave side of the ports: asks a host for its document and has it judged. */
#include "base/deadline.h"
#include "base/mem.h"
#include "controller.h"
#include "evidence/evidence_policy.h"
#include "evidence/evidence_status.h"
#include "nitro/attest.h"
#include "nitro/attest_fetch.h"
#include "reconcile/permits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void attest_means_init(struct attest_means *means)
{
    means->permits = permits_new(ATTEST_PERMITS, ATTEST_PERMITS_FAILING);
    mutex_init(&means->mutex);
    means->cache = attest_cache_new(ATTEST_CACHE_ENTRIES);
}

void attest_means_done(struct attest_means *means)
{
    while (means->idle_count > 0)
        http_client_free(means->idle[--means->idle_count]);
    attest_cache_free(means->cache);
    pthread_mutex_destroy(&means->mutex);
    permits_free(means->permits);
}

static struct http_client *take_client(struct attest_means *means)
{
    LOCK_SCOPE(&means->mutex);
    return means->idle_count > 0 ? means->idle[--means->idle_count] : NULL;
}

/* There are as many places as permits. */
static void keep_client(struct attest_means *means, struct http_client *client)
{
    LOCK_SCOPE(&means->mutex);
    means->idle[means->idle_count++] = client;
}

static int fill_policy(const struct controller *controller, const struct attest_request *request,
                       struct evidence_policy *ret_policy, struct error *err)
{
    const struct evidence_want want = {
        .spec = &request->effective->attestation,
        .roots = &controller->roots,
        .instance_id = request->host->id,
        .has_profile = request->has_profile,
        .allow_debug = controller->options->allow_debug && request->effective->debug_mode,
        .now_ms = clock_wall_ms(controller->clock),
    };
    int result = evidence_policy_fill(&want, ret_policy, err);
    ret_policy->policy.cache = controller->attest.cache;
    return result;
}

static int judge(struct controller *controller, const struct attest_request *request,
                 struct attest_evidence *evidence, struct attest_reply *ret_reply, struct error *err)
{
    CLEANUP(freep) struct evidence_policy *policy = mem_calloc(1, sizeof(*policy));
    if (fill_policy(controller, request, policy, err) < 0)
        return -1;
    attest_evidence_apply(evidence, &policy->policy);
    CLEANUP(freep) struct attest_result *result = mem_calloc(1, sizeof(*result));
    attest_verify(buf_text(&evidence->document), evidence->document.len, &policy->policy, result);
    evidence_status_fill(result, request->effective, request->arena, &ret_reply->verdict);
    ret_reply->has_document = true;
    ret_reply->document_len = evidence->document.len;
    ret_reply->document = mem_dup(buf_text(&evidence->document), evidence->document.len);
    return 0;
}

static void clear_reply(struct attest_reply *reply)
{
    *reply = (struct attest_reply){0};
}

/* An answer that breaks the protocol is a rejected document, not an absent one. */
static int malformed(struct attest_reply *reply, const struct attest_request *request,
                     const struct error *err)
{
    reply->has_document = true;
    reply->verdict = (struct tee_attestation_status){.verdict = "Rejected",
                                                     .reason = "MalformedDocument",
                                                     .message = arena_strdup(request->arena, err->text)};
    return 0;
}

static int take_answer(struct controller *controller, const struct attest_request *request,
                       struct attest_evidence *evidence, struct attest_reply *reply, struct error *err)
{
    reply->has_connected = true;
    if (evidence->answer == ATTEST_ANSWER_DOCUMENT)
        return judge(controller, request, evidence, reply, err);
    if (evidence->answer == ATTEST_ANSWER_BOOTING) {
        snprintf(reply->boot_phase, sizeof(reply->boot_phase), "%s", native_phase_name(evidence->boot.phase));
        reply->boot_seconds = evidence->boot.seconds;
        return error_set(err, ERROR_UNAVAILABLE, "Booting", "the host is still booting (phase %s)",
                         reply->boot_phase);
    }
    return error_set(err, ERROR_UNAVAILABLE, "Refused", "the host answered with HTTP status %ld",
                     evidence->status);
}

static int ask_host(struct controller *controller, const struct attest_request *request,
                    struct http_client *client, struct attest_reply *reply, struct error *err)
{
    const struct tee_attestation_spec *spec = &request->effective->attestation;
    struct attest_fetch fetch = {.protocol = evidence_protocol(spec),
                                 .address = request->host->private_ip,
                                 .port = (uint16_t)spec->port,
                                 .total_timeout_ms = deadline_cap_ms(ATTEST_TOTAL_TIMEOUT_MS),
                                 .stop = &controller->stop};
    struct attest_evidence evidence = {0};
    if (attest_fetch(client, &fetch, &evidence, err) < 0)
        return strcmp(err->reason, "MalformedDocument") == 0 ? malformed(reply, request, err) : -1;
    int result = take_answer(controller, request, &evidence, reply, err);
    attest_evidence_done(&evidence);
    return result;
}

/* An object without a verdict is as urgent as if it had been verified when its host was launched. */
static int64_t lapse_ms(const struct attest_request *request)
{
    int64_t valid_until_ms = request->object->status.attestation.valid_until_ms;
    if (valid_until_ms > 0)
        return valid_until_ms;
    return request->host->launch_ms + (int64_t)request->effective->attestation.valid_seconds * 1000;
}

static int attest(void *ctx, const struct attest_request *request, struct attest_reply *ret_reply,
                  struct error *err)
{
    struct controller *controller = ctx;
    struct attest_means *means = &controller->attest;
    struct permits_ask ask = {request->object->key, lapse_ms(request), clock_mono_ms(controller->clock)};
    int64_t retry_ms = 0;
    clear_reply(ret_reply);
    if (!permits_take(means->permits, &ask, &retry_ms)) {
        error_set(err, ERROR_THROTTLED, "NoPermit", "too many attestation requests are in flight");
        err->retry_after_ms = retry_ms;
        return -1;
    }
    struct http_client *client = take_client(means);
    if (!client)
        client = http_client_new();
    int result = ask_host(controller, request, client, ret_reply, err);
    keep_client(means, client);
    permits_return(means->permits, request->object->key, result < 0, clock_mono_ms(controller->clock));
    return result;
}

void attest_port_fill(struct controller *controller)
{
    controller->ports.attest = attest;
}
