/* The keys are those of an environment that the scene makes up. */
#include "ec2_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static const char *get_variable(void *ctx, const char *name)
{
    struct ec2_scene *scene = ctx;
    if (scene->variables) {
        const char *const(*at)[2] = scene->variables;
        while ((*at)[0] && strcmp((*at)[0], name) != 0)
            at++;
        return (*at)[1];
    }
    if (strcmp(name, "AWS_ACCESS_KEY_ID") == 0) {
        scene->keys_read++;
        return "AKTEST";
    }
    if (strcmp(name, "AWS_SESSION_TOKEN") == 0)
        return "session";
    return strcmp(name, "AWS_SECRET_ACCESS_KEY") == 0 ? "secret" : NULL;
}

static struct fake_reply play(void *ctx, const char *request)
{
    struct ec2_scene *scene = ctx;
    int number = scene->asked++;
    (void)request;
    assert_true(number < REPLIES_MAX);
    if (scene->delay_ms > 0)
        stop_wait(&scene->stop, scene->delay_ms);
    const struct ec2_line *line = &scene->lines[number];
    return (struct fake_reply){line->status, mem_strdup(line->body ? line->body : ""), line->headers,
                               line->how};
}

int ec2_scene_open(void **state)
{
    struct ec2_scene *scene = mem_calloc(1, sizeof(*scene));
    scene->environment = (struct environment){get_variable, scene};
    assert_int_equal(aws_config_init(&scene->environment, &scene->config, NULL), 0);
    stop_init(&scene->stop);
    scene->api = fake_api_start(play, scene);
    const struct aws_credentials_options keys = {
        .environment = &scene->environment, .config = &scene->config, .clock = clock_real()};
    scene->credentials = aws_credentials_new(&keys);
    CLEANUP(freep) char *endpoint = mem_printf("http://127.0.0.1:%d", fake_api_get_port(scene->api));
    const struct ec2_options options = {.endpoint = endpoint,
                                        .region = "eu-west-1",
                                        .credentials = scene->credentials,
                                        .clock = clock_real(),
                                        .stop = &scene->stop};
    assert_int_equal(ec2_new(&options, &scene->ec2, NULL), 0);
    *state = scene;
    return 0;
}

int ec2_scene_close(void **state)
{
    struct ec2_scene *scene = *state;
    ec2_free(scene->ec2);
    aws_credentials_free(scene->credentials);
    fake_api_stop(scene->api);
    aws_config_done(&scene->config);
    stop_done(&scene->stop);
    free(scene);
    return 0;
}

void ec2_scene_script(struct ec2_scene *scene, const struct ec2_line *lines, size_t count)
{
    memcpy(scene->lines, lines, count * sizeof(*lines));
}
