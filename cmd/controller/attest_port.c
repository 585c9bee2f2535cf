/* The enclave side of the ports: asks a host for its document and has it judged. */
#include "base/mem.h"
#include "controller.h"
#include "evidence/evidence_policy.h"
#include "evidence/evidence_status.h"
#include "nitro/attest.h"
#include "nitro/attest_fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PERMITS = 12, PERMITS_FAILING = 4 };

void attest_permits_init(struct attest_permits *permits)
{
    mutex_init(&permits->mutex);
    hmap_init(&permits->failing);
}

void attest_permits_done(struct attest_permits *permits)
{
    while (permits->idle_count > 0)
        http_client_free(permits->idle[--permits->idle_count]);
    hmap_done(&permits->failing, NULL);
    pthread_mutex_destroy(&permits->mutex);
}

/* Hosts that did not answer last time share a few permits, so that dead ones cannot starve the others. */
static bool take_permit(struct attest_permits *permits, const char *key, bool *ret_failing,
                        struct http_client **ret_client)
{
    LOCK_SCOPE(&permits->mutex);
    *ret_failing = hmap_get(&permits->failing, key) != NULL;
    if (permits->in_flight >= PERMITS || (*ret_failing && permits->failing_in_flight >= PERMITS_FAILING))
        return false;
    permits->in_flight++;
    permits->failing_in_flight += *ret_failing ? 1 : 0;
    *ret_client = permits->idle_count > 0 ? permits->idle[--permits->idle_count] : NULL;
    return true;
}

static void return_permit(struct attest_permits *permits, const char *key, bool failing, bool has_failed,
                          struct http_client *client)
{
    LOCK_SCOPE(&permits->mutex);
    permits->in_flight--;
    permits->failing_in_flight -= failing ? 1 : 0;
    permits->idle[permits->idle_count++] = client;
    if (has_failed)
        hmap_set(&permits->failing, key, permits);
    else
        hmap_remove(&permits->failing, key);
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
    return evidence_policy_fill(&want, ret_policy, err);
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

static int ask(struct controller *controller, const struct attest_request *request,
               struct http_client *client, struct attest_reply *reply, struct error *err)
{
    const struct tee_attestation_spec *spec = &request->effective->attestation;
    struct attest_fetch fetch = {.protocol = evidence_protocol(spec),
                                 .address = request->host->private_ip,
                                 .port = (uint16_t)spec->port,
                                 .stop = &controller->stop};
    struct attest_evidence evidence = {0};
    if (attest_fetch(client, &fetch, &evidence, err) < 0)
        return strcmp(err->reason, "MalformedDocument") == 0 ? malformed(reply, request, err) : -1;
    int result = take_answer(controller, request, &evidence, reply, err);
    attest_evidence_done(&evidence);
    return result;
}

static int attest(void *ctx, const struct attest_request *request, struct attest_reply *ret_reply,
                  struct error *err)
{
    struct controller *controller = ctx;
    struct http_client *client = NULL;
    bool failing = false;
    clear_reply(ret_reply);
    if (!take_permit(&controller->permits, request->object->key, &failing, &client))
        return error_set(err, ERROR_THROTTLED, "NoPermit", "too many attestation requests are in flight");
    if (!client)
        client = http_client_new();
    int result = ask(controller, request, client, ret_reply, err);
    return_permit(&controller->permits, request->object->key, failing, result < 0, client);
    return result;
}

void attest_port_fill(struct controller *controller)
{
    controller->ports.attest = attest;
}
