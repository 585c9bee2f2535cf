/* DescribeImages and DescribeSubnets, and what every call holds of images, subnets and groups: they exist
 * when they are well formed, and the end of an id says what is special about one (README.md). */
#include "sim/ec2.h"
#include "sim/xml_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FREE_ADDRESSES = 4091, MAX_NAMED = 1000 };

static bool ends_with(const char *text, const char *ending)
{
    size_t len = strlen(text);
    size_t ending_len = strlen(ending);
    return len >= ending_len && strcmp(text + len - ending_len, ending) == 0;
}

int sim_check_resource(struct sim_call *call, const char *id, const char *prefix, const char *code)
{
    char full[64];
    bool is_id = sim_is_id(id, prefix);
    if (is_id && !ends_with(id, "00000000000000404"))
        return 0;
    snprintf(full, sizeof(full), "%s.%s", code, is_id ? "NotFound" : "Malformed");
    return sim_fail_set(&call->fail, 400, full,
                        is_id ? "The ID '%.100s' does not exist" : "Invalid id: \"%.100s\"", id);
}

bool sim_image_is_available(const char *id)
{
    return !ends_with(id, "00000000000000503");
}

const char *sim_image_architecture(const char *id)
{
    return ends_with(id, "a64") ? "arm64" : "x86_64";
}

char sim_subnet_zone(const char *id)
{
    return (char)('a' + strtol(id + strlen(id) - 1, NULL, 16) % 3);
}

bool sim_subnet_is_full(const char *id)
{
    return ends_with(id, "00000000000000507");
}

/* PREFIX.1 and on: at least one, all of them known. */
static int check_named(struct sim_call *call, const char *param, const char *prefix, const char *code)
{
    const char *id = sim_query_getf(call->query, "%s.1", param);
    if (!id)
        return sim_fail_set(&call->fail, 400, "MissingParameter",
                            "This account lists only by %s.N: there is no end to what exists here", param);
    for (int i = 1; id; id = sim_query_getf(call->query, "%s.%d", param, ++i))
        if (sim_check_resource(call, id, prefix, code) < 0)
            return -1;
        else if (i > MAX_NAMED)
            return sim_fail_set(&call->fail, 400, "InvalidParameterValue", "More than %d ids", MAX_NAMED);
    return sim_check_dry_run(call);
}

static void write_image(struct buf *out, const char *id)
{
    buf_puts(out, "<item>");
    sim_xml_text(out, "imageId", id);
    sim_xml_text(out, "imageState", sim_image_is_available(id) ? "available" : "pending");
    sim_xml_text(out, "architecture", sim_image_architecture(id));
    buf_puts(out, "<imageType>machine</imageType><rootDeviceType>ebs</rootDeviceType>");
    buf_puts(out, "<rootDeviceName>/dev/xvda</rootDeviceName><virtualizationType>hvm</virtualizationType>");
    buf_puts(out,
             "<blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><volumeSize>8</volumeSize>"
             "</ebs></item></blockDeviceMapping></item>");
}

int sim_describe_images(struct sim_call *call)
{
    const char *id = NULL;
    if (check_named(call, "ImageId", "ami-", "InvalidAMIID") < 0)
        return -1;
    sim_xml_open(call->out, "DescribeImages", call->request_id);
    buf_puts(call->out, "<imagesSet>");
    for (int i = 1; (id = sim_query_getf(call->query, "ImageId.%d", i)); i++)
        write_image(call->out, id);
    buf_puts(call->out, "</imagesSet>");
    sim_xml_close(call->out, "DescribeImages");
    return 0;
}

static void write_subnet(struct buf *out, const char *id)
{
    buf_puts(out, "<item>");
    sim_xml_text(out, "subnetId", id);
    buf_puts(out, "<state>available</state><vpcId>vpc-00000001</vpcId><cidrBlock>127.64.0.0/20</cidrBlock>");
    buf_printf(out, "<availableIpAddressCount>%d</availableIpAddressCount>",
               sim_subnet_is_full(id) ? 0 : FREE_ADDRESSES);
    buf_printf(out, "<availabilityZone>" SIM_REGION "%c</availabilityZone></item>", sim_subnet_zone(id));
}

int sim_describe_subnets(struct sim_call *call)
{
    const char *id = NULL;
    if (check_named(call, "SubnetId", "subnet-", "InvalidSubnetID") < 0)
        return -1;
    sim_xml_open(call->out, "DescribeSubnets", call->request_id);
    buf_puts(call->out, "<subnetSet>");
    for (int i = 1; (id = sim_query_getf(call->query, "SubnetId.%d", i)); i++)
        write_subnet(call->out, id);
    buf_puts(call->out, "</subnetSet>");
    sim_xml_close(call->out, "DescribeSubnets");
    return 0;
}
