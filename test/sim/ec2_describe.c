/* DescribeInstances, DescribeInstanceStatus and DescribeInstanceTypes. A page token names the last instance
 * looked at and carries a digest of the filters, so that a token of another request is refused. Instances
 * that lag hides still take a place on their page: pages may be short, as with the real service. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "sim/ec2.h"
#include "sim/filter.h"
#include "sim/xml_out.h"

#include <stdlib.h>
#include <string.h>

enum {
    TEXT_MAX = 8 * 1024 * 1024,
    MIN_RESULTS = 5,
    MAX_RESULTS = 1000,
    MAX_TYPE_RESULTS = 100,
    TOKEN_SIZE = 64
};

struct page {
    struct sim_filters filters;
    struct sim_instance **named; /* NULL without InstanceId.N */
    size_t named_count;
    long max_results; /* 0 = all */
    uint64_t after;
    char digest[SHA256_HEX_SIZE];
    bool only_running;
    void (*write)(struct sim_call *call, const struct sim_instance *instance);
};

static void page_done(struct page *page)
{
    sim_filters_done(&page->filters);
    free(page->named);
}

static void digest_request(const struct sim_query *query, char ret_digest[SHA256_HEX_SIZE])
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, TEXT_MAX);
    for (size_t i = 0; i < query->count; i++)
        if (strcmp(query->params[i].key, "NextToken") != 0 && strcmp(query->params[i].key, "MaxResults") != 0)
            buf_printf(&text, "%s=%s\n", query->params[i].key, query->params[i].value);
    sha256_hex(buf_text(&text), text.len, ret_digest);
    ret_digest[16] = '\0';
}

/* The token is 16 hex digits of place and 16 of digest. */
static int parse_token(struct sim_call *call, struct page *page)
{
    const char *token = sim_query_get(call->query, "NextToken");
    uint8_t place[8];
    char digits[17] = {0};
    if (!token || !*token)
        return 0;
    if (strlen(token) == 32)
        memcpy(digits, token, 16);
    if (hex_decode(digits, place, sizeof(place)) < 0 || strcmp(token + 16, page->digest) != 0)
        return sim_fail_set(&call->fail, 400, "InvalidNextToken", "The token '%.64s' is invalid", token);
    for (size_t i = 0; i < sizeof(place); i++)
        page->after = page->after << 8 | place[i];
    return 0;
}

static int parse_limit(struct sim_call *call, long high, long *ret_limit)
{
    if (sim_query_number(call->query, "MaxResults", 0, ret_limit, &call->fail) < 0)
        return -1;
    if (sim_query_get(call->query, "MaxResults") && (*ret_limit < MIN_RESULTS || *ret_limit > high))
        return sim_fail_set(
            &call->fail, 400, "InvalidParameterValue",
            "Value ( %ld ) for parameter maxResults is invalid. Expecting a value of %d to %ld.", *ret_limit,
            MIN_RESULTS, high);
    return 0;
}

static int parse_page(struct sim_call *call, struct page *page)
{
    bool has_ids = sim_query_get(call->query, "InstanceId.1") != NULL;
    if (has_ids && (sim_query_get(call->query, "MaxResults") || sim_query_get(call->query, "NextToken")))
        return sim_fail_set(&call->fail, 400, "InvalidParameterCombination",
                            "The parameter instancesSet cannot be used with the parameter maxResults");
    digest_request(call->query, page->digest);
    if (sim_filters_parse(call->query, &page->filters, &call->fail) < 0 ||
        parse_limit(call, MAX_RESULTS, &page->max_results) < 0 || parse_token(call, page) < 0)
        return -1;
    if (has_ids && sim_find_named(call, "InstanceId", &page->named, &page->named_count) < 0)
        return -1;
    return sim_check_dry_run(call);
}

/* The candidates: those named, those of the tag index, or all, one after the other. */
static struct sim_instance *next_candidate(const struct sim_call *call, const struct page *page, size_t *at)
{
    const struct sim_filter *indexed = sim_filters_find_indexed(&page->filters);
    struct sim_instance *const *list = page->named;
    size_t count = page->named_count;
    if (!list && !indexed)
        return world_next(call->world, *at ? *at : page->after);
    if (!list)
        count = world_find_tag(call->world, indexed->tag_key, indexed->values[0], &list);
    while (*at < count && !page->named && list[*at]->sequence <= page->after)
        (*at)++;
    return *at < count ? list[(*at)++] : NULL;
}

/* Yields the place for the next page, 0 if this was the last one. */
static uint64_t write_items(struct sim_call *call, const struct page *page)
{
    size_t at = 0;
    long taken = 0;
    uint64_t last = page->after;
    bool is_walk = !page->named && !sim_filters_find_indexed(&page->filters);
    struct sim_instance *instance = NULL;
    while ((instance = next_candidate(call, page, &at))) {
        bool is_match = (!page->only_running || instance->state == SIM_RUNNING) &&
                        sim_filters_match(&page->filters, instance, call->now_ms);
        if (is_match && page->max_results > 0 && taken == page->max_results)
            return last;
        if (is_match && (page->named || sim_is_listed(instance, call->now_ms)))
            page->write(call, instance);
        taken += is_match;
        last = instance->sequence;
        if (is_walk)
            at = (size_t)last;
    }
    return 0;
}

static int answer_page(struct sim_call *call, struct page *page, const char *action, const char *set)
{
    if (parse_page(call, page) < 0)
        return -1;
    sim_xml_open(call->out, action, call->request_id);
    buf_printf(call->out, "<%s>", set);
    uint64_t next = write_items(call, page);
    buf_printf(call->out, "</%s>", set);
    if (next > 0)
        buf_printf(call->out, "<nextToken>%016llx%s</nextToken>", (unsigned long long)next, page->digest);
    sim_xml_close(call->out, action);
    return 0;
}

static void write_reservation(struct sim_call *call, const struct sim_instance *instance)
{
    buf_puts(call->out, "<item>");
    sim_xml_text(call->out, "reservationId", instance->reservation_id);
    buf_puts(call->out, "<ownerId>" SIM_ACCOUNT "</ownerId><groupSet/><instancesSet><item>");
    sim_xml_instance(call->out, instance, call->now_ms);
    buf_puts(call->out, "</item></instancesSet></item>");
}

int sim_describe_instances(struct sim_call *call)
{
    CLEANUP(page_done) struct page page = {.write = write_reservation};
    return answer_page(call, &page, "DescribeInstances", "reservationSet");
}

static void write_events(struct sim_call *call, const struct sim_instance *instance)
{
    char at[TIME_TEXT_SIZE];
    if (!instance->event_code[0])
        return;
    time_format(instance->event_ms, at);
    buf_puts(call->out, "<eventsSet><item>");
    sim_xml_text(call->out, "instanceEventId", "instance-event-0123456789abcdef0");
    sim_xml_text(call->out, "code", instance->event_code);
    sim_xml_text(call->out, "description", "The instance is running on degraded hardware");
    sim_xml_text(call->out, "notBefore", at);
    buf_puts(call->out, "</item></eventsSet>");
}

static void write_check(struct sim_call *call, const char *name, const char *status)
{
    buf_printf(call->out, "<%s>", name);
    sim_xml_text(call->out, "status", status);
    buf_printf(call->out, "<details><item><name>reachability</name><status>%s</status></item></details></%s>",
               strcmp(status, "impaired") == 0 ? "failed" : "passed", name);
}

static void write_status(struct sim_call *call, const struct sim_instance *instance)
{
    buf_puts(call->out, "<item>");
    sim_xml_text(call->out, "instanceId", instance->id);
    sim_xml_text(call->out, "availabilityZone", instance->launch.zone);
    write_events(call, instance);
    sim_xml_state(call->out, "instanceState", instance->state);
    write_check(call, "systemStatus", sim_system_check(instance));
    write_check(call, "instanceStatus", sim_instance_check(instance));
    buf_puts(call->out, "</item>");
}

int sim_describe_instance_status(struct sim_call *call)
{
    CLEANUP(page_done) struct page page = {.write = write_status};
    bool shows_all = false;
    if (sim_query_bool(call->query, "IncludeAllInstances", &shows_all, &call->fail) < 0)
        return -1;
    page.only_running = !shows_all;
    return answer_page(call, &page, "DescribeInstanceStatus", "instanceStatusSet");
}

static void write_type(struct buf *out, const struct sim_type *type)
{
    buf_puts(out, "<item>");
    sim_xml_text(out, "instanceType", type->name);
    buf_printf(out, "<bareMetal>%s</bareMetal><hypervisor>nitro</hypervisor>",
               type->is_metal ? "true" : "false");
    buf_printf(
        out,
        "<processorInfo><supportedArchitectures><item>%s</item></supportedArchitectures></processorInfo>",
        type->architecture);
    buf_printf(out,
               "<vCpuInfo><defaultVCpus>%d</defaultVCpus><defaultCores>%d</defaultCores>"
               "<defaultThreadsPerCore>%d</defaultThreadsPerCore></vCpuInfo>",
               type->cpus, strcmp(type->architecture, "arm64") == 0 ? type->cpus : type->cpus / 2,
               strcmp(type->architecture, "arm64") == 0 ? 1 : 2);
    buf_printf(out, "<memoryInfo><sizeInMiB>%d</sizeInMiB></memoryInfo>", type->memory_mib);
    buf_printf(out, "<nitroEnclavesSupport>%s</nitroEnclavesSupport></item>",
               type->has_enclaves ? "supported" : "unsupported");
}

static int check_types(struct sim_call *call)
{
    const char *name = NULL;
    long limit = 0;
    if (sim_query_get(call->query, "InstanceType.1") && sim_query_get(call->query, "MaxResults"))
        return sim_fail_set(&call->fail, 400, "InvalidParameterCombination",
                            "InstanceType cannot be used with MaxResults");
    if (sim_query_get(call->query, "NextToken"))
        return sim_fail_set(&call->fail, 400, "InvalidNextToken", "All types are on the first page");
    for (int i = 1; (name = sim_query_getf(call->query, "InstanceType.%d", i)); i++)
        if (!sim_type_find(name) || i > MAX_TYPE_RESULTS)
            return sim_fail_set(&call->fail, 400, "InvalidInstanceType",
                                "The following supplied instance types do not exist: [%.100s]", name);
    return parse_limit(call, MAX_TYPE_RESULTS, &limit) < 0 ? -1 : sim_check_dry_run(call);
}

int sim_describe_instance_types(struct sim_call *call)
{
    const char *name = NULL;
    const struct sim_type *type = NULL;
    if (check_types(call) < 0)
        return -1;
    sim_xml_open(call->out, "DescribeInstanceTypes", call->request_id);
    buf_puts(call->out, "<instanceTypeSet>");
    for (int i = 1; (name = sim_query_getf(call->query, "InstanceType.%d", i)); i++)
        write_type(call->out, sim_type_find(name));
    for (size_t i = 0; !sim_query_get(call->query, "InstanceType.1") && (type = sim_type_at(i)); i++)
        write_type(call->out, type);
    buf_puts(call->out, "</instanceTypeSet>");
    sim_xml_close(call->out, "DescribeInstanceTypes");
    return 0;
}
