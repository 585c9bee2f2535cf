/* A list is whole or an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fake_api.h"
#include "kube/list.h"
#include "trace.h"

#define ITEM(name) "{\"metadata\":{\"name\":\"" name "\"}}"
#define PAGE(token, items)                                                                                   \
    "{\"metadata\":{\"resourceVersion\":\"9\",\"continue\":\"" token "\"},\"items\":[" items "]}"

struct script {
    struct fake_reply replies[3];
    size_t next;
};

static struct fake_reply play(void *ctx, const char *request)
{
    struct script *script = ctx;
    (void)request;
    struct fake_reply reply = script->replies[script->next++];
    reply.body = mem_strdup(reply.body);
    return reply;
}

static int each(void *ctx, const char *text, size_t len, struct error *err)
{
    char name[64];
    (void)err;
    json_span_copy(json_find((struct json_span){text, len}, (const char *[]){"metadata", "name", NULL}), name,
                   sizeof(name));
    trace_add(ctx, "%s", name);
    return 0;
}

/* The names that were handed out, and "ok" or the error's reason; ret_second: the second request, or NULL. */
static void list(const struct script *played, const char *expected, const char *second)
{
    struct trace trace;
    struct error err = {0};
    struct script script = *played;
    trace_init(&trace);
    struct fake_api *api = fake_api_start(play, &script);
    struct kube_config config = {.server = mem_printf("http://127.0.0.1:%d", fake_api_get_port(api))};
    struct kube_client *client =
        kube_client_new(&(struct kube_client_options){.config = &config, .clock = clock_real()});
    int result = kube_list(client, "/apis/a", NULL, each, &trace, &err);
    trace_add(&trace, "%s", result == 0 ? "ok" : err.reason);
    assert_string_equal(buf_text(&trace.text), expected);
    assert_memory_equal(fake_api_get_request(api, 0), "GET /apis/a?limit=500 ", 22);
    if (second)
        assert_memory_equal(fake_api_get_request(api, 1), second, strlen(second));
    kube_client_free(client);
    kube_config_done(&config);
    fake_api_stop(api);
    trace_done(&trace);
}

static void test_pages(void **state)
{
    (void)state;
    const struct script two = {{{200, (char *)PAGE("a+b", ITEM("x") "," ITEM("y")), NULL, FAKE_BYTES},
                                {200, (char *)PAGE("", ITEM("z")), NULL, FAKE_WHOLE}},
                               0};
    list(&two, "x y z ok ", "GET /apis/a?limit=500&continue=a%2Bb ");
    const struct script none = {{{200, (char *)PAGE("", ""), NULL, FAKE_WHOLE}}, 0};
    list(&none, "ok ", NULL);
}

static void test_what_is_not_whole(void **state)
{
    (void)state;
    CLEANUP(freep) char *filler = mem_alloc(SCAN_MAX_ITEM_BYTES + 1);
    memset(filler, 'x', SCAN_MAX_ITEM_BYTES);
    filler[SCAN_MAX_ITEM_BYTES] = '\0';
    CLEANUP(freep)
    char *huge = mem_printf("{\"metadata\":{},\"items\":[" ITEM("x") ",{\"x\":\"%s\"}]}", filler);
    const struct {
        struct script script;
        const char *expected;
    } rows[] = {
        {{{{503, (char *)"{}", NULL, FAKE_WHOLE}}, 0}, "HTTP503 "},
        {{{{200, (char *)PAGE("t", ITEM("x")), NULL, FAKE_WHOLE}, {410, (char *)"{}", NULL, FAKE_WHOLE}}, 0},
         "x HTTP410 "},
        {{{{200, (char *)PAGE("t", ITEM("x")), NULL, FAKE_WHOLE},
           {200, (char *)"{\"items\":[", NULL, FAKE_WHOLE}},
          0},
         "x MalformedList "},
        {{{{200, (char *)"{}", NULL, FAKE_CUT}}, 0}, "Network "},
        {{{{200, huge, NULL, FAKE_WHOLE}}, 0}, "x TooLarge "},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        list(&rows[i].script, rows[i].expected, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pages),
                                       cmocka_unit_test(test_what_is_not_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
