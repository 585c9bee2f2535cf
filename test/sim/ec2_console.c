/* GetConsoleOutput: the newest 64 KiB in base64, in lines as the service breaks them. An instance that never
 * ran has no output; one that did says so, or what a test put there. */
#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "sim/ec2.h"
#include "sim/filter.h"
#include "sim/xml_out.h"

#include <string.h>

enum { OUTPUT_MAX = 64 * 1024, LINE_LEN = 76 };

static void write_output(struct sim_call *call, const struct sim_instance *instance)
{
    CLEANUP(freep)
    char *boot = mem_printf(
        "[    0.000000] Linux version 6.1 (tee-sim)\n[    3.200000] cloud-init[1412]: boot %d of %s\n",
        instance->boot_count, instance->id);
    const char *text = instance->console ? instance->console : boot;
    size_t len = strlen(text);
    size_t skipped = len > OUTPUT_MAX ? len - OUTPUT_MAX : 0;
    CLEANUP(freep) char *base64 = base64_encode(text + skipped, len - skipped);
    buf_puts(call->out, "<output>");
    for (size_t i = 0; i < strlen(base64); i += LINE_LEN)
        buf_printf(call->out, "%.*s\n", LINE_LEN, base64 + i);
    buf_puts(call->out, "</output>");
}

int sim_get_console_output(struct sim_call *call)
{
    const char *id = sim_query_get(call->query, "InstanceId");
    bool is_latest = false;
    if (!id)
        return sim_fail_set(&call->fail, 400, "MissingParameter",
                            "The request must contain the parameter InstanceId");
    if (!sim_is_id(id, "i-"))
        return sim_fail_set(&call->fail, 400, "InvalidInstanceID.Malformed", "Invalid id: \"%.100s\"", id);
    const struct sim_instance *instance = world_find(call->world, id);
    if (!instance || !sim_is_known(instance, call->now_ms))
        return sim_fail_set(&call->fail, 400, "InvalidInstanceID.NotFound",
                            "The instance ID '%.100s' does not exist", id);
    if (sim_query_bool(call->query, "Latest", &is_latest, &call->fail) < 0 || sim_check_dry_run(call) < 0)
        return -1;
    sim_xml_open(call->out, "GetConsoleOutput", call->request_id);
    sim_xml_text(call->out, "instanceId", id);
    if (instance->boot_count > 0)
        write_output(call, instance);
    sim_xml_close(call->out, "GetConsoleOutput");
    return 0;
}
