/* Token and paths go through one exchange(). */
#include "nitro/imds.h"

#include "base/mem.h"
#include "http/client.h"
#include "nitro/aws_config.h"

#include <string.h>

enum { CONNECT_MS = 1000, TOTAL_MS = 2000, MAX_ANSWER = 64 * 1024, MAX_TOKEN = 1024, TRIES_MAX = 3 };

static int check_status(long status, const char *path, struct error *err)
{
    if (status == 200)
        return 0;
    if (status == 404)
        return error_set(err, ERROR_ABSENT, "MetadataAbsent", "the metadata service has no %s", path);
    if (status == 401 || status == 403)
        return error_set(err, ERROR_DENIED, "MetadataRefused", "the metadata service refused %s (HTTP %ld)",
                         path, status);
    return error_set(err, ERROR_UNAVAILABLE, "MetadataFailed",
                     "the metadata service answered %s with HTTP %ld", path, status);
}

/* The first exchange of a session is the one that asks for the token. */
static int exchange_once(struct imds *imds, const char *path, struct buf *ret_text, long *ret_status,
                         struct error *err)
{
    CLEANUP(freep) char *url = mem_printf("%s%s", imds->endpoint, path);
    const char *ask = "x-aws-ec2-metadata-token-ttl-seconds: 21600";
    const char *const headers[] = {imds->token_header ? secret_reveal(imds->token_header) : ask, NULL};
    const struct http_request request = {.method = imds->token_header ? "GET" : "PUT",
                                         .url = url,
                                         .headers = headers,
                                         .connect_timeout_ms = CONNECT_MS,
                                         .total_timeout_ms = TOTAL_MS,
                                         .max_body_bytes = MAX_ANSWER,
                                         .direct = true,
                                         .stop = imds->stop};
    struct http_response response;
    if (http_perform(imds->client, &request, &response, err) < 0)
        return error_wrap(err, "metadata service, %s", path);
    *ret_status = response.status;
    int result = check_status(response.status, path, err);
    if (result == 0 && (response.body.len == 0 || strlen(response.body.data) != response.body.len))
        result = error_set(err, ERROR_UNAVAILABLE, "MetadataFailed",
                           "the metadata service sent nothing usable for %s", path);
    if (result == 0)
        *ret_text = response.body;
    else
        buf_wipe(&response.body);
    return result;
}

/* A service that answers that it failed is asked again; one that is silent is not, because its time-out would
 * be waited for as often. */
static int exchange(struct imds *imds, const char *path, struct buf *ret_text, struct error *err)
{
    for (int try = 1;; try++) {
        long status = 0;
        if (exchange_once(imds, path, ret_text, &status, err) == 0)
            return 0;
        if (status < 500 || try == TRIES_MAX)
            return -1;
    }
}

/* Printable, so that nothing can follow it in a header. */
static bool is_token(const struct buf *text)
{
    for (size_t i = 0; i < text->len; i++)
        if (text->data[i] <= ' ' || text->data[i] > '~')
            return false;
    return text->len <= MAX_TOKEN;
}

int imds_open(const char *endpoint, struct stop *stop, struct imds *ret_imds, struct error *err)
{
    struct imds imds = {.endpoint = endpoint, .stop = stop, .client = http_client_new()};
    struct buf token;
    int result = exchange(&imds, "/latest/api/token", &token, err);
    if (result == 0) {
        if (is_token(&token))
            imds.token_header = secret_take(mem_printf("x-aws-ec2-metadata-token: %s", token.data));
        else
            result = error_set(err, ERROR_UNAVAILABLE, "MetadataFailed",
                               "the metadata service's token is malformed");
        buf_wipe(&token);
    }
    if (result == 0)
        *ret_imds = imds;
    else
        imds_done(&imds);
    return result;
}

int imds_get(struct imds *imds, const char *path, struct buf *ret_text, struct error *err)
{
    return exchange(imds, path, ret_text, err);
}

void imds_done(struct imds *imds)
{
    secret_free(imds->token_header);
    http_client_free(imds->client);
}

int imds_fetch_region(const char *endpoint, struct stop *stop, char **ret_region, struct error *err)
{
    struct imds imds;
    struct buf text;
    if (imds_open(endpoint, stop, &imds, err) < 0)
        return -1;
    int result = imds_get(&imds, "/latest/meta-data/placement/region", &text, err);
    imds_done(&imds);
    if (result < 0)
        return -1;
    if (aws_region_is_valid(text.data))
        *ret_region = buf_steal(&text);
    else
        result =
            error_set(err, ERROR_UNAVAILABLE, "MetadataFailed", "the metadata service's region is malformed");
    buf_wipe(&text);
    return result;
}
