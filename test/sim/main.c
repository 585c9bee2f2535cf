/* tee-sim: command line, one line about itself on standard output, then service until SIGTERM. */
#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "http/server.h"
#include "pki/pki.h"
#include "sim/enclave_host.h"
#include "sim/front.h"
#include "sim/throttle.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct options {
    const char *listen;
    const char *state_dir;
    const char *cluster_id;
    int attestation_port;
    int throttle_percent;
    struct world_options world;
};

static const char help[] =
    "Usage: tee-sim --state-dir DIR [OPTION]...\n"
    "       tee-sim pcrs DIGEST\n"
    "\n"
    "Simulates EC2, IMDSv2 and enclave hosts on this machine.\n"
    "\n"
    "  --listen ADDRESS:PORT    EC2, /latest/ and /_sim/ (default 127.0.0.1:0, 0 = a free port)\n"
    "  --attestation-port PORT  on each instance's private address (default 0 = a free port)\n"
    "  --state-dir DIR          where the PKI root is kept; made if absent\n"
    "  --seed N                 identifiers repeat for the same seed (default 1)\n"
    "  --launch-ms N            pending lasts so long (default 500)\n"
    "  --boot-ms N              running without an enclave lasts so long (default 1000)\n"
    "  --stop-ms N              stopping and shutting-down last so long (default 500)\n"
    "  --instances N            most instances at once (default 20000)\n"
    "  --throttle PERCENT       EC2's token buckets, of the published sizes (default 0 = none)\n"
    "  --cluster-id ID          shown by /_sim/health\n"
    "  --help\n"
    "\n"
    "`tee-sim pcrs` prints PCR 0 to 2 of the enclave that is simulated for an image digest.\n";

static int usage(const char *what, const char *value)
{
    fprintf(stderr, "tee-sim: %s%s\nTry 'tee-sim --help'.\n", what, value);
    return 2;
}

static int print_pcrs(const char *text)
{
    char digest[ENCLAVE_DIGEST_SIZE];
    if (!text || enclave_digest_parse(text, digest) < 0)
        return usage("not a digest: ", text ? text : "(none)");
    for (int i = 0; i < 3; i++) {
        uint8_t pcr[PKI_PCR_BYTES];
        char hex[2 * PKI_PCR_BYTES + 1];
        pki_sim_pcr(i, digest, pcr);
        hex_encode(pcr, sizeof(pcr), hex);
        printf("%d %s\n", i, hex);
    }
    return 0;
}

static int parse_number(const char *text, int64_t high, int64_t *ret_number)
{
    char *end = NULL;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end || number < 0 || number > high)
        return -1;
    *ret_number = number;
    return 0;
}

enum option_id {
    LISTEN,
    ATTESTATION_PORT,
    STATE_DIR,
    SEED,
    BOOT_MS,
    LAUNCH_MS,
    STOP_MS,
    INSTANCES,
    THROTTLE,
    CLUSTER,
    HELP
};

static int set_number(struct options *options, enum option_id id, int64_t number)
{
    switch (id) {
    case ATTESTATION_PORT: options->attestation_port = (int)number; return number > 65535 ? -1 : 0;
    case SEED: options->world.seed = (uint64_t)number; return 0;
    case BOOT_MS: options->world.boot_ms = number; return 0;
    case LAUNCH_MS: options->world.launch_ms = number; return 0;
    case STOP_MS: options->world.stop_ms = number; return 0;
    case THROTTLE: options->throttle_percent = (int)number; return number > SIM_THROTTLE_MAX_PERCENT ? -1 : 0;
    default: options->world.max_instances = (size_t)number; return 0;
    }
}

static int set_option(struct options *options, enum option_id id, const char *value)
{
    int64_t number = 0;
    switch (id) {
    case LISTEN: options->listen = value; return 0;
    case STATE_DIR: options->state_dir = value; return 0;
    case CLUSTER: options->cluster_id = value; return 0;
    default: break;
    }
    return parse_number(value, 1LL << 40, &number) < 0 ? -1 : set_number(options, id, number);
}

/* -1: go on; else the exit code. */
static int parse_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {{"listen", required_argument, NULL, LISTEN},
                                          {"attestation-port", required_argument, NULL, ATTESTATION_PORT},
                                          {"state-dir", required_argument, NULL, STATE_DIR},
                                          {"seed", required_argument, NULL, SEED},
                                          {"boot-ms", required_argument, NULL, BOOT_MS},
                                          {"launch-ms", required_argument, NULL, LAUNCH_MS},
                                          {"stop-ms", required_argument, NULL, STOP_MS},
                                          {"instances", required_argument, NULL, INSTANCES},
                                          {"throttle", required_argument, NULL, THROTTLE},
                                          {"cluster-id", required_argument, NULL, CLUSTER},
                                          {"help", no_argument, NULL, HELP},
                                          {0}};
    int found = 0;
    while ((found = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (found == HELP) {
            fputs(help, stdout);
            return 0;
        }
        if (found == '?')
            return 2;
        if (set_option(options, (enum option_id)found, optarg) < 0)
            return usage("not a valid number: ", optarg);
    }
    if (optind < argc)
        return usage("unexpected argument: ", argv[optind]);
    if (!options->state_dir)
        return usage("--state-dir is required", "");
    return -1;
}

static void announce(const char *host, int port, const struct enclave_host *enclaves, const char *state_dir)
{
    CLEANUP(buf_done) struct buf line;
    CLEANUP(freep) char *endpoint = mem_printf("http://%s:%d", host, port);
    CLEANUP(freep) char *root = mem_printf("%s/pki-root.pem", state_dir);
    struct json_writer writer;
    buf_init(&line, 4096);
    json_writer_init(&writer, &line);
    json_open_object(&writer, NULL);
    json_text(&writer, "endpoint", endpoint);
    json_int(&writer, "attestationPort", enclave_host_get_port(enclaves, false));
    json_int(&writer, "attestationTlsPort", enclave_host_get_port(enclaves, true));
    json_text(&writer, "root", root);
    json_close_object(&writer);
    puts(buf_text(&line));
    fflush(stdout);
}

/* Waits for SIGTERM or SIGINT in a thread of its own, so that no handler runs anywhere. */
static void *wait_for_signal(void *ctx)
{
    sigset_t signals;
    int number = 0;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigwait(&signals, &number);
    front_stop(ctx);
    return NULL;
}

static void block_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

static int serve(const struct options *options, struct error *err)
{
    CLEANUP(freep) char *host = NULL;
    int port = 0;
    if (http_address_parse(options->listen, &host, &port, err) < 0)
        return -1;
    if (port < 0 || !*host)
        return error_set(err, ERROR_INVALID, "BadAddress", "--listen needs an address and a port");
    mkdir(options->state_dir, 0700);
    struct sim_service *service = sim_service_new(&options->world, options->cluster_id);
    sim_service_set_throttle(service, options->throttle_percent);
    struct enclave_host *enclaves =
        enclave_host_new(service, options->state_dir, options->attestation_port, err);
    struct front *front = enclaves ? front_new(service, host, port, err) : NULL;
    if (front) {
        pthread_t waiter = thread_start("signals", wait_for_signal, front);
        announce(host, front_get_port(front), enclaves, options->state_dir);
        front_run(front);
        thread_join(waiter);
    }
    int result = front ? 0 : -1;
    front_free(front);
    enclave_host_free(enclaves);
    sim_service_free(service);
    return result;
}

int main(int argc, char **argv)
{
    struct options options = {
        .listen = "127.0.0.1:0",
        .cluster_id = "",
        .world = {.seed = 1, .boot_ms = 1000, .launch_ms = 500, .stop_ms = 500, .max_instances = 20000},
    };
    struct error err = {0};
    if (argc >= 2 && strcmp(argv[1], "pcrs") == 0)
        return argc == 3 ? print_pcrs(argv[2]) : usage("pcrs takes one digest", "");
    int code = parse_options(argc, argv, &options);
    if (code >= 0)
        return code;
    block_signals();
    if (serve(&options, &err) < 0) {
        fprintf(stderr, "tee-sim: %s\n", err.text);
        return err.kind == ERROR_INVALID ? 2 : 1;
    }
    return 0;
}
