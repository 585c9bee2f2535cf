/* client: every outgoing HTTP request of the program.
 *
 * Model: one blocking call, http_perform(): a request described by value goes in, a bounded response comes
 * out, either collected in a buffer or handed to a sink as it arrives. A struct http_client keeps one
 * connection pool; several threads use several clients. Redirects are never followed; only http and https are
 * spoken, HTTP/1.1, TLS >= 1.2, certificates verified unless the request brings its own check. Threads: a
 * client is used by one thread at a time; the stop flag may be set from any. Ownership: the request borrows
 * everything; the response owns its body, http_response_done() frees it. Limits: max_body_bytes (required, >
 * 0), 64 response headers of 8 KiB. Errors: ERROR_UNAVAILABLE (reason ConnectFailed, Timeout, Network),
 * ERROR_UNTRUSTED (TlsFailed), ERROR_INVALID (BodyTooLarge, BadUrl), ERROR_STOPPED. An HTTP status of any
 * value is a success of this module. */
#ifndef TEE_HTTP_CLIENT_H
#define TEE_HTTP_CLIENT_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/thread.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_client;

/* How the peer is authenticated and how we authenticate; all optional, all borrowed. */
struct http_tls {
    const char *ca_file;          /* NULL: the system's store, unless ca_pem */
    const char *ca_pem;           /* PEM text */
    const char *cert_pem;         /* client certificate, PEM text */
    const struct secret *key_pem; /* its key, PEM text */
    const char *server_name;      /* expected instead of the URL's host */
    bool insecure_skip_verify;    /* kubeconfig's flag, and attestation presets that pin the certificate
                                     themselves */
};

/* Called with each piece of a 2xx body as it arrives; -1 (err filled) ends the transfer with that error. */
typedef int http_sink(void *ctx, const char *data, size_t len, struct error *err);

struct http_request {
    const char *method;
    const char *url;
    const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
    const void *body;
    size_t body_len;
    const struct http_tls *tls;
    int64_t connect_timeout_ms;
    int64_t total_timeout_ms; /* 0 = none; only for streams, which then need an idle timeout */
    int64_t idle_timeout_ms;  /* 0 = none; no byte for so long ends the transfer with Timeout */
    size_t max_body_bytes; /* 2xx bodies past it are an error, also with a sink; others are cut at 64 KiB */
    bool direct;           /* never through a proxy */
    const char *proxy_url; /* NULL: what the environment names */
    bool accept_gzip;      /* not on streams */
    http_sink *sink;       /* NULL: the body is collected */
    void *sink_ctx;
    struct stop *stop; /* NULL or checked at least every second */
};

struct http_response {
    long status;
    struct buf body;
    int64_t retry_after_ms; /* Retry-After in seconds or as a date, or x-amz-retry-after, 60 s at most; 0 if
                               absent */
    int64_t date_ms;        /* Date header as Unix time, 0 if absent */
    char content_type[96];
    bool has_peer_cert; /* https only */
    uint8_t peer_cert_sha256[32];
};

struct http_client *http_client_new(void);
struct http_client *http_client_free(struct http_client *client);
MUST_CHECK int http_perform(struct http_client *client, const struct http_request *request,
                            struct http_response *ret_response, struct error *err);
void http_response_done(struct http_response *response);
/* A header of the last response of this client by case-insensitive name, borrowed until the next call, or
 * NULL. */
const char *http_client_get_header(const struct http_client *client, const char *name);
/* Of headers that come more than once: the one with this index, from 0. */
const char *http_client_get_nth_header(const struct http_client *client, const char *name, size_t index);

/* host[:port][/path] as in a URL: an address of 127.0.0.0/8, [::1] or localhost, and no name that looks so.
 */
bool http_host_is_loopback(const char *host);

#endif
