/* Flags stand before the program: everything after "--" is the program's. */
#include "arguments.h"

#include "nitro/native.h"

#include <stdlib.h>
#include <string.h>

static const char help_text[] =
    "usage: tee-attester [--listen WHERE] [--user-data-file FILE] [-- PROGRAM [ARGUMENT...]]\n"
    "\n"
    "Answers `Native` attestation requests inside a Nitro enclave: GET /attestation?nonce=<64 hex digits>.\n"
    "With a program it starts it, passes signals on, and ends with its exit code.\n"
    "\n"
    "  --listen WHERE         vsock:PORT (default vsock:1300); tcp:IPV4:PORT and unix:PATH are for tests\n"
    "  --user-data-file FILE  up to 1024 bytes for every document's user_data; fixed by the image\n"
    "  --version, --help\n";

void arguments_print_help(FILE *out)
{
    fputs(help_text, out);
}

static int parse_port(const char *text, uint32_t max, uint32_t *ret_port)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9')
        return -1;
    unsigned long port = strtoul(text, &end, 10);
    if (*end || strlen(text) > 10 || port > max)
        return -1;
    *ret_port = (uint32_t)port;
    return 0;
}

static int bad_listen(const char *value, struct error *err)
{
    return error_set(err, ERROR_INVALID, "Usage",
                     "--listen %s: must be vsock:PORT, tcp:IPV4:PORT or unix:PATH", value);
}

static int parse_tcp(const char *value, const char *rest, struct arguments *ret, struct error *err)
{
    const char *colon = strrchr(rest, ':');
    size_t len = colon ? (size_t)(colon - rest) : 0;
    if (len < 7 || len >= sizeof(ret->host) || parse_port(colon + 1, 65535, &ret->port) < 0)
        return bad_listen(value, err);
    memcpy(ret->host, rest, len);
    ret->host[len] = '\0';
    ret->listen = LISTEN_TCP;
    return 0;
}

static int parse_listen(const char *value, struct arguments *ret, struct error *err)
{
    if (strncmp(value, "tcp:", 4) == 0)
        return parse_tcp(value, value + 4, ret, err);
    if (strncmp(value, "unix:", 5) == 0 && value[5]) {
        ret->listen = LISTEN_UNIX;
        ret->path = value + 5;
        return 0;
    }
    ret->listen = LISTEN_VSOCK;
    if (strncmp(value, "vsock:", 6) != 0 || parse_port(value + 6, UINT32_MAX - 1, &ret->port) < 0)
        return bad_listen(value, err);
    return 0;
}

/* The flag's value: what follows "=", or the next argument, to which *index then points. */
static const char *value_of(const char *argument, const char *flag, int argc, char *const *argv, int *index)
{
    size_t len = strlen(flag);
    if (argument[len] == '=')
        return argument + len + 1;
    return *index + 1 < argc ? argv[++*index] : NULL;
}

static bool is_flag(const char *argument, const char *flag)
{
    size_t len = strlen(flag);
    return strncmp(argument, flag, len) == 0 && (argument[len] == '\0' || argument[len] == '=');
}

static int parse_flag(int argc, char *const *argv, int *index, struct arguments *ret, struct error *err)
{
    const char *argument = argv[*index];
    bool is_listen = is_flag(argument, "--listen");
    if (strcmp(argument, "--version") == 0 || strcmp(argument, "--help") == 0) {
        *(argument[2] == 'v' ? &ret->show_version : &ret->show_help) = true;
        return 0;
    }
    if (!is_listen && !is_flag(argument, "--user-data-file"))
        return error_set(
            err, ERROR_INVALID, "Usage",
            "unknown argument '%s'; a program to start follows after --, and --help lists the flags",
            argument);
    const char *flag = is_listen ? "--listen" : "--user-data-file";
    const char *value = value_of(argument, flag, argc, argv, index);
    if (!value || !value[0])
        return error_set(err, ERROR_INVALID, "Usage", "%s: needs a value", flag);
    if (is_listen)
        return parse_listen(value, ret, err);
    ret->user_data_file = value;
    return 0;
}

int arguments_parse(int argc, char *const *argv, struct arguments *ret_arguments, struct error *err)
{
    struct arguments parsed = {.listen = LISTEN_VSOCK, .port = NATIVE_PORT};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            if (i + 1 == argc)
                return error_set(err, ERROR_INVALID, "Usage", "--: names no program to start");
            parsed.program = argv + i + 1;
            break;
        }
        if (parse_flag(argc, argv, &i, &parsed, err) < 0)
            return -1;
    }
    *ret_arguments = parsed;
    return 0;
}
