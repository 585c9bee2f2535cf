/* See plan_scene.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "plan_scene.h"
#include "reconcile/ledger.h"

#include <stdio.h>
#include <string.h>

struct teedeployment *scene_object(const char *metadata, const char *spec, const char *status)
{
    CLEANUP(buf_done) struct buf json;
    buf_init(&json, 1 << 20);
    buf_printf(&json,
               "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"a\",\"uid\":\"u1\",\"resourceVersion\":\"5\","
               "\"generation\":3,\"creationTimestamp\":\"2026-01-01T10:00:00Z\","
               "\"finalizers\":[\"tee.dev/instance\"]%s%s},"
               "\"spec\":{\"image\":\"app@sha256:00\"%s%s},\"status\":{%s}}",
               metadata ? "," : "", metadata ? metadata : "", spec ? "," : "", spec ? spec : "",
               status ? status : "");
    struct teedeployment *object = NULL;
    struct error err = {0};
    if (teedeployment_decode(buf_text(&json), json.len, &object, &err) < 0)
        fail_msg("%s: %s", err.text, buf_text(&json));
    return object;
}

/* The text with each `from` replaced; the caller frees. */
static char *replace(const char *text, const char *from, const char *to)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 20);
    for (const char *hit = strstr(text, from); hit; hit = strstr(text, from)) {
        buf_append(&out, text, (size_t)(hit - text));
        buf_puts(&out, to);
        text = hit + strlen(from);
    }
    buf_puts(&out, text);
    return buf_steal(&out);
}

static struct teedeployment *make_object(const struct scene_input *input,
                                         const struct reconcile_config *config)
{
    char hash[SHA256_HEX_SIZE];
    char policy[SHA256_HEX_SIZE];
    struct teedeployment *bare = scene_object(input->metadata, input->spec, NULL);
    ledger_hash(&bare->spec, hash);
    ledger_policy_hash(&bare->spec, config->roots_digest, policy);
    teedeployment_unref(bare);
    CLEANUP(freep) char *half = replace(input->status ? input->status : "", "@HASH", hash);
    CLEANUP(freep) char *status = replace(half, "@POLICY", policy);
    return scene_object(input->metadata, input->spec, status);
}

static void add_host(struct plan_scene *scene, const struct host *host)
{
    struct host *copy = &scene->seen.hosts[scene->seen.host_count++];
    *copy = *host;
    if (strcmp(host->launch_hash, "=") == 0)
        snprintf(copy->launch_hash, sizeof(copy->launch_hash), "v1-%s", scene->in.hash);
    scene->seen.live_count += host_is_live(host) ? 1 : 0;
}

void plan_scene_init(struct plan_scene *scene, const struct scene_input *input)
{
    memset(scene, 0, sizeof(*scene));
    arena_init(&scene->arena);
    scene->config = (struct reconcile_config){.ami_id = "ami-1",
                                              .instance_type = "m5.xlarge",
                                              .cpu_count = 2,
                                              .memory_mib = 512,
                                              .attestation_port = 1300,
                                              .cluster_id = "cluster",
                                              .roots_digest = "roots",
                                              .max_launches_per_hour = 6,
                                              .max_launches_per_hour_total = 60,
                                              .lease_min_ms = 3000};
    scene->want = make_object(input, &scene->config);
    effective_fill(&scene->want->spec, &scene->config, &scene->arena, &scene->effective);
    scene->seen = (struct observed){.is_inventory_complete = true,
                                    .is_inventory_fresh = true,
                                    .is_store_fresh = true,
                                    .is_owner = true,
                                    .attempt = input->attempt,
                                    .preflight = {.state = PREFLIGHT_PASSED,
                                                  .reason = "SpecAccepted",
                                                  .text = "yes",
                                                  .checked_ms = SCENE_MONO_MS},
                                    .memory = &scene->memory};
    scene->in = (struct plan_input){.want = scene->want,
                                    .effective = &scene->effective,
                                    .config = &scene->config,
                                    .seen = &scene->seen,
                                    .now = {.wall_ms = SCENE_WALL_MS, .mono_ms = SCENE_MONO_MS}};
    ledger_hash(&scene->want->spec, scene->in.hash);
    ledger_policy_hash(&scene->want->spec, scene->config.roots_digest, scene->in.policy_hash);
    for (size_t i = 0; i < ARRAY_LEN(input->hosts) && input->hosts[i].id[0]; i++)
        add_host(scene, &input->hosts[i]);
}

void plan_scene_done(struct plan_scene *scene)
{
    scene->want = teedeployment_unref(scene->want);
    arena_done(&scene->arena);
}

void plan_case_run(const struct plan_case *c)
{
    struct plan_scene scene;
    plan_scene_init(&scene, &c->input);
    if (c->tune)
        c->tune(&scene);
    struct plan plan = plan_next(&scene.in);
    if (plan.row != c->row || plan.action != c->action)
        fail_msg("%s: row %d %s, not row %d %s", c->name, plan.row, plan_action_names[plan.action], c->row,
                 plan_action_names[c->action]);
    if (c->why && (!plan.why || strcmp(plan.why, c->why) != 0))
        fail_msg("%s: why is %s", c->name, plan.why);
    if (c->host && (!plan.host || strcmp(plan.host->id, c->host) != 0))
        fail_msg("%s: host is %s", c->name, plan.host ? plan.host->id : "none");
    if (c->look_ms && plan.look_again_ms != c->look_ms)
        fail_msg("%s: looks again after %lld ms", c->name, (long long)plan.look_again_ms);
    assert_int_equal(plan.is_blind, c->row == 0);
    plan_scene_done(&scene);
}
