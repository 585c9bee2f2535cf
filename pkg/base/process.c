/* The child's end is awaited in short steps, because both its output and its exit have one deadline. */
#include "base/process.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEP_MS = 20 };

extern char **environ;

static int run_failed(const struct process *process, struct error *err, const char *what)
{
    return error_set(err, ERROR_UNAVAILABLE, "ProcessFailed", "%s: the program %s", process->what, what);
}

static int spawn(const struct process *process, int out, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t pipes;
    sigemptyset(&none);
    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE); /* which we ignore */
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &pipes);
    int code = posix_spawnp(ret_pid, process->arguments[0], &actions, &attributes, process->arguments,
                            process->environment ? process->environment : environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

static int check_time(const struct process *process, int64_t deadline_ms, struct error *err)
{
    if (process->stop && stop_is_requested(process->stop))
        return error_set(err, ERROR_STOPPED, "Stopped", "%s: stopped", process->what);
    if (clock_mono_ms(clock_real()) >= deadline_ms)
        return error_set(err, ERROR_UNAVAILABLE, "ProcessFailed",
                         "%s: the program did not end within %lld ms", process->what,
                         (long long)process->timeout_ms);
    return 0;
}

static int read_output(const struct process *process, int fd, int64_t deadline_ms, struct buf *out,
                       struct error *err)
{
    for (;;) {
        char piece[4096];
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (check_time(process, deadline_ms, err) < 0)
            return -1;
        if (poll(&wait, 1, 10 * STEP_MS) <= 0)
            continue;
        ssize_t len = read(fd, piece, sizeof(piece));
        bool has_room = len <= 0 || buf_append(out, piece, (size_t)len) == 0;
        explicit_bzero(piece, sizeof(piece));
        if (len == 0)
            return 0;
        if (!has_room)
            return error_set(err, ERROR_UNAVAILABLE, "ProcessFailed",
                             "%s: the program printed more than %zu bytes", process->what, out->max);
        if (len < 0 && errno != EINTR && errno != EAGAIN)
            return run_failed(process, err, "cannot be read from");
    }
}

static int await_end(const struct process *process, pid_t pid, int64_t deadline_ms, struct error *err)
{
    int status = 0;
    for (;;) {
        pid_t ended = waitpid(pid, &status, WNOHANG);
        if (ended == pid)
            break;
        if (ended < 0 && errno != EINTR)
            return run_failed(process, err, "cannot be waited for");
        if (check_time(process, deadline_ms, err) < 0) {
            kill(-pid, SIGKILL);
            waitpid(pid, &status, 0);
            return -1;
        }
        poll(NULL, 0, STEP_MS);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status))
        return error_set(err, ERROR_UNAVAILABLE, "ProcessFailed", "%s: the program ended with exit code %d",
                         process->what, WEXITSTATUS(status));
    return run_failed(process, err, "was ended by a signal");
}

int process_run(const struct process *process, struct buf *out, struct error *err)
{
    int64_t deadline_ms = clock_mono_ms(clock_real()) + process->timeout_ms;
    int fds[2];
    pid_t pid = 0;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return error_set(err, ERROR_UNAVAILABLE, "ProcessFailed", "%s: %s", process->what, strerror(errno));
    int code = spawn(process, fds[1], &pid);
    close(fds[1]);
    int result = code == 0 ? read_output(process, fds[0], deadline_ms, out, err)
                           : error_set(err, ERROR_INVALID, "BadProcess", "%s: '%s': %s", process->what,
                                       process->arguments[0], strerror(code));
    close(fds[0]);
    if (code != 0)
        return -1;
    if (result == 0)
        return await_end(process, pid, deadline_ms, err);
    kill(-pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return -1;
}
