/* The actions: which body, which answer. How they are sent is ec2_call.c's. */
#include "nitro/ec2.h"

#include "base/encoding.h"
#include "base/mem.h"
#include "nitro/ec2_call.h"
#include "nitro/xml.h"

#include <string.h>

/* Performs the call with a body that ends with it. */
static int perform_once(struct ec2_call *call, const char *body, struct error *err)
{
    call->body = body;
    int result = ec2_call_perform(call, err);
    ec2_call_done(call);
    return result;
}

static int take_instance(void *ctx, struct ec2_instance *instance, struct error *err)
{
    struct ec2_instance *taken = ctx;
    (void)err;
    if (!taken->id) {
        *taken = *instance;
        *instance = (struct ec2_instance){0};
    }
    return 0;
}

int ec2_run_instance(struct ec2 *ec2, const struct ec2_launch *launch, int64_t timeout_ms,
                     struct ec2_instance *ret_instance, struct error *err)
{
    CLEANUP(freep) char *body = NULL;
    CLEANUP(ec2_instance_done) struct ec2_instance taken = {0};
    struct ec2_call call;
    if (ec2_request_run(launch, &body, err) < 0)
        return -1;
    ec2_call_init(&call, ec2, "RunInstances", timeout_ms);
    call.resource_count = 1;
    call.is_launch = true;
    call.handler = (struct ec2_handler){.ctx = &taken, .on_instance = take_instance};
    if (perform_once(&call, body, err) < 0)
        return -1;
    if (!taken.id)
        return error_set(err, ERROR_UNAVAILABLE, "UnexpectedAnswer",
                         "RunInstances: the answer names no instance");
    *ret_instance = taken;
    taken = (struct ec2_instance){0};
    return 0;
}

int ec2_dry_run(struct ec2 *ec2, const struct ec2_launch *launch, int64_t timeout_ms,
                struct ec2_fault *ret_fault, struct error *err)
{
    CLEANUP(freep) char *body = NULL;
    CLEANUP(ec2_instance_done) struct ec2_instance taken = {0};
    struct ec2_launch dry = *launch;
    struct ec2_call call;
    struct error answer = {0};
    dry.is_dry_run = true;
    *ret_fault = (struct ec2_fault){.code = ""};
    if (ec2_request_run(&dry, &body, err) < 0)
        return -1;
    ec2_call_init(&call, ec2, "RunInstances", timeout_ms);
    call.is_single = true;
    call.handler = (struct ec2_handler){.ctx = &taken, .on_instance = take_instance};
    int result = perform_once(&call, body, &answer);
    *ret_fault = call.fault;
    if (result == 0)
        return error_set(err, ERROR_UNAVAILABLE, "DryRunIgnored",
                         "RunInstances: the endpoint took a dry run for a launch and made %s",
                         taken.id ? taken.id : "nothing");
    if (strcmp(answer.reason, "DryRunOperation") == 0) /* how EC2 says yes */
        return 0;
    if (err)
        *err = answer;
    return -1;
}

/* An action that answers in pages, and what makes the body for one. */
struct pages {
    const char *action;
    int (*make_body)(const struct ec2_query *query, const char *next_token, char **ret_body,
                     struct error *err);
};

static int describe_pages(struct ec2 *ec2, const struct pages *pages, const struct ec2_query *query,
                          const struct ec2_handler *handler, int64_t timeout_ms, struct error *err)
{
    struct ec2_call call;
    int result = 0;
    ec2_call_init(&call, ec2, pages->action, timeout_ms);
    call.handler = *handler;
    call.is_patient = query->is_patient;
    do {
        CLEANUP(freep) char *body = NULL;
        result = pages->make_body(query, call.next_token, &body, err);
        call.body = body;
        if (call.is_patient)
            ec2_call_begin_page(&call, timeout_ms);
        if (result == 0)
            result = ec2_call_perform(&call, err);
    } while (result == 0 && call.next_token);
    ec2_call_done(&call);
    return result;
}

int ec2_describe(struct ec2 *ec2, const struct ec2_query *query, const struct ec2_handler *handler,
                 int64_t timeout_ms, struct error *err)
{
    static const struct pages pages = {"DescribeInstances", ec2_request_describe};
    return describe_pages(ec2, &pages, query, handler, timeout_ms, err);
}

int ec2_describe_unhealthy(struct ec2 *ec2, const struct ec2_handler *handler, int64_t timeout_ms,
                           struct error *err)
{
    static const char *const impaired[] = {"impaired"};
    static const char *const codes[] = {"instance-retirement", "instance-stop"};
    static const struct ec2_filter filters[] = {{"event.code", codes, 2},
                                                {"instance-status.status", impaired, 1},
                                                {"system-status.status", impaired, 1}};
    static const struct pages pages = {"DescribeInstanceStatus", ec2_request_describe_status};
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        const struct ec2_query query = {.filters = &filters[i], .filter_count = 1, .is_patient = true};
        if (describe_pages(ec2, &pages, &query, handler, timeout_ms, err) < 0)
            return -1;
    }
    return 0;
}

int ec2_change(struct ec2 *ec2, enum ec2_verb verb, const struct ec2_query *ids, int64_t timeout_ms,
               struct error *err)
{
    CLEANUP(freep) char *body = NULL;
    struct ec2_call call;
    if (ec2_request_change(verb, ids->ids, ids->id_count, &body, err) < 0)
        return -1;
    ec2_call_init(&call, ec2, ec2_verb_action(verb), timeout_ms);
    call.resource_count = (int)ids->id_count;
    call.subject = ids->ids[0];
    return perform_once(&call, body, err);
}

static int change_one(struct ec2 *ec2, enum ec2_verb verb, const char *id, int64_t timeout_ms,
                      struct error *err)
{
    const struct ec2_query one = {.ids = &id, .id_count = 1};
    return ec2_change(ec2, verb, &one, timeout_ms, err);
}

int ec2_start(struct ec2 *ec2, const char *id, int64_t timeout_ms, struct error *err)
{
    return change_one(ec2, EC2_START, id, timeout_ms, err);
}

int ec2_stop(struct ec2 *ec2, const char *id, int64_t timeout_ms, struct error *err)
{
    return change_one(ec2, EC2_STOP, id, timeout_ms, err);
}

int ec2_terminate(struct ec2 *ec2, const char *id, int64_t timeout_ms, struct error *err)
{
    return change_one(ec2, EC2_TERMINATE, id, timeout_ms, err);
}

int ec2_create_tags(struct ec2 *ec2, const char *id, const struct ec2_tag *tags, int64_t timeout_ms,
                    struct error *err)
{
    CLEANUP(freep) char *body = NULL;
    struct ec2_call call;
    size_t count = 0;
    while (tags[count].key)
        count++;
    if (ec2_request_create_tags(id, tags, count, &body, err) < 0)
        return -1;
    ec2_call_init(&call, ec2, "CreateTags", timeout_ms);
    call.subject = id;
    return perform_once(&call, body, err);
}

/* The service breaks long base64 into lines. */
static void drop_breaks(struct buf *text, const char *base64)
{
    for (; *base64; base64++)
        if (!strchr("\r\n\t ", *base64))
            buf_putc(text, *base64);
}

static int take_output(void *ctx, const char *base64, struct error *err)
{
    struct buf *taken = ctx;
    CLEANUP(buf_done) struct buf text;
    CLEANUP(freep) uint8_t *data = NULL;
    size_t len = 0;
    buf_init(&text, XML_TEXT_MAX);
    drop_breaks(&text, base64);
    if (base64_decode(buf_text(&text), text.len, &data, &len) < 0)
        return error_set(err, ERROR_UNAVAILABLE, "UnexpectedAnswer",
                         "GetConsoleOutput: the output is not base64");
    size_t skipped = len > EC2_CONSOLE_MAX ? len - EC2_CONSOLE_MAX : 0;
    buf_reset(taken);
    buf_append(taken, data + skipped, len - skipped);
    return 0;
}

int ec2_fetch_console(struct ec2 *ec2, const char *id, int64_t timeout_ms, struct buf *ret_text,
                      struct error *err)
{
    CLEANUP(freep) char *body = NULL;
    struct ec2_call call;
    buf_init(ret_text, EC2_CONSOLE_MAX);
    if (ec2_request_console(id, &body, err) < 0)
        return -1;
    ec2_call_init(&call, ec2, "GetConsoleOutput", timeout_ms);
    call.subject = id;
    call.handler = (struct ec2_handler){.ctx = ret_text, .on_output = take_output};
    return perform_once(&call, body, err);
}

static int take_type(void *ctx, const struct ec2_type *type, struct error *err)
{
    (void)err;
    *(struct ec2_type *)ctx = *type;
    return 0;
}

int ec2_fetch_type(struct ec2 *ec2, const char *name, int64_t timeout_ms, struct ec2_type *ret_type,
                   struct error *err)
{
    CLEANUP(freep) char *body = NULL;
    struct ec2_call call;
    struct ec2_type type = {.name = ""};
    if (ec2_request_describe_types(&name, 1, &body, err) < 0)
        return -1;
    ec2_call_init(&call, ec2, "DescribeInstanceTypes", timeout_ms);
    call.handler = (struct ec2_handler){.ctx = &type, .on_type = take_type};
    if (perform_once(&call, body, err) < 0)
        return -1;
    if (strcmp(type.name, name) != 0)
        return error_set(err, ERROR_INVALID, "InvalidInstanceType", "there is no instance type '%s'", name);
    *ret_type = type;
    return 0;
}

static int take_image(void *ctx, const struct ec2_image *image, struct error *err)
{
    (void)err;
    *(struct ec2_image *)ctx = *image;
    return 0;
}

int ec2_fetch_image(struct ec2 *ec2, const char *id, int64_t timeout_ms, struct ec2_image *ret_image,
                    struct error *err)
{
    CLEANUP(freep) char *body = NULL;
    struct ec2_call call;
    struct ec2_image image = {.id = ""};
    if (ec2_request_describe_image(id, &body, err) < 0)
        return -1;
    ec2_call_init(&call, ec2, "DescribeImages", timeout_ms);
    call.handler = (struct ec2_handler){.ctx = &image, .on_image = take_image};
    if (perform_once(&call, body, err) < 0)
        return -1;
    if (strcmp(image.id, id) != 0) /* also of an image that was deregistered, or is not shared with us */
        return error_set(err, ERROR_INVALID, "InvalidAMIID.NotFound", "there is no image '%s'", id);
    *ret_image = image;
    return 0;
}

struct taken_subnets {
    const struct ec2_query *ids;
    struct ec2_subnet *subnets; /* in the order of the ids */
};

static int take_subnet(void *ctx, const struct ec2_subnet *subnet, struct error *err)
{
    const struct taken_subnets *taken = ctx;
    (void)err;
    for (size_t i = 0; i < taken->ids->id_count; i++)
        if (strcmp(taken->ids->ids[i], subnet->id) == 0)
            taken->subnets[i] = *subnet;
    return 0;
}

int ec2_fetch_subnets(struct ec2 *ec2, const struct ec2_query *ids, int64_t timeout_ms,
                      struct ec2_subnet *ret_subnets, struct error *err)
{
    CLEANUP(freep) char *body = NULL;
    struct ec2_call call;
    struct taken_subnets taken = {ids, ret_subnets};
    if (ec2_request_describe_subnets(ids->ids, ids->id_count, &body, err) < 0)
        return -1;
    memset(ret_subnets, 0, ids->id_count * sizeof(*ret_subnets));
    ec2_call_init(&call, ec2, "DescribeSubnets", timeout_ms);
    call.handler = (struct ec2_handler){.ctx = &taken, .on_subnet = take_subnet};
    if (perform_once(&call, body, err) < 0)
        return -1;
    for (size_t i = 0; i < ids->id_count; i++)
        if (!ret_subnets[i].id[0])
            return error_set(err, ERROR_INVALID, "InvalidSubnetID.NotFound", "there is no subnet '%s'",
                             ids->ids[i]);
    return 0;
}
