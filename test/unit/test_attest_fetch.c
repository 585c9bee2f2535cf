/* Fetching over real sockets: documents in each preset's wrapping, hosts that boot, refuse, hang or never
 * end, and a TLS certificate that the document must name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "base/thread.h"
#include "nitro/attest.h"
#include "nitro/attest_fetch.h"
#include "pki/pki.h"

#define MODULE_ID "i-0123456789abcdef0-enc01a3185c00001234"

static const int64_t now_ms = INT64_C(1800000000000);

/* Answers one connection and ends. */
struct server {
    int listener;
    uint16_t port;
    pthread_t thread;
    SSL_CTX *tls; /* NULL: plain TCP */
    const char *reply;
    size_t reply_len;
    bool is_endless;
    bool is_silent;
    /* With a pki the reply is a document that answers the request's nonce. */
    struct pki *pki;
    const struct attest_protocol *protocol;
    struct pki_span user_data;
    char head[NATIVE_HEAD_MAX + 1];
};

struct peer {
    int fd;
    SSL *ssl;
};

static long peer_read(const struct peer *peer, char *data, size_t size)
{
    return peer->ssl ? SSL_read(peer->ssl, data, (int)size) : recv(peer->fd, data, size, 0);
}

static long peer_write(const struct peer *peer, const char *data, size_t len)
{
    return peer->ssl ? SSL_write(peer->ssl, data, (int)len) : send(peer->fd, data, len, MSG_NOSIGNAL);
}

static void read_head(struct server *server, const struct peer *peer)
{
    size_t len = 0;
    while (len < NATIVE_HEAD_MAX && !strstr(server->head, "\r\n\r\n")) {
        long got = peer_read(peer, server->head + len, NATIVE_HEAD_MAX - len);
        if (got <= 0)
            return;
        len += (size_t)got;
    }
}

static size_t request_nonce(const struct server *server, uint8_t ret_nonce[ATTEST_NONCE_MAX])
{
    const char *at = strstr(server->head, "?nonce=");
    char hex[2 * ATTEST_NONCE_MAX + 1] = "";
    if (!at)
        return 0;
    size_t len = strspn(at + 7, "0123456789abcdef");
    assert_true(len < sizeof(hex));
    memcpy(hex, at + 7, len);
    assert_int_equal(hex_decode(hex, ret_nonce, len / 2), 0);
    return len / 2;
}

static void wrap(const struct attest_protocol *protocol, const struct buf *document, struct buf *out)
{
    CLEANUP(freep) char *text = NULL;
    if (protocol->encoding == ATTEST_ENCODING_BASE64) {
        text = base64_encode(document->data, document->len);
        buf_printf(out, "%s\n", text);
    } else if (protocol->encoding == ATTEST_ENCODING_JSON_HEX) {
        text = mem_alloc(2 * document->len + 1);
        hex_encode(document->data, document->len, text);
        buf_printf(out, "{\"attestation\": \"%s\"}", text);
    } else {
        buf_append(out, document->data, document->len);
    }
}

static void answer_with_document(const struct server *server, const struct peer *peer)
{
    uint8_t nonce[ATTEST_NONCE_MAX];
    size_t nonce_len = request_nonce(server, nonce);
    struct pki_document_spec spec = {.module_id = MODULE_ID,
                                     .region = "eu-west-1",
                                     .timestamp_ms = now_ms,
                                     .image_digest = "00",
                                     .user_data = server->user_data,
                                     .nonce = {nonce_len ? nonce : NULL, nonce_len}};
    CLEANUP(buf_done) struct buf document;
    CLEANUP(buf_done) struct buf body;
    CLEANUP(buf_done) struct buf out;
    buf_init(&document, PKI_DOCUMENT_MAX);
    buf_init(&body, PKI_DOCUMENT_MAX);
    buf_init(&out, PKI_DOCUMENT_MAX);
    pki_document(server->pki, &spec, &document);
    wrap(server->protocol, &document, &body);
    native_answer_head(&out, body.len);
    buf_append(&out, body.data, body.len);
    peer_write(peer, out.data, out.len);
}

static void answer(struct server *server, const struct peer *peer)
{
    char byte;
    read_head(server, peer);
    if (server->pki)
        answer_with_document(server, peer);
    else if (server->reply)
        peer_write(peer, server->reply, server->reply_len);
    while (server->is_endless && peer_write(peer, "0123456789abcdef", 16) > 0)
        ;
    /* Until the client gives up. */
    while (server->is_silent && peer_read(peer, &byte, 1) > 0)
        ;
}

static void *serve(void *ctx)
{
    struct server *server = ctx;
    struct peer peer = {.fd = accept(server->listener, NULL, NULL)};
    if (peer.fd < 0)
        return NULL;
    if (server->tls) {
        peer.ssl = SSL_new(server->tls);
        SSL_set_fd(peer.ssl, peer.fd);
    }
    if (!peer.ssl || SSL_accept(peer.ssl) == 1)
        answer(server, &peer);
    if (peer.ssl)
        SSL_shutdown(peer.ssl);
    SSL_free(peer.ssl);
    close(peer.fd);
    return NULL;
}

static int listen_on_loopback(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void server_start(struct server *server)
{
    server->listener = listen_on_loopback(&server->port);
    assert_int_equal(listen(server->listener, 4), 0);
    server->thread = thread_start("server", serve, server);
}

static void server_stop(struct server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    thread_join(server->thread);
    close(server->listener);
}

static int fetch_from(const char *protocol, uint16_t port, struct attest_evidence *ret_evidence,
                      struct error *err)
{
    struct http_client *client = http_client_new();
    struct attest_fetch fetch = {.protocol = attest_protocol_find(protocol),
                                 .address = "127.0.0.1",
                                 .port = port,
                                 .total_timeout_ms = 5000};
    int result = attest_fetch(client, &fetch, ret_evidence, err);
    http_client_free(client);
    return result;
}

static void verify(const struct attest_evidence *evidence, const struct pki *pki, struct attest_result *ret)
{
    CLEANUP(attest_roots_done) struct attest_roots roots;
    struct error err;
    attest_roots_init(&roots);
    assert_int_equal(attest_roots_add_pem(&roots, pki_root_pem(pki), &err), 0);
    struct attest_pcr pcr = {.index = 0};
    pki_sim_pcr(0, "00", pcr.value);
    struct attest_measurement set = {"image", &pcr, 1, 0, 0};
    struct attest_policy policy = {
        .roots = &roots, .now_ms = now_ms, .measurements = &set, .measurement_count = 1};
    attest_evidence_apply(evidence, &policy);
    attest_verify(buf_text(&evidence->document), evidence->document.len, &policy, ret);
}

static void test_presets_to_verdict(void **state)
{
    static const struct {
        const char *protocol;
        size_t nonce_len;
        enum attest_verdict verdict;
    } cases[] = {
        {"Native", 32, ATTEST_VERIFIED},
        {"Oyster", 0, ATTEST_VERIFIED_WITHOUT_NONCE},
        {"Nautilus", 0, ATTEST_VERIFIED_WITHOUT_NONCE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct server server = {.pki = *state, .protocol = attest_protocol_find(cases[i].protocol)};
        CLEANUP(attest_evidence_done) struct attest_evidence evidence = {0};
        struct error err;
        struct attest_result result;
        server_start(&server);
        int got = fetch_from(cases[i].protocol, server.port, &evidence, &err);
        server_stop(&server);
        assert_int_equal(got, 0);
        assert_int_equal(evidence.answer, ATTEST_ANSWER_DOCUMENT);
        assert_int_equal(evidence.nonce_len, cases[i].nonce_len);
        verify(&evidence, *state, &result);
        if (result.verdict != cases[i].verdict)
            fail_msg("%s: %s", cases[i].protocol, result.message);
    }
}

static void test_each_try_has_its_own_nonce(void **state)
{
    uint8_t nonces[2][32];
    for (int i = 0; i < 2; i++) {
        struct server server = {.pki = *state, .protocol = attest_protocol_find("Native")};
        CLEANUP(attest_evidence_done) struct attest_evidence evidence = {0};
        struct error err;
        server_start(&server);
        int got = fetch_from("Native", server.port, &evidence, &err);
        server_stop(&server);
        assert_int_equal(got, 0);
        memcpy(nonces[i], evidence.nonce, 32);
        assert_int_equal(native_request_parse(server.head, strlen(server.head), nonces[i]), NATIVE_OK);
        assert_memory_equal(nonces[i], evidence.nonce, 32);
    }
    assert_memory_not_equal(nonces[0], nonces[1], 32);
}

static void test_tls_certificate_is_bound(void **state)
{
    struct pki_cert_spec spec = {.level = PKI_LEAF,
                                 .cn = "enclave",
                                 .not_before_s = 1600000000,
                                 .not_after_s = 4000000000,
                                 .group = "P-384",
                                 .digest = "SHA384"};
    struct pki_cert cert;
    pki_cert_issue(&spec, NULL, &cert);
    uint8_t user_data[68] = {0x12, 0x20};
    sha256(cert.der, cert.der_len, user_data + 2);
    for (int is_right = 0; is_right < 2; is_right++) {
        struct server server = {.pki = *state,
                                .protocol = attest_protocol_find("Nitriding"),
                                .user_data = {user_data, sizeof(user_data)}};
        CLEANUP(attest_evidence_done) struct attest_evidence evidence = {0};
        struct error err;
        struct attest_result result;
        user_data[20] ^= 1;
        server.tls = SSL_CTX_new(TLS_server_method());
        SSL_CTX_use_certificate(server.tls, cert.cert);
        SSL_CTX_use_PrivateKey(server.tls, cert.key);
        server_start(&server);
        int got = fetch_from("Nitriding", server.port, &evidence, &err);
        server_stop(&server);
        SSL_CTX_free(server.tls);
        assert_int_equal(got, 0);
        assert_true(evidence.has_tls_cert);
        assert_int_equal(evidence.nonce_len, 20);
        verify(&evidence, *state, &result);
        assert_int_equal(result.reason, is_right ? ATTEST_REASON_NONE : ATTEST_KEY_MISMATCH);
    }
    pki_cert_done(&cert);
}

static void test_other_answers(void **state)
{
    (void)state;
    static const struct {
        const char *name, *protocol, *reply;
        enum attest_answer answer;
        const char *document; /* of a 200: what verification is given */
    } cases[] = {
        {"booting", "Native",
         "HTTP/1.1 503 X\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
         "{\"teeBoot\":{\"phase\":\"image\",\"seconds\":12}}",
         ATTEST_ANSWER_BOOTING, NULL},
        {"503 of something else", "Native", "HTTP/1.1 503 X\r\nContent-Length: 2\r\n\r\nno",
         ATTEST_ANSWER_REFUSED, NULL},
        {"404", "Native", "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", ATTEST_ANSWER_REFUSED, NULL},
        {"redirect", "Native", "HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
         ATTEST_ANSWER_REFUSED, NULL},
        {"not CBOR", "Native", "HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\nhello", ATTEST_ANSWER_DOCUMENT,
         "hello"},
        {"empty", "Native", "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n", ATTEST_ANSWER_DOCUMENT, ""},
        {"not JSON", "Nautilus", "HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\nhello", ATTEST_ANSWER_DOCUMENT,
         "hello"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct server server = {.reply = cases[i].reply, .reply_len = strlen(cases[i].reply)};
        CLEANUP(attest_evidence_done) struct attest_evidence evidence = {0};
        struct error err;
        server_start(&server);
        int got = fetch_from(cases[i].protocol, server.port, &evidence, &err);
        server_stop(&server);
        if (got < 0 || evidence.answer != cases[i].answer)
            fail_msg("%s: %d, answer %d", cases[i].name, got, (int)evidence.answer);
        if (cases[i].document)
            assert_string_equal(buf_text(&evidence.document), cases[i].document);
        if (evidence.answer == ATTEST_ANSWER_BOOTING)
            assert_true(evidence.boot.phase == NATIVE_PHASE_IMAGE && evidence.boot.seconds == 12);
    }
}

static void test_no_answer(void **state)
{
    (void)state;
    struct attest_evidence evidence;
    struct error err;
    uint16_t port;
    int fd = listen_on_loopback(&port); /* bound and not listening: refused */
    assert_int_equal(fetch_from("Native", port, &evidence, &err), -1);
    close(fd);
    assert_int_equal(err.kind, ERROR_UNAVAILABLE);
    assert_string_equal(err.reason, "Unreachable");

    struct server server = {.is_silent = true};
    server_start(&server);
    struct http_client *client = http_client_new();
    struct attest_fetch fetch = {.protocol = attest_protocol_find("Native"),
                                 .address = "127.0.0.1",
                                 .port = server.port,
                                 .total_timeout_ms = 200};
    assert_int_equal(attest_fetch(client, &fetch, &evidence, &err), -1);
    http_client_free(client);
    server_stop(&server);
    assert_string_equal(err.reason, "Unreachable");
}

static void test_endless_body(void **state)
{
    (void)state;
    static const char head[] = "HTTP/1.1 200 OK\r\n\r\n";
    struct server server = {.is_endless = true, .reply = head, .reply_len = sizeof(head) - 1};
    struct attest_evidence evidence;
    struct error err;
    server_start(&server);
    assert_int_equal(fetch_from("Native", server.port, &evidence, &err), -1);
    server_stop(&server);
    assert_int_equal(err.kind, ERROR_INVALID);
    assert_string_equal(err.reason, "MalformedDocument");
}

static void test_address_is_an_address(void **state)
{
    (void)state;
    struct http_client *client = http_client_new();
    struct attest_evidence evidence;
    struct error err;
    static const char *const addresses[] = {"localhost", "127.0.0.1@x", "127.0.0.1/", "", "::1"};
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        struct attest_fetch fetch = {.protocol = attest_protocol_find("Native"), .address = addresses[i]};
        assert_int_equal(attest_fetch(client, &fetch, &evidence, &err), -1);
        assert_int_equal(err.kind, ERROR_INVALID);
    }
    http_client_free(client);
}

static void test_decode_body(void **state)
{
    (void)state;
    static const struct {
        const char *protocol, *body;
        const char *expected; /* NULL = not in the preset's form */
    } cases[] = {
        {"Native", "raw", "raw"},
        {"Nitriding", "cmF3", "raw"},
        {"Nitriding", "cmF3\r\n \t", "raw"},
        {"Nitriding", " cmF3", NULL},
        {"Nitriding", "cm\nF3", NULL},
        {"Nitriding", "cmF", NULL},
        {"Nitriding", "raw!", NULL},
        {"Nautilus", "{\"attestation\":\"726177\"}", "raw"},
        {"Nautilus", "{\"attestation\":\"726177\",\"other\":[1]}", "raw"},
        {"Nautilus", "{\"attestation\":\"72617\"}", NULL},
        {"Nautilus", "{\"attestation\":\"zz\"}", NULL},
        {"Nautilus", "{\"attestation\":7}", NULL},
        {"Nautilus", "{\"attestation\":\"00\",\"attestation\":\"726177\"}", NULL},
        {"Nautilus", "{\"attestation\":\"726177\"}x", NULL},
        {"Nautilus", "[]", NULL},
        {"Nautilus", "", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 64);
        int got = attest_decode_body(attest_protocol_find(cases[i].protocol), cases[i].body,
                                     strlen(cases[i].body), &out);
        if (got != (cases[i].expected ? 0 : -1))
            fail_msg("%s: %s", cases[i].protocol, cases[i].body);
        assert_string_equal(buf_text(&out), cases[i].expected ? cases[i].expected : "");
    }
}

static int make_pki(void **state)
{
    *state = pki_new(NULL, NULL);
    return 0;
}

static int drop_pki(void **state)
{
    *state = pki_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_presets_to_verdict),
        cmocka_unit_test(test_each_try_has_its_own_nonce),
        cmocka_unit_test(test_tls_certificate_is_bound),
        cmocka_unit_test(test_other_answers),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_endless_body),
        cmocka_unit_test(test_address_is_an_address),
        cmocka_unit_test(test_decode_body),
    };
    return cmocka_run_group_tests(tests, make_pki, drop_pki);
}
