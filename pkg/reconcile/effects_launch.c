/* PLAN_RECORD_ATTEMPT, PLAN_RUN, PLAN_LOOK_UP and PLAN_FIND_ADOPTABLE: how an object comes by its host. */
#include "reconcile/identity.h"
#include "reconcile/ledger.h"
#include "reconcile/pass.h"

#include <stdio.h>
#include <string.h>

/* EC2's code for why the ledger's host ended, or NULL. */
static const char *end_code(struct pass *pass, const struct ledger *ledger)
{
    const struct host *host = observed_find(&pass->seen, ledger->instance_id);
    return host && host->state_reason[0] ? arena_strdup(&pass->arena, host->state_reason) : NULL;
}

/* EC2 may find out after it answered that it has no room: that moves on to the next subnet like a refusal. */
static void close_ended(struct pass *pass, struct ledger *ledger)
{
    const char *code = end_code(pass, ledger);
    bool is_short = code && strcmp(code, "Server.InsufficientInstanceCapacity") == 0;
    if (is_short)
        capacity_note(pass->capacity, pass->effective.instance.instance_type, ledger->subnet_id,
                      pass->now.mono_ms);
    ledger_close(ledger, is_short ? "InsufficientCapacity" : "Terminated", code, pass->now.wall_ms);
}

/* The entry goes out with this pass's status; RunInstances follows in a later pass, if it is still there
 * then. */
int effect_record_attempt(struct pass *pass, struct error *err)
{
    if (pass_check_fence(pass, err) < 0)
        return -1;
    struct ledger ledger = pass->next.status.launch;
    if (ledger.token || ledger.instance_id)
        close_ended(pass, &ledger);
    struct ledger_launch launch = {.want = &pass->next,
                                   .effective = &pass->effective,
                                   .cluster_id = pass->options->config->cluster_id,
                                   .short_mask = pass->seen.capacity.short_mask,
                                   .wall_ms = pass->now.wall_ms};
    ledger_begin(&ledger, &launch, &pass->arena);
    if (!fleet_admit(pass->fleet, pass->want->deployment_id, pass->now)) {
        pass->wait_ms = PASS_WAIT_MS; /* others were quicker; the next pass sees and says it */
        return 0;
    }
    pass->next.status.launch = ledger;
    pass->memory->is_token_spent = false;
    pass->memory->is_unsent = true;
    pass->memory->launch_error[0] = '\0';
    pass->memory->found.id[0] = '\0';
    return 0;
}

static void remember_found(struct pass *pass, const struct host *host)
{
    pass->memory->found = *host;
    pass->memory->found.state_since_ms = pass->now.mono_ms;
}

/* What a refusal makes of the attempt: a word if it is certainly over, NULL if its outcome is open. */
static const char *refusal(const struct error *err)
{
    switch (err->kind) {
    case ERROR_INVALID: return "Invalid";
    case ERROR_ABSENT: return "Invalid"; /* a subnet, key or group that does not exist */
    case ERROR_DENIED: return "Unauthorized";
    case ERROR_CAPACITY: return "InsufficientCapacity";
    case ERROR_QUOTA: return "QuotaExceeded";
    case ERROR_CONFLICT:
        return strcmp(err->reason, "IdempotentInstanceTerminated") == 0 ? "Terminated" : NULL;
    case ERROR_NONE:
    case ERROR_THROTTLED:
    case ERROR_UNAVAILABLE:
    case ERROR_UNTRUSTED:
    case ERROR_STOPPED:
    case ERROR_KIND_COUNT: break;
    }
    return NULL;
}

/* An earlier call under the token may have launched, whose answer was lost; then EC2 would still check rights
 * and parameters first, and only then find the token. Where it looked for room, it had found none. */
static bool may_have_launched(const struct pass *pass, const struct error *err)
{
    return !pass->memory->is_unsent && err->kind != ERROR_CAPACITY && err->kind != ERROR_CONFLICT;
}

/* Whether there is an instance is left to look-ups. */
static int leave_to_look_ups(struct pass *pass, const struct error *err)
{
    pass->memory->is_token_spent = true;
    pass->plan.look_again_ms = 1000;
    log_warn(&pass->log, "Launch was refused after a call without an answer", STR("error", err->text));
    return 0;
}

/* The attempt is certainly over. */
static int close_attempt(struct pass *pass, const char *result, struct error *err)
{
    bool is_short = err->kind == ERROR_CAPACITY;
    if (is_short)
        capacity_note(pass->capacity, pass->effective.instance.instance_type,
                      pass->next.status.launch.subnet_id, pass->now.mono_ms);
    fleet_release(pass->fleet, pass->want->deployment_id);
    if (err->kind == ERROR_DENIED || err->kind == ERROR_INVALID || err->kind == ERROR_ABSENT)
        preflight_cache_forget(pass->preflights, pass_launch_key(pass)); /* RunInstances has the last word */
    struct ledger *ledger = &pass->next.status.launch;
    ledger_close(ledger, result, arena_strdup(&pass->arena, err->text), pass->now.wall_ms);
    if (strcmp(result, "Invalid") == 0)
        ledger->history[ledger->history_count - 1].generation = pass->want->generation;
    log_warn(&pass->log, "Launch was refused", STR("result", result), STR("error", err->text));
    pass_event(pass, "Warning", is_short ? "CapacityShort" : "LaunchFailed", err->text);
    pass->plan.look_again_ms = 1000;
    return 0;
}

static int launch_failed(struct pass *pass, struct error *err)
{
    const char *result = refusal(err);
    if (strncmp(err->reason, "IdempotentParameterMismatch", strlen("IdempotentParameterMismatch")) == 0)
        pass->memory->is_token_spent = true;
    if (!result) {
        pass->memory->is_unsent = pass->memory->is_unsent && err->kind == ERROR_THROTTLED;
        snprintf(pass->memory->launch_error, sizeof(pass->memory->launch_error), "%.*s",
                 (int)sizeof(pass->memory->launch_error) - 1, err->text);
        return error_wrap(err, "launching");
    }
    if (may_have_launched(pass, err))
        return leave_to_look_ups(pass, err);
    return close_attempt(pass, result, err);
}

/* Nothing was launched: the attempt's token stands for an instance that is not ours. */
static int refuse_id(struct pass *pass, const char *instance_id)
{
    struct error taken;
    error_set(&taken, ERROR_INVALID, "DeploymentIDTaken",
              "spec.deploymentID: instance %s has this id and is another object's", instance_id);
    return close_attempt(pass, "Invalid", &taken);
}

/* The same id, spec and attempt make the same token, for which EC2 gives the instance that it has. An answer
 * without tags says nothing. */
static bool is_taken(const struct pass *pass, const struct host *host)
{
    return host->name_digest != 0 && host->name_digest != identity_digest("", "") &&
           identity_is_of_another(pass->options->config, pass->want, host);
}

int effect_run_host(struct pass *pass, struct error *err)
{
    if (pass_check_fence(pass, err) < 0)
        return -1;
    const struct ledger *ledger = &pass->next.status.launch;
    struct launch_request request = {.object = pass->want,
                                     .effective = &pass->effective,
                                     .token = ledger->token,
                                     .subnet_id = ledger->subnet_id,
                                     .hash = ledger->hash,
                                     .hash_version = ledger->hash_version,
                                     .cluster_id = pass->options->config->cluster_id};
    struct host host = {0};
    if (pass->options->ports->run_host(pass->options->ports->ctx, &request, &host, err) < 0)
        return launch_failed(pass, err); /* an open outcome is resolved by the same call: row 6 */
    if (is_taken(pass, &host))
        return refuse_id(pass, host.id);
    remember_found(pass, &host);
    pass_await(pass, host.id);
    log_info(&pass->log, "Instance was launched", STR("instance", host.id), INT("attempt", ledger->attempt));
    pass_event(pass, "Normal", "Launched", arena_printf(&pass->arena, "Launched instance %s", host.id));
    return 0;
}

/* A token cannot be changed, as a tag can, and ours stands for our cluster. */
static bool has_our_token(const struct pass *pass, const struct host *host)
{
    char token[SHA256_HEX_SIZE];
    const struct ledger *ledger = &pass->want->status.launch;
    const struct ledger_call call = {.cluster_id = pass->options->config->cluster_id,
                                     .deployment_id = pass->want->deployment_id,
                                     .hash = ledger->hash ? ledger->hash : "",
                                     .type = host->type,
                                     .subnet = ledger->subnet_id,
                                     .attempt = ledger->attempt};
    ledger_token(&call, token);
    return strcmp(host->token, token) == 0;
}

/* A host that names another cluster is that one's, whatever a restored status says; adoption takes it. */
static bool is_for_us(const struct pass *pass, enum find_by by, const struct host *host)
{
    if (by == FIND_FOR_ADOPTION)
        return identity_is_adoptable(pass->options->config, pass->want, host);
    if (identity_is_of_another(pass->options->config, pass->want, host))
        return false;
    return !host->cluster_id[0] || strcmp(host->cluster_id, pass->options->config->cluster_id) == 0 ||
           has_our_token(pass, host);
}

/* EC2 shows a terminated host for an hour: one of an earlier attempt says nothing of this one. */
static bool is_past(const struct ledger *ledger, const struct host *host)
{
    bool is_named = ledger->instance_id && strcmp(ledger->instance_id, host->id) == 0;
    bool has_token = ledger->token && strcmp(ledger->token, host->token) == 0;
    return !host_is_live(host) && !is_named && !has_token;
}

/* Alive before dead, then the older. */
static bool is_better(const struct host *a, const struct host *b)
{
    return host_is_live(a) != host_is_live(b) ? host_is_live(a) : a->launch_ms < b->launch_ms;
}

struct find_result {
    bool found;
    char taken_id[HOST_ID_SIZE];
};

/* Asks EC2 one thing; the best host found goes into the memory. taken_id: the last one that is another
 * object's. */
static int find_one(struct pass *pass, enum find_by by, const char *value, struct find_result *ret_result,
                    struct error *err)
{
    struct host hosts[HOSTS_MAX];
    size_t count = 0;
    struct find_request request = {.by = by, .value = value, .object = pass->want};
    if (pass->options->ports->find_hosts(pass->options->ports->ctx, &request, hosts, &count, err) < 0)
        return error_wrap(err, "looking up '%s'", value);
    for (size_t i = 0; i < count; i++) {
        if (by != FIND_FOR_ADOPTION && is_taken(pass, &hosts[i]))
            snprintf(ret_result->taken_id, sizeof(ret_result->taken_id), "%s", hosts[i].id);
        else if (is_for_us(pass, by, &hosts[i]) && !is_past(&pass->want->status.launch, &hosts[i]) &&
                 (!ret_result->found || is_better(&hosts[i], &pass->memory->found))) {
            remember_found(pass, &hosts[i]);
            ret_result->found = true;
        }
    }
    return 0;
}

/* By id, by token and by tag: absence is never concluded from one kind of answer. Another host under the tag
 * is no sign of the one that is looked for. */
int effect_look_up(struct pass *pass, struct error *err)
{
    const struct ledger *ledger = &pass->want->status.launch;
    const char *id = ledger->instance_id;
    const char *subject = id ? id : ledger->token;
    struct find_result result = {0};
    if (!subject)
        return 0;
    if (id && find_one(pass, FIND_BY_ID, id, &result, err) < 0)
        return -1;
    if (!result.found && ledger->token && find_one(pass, FIND_BY_TOKEN, ledger->token, &result, err) < 0)
        return -1;
    if (!id && !result.found && result.taken_id[0])
        return refuse_id(pass, result.taken_id);
    if (!result.found && find_one(pass, FIND_BY_DEPLOYMENT_TAG, pass->want->deployment_id, &result, err) < 0)
        return -1;
    bool is_subject = result.found && (!id || strcmp(pass->memory->found.id, id) == 0);
    lookups_note(&pass->memory->lookups, subject, is_subject, pass->now.mono_ms);
    pass->plan.look_again_ms = 1000;
    return 0;
}

static int take_over(struct pass *pass, const struct host *host, struct error *err)
{
    if (strcmp(host->cluster_id, pass->options->config->cluster_id) == 0 &&
        strcmp(host->deployment_id, pass->want->deployment_id) == 0 &&
        !identity_is_of_another(pass->options->config, pass->want, host))
        return 0;
    return pass_tag_identity(pass, host, err);
}

int effect_adopt(struct pass *pass, struct error *err)
{
    if (pass_check_fence(pass, err) < 0)
        return -1;
    struct find_result result = {0};
    if (find_one(pass, FIND_FOR_ADOPTION, pass->want->deployment_id, &result, err) < 0)
        return -1;
    bool is_found = result.found && host_is_live(&pass->memory->found);
    lookups_note(&pass->memory->lookups, ADOPTION_SUBJECT, is_found, pass->now.mono_ms);
    pass->plan.look_again_ms = 1000;
    if (!is_found) {
        pass->memory->found.id[0] = '\0';
        return 0;
    }
    const struct host *host = &pass->memory->found;
    if (take_over(pass, host, err) < 0) { /* it is not ours yet: found, it would count as launched */
        pass->memory->found.id[0] = '\0';
        return -1;
    }
    struct ledger *ledger = &pass->next.status.launch;
    ledger->instance_id = arena_strdup(&pass->arena, host->id);
    ledger->result = "Adopted";
    ledger->hash = arena_strdup(&pass->arena, pass->in.hash);
    ledger->hash_version = LAUNCH_HASH_VERSION;
    ledger->started_ms = host->launch_ms;
    pass_event(pass, "Normal", "Adopted", arena_printf(&pass->arena, "Adopted instance %s", host->id));
    return 0;
}
