/* IMDSv2: a session token first, then the role's temporary credentials. A key of six hours is renewed after
 * two, and stays good to its end. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "sim/service_internal.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_TTL_S = 21600,
    KEY_LIFE_MS = 6 * 60 * 60 * 1000,
    RENEW_MS = 4 * 60 * 60 * 1000,
    MAX_TOKENS = 4096
};
#define ROLE        "tee-controller"
#define SESSION     ROLE "/i-0123456789abcdef0"
#define CREDENTIALS "/latest/meta-data/iam/security-credentials/"

static void random_hex(char *ret_text, size_t bytes)
{
    uint8_t data[32];
    RAND_bytes(data, (int)bytes);
    hex_encode(data, bytes, ret_text);
}

static void issue_token(struct sim_service *service, const struct sim_request *request,
                        struct sim_reply *reply)
{
    char ttl[32] = "";
    char token[65];
    request->get_header(request->headers, "x-aws-ec2-metadata-token-ttl-seconds", ttl, sizeof(ttl));
    long seconds = strtol(ttl, NULL, 10);
    if (seconds < 1 || seconds > MAX_TTL_S) {
        reply->status = 400;
        return;
    }
    /* A client whose session is gone is told so by 401, as on a host that was restarted. */
    if (service->imds_tokens.count >= MAX_TOKENS) {
        hmap_done(&service->imds_tokens, free);
        hmap_init(&service->imds_tokens);
    }
    random_hex(token, 28);
    int64_t expires_ms = clock_wall_ms(clock_real()) + seconds * 1000;
    hmap_set(&service->imds_tokens, token, mem_dup(&expires_ms, sizeof(expires_ms)));
    snprintf(reply->ttl, sizeof(reply->ttl), "%ld", seconds);
    buf_puts(&reply->body, token);
}

struct sim_key *sim_issue_key(struct sim_service *service, int64_t life_ms, const char *session)
{
    struct sim_key *key = &service->keys[service->key_count++ % SIM_MAX_KEYS];
    char digits[17];
    random_hex(digits, 8);
    snprintf(key->id, sizeof(key->id), "ASIA%s", digits);
    random_hex(key->secret, 20);
    random_hex(key->token, 32);
    snprintf(key->session, sizeof(key->session), "%s", session);
    key->expires_ms = clock_wall_ms(clock_real()) + life_ms;
    return key;
}

static const struct sim_key *current_key(struct sim_service *service, int64_t now_ms)
{
    for (size_t i = 0; i < service->key_count && i < SIM_MAX_KEYS; i++) {
        const struct sim_key *key = &service->keys[i];
        if (strcmp(key->session, SESSION) == 0 && key->expires_ms - now_ms > RENEW_MS)
            return key;
    }
    return sim_issue_key(service, KEY_LIFE_MS, SESSION);
}

static void write_credentials(struct sim_service *service, struct sim_reply *reply)
{
    int64_t now_ms = clock_wall_ms(clock_real());
    const struct sim_key *key = current_key(service, now_ms);
    struct json_writer writer;
    char text[TIME_TEXT_SIZE];
    json_writer_init(&writer, &reply->body);
    json_open_object(&writer, NULL);
    json_text(&writer, "Code", "Success");
    time_format(key->expires_ms - KEY_LIFE_MS, text);
    json_text(&writer, "LastUpdated", text);
    json_text(&writer, "Type", "AWS-HMAC");
    json_text(&writer, "AccessKeyId", key->id);
    json_text(&writer, "SecretAccessKey", key->secret);
    json_text(&writer, "Token", key->token);
    time_format(key->expires_ms, text);
    json_text(&writer, "Expiration", text);
    json_close_object(&writer);
    reply->content_type = "application/json";
}

static bool has_session(struct sim_service *service, const struct sim_request *request)
{
    char token[128] = "";
    request->get_header(request->headers, "x-aws-ec2-metadata-token", token, sizeof(token));
    const int64_t *expires_ms = hmap_get(&service->imds_tokens, token);
    return expires_ms && *expires_ms > clock_wall_ms(clock_real());
}

void sim_imds_handle(struct sim_service *service, const struct sim_request *request, struct sim_reply *reply)
{
    if (strcmp(request->path, "/latest/api/token") == 0) {
        if (strcmp(request->method, "PUT") == 0)
            issue_token(service, request, reply);
        else
            reply->status = 405;
        return;
    }
    if (strcmp(request->method, "GET") != 0)
        reply->status = 405;
    else if (!has_session(service, request))
        reply->status = 401;
    else if (strcmp(request->path, CREDENTIALS) == 0)
        buf_puts(&reply->body, ROLE);
    else if (strcmp(request->path, CREDENTIALS ROLE) == 0)
        write_credentials(service, reply);
    else if (strcmp(request->path, "/latest/meta-data/placement/region") == 0)
        buf_puts(&reply->body, SIM_REGION);
    else if (strcmp(request->path, "/latest/meta-data/placement/availability-zone") == 0)
        buf_puts(&reply->body, SIM_REGION "a");
    else
        reply->status = 404;
}
