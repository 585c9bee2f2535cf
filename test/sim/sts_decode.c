/* The encoded part is base64 of a word of ours and the action. */
#include "sim/sts_decode.h"

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "sim/xml_out.h"

#include <stdlib.h>
#include <string.h>

#define WORD      "tee-sim denial of "
#define NAMESPACE "https://sts.amazonaws.com/doc/2011-06-15/"
#define PRINCIPAL "arn:aws:iam::" SIM_ACCOUNT ":user/test"

enum { ENCODED_MAX = 10240, DOCUMENT_MAX = 4096 };

static const char resource[] = "arn:aws:ec2:" SIM_REGION ":" SIM_ACCOUNT ":instance/*";

bool sim_sts_is_call(const struct sim_query *query)
{
    const char *version = sim_query_get(query, "Version");
    return version && strcmp(version, "2011-06-15") == 0;
}

int sim_sts_denial(struct sim_fail *fail, const char *action)
{
    CLEANUP(freep) char *plain = mem_printf(WORD "%.50s", action);
    CLEANUP(freep) char *encoded = base64_encode(plain, strlen(plain));
    return sim_fail_set(fail, 403, "UnauthorizedOperation",
                        "You are not authorized to perform this operation. User: " PRINCIPAL
                        " is not authorized to perform: ec2:%.50s on resource: %s because no identity-based "
                        "policy allows the ec2:%.50s action. Encoded authorization failure message: %s",
                        action, resource, action, encoded);
}

static void write_document(struct buf *out, const char *action)
{
    struct json_writer writer;
    CLEANUP(freep) char *full = mem_printf("ec2:%s", action);
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_bool(&writer, "allowed", false);
    json_bool(&writer, "explicitDeny", false);
    json_open_object(&writer, "context");
    json_open_object(&writer, "principal");
    json_text(&writer, "id", "AIDASIMULATED");
    json_text(&writer, "arn", PRINCIPAL);
    json_close_object(&writer);
    json_text(&writer, "action", full);
    json_text(&writer, "resource", resource);
    json_close_object(&writer);
    json_close_object(&writer);
}

int sim_sts_call(struct sim_call *call)
{
    static const char *const patterns[] = {"EncodedMessage", NULL};
    const char *action = sim_query_get(call->query, "Action");
    const char *encoded = sim_query_get(call->query, "EncodedMessage");
    CLEANUP(freep) uint8_t *plain = NULL;
    CLEANUP(buf_done) struct buf document;
    size_t len = 0;
    buf_init(&document, DOCUMENT_MAX);
    if (!action || strcmp(action, "DecodeAuthorizationMessage") != 0)
        return sim_fail_set(&call->fail, 400, "InvalidAction",
                            "Could not find operation %.100s for version 2011-06-15", action ? action : "");
    if (sim_query_check(call->query, patterns, &call->fail) < 0)
        return -1;
    if (!encoded || !*encoded || strlen(encoded) > ENCODED_MAX)
        return sim_fail_set(&call->fail, 400, "ValidationError", "encodedMessage has 1 to %d characters",
                            ENCODED_MAX);
    if (base64_decode(encoded, strlen(encoded), &plain, &len) < 0 || len <= strlen(WORD) ||
        memcmp(plain, WORD, strlen(WORD)) != 0)
        return sim_fail_set(&call->fail, 400, "InvalidAuthorizationMessageException",
                            "The message is not one of this account");
    CLEANUP(freep) char *denied = mem_strndup((const char *)plain + strlen(WORD), len - strlen(WORD));
    write_document(&document, denied);
    buf_puts(call->out, "<DecodeAuthorizationMessageResponse xmlns=\"" NAMESPACE
                        "\"><DecodeAuthorizationMessageResult>");
    sim_xml_text(call->out, "DecodedMessage", buf_text(&document));
    buf_puts(call->out, "</DecodeAuthorizationMessageResult><ResponseMetadata>");
    sim_xml_text(call->out, "RequestId", call->request_id);
    buf_puts(call->out, "</ResponseMetadata></DecodeAuthorizationMessageResponse>");
    return 0;
}

void sim_sts_error(struct buf *out, const struct sim_fail *fail, const char *request_id)
{
    buf_puts(out, "<ErrorResponse xmlns=\"" NAMESPACE "\"><Error>");
    sim_xml_text(out, "Type", fail->status >= 500 ? "Receiver" : "Sender");
    sim_xml_text(out, "Code", fail->code);
    sim_xml_text(out, "Message", fail->message);
    buf_puts(out, "</Error>");
    sim_xml_text(out, "RequestId", request_id);
    buf_puts(out, "</ErrorResponse>");
}
