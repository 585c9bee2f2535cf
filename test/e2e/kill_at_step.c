/* Preloaded into a program under test: ends it by SIGKILL at its N-th visible step (TEE_KILL_AT=N).
 *
 * A step is a moment at which the world and the program's memory begin to differ: right before bytes go out
 * on a socket, right after they went, and right after some came in. Threads: any; one counter. Limits: the
 * calls that libcurl and OpenSSL make. Errors: without the variable nothing is counted. */
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static _Atomic long steps_left;

__attribute__((constructor)) static void read_limit(void)
{
    const char *text = getenv("TEE_KILL_AT");
    steps_left = text ? strtol(text, NULL, 10) : -1;
}

static void step(void)
{
    if (steps_left > 0 && atomic_fetch_sub(&steps_left, 1) == 1)
        kill(getpid(), SIGKILL);
}

static int is_socket(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    ssize_t (*next)(int, const void *, size_t, int) =
        (ssize_t(*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");
    step();
    ssize_t sent = next(fd, data, len, flags);
    step();
    return sent;
}

ssize_t write(int fd, const void *data, size_t len)
{
    ssize_t (*next)(int, const void *, size_t) =
        (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (!is_socket(fd))
        return next(fd, data, len);
    step();
    ssize_t sent = next(fd, data, len);
    step();
    return sent;
}

ssize_t recv(int fd, void *data, size_t len, int flags)
{
    ssize_t (*next)(int, void *, size_t, int) =
        (ssize_t(*)(int, void *, size_t, int))dlsym(RTLD_NEXT, "recv");
    ssize_t got = next(fd, data, len, flags);
    if (got > 0)
        step();
    return got;
}

ssize_t read(int fd, void *data, size_t len)
{
    ssize_t (*next)(int, void *, size_t) = (ssize_t(*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
    ssize_t got = next(fd, data, len);
    if (got > 0 && is_socket(fd))
        step();
    return got;
}
