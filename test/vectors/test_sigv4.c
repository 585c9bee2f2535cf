/* The signer against both published suites: canonical request, string to sign and signature, each compared.
 * The folder of a case holds either request.txt and header-*.txt with a context, or NAME.req, .creq, .sts,
 * .authz. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ftw.h>
#include <jansson.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "nitro/sigv4.h"

enum { SKIPPED = 77, MAX_CASES = 128, V4_COUNT = 38, CLASSIC_COUNT = 34 };

struct found {
    char *paths[MAX_CASES]; /* of the requests */
    size_t count;
};

/* nftw() has no context argument. */
static struct found found;

static int note(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    const char *name = path + at->base;
    const char *dot = strrchr(name, '.');
    bool is_request = strcmp(name, "request.txt") == 0 || (dot && strcmp(dot, ".req") == 0);
    if (type == FTW_F && is_request && found.count < MAX_CASES)
        found.paths[found.count++] = mem_strdup(path);
    return 0;
}

/* Without carriage returns and without line ends at the end; NULL if there is no such file. */
static char *read_text(const char *path)
{
    CLEANUP(fclosep) FILE *file = fopen(path, "re");
    struct buf text;
    int c;
    if (!file)
        return NULL;
    buf_init(&text, 65536);
    while ((c = fgetc(file)) != EOF)
        if (c != '\r')
            assert_int_equal(buf_putc(&text, (char)c), 0);
    while (text.len > 0 && text.data[text.len - 1] == '\n')
        text.data[--text.len] = '\0';
    return buf_steal(&text);
}

static char *read_beside(const char *request_path, const char *modern, const char *classic)
{
    bool is_modern = strstr(request_path, "request.txt") != NULL;
    size_t cut = strlen(request_path) - strlen(is_modern ? "request.txt" : "req");
    CLEANUP(freep) char *path = mem_printf("%.*s%s", (int)cut, request_path, is_modern ? modern : classic);
    return read_text(path);
}

struct message {
    char *text; /* cut into pieces that the request points into */
    struct sigv4_header headers[16];
    struct sigv4_request request;
};

/* A folded line belongs to the header before it. */
static char *cut_headers(struct message *message, char *line)
{
    struct sigv4_request *request = &message->request;
    while (line && *line && *line != '\n') {
        char *end = strchr(line, '\n');
        while (end && (end[1] == ' ' || end[1] == '\t'))
            end = strchr(end + 1, '\n');
        char *colon = strchr(line, ':');
        assert_non_null(colon);
        *colon = '\0';
        if (end)
            *end = '\0';
        message->headers[request->header_count++] = (struct sigv4_header){line, colon + 1};
        line = end ? end + 1 : NULL;
    }
    return line && *line == '\n' ? line + 1 : NULL;
}

static void parse(struct message *message, char *text)
{
    char *target = strchr(text, ' ');
    char *line_end = strchr(text, '\n');
    if (line_end)
        *line_end = '\0';
    char *version = strstr(text, " HTTP/");
    assert_true(target && version);
    *target++ = *version = '\0';
    char *query = strchr(target, '?');
    if (query)
        *query++ = '\0';
    *message = (struct message){.text = text};
    message->request =
        (struct sigv4_request){.method = text, .path = target, .query = query, .headers = message->headers};
    const char *body = line_end ? cut_headers(message, line_end + 1) : NULL;
    message->request.body = body;
    message->request.body_len = body ? strlen(body) : 0;
}

static const char *get_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void sign(const struct sigv4_request *request, const json_t *context,
                 struct sigv4_signature *ret_signature)
{
    const json_t *credentials = json_object_get(context, "credentials");
    bool is_omitted = json_is_true(json_object_get(context, "omit_session_token"));
    const char *token_text = is_omitted ? NULL : get_text(credentials, "token");
    CLEANUP(secret_freep) struct secret *secret = secret_new(get_text(credentials, "secret_access_key"));
    CLEANUP(secret_freep) struct secret *token = secret_new(token_text);
    const struct aws_keys keys = {get_text(credentials, "access_key_id"), secret, token};
    struct sigv4_scope scope = {get_text(context, "region"), get_text(context, "service"), 0};
    struct error err = {0};
    assert_int_equal(time_parse(get_text(context, "timestamp"), &scope.wall_ms), 0);
    assert_int_equal(sigv4_sign(request, &keys, &scope, ret_signature, &err), 0);
}

/* The classic suite has no context: keys and scope are the same throughout. One case wants a token that its
 * request lacks. */
static json_t *make_context(const char *canonical, const char *request)
{
    json_t *context =
        json_pack("{s:{s:s,s:s},s:s,s:s,s:s,s:b}", "credentials", "access_key_id", "AKIDEXAMPLE",
                  "secret_access_key", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "region", "us-east-1",
                  "service", "service", "timestamp", "2015-08-30T12:36:00Z", "normalize", true);
    const char *token = strstr(canonical, "x-amz-security-token:");
    assert_non_null(context);
    if (token && !strcasestr(request, "x-amz-security-token:")) {
        token += strlen("x-amz-security-token:");
        json_object_set_new(json_object_get(context, "credentials"), "token",
                            json_stringn(token, strcspn(token, "\n")));
    }
    return context;
}

static bool is_equal(const char *path, const char *what, const char *seen, const char *wanted)
{
    if (wanted && strcmp(seen, wanted) == 0)
        return true;
    print_error("%s: %s:\n%s\nbut wanted:\n%s\n", path, what, seen, wanted ? wanted : "(no file)");
    return false;
}

static bool check(const char *path, const struct sigv4_signature *signature, const char *canonical)
{
    CLEANUP(freep) char *to_sign = read_beside(path, "header-string-to-sign.txt", "sts");
    CLEANUP(freep) char *hex = read_beside(path, "header-signature.txt", "none");
    CLEANUP(freep) char *authorization = read_beside(path, "none", "authz");
    bool is_ok = is_equal(path, "canonical request", secret_reveal(signature->canonical_request), canonical);
    is_ok = is_equal(path, "string to sign", signature->string_to_sign, to_sign) && is_ok;
    if (hex)
        return is_equal(path, "signature", signature->signature, hex) && is_ok;
    return is_equal(path, "authorization", secret_reveal(signature->authorization), authorization) && is_ok;
}

static bool run_case(const char *path)
{
    char hash[SHA256_HEX_SIZE];
    struct message message;
    struct sigv4_signature signature;
    CLEANUP(freep) char *text = read_text(path);
    CLEANUP(freep) char *canonical = read_beside(path, "header-canonical-request.txt", "creq");
    CLEANUP(freep) char *context_text = read_beside(path, "context.json", "none");
    assert_true(text && canonical);
    json_t *context = context_text ? json_loads(context_text, 0, NULL) : make_context(canonical, text);
    assert_non_null(context);
    parse(&message, text);
    message.request.keep_path = !json_is_true(json_object_get(context, "normalize"));
    if (json_is_true(json_object_get(context, "sign_body"))) {
        sha256_hex(message.request.body, message.request.body_len, hash);
        message.headers[message.request.header_count++] = (struct sigv4_header){"x-amz-content-sha256", hash};
    }
    sign(&message.request, context, &signature);
    bool is_ok = check(path, &signature, canonical);
    sigv4_signature_done(&signature);
    json_decref(context);
    return is_ok;
}

static void run_suite(const char *name, size_t wanted)
{
    const char *root = getenv("TEE_TEST_VECTORS");
    CLEANUP(freep) char *folder = mem_printf("%s/sigv4/%s", root ? root : "../shared/vectors", name);
    size_t passed = 0;
    found.count = 0;
    if (nftw(folder, note, 16, FTW_PHYS) != 0)
        fail_msg("%s cannot be read", folder);
    for (size_t i = 0; i < found.count; i++) {
        passed += run_case(found.paths[i]);
        free(found.paths[i]);
    }
    print_message("%s: %zu of %zu cases pass\n", name, passed, found.count);
    assert_int_equal(found.count, wanted);
    assert_int_equal(passed, wanted);
}

static void test_v4(void **state)
{
    (void)state;
    run_suite("v4", V4_COUNT);
}

static void test_classic(void **state)
{
    (void)state;
    run_suite("aws4_testsuite", CLASSIC_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_v4), cmocka_unit_test(test_classic)};
    const char *root = getenv("TEE_TEST_VECTORS");
    CLEANUP(freep) char *folder = mem_printf("%s/sigv4", root ? root : "../shared/vectors");
    if (access(folder, R_OK) != 0) {
        print_message("vectors: SKIPPED\n");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
