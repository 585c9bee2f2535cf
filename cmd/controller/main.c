/* Parse, build, run, exit code. */
#include "base/mem.h"
#include "base/thread.h"
#include "wire.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct log logger = LOG_ROOT("controller");

enum { EXIT_STOPPED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, DRAIN_SECONDS = 15 };

/* Keys and tokens are in our memory: they must not reach a disk by a crash. */
static void forbid_core_dumps(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
}

static sigset_t awaited_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    return set;
}

/* SIGUSR1 tells what happened and changes nothing. After the first signal to stop the process has a bounded
 * time to drain. */
static void *wait_for_signal(void *ctx)
{
    sigset_t set = awaited_signals();
    int signal_number = 0;
    while (sigwait(&set, &signal_number) != 0 || signal_number == SIGUSR1)
        if (signal_number == SIGUSR1)
            controller_dump_flight(ctx);
    log_info(&logger, "Stopping", INT("signal", signal_number));
    alarm(DRAIN_SECONDS);
    controller_stop(ctx);
    return NULL;
}

static int run(const struct options *options)
{
    struct controller *controller = NULL;
    struct error err = {0};
    if (controller_new(options, &controller, &err) < 0) {
        fprintf(stderr, "tee-controller: %s\n", err.text);
        return EXIT_USAGE;
    }
    log_info(&logger, "Starting", STR("version", TEE_VERSION));
    pthread_t signals = thread_start("signals", wait_for_signal, controller);
    int result = controller_run(controller, &err);
    if (result < 0) {
        fprintf(stderr, "tee-controller: %s\n", err.text);
        pthread_kill(signals, SIGTERM);
    }
    thread_join(signals);
    controller_free(controller);
    log_info(&logger, "Stopped");
    return result < 0 ? EXIT_FAILED : EXIT_STOPPED;
}

int main(int argc, char **argv)
{
    struct options options;
    struct error err = {0};
    if (options_parse(argc, argv, &options, &err) < 0) {
        fprintf(stderr, "tee-controller: %s\n", err.text);
        return EXIT_USAGE;
    }
    if (options.show_help)
        options_print_help(stdout);
    else if (options.show_version)
        puts("tee-controller " TEE_VERSION);
    if (options.show_help || options.show_version)
        return EXIT_STOPPED;
    log_configure(options.log_level, options.log_format, STDERR_FILENO);
    forbid_core_dumps();
    mem_keep_small();
    sigset_t set = awaited_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return run(&options);
}
