/* See identity.h. */
#include "reconcile/identity.h"

#include "base/fnv.h"

#include <stdio.h>
#include <string.h>

uint32_t identity_digest(const char *name_space, const char *name)
{
    uint32_t hash = fnv32(fnv32(FNV32_START, name_space), name);
    return hash ? hash : 1;
}

uint32_t identity_text_digest(const char *text)
{
    uint32_t hash = fnv32(FNV32_START, text);
    return hash ? hash : 1;
}

static bool is_equal(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

bool identity_is_of_another(const struct reconcile_config *config, const struct teedeployment *want,
                            const struct host *host)
{
    const struct ledger *ledger = &want->status.launch;
    bool is_told = host->name_digest != 0 && host->name_digest != identity_digest("", "");
    bool has_our_name = host->name_digest == identity_digest(want->name_space, want->name);
    if (is_equal(ledger->instance_id, host->id) || !is_equal(host->cluster_id, config->cluster_id))
        return false;
    if (!has_our_name && (is_told || config->is_partial))
        return true;
    return host->is_retained && !is_equal(ledger->token, host->token);
}

bool identity_is_adoptable(const struct reconcile_config *config, const struct teedeployment *want,
                           const struct host *host)
{
    bool is_of_cluster = is_equal(host->cluster_id, config->cluster_id);
    if (config->is_partial && is_of_cluster &&
        host->name_digest != identity_digest(want->name_space, want->name))
        return false;
    return host->namespace_digest == 0 || host->namespace_digest == identity_text_digest(want->name_space);
}

static void add_key(char *keys, const char *key)
{
    size_t len = strlen(keys);
    snprintf(keys + len, IDENTITY_TEXT_MAX - len, "%s%s", len > 0 ? ", " : "", key);
}

bool identity_is_edited(const struct plan_input *in, const struct host *host,
                        char ret_keys[IDENTITY_TEXT_MAX])
{
    const struct teedeployment *want = in->want;
    ret_keys[0] = '\0';
    if (!want->status.launch.instance_id || strcmp(want->status.launch.instance_id, host->id) != 0)
        return false;
    bool is_of_another = host->cluster_id[0] && strcmp(host->cluster_id, in->config->cluster_id) != 0;
    if (is_of_another)
        return false;
    if (!host->cluster_id[0])
        add_key(ret_keys, "tee-cluster-id");
    if (strcmp(host->deployment_id, want->deployment_id) != 0)
        add_key(ret_keys, "tee-deployment-id");
    char title[80];
    snprintf(title, sizeof(title), "tee-%s", want->deployment_id);
    if (host->title_digest != 0 && host->title_digest != identity_text_digest(title))
        add_key(ret_keys, "Name");
    if (host->name_digest != 0 && host->name_digest != identity_digest(want->name_space, want->name))
        add_key(ret_keys, "tee-namespace or tee-name");
    return ret_keys[0] != '\0';
}

bool identity_is_to_restore(const struct plan_input *in, const struct host *host)
{
    char keys[IDENTITY_TEXT_MAX];
    int64_t tried_ms = in->seen->memory->identity_tried_ms;
    bool is_young = in->now.wall_ms - host->launch_ms <= IDENTITY_GRACE_MS;
    bool was_tried = tried_ms > 0 && in->now.mono_ms - tried_ms < IDENTITY_AGAIN_MS;
    return !is_young && !was_tried && !in->config->read_only && identity_is_edited(in, host, keys);
}
