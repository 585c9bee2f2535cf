/* A failed exec is told through a pipe that a successful one closes. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static const int passed_on[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};

int child_init(struct child *child, struct error *err)
{
    sigset_t mask;
    *child = (struct child){.signal_fd = -1};
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
        sigaddset(&mask, passed_on[i]);
    if (sigprocmask(SIG_BLOCK, &mask, &child->old_mask) == 0)
        child->signal_fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    if (child->signal_fd < 0)
        return error_set(err, ERROR_UNAVAILABLE, "Signals", "signalfd: %s", strerror(errno));
    return 0;
}

void child_done(struct child *child)
{
    if (child->signal_fd >= 0)
        close(child->signal_fd);
}

static _Noreturn void run_program(const struct child *child, char *const *program, int failure_fd)
{
    sigprocmask(SIG_SETMASK, &child->old_mask, NULL);
    execvp(program[0], program);
    int number = errno;
    if (write(failure_fd, &number, sizeof(number)) < 0)
        _exit(125);
    _exit(127);
}

int child_start(struct child *child, char *const *program, int *ret_exit_code, struct error *err)
{
    int pipe_fds[2], number = 0;
    *ret_exit_code = 1;
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return error_set(err, ERROR_UNAVAILABLE, "Start", "cannot start '%s': %s", program[0],
                         strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        run_program(child, program, pipe_fds[1]);
    int fork_errno = errno;
    close(pipe_fds[1]);
    ssize_t len = pid > 0 ? read(pipe_fds[0], &number, sizeof(number)) : 0;
    close(pipe_fds[0]);
    if (pid < 0)
        return error_set(err, ERROR_UNAVAILABLE, "Start", "cannot start '%s': %s", program[0],
                         strerror(fork_errno));
    if (len == (ssize_t)sizeof(number)) {
        waitpid(pid, NULL, 0);
        *ret_exit_code = number == ENOENT ? 127 : 126;
        return error_set(err, ERROR_INVALID, "Start", "cannot start '%s': %s", program[0], strerror(number));
    }
    child->pid = pid;
    return 0;
}

static int exit_code_of(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* One SIGCHLD may stand for several. */
static bool reap(const struct child *child, int *ret_exit_code)
{
    bool is_over = false;
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != child->pid)
            continue;
        *ret_exit_code = exit_code_of(status);
        is_over = true;
    }
    return is_over;
}

bool child_handle(struct child *child, int *ret_exit_code)
{
    struct signalfd_siginfo info;
    bool is_over = false;
    while (read(child->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        int number = (int)info.ssi_signo;
        bool is_to_end = number == SIGTERM || number == SIGINT || number == SIGQUIT;
        if (number == SIGCHLD) {
            is_over = reap(child, ret_exit_code) || is_over;
        } else if (child->pid > 0) {
            kill(child->pid, number);
        } else if (is_to_end) {
            *ret_exit_code = 0;
            is_over = true;
        }
    }
    return is_over;
}
