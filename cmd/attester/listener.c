/* See listener.h. */
#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* After sys/socket.h, which it needs and does not include. */
#include <linux/vm_sockets.h>

enum { BACKLOG = 64 };

union address {
    struct sockaddr any;
    struct sockaddr_in tcp;
    struct sockaddr_un path;
    struct sockaddr_vm vsock;
};

static int fill_unix(const char *path, union address *address, struct error *err)
{
    if (strlen(path) >= sizeof(address->path.sun_path))
        return error_set(err, ERROR_INVALID, "Usage", "--listen unix:%s: the path is too long", path);
    address->path.sun_family = AF_UNIX;
    memcpy(address->path.sun_path, path, strlen(path) + 1);
    return sizeof(address->path);
}

static int fill_tcp(const struct arguments *arguments, union address *address, struct error *err)
{
    address->tcp.sin_family = AF_INET;
    address->tcp.sin_port = htons((uint16_t)arguments->port);
    if (inet_pton(AF_INET, arguments->host, &address->tcp.sin_addr) != 1)
        return error_set(err, ERROR_INVALID, "Usage", "--listen tcp:%s: not an IPv4 address",
                         arguments->host);
    return sizeof(address->tcp);
}

/* The length of the address, or -1. */
static int fill_address(const struct arguments *arguments, union address *address, struct error *err)
{
    memset(address, 0, sizeof(*address));
    if (arguments->listen == LISTEN_UNIX)
        return fill_unix(arguments->path, address, err);
    if (arguments->listen == LISTEN_TCP)
        return fill_tcp(arguments, address, err);
    address->vsock.svm_family = AF_VSOCK;
    address->vsock.svm_cid = VMADDR_CID_ANY;
    address->vsock.svm_port = arguments->port;
    return sizeof(address->vsock);
}

int listener_open(const struct arguments *arguments, int *ret_fd, struct error *err)
{
    union address address;
    char text[160];
    int len = fill_address(arguments, &address, err), on = 1;
    if (len < 0)
        return -1;
    listener_describe(arguments, -1, text, sizeof(text));
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set(err, ERROR_UNAVAILABLE, "Listen", "cannot listen on %s: %s", text, strerror(errno));
    if (arguments->listen == LISTEN_TCP)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, &address.any, (socklen_t)len) < 0 || listen(fd, BACKLOG) < 0) {
        error_set(err, ERROR_UNAVAILABLE, "Listen", "cannot listen on %s: %s", text, strerror(errno));
        close(fd);
        return -1;
    }
    *ret_fd = fd;
    return 0;
}

void listener_describe(const struct arguments *arguments, int fd, char *ret_text, size_t size)
{
    struct sockaddr_in bound;
    socklen_t len = sizeof(bound);
    uint32_t port = arguments->port;
    if (arguments->listen == LISTEN_TCP && fd >= 0 && getsockname(fd, (struct sockaddr *)&bound, &len) == 0)
        port = ntohs(bound.sin_port);
    if (arguments->listen == LISTEN_UNIX)
        snprintf(ret_text, size, "unix:%s", arguments->path);
    else if (arguments->listen == LISTEN_TCP)
        snprintf(ret_text, size, "tcp:%s:%u", arguments->host, port);
    else
        snprintf(ret_text, size, "vsock:%u", port);
}
