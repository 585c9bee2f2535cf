/* server: the small HTTP server for health, metrics and what else people and probes read.
 *
 * Model: a table of listeners, each with an address and a table of routes. GET only; the path must be equal
 * to a route's, else 404. A handler fills a buffer and a status at once and must not block: it reads what
 * other threads publish. All listeners are served by one thread. An address is `host:port`, `:port`,
 * `[v6]:port` or a number of a host; "", "0" and NULL mean off; port 0 lets the system choose. Plain
 * HTTP/1.1, keep-alive. Threads: handlers run on the server's thread; start and free from one thread.
 * Ownership: the tables and their strings are borrowed and must outlive the server.
 * Limits: 4 listeners, 48 connections, 4 KiB of request head, 1 KiB of query, 4 MiB of answer.
 * Errors: ERROR_INVALID (BadAddress), ERROR_UNAVAILABLE (ListenFailed). */
#ifndef TEE_HTTP_SERVER_H
#define TEE_HTTP_SERVER_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"

#include <stddef.h>

struct http_server;

/* query is what follows '?', "" if nothing does. *ret_status is 200 on entry. */
typedef void http_handler(void *ctx, const char *query, struct buf *out, int *ret_status);

struct http_route {
    const char *path;
    const char *content_type;
    http_handler *handle;
    void *ctx;
};

struct http_listener {
    const char *address;
    const struct http_route *routes;
    size_t route_count;
};

MUST_CHECK int http_server_start(const struct http_listener *listeners, size_t count,
                                 struct http_server **ret_server, struct error *err);
/* The port that listener number index has; 0 if it is off. */
int http_server_get_port(const struct http_server *server, size_t index);
/* Closes everything and waits for the thread. */
struct http_server *http_server_free(struct http_server *server);

/* Splits an address as above; *ret_host is "" for all interfaces and freed by the caller. *ret_port is -1 if
 * the listener is off. */
MUST_CHECK int http_address_parse(const char *address, char **ret_host, int *ret_port, struct error *err);

#endif
