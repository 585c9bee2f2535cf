/* The address is judged before every request, the first as any later one: it is where a token is sent to. */
#include "base/mem.h"
#include "http/client.h"
#include "nitro/credentials_source.h"

#include <arpa/inet.h>
#include <string.h>

enum { TRIES_MAX = 3, PAUSE_MS = 1000, TIMEOUT_MS = 2000, MAX_URL = 2048 };

#define RELATIVE   "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
#define FULL       "AWS_CONTAINER_CREDENTIALS_FULL_URI"
#define TOKEN_FILE "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
#define TOKEN      "AWS_CONTAINER_AUTHORIZATION_TOKEN"

static int refuse(const char *variable, const char *what, struct error *err)
{
    return error_set(err, ERROR_INVALID, "BadEnvironment", "%s %s", variable, what);
}

static bool is_clean(const char *text)
{
    for (const char *at = text; *at; at++)
        if (*at <= ' ' || *at > '~' || strchr("\\\"<>^`{|}#", *at))
            return false;
    return strlen(text) <= MAX_URL;
}

/* An address of this machine, or one of those at which ECS and EKS serve their agents' answers. */
static bool is_local(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    struct in6_addr eks;
    if (strcmp(host, "localhost") == 0 || strcmp(host, "169.254.170.2") == 0 ||
        strcmp(host, "169.254.170.23") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && inet_pton(AF_INET6, "fd00:ec2::23", &eks) == 1 &&
           (IN6_IS_ADDR_LOOPBACK(&v6) || memcmp(&v6, &eks, sizeof(v6)) == 0);
}

/* The host of a URL's authority, brackets gone; NULL if it has a user or makes no sense. */
static char *copy_host(const char *authority)
{
    size_t len = strcspn(authority, "/?");
    const char *end = authority + len;
    if (memchr(authority, '@', len))
        return NULL;
    if (*authority == '[') {
        const char *close = memchr(authority, ']', len);
        bool is_ok = close && (close + 1 == end || close[1] == ':');
        return is_ok ? mem_strndup(authority + 1, (size_t)(close - authority - 1)) : NULL;
    }
    size_t host_len = strcspn(authority, "/?:");
    return host_len > 0 ? mem_strndup(authority, host_len) : NULL;
}

static int check_full(const char *url, bool *ret_is_local, struct error *err)
{
    bool is_https = strncmp(url, "https://", 8) == 0;
    if (!is_clean(url) || (!is_https && strncmp(url, "http://", 7) != 0))
        return refuse(FULL, "must be a URL such as http://169.254.170.23/v1/credentials", err);
    CLEANUP(freep) char *host = copy_host(url + (is_https ? 8 : 7));
    if (!host)
        return refuse(FULL, "must name a host, and no user", err);
    *ret_is_local = is_local(host);
    if (!is_https && !*ret_is_local)
        return refuse(
            FULL, "must be https, or http at loopback, 169.254.170.2, 169.254.170.23 or [fd00:ec2::23]", err);
    return 0;
}

/* *ret_url is NULL if neither variable is set. */
static int find_url(const struct aws_credentials_options *options, char **ret_url, bool *ret_is_local,
                    struct error *err)
{
    CLEANUP(freep) char *relative = credentials_copy_variable(options, RELATIVE);
    CLEANUP(freep) char *full = credentials_copy_variable(options, FULL);
    *ret_is_local = true;
    if (relative) {
        if (*relative != '/' || !is_clean(relative))
            return refuse(RELATIVE, "must be a path that begins with a slash", err);
        *ret_url = mem_printf("http://169.254.170.2%s", relative);
        return 0;
    }
    if (full && check_full(full, ret_is_local, err) < 0)
        return -1;
    *ret_url = STEAL(full);
    return 0;
}

/* The file wins, and is read anew at each call. The value keeps inner spaces ("Basic x"), never a line break.
 */
static int find_header(const struct aws_credentials_options *options, struct secret **ret_header,
                       struct error *err)
{
    CLEANUP(freep) char *path = credentials_copy_variable(options, TOKEN_FILE);
    CLEANUP(secret_freep) struct secret *token = NULL;
    if (path) {
        if (credentials_read_token(path, TOKEN_FILE, &token, err) < 0)
            return -1;
    } else {
        const char *raw = environment_find(options->environment, TOKEN);
        for (const char *at = raw ? raw : ""; *at; at++)
            if (*at < ' ' || *at > '~' || at - raw >= CREDENTIALS_TOKEN_MAX)
                return refuse(TOKEN, "must be printable ASCII in one line", err);
        token = secret_new(raw);
    }
    *ret_header = secret_prefixed("Authorization: ", token);
    return 0;
}

static int read_answer(const struct aws_credentials_options *options, const struct http_response *response,
                       struct aws_identity **ret_identity, struct error *err)
{
    static const struct identity_claim claim = {
        .provider = "container", .reason = "ContainerFailed", .kind = ERROR_UNAVAILABLE};
    long status = response->status;
    if (status == 200)
        return identity_decode(options, &response->body, &claim, ret_identity, err);
    bool may_pass = status >= 500 || status == 429;
    return error_set(err, may_pass ? ERROR_UNAVAILABLE : ERROR_DENIED,
                     may_pass ? "ContainerFailed" : "ContainerRefused",
                     "the endpoint of container credentials answered with HTTP %ld", status);
}

static int try_once(const struct aws_credentials_options *options, const struct http_request *request,
                    struct aws_identity **ret_identity, bool *ret_may_retry, struct error *err)
{
    struct http_response response;
    *ret_may_retry = false;
    struct error failure = {0};
    if (credentials_exchange(options, request, &response, &failure) < 0) {
        *ret_may_retry = failure.kind == ERROR_UNAVAILABLE;
        return error_set(err, failure.kind, failure.reason, "the endpoint of container credentials: %s",
                         failure.text);
    }
    *ret_may_retry = response.status >= 500 || response.status == 429;
    int result = read_answer(options, &response, ret_identity, err);
    buf_wipe(&response.body);
    http_response_done(&response);
    return result;
}

int credentials_from_container(const struct aws_credentials_options *options,
                               struct aws_identity **ret_identity, struct error *err)
{
    CLEANUP(freep) char *url = NULL;
    CLEANUP(secret_freep) struct secret *authorization = NULL;
    bool is_direct = false;
    *ret_identity = NULL;
    if (find_url(options, &url, &is_direct, err) < 0)
        return -1;
    if (!url)
        return 0;
    if (find_header(options, &authorization, err) < 0)
        return -1;
    const char *const headers[] = {"Accept: application/json", secret_reveal(authorization), NULL};
    const struct http_tls tls = {.ca_file = options->config->ca_bundle};
    const struct http_request request = {.method = "GET",
                                         .url = url,
                                         .headers = headers,
                                         .tls = &tls,
                                         .connect_timeout_ms = TIMEOUT_MS,
                                         .total_timeout_ms = TIMEOUT_MS,
                                         .max_body_bytes = CREDENTIALS_ANSWER_MAX,
                                         .direct = is_direct,
                                         .stop = options->stop};
    for (int try = 1;; try++) {
        bool may_retry = false;
        if (try_once(options, &request, ret_identity, &may_retry, err) == 0)
            return 0;
        if (!may_retry || try == TRIES_MAX)
            return -1;
        if (credentials_wait(options, PAUSE_MS))
            return error_set(err, ERROR_STOPPED, "Stopped", "stopped");
    }
}
