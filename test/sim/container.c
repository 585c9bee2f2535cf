/* The agent of EKS Pod Identity: a pod's token in, keys of its role out. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "sim/identity_token.h"
#include "sim/service_internal.h"

#include <string.h>

enum { KEY_LIFE_MS = 6 * 60 * 60 * 1000, TOKEN_SIZE = 4096 };

static void refuse(struct sim_reply *reply, int status, const char *code, const char *message)
{
    struct json_writer writer;
    json_writer_init(&writer, &reply->body);
    json_open_object(&writer, NULL);
    json_text(&writer, "code", code);
    json_text(&writer, "message", message);
    json_close_object(&writer);
    reply->status = status;
}

static void give(struct sim_service *service, struct sim_reply *reply)
{
    const struct sim_key *key = sim_issue_key(service, KEY_LIFE_MS, "tee-pod/eks-pod-identity");
    struct json_writer writer;
    char text[TIME_TEXT_SIZE];
    json_writer_init(&writer, &reply->body);
    json_open_object(&writer, NULL);
    json_text(&writer, "AccessKeyId", key->id);
    json_text(&writer, "SecretAccessKey", key->secret);
    json_text(&writer, "Token", key->token);
    json_text(&writer, "AccountId", SIM_ACCOUNT);
    time_format(key->expires_ms, text);
    json_text(&writer, "Expiration", text);
    json_close_object(&writer);
}

void sim_container_handle(struct sim_service *service, const struct sim_request *request,
                          struct sim_reply *reply)
{
    char token[TOKEN_SIZE] = "";
    reply->content_type = "application/json";
    if (strcmp(request->method, "GET") != 0) {
        refuse(reply, 405, "InvalidRequestException", "only GET");
        return;
    }
    if (request->get_header(request->headers, "authorization", token, sizeof(token)) < 0) {
        refuse(reply, 400, "InvalidRequestException", "Service account token cannot be empty");
        return;
    }
    switch (sim_identity_token_check(token, "pods.eks.amazonaws.com", clock_wall_ms(clock_real()))) {
    case SIM_TOKEN_GOOD: give(service, reply); return;
    case SIM_TOKEN_EXPIRED: refuse(reply, 400, "ExpiredTokenException", "the token has expired"); return;
    default: refuse(reply, 400, "InvalidTokenException", "the token or its audience is invalid"); return;
    }
}
