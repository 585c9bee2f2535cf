/* The effect of PLAN_PREFLIGHT: facts, then the dry run, which draws on the bucket of RunInstances and is
 * therefore made only of what the facts do not rule out. */
#include "reconcile/ledger.h"
#include "reconcile/pass.h"

#include <string.h>

/* Where the dry run is made: the first subnet with room, as far as that is known. */
static const char *choose_subnet(const struct tee_instance_spec *instance, const struct launch_facts *facts)
{
    for (size_t i = 0; i < facts->subnet_count && i < instance->subnet_count; i++)
        if (facts->subnets[i].free_addresses > 0)
            return instance->subnet_ids[i];
    return instance->subnet_count > 0 ? instance->subnet_ids[0] : NULL;
}

/* An attempt of the number 0 never exists, so that no launch is ever made under the token of a dry run. */
static int ask(struct pass *pass, struct preflight *ret_result, struct error *err)
{
    const struct ports *ports = pass->options->ports;
    const struct preflight_subject subject = {&pass->want->spec, &pass->effective, &pass->arena};
    struct launch_request request = {.object = pass->want,
                                     .effective = &pass->effective,
                                     .hash = pass->in.hash,
                                     .hash_version = LAUNCH_HASH_VERSION,
                                     .cluster_id = pass->options->config->cluster_id};
    struct launch_facts facts = {0};
    struct dry_run_reply reply = {0};
    struct error refusal = {0};
    char token[SHA256_HEX_SIZE];
    if (ports->preflight_describe(ports->ctx, &request, &facts, err) < 0)
        return -1;
    preflight_judge_facts(&subject, &facts, ret_result);
    if (ret_result->state != PREFLIGHT_PASSED)
        return 0;
    request.subnet_id = choose_subnet(&pass->effective.instance, &facts);
    const struct ledger_call call = {.cluster_id = request.cluster_id,
                                     .deployment_id = pass->want->deployment_id,
                                     .hash = pass->in.hash,
                                     .type = pass->effective.instance.instance_type,
                                     .subnet = request.subnet_id};
    ledger_token(&call, token);
    request.token = token;
    if (ports->preflight_dry_run(ports->ctx, &request, &reply, &refusal) < 0 &&
        (refusal.kind == ERROR_STOPPED || reply.is_held)) {
        *err = refusal;
        return -1;
    }
    preflight_judge_dry_run(&subject, &refusal, reply.detail, ret_result);
    return 0;
}

/* Told once for each change, by the object that found it out. */
static void tell(const struct pass *pass, const struct preflight *before, const struct preflight *result)
{
    const char *reason = result->state == PREFLIGHT_REFUSED ? "Invalid" : "LaunchFailed";
    bool is_news = before->state != result->state || strcmp(before->reason, result->reason) != 0;
    if (!is_news || result->state == PREFLIGHT_PASSED || result->state == PREFLIGHT_INCONCLUSIVE)
        return;
    if (strcmp(result->reason, "InsufficientCapacity") == 0)
        reason = "CapacityShort";
    log_warn(&pass->log, "Launch is not possible", STR("reason", result->reason), STR("text", result->text));
    pass_event(pass, "Warning", reason, result->text);
}

int effect_preflight(struct pass *pass, struct error *err)
{
    const struct ports *ports = pass->options->ports;
    const struct preflight before = pass->seen.preflight; /* its texts are the arena's */
    struct preflight result = {0};
    if (ports->lease_left_ms(ports->ctx) < pass->options->config->lease_min_ms) {
        pass->wait_ms = PASS_WAIT_MS;
        return error_set(err, ERROR_STOPPED, "NotLeading", "too little of the lease is left");
    }
    if (!preflight_cache_begin(pass->preflights, pass_launch_key(pass))) {
        pass->wait_ms = PASS_WAIT_MS; /* another object is asking the same */
        return 0;
    }
    uint64_t keys = ports->keys_stamp(ports->ctx);
    if (ask(pass, &result, err) < 0) {
        preflight_cache_end(pass->preflights, pass->launch_key, NULL);
        pass->keeps_request = true;
        return -1;
    }
    preflight_schedule(&before, pass->now.mono_ms, &result);
    result.keys = keys;
    preflight_cache_end(pass->preflights, pass->launch_key, &result);
    tell(pass, &before, &result);
    pass->keeps_request = result.state == PREFLIGHT_PASSED;
    pass->plan.look_again_ms = 0;
    return 0;
}
