/* PLAN_RESTORE_IDENTITY, and what adoption shares with it. */
#include "reconcile/identity.h"
#include "reconcile/pass.h"

#include <stdio.h>

int pass_tag_identity(struct pass *pass, const struct host *host, struct error *err)
{
    const struct ports *ports = pass->options->ports;
    char id[HOST_ID_SIZE];
    snprintf(id, sizeof(id), "%s", host->id);
    const struct tee_tag tags[] = {
        {"Name", arena_printf(&pass->arena, "tee-%s", pass->want->deployment_id)},
        {"tee-deployment-id", pass->want->deployment_id},
        {"tee-cluster-id", pass->options->config->cluster_id},
        {"tee-namespace", pass->want->name_space},
        {"tee-name", pass->want->name},
        {host->is_retained ? "tee-retained" : NULL, "false"},
        {NULL, NULL},
    };
    if (ports->tag_host(ports->ctx, id, tags, err) < 0)
        return error_wrap(err, "tagging %s", id);
    pass_await(pass, id);
    return 0;
}

/* A refusal is told and does not keep the host from being looked after: it is known by the ledger. */
int effect_restore_identity(struct pass *pass, struct error *err)
{
    char keys[IDENTITY_TEXT_MAX];
    const struct host host = *pass->plan.host;
    identity_is_edited(&pass->in, &host, keys);
    if (pass_check_fence(pass, err) < 0)
        return -1;
    pass->memory->identity_tried_ms = pass->now.mono_ms;
    pass->plan.look_again_ms = 1000;
    struct error refused = {0};
    if (pass_tag_identity(pass, &host, &refused) == 0) {
        pass_event(pass, "Warning", "IdentityRestored",
                   arena_printf(&pass->arena, "Tags of instance %s were edited and are put back: %s", host.id,
                                keys));
        return 0;
    }
    log_warn(&pass->log, "Identity tags were not put back", STR("instance", host.id),
             STR("error", refused.text));
    pass_event(pass, "Warning", "IdentityLost",
               arena_printf(&pass->arena, "Tags of instance %s were edited and cannot be put back (%s): %s",
                            host.id, keys, refused.text));
    return 0;
}
