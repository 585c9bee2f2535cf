/* The order of elements follows the real service's answers. */
#include "sim/xml_out.h"

#include "base/clock.h"
#include "sim/filter.h"

#include <stdio.h>

void sim_xml_escape(struct buf *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<': buf_puts(out, "&lt;"); break;
        case '>': buf_puts(out, "&gt;"); break;
        case '&': buf_puts(out, "&amp;"); break;
        case '"': buf_puts(out, "&quot;"); break;
        case '\r': buf_puts(out, "&#13;"); break;
        default: buf_putc(out, *text); break;
        }
    }
}

void sim_xml_text(struct buf *out, const char *name, const char *text)
{
    if (!text)
        return;
    buf_printf(out, "<%s>", name);
    sim_xml_escape(out, text);
    buf_printf(out, "</%s>", name);
}

void sim_xml_state(struct buf *out, const char *name, int state)
{
    buf_printf(out, "<%s><code>%d</code><name>%s</name></%s>", name, state, sim_state_name(state), name);
}

void sim_xml_open(struct buf *out, const char *action, const char *request_id)
{
    buf_printf(out,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
               "<%sResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">"
               "<requestId>%s</requestId>",
               action, request_id);
}

void sim_xml_close(struct buf *out, const char *action)
{
    buf_printf(out, "</%sResponse>", action);
}

static void write_address(struct buf *out, const struct sim_instance *instance, int64_t now_ms)
{
    uint32_t a = instance->address;
    if (!sim_has_address(instance, now_ms)) {
        buf_puts(out, "<privateDnsName/>");
        return;
    }
    buf_printf(out, "<privateDnsName>ip-%u-%u-%u-%u.ec2.internal</privateDnsName>", a >> 24, a >> 16 & 255,
               a >> 8 & 255, a & 255);
    buf_printf(out, "<privateIpAddress>%u.%u.%u.%u</privateIpAddress>", a >> 24, a >> 16 & 255, a >> 8 & 255,
               a & 255);
}

static void write_tags(struct buf *out, const struct sim_instance *instance, int64_t now_ms)
{
    if (!sim_has_tags(instance, now_ms))
        return;
    buf_puts(out, "<tagSet>");
    for (size_t i = 0; i < instance->launch.tag_count; i++) {
        buf_puts(out, "<item>");
        sim_xml_text(out, "key", instance->launch.tags[i].key);
        sim_xml_text(out, "value", instance->launch.tags[i].value);
        buf_puts(out, "</item>");
    }
    buf_puts(out, "</tagSet>");
}

static void write_reason(struct buf *out, const struct sim_instance *instance)
{
    if (!instance->reason_code) {
        buf_puts(out, "<reason/>");
        return;
    }
    sim_xml_text(out, "reason", instance->reason_message);
    buf_puts(out, "<stateReason>");
    sim_xml_text(out, "code", instance->reason_code);
    sim_xml_text(out, "message", instance->reason_message);
    buf_puts(out, "</stateReason>");
}

static void write_profile(struct buf *out, const char *profile)
{
    if (!profile)
        return;
    buf_puts(out, "<iamInstanceProfile><arn>arn:aws:iam::" SIM_ACCOUNT ":instance-profile/");
    sim_xml_escape(out, profile);
    buf_puts(out, "</arn><id>AIPASIMULATED0000000</id></iamInstanceProfile>");
}

/* Without a wish it is the VPC's default group. */
static void write_groups(struct buf *out, const struct sim_launch *launch)
{
    buf_puts(out, "<groupSet>");
    for (size_t i = 0; i < launch->group_count || i == 0; i++) {
        buf_puts(out, "<item>");
        sim_xml_text(out, "groupId", launch->group_count > 0 ? launch->group_ids[i] : "sg-00000000000000001");
        buf_puts(out, "<groupName>simulated</groupName></item>");
    }
    buf_puts(out, "</groupSet>");
}

void sim_xml_instance(struct buf *out, const struct sim_instance *instance, int64_t now_ms)
{
    const struct sim_launch *launch = &instance->launch;
    char launched[TIME_TEXT_SIZE];
    time_format(instance->started_ms, launched);
    sim_xml_text(out, "instanceId", instance->id);
    sim_xml_text(out, "imageId", launch->image_id);
    sim_xml_state(out, "instanceState", instance->state);
    write_address(out, instance, now_ms);
    write_reason(out, instance);
    sim_xml_text(out, "keyName", launch->key_name);
    buf_puts(out, "<amiLaunchIndex>0</amiLaunchIndex><productCodes/>");
    sim_xml_text(out, "instanceType", launch->type);
    sim_xml_text(out, "launchTime", launched);
    buf_puts(out, "<placement>");
    sim_xml_text(out, "availabilityZone", launch->zone);
    buf_puts(out, "<groupName/><tenancy>default</tenancy></placement>"
                  "<monitoring><state>disabled</state></monitoring>");
    sim_xml_text(out, "subnetId", launch->subnet_id ? launch->subnet_id : "subnet-00000000000000001");
    buf_puts(out, "<vpcId>vpc-00000000000000001</vpcId>");
    write_groups(out, launch);
    buf_puts(out, "<architecture>x86_64</architecture><rootDeviceType>ebs</rootDeviceType>");
    sim_xml_text(out, "clientToken", launch->client_token ? launch->client_token : "");
    write_tags(out, instance, now_ms);
    write_profile(out, launch->profile);
    buf_puts(out, "<hypervisor>xen</hypervisor>"
                  "<metadataOptions><state>applied</state><httpTokens>required</httpTokens>"
                  "<httpPutResponseHopLimit>2</httpPutResponseHopLimit></metadataOptions>");
    buf_printf(out, "<enclaveOptions><enabled>%s</enabled></enclaveOptions>",
               launch->has_enclave ? "true" : "false");
}

void sim_xml_error(struct buf *out, const struct sim_fail *fail, const char *request_id)
{
    buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>");
    sim_xml_text(out, "Code", fail->code);
    sim_xml_text(out, "Message", fail->message);
    buf_puts(out, "</Error></Errors>");
    sim_xml_text(out, "RequestID", request_id);
    buf_puts(out, "</Response>");
}
