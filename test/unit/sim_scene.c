/* Everything that can go wrong in setting up is an assertion. */
#include "sim_scene.h"

#include "base/clock.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void *run_front(void *ctx)
{
    front_run(ctx);
    return NULL;
}

void sim_scene_start(struct sim_scene *scene)
{
    const struct world_options options = {
        .seed = 3, .boot_ms = 1000, .launch_ms = 1000, .stop_ms = 1000, .max_instances = 100};
    struct error err = {0};
    *scene = (struct sim_scene){.dir = "/tmp/tee-sim-test-XXXXXX"};
    assert_non_null(mkdtemp(scene->dir));
    scene->body = mem_strdup("");
    scene->service = sim_service_new(&options, "cluster");
    scene->enclaves = enclave_host_new(scene->service, scene->dir, 0, &err);
    assert_non_null(scene->enclaves);
    scene->front = front_new(scene->service, "127.0.0.1", 0, &err);
    assert_non_null(scene->front);
    scene->thread = thread_start("front", run_front, scene->front);
    scene->client = http_client_new();
}

static void remove_file(const char *dir, const char *name)
{
    CLEANUP(freep) char *path = mem_printf("%s/%s", dir, name);
    remove(path);
}

void sim_scene_stop(struct sim_scene *scene)
{
    front_stop(scene->front);
    thread_join(scene->thread);
    front_free(scene->front);
    enclave_host_free(scene->enclaves);
    sim_service_free(scene->service);
    http_client_free(scene->client);
    free(scene->body);
    remove_file(scene->dir, "pki-root.pem");
    remove_file(scene->dir, "pki-root-key.pem");
    remove(scene->dir);
}

char *sim_scene_find(const struct sim_scene *scene, const char *before, const char *after)
{
    const char *at = strstr(scene->body, before);
    const char *end = at ? strstr(at + strlen(before), after) : NULL;
    return end ? mem_strndup(at + strlen(before), (size_t)(end - at) - strlen(before)) : NULL;
}

static void keep(const struct sim_scene *scene, const char *before, char *ret_text, size_t size)
{
    CLEANUP(freep) char *text = sim_scene_find(scene, before, "<");
    if (text)
        snprintf(ret_text, size, "%s", text);
}

static int perform(struct sim_scene *scene, const struct http_request *request)
{
    struct http_response response;
    struct error err = {0};
    free(scene->body);
    scene->body = mem_strdup("");
    scene->status = 0;
    if (http_perform(scene->client, request, &response, &err) < 0)
        return -1;
    free(scene->body);
    scene->body = mem_strdup(buf_text(&response.body));
    scene->status = response.status;
    http_response_done(&response);
    return 0;
}

int sim_scene_http(struct sim_scene *scene, const char *method, const char *path, const char *body,
                   const char *const *headers)
{
    CLEANUP(freep) char *url = mem_printf("http://127.0.0.1:%d%s", front_get_port(scene->front), path);
    const struct http_request request = {
        .method = method,
        .url = url,
        .headers = headers,
        .body = body,
        .body_len = body ? strlen(body) : 0,
        .connect_timeout_ms = 5000,
        .total_timeout_ms = 10000,
        .max_body_bytes = 1 << 20,
        .direct = true,
    };
    return perform(scene, &request);
}

static void sign(const struct sim_scene *scene, const char *body, const struct sim_signing *signing,
                 char *ret_headers[4])
{
    CLEANUP(freep) char *host = mem_printf("127.0.0.1:%d", front_get_port(scene->front));
    const struct sigv4_header headers[] = {{"host", host},
                                           {"content-type", "application/x-www-form-urlencoded"}};
    const struct sigv4_request request = {.method = "POST",
                                          .path = "/",
                                          .headers = headers,
                                          .header_count = ARRAY_LEN(headers),
                                          .body = body,
                                          .body_len = strlen(body)};
    const struct sigv4_scope scope = {signing->region ? signing->region : "us-east-1", "ec2",
                                      clock_wall_ms(clock_real()) + signing->skew_ms};
    const struct sim_signing_keys *given = &signing->keys;
    const char *secret_text = given->access_key_id ? given->secret_access_key : "test";
    CLEANUP(secret_freep) struct secret *secret = secret_new(secret_text);
    CLEANUP(secret_freep) struct secret *token = secret_new(given->session_token);
    const struct aws_keys keys = {given->access_key_id ? given->access_key_id : "test", secret, token};
    CLEANUP(sigv4_signature_done) struct sigv4_signature signature = {0};
    struct error err = {0};
    assert_int_equal(sigv4_sign(&request, &keys, &scope, &signature, &err), 0);
    ret_headers[0] = mem_strdup("Content-Type: application/x-www-form-urlencoded");
    ret_headers[1] = mem_printf("X-Amz-Date: %s", signature.date);
    ret_headers[2] = signing->is_unsigned
                         ? mem_strdup("X-Nothing: 1")
                         : mem_printf("Authorization: %s", secret_reveal(signature.authorization));
    ret_headers[3] = mem_printf("X-Amz-Security-Token: %s", given->session_token ? given->session_token : "");
}

int sim_scene_ec2(struct sim_scene *scene, const char *body, int64_t timeout_ms,
                  const struct sim_signing *signing)
{
    static const struct sim_signing right = {0};
    CLEANUP(freep) char *url = mem_printf("http://127.0.0.1:%d/", front_get_port(scene->front));
    char *headers[5] = {0};
    signing = signing ? signing : &right;
    sign(scene, body, signing, headers);
    const char *sent[5] = {headers[0], headers[1], headers[2],
                           signing->keys.session_token ? headers[3] : NULL, NULL};
    const struct http_request request = {
        .method = "POST",
        .url = url,
        .headers = sent,
        .body = body,
        .body_len = strlen(body),
        .connect_timeout_ms = 5000,
        .total_timeout_ms = timeout_ms ? timeout_ms : 10000,
        .max_body_bytes = 1 << 20,
        .direct = true,
    };
    int result = perform(scene, &request);
    for (size_t i = 0; i < ARRAY_LEN(headers); i++)
        free(headers[i]);
    keep(scene, "<instanceId>", scene->id, sizeof(scene->id));
    keep(scene, "<privateIpAddress>", scene->address, sizeof(scene->address));
    return result;
}

int sim_scene_setup(void **state)
{
    struct sim_scene *scene = mem_calloc(1, sizeof(*scene));
    sim_scene_start(scene);
    *state = scene;
    return 0;
}

int sim_scene_teardown(void **state)
{
    sim_scene_stop(*state);
    free(*state);
    return 0;
}
