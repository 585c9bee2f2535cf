/* One easy handle per client, reset before each request: libcurl keeps the connections across a reset. Stop
 * flag and idle timeout are looked at in the progress callback, which libcurl calls at least once a second.
 */
#include "http/client.h"

#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <string.h>
#include <strings.h>

enum {
    MAX_HEADERS = 64,
    MAX_HEADER_BYTES = 8 * 1024,
    MAX_ERROR_BODY = 64 * 1024,
    USER_TIMEOUT_MS = 30000,
    KEEPALIVE_S = 30,
    MAX_RETRY_AFTER_MS = 60000
};

struct http_client {
    CURL *easy;
    char *headers[MAX_HEADERS]; /* "Name: value" of the last response */
    size_t header_count;
};

/* One request in flight. */
struct transfer {
    struct http_client *client;
    const struct http_request *request;
    struct http_response *response;
    struct error failure; /* set by a callback that ended the transfer */
    int64_t heard_ms;
    size_t body_bytes; /* of a 2xx answer, so far */
    struct curl_slist *headers;
    struct curl_slist *connect_to;
    char *url; /* NULL: the request's */
    char message[CURL_ERROR_SIZE];
};

struct http_client *http_client_new(void)
{
    struct http_client *client = mem_calloc(1, sizeof(*client));
    client->easy = curl_easy_init();
    if (!client->easy)
        abort();
    return client;
}

static void forget_headers(struct http_client *client)
{
    for (size_t i = 0; i < client->header_count; i++)
        free(client->headers[i]);
    client->header_count = 0;
}

struct http_client *http_client_free(struct http_client *client)
{
    if (!client)
        return NULL;
    forget_headers(client);
    curl_easy_cleanup(client->easy);
    free(client);
    return NULL;
}

void http_response_done(struct http_response *response)
{
    buf_done(&response->body);
}

const char *http_client_get_nth_header(const struct http_client *client, const char *name, size_t index)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < client->header_count; i++) {
        const char *header = client->headers[i];
        if (strncasecmp(header, name, len) == 0 && header[len] == ':' && index-- == 0)
            return header + len + 1 + strspn(header + len + 1, " \t");
    }
    return NULL;
}

const char *http_client_get_header(const struct http_client *client, const char *name)
{
    return http_client_get_nth_header(client, name, 0);
}

static int64_t now_mono_ms(void)
{
    return clock_mono_ms(clock_real());
}

/* The certificate can be asked for only while the connection is in use. */
static void note_peer_cert(struct transfer *transfer)
{
    struct curl_tlssessioninfo *info = NULL;
    if (curl_easy_getinfo(transfer->client->easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || !info ||
        info->backend != CURLSSLBACKEND_OPENSSL || !info->internals)
        return;
    X509 *cert = SSL_get1_peer_certificate((SSL *)info->internals);
    unsigned int len = sizeof(transfer->response->peer_cert_sha256);
    if (cert && X509_digest(cert, EVP_sha256(), transfer->response->peer_cert_sha256, &len))
        transfer->response->has_peer_cert = true;
    X509_free(cert);
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    struct http_client *client = transfer->client;
    size_t len = size * count;
    transfer->heard_ms = now_mono_ms();
    if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        forget_headers(client);
        note_peer_cert(transfer);
    }
    while (len > 0 && strchr(" \t\r\n", data[len - 1]))
        len--;
    if (len > 0 && len <= MAX_HEADER_BYTES && client->header_count < MAX_HEADERS)
        client->headers[client->header_count++] = mem_strndup(data, len);
    return size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    const struct http_request *request = transfer->request;
    struct buf *body = &transfer->response->body;
    size_t len = size * count;
    long status = 0;
    transfer->heard_ms = now_mono_ms();
    curl_easy_getinfo(transfer->client->easy, CURLINFO_RESPONSE_CODE, &status);
    bool is_success = status >= 200 && status < 300;
    if (!is_success) {
        size_t room = MAX_ERROR_BODY - body->len;
        buf_append(body, data, len < room ? len : room);
        return len;
    }
    if (len > request->max_body_bytes - transfer->body_bytes) {
        error_set(&transfer->failure, ERROR_INVALID, "BodyTooLarge", "the answer is larger than %zu bytes",
                  request->max_body_bytes);
        return 0;
    }
    transfer->body_bytes += len;
    int result = request->sink ? request->sink(request->sink_ctx, data, len, &transfer->failure)
                               : buf_append(body, data, len);
    return result < 0 ? 0 : len;
}

static int on_progress(void *ctx, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    struct transfer *transfer = ctx;
    const struct http_request *request = transfer->request;
    (void)total;
    (void)now;
    (void)up_total;
    (void)up_now;
    if (request->stop && stop_is_requested(request->stop))
        return error_set(&transfer->failure, ERROR_STOPPED, "Stopped", "stopped");
    if (request->idle_timeout_ms > 0 && now_mono_ms() - transfer->heard_ms > request->idle_timeout_ms)
        return error_set(&transfer->failure, ERROR_UNAVAILABLE, "Timeout", "nothing was heard for %d ms",
                         (int)request->idle_timeout_ms);
    return 0;
}

/* A peer that vanished is noticed by the kernel, also while nothing is sent. */
static int on_socket(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
    unsigned int timeout_ms = USER_TIMEOUT_MS;
    (void)ctx;
    (void)purpose;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
    return CURL_SOCKOPT_OK;
}

static void set_pem(CURL *easy, CURLoption option, const char *pem)
{
    struct curl_blob blob = {.data = (void *)pem, .len = strlen(pem), .flags = CURL_BLOB_COPY};
    curl_easy_setopt(easy, option, &blob);
}

static void set_tls(CURL *easy, const struct http_tls *tls)
{
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (!tls)
        return;
    if (tls->ca_file || tls->ca_pem) {
        /* Only these are trusted, and not the system's store beside them. */
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        curl_easy_setopt(easy, CURLOPT_CAINFO, tls->ca_pem ? NULL : tls->ca_file);
    }
    if (tls->ca_pem)
        set_pem(easy, CURLOPT_CAINFO_BLOB, tls->ca_pem);
    if (tls->cert_pem)
        set_pem(easy, CURLOPT_SSLCERT_BLOB, tls->cert_pem);
    if (tls->key_pem)
        set_pem(easy, CURLOPT_SSLKEY_BLOB, secret_reveal(tls->key_pem));
    if (tls->insecure_skip_verify) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

/* libcurl verifies the host of the URL: so the expected name goes there, and the connection elsewhere. */
static int set_server_name(struct transfer *transfer, const char *server_name, struct error *err)
{
    const char *url = transfer->request->url;
    if (!server_name || strncmp(url, "https://", 8) != 0)
        return 0;
    CURLU *parts = curl_url();
    char *host = NULL;
    char *port = NULL;
    char *changed = NULL;
    bool is_ok = curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                 curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                 curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                 curl_url_set(parts, CURLUPART_HOST, server_name, 0) == CURLUE_OK &&
                 curl_url_get(parts, CURLUPART_URL, &changed, 0) == CURLUE_OK;
    if (is_ok) {
        CLEANUP(freep) char *target = mem_printf("::%s:%s", host, port);
        CLEANUP(freep) char *header = mem_printf("Host: %s:%s", host, port);
        transfer->url = mem_strdup(changed);
        transfer->connect_to = curl_slist_append(NULL, target);
        transfer->headers = curl_slist_append(transfer->headers, header);
    }
    curl_free(host);
    curl_free(port);
    curl_free(changed);
    curl_url_cleanup(parts);
    return is_ok ? 0 : error_set(err, ERROR_INVALID, "BadUrl", "not a URL: %s", url);
}

static void set_callbacks(CURL *easy, struct transfer *transfer)
{
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->message);
}

static void set_body(CURL *easy, const struct http_request *request)
{
    if (strcmp(request->method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (request->body || strcmp(request->method, "POST") == 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body ? (const char *)request->body : "");
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static int prepare(struct transfer *transfer, struct error *err)
{
    const struct http_request *request = transfer->request;
    CURL *easy = transfer->client->easy;
    curl_easy_reset(easy);
    transfer->headers = curl_slist_append(NULL, "Expect:");
    for (const char *const *header = request->headers; header && *header; header++)
        transfer->headers = curl_slist_append(transfer->headers, *header);
    if (set_server_name(transfer, request->tls ? request->tls->server_name : NULL, err) < 0)
        return -1;
    set_callbacks(easy, transfer);
    set_tls(easy, request->tls);
    set_body(easy, request);
    curl_easy_setopt(easy, CURLOPT_URL, transfer->url ? transfer->url : request->url);
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, transfer->connect_to);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->total_timeout_ms);
    if (request->direct)
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    else if (request->proxy_url)
        curl_easy_setopt(easy, CURLOPT_PROXY, request->proxy_url);
    if (request->accept_gzip)
        curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    return 0;
}

static int64_t cut_wait(int64_t wait_ms)
{
    return wait_ms < MAX_RETRY_AFTER_MS ? wait_ms : MAX_RETRY_AFTER_MS;
}

/* A whole number of units, as ms; 0 if it is anything else. */
static int64_t parse_wait(const char *text, int64_t unit_ms)
{
    char *end = NULL;
    long long count = strtoll(text, &end, 10);
    bool is_ok = end != text && *end == '\0' && count > 0;
    return is_ok ? cut_wait(count < MAX_RETRY_AFTER_MS ? count * unit_ms : MAX_RETRY_AFTER_MS) : 0;
}

/* Retry-After is in seconds or a date, Amazon's own header in milliseconds. */
static int64_t parse_retry_after(const struct http_client *client)
{
    const char *amazon = http_client_get_header(client, "x-amz-retry-after");
    const char *text = http_client_get_header(client, "Retry-After");
    if (!text)
        return amazon ? parse_wait(amazon, 1) : 0;
    if (*text >= '0' && *text <= '9')
        return parse_wait(text, 1000);
    time_t at = curl_getdate(text, NULL);
    int64_t wait_ms = at < 0 ? 0 : (int64_t)at * 1000 - clock_wall_ms(clock_real());
    return wait_ms > 0 ? cut_wait(wait_ms) : 0;
}

static void finish(struct transfer *transfer)
{
    struct http_response *response = transfer->response;
    const char *type = http_client_get_header(transfer->client, "Content-Type");
    const char *date = http_client_get_header(transfer->client, "Date");
    time_t date_s = date ? curl_getdate(date, NULL) : -1;
    curl_easy_getinfo(transfer->client->easy, CURLINFO_RESPONSE_CODE, &response->status);
    snprintf(response->content_type, sizeof(response->content_type), "%s", type ? type : "");
    response->retry_after_ms = parse_retry_after(transfer->client);
    response->date_ms = date_s > 0 ? (int64_t)date_s * 1000 : 0;
}

static int translate(const struct transfer *transfer, CURLcode code, struct error *err)
{
    const char *text = *transfer->message ? transfer->message : curl_easy_strerror(code);
    if (transfer->failure.kind != ERROR_NONE) {
        if (err)
            *err = transfer->failure;
        return -1;
    }
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return error_set(err, ERROR_INVALID, "BadUrl", "%s", text);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT: return error_set(err, ERROR_UNAVAILABLE, "ConnectFailed", "%s", text);
    case CURLE_OPERATION_TIMEDOUT: return error_set(err, ERROR_UNAVAILABLE, "Timeout", "%s", text);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CONNECT_ERROR: return error_set(err, ERROR_UNTRUSTED, "TlsFailed", "%s", text);
    default: return error_set(err, ERROR_UNAVAILABLE, "Network", "%s", text);
    }
}

int http_perform(struct http_client *client, const struct http_request *request,
                 struct http_response *ret_response, struct error *err)
{
    struct http_response response = {.status = 0};
    struct transfer transfer = {.client = client, .request = request, .response = &response};
    size_t max = request->max_body_bytes > MAX_ERROR_BODY ? request->max_body_bytes : MAX_ERROR_BODY;
    buf_init(&response.body, max);
    transfer.heard_ms = now_mono_ms();
    forget_headers(client);
    int result = prepare(&transfer, err);
    if (result == 0) {
        CURLcode code = curl_easy_perform(client->easy);
        result = code == CURLE_OK ? 0 : translate(&transfer, code, err);
    }
    if (result == 0)
        finish(&transfer);
    curl_slist_free_all(transfer.headers);
    curl_slist_free_all(transfer.connect_to);
    free(transfer.url);
    if (result == 0)
        *ret_response = response;
    else
        http_response_done(&response);
    return result;
}

bool http_host_is_loopback(const char *host)
{
    char name[INET_ADDRSTRLEN];
    struct in_addr address;
    size_t len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
    if (len >= sizeof(name))
        return false;
    memcpy(name, host, len);
    name[len] = '\0';
    if (strcmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, name, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}
