/* STS as far as it gives keys or says whose they are: a row an action, as for EC2. What else it does is in
 * sts_decode.c. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "sim/identity_token.h"
#include "sim/service_internal.h"
#include "sim/sts_decode.h"
#include "sim/xml_out.h"

#include <stdio.h>
#include <string.h>

#define ROLE_PREFIX "arn:aws:iam::" SIM_ACCOUNT ":role/"
#define WORD        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-"
#define STS_VERSION "2011-06-15"
#define EXTERNAL    "tee-external"

enum { MIN_LIFE_S = 900, MAX_LIFE_S = 43200, DEFAULT_LIFE_S = 3600 };

static int invalid(struct sim_call *call, const char *param)
{
    return sim_fail_set(&call->fail, 400, "ValidationError",
                        "1 validation error detected: Value at '%s' failed to satisfy constraint", param);
}

static int missing(struct sim_call *call, const char *param)
{
    return sim_fail_set(&call->fail, 400, "ValidationError",
                        "1 validation error detected: Value null at '%s' must not be null", param);
}

static int check_session(struct sim_call *call, const char **ret_role, const char **ret_name,
                         long *ret_life_s)
{
    const char *arn = sim_query_get(call->query, "RoleArn");
    const char *name = sim_query_get(call->query, "RoleSessionName");
    if (!arn)
        return missing(call, "roleArn");
    if (!name)
        return missing(call, "roleSessionName");
    size_t len = strlen(name);
    if (len < 2 || len > 64 || name[strspn(name, WORD)])
        return invalid(call, "roleSessionName");
    if (strncmp(arn, "arn:", 4) != 0 || strlen(arn) < 20)
        return invalid(call, "roleArn");
    if (sim_query_number(call->query, "DurationSeconds", DEFAULT_LIFE_S, ret_life_s, &call->fail) < 0)
        return -1;
    if (*ret_life_s < MIN_LIFE_S || *ret_life_s > MAX_LIFE_S)
        return invalid(call, "durationSeconds");
    *ret_role = strncmp(arn, ROLE_PREFIX, strlen(ROLE_PREFIX)) == 0 ? arn + strlen(ROLE_PREFIX) : NULL;
    *ret_name = name;
    if (*ret_role && **ret_role && strstr(*ret_role, "-denied") == NULL)
        return 0;
    return sim_fail_set(&call->fail, 403, "AccessDenied",
                        "User is not authorized to perform: sts:%s on resource: %s",
                        sim_query_get(call->query, "Action"), arn);
}

static void write_keys(struct sim_service *service, struct sim_call *call, const char *session, long life_s)
{
    const struct sim_key *key = sim_issue_key(service, life_s * 1000, session);
    char text[TIME_TEXT_SIZE];
    buf_puts(call->out, "<Credentials>");
    sim_xml_text(call->out, "AccessKeyId", key->id);
    sim_xml_text(call->out, "SecretAccessKey", key->secret);
    sim_xml_text(call->out, "SessionToken", key->token);
    time_format(key->expires_ms, text);
    sim_xml_text(call->out, "Expiration", text);
    buf_puts(call->out, "</Credentials>");
    buf_puts(call->out, "<AssumedRoleUser>");
    buf_printf(call->out, "<AssumedRoleId>AROATEESIM:%s</AssumedRoleId>", strchr(session, '/') + 1);
    buf_printf(call->out, "<Arn>arn:aws:sts::" SIM_ACCOUNT ":assumed-role/%s</Arn>", session);
    buf_puts(call->out, "</AssumedRoleUser>");
}

static int assume(struct sim_service *service, struct sim_call *call)
{
    const char *role = NULL;
    const char *name = NULL;
    long life_s = 0;
    char session[SIM_SESSION_SIZE];
    if (check_session(call, &role, &name, &life_s) < 0)
        return -1;
    if (snprintf(session, sizeof(session), "%s/%s", role, name) >= (int)sizeof(session))
        return invalid(call, "roleArn");
    write_keys(service, call, session, life_s);
    return 0;
}

/* A role whose name ends in -external trusts only those who know its external id. */
static int assume_role(struct sim_service *service, struct sim_call *call, const struct sim_key *key)
{
    static const char ending[] = "-external";
    const char *arn = sim_query_get(call->query, "RoleArn");
    const char *external = sim_query_get(call->query, "ExternalId");
    size_t len = arn ? strlen(arn) : 0;
    bool needs_it = len > strlen(ending) && strcmp(arn + len - strlen(ending), ending) == 0;
    (void)key;
    if (needs_it && (!external || strcmp(external, EXTERNAL) != 0))
        return sim_fail_set(&call->fail, 403, "AccessDenied",
                            "User is not authorized to perform: sts:AssumeRole on resource: %s", arn);
    return assume(service, call);
}

static int assume_with_token(struct sim_service *service, struct sim_call *call, const struct sim_key *key)
{
    const char *token = sim_query_get(call->query, "WebIdentityToken");
    (void)key;
    if (!token)
        return missing(call, "webIdentityToken");
    switch (sim_identity_token_check(token, "sts.amazonaws.com", clock_wall_ms(clock_real()))) {
    case SIM_TOKEN_GOOD: return assume(service, call);
    case SIM_TOKEN_EXPIRED: return sim_fail_set(&call->fail, 400, "ExpiredTokenException", "Token expired");
    default:
        return sim_fail_set(&call->fail, 400, "InvalidIdentityToken",
                            "The ID Token provided is not a valid JWT, or its audience is incorrect");
    }
}

static int get_caller(struct sim_service *service, struct sim_call *call, const struct sim_key *key)
{
    (void)service;
    if (*key->session)
        buf_printf(call->out, "<Arn>arn:aws:sts::" SIM_ACCOUNT ":assumed-role/%s</Arn>", key->session);
    else
        buf_puts(call->out, "<Arn>arn:aws:iam::" SIM_ACCOUNT ":user/test</Arn>");
    buf_printf(call->out, "<UserId>%s</UserId><Account>" SIM_ACCOUNT "</Account>", key->id);
    return 0;
}

static const struct action {
    const char *name;
    bool is_unsigned;
    int (*run)(struct sim_service *service, struct sim_call *call, const struct sim_key *key);
    const char *patterns[8];
} actions[] = {
    {"GetCallerIdentity", false, get_caller, {"Action", "Version"}},
    {"AssumeRole",
     false,
     assume_role,
     {"Action", "Version", "RoleArn", "RoleSessionName", "ExternalId", "DurationSeconds"}},
    {"AssumeRoleWithWebIdentity",
     true,
     assume_with_token,
     {"Action", "Version", "RoleArn", "RoleSessionName", "WebIdentityToken", "DurationSeconds"}},
};

static const struct action *find_action(const struct sim_query *query)
{
    const char *name = sim_query_get(query, "Action");
    for (size_t i = 0; name && i < ARRAY_LEN(actions); i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

bool sim_roles_has(const struct sim_query *query)
{
    return sim_sts_is_call(query) && find_action(query);
}

bool sim_roles_is_unsigned(const struct sim_query *query)
{
    const struct action *action = find_action(query);
    return sim_sts_is_call(query) && action && action->is_unsigned;
}

int sim_roles_call(struct sim_service *service, struct sim_call *call, const struct sim_key *key)
{
    const struct action *action = find_action(call->query);
    if (sim_query_check(call->query, action->patterns, &call->fail) < 0) {
        sim_roles_rename(&call->fail);
        return -1;
    }
    buf_printf(call->out, "<%sResponse xmlns=\"https://sts.amazonaws.com/doc/" STS_VERSION "/\"><%sResult>",
               action->name, action->name);
    if (action->run(service, call, key) < 0)
        return -1;
    buf_printf(call->out,
               "</%sResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>",
               action->name, call->request_id, action->name);
    return 0;
}

/* The same refusals have other names than at EC2. */
void sim_roles_rename(struct sim_fail *fail)
{
    static const struct {
        const char *ec2;
        const char *sts;
        const char *message; /* part of it, or "" */
    } names[] = {{"AuthFailure", "InvalidClientTokenId", ""},
                 {"RequestExpired", "ExpiredToken", "session"},
                 {"RequestExpired", "SignatureDoesNotMatch", ""},
                 {"UnknownParameter", "ValidationError", ""}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(fail->code, names[i].ec2) != 0 || !strstr(fail->message, names[i].message))
            continue;
        snprintf(fail->code, sizeof(fail->code), "%s", names[i].sts);
        fail->status = strcmp(names[i].sts, "ValidationError") == 0 ? 400 : 403;
        break;
    }
}
