/* The child's end is awaited in short steps, because both its output and its exit have one deadline. */
#include "nitro/credentials_process.h"

#include "base/mem.h"
#include "nitro/credentials_source.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

enum { TIMEOUT_MS = 10000, STEP_MS = 20, MAX_OUTPUT = 64 * 1024 };

extern char **environ;

static int bad_line(struct error *err, const char *what)
{
    return error_set(err, ERROR_INVALID, "BadProcess", "credential_process: %s", what);
}

static int run_failed(struct error *err, const char *what)
{
    return error_set(err, ERROR_UNAVAILABLE, "ProcessFailed", "credential_process: the program %s", what);
}

/* One word from *at, which moves behind it; NULL for a quote that is not closed. */
static char *take_word(const char **at)
{
    struct buf word;
    char quote = '\0';
    const char *text = *at;
    buf_init(&word, strlen(text) + 1);
    for (; *text && (quote || !strchr(" \t", *text)); text++) {
        if (quote && *text == quote)
            quote = '\0';
        else if (!quote && strchr("'\"", *text))
            quote = *text;
        else if (*text == '\\' && quote != '\'' && text[1])
            buf_putc(&word, *++text);
        else
            buf_putc(&word, *text);
    }
    *at = text;
    if (!quote)
        return buf_steal(&word);
    buf_done(&word);
    return NULL;
}

static void free_words(char **words)
{
    for (; *words; words++)
        free(*words);
}

int process_split(const char *line, char *ret_arguments[PROCESS_ARGUMENTS_MAX + 1], struct error *err)
{
    char *words[PROCESS_ARGUMENTS_MAX + 1] = {NULL};
    size_t count = 0;
    for (line += strspn(line, " \t"); *line; line += strspn(line, " \t")) {
        char *word = count < PROCESS_ARGUMENTS_MAX ? take_word(&line) : NULL;
        if (!word) {
            free_words(words);
            return bad_line(err, "a quote is not closed, or there are more than 64 arguments");
        }
        words[count++] = word;
    }
    if (count == 0 || !*words[0]) {
        free_words(words);
        return bad_line(err, "it names no program");
    }
    memcpy(ret_arguments, words, sizeof(words));
    return 0;
}

static int spawn(char *const arguments[], int out, pid_t *ret_pid)
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
    int code = posix_spawnp(ret_pid, arguments[0], &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

static int check_time(const struct aws_credentials_options *options, int64_t deadline_ms, struct error *err)
{
    if (options->stop && stop_is_requested(options->stop))
        return error_set(err, ERROR_STOPPED, "Stopped", "credential_process: stopped");
    if (clock_mono_ms(clock_real()) >= deadline_ms)
        return run_failed(err, "did not end within 10 s");
    return 0;
}

static int read_output(const struct aws_credentials_options *options, int fd, int64_t deadline_ms,
                       struct buf *out, struct error *err)
{
    for (;;) {
        char piece[4096];
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (check_time(options, deadline_ms, err) < 0)
            return -1;
        if (poll(&wait, 1, 10 * STEP_MS) <= 0)
            continue;
        ssize_t len = read(fd, piece, sizeof(piece));
        bool has_room = len <= 0 || buf_append(out, piece, (size_t)len) == 0;
        OPENSSL_cleanse(piece, sizeof(piece));
        if (len == 0)
            return 0;
        if (!has_room)
            return run_failed(err, "printed more than 64 KiB");
        if (len < 0 && errno != EINTR && errno != EAGAIN)
            return run_failed(err, "cannot be read from");
    }
}

static int await_end(const struct aws_credentials_options *options, pid_t pid, int64_t deadline_ms,
                     struct error *err)
{
    int status = 0;
    for (;;) {
        pid_t ended = waitpid(pid, &status, WNOHANG);
        if (ended == pid)
            break;
        if (ended < 0 && errno != EINTR)
            return run_failed(err, "cannot be waited for");
        if (check_time(options, deadline_ms, err) < 0) {
            kill(-pid, SIGKILL);
            waitpid(pid, &status, 0);
            return -1;
        }
        poll(NULL, 0, STEP_MS);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status))
        return error_set(err, ERROR_UNAVAILABLE, "ProcessFailed",
                         "credential_process: the program ended with exit code %d", WEXITSTATUS(status));
    return run_failed(err, "was ended by a signal");
}

static int run(const struct aws_credentials_options *options, char *const arguments[], struct buf *out,
               struct error *err)
{
    int64_t deadline_ms = clock_mono_ms(clock_real()) + TIMEOUT_MS;
    int fds[2];
    pid_t pid = 0;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return error_set(err, ERROR_UNAVAILABLE, "ProcessFailed", "credential_process: %s", strerror(errno));
    int code = spawn(arguments, fds[1], &pid);
    close(fds[1]);
    int result = code == 0 ? read_output(options, fds[0], deadline_ms, out, err)
                           : error_set(err, ERROR_INVALID, "BadProcess", "credential_process: '%s': %s",
                                       arguments[0], strerror(code));
    close(fds[0]);
    if (code != 0)
        return -1;
    if (result == 0)
        return await_end(options, pid, deadline_ms, err);
    kill(-pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return -1;
}

static int check_version(const struct buf *out, struct error *err)
{
    json_t *answer = json_loadb(buf_text(out), out->len, JSON_REJECT_DUPLICATES, NULL);
    json_int_t version = json_integer_value(json_object_get(answer, "Version"));
    json_decref(answer);
    return version == 1 ? 0 : bad_line(err, "the program must print a JSON object with Version 1");
}

int credentials_from_process(const struct aws_credentials_options *options, const char *line,
                             struct aws_identity **ret_identity, struct error *err)
{
    static const struct identity_claim claim = {
        .provider = "process", .reason = "BadProcess", .kind = ERROR_INVALID, .may_last = true};
    char *arguments[PROCESS_ARGUMENTS_MAX + 1] = {NULL};
    struct buf out;
    *ret_identity = NULL;
    if (process_split(line, arguments, err) < 0)
        return -1;
    buf_init(&out, MAX_OUTPUT);
    int result = run(options, arguments, &out, err);
    free_words(arguments);
    if (result == 0)
        result = check_version(&out, err);
    if (result == 0)
        result = identity_decode(options, &out, &claim, ret_identity, err);
    if (out.data)
        OPENSSL_cleanse(out.data, out.cap);
    buf_done(&out);
    return result;
}
